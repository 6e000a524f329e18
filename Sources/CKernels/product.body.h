// Matrix products: B is packed once into panels of NR columns, shared by all threads; each item of work is one tile of
// C, for which one thread packs its rows of A into panels of MR and runs the register kernel.
//
// The tile grid and the blocking over k depend on the shape alone, and every element of C is summed over k in
// ascending order within blocks of KC: neither threads nor neighbouring rows change a bit of it.

enum { MR = CK_MR, NR = 2 * W, KC = 256, K_SHARED = 1024, TILE_UNITS = 8, TILE_COLUMNS = 768, LEAST_ITEMS = 16, ENOUGH_ITEMS = 12 };

/// acc = Σ_k a[k·MR + i]·b[k·NR + j]; then c = acc, or c += acc. The rows of c, which lie far apart, are asked for before the sums begin.
static void register_kernel(int64_t K, const float *restrict a, const float *restrict b, float *restrict c,
                            int64_t c_row, int64_t rows, int64_t columns, bool accumulate) {
    vf acc[MR][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < MR; i++) acc[i][0] = acc[i][1] = (vf){0};
    if (rows == MR && columns == NR)
#pragma clang loop unroll(full)
        for (int i = 0; i < MR; i++) {
            __builtin_prefetch(c + i * c_row, 1);
            __builtin_prefetch(c + i * c_row + W, 1);
        }
    for (int64_t k = 0; k < K; k++) {
        vf b0 = *(const vf *)(b + k * NR), b1 = *(const vf *)(b + k * NR + W);
#pragma clang loop unroll(full)
        for (int i = 0; i < MR; i++) {
            vf x = splat(a[k * MR + i]);
            acc[i][0] += x * b0;
            acc[i][1] += x * b1;
        }
    }
    if (rows == MR && columns == NR) {
#pragma clang loop unroll(full)
        for (int i = 0; i < MR; i++) {
            float *row = c + i * c_row;
            store(row, accumulate ? load(row) + acc[i][0] : acc[i][0]);
            store(row + W, accumulate ? load(row + W) + acc[i][1] : acc[i][1]);
        }
        return;
    }
    float edge[MR * NR] __attribute__((aligned(64)));
#pragma clang loop unroll(full)
    for (int i = 0; i < MR; i++) {
        store(edge + i * NR, acc[i][0]);
        store(edge + i * NR + W, acc[i][1]);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            c[i * c_row + j] = accumulate ? c[i * c_row + j] + edge[i * NR + j] : edge[i * NR + j];
}

/// x[i] rounded to bfloat16: what products of that format multiply where no unit does it.
static void round_to_bf16(float *x, int64_t n) {
    int64_t i = 0;
    for (; i + W <= n; i += W) store(x + i, (vf)bf16_bits(load(x + i)));
    for (; i < n; i++) {
        uint32_t bits = bf16_bits_of(x[i]);
        memcpy(x + i, &bits, 4);
    }
}

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_unaligned __attribute__((vector_size(16), aligned(4)));

/// out[c·out_row + r] = from[r·from_row + c] for four rows and four columns.
INLINE void transpose_4x4(const float *from, int64_t from_row, float *out, int64_t out_row) {
    v4 a = *(const v4_unaligned *)from, b = *(const v4_unaligned *)(from + from_row);
    v4 c = *(const v4_unaligned *)(from + 2 * from_row), d = *(const v4_unaligned *)(from + 3 * from_row);
    v4 ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    v4 cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(v4_unaligned *)out = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
    *(v4_unaligned *)(out + out_row) = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
    *(v4_unaligned *)(out + 2 * out_row) = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
    *(v4_unaligned *)(out + 3 * out_row) = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
}

/// out[k·out_row + r] = from[r·from_row + k] for `rows` rows that are contiguous in k.
INLINE void transpose(const float *from, int64_t from_row, int64_t rows, int64_t K, float *out, int64_t out_row) {
    int64_t whole = K / 4 * 4;
    for (int64_t k = 0; k < whole; k += 4) {
        int64_t r = 0;
        for (; r + 4 <= rows; r += 4) transpose_4x4(from + r * from_row + k, from_row, out + k * out_row + r, out_row);
        for (; r < rows; r++)
            for (int64_t i = k; i < k + 4; i++) out[i * out_row + r] = from[r * from_row + i];
    }
    for (int64_t k = whole; k < K; k++)
        for (int64_t r = 0; r < rows; r++) out[k * out_row + r] = from[r * from_row + k];
}

/// Panels of MR rows: out[panel][k][MR], zero-filled.
static void pack_a(const float *a, int64_t a_row, int64_t a_col, int64_t M, int64_t K, float *out) {
    for (int64_t i0 = 0; i0 < M; i0 += MR, out += MR * K) {
        int64_t rows = M - i0 < MR ? M - i0 : MR;
        const float *from = a + i0 * a_row;
        if (rows < MR) memset(out, 0, (size_t)(MR * K) * sizeof(float));
        if (a_row == 1 && rows == MR) {
            for (int64_t k = 0; k < K; k++) memcpy(out + k * MR, from + k * a_col, MR * sizeof(float));
        } else if (a_col == 1) {
            if (rows == MR) transpose(from, a_row, MR, K, out, MR);
            else transpose(from, a_row, rows, K, out, MR);
        } else {
            for (int64_t k = 0; k < K; k++)
                for (int64_t i = 0; i < rows; i++) out[k * MR + i] = from[i * a_row + k * a_col];
        }
    }
}

/// One panel of NR columns: out[k][NR], zero-filled.
static void pack_b_panel(const float *b, int64_t b_row, int64_t b_col, int64_t K, int64_t columns, float *out) {
    if (columns < NR) memset(out, 0, (size_t)(NR * K) * sizeof(float));
    if (b_col == 1 && columns == NR) {
        for (int64_t k = 0; k < K; k++) memcpy(out + k * NR, b + k * b_row, NR * sizeof(float));
    } else if (b_col == 1) {
        for (int64_t k = 0; k < K; k++) memcpy(out + k * NR, b + k * b_row, (size_t)columns * sizeof(float));
    } else if (b_row == 1) {
        transpose(b, b_col, columns, K, out, NR);
    } else {
        for (int64_t k = 0; k < K; k++)
            for (int64_t j = 0; j < columns; j++) out[k * NR + j] = b[k * b_row + j * b_col];
    }
}

INLINE int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/// Tiles that `m` rows are cut into. For the sake of work for every thread rows are cut finer first, since every tile of columns
/// packs its rows of A anew, and columns only where that is not enough.
INLINE int64_t tiles_of_rows(int64_t m, int64_t most, int64_t least) {
    int64_t tiles = (m + most - 1) / most, finest = (m + least - 1) / least;
    if (tiles >= LEAST_ITEMS) return tiles;
    return finest < LEAST_ITEMS ? finest : LEAST_ITEMS;
}

/// How C is cut into items of work: tiles of whole register blocks, by its shape alone.
typedef struct { int64_t panels, tile_rows, tile_panels, row_tiles, column_tiles; } tile_grid;
/// What a tile covers of C.
typedef struct { int64_t row, rows, panel, panel_end, column, column_end; } tile_part;

INLINE int64_t panels_of(const ck_product *p) { return (p->n + NR - 1) / NR; }

/// Tiles of at most `most_rows` and `most_columns`, in blocks of `block_rows`.
static tile_grid grid_of(const ck_product *p, int64_t block_rows, int64_t most_rows, int64_t most_columns) {
    tile_grid g = {.panels = panels_of(p), .row_tiles = tiles_of_rows(p->m, most_rows, 2 * block_rows)};
    g.tile_rows = round_up((p->m + g.row_tiles - 1) / g.row_tiles, block_rows);
    g.row_tiles = (p->m + g.tile_rows - 1) / g.tile_rows;
    int64_t wide = most_columns / NR;
    g.column_tiles = (g.panels + wide - 1) / wide;
    while (g.row_tiles * g.column_tiles < ENOUGH_ITEMS && (g.panels + g.column_tiles - 1) / g.column_tiles > 2) g.column_tiles++;
    g.tile_panels = (g.panels + g.column_tiles - 1) / g.column_tiles;
    g.column_tiles = (g.panels + g.tile_panels - 1) / g.tile_panels;
    return g;
}
INLINE int64_t tile_count(tile_grid g) { return g.row_tiles * g.column_tiles; }

INLINE tile_part tile_at(const ck_product *p, tile_grid g, int64_t index) {
    tile_part t = {.row = index / g.column_tiles * g.tile_rows, .panel = index % g.column_tiles * g.tile_panels};
    t.rows = p->m - t.row < g.tile_rows ? p->m - t.row : g.tile_rows;
    t.panel_end = t.panel + g.tile_panels < g.panels ? t.panel + g.tile_panels : g.panels;
    t.column = t.panel * NR;
    t.column_end = t.panel_end * NR < p->n ? t.panel_end * NR : p->n;
    return t;
}

typedef struct {
    const ck_product *p;
    ck_context *context;
    float *packed;               // blocks of KC over k, each [panels][kc][NR]
    int64_t k0, kn;              // the part of k that is packed now
    tile_grid grid;
} product_job;

enum { PANELS_PER_ITEM = 4 };

static void product_pack_item(void *raw, int64_t index, int worker) {
    (void)worker;
    product_job *j = raw;
    const ck_product *p = j->p;
    int64_t panels = j->grid.panels, groups = (panels + PANELS_PER_ITEM - 1) / PANELS_PER_ITEM;
    int64_t block = index / groups, first = index % groups * PANELS_PER_ITEM;
    int64_t k = block * KC, kn = j->kn - k < KC ? j->kn - k : KC;
    float *out = j->packed + k * panels * NR;
    for (int64_t panel = first; panel < panels && panel < first + PANELS_PER_ITEM; panel++) {
        int64_t column = panel * NR, columns = p->n - column < NR ? p->n - column : NR;
        pack_b_panel((const float *)p->b.at + (j->k0 + k) * p->b_row + column * p->b_col, p->b_row, p->b_col, kn, columns,
                     out + panel * kn * NR);
        if (p->format == CK_BF16) round_to_bf16(out + panel * kn * NR, kn * NR);
    }
}

/// Bias and activation of a tile of C, or the activation's backward. The tile is still in the second-level cache, so they cost no
/// memory traffic of their own.
static void finish_tile(const ck_product *p, int64_t row0, int64_t rows, int64_t column, int64_t end) {
    if (!p->bias && !p->activated && !p->u_to_h) return;
    for (int64_t i = row0; i < row0 + rows; i++) {
        float *c = (float *)p->c.at + i * p->c_row;
        if (p->bias)
            for (int64_t n = column; n < end; n += W)
                store_some(c + n, load_some(c + n, end - n) + load_some(p->bias + n, end - n), end - n);
        if (p->activated) activate_row(p->activation, c + column, (float *)p->activated + i * p->c_row + column, end - column);
        if (p->u_to_h) activation_backward_row(p->activation, (float *)p->u_to_h + i * p->c_row + column, c + column, end - column);
    }
}

static void product_tile_item(void *raw, int64_t index, int worker) {
    product_job *j = raw;
    const ck_product *p = j->p;
    tile_part t = tile_at(p, j->grid, index);
    float *a = ck_worker_scratch(j->context, worker, (size_t)(round_up(j->grid.tile_rows, MR) * KC) * sizeof(float));
    for (int64_t k = 0; k < j->kn; k += KC) {
        int64_t kn = j->kn - k < KC ? j->kn - k : KC;
        bool accumulate = p->accumulate || j->k0 + k > 0;
        pack_a((const float *)p->a.at + t.row * p->a_row + (j->k0 + k) * p->a_col, p->a_row, p->a_col, t.rows, kn, a);
        if (p->format == CK_BF16) round_to_bf16(a, round_up(t.rows, MR) * kn);
        const float *block = j->packed + k * j->grid.panels * NR;
        for (int64_t panel = t.panel; panel < t.panel_end; panel++) {
            int64_t column = panel * NR, columns = p->n - column < NR ? p->n - column : NR;
            for (int64_t i = 0; i < t.rows; i += MR)
                register_kernel(kn, a + i * kn, block + panel * kn * NR, (float *)p->c.at + (t.row + i) * p->c_row + column, p->c_row,
                                t.rows - i < MR ? t.rows - i : MR, columns, accumulate);
        }
    }
    if (j->k0 + j->kn == p->k) finish_tile(p, t.row, t.rows, t.column, t.column_end);
}

static void multiply(ck_context *context, const ck_product *p) {
    if (p->m <= 0 || p->n <= 0) return;
    product_job j = {.p = p, .context = context, .grid = grid_of(p, MR, TILE_UNITS * MR, TILE_COLUMNS)};
    int64_t deepest = p->k < K_SHARED ? p->k : K_SHARED;
    j.packed = ck_shared_scratch(context, (size_t)(deepest * j.grid.panels * NR) * sizeof(float));
    if (p->k <= 0 && !p->accumulate)  // an empty sum
        for (int64_t i = 0; i < p->m; i++) memset((float *)p->c.at + i * p->c_row, 0, (size_t)p->n * sizeof(float));
    do {
        j.kn = p->k - j.k0 < K_SHARED ? p->k - j.k0 : K_SHARED;
        int64_t groups = (j.grid.panels + PANELS_PER_ITEM - 1) / PANELS_PER_ITEM;
        ck_parallel(context, groups * ((j.kn + KC - 1) / KC), product_pack_item, &j);
        ck_parallel(context, tile_count(j.grid), product_tile_item, &j);
        j.k0 += j.kn;
    } while (j.k0 < p->k);
}

/// Floats of scratch that `multiply_local` needs.
INLINE int64_t local_scratch(int64_t M, int64_t N, int64_t K) { return (round_up(M, MR) + round_up(N, NR)) * K + 64; }

/// c[i][j] = Σ_k a[i·a_row + k·a_col]·b[k·NR + j] for `rows` rows of A as they lie in memory, and `columns` of `vectors` vectors.
INLINE void plain_block(int rows, int vectors, int64_t K, const float *a, int64_t a_row, int64_t a_col, const float *restrict b,
                        float *restrict c, int64_t c_row, int64_t columns) {
    vf acc[MR][2];
    const float *from[(MR + 2) / 3];  // every third row: an address is one of these and one or two times a_row
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) acc[i][0] = acc[i][1] = (vf){0};
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) from[i / 3] = a + i * a_row;
    for (int64_t k = 0; k < K; k++) {
        vf b0 = *(const vf *)(b + k * NR), b1 = vectors > 1 ? *(const vf *)(b + k * NR + W) : b0;
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            vf x = splat(from[i / 3][i % 3 * a_row]);
            acc[i][0] += x * b0;
            if (vectors > 1) acc[i][1] += x * b1;
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i += 3) from[i / 3] += a_col;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        float *row = c + i * c_row;
        if (vectors > 1) store(row, acc[i][0]);
        else store_some(row, acc[i][0], columns);
        if (vectors > 1) store_some(row + W, acc[i][1], columns - W);
    }
}

