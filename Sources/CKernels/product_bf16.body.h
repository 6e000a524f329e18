// Matrix products of bfloat16 with sums in float32, by the processor's units for them.
//
// A and B are packed as pairs along k: A as rows of pairs or panels (see `a_layout`), B as panels of NR columns, [pair of k][NR].
// Grid, order of sums and independence of threads and neighbours are as in product.body.h. A product that ends as bfloat16 is
// summed in float32 beside C, over the whole of k, and rounded once.
#include "pack_bf16.body.h"

#if CK_UNITS == CK_UNITS_DOT
INLINE void dot_block(int rows, int64_t pairs, const uint32_t *a, int64_t row_step, int64_t pair_step, const uint32_t *b, float *c,
                      int64_t c_row, bool accumulate) {
    vf acc[H_ROWS][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        acc[i][0] = accumulate ? load(c + i * c_row) : (vf){0};
        acc[i][1] = accumulate ? load(c + i * c_row + W) : (vf){0};
    }
    for (int64_t k = 0; k < pairs; k++) {
        vu b0 = load_pairs(b + k * NR), b1 = load_pairs(b + k * NR + W);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            acc[i][0] = dot_pairs(acc[i][0], a + i * row_step + k * pair_step, b0);
            acc[i][1] = dot_pairs(acc[i][1], a + i * row_step + k * pair_step, b1);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        store(c + i * c_row, acc[i][0]);
        store(c + i * c_row + W, acc[i][1]);
    }
}

/// c (+)= Σ over pairs of A[i][pair]·b[pair][j], for a block of H_ROWS × NR or of as few rows as there is code for.
static void whole_block(int64_t pairs, const uint32_t *a, a_layout layout, const uint32_t *b, float *c, int64_t c_row,
                        int64_t rows, int64_t columns, bool accumulate) {
    (void)columns;
#define DOT(n) \
    if (layout.row_step == 1) dot_block(n, pairs, a, 1, layout.pair_step, b, c, c_row, accumulate); \
    else dot_block(n, pairs, a, layout.row_step, 1, b, c, c_row, accumulate);
    if (rows > 8) { DOT(H_ROWS) } else if (rows > 4) { DOT(8) } else if (rows > 2) { DOT(4) } else { DOT(2) }
#undef DOT
}
/// Whether `whole_block` writes just these rows.
INLINE bool has_own_block(int64_t rows) { return rows >= H_ROWS || rows == 8 || rows == 4 || rows == 2; }
#else
/// H_ROWS rows of a tile of C whose sums are whole and lie in blocks [panel][H_ROWS][NR], but are not in C yet. They are finished in
/// pieces of NR columns, row by row, between the multiplies of the next rows, which leave the vector units idle.
typedef struct {
    const ck_product *p;
    const float *sums;
    int64_t row, rows, column, columns, panels;  // where they are in C
    int64_t finished;                            // pieces that are in C
} pending_rows;
INLINE int64_t pieces_of(const pending_rows *w) { return w->rows * w->panels; }
static void finish_pieces(pending_rows *w, int64_t count);

