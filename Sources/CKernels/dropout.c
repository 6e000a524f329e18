// The naive twin of the dropout kernels, one element at a time.
#include "CKernels.h"

static uint64_t mix64(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint32_t mix32(uint32_t x) {
    x ^= x >> 16; x *= 0x7feb352du;
    x ^= x >> 15; x *= 0x846ca68bu;
    return x ^ x >> 16;
}

uint64_t ck_dropout_key(uint64_t seed, uint64_t step, uint64_t site) {
    uint64_t x = mix64(seed + 0x9e3779b97f4a7c15u);
    x = mix64(x + (step + 1) * 0x9e3779b97f4a7c15u);
    return mix64(x + (site + 1) * 0x9e3779b97f4a7c15u);
}

uint32_t ck_dropout_bits(uint64_t key, int32_t example, int32_t position, int32_t feature) {
    uint64_t row = mix64(((uint64_t)(uint32_t)example << 32 | (uint32_t)position) * 0x9e3779b97f4a7c15u + key);
    uint32_t x = (uint32_t)feature * 0x9e3779b9u + (uint32_t)row;
    return mix32(mix32(x) + (uint32_t)(row >> 32));
}

uint32_t ck_dropout_threshold(float probability) {
    double t = (double)probability * 4294967296.0 + 0.5;
    return t >= 4294967295.0 ? 4294967295u : (uint32_t)t;
}
