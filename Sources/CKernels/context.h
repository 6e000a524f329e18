// Internal: the thread pool, its scratch memory and the table of kernels of one instruction set.
#ifndef CK_CONTEXT_H
#define CK_CONTEXT_H

#include "CKernels.h"
#include <stddef.h>

/// What multiplies bfloat16 in an instruction set: nothing (elements are rounded and multiplied as float32), products of
/// pairs in vectors, or tiles.
#define CK_UNITS_NONE 0
#define CK_UNITS_DOT 1
#define CK_UNITS_TILES 2

typedef struct {
    const char *name;
    bool takes_half;
    void (*multiply)(ck_context *, const ck_product *);
    int64_t (*packed_b_bytes)(const ck_product *);
    void (*pack_b)(ck_context *, const ck_product *, void *);
    void (*add_column_sums)(ck_context *, int64_t, int64_t, ck_elements, int64_t, float *);
    void (*activate)(ck_context *, int64_t, ck_activation, const float *, float *);
    void (*exponential)(ck_context *, int64_t, const float *, float *);
    void (*dropout_rows)(ck_context *, int64_t, int64_t, float *, const ck_dropout *);
    void (*residual_norm)(ck_context *, int64_t, int64_t, float *, const float *, const float *, const float *, float,
                          const ck_dropout *, float *, float *);
    void (*residual_norm_backward)(ck_context *, int64_t, int64_t, const float *, const float *, const float *,
                                   const float *, const ck_dropout *, float *, ck_elements, float *, float *);
    void (*embed)(ck_context *, const ck_embedding *);
    void (*embed_backward_norm)(ck_context *, const ck_embedding *, float *, float *, float *);
    void (*scatter_add)(ck_context *, int64_t, int64_t, const int32_t *, const float *, float *);
    void (*attend)(ck_context *, const ck_attention *);
    void (*attend_backward)(ck_context *, const ck_attention *, ck_elements, ck_elements, ck_elements);
    double (*ceiling)(ck_context *, ck_format, int64_t);
} ck_table;

extern const ck_table ck_table_baseline;
#if defined(__x86_64__)
extern const ck_table ck_table_avx2;
extern const ck_table ck_table_avx512;
extern const ck_table ck_table_avx512bf16, ck_table_avx512bf16_emulated;
extern const ck_table ck_table_amx, ck_table_amx_emulated;
#endif

/// Null for a set that the compiler's target does not have.
const ck_table *ck_isa_table(ck_isa isa);
const ck_table *ck_context_table(const ck_context *context);
/// Scratch shared by all threads during one call, at least `bytes`, aligned to 64; grows and is kept.
void *ck_shared_scratch(ck_context *context, size_t bytes);
/// Scratch of one worker, likewise.
void *ck_worker_scratch(ck_context *context, int worker, size_t bytes);

#endif
