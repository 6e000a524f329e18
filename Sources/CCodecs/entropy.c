#include "CCodecs.h"

#include <math.h>
#include <string.h>

/// Compiled for AVX2 too and chosen at run time.
#if defined(__x86_64__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

static inline uint32_t word_at(const uint8_t *place) {
    uint16_t word;
    memcpy(&word, place, 2);
    return word;
}

/// The state after a value. The word is read whether it is needed or not, so that nothing branches.
#define ADVANCE(state, slot)                                        \
    do {                                                            \
        state = ((slot) >> 8 & 4095) * (state >> 12) + ((slot) >> 20); \
        const uint32_t renewed = state << 16 | word_at(next);       \
        const bool isShort = state < 65536;                         \
        state = isShort ? renewed : state;                          \
        next += isShort ? 2 : 0;                                    \
    } while (0)

ptrdiff_t cc_rans_decode(
    const uint8_t *words, size_t wordCount, uint32_t states[4], const uint32_t slots[4096], uint8_t *target, size_t count) {
    const uint8_t *next = words, *const end = words + 2 * wordCount;
    uint32_t a = states[0], b = states[1], c = states[2], d = states[3];
    size_t index = 0;
    // Eight values take at most eight words.
    while (index + 8 <= count && end - next >= 16) {
        for (int half = 0; half < 2; half++) {
            const uint32_t s0 = slots[a & 4095], s1 = slots[b & 4095], s2 = slots[c & 4095], s3 = slots[d & 4095];
            const uint32_t four = (s0 & 255) | (s1 & 255) << 8 | (s2 & 255) << 16 | s3 << 24;
            memcpy(target + index + 4 * half, &four, 4);
            ADVANCE(a, s0);
            ADVANCE(b, s1);
            ADVANCE(c, s2);
            ADVANCE(d, s3);
        }
        index += 8;
    }
    uint32_t all[4] = {a, b, c, d};
    for (; index < count; index++) {
        uint32_t state = all[index & 3];
        const uint32_t slot = slots[state & 4095];
        target[index] = (uint8_t)slot;
        state = (slot >> 8 & 4095) * (state >> 12) + (slot >> 20);
        if (state < 65536) {
            if (end - next < 2) return -1;
            state = state << 16 | word_at(next);
            next += 2;
        }
        all[index & 3] = state;
    }
    memcpy(states, all, sizeof all);
    return (next - words) / 2;
}

uint8_t *cc_rans_encode(
    const uint8_t *bytes, size_t count, const cc_rans_symbol symbols[256], uint8_t *first, uint8_t *end, uint32_t states[4]) {
    uint32_t all[4] = {65536, 65536, 65536, 65536};
    size_t index = count;
#define PUT_SHORT(state, value)                                                                          \
    state += symbols[value].start + (uint32_t)((uint64_t)(state)*symbols[value].reciprocal >> 44) * symbols[value].complement
#define PUT(state, value)                                                                        \
    do {                                                                                         \
        const cc_rans_symbol *const symbol = &symbols[value];                                    \
        const uint16_t low = (uint16_t)(state);                                                  \
        memcpy(end - 2, &low, 2);                                                                \
        const bool isLong = (state) >= symbol->limit;                                            \
        end -= isLong ? 2 : 0;                                                                   \
        state = isLong ? (state) >> 16 : (state);                                                \
        state += symbol->start + (uint32_t)((uint64_t)(state)*symbol->reciprocal >> 44) * symbol->complement; \
    } while (0)
    while (index & 3) {
        index--;
        if (end - first < 2 && all[index & 3] >= symbols[bytes[index]].limit) return NULL;
        if (end - first < 2) PUT_SHORT(all[index & 3], bytes[index]);
        else PUT(all[index & 3], bytes[index]);
    }
    uint32_t a = all[0], b = all[1], c = all[2], d = all[3];
    // Four values take at most four words.
    for (; index > 0 && end - first >= 8; index -= 4) {
        PUT(d, bytes[index - 1]);
        PUT(c, bytes[index - 2]);
        PUT(b, bytes[index - 3]);
        PUT(a, bytes[index - 4]);
    }
    all[0] = a, all[1] = b, all[2] = c, all[3] = d;
    // The last ones, where there may be room for no more.
    for (; index > 0; index--) {
        uint32_t *const state = &all[(index - 1) & 3];
        if (end - first >= 2) PUT(*state, bytes[index - 1]);
        else if (*state >= symbols[bytes[index - 1]].limit) return NULL;
        else PUT_SHORT(*state, bytes[index - 1]);
    }
#undef PUT
#undef PUT_SHORT
    memcpy(states, all, sizeof all);
    return end;
}

