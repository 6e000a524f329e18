// Vectors of CK_WIDTH floats in the compiler's portable vector types; included once per instruction set.
// Inputs of any length: the last partial vector goes through `load_some` and `store_some`, never past the end.
#include "context.h"
#include <math.h>
#include <string.h>

#define W CK_WIDTH
typedef float vf __attribute__((vector_size(4 * W)));
typedef int32_t vi __attribute__((vector_size(4 * W)));
typedef uint32_t vu __attribute__((vector_size(4 * W)));
typedef float vf_unaligned __attribute__((vector_size(4 * W), aligned(4)));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) { return *(const vf_unaligned *)p; }
INLINE void store(float *p, vf x) { *(vf_unaligned *)p = x; }
INLINE vf splat(float x) { return x - (vf){0}; }
#if CK_MASKS == 512
INLINE __mmask16 mask_below(int64_t n) { return (__mmask16)((1u << n) - 1); }
INLINE vf load_some(const float *p, int64_t n) { return n >= W ? load(p) : (vf)_mm512_maskz_loadu_ps(mask_below(n), p); }
INLINE void store_some(float *p, vf x, int64_t n) {
    if (n >= W) store(p, x);
    else _mm512_mask_storeu_ps(p, mask_below(n), (__m512)x);
}
#elif CK_MASKS == 256
INLINE __m256i mask_below(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf load_some(const float *p, int64_t n) { return n >= W ? load(p) : (vf)_mm256_maskload_ps(p, mask_below(n)); }
INLINE void store_some(float *p, vf x, int64_t n) {
    if (n >= W) store(p, x);
    else _mm256_maskstore_ps(p, mask_below(n), (__m256)x);
}
#else
INLINE vf load_some(const float *p, int64_t n) {
    if (n >= W) return load(p);
    float lanes[W] __attribute__((aligned(4 * W))) = {0};
    for (int64_t i = 0; i < n; i++) lanes[i] = p[i];
    return *(vf *)lanes;
}
INLINE void store_some(float *p, vf x, int64_t n) {
    if (n >= W) { store(p, x); return; }
    float lanes[W] __attribute__((aligned(4 * W)));
    *(vf *)lanes = x;
    for (int64_t i = 0; i < n; i++) p[i] = lanes[i];
}
#endif
INLINE vf select_f(vi mask, vf yes, vf no) { return (vf)(((vi)yes & mask) | ((vi)no & ~mask)); }
/// The second argument where either is a NaN.
#if CK_MASKS == 512
INLINE vf max_f(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf min_f(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
#else
INLINE vf max_f(vf a, vf b) { return select_f(a > b, a, b); }
INLINE vf min_f(vf a, vf b) { return select_f(a < b, a, b); }
#endif
INLINE vf abs_f(vf a) { return (vf)((vi)a & 0x7fffffff); }
/// Lanes below n.
INLINE vi first_lanes(int64_t n) {
    vi lane;
    for (int i = 0; i < W; i++) lane[i] = i;
    return lane < ((vi){0} + (int32_t)(n < W ? n : W));
}
#if CK_MASKS == 512
INLINE float sum_lanes(vf x) { return _mm512_reduce_add_ps((__m512)x); }
INLINE float max_lanes(vf x) { return _mm512_reduce_max_ps((__m512)x); }
#else
INLINE float sum_lanes(vf x) {
    float lanes[W] __attribute__((aligned(4 * W)));
    *(vf *)lanes = x;
    for (int half = W / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
}
INLINE float max_lanes(vf x) {
    float lanes[W] __attribute__((aligned(4 * W)));
    *(vf *)lanes = x;
    float m = lanes[0];
    for (int i = 1; i < W; i++) m = lanes[i] > m ? lanes[i] : m;
    return m;
}
#endif

/// The bits of x rounded to bfloat16, nearest even, in the upper half of each lane; a NaN stays one.
INLINE vu bf16_bits(vf x) {
    vu bits = (vu)x, rounded = bits + 0x7fff + (bits >> 16 & 1);
    vi is_number = x == x;
    return ((rounded & (vu)is_number) | ((bits | 0x400000) & ~(vu)is_number)) & 0xffff0000u;
}
/// The scalar twin.
INLINE uint32_t bf16_bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (x == x ? bits + 0x7fff + (bits >> 16 & 1) : bits | 0x400000) & 0xffff0000u;
}

typedef uint16_t vh __attribute__((vector_size(2 * W)));
/// As `load_some` and `store_some`, of bfloat16. Where the processor rounds, denormal numbers become zero.
INLINE vf load_half(const uint16_t *p, int64_t n) {
#if CK_MASKS == 512
    __m256i x = n >= W ? _mm256_loadu_si256((const __m256i *)p) : _mm256_maskz_loadu_epi16(mask_below(n), p);
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16);
#else
    vh x = {0};
    if (n >= W) memcpy(&x, p, sizeof x);
    else for (int64_t i = 0; i < n; i++) x[i] = p[i];
    return (vf)(__builtin_convertvector(x, vu) << 16);
#endif
}
INLINE void store_half(uint16_t *p, vf y, int64_t n) {
#if CK_MASKS == 512
#if CK_UNITS != CK_UNITS_NONE
    __m256i x = (__m256i)_mm512_cvtneps_pbh((__m512)y);
#else
    __m256i x = _mm512_cvtepi32_epi16((__m512i)(bf16_bits(y) >> 16));
#endif
    if (n >= W) _mm256_storeu_si256((__m256i *)p, x);
    else _mm256_mask_storeu_epi16(p, mask_below(n), x);
#else
    vh x = __builtin_convertvector(bf16_bits(y) >> 16, vh);
    if (n >= W) memcpy(p, &x, sizeof x);
    else for (int64_t i = 0; i < n; i++) p[i] = x[i];
#endif
}

/// The elements from the n-th on.
INLINE ck_elements after(ck_elements e, int64_t n) { return (ck_elements){(char *)e.at + n * (e.half ? 2 : 4), e.half}; }
/// The i-th vector element on, of which `n` are left.
INLINE vf load_elements(ck_elements e, int64_t i, int64_t n) {
    return e.half ? load_half((const uint16_t *)e.at + i, n) : load_some((const float *)e.at + i, n);
}
INLINE void store_elements(ck_elements e, int64_t i, vf x, int64_t n) {
    if (e.half) store_half((uint16_t *)e.at + i, x, n);
    else store_some((float *)e.at + i, x, n);
}
INLINE float element(ck_elements e, int64_t i) {
    if (!e.half) return ((const float *)e.at)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)e.at)[i] << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
/// Calls an inline function with `half` a constant, so that its loops have no branch on it.
#define WITH_HALF(e, call) do { if ((e).half) { const bool half = true; call; } else { const bool half = false; call; } } while (0)

/// eˣ, relative error below 2e-7 for −87 ≤ x ≤ 88; clamped outside, a NaN stays one. Cephes' polynomial.
INLINE vf exp_f(vf x) {
    x = min_f(splat(88.3f), max_f(splat(-87.3f), x));  // in this order both comparisons let a NaN through
    const vf magic = splat(12582912.f);
    vf n = (x * 1.44269504f + magic) - magic;
    vf r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.f;
    vi exponent = __builtin_convertvector(n, vi);
    return (vf)((vi)p + (exponent << 23));
}
