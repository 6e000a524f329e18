// Matrix products of bfloat16 with sums in float32, by the processor's units for them.
//
// A and B come as float32, are rounded to nearest even while they are packed, and multiply as pairs along k: A as rows of
// pairs or panels (see `a_layout`), B as panels of NR columns, [pair of k][NR]. Grid, order of sums and independence of threads
// and neighbours are as in product.body.h.
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
    // Pairs of rows that are asked for before they are packed.
    H_AHEAD = 6,
};

#if CK_UNITS == CK_UNITS_TILES
#define UNITS_BEGIN() tile_configure()
#define UNITS_END() tile_release()
#else
#define UNITS_BEGIN() ((void)0)
#define UNITS_END() ((void)0)
#endif

/// Pairs along k for a depth of K, and the distance between packed rows of A.
INLINE int64_t pairs_of(int64_t K) { return round_up(K, H_STEP) / 2; }
INLINE int64_t a_stride(int64_t K) { return pairs_of(K) + H_PAD; }

/// out[i] = (low[i], high[i]) rounded.
INLINE vu pair_up(vf low, vf high) {
#ifdef CK_EMULATED
    return bf16_bits(low) >> 16 | bf16_bits(high);
#else
    __m512i between = _mm512_setr_epi32(0x00100000, 0x00110001, 0x00120002, 0x00130003, 0x00140004, 0x00150005, 0x00160006,
                                        0x00170007, 0x00180008, 0x00190009, 0x001a000a, 0x001b000b, 0x001c000c, 0x001d000d,
                                        0x001e000e, 0x001f000f);
    return (vu)_mm512_permutexvar_epi16(between, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
#endif
}

/// Pairs of neighbours: out[i] = (first[2i], first[2i + 1]) for the first half of the lanes, then those of `second`.
INLINE vu pair_within(vf first, vf second) {
#ifdef CK_EMULATED
    vf even, odd;
    for (int l = 0; l < W / 2; l++) {
        even[l] = first[2 * l]; odd[l] = first[2 * l + 1];
        even[W / 2 + l] = second[2 * l]; odd[W / 2 + l] = second[2 * l + 1];
    }
    return pair_up(even, odd);
#else
    return (vu)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
#endif
}

INLINE vu load_pairs(const uint32_t *p) { return (vu)load((const float *)p); }
INLINE void store_pairs(uint32_t *p, vu x) { store((float *)p, (vf)x); }
/// Pairs of neighbours from the next `count` elements, at most 2·W; an odd last one is paired with zero, as is what lies beyond.
INLINE vu load_neighbours(const float *from, int64_t count) {
    if (count >= 2 * W) return pair_within(load(from), load(from + W));
    return pair_within(load_some(from, count), count > W ? load_some(from + W, count - W) : (vf){0});
}

/// out[c] = the pair (from[c], from[c + next]); `next` 0 makes the second one zero.
INLINE void pair_rows(const float *from, int64_t next, int64_t columns, uint32_t *out) {
    for (int64_t c = 0; c < columns; c += W) {
        vf high = next ? load_some(from + next + c, columns - c) : (vf){0};
        store_some((float *)(out + c), (vf)pair_up(load_some(from + c, columns - c), high), columns - c);
    }
}

static void pair_neighbours(const float *from, int64_t count, uint32_t *out) {
    for (int64_t i = 0; i < count; i += 2 * W)
        store_some((float *)(out + i / 2), (vf)load_neighbours(from + i, count - i), (count - i + 1) / 2);
}

#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
/// x[c][r] and x[r][c] change places.
INLINE void transpose_pairs(vu x[16]) {
    vu y[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 2) {
        y[i] = MIX(x[i], x[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        y[i + 1] = MIX(x[i], x[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 4)
#pragma clang loop unroll(full)
        for (int h = 0; h < 2; h++) {
            x[i + 2 * h] = MIX(y[i + h], y[i + h + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            x[i + 2 * h + 1] = MIX(y[i + h], y[i + h + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
    // Now x[4q + c] holds, in each quarter of lanes s, rows 4q … 4q+3 of column 4s + c.
#pragma clang loop unroll(full)
    for (int c = 0; c < 4; c++)
#pragma clang loop unroll(full)
        for (int q = 0; q < 2; q++) {
            y[8 * q + c] = MIX(x[8 * q + c], x[8 * q + 4 + c], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
            y[8 * q + 4 + c] = MIX(x[8 * q + c], x[8 * q + 4 + c], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        }
#pragma clang loop unroll(full)
    for (int c = 0; c < 8; c++) {
        x[c] = MIX(y[c], y[8 + c], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        x[8 + c] = MIX(y[c], y[8 + c], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
}

/// out[pair][row] for `rows` ≤ 16 rows, contiguous along k; 16 lanes of each of the `pairs` rows of `out` are written.
static void pack_across(const float *from, int64_t row, int64_t rows, int64_t K, int64_t pairs, uint32_t *out, int64_t out_row) {
    for (int64_t p = 0; p < pairs; p += W) {
        vu x[16];
        int64_t left = K - 2 * p, n = pairs - p < 16 ? pairs - p : 16;
        if (rows == 16 && left >= 2 * W) {
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) x[i] = pair_within(load(from + i * row + 2 * p), load(from + i * row + 2 * p + W));
        } else {
            for (int i = 0; i < 16; i++)
                x[i] = i < rows && left > 0 ? load_neighbours(from + i * row + 2 * p, left) : (vu){0};
        }
        transpose_pairs(x);
        if (n == 16) {
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) store_pairs(out + (p + i) * out_row, x[i]);
        } else {
            for (int64_t i = 0; i < n; i++) store_pairs(out + (p + i) * out_row, x[i]);
        }
    }
}

/// How a part of A is packed. Elements of a row of A that lie side by side stay in rows, `stride` apart. Otherwise units that
/// take A's pairs one by one get panels, [pair][H_ROWS]; tiles need rows all the same.
typedef struct { int64_t row_step, pair_step, block; } a_layout;
INLINE a_layout layout_of(int64_t a_col, int64_t K) {
#if CK_UNITS == CK_UNITS_DOT
    if (a_col != 1) return (a_layout){1, H_ROWS, H_ROWS * pairs_of(K)};
#else
    (void)a_col;
#endif
    return (a_layout){a_stride(K), 1, H_ROWS * a_stride(K)};
}
/// Elements that packed rows of A take.
INLINE int64_t packed_a_size(int64_t rows, int64_t K) { return round_up(rows, H_ROWS) * a_stride(K); }

/// `rows` rounded up to H_ROWS, zero beyond rows and K.
static void pack_a_pairs(const float *a, int64_t a_row, int64_t a_col, int64_t rows, int64_t K, uint32_t *out) {
    int64_t pairs = (K + 1) / 2, padded = pairs_of(K);
    a_layout layout = layout_of(a_col, K);
    if (a_col == 1) {
        for (int64_t i = 0; i < round_up(rows, H_ROWS); i++) {
            uint32_t *to = out + i * layout.row_step;
            int64_t filled = i < rows ? pairs : 0;
            if (filled) pair_neighbours(a + i * a_row, K, to);
            memset(to + filled, 0, (size_t)(padded - filled) * sizeof *to);
        }
        return;
    }
#if CK_UNITS == CK_UNITS_DOT
    for (int64_t p = 0; p < pairs; p++) {
        const float *low = a + 2 * p * a_col, *high = 2 * p + 1 < K ? low + a_col : NULL;
        if (p + H_AHEAD < pairs)  // rows lie on pages of their own, which the processor does not look ahead into
            for (int64_t i = 0; i < rows; i += 64 / sizeof(float)) {
                __builtin_prefetch(low + 2 * H_AHEAD * a_col + i * a_row);
                __builtin_prefetch(low + (2 * H_AHEAD + 1) * a_col + i * a_row);
            }
        for (int64_t i = 0; i < rows; i += H_ROWS) {
            uint32_t *to = out + i / H_ROWS * layout.block + p * H_ROWS;
            int64_t n = rows - i < H_ROWS ? rows - i : H_ROWS;
            vf x, y = {0};
            if (a_row == 1) {
                x = load_some(low + i, n);
                if (high) y = load_some(high + i, n);
            } else {
                x = (vf){0};
                for (int64_t r = 0; r < n; r++) {
                    x[r] = low[(i + r) * a_row];
                    if (high) y[r] = high[(i + r) * a_row];
                }
            }
            store_some((float *)to, (vf)pair_up(x, y), H_ROWS);
        }
    }
#else
    if (a_row == 1) {
        for (int64_t i = 0; i < round_up(rows, H_ROWS); i += 16) {
            int64_t n = rows - i < 16 ? rows - i : 16;
            for (int64_t p = 0; p < padded; p += 16) {
                vu x[16];
                for (int64_t r = 0; r < 16; r++) {
                    const float *low = a + i + 2 * (p + r) * a_col;
                    int64_t left = K - 2 * (p + r);
                    x[r] = n > 0 && left > 0 ? pair_up(load_some(low, n), left > 1 ? load_some(low + a_col, n) : (vf){0}) : (vu){0};
                }
                transpose_pairs(x);
                for (int64_t r = 0; r < 16; r++) store_pairs(out + (i + r) * layout.row_step + p, x[r]);
            }
        }
        return;
    }
    for (int64_t i = 0; i < round_up(rows, H_ROWS); i++)
        for (int64_t p = 0; p < padded; p++) {
            const float *from = a + i * a_row + 2 * p * a_col;
            float low = i < rows && 2 * p < K ? from[0] : 0, high = i < rows && 2 * p + 1 < K ? from[a_col] : 0;
            out[i * layout.row_step + p] = bf16_bits_of(low) >> 16 | bf16_bits_of(high);
        }
#endif
}

/// `count` panels of NR columns, out[panel][k/2][NR], zero beyond columns and K; `columns` counts those of all panels.
static void pack_b_pairs(const float *b, int64_t b_row, int64_t b_col, int64_t K, int64_t columns, uint32_t *out) {
    int64_t pairs = (K + 1) / 2, padded = pairs_of(K), panel = padded * NR;
    if (b_row == 1) {
        for (int64_t j = 0; j < columns; j += NR)
            for (int64_t h = 0; h < NR; h += 16) {
                int64_t left = columns - j - h;
                pack_across(b + (j + h) * b_col, b_col, left < 0 ? 0 : left < 16 ? left : 16, K, padded, out + j / NR * panel + h, NR);
            }
        return;
    }
    for (int64_t p = 0; p < padded; p++) {
        const float *low = b + 2 * p * b_row;
        int64_t left = K - 2 * p;
        for (int64_t j = 0; j < columns; j += NR) {
            uint32_t *to = out + j / NR * panel + p * NR;
            int64_t n = columns - j < NR ? columns - j : NR;
            if (b_col == 1 && n == NR && left > 1) {
                store_pairs(to, pair_up(load(low + j), load(low + b_row + j)));
                store_pairs(to + W, pair_up(load(low + j + W), load(low + b_row + j + W)));
                continue;
            }
            if (n < NR || p >= pairs) memset(to, 0, NR * sizeof *to);
            if (p >= pairs) continue;
            if (b_col == 1) pair_rows(low + j, left > 1 ? b_row : 0, n, to);
            else
                for (int64_t i = 0; i < n; i++) {
                    const float *from = low + (j + i) * b_col;
                    to[i] = bf16_bits_of(from[0]) >> 16 | bf16_bits_of(left > 1 ? from[b_row] : 0);
                }
        }
    }
}

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
/// c (+)= Σ over pairs of a[i][pair]·b[pair][j], for a whole block of 32 × 32 in four tiles; those that hold none of the
/// `rows` and `columns` that count are left out.
static void whole_block(int64_t pairs, const uint32_t *a, a_layout layout, const uint32_t *b, float *c, int64_t c_row,
                        int64_t rows, int64_t columns, bool accumulate) {
    bool low = rows > 16, right = columns > 16;
    int64_t stride = layout.row_step, c_bytes = c_row * 4, a_bytes = stride * 4;
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
    uint32_t *packed;            // blocks of H_KC over k, each [panels][pairs][NR]
    uint32_t *packed_a;          // likewise, when rows of A lie across memory: packed once, in long strides, for all columns
    int64_t k0, kn, panels, tile_rows, tile_panels, row_tiles, column_tiles;
} pair_job;

/// Where rows from `row` of the block of k that begins at `k` are in `packed_a`.
INLINE uint32_t *shared_a(const pair_job *j, int64_t k, int64_t kn, int64_t row) {
    int64_t column = j->p->a_col, units = round_up(j->p->m, H_ROWS) / H_ROWS;
    return j->packed_a + k / H_KC * units * layout_of(column, H_KC).block + row / H_ROWS * layout_of(column, kn).block;
}

enum { A_ROWS_PER_ITEM = 8 * H_ROWS };
INLINE int64_t b_groups(const pair_job *j) { return (j->panels + PANELS_PER_ITEM - 1) / PANELS_PER_ITEM; }
INLINE int64_t a_groups(const pair_job *j) { return j->packed_a ? (j->p->m + A_ROWS_PER_ITEM - 1) / A_ROWS_PER_ITEM : 0; }

static void pair_pack_item(void *raw, int64_t index, int worker) {
    (void)worker;
    pair_job *j = raw;
    const ck_product *p = j->p;
    int64_t groups = b_groups(j) + a_groups(j), group = index % groups;
    int64_t k = index / groups * H_KC, kn = j->kn - k < H_KC ? j->kn - k : H_KC;
    if (group >= b_groups(j)) {
        int64_t row = (group - b_groups(j)) * A_ROWS_PER_ITEM, rows = p->m - row < A_ROWS_PER_ITEM ? p->m - row : A_ROWS_PER_ITEM;
        pack_a_pairs(p->a + row * p->a_row + (j->k0 + k) * p->a_col, p->a_row, p->a_col, rows, kn, shared_a(j, k, kn, row));
        return;
    }
    int64_t first = group * PANELS_PER_ITEM, column = first * NR;
    int64_t columns = p->n - column < PANELS_PER_ITEM * NR ? p->n - column : PANELS_PER_ITEM * NR;
    pack_b_pairs(p->b + (j->k0 + k) * p->b_row + column * p->b_col, p->b_row, p->b_col, kn, columns,
                 j->packed + k / 2 * j->panels * NR + first * pairs_of(kn) * NR);
}

static void pair_tile_item(void *raw, int64_t index, int worker) {
    pair_job *j = raw;
    const ck_product *p = j->p;
    int64_t row0 = index / j->column_tiles * j->tile_rows, panel0 = index % j->column_tiles * j->tile_panels;
    int64_t rows = p->m - row0 < j->tile_rows ? p->m - row0 : j->tile_rows;
    int64_t panel_end = panel0 + j->tile_panels < j->panels ? panel0 + j->tile_panels : j->panels;
    uint32_t *own = j->packed_a ? NULL : ck_worker_scratch(j->context, worker, (size_t)packed_a_size(j->tile_rows, H_KC) * sizeof *own);
    UNITS_BEGIN();
    for (int64_t k = 0; k < j->kn; k += H_KC) {
        int64_t kn = j->kn - k < H_KC ? j->kn - k : H_KC, pairs = pairs_of(kn);
        a_layout layout = layout_of(p->a_col, kn);
        bool accumulate = p->accumulate || j->k0 + k > 0;
        const uint32_t *a = own;
        if (own) pack_a_pairs(p->a + row0 * p->a_row + (j->k0 + k) * p->a_col, p->a_row, p->a_col, rows, kn, own);
        else a = shared_a(j, k, kn, row0);
        const uint32_t *from = j->packed + k / 2 * j->panels * NR;
        for (int64_t i = 0; i < rows; i += H_ROWS)
            for (int64_t panel = panel0; panel < panel_end; panel++)
                block(pairs, a + i / H_ROWS * layout.block, layout, from + panel * pairs * NR, p->c + (row0 + i) * p->c_row + panel * NR,
                      p->c_row, rows - i, p->n - panel * NR, accumulate);
    }
    UNITS_END();
    if (j->k0 + j->kn < p->k) return;
    finish_tile(p, row0, rows, panel0 * NR, panel_end * NR < p->n ? panel_end * NR : p->n);
}

static void multiply_bf16(ck_context *context, const ck_product *p) {
    if (p->m <= 0 || p->n <= 0) return;
    pair_job j = {.p = p, .context = context, .panels = (p->n + NR - 1) / NR};
    j.row_tiles = tiles_of_rows(p->m, H_TILE_ROWS, 2 * H_ROWS);
    j.tile_rows = round_up((p->m + j.row_tiles - 1) / j.row_tiles, H_ROWS);
    j.row_tiles = (p->m + j.tile_rows - 1) / j.tile_rows;
    int64_t wide = H_TILE_COLUMNS / NR;
    j.column_tiles = (j.panels + wide - 1) / wide;
    while (j.row_tiles * j.column_tiles < ENOUGH_ITEMS && (j.panels + j.column_tiles - 1) / j.column_tiles > 2) j.column_tiles++;
    j.tile_panels = (j.panels + j.column_tiles - 1) / j.column_tiles;
    j.column_tiles = (j.panels + j.tile_panels - 1) / j.tile_panels;
    int64_t deepest = p->k < H_SHARED ? p->k : H_SHARED, b_size = pairs_of(deepest) * j.panels * NR;
    int64_t a_size = p->a_col == 1 ? 0 : (deepest + H_KC - 1) / H_KC * packed_a_size(p->m, H_KC);
    j.packed = ck_shared_scratch(context, (size_t)(b_size + a_size) * sizeof *j.packed);
    if (a_size > 0) j.packed_a = j.packed + b_size;
    if (p->k <= 0 && !p->accumulate)  // an empty sum
        for (int64_t i = 0; i < p->m; i++) memset(p->c + i * p->c_row, 0, (size_t)p->n * sizeof(float));
    do {
        j.kn = p->k - j.k0 < H_SHARED ? p->k - j.k0 : H_SHARED;
        ck_parallel(context, (b_groups(&j) + a_groups(&j)) * ((j.kn + H_KC - 1) / H_KC), pair_pack_item, &j);
        ck_parallel(context, j.row_tiles * j.column_tiles, pair_tile_item, &j);
        j.k0 += j.kn;
    } while (j.k0 < p->k);
}