/// The same for any number of rows, in blocks of MR and then of as many as there is code for: no row is read or summed that is none.
static void plain_rows(int64_t rows, int64_t K, const float *a, int64_t a_row, int64_t a_col, const float *b, float *c, int64_t c_row,
                       int64_t columns) {
    int64_t i = 0;
#define BLOCKS(n) \
    for (; i + n <= rows; i += n) \
        if (columns > W) plain_block(n, 2, K, a + i * a_row, a_row, a_col, b, c + i * c_row, c_row, columns); \
        else plain_block(n, 1, K, a + i * a_row, a_row, a_col, b, c + i * c_row, c_row, columns);
    BLOCKS(MR)
#if CK_MR > 8
    BLOCKS(8)
#endif
#if CK_MR > 4
    BLOCKS(4)
#endif
    BLOCKS(2)
    BLOCKS(1)
#undef BLOCKS
}

/// A product by one thread, for the small matrices of attention; sums over the whole of k at once. A is read where it lies: each of its
/// elements is used for a few columns only, and packing would cost more than it saves.
static void multiply_local(ck_format format, int64_t M, int64_t N, int64_t K, const float *a, int64_t a_row, int64_t a_col,
                           const float *b, int64_t b_row, int64_t b_col, float *c, int64_t c_row, float *scratch) {
    float *packed_b = scratch, *rounded_a = scratch + round_up(round_up(N, NR) * K, 16);
    for (int64_t j = 0; j < N; j += NR)
        pack_b_panel(b + j * b_col, b_row, b_col, K, N - j < NR ? N - j : NR, packed_b + j * K);
    if (format == CK_BF16) {
        pack_a(a, a_row, a_col, M, K, rounded_a);
        round_to_bf16(rounded_a, round_up(M, MR) * K);
        round_to_bf16(packed_b, round_up(N, NR) * K);
    }
    for (int64_t j = 0; j < N; j += NR) {
        int64_t columns = N - j < NR ? N - j : NR;
        if (format == CK_BF16)
            for (int64_t i = 0; i < M; i += MR)
                plain_rows(M - i < MR ? M - i : MR, K, rounded_a + i * K, 1, MR, packed_b + j * K, c + i * c_row + j, c_row, columns);
        else plain_rows(M, K, a, a_row, a_col, packed_b + j * K, c + j, c_row, columns);
    }
}