/// c (+)= Σ over pairs of a[i][pair]·b[pair][j], for a block of 32 × 32 in four tiles; those that hold none of the `rows` and
/// `columns` that count are left out. Between its multiplies as many pieces of `other` are finished as a block of it has; null is
/// none.
static void sum_tiles(int64_t pairs, const uint32_t *a, int64_t stride, const uint32_t *b, float *c, int64_t c_row, int64_t rows,
                      int64_t columns, bool accumulate, pending_rows *other) {
    bool low = rows > 16, right = columns > 16;
    int64_t c_bytes = c_row * 4, a_bytes = stride * 4;
    if (accumulate) {
        TILE_LOAD(0, c, c_bytes);
        if (right) TILE_LOAD(1, c + 16, c_bytes);
        if (low) TILE_LOAD(2, c + 16 * c_row, c_bytes);
        if (low && right) TILE_LOAD(3, c + 16 * c_row + 16, c_bytes);
    } else {
        TILE_ZERO(0); TILE_ZERO(1); TILE_ZERO(2); TILE_ZERO(3);
    }
    const uint32_t *a1 = a + 16 * stride;
    if (low && right) {
        int64_t pieces = other && pairs > 0 ? (16 * other->rows + pairs - 1) / pairs : 0;
        for (int64_t k = 0; k < pairs; k += 16) {
            const uint32_t *ahead = b + (k + 16 * H_TILES_AHEAD) * NR;
            TILE_LOAD(6, b + k * NR, NR * 4);
            TILE_LOAD(4, a + k, a_bytes);
            TILE_LOAD(7, b + k * NR + 16, NR * 4);
            TILE_MULTIPLY(0, 4, 6);
#pragma clang loop unroll(full)
            for (int i = 0; i < 2 * 16; i++) __builtin_prefetch(ahead + 16 * i);
            TILE_LOAD(5, a1 + k, a_bytes);
            TILE_MULTIPLY(1, 4, 7);
            TILE_MULTIPLY(2, 5, 6);
            TILE_MULTIPLY(3, 5, 7);
            if (pieces) finish_pieces(other, pieces);
        }
    } else if (low) {
        for (int64_t k = 0; k < pairs; k += 16) {
            TILE_LOAD(6, b + k * NR, NR * 4);
            TILE_LOAD(4, a + k, a_bytes);
            TILE_LOAD(5, a1 + k, a_bytes);
            TILE_MULTIPLY(0, 4, 6);
            TILE_MULTIPLY(2, 5, 6);
        }
    } else if (right) {
        for (int64_t k = 0; k < pairs; k += 16) {
            TILE_LOAD(4, a + k, a_bytes);
            TILE_LOAD(6, b + k * NR, NR * 4);
            TILE_LOAD(7, b + k * NR + 16, NR * 4);
            TILE_MULTIPLY(0, 4, 6);
            TILE_MULTIPLY(1, 4, 7);
        }
    } else {
        for (int64_t k = 0; k < pairs; k += 16) {
            TILE_LOAD(4, a + k, a_bytes);
            TILE_LOAD(6, b + k * NR, NR * 4);
            TILE_MULTIPLY(0, 4, 6);
        }
    }
    TILE_STORE(0, c, c_bytes);
    if (right) TILE_STORE(1, c + 16, c_bytes);
    if (low) TILE_STORE(2, c + 16 * c_row, c_bytes);
    if (low && right) TILE_STORE(3, c + 16 * c_row + 16, c_bytes);
}
static void whole_block(int64_t pairs, const uint32_t *a, a_layout layout, const uint32_t *b, float *c, int64_t c_row,
                        int64_t rows, int64_t columns, bool accumulate) {
    sum_tiles(pairs, a, layout.row_step, b, c, c_row, rows, columns, accumulate, NULL);
}
INLINE bool has_own_block(int64_t rows) { return rows >= H_ROWS; }
#endif

/// A block at the edge is computed whole beside the matrix, and the part that counts copied.
static void block(int64_t pairs, const uint32_t *a, a_layout layout, const uint32_t *b, float *c, int64_t c_row,
                  int64_t rows, int64_t columns, bool accumulate) {
    if (has_own_block(rows) && columns >= NR) {
        whole_block(pairs, a, layout, b, c, c_row, rows < H_ROWS ? rows : H_ROWS, NR, accumulate);
        return;
    }
    float edge[H_ROWS * NR] __attribute__((aligned(64)));
    int64_t n = rows < H_ROWS ? rows : H_ROWS, m = columns < NR ? columns : NR;
    if (accumulate) {
        memset(edge, 0, sizeof edge);
        for (int64_t i = 0; i < n; i++) memcpy(edge + i * NR, c + i * c_row, (size_t)m * sizeof(float));
    }
    whole_block(pairs, a, layout, b, edge, NR, n, m, accumulate);
    for (int64_t i = 0; i < n; i++) memcpy(c + i * c_row, edge + i * NR, (size_t)m * sizeof(float));
}

typedef struct {
    const ck_product *p;
    ck_context *context;
    const uint32_t *packed;      // blocks of H_KC over k from k0, each [panels][pairs][NR]
    uint32_t *packs;             // the same, where it is packed here
    uint32_t *packed_a;          // likewise, when rows of A lie across memory: packed once, in long strides, for all columns
    int64_t k0, kn;              // the part of k that is summed now
    tile_grid grid;
} pair_job;

