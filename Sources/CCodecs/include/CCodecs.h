/// The inner loops of the store's codecs for float32, and of the entropy coder. Format.md of the module `Store` says what they
/// compute; the Swift code beside their callers, which serves the other element types, is their plain twin.
///
/// Nothing here allocates, keeps state or reads past what it is told it may read. All words are little-endian in memory and
/// the machine's own in registers, so these are for little-endian machines.
#ifndef CCODECS_H
#define CCODECS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Range asymmetric numeral systems, four states of 32 bits, 16 bits at a time, frequencies that sum to 4,096.
///
/// Decodes `count` bytes. `states` are the four states before and after; `words` are `wordCount` words of 16 bits.
/// `slots` has for each residue of a state its value (bits 0 to 7), frequency (8 to 19) and distance from the value's
/// start (20 to 31). Returns the words taken, or -1 if they do not suffice.
ptrdiff_t cc_rans_decode(
    const uint8_t *words, size_t wordCount, uint32_t states[4], const uint32_t slots[4096], uint8_t *target, size_t count);

/// What the encoder knows of a value: state + start + (state / frequency) * complement is the coded state. `reciprocal`
/// is ⌈2^44 / frequency⌉, `limit` the state from which on 16 bits must go out first.
typedef struct {
    uint64_t reciprocal;
    uint32_t start, complement, limit, unused;
} cc_rans_symbol;

/// Encodes `count` bytes from the last to the first. Words are written downwards from `end`, never below `first`.
/// Returns where the last one stands, or NULL if they do not fit. `states` receives the four states.
uint8_t *cc_rans_encode(
    const uint8_t *bytes, size_t count, const cc_rans_symbol symbols[256], uint8_t *first, uint8_t *end, uint32_t states[4]);

/// Counts how often each value stands in `bytes`; `counts` has room for 1,024 words, the first 256 are the result.
void cc_histogram(const uint8_t *bytes, size_t count, uint32_t counts[1024]);

/// The bits that ideal coding of values by their counts takes: Σ c · log2(Σ c / c), to about a millionth.
double cc_entropy_bits(const uint32_t *counts, size_t count);

/// The inverse of `cc_unpack_bits`: the upper `width` bits of eight bytes each; eight bytes may be written where `width` are.
void cc_pack_bits(const uint8_t *source, unsigned width, uint8_t *target, size_t groups);

/// Eight values of `width` bits, 1 to 7, from `width` bytes: the upper bits of eight bytes each. `groups` times; eight
/// bytes may be read where `width` are used.
void cc_unpack_bits(const uint8_t *source, unsigned width, uint8_t *target, size_t groups);

/// Four byte planes into words, moved down by `shift` bits.
void cc_join_planes(const uint8_t *const planes[4], uint32_t *words, size_t count, unsigned shift);

/// Words into four byte planes, each `stride` bytes after the one before.
void cc_split_planes(const uint32_t *words, uint8_t *planes, size_t stride, size_t count);

/// Four byte planes into elements: with word >> shift for X, ((X >> 1) + offset) << zeros and X's lowest bit as the sign.
void cc_join_floats(
    const uint8_t *const planes[4], void *target, size_t count, unsigned shift, uint32_t offset, unsigned zeros);

/// From elements to words with the sign in the lowest bit, and each word's exponent.
void cc_float_words(const void *plain, uint32_t *words, uint8_t *symbols, size_t count);

/// Adds to `counts` how often each bucket, below `bucketCount`, stands in `buckets`.
void cc_count_buckets(const uint8_t *buckets, size_t count, uint32_t *counts, unsigned bucketCount);

/// Adds one to counts[256 · bucket + symbol] for each element; all are in bucket 0 where `buckets` is NULL.
void cc_count_symbols(const uint8_t *symbols, const uint8_t *buckets, size_t count, uint32_t *counts);

/// Counts the two upper bytes of every `step`-th word moved up by `shift` bits: the highest in the first 256 counts.
void cc_count_upper(const uint32_t *words, size_t count, size_t step, unsigned shift, uint32_t counts[512]);

/// For each element of the base its bucket min(max(top − exponent, 0), buckets − 1).
void cc_delta_buckets(const void *base, uint8_t *result, size_t count, unsigned top, unsigned buckets);

/// Takes the next word of each element's bucket: `words` stands for all of them, `cursors` for where each bucket goes on.
void cc_gather_buckets(const uint32_t *words, uint32_t *cursors, const uint8_t *buckets, uint32_t *target, size_t count);

/// The inverse: puts each element's word where its bucket goes on.
void cc_scatter_buckets(const uint32_t *words, uint32_t *cursors, const uint8_t *buckets, uint32_t *target, size_t count);

/// Elements from the base's and the zigzag differences of their ranks; `factor` is 1 where the base itself is expected.
void cc_delta_apply(const void *base, const uint32_t *words, double factor, void *target, size_t count);

/// The inverse: zigzag differences, and for each its length and the two bits after its first.
void cc_delta_words(
    const void *plain, const void *base, double factor, uint32_t *words, uint8_t *symbols, size_t count);

#ifdef __cplusplus
}
#endif

#endif