// ---------------------------------------------------------------------------------------------- bias gradient

enum { SUM_ROWS = 256 };

typedef struct { int64_t rows, columns, row; ck_elements x; float *partial; } column_sum_job;

INLINE void sum_rows(const column_sum_job *j, int64_t first, int64_t end, float *out, bool half) {
    ck_elements x = {j->x.at, half};
    memset(out, 0, (size_t)j->columns * sizeof(float));
    for (int64_t i = first; i < end; i++)
        for (int64_t n = 0; n < j->columns; n += W) {
            int64_t left = j->columns - n;
            store_some(out + n, load_some(out + n, left) + load_elements(x, i * j->row + n, left), left);
        }
}

static void column_sum_item(void *raw, int64_t index, int worker) {
    (void)worker;
    column_sum_job *j = raw;
    int64_t first = index * SUM_ROWS, end = first + SUM_ROWS < j->rows ? first + SUM_ROWS : j->rows;
    WITH_HALF(j->x, sum_rows(j, first, end, j->partial + index * j->columns, half));
}

static void add_column_sums(ck_context *context, int64_t rows, int64_t columns, ck_elements x, int64_t row, float *out) {
    int64_t chunks = (rows + SUM_ROWS - 1) / SUM_ROWS;
    column_sum_job j = {rows, columns, row, x, ck_shared_scratch(context, (size_t)(chunks * columns + 1) * sizeof(float))};
    ck_parallel(context, chunks, column_sum_item, &j);
    for (int64_t c = 0; c < chunks; c++)
        for (int64_t n = 0; n < columns; n++) out[n] += j.partial[c * columns + n];
}