void cc_histogram(const uint8_t *bytes, size_t count, uint32_t counts[1024]) {
    memset(counts, 0, 1024 * sizeof *counts);
    size_t index = 0;
    // Four tables take turns, since adding to one place again and again would wait for itself.
    for (; index + 8 <= count; index += 8) {
        uint64_t word;
        memcpy(&word, bytes + index, 8);
        for (unsigned lane = 0; lane < 8; lane++) counts[(lane & 3) << 8 | (word >> 8 * lane & 255)]++;
    }
    for (; index < count; index++) counts[bytes[index]]++;
    for (unsigned value = 0; value < 256; value++)
        counts[value] += counts[256 + value] + counts[512 + value] + counts[768 + value];
}

/// c · log2(c): exponent and mantissa apart, the mantissa by the series of the area tangent.
static inline float weighted(uint32_t count) {
    const float value = (float)(count > 0 ? count : 1);
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const bool isUpper = (bits & 0x7fffff) > 0x3504f3;
    const uint32_t one = isUpper ? 0x3f000000 : 0x3f800000;
    const uint32_t reduced = (bits & 0x7fffff) | one;
    float mantissa;
    memcpy(&mantissa, &reduced, 4);
    const float exponent = (float)((int32_t)(bits >> 23) - 127 + (isUpper ? 1 : 0));
    const float s = (mantissa - 1) / (mantissa + 1), square = s * s;
    const float series = s * (2.88539008f + square * (0.961796694f + square * (0.577078016f + square * 0.412198583f)));
    return value * (exponent + series);
}

WIDE double cc_entropy_bits(const uint32_t *counts, size_t count) {
    float sums[8] = {0};
    uint32_t totals[8] = {0};
    size_t index = 0;
    for (; index + 8 <= count; index += 8) {
        for (unsigned lane = 0; lane < 8; lane++) {
            sums[lane] += weighted(counts[index + lane]);
            totals[lane] += counts[index + lane];
        }
    }
    double sum = 0, total = 0;
    for (; index < count; index++) {
        sum += weighted(counts[index]);
        total += counts[index];
    }
    for (unsigned lane = 0; lane < 8; lane++) {
        sum += sums[lane];
        total += totals[lane];
    }
    return total > 0 ? total * log2(total) - sum : 0;
}

static void pack_plain(const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    for (size_t group = 0; group < groups; group++) {
        uint64_t word, packed = 0;
        memcpy(&word, source + 8 * group, 8);
        for (unsigned lane = 0; lane < 8; lane++) packed |= (word >> (8 * lane + 8 - width) & ((1u << width) - 1)) << lane * width;
        memcpy(target + group * width, &packed, 8);
    }
}

static void unpack_plain(const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    const uint64_t mask = (1u << width) - 1;
    for (size_t group = 0; group < groups; group++) {
        uint64_t word, spread = 0;
        memcpy(&word, source + group * width, 8);
        for (unsigned lane = 0; lane < 8; lane++) spread |= (word >> lane * width & mask) << (8 * lane + 8 - width);
        memcpy(target + 8 * group, &spread, 8);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("bmi2"))) static void unpack_deposit(
    const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    const uint64_t places = 0x0101010101010101u * (255u << (8 - width) & 255);
    for (size_t group = 0; group < groups; group++) {
        uint64_t word;
        memcpy(&word, source + group * width, 8);
        const uint64_t spread = _pdep_u64(word, places);
        memcpy(target + 8 * group, &spread, 8);
    }
}

__attribute__((target("bmi2"))) static void pack_extract(
    const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    const uint64_t places = 0x0101010101010101u * (255u << (8 - width) & 255);
    for (size_t group = 0; group < groups; group++) {
        uint64_t word;
        memcpy(&word, source + 8 * group, 8);
        const uint64_t packed = _pext_u64(word, places);
        memcpy(target + group * width, &packed, 8);
    }
}

void cc_pack_bits(const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    (__builtin_cpu_supports("bmi2") ? pack_extract : pack_plain)(source, width, target, groups);
}

void cc_unpack_bits(const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    (__builtin_cpu_supports("bmi2") ? unpack_deposit : unpack_plain)(source, width, target, groups);
}
#else
void cc_pack_bits(const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    pack_plain(source, width, target, groups);
}

void cc_unpack_bits(const uint8_t *source, unsigned width, uint8_t *target, size_t groups) {
    unpack_plain(source, width, target, groups);
}
#endif
