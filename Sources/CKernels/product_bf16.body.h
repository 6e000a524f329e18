// Matrix products of bfloat16 with sums in float32, by the processor's units for them.
//
// A and B come as float32, are rounded to nearest even while they are packed, and multiply as pairs along k: A as rows of
// pairs, B as panels of NR columns, [pair of k][NR]. Grid, order of sums and independence of threads and neighbours are as in
// product.body.h.
#include "bf16_units.h"

enum {
#if CK_UNITS == CK_UNITS_TILES
    H_ROWS = 32, H_TILE_ROWS = 256, H_TILE_COLUMNS = 512, H_STEP = 32,
#else
    H_ROWS = CK_MR, H_TILE_ROWS = 8 * CK_MR, H_TILE_COLUMNS = 768, H_STEP = 2,
#endif
    // Packed rows of A stay in the first-level cache while panels of B stream past; H_SHARED bounds the memory of packed B.
    H_KC = 512, H_SHARED = 2048,
    // Between packed rows of A, in pairs: apart from powers of two, so that they do not fall on the same lines of the cache.
    H_PAD = 16,
};

/// Pairs along k for a depth of K, and the distance between packed rows of A.
INLINE int64_t pairs_of(int64_t K) { return round_up(K, H_STEP) / 2; }
INLINE int64_t a_stride(int64_t K) { return pairs_of(K) + H_PAD; }

/// out[i] = (low[i], high[i]) rounded.
INLINE vu pair_up(vf low, vf high) { return bf16_bits(low) >> 16 | bf16_bits(high); }

/// out[c] = the pair (from[c], from[c + next]); `next` 0 makes the second one zero.
static void pair_rows(const float *from, int64_t next, int64_t columns, uint32_t *out) {
    for (int64_t c = 0; c < columns; c += W) {
        vf high = next ? load_some(from + next + c, columns - c) : (vf){0};
        store_some((float *)(out + c), (vf)pair_up(load_some(from + c, columns - c), high), columns - c);
    }
}

/// Pairs of neighbours: out[i] = (from[2i], from[2i + 1]); an odd last one is paired with zero.
static void pair_neighbours(const float *from, int64_t count, uint32_t *out) {
    int64_t i = 0;
    for (; i + 2 * W <= count; i += 2 * W) {
        vf a = load(from + i), b = load(from + i + W);
        vf even, odd;
        for (int l = 0; l < W / 2; l++) {
            even[l] = a[2 * l]; odd[l] = a[2 * l + 1];
            even[W / 2 + l] = b[2 * l]; odd[W / 2 + l] = b[2 * l + 1];
        }
        store((float *)(out + i / 2), (vf)pair_up(even, odd));
    }
    for (; i < count; i += 2) {
        float pair[2] = {from[i], i + 1 < count ? from[i + 1] : 0};
        out[i / 2] = bf16_bits_of(pair[0]) >> 16 | bf16_bits_of(pair[1]);
    }
}

/// Rows of pairs, out[i][k/2], zero beyond rows and K, `rows` rounded up to H_ROWS. `spare` holds H_ROWS·pairs_of(K).
static void pack_a_pairs(const float *a, int64_t a_row, int64_t a_col, int64_t rows, int64_t K, uint32_t *out, uint32_t *spare) {
    int64_t pairs = (K + 1) / 2, padded = pairs_of(K), stride = a_stride(K);
    for (int64_t i0 = 0; i0 < rows; i0 += H_ROWS) {
        int64_t n = rows - i0 < H_ROWS ? rows - i0 : H_ROWS;
        uint32_t *to = out + i0 * stride;
        if (a_col == 1) {
            for (int64_t i = 0; i < n; i++) pair_neighbours(a + (i0 + i) * a_row, K, to + i * stride);
        } else {
            // Rows of A lie across memory: pairs of its columns first, then a transposition of pairs.
            for (int64_t k = 0; k < pairs; k++) {
                const float *from = a + i0 * a_row + 2 * k * a_col;
                if (a_row == 1) pair_rows(from, 2 * k + 1 < K ? a_col : 0, n, spare + k * H_ROWS);
                else
                    for (int64_t i = 0; i < n; i++) {
                        float high = 2 * k + 1 < K ? from[i * a_row + a_col] : 0;
                        spare[k * H_ROWS + i] = bf16_bits_of(from[i * a_row]) >> 16 | bf16_bits_of(high);
                    }
            }
            transpose((const float *)spare, H_ROWS, pairs, n, (float *)to, stride);
        }
        for (int64_t i = 0; i < H_ROWS; i++) {
            int64_t filled = i < n ? pairs : 0;
            memset(to + i * stride + filled, 0, (size_t)(padded - filled) * sizeof *to);
        }
    }
}