/// Where rows from `row` of the block of k that begins at `k` are in `packed_a`.
INLINE uint32_t *shared_a(const pair_job *j, int64_t k, int64_t kn, int64_t row) {
    int64_t column = j->p->a_col, units = round_up(j->p->m, H_ROWS) / H_ROWS;
    return j->packed_a + k / H_KC * units * layout_of(column, H_KC).block + row / H_ROWS * layout_of(column, kn).block;
}

enum { A_ROWS_PER_ITEM = 8 * H_ROWS };
INLINE int64_t b_groups(const pair_job *j) { return j->packs ? (j->grid.panels + PANELS_PER_ITEM - 1) / PANELS_PER_ITEM : 0; }
INLINE int64_t a_groups(const pair_job *j) { return j->packed_a ? (j->p->m + A_ROWS_PER_ITEM - 1) / A_ROWS_PER_ITEM : 0; }

static void pair_pack_item(void *raw, int64_t index, int worker) {
    (void)worker;
    pair_job *j = raw;
    const ck_product *p = j->p;
    int64_t groups = b_groups(j) + a_groups(j), group = index % groups;
    int64_t k = index / groups * H_KC, kn = j->kn - k < H_KC ? j->kn - k : H_KC;
    if (group >= b_groups(j)) {
        int64_t row = (group - b_groups(j)) * A_ROWS_PER_ITEM, rows = p->m - row < A_ROWS_PER_ITEM ? p->m - row : A_ROWS_PER_ITEM;
        pack_a_pairs(after(p->a, row * p->a_row + (j->k0 + k) * p->a_col), p->a_row, p->a_col, rows, kn, shared_a(j, k, kn, row));
        return;
    }
    int64_t first = group * PANELS_PER_ITEM, column = first * NR;
    int64_t columns = p->n - column < PANELS_PER_ITEM * NR ? p->n - column : PANELS_PER_ITEM * NR;
    pack_b_pairs(after(p->b, (j->k0 + k) * p->b_row + column * p->b_col), p->b_row, p->b_col, kn, columns,
                 j->packs + k / 2 * j->grid.panels * NR + first * pairs_of(kn) * NR);
}

INLINE void pack_block(pair_job *j) {
    ck_parallel(j->context, (b_groups(j) + a_groups(j)) * ((j->kn + H_KC - 1) / H_KC), pair_pack_item, j);
}

/// Pairs of all of B.
INLINE int64_t packed_b_size(const ck_product *p) { return pairs_of(p->k) * panels_of(p) * NR; }

static void pack_b_bf16(ck_context *context, const ck_product *p, uint32_t *packed) {
    pair_job j = {.p = p, .context = context, .packs = packed, .kn = p->k, .grid.panels = panels_of(p)};
    pack_block(&j);
}

/// Where a tile is summed: in C, or beside it.
typedef struct { float *at; int64_t row, columns; } tile_place;

/// As `finish_tile`, of a row beside C that ends as bfloat16, as `activated` and `u_to_h` are; each but c may be null.
INLINE void finish_half_row(ck_activation kind, const float *x, const float *bias, uint16_t *c, uint16_t *activated, uint16_t *u_to_h,
                            int64_t columns) {
    for (int64_t i = 0; i < columns; i += W) {
        int64_t n = columns - i;
        vf y = load_some(x + i, n);
        if (bias) y += load_some(bias + i, n);
        if (u_to_h) {
            vf h, d = activate_derivative_f(kind, load_half(u_to_h + i, n), &h);
            y *= d;
            store_half(u_to_h + i, h, n);
        }
        store_half(c + i, y, n);
        if (activated) store_half(activated + i, activate_f(kind, load_half(c + i, n)), n);
    }
}

static void finish_half(const ck_product *p, const float *tile, int64_t tile_row, int64_t row0, int64_t rows, int64_t column, int64_t end) {
    for (int64_t i = 0; i < rows; i++) {
        int64_t at = (row0 + i) * p->c_row + column, n = end - column;
        const float *x = tile + i * tile_row, *bias = p->bias ? p->bias + column : NULL;
        uint16_t *c = (uint16_t *)p->c.at + at, *activated = p->activated ? (uint16_t *)p->activated + at : NULL;
        uint16_t *u = p->u_to_h ? (uint16_t *)p->u_to_h + at : NULL;
        switch (p->activation) {  // a constant kind, so that each loop is straight-line code
        case CK_ACT_GELU: finish_half_row(CK_ACT_GELU, x, bias, c, activated, u, n); break;
        case CK_ACT_GELU_TANH: finish_half_row(CK_ACT_GELU_TANH, x, bias, c, activated, u, n); break;
        case CK_ACT_RELU: finish_half_row(CK_ACT_RELU, x, bias, c, activated, u, n); break;
        default: finish_half_row(CK_ACT_NONE, x, bias, c, activated, NULL, n);
        }
    }
}

