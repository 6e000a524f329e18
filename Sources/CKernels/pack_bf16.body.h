// How products of bfloat16 are laid out for the units that multiply them: two elements that are neighbours along k are one 32-bit
// pair. What is float32 in memory is rounded to nearest even, what is bfloat16 there is taken as it is.
#include "bf16_units.h"

enum {
#if CK_UNITS == CK_UNITS_TILES
    H_ROWS = 32, H_TILE_ROWS = 256, H_TILE_COLUMNS = 512, H_STEP = 32,
#else
    H_ROWS = CK_MR, H_TILE_ROWS = 8 * CK_MR, H_TILE_COLUMNS = 768, H_STEP = 2,
#endif
    // Packed rows of A stay in the first-level cache while panels of B stream past; H_SHARED bounds the memory of packed B
    // of products that end as float32.
    H_KC = 512, H_SHARED = 2048,
    // Between packed rows of A, in pairs: apart from powers of two, so that they do not fall on the same lines of the cache.
    H_PAD = 16,
    // Pairs of rows that are asked for before they are packed.
    H_AHEAD = 6,
    // Steps of k, of B's tiles, that are asked for before they are loaded: beside slow tiles they come for nothing.
    H_TILES_AHEAD = 1,
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
INLINE vu load_neighbours(ck_elements e, int64_t count) {
    if (e.half) {
        if (count >= 2 * W) {  // at any two bytes
            vu pairs;
            memcpy(&pairs, e.at, sizeof pairs);
            return pairs;
        }
#ifdef CK_EMULATED
        vu pairs = {0};
        memcpy(&pairs, e.at, (size_t)count * sizeof(uint16_t));
        return pairs;
#else
        return (vu)_mm512_maskz_loadu_epi16((__mmask32)((1u << count) - 1), e.at);
#endif
    }
    if (count >= 2 * W) return pair_within(load_elements(e, 0, W), load_elements(e, W, W));
    return pair_within(load_elements(e, 0, count), count > W ? load_elements(e, W, count - W) : (vf){0});
}
/// out[i] = (low[i], high[i]) for the first `count` lanes; without `is_pair` the second is zero.
INLINE vu pair_of_rows(ck_elements low, ck_elements high, bool is_pair, int64_t count) {
    vf x = load_elements(low, 0, count), y = is_pair ? load_elements(high, 0, count) : (vf){0};
    return low.half ? (vu)x >> 16 | (vu)y : pair_up(x, y);
}
INLINE uint32_t pair_of(ck_elements e, int64_t low, int64_t high, bool is_pair) {
    return bf16_bits_of(element(e, low)) >> 16 | (is_pair ? bf16_bits_of(element(e, high)) : 0);
}

static void pair_neighbours(ck_elements e, int64_t count, uint32_t *out) {
    for (int64_t i = 0; i < count; i += 2 * W)
        store_some((float *)(out + i / 2), (vf)load_neighbours(after(e, i), count - i), (count - i + 1) / 2);
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
INLINE void pack_across(ck_elements e, int64_t row, int64_t rows, int64_t K, int64_t pairs, uint32_t *out, int64_t out_row) {
    for (int64_t p = 0; p < pairs; p += W) {
        vu x[16];
        int64_t left = K - 2 * p, n = pairs - p < 16 ? pairs - p : 16;
        if (rows == 16 && left >= 2 * W) {
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) x[i] = load_neighbours(after(e, i * row + 2 * p), 2 * W);
        } else {
            for (int i = 0; i < 16; i++)
                x[i] = i < rows && left > 0 ? load_neighbours(after(e, i * row + 2 * p), left) : (vu){0};
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

INLINE void pack_a_of(ck_elements a, int64_t a_row, int64_t a_col, int64_t rows, int64_t K, uint32_t *out) {
    int64_t pairs = (K + 1) / 2, padded = pairs_of(K);
    a_layout layout = layout_of(a_col, K);
    if (a_col == 1) {
        for (int64_t i = 0; i < round_up(rows, H_ROWS); i++) {
            uint32_t *to = out + i * layout.row_step;
            int64_t filled = i < rows ? pairs : 0;
            if (filled) pair_neighbours(after(a, i * a_row), K, to);
            memset(to + filled, 0, (size_t)(padded - filled) * sizeof *to);
        }
        return;
    }
#if CK_UNITS == CK_UNITS_DOT
    for (int64_t p = 0; p < pairs; p++) {
        bool is_pair = 2 * p + 1 < K;
        ck_elements low = after(a, 2 * p * a_col), high = after(low, is_pair ? a_col : 0);
        if (p + H_AHEAD < pairs)  // rows lie on pages of their own, which the processor does not look ahead into
            for (int64_t i = 0; i < rows; i += 64 / (a.half ? 2 : 4)) {
                __builtin_prefetch(after(low, 2 * H_AHEAD * a_col + i * a_row).at);
                __builtin_prefetch(after(low, (2 * H_AHEAD + 1) * a_col + i * a_row).at);
            }
        for (int64_t i = 0; i < rows; i += H_ROWS) {
            uint32_t *to = out + i / H_ROWS * layout.block + p * H_ROWS;
            int64_t n = rows - i < H_ROWS ? rows - i : H_ROWS;
            vu x = {0};
            if (a_row == 1) x = pair_of_rows(after(low, i), after(high, i), is_pair, n);
            else
                for (int64_t r = 0; r < n; r++) x[r] = pair_of(low, (i + r) * a_row, (i + r) * a_row + a_col, is_pair);
            store_some((float *)to, (vf)x, H_ROWS);
        }
    }
#else
    if (a_row == 1) {
        for (int64_t p = 0; p < padded; p += 16)
            for (int64_t i = 0; i < round_up(rows, H_ROWS); i += 16) {
                int64_t n = rows - i < 16 ? rows - i : 16;
                vu x[16];
                for (int64_t r = 0; r < 16; r++) {
                    int64_t left = K - 2 * (p + r);
                    ck_elements low = after(a, i + 2 * (p + r) * a_col), high = after(low, a_col);
                    x[r] = n > 0 && left > 0 ? pair_of_rows(low, high, left > 1, n) : (vu){0};
                    if (n > 0 && left > 2 * 16 + 1) {
                        __builtin_prefetch(after(low, 2 * 16 * a_col).at);
                        __builtin_prefetch(after(high, 2 * 16 * a_col).at);
                    }
                }
                transpose_pairs(x);
                for (int64_t r = 0; r < 16; r++) store_pairs(out + (i + r) * layout.row_step + p, x[r]);
            }
        return;
    }
    for (int64_t i = 0; i < round_up(rows, H_ROWS); i++)
        for (int64_t p = 0; p < padded; p++) {
            int64_t low = i * a_row + 2 * p * a_col;
            out[i * layout.row_step + p] = i < rows && p < pairs ? pair_of(a, low, low + a_col, 2 * p + 1 < K) : 0;
        }
#endif
}

/// `rows` rounded up to H_ROWS, zero beyond rows and K.
static void pack_a_pairs(ck_elements a, int64_t a_row, int64_t a_col, int64_t rows, int64_t K, uint32_t *out) {
    WITH_HALF(a, pack_a_of((ck_elements){a.at, half}, a_row, a_col, rows, K, out));
}

INLINE void pack_b_of(ck_elements b, int64_t b_row, int64_t b_col, int64_t K, int64_t columns, uint32_t *out) {
    int64_t pairs = (K + 1) / 2, padded = pairs_of(K), panel = padded * NR;
    if (b_row == 1) {
        for (int64_t j = 0; j < columns; j += NR)
            for (int64_t h = 0; h < NR; h += 16) {
                int64_t left = columns - j - h;
                pack_across(after(b, (j + h) * b_col), b_col, left < 0 ? 0 : left < 16 ? left : 16, K, padded, out + j / NR * panel + h, NR);
            }
        return;
    }
    for (int64_t p = 0; p < padded; p++) {
        bool is_pair = K - 2 * p > 1;
        ck_elements low = after(b, 2 * p * b_row), high = after(low, is_pair ? b_row : 0);
        if (b_col == 1 && p + H_AHEAD < pairs)
            for (int64_t j = 0; j < columns; j += 64 / (b.half ? 2 : 4)) {
                __builtin_prefetch(after(low, 2 * H_AHEAD * b_row + j).at);
                __builtin_prefetch(after(low, (2 * H_AHEAD + 1) * b_row + j).at);
            }
        for (int64_t j = 0; j < columns; j += NR) {
            uint32_t *to = out + j / NR * panel + p * NR;
            int64_t n = columns - j < NR ? columns - j : NR;
            if (n < NR || p >= pairs) memset(to, 0, NR * sizeof *to);
            if (p >= pairs) continue;
            if (b_col == 1)
                for (int64_t c = 0; c < n; c += W)
                    store_some((float *)(to + c), (vf)pair_of_rows(after(low, j + c), after(high, j + c), is_pair, n - c), n - c);
            else
                for (int64_t i = 0; i < n; i++) to[i] = pair_of(low, (j + i) * b_col, (j + i) * b_col + b_row, is_pair);
        }
    }
}

/// `count` panels of NR columns, out[panel][k/2][NR], zero beyond columns and K; `columns` counts those of all panels.
static void pack_b_pairs(ck_elements b, int64_t b_row, int64_t b_col, int64_t K, int64_t columns, uint32_t *out) {
    WITH_HALF(b, pack_b_of((ck_elements){b.at, half}, b_row, b_col, K, columns, out));
}
