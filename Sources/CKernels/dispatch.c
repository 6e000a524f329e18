// Chooses the kernels of a context; the public functions forward to its table.
#define _GNU_SOURCE
#include "context.h"
#include <pthread.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static bool has_bf16_pairs(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 5 & 1;
}

/// Pairs cost less than two products of float32 on Intel's Cooper Lake and on AMD's processors, and other makers' are taken to be like
/// these. Intel's later ones, where tiles do that work, begin one instruction of 16 pairs in two cycles, and in the same time four of
/// 16 products of float32: where a system hides the tiles, pairs take twice as long. Measured on Emerald Rapids.
static bool has_fast_pairs(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_INTEL_ebx) return true;
    enum { FAMILY_6 = 6, COOPER_LAKE = 0x55 };
    return __get_cpuid(1, &a, &b, &c, &d) && (a >> 8 & 0xf) == FAMILY_6 && (a >> 4 & 0xf | a >> 12 & 0xf0) == COOPER_LAKE;
}

/// Tiles need the processor's units (leaf 7: tiles and bfloat16), a system that saves them, and its leave for this process.
static bool has_tiles(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    enum { TILE_STATES = 3 << 17, REQUEST = 0x1023, TILE_DATA = 18 };  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return (saved & TILE_STATES) == TILE_STATES && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return false;
#endif
}
#endif

static ck_isa find_best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        if (!has_bf16_pairs()) return CK_ISA_AVX512;
        return has_tiles() ? CK_ISA_AMX : CK_ISA_AVX512BF16;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CK_ISA_AVX2;
#endif
    return CK_ISA_BASELINE;
}

static ck_isa best;
static pthread_once_t best_is_known = PTHREAD_ONCE_INIT;
static void learn_best(void) { best = find_best(); }

ck_isa ck_isa_best(void) {
    pthread_once(&best_is_known, learn_best);
    return best;
}

bool ck_isa_available(ck_isa isa) {
    return isa > CK_ISA_AMX ? ck_isa_table(isa) && ck_isa_best() >= CK_ISA_AVX2 : isa <= ck_isa_best();
}

bool ck_isa_favors_bf16(ck_isa isa) {
#if defined(__x86_64__)
    return isa == CK_ISA_AMX || (isa == CK_ISA_AVX512BF16 && has_fast_pairs());
#else
    (void)isa;
    return false;
#endif
}

const ck_table *ck_isa_table(ck_isa isa) {
    switch (isa) {
    case CK_ISA_BASELINE: return &ck_table_baseline;
#if defined(__x86_64__)
    case CK_ISA_AVX2: return &ck_table_avx2;
    case CK_ISA_AVX512: return &ck_table_avx512;
    case CK_ISA_AVX512BF16: return &ck_table_avx512bf16;
    case CK_ISA_AMX: return &ck_table_amx;
    case CK_ISA_AVX512BF16_EMULATED: return &ck_table_avx512bf16_emulated;
    case CK_ISA_AMX_EMULATED: return &ck_table_amx_emulated;
#endif
    default: return NULL;
    }
}

const char *ck_isa_name(ck_isa isa) {
    const ck_table *table = ck_isa_table(isa);
    return table ? table->name : "unknown";
}

bool ck_isa_takes_half(ck_isa isa) {
    const ck_table *table = ck_isa_table(isa);
    return table && table->takes_half;
}

#define TABLE ck_context_table(context)

void ck_multiply(ck_context *context, const ck_product *p) { TABLE->multiply(context, p); }
int64_t ck_packed_b_bytes(const ck_context *context, const ck_product *p) { return TABLE->packed_b_bytes(p); }
void ck_pack_b(ck_context *context, const ck_product *p, void *packed) { TABLE->pack_b(context, p, packed); }
void ck_add_column_sums(ck_context *context, int64_t rows, int64_t columns, ck_elements x, int64_t row, float *out) {
    TABLE->add_column_sums(context, rows, columns, x, row, out);
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
                               ck_elements d_branch, float *dgamma, float *dbeta) {
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
void ck_attend_backward(ck_context *context, const ck_attention *a, ck_elements d_context, ck_elements dqkv, ck_elements d_first_q) {
    TABLE->attend_backward(context, a, d_context, dqkv, d_first_q);
}
double ck_ceiling(ck_context *context, ck_format format, int64_t rounds) { return TABLE->ceiling(context, format, rounds); }