#if CK_UNITS == CK_UNITS_TILES
/// The next `count` pieces, or as many as there are, into C.
static __attribute__((noinline)) void finish_pieces(pending_rows *w, int64_t count) {
    const ck_product *p = w->p;
    int64_t left = pieces_of(w) - w->finished, end = w->finished + (count < left ? count : left);
    for (int64_t i = w->finished; i < end; i++) {
        int64_t r = i / w->panels, panel = i % w->panels, n = panel * NR, columns = w->columns - n < NR ? w->columns - n : NR;
        const float *x = w->sums + (panel * H_ROWS + r) * NR;
        int64_t row = w->row + r, column = w->column + n;
        if (p->c.half) {
            finish_half(p, x, NR, row, 1, column, column + columns);
            continue;
        }
        float *c = (float *)p->c.at + row * p->c_row + column;
        store_some(c, load(x), columns);
        if (columns > W) store_some(c + W, load(x + W), columns - W);
    }
    w->finished = end;
}

/// A block of C, as the beginning of its sums.
static void begin_block(const ck_product *p, int64_t row, int64_t rows, int64_t column, int64_t columns, float *sums) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t n = 0; n < columns; n += W)
            store(sums + i * NR + n, load_some((const float *)p->c.at + (row + i) * p->c_row + column + n, columns - n));
}

