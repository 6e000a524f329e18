// Chooses the kernels of a context; the public functions forward to its table.
#include "context.h"

ck_isa ck_isa_best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return CK_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CK_ISA_AVX2;
#endif
    return CK_ISA_BASELINE;
}

const char *ck_isa_name(ck_isa isa) {
    switch (isa) {
    case CK_ISA_AVX2: return "avx2";
    case CK_ISA_AVX512: return "avx512";
    default: return "baseline";
    }
}

#define TABLE ck_context_table(context)

void ck_multiply(ck_context *context, const ck_product *p) { TABLE->multiply(context, p); }
void ck_add_column_sums(ck_context *context, int64_t rows, int64_t columns, const float *x, int64_t row, float *out) {
    TABLE->add_column_sums(context, rows, columns, x, row, out);
}
void ck_activation_backward(ck_context *context, int64_t n, ck_activation a, float *u, float *dh) {
    TABLE->activation_backward(context, n, a, u, dh);
}
void ck_activate(ck_context *context, int64_t n, ck_activation a, const float *x, float *y) {
    TABLE->activate(context, n, a, x, y);
}
void ck_exp(ck_context *context, int64_t n, const float *x, float *y) { TABLE->exponential(context, n, x, y); }
void ck_dropout_rows(ck_context *context, int64_t rows, int64_t columns, float *x, const ck_dropout *d) {
    TABLE->dropout_rows(context, rows, columns, x, d);
}
void ck_residual_norm(ck_context *context, int64_t T, int64_t C, float *branch, const float *residual,
                      const float *gamma, const float *beta, float epsilon, const ck_dropout *d, float *statistics,
                      float *y) {
    TABLE->residual_norm(context, T, C, branch, residual, gamma, beta, epsilon, d, statistics, y);
}
void ck_residual_norm_backward(ck_context *context, int64_t T, int64_t C, const float *dy, const float *z,
                               const float *statistics, const float *gamma, const ck_dropout *d, float *dz,
                               float *d_branch, float *dgamma, float *dbeta) {
    TABLE->residual_norm_backward(context, T, C, dy, z, statistics, gamma, d, dz, d_branch, dgamma, dbeta);
}
void ck_embed(ck_context *context, const ck_embedding *e) { TABLE->embed(context, e); }
void ck_embed_backward_norm(ck_context *context, const ck_embedding *e, float *dy, float *dgamma, float *dbeta) {
    TABLE->embed_backward_norm(context, e, dy, dgamma, dbeta);
}
void ck_scatter_add(ck_context *context, int64_t T, int64_t C, const int32_t *index, const float *dz, float *table) {
    TABLE->scatter_add(context, T, C, index, dz, table);
}
void ck_attend(ck_context *context, const ck_attention *a) { TABLE->attend(context, a); }
void ck_attend_backward(ck_context *context, const ck_attention *a, const float *d_context, float *dqkv) {
    TABLE->attend_backward(context, a, d_context, dqkv);
}