/// One panel of NR columns, out[k/2][NR], zero beyond columns and K. `spare` holds NR·pairs_of(K).
static void pack_b_pairs(const float *b, int64_t b_row, int64_t b_col, int64_t K, int64_t columns, uint32_t *out, uint32_t *spare) {
    int64_t pairs = (K + 1) / 2, padded = pairs_of(K);
    if (columns < NR) memset(out, 0, (size_t)(pairs * NR) * sizeof *out);
    memset(out + pairs * NR, 0, (size_t)((padded - pairs) * NR) * sizeof *out);
    if (b_col == 1) {
        for (int64_t k = 0; k < pairs; k++)
            pair_rows(b + 2 * k * b_row, 2 * k + 1 < K ? b_row : 0, columns, out + k * NR);
    } else if (b_row == 1) {
        for (int64_t j = 0; j < columns; j++) pair_neighbours(b + j * b_col, K, spare + j * padded);
        transpose((const float *)spare, padded, columns, pairs, (float *)out, NR);
    } else {
        for (int64_t k = 0; k < pairs; k++)
            for (int64_t j = 0; j < columns; j++) {
                const float *from = b + 2 * k * b_row + j * b_col;
                out[k * NR + j] = bf16_bits_of(from[0]) >> 16 | bf16_bits_of(2 * k + 1 < K ? from[b_row] : 0);
            }
    }
}