/// Sums are in the worker's scratch, block by block, until they are whole: all of the tile's where k takes several blocks, else
/// those of the last rows and of the present ones.
static void pair_tile_item(void *raw, int64_t index, int worker) {
    enum { BLOCK = H_ROWS * NR };
    pair_job *j = raw;
    const ck_product *p = j->p;
    tile_part t = tile_at(p, j->grid, index);
    bool in_blocks = j->kn > H_KC;
    int64_t own_size = j->packed_a ? 0 : round_up(packed_a_size(j->grid.tile_rows, H_KC), 16), strip = j->grid.tile_panels * BLOCK;
    int64_t strips = in_blocks ? j->grid.tile_rows / H_ROWS : 2;
    uint32_t *own = ck_worker_scratch(j->context, worker, (size_t)(own_size + strips * strip) * sizeof *own);
    float *held = (float *)(own + own_size);
    pending_rows pending = {.p = p};
    UNITS_BEGIN();
    for (int64_t k = 0; k < j->kn || k == 0; k += H_KC) {  // once for an empty sum, too
        int64_t kn = j->kn - k < H_KC ? j->kn - k : H_KC, pairs = pairs_of(kn);
        a_layout layout = layout_of(p->a_col, kn);
        bool whole = k + kn >= j->kn, in_c = k == 0 && (p->accumulate || j->k0 > 0);
        const uint32_t *a = own, *b = j->packed + k / 2 * j->grid.panels * NR;
        if (j->packed_a) a = shared_a(j, k, kn, t.row);
        else pack_a_pairs(after(p->a, t.row * p->a_row + (j->k0 + k) * p->a_col), p->a_row, p->a_col, t.rows, kn, own);
        for (int64_t i = 0; i < t.rows; i += H_ROWS) {
            float *sums = held + i / H_ROWS % strips * strip;
            int64_t rows = t.rows - i < H_ROWS ? t.rows - i : H_ROWS;
            for (int64_t panel = t.panel; panel < t.panel_end; panel++) {
                int64_t column = panel * NR, columns = p->n - column < NR ? p->n - column : NR;
                float *c = sums + (panel - t.panel) * BLOCK;
                if (in_c) begin_block(p, t.row + i, rows, column, columns, c);
                sum_tiles(pairs, a + i / H_ROWS * layout.block, layout.row_step, b + panel * pairs * NR, c, NR, rows, columns, k > 0 || in_c,
                          pending.finished < pieces_of(&pending) ? &pending : NULL);
            }
            if (!whole) continue;
            finish_pieces(&pending, INT64_MAX);
            pending = (pending_rows){p, sums, t.row + i, rows, t.column, t.column_end - t.column, t.panel_end - t.panel, 0};
        }
    }
    UNITS_END();
    finish_pieces(&pending, INT64_MAX);
    if (!p->c.half && j->k0 + j->kn >= p->k) finish_tile(p, t.row, t.rows, t.column, t.column_end);
}
#else
static void pair_tile_item(void *raw, int64_t index, int worker) {
    pair_job *j = raw;
    const ck_product *p = j->p;
    tile_part t = tile_at(p, j->grid, index);
    int64_t own_size = j->packed_a ? 0 : round_up(packed_a_size(j->grid.tile_rows, H_KC), 16), width = (t.panel_end - t.panel) * NR;
    int64_t beside_size = p->c.half ? j->grid.tile_rows * j->grid.tile_panels * NR : 0;
    uint32_t *scratch = ck_worker_scratch(j->context, worker, (size_t)(own_size + beside_size) * sizeof *scratch);
    uint32_t *own = j->packed_a ? NULL : scratch;
    tile_place to = {(float *)p->c.at + t.row * p->c_row + t.column, p->c_row, p->n - t.column};
    if (p->c.half) to = (tile_place){(float *)(scratch + own_size), width, width};
    if (p->c.half && j->kn == 0) memset(to.at, 0, (size_t)beside_size * sizeof *to.at);  // an empty sum
    UNITS_BEGIN();
    for (int64_t k = 0; k < j->kn; k += H_KC) {
        int64_t kn = j->kn - k < H_KC ? j->kn - k : H_KC, pairs = pairs_of(kn);
        a_layout layout = layout_of(p->a_col, kn);
        bool accumulate = p->accumulate || j->k0 + k > 0;
        const uint32_t *a = own;
        if (own) pack_a_pairs(after(p->a, t.row * p->a_row + (j->k0 + k) * p->a_col), p->a_row, p->a_col, t.rows, kn, own);
        else a = shared_a(j, k, kn, t.row);
        const uint32_t *b = j->packed + k / 2 * j->grid.panels * NR;
        for (int64_t i = 0; i < t.rows; i += H_ROWS)
            for (int64_t panel = t.panel; panel < t.panel_end; panel++)
                block(pairs, a + i / H_ROWS * layout.block, layout, b + panel * pairs * NR,
                      to.at + i * to.row + (panel - t.panel) * NR, to.row, t.rows - i, to.columns - (panel - t.panel) * NR, accumulate);
    }
    UNITS_END();
    if (j->k0 + j->kn < p->k) return;
    if (p->c.half) finish_half(p, to.at, width, t.row, t.rows, t.column, t.column_end);
    else finish_tile(p, t.row, t.rows, t.column, t.column_end);
}
#endif

static void multiply_bf16(ck_context *context, const ck_product *p) {
    if (p->m <= 0 || p->n <= 0) return;
    pair_job j = {.p = p, .context = context, .grid = grid_of(p, H_ROWS, H_TILE_ROWS, H_TILE_COLUMNS)};
    int64_t shared = p->c.half ? p->k : H_SHARED;
    int64_t deepest = p->k < shared ? p->k : shared, b_size = p->packed_b ? 0 : pairs_of(deepest) * j.grid.panels * NR;
    int64_t a_size = p->a_col == 1 ? 0 : (deepest + H_KC - 1) / H_KC * packed_a_size(p->m, H_KC);
    uint32_t *scratch = ck_shared_scratch(context, (size_t)(b_size + a_size) * sizeof *scratch);
    if (!p->packed_b) j.packed = j.packs = scratch;
    if (a_size > 0) j.packed_a = scratch + b_size;
    if (p->k <= 0 && !p->accumulate)  // an empty sum
        for (int64_t i = 0; i < p->m && !p->c.half; i++) memset((float *)p->c.at + i * p->c_row, 0, (size_t)p->n * sizeof(float));
    do {
        j.kn = p->k - j.k0 < shared ? p->k - j.k0 : shared;
        if (p->packed_b) j.packed = (const uint32_t *)p->packed_b + j.k0 / 2 * j.grid.panels * NR;
        pack_block(&j);
        ck_parallel(context, tile_count(j.grid), pair_tile_item, &j);
        j.k0 += j.kn;
    } while (j.k0 < p->k);
}
