#include "CCodecs.h"

#include <string.h>

/// Compiled for AVX2 too and chosen at run time; the loops below are for the compiler to make wide.
#if defined(__x86_64__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

WIDE void cc_join_planes(const uint8_t *const planes[4], uint32_t *restrict words, size_t count, unsigned shift) {
    const uint8_t *const p0 = planes[0], *const p1 = planes[1], *const p2 = planes[2], *const p3 = planes[3];
    for (size_t index = 0; index < count; index++)
        words[index] =
            (p0[index] | (uint32_t)p1[index] << 8 | (uint32_t)p2[index] << 16 | (uint32_t)p3[index] << 24) >> shift;
}

WIDE void cc_split_planes(const uint32_t *restrict words, uint8_t *restrict planes, size_t stride, size_t count) {
    for (unsigned plane = 0; plane < 4; plane++) {
        uint8_t *const output = planes + plane * stride;
        for (size_t index = 0; index < count; index++) output[index] = (uint8_t)(words[index] >> 8 * plane);
    }
}

WIDE void cc_join_floats(
    const uint8_t *const planes[4], void *target, size_t count, unsigned shift, uint32_t offset, unsigned zeros) {
    const uint8_t *const p0 = planes[0], *const p1 = planes[1], *const p2 = planes[2], *const p3 = planes[3];
    uint32_t *restrict output = target;
    for (size_t index = 0; index < count; index++) {
        const uint32_t value =
            (p0[index] | (uint32_t)p1[index] << 8 | (uint32_t)p2[index] << 16 | (uint32_t)p3[index] << 24) >> shift;
        output[index] = (((value >> 1) + offset) << zeros & 0x7fffffff) | value << 31;
    }
}

WIDE void cc_float_words(const void *plain, uint32_t *restrict words, uint8_t *restrict symbols, size_t count) {
    const uint32_t *const input = plain;
    for (size_t index = 0; index < count; index++) words[index] = input[index] << 1 | input[index] >> 31;
    for (size_t index = 0; index < count; index++) symbols[index] = (uint8_t)(words[index] >> 24);
}

void cc_count_buckets(const uint8_t *buckets, size_t count, uint32_t *counts, unsigned bucketCount) {
    size_t index = 0;
    if (bucketCount <= 16) {
        // Eight tables take turns, since adding to one place again and again would wait for itself.
        uint32_t tables[8][16] = {{0}};
        for (; index + 8 <= count; index += 8) {
            uint64_t word;
            memcpy(&word, buckets + index, 8);
            for (unsigned lane = 0; lane < 8; lane++) tables[lane][word >> 8 * lane & 15]++;
        }
        for (unsigned lane = 0; lane < 8; lane++)
            for (unsigned bucket = 0; bucket < bucketCount; bucket++) counts[bucket] += tables[lane][bucket];
    }
    for (; index < count; index++) counts[buckets[index]]++;
}

void cc_count_symbols(const uint8_t *symbols, const uint8_t *buckets, size_t count, uint32_t *counts) {
    if (buckets) {
        for (size_t index = 0; index < count; index++) counts[(unsigned)buckets[index] << 8 | symbols[index]]++;
    } else {
        for (size_t index = 0; index < count; index++) counts[symbols[index]]++;
    }
}

void cc_count_upper(const uint32_t *words, size_t count, size_t step, unsigned shift, uint32_t counts[512]) {
    memset(counts, 0, 512 * sizeof *counts);
    for (size_t index = 0; index < count; index += step) {
        const uint32_t word = words[index] << shift;
        counts[word >> 24]++;
        counts[256 + (word >> 16 & 255)]++;
    }
}

WIDE void cc_delta_buckets(const void *base, uint8_t *restrict result, size_t count, unsigned top, unsigned buckets) {
    const uint32_t *const input = base;
    const int last = (int)buckets - 1;
    for (size_t index = 0; index < count; index++) {
        int bucket = (int)top - (int)(input[index] << 1 >> 24);
        bucket = bucket < 0 ? 0 : bucket;
        result[index] = (uint8_t)(bucket > last ? last : bucket);
    }
}

void cc_gather_buckets(
    const uint32_t *restrict words, uint32_t *restrict cursors, const uint8_t *restrict buckets, uint32_t *restrict target,
    size_t count) {
    for (size_t index = 0; index < count; index++) target[index] = words[cursors[buckets[index]]++];
}

void cc_scatter_buckets(
    const uint32_t *restrict words, uint32_t *restrict cursors, const uint8_t *restrict buckets, uint32_t *restrict target,
    size_t count) {
    for (size_t index = 0; index < count; index++) target[cursors[buckets[index]]++] = words[index];
}

static inline uint32_t ordered(uint32_t bits) { return bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000); }

static inline uint32_t unordered(uint32_t rank) { return rank ^ ((uint32_t)((int32_t)~rank >> 31) | 0x80000000); }

/// What is expected where the base holds `bits`: only numbers far from zero, infinity and NaN are multiplied.
static inline uint32_t expected(uint32_t bits, double factor) {
    float value;
    memcpy(&value, &bits, 4);
    value = (float)((double)value * factor);
    uint32_t product;
    memcpy(&product, &value, 4);
    return (bits << 1 >> 24) - 2 < 252 ? product : bits;
}

WIDE static void apply_same(const uint32_t *restrict base, const uint32_t *restrict words, uint32_t *restrict target, size_t count) {
    for (size_t index = 0; index < count; index++) {
        const uint32_t word = words[index];
        target[index] = unordered(ordered(base[index]) + ((word >> 1) ^ (0 - (word & 1))));
    }
}

WIDE static void apply_scaled(
    const uint32_t *restrict base, const uint32_t *restrict words, double factor, uint32_t *restrict target,
    size_t count) {
    for (size_t index = 0; index < count; index++) {
        const uint32_t word = words[index];
        target[index] = unordered(ordered(expected(base[index], factor)) + ((word >> 1) ^ (0 - (word & 1))));
    }
}

void cc_delta_apply(const void *base, const uint32_t *words, double factor, void *target, size_t count) {
    if (factor == 1) apply_same(base, words, target, count);
    else apply_scaled(base, words, factor, target, count);
}

WIDE void cc_delta_words(
    const void *plain, const void *base, double factor, uint32_t *restrict words, uint8_t *restrict symbols, size_t count) {
    const uint32_t *const fresh = plain, *const old = base;
    if (factor == 1) {
        for (size_t index = 0; index < count; index++) {
            const uint32_t difference = ordered(fresh[index]) - ordered(old[index]);
            words[index] = difference << 1 ^ (0 - (difference >> 31));
        }
    } else {
        for (size_t index = 0; index < count; index++) {
            const uint32_t difference = ordered(fresh[index]) - ordered(expected(old[index], factor));
            words[index] = difference << 1 ^ (0 - (difference >> 31));
        }
    }
    for (size_t index = 0; index < count; index++) {
        const uint32_t word = words[index];
        const unsigned zeros = word ? (unsigned)__builtin_clz(word) : 32;
        const uint32_t next = zeros < 31 ? word << (zeros + 1) >> 30 : 0;
        symbols[index] = (uint8_t)((32 - zeros) * 4 + next);
    }
}
