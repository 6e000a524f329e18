// The instructions that multiply bfloat16, or their meaning in plain C when CK_EMULATED is defined, so that the code around
// them is tested on every processor. Included after simd.h, with W = 16.
#ifdef CK_EMULATED
/// A denormal is taken and given as zero, as the units do.
INLINE float flushed(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits & 0x7f800000 ? x : 0.f;
}
INLINE float half_of(uint32_t pair, int odd) {
    uint32_t bits = odd ? pair & 0xffff0000u : pair << 16;
    float x;
    memcpy(&x, &bits, 4);
    return flushed(x);
}
#endif

#if CK_UNITS == CK_UNITS_DOT
/// acc[i] += a.odd·b[i].odd, then += a.even·b[i].even: `VDPBF16PS` with one pair of A for all lanes.
INLINE vf dot_pairs(vf acc, const uint32_t *a, vu b) {
#ifdef CK_EMULATED
    for (int odd = 1; odd >= 0; odd--)
        for (int i = 0; i < W; i++) acc[i] = flushed(fmaf(half_of(*a, odd), half_of(b[i], odd), acc[i]));
    return acc;
#else
    return (vf)_mm512_dpbf16_ps((__m512)acc, (__m512bh)_mm512_set1_epi32((int)*a), (__m512bh)b);
#endif
}
#endif

#if CK_UNITS == CK_UNITS_TILES
#ifdef CK_EMULATED
typedef struct { uint32_t row[16][16]; } tile;
static _Thread_local tile tiles[8];

INLINE void tile_configure(void) {}
INLINE void tile_release(void) {}
INLINE void emulate_load(int t, const void *from, int64_t stride) {
    for (int i = 0; i < 16; i++) memcpy(tiles[t].row[i], (const char *)from + i * stride, 64);
}
INLINE void emulate_store(int t, void *to, int64_t stride) {
    for (int i = 0; i < 16; i++) memcpy((char *)to + i * stride, tiles[t].row[i], 64);
}
/// `TDPBF16PS`: even and odd elements of k are summed apart, then added to C.
static void emulate_multiply(int c, int a, int b) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            float sums[2] = {0, 0}, total;
            for (int k = 0; k < 16; k++)
                for (int odd = 0; odd < 2; odd++)
                    sums[odd] = flushed(fmaf(half_of(tiles[a].row[i][k], odd), half_of(tiles[b].row[k][j], odd), sums[odd]));
            memcpy(&total, &tiles[c].row[i][j], 4);
            total = flushed(flushed(total) + flushed(sums[0] + sums[1]));
            memcpy(&tiles[c].row[i][j], &total, 4);
        }
}
#define TILE_ZERO(t) memset(&tiles[t], 0, sizeof(tile))
#define TILE_LOAD(t, from, stride) emulate_load(t, from, stride)
#define TILE_STORE(t, to, stride) emulate_store(t, to, stride)
#define TILE_MULTIPLY(c, a, b) emulate_multiply(c, a, b)
#else
/// All eight tiles as 16 rows of 64 bytes. A thread sets this up before it uses tiles and gives it back after, so that the
/// kernel of the system need not save them.
INLINE void tile_configure(void) {
    struct { uint8_t palette, start_row, reserved[14]; uint16_t row_bytes[16]; uint8_t rows[16]; } setting;
    memset(&setting, 0, sizeof setting);
    setting.palette = 1;
    for (int t = 0; t < 8; t++) { setting.row_bytes[t] = 64; setting.rows[t] = 16; }
    _tile_loadconfig(&setting);
}
INLINE void tile_release(void) { _tile_release(); }
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, from, stride) _tile_loadd(t, from, (size_t)(stride))
#define TILE_STORE(t, to, stride) _tile_stored(t, to, (size_t)(stride))
#define TILE_MULTIPLY(c, a, b) _tile_dpbf16ps(c, a, b)
#endif
#endif