#if CK_UNITS == CK_UNITS_DOT
/// c (+)= Σ over pairs of a[i][pair]·b[pair][j], for a whole block of H_ROWS × NR.
static void whole_block(int64_t pairs, const uint32_t *a, int64_t stride, const uint32_t *b, float *c, int64_t c_row,
                        int64_t rows, int64_t columns, bool accumulate) {
    (void)rows; (void)columns;
    vf acc[H_ROWS][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < H_ROWS; i++) {
        acc[i][0] = accumulate ? load(c + i * c_row) : (vf){0};
        acc[i][1] = accumulate ? load(c + i * c_row + W) : (vf){0};
    }
    for (int64_t k = 0; k < pairs; k++) {
        vu b0 = *(const vu *)(b + k * NR), b1 = *(const vu *)(b + k * NR + W);
#pragma clang loop unroll(full)
        for (int i = 0; i < H_ROWS; i++) {
            acc[i][0] = dot_pairs(acc[i][0], a + i * stride + k, b0);
            acc[i][1] = dot_pairs(acc[i][1], a + i * stride + k, b1);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < H_ROWS; i++) {
        store(c + i * c_row, acc[i][0]);
        store(c + i * c_row + W, acc[i][1]);
    }
}
#else
/// c (+)= Σ over pairs of a[i][pair]·b[pair][j], for a whole block of 32 × 32 in four tiles; those that hold none of the
/// `rows` and `columns` that count are left out.
static void whole_block(int64_t pairs, const uint32_t *a, int64_t stride, const uint32_t *b, float *c, int64_t c_row,
                        int64_t rows, int64_t columns, bool accumulate) {
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
        for (int64_t k = 0; k < pairs; k += 16) {
            TILE_LOAD(6, b + k * NR, NR * 4);
            TILE_LOAD(4, a + k, a_bytes);
            TILE_LOAD(7, b + k * NR + 16, NR * 4);
            TILE_MULTIPLY(0, 4, 6);
            TILE_LOAD(5, a1 + k, a_bytes);
            TILE_MULTIPLY(1, 4, 7);
            TILE_MULTIPLY(2, 5, 6);
            TILE_MULTIPLY(3, 5, 7);
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
#endif

/// A block at the edge is computed whole beside the matrix, and the part that counts copied.
static void block(int64_t pairs, const uint32_t *a, int64_t stride, const uint32_t *b, float *c, int64_t c_row,
                  int64_t rows, int64_t columns, bool accumulate) {
    if (rows >= H_ROWS && columns >= NR) {
        whole_block(pairs, a, stride, b, c, c_row, H_ROWS, NR, accumulate);
        return;
    }
    float edge[H_ROWS * NR] __attribute__((aligned(64)));
    int64_t n = rows < H_ROWS ? rows : H_ROWS, m = columns < NR ? columns : NR;
    if (accumulate) {
        memset(edge, 0, sizeof edge);
        for (int64_t i = 0; i < n; i++) memcpy(edge + i * NR, c + i * c_row, (size_t)m * sizeof(float));
    }
    whole_block(pairs, a, stride, b, edge, NR, n, m, accumulate);
    for (int64_t i = 0; i < n; i++) memcpy(c + i * c_row, edge + i * NR, (size_t)m * sizeof(float));
}

typedef struct {
    const ck_product *p;
    ck_context *context;
    uint32_t *packed;            // blocks of H_KC over k, each [panels][pairs][NR]
    int64_t k0, kn, panels, tile_rows, tile_panels, row_tiles, column_tiles;
} pair_job;

static void pair_pack_item(void *raw, int64_t index, int worker) {
    pair_job *j = raw;
    const ck_product *p = j->p;
    int64_t groups = (j->panels + PANELS_PER_ITEM - 1) / PANELS_PER_ITEM;
    int64_t at = index / groups, first = index % groups * PANELS_PER_ITEM;
    int64_t k = at * H_KC, kn = j->kn - k < H_KC ? j->kn - k : H_KC;
    uint32_t *out = j->packed + k / 2 * j->panels * NR;
    uint32_t *spare = ck_worker_scratch(j->context, worker, (size_t)(NR * H_KC / 2) * sizeof *spare);
    for (int64_t panel = first; panel < j->panels && panel < first + PANELS_PER_ITEM; panel++) {
        int64_t column = panel * NR, columns = p->n - column < NR ? p->n - column : NR;
        pack_b_pairs(p->b + (j->k0 + k) * p->b_row + column * p->b_col, p->b_row, p->b_col, kn, columns,
                     out + panel * pairs_of(kn) * NR, spare);
    }
}

static void pair_tile_item(void *raw, int64_t index, int worker) {
    pair_job *j = raw;
    const ck_product *p = j->p;
    int64_t row0 = index / j->column_tiles * j->tile_rows, panel0 = index % j->column_tiles * j->tile_panels;
    int64_t rows = p->m - row0 < j->tile_rows ? p->m - row0 : j->tile_rows;
    int64_t panel_end = panel0 + j->tile_panels < j->panels ? panel0 + j->tile_panels : j->panels;
    int64_t a_size = round_up(j->tile_rows, H_ROWS) * a_stride(H_KC);
    uint32_t *a = ck_worker_scratch(j->context, worker, (size_t)(a_size + H_ROWS * H_KC / 2) * sizeof *a);
#if CK_UNITS == CK_UNITS_TILES
    tile_configure();
#endif
    for (int64_t k = 0; k < j->kn; k += H_KC) {
        int64_t kn = j->kn - k < H_KC ? j->kn - k : H_KC, pairs = pairs_of(kn), stride = a_stride(kn);
        bool accumulate = p->accumulate || j->k0 + k > 0;
        pack_a_pairs(p->a + row0 * p->a_row + (j->k0 + k) * p->a_col, p->a_row, p->a_col, rows, kn, a, a + a_size);
        const uint32_t *from = j->packed + k / 2 * j->panels * NR;
        for (int64_t i = 0; i < rows; i += H_ROWS)
            for (int64_t panel = panel0; panel < panel_end; panel++)
                block(pairs, a + i * stride, stride, from + panel * pairs * NR, p->c + (row0 + i) * p->c_row + panel * NR,
                      p->c_row, rows - i, p->n - panel * NR, accumulate);
    }
#if CK_UNITS == CK_UNITS_TILES
    tile_release();
#endif
    if (j->k0 + j->kn < p->k) return;
    finish_tile(p, row0, rows, panel0 * NR, panel_end * NR < p->n ? panel_end * NR : p->n);
}

static void multiply_bf16(ck_context *context, const ck_product *p) {
    if (p->m <= 0 || p->n <= 0) return;
    pair_job j = {.p = p, .context = context, .panels = (p->n + NR - 1) / NR};
    j.row_tiles = (p->m + H_TILE_ROWS - 1) / H_TILE_ROWS;
    j.tile_rows = round_up((p->m + j.row_tiles - 1) / j.row_tiles, H_ROWS);
    j.row_tiles = (p->m + j.tile_rows - 1) / j.tile_rows;
    int64_t wide = H_TILE_COLUMNS / NR;
    j.column_tiles = (j.panels + wide - 1) / wide;
    while (j.row_tiles * j.column_tiles < LEAST_ITEMS && (j.panels + j.column_tiles - 1) / j.column_tiles > 2) j.column_tiles++;
    j.tile_panels = (j.panels + j.column_tiles - 1) / j.column_tiles;
    j.column_tiles = (j.panels + j.tile_panels - 1) / j.tile_panels;
    int64_t deepest = p->k < H_SHARED ? p->k : H_SHARED;
    j.packed = ck_shared_scratch(context, (size_t)(pairs_of(deepest) * j.panels * NR) * sizeof *j.packed);
    if (p->k <= 0 && !p->accumulate)  // an empty sum
        for (int64_t i = 0; i < p->m; i++) memset(p->c + i * p->c_row, 0, (size_t)p->n * sizeof(float));
    do {
        j.kn = p->k - j.k0 < H_SHARED ? p->k - j.k0 : H_SHARED;
        int64_t groups = (j.panels + PANELS_PER_ITEM - 1) / PANELS_PER_ITEM;
        ck_parallel(context, groups * ((j.kn + H_KC - 1) / H_KC), pair_pack_item, &j);
        ck_parallel(context, j.row_tiles * j.column_tiles, pair_tile_item, &j);
        j.k0 += j.kn;
    } while (j.k0 < p->k);
}

/// Floats of scratch that `multiply_local_bf16` needs.
INLINE int64_t local_scratch_bf16(int64_t M, int64_t N, int64_t K) {
    int64_t wide = H_ROWS > NR ? H_ROWS : NR;
    return round_up(M, H_ROWS) * a_stride(K) + (round_up(N, NR) + wide) * pairs_of(K) + 64;
}

/// A product by one thread, for the small matrices of attention; sums over the whole of k at once.
static void multiply_local_bf16(int64_t M, int64_t N, int64_t K, const float *a, int64_t a_row, int64_t a_col,
                                const float *b, int64_t b_row, int64_t b_col, float *c, int64_t c_row, float *scratch) {
    int64_t pairs = pairs_of(K), stride = a_stride(K);
    uint32_t *packed_b = (uint32_t *)scratch, *packed_a = packed_b + round_up(round_up(N, NR) * pairs, 16);
    uint32_t *spare = packed_a + round_up(M, H_ROWS) * stride;
    pack_a_pairs(a, a_row, a_col, M, K, packed_a, spare);
    for (int64_t j = 0; j < N; j += NR)
        pack_b_pairs(b + j * b_col, b_row, b_col, K, N - j < NR ? N - j : NR, packed_b + j * pairs, spare);
    for (int64_t i = 0; i < M; i += H_ROWS)
        for (int64_t j = 0; j < N; j += NR)
            block(pairs, packed_a + i * stride, stride, packed_b + j * pairs, c + i * c_row + j, c_row, M - i, N - j, false);
}
