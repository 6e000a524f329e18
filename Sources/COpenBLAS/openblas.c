#include "COpenBLAS.h"
#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *library;
static __typeof__(&cblas_sgemm) sgemm;
static __typeof__(&openblas_get_corename) corename;

static void load(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const char *core = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") ? "SKYLAKEX"
                     : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "HASWELL" : NULL;
    if (core) setenv("OPENBLAS_CORETYPE", core, 0);  // the user's own choice wins
#endif
    library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    sgemm = (__typeof__(sgemm))dlsym(library, "cblas_sgemm");
    corename = (__typeof__(corename))dlsym(library, "openblas_get_corename");
    void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
    if (set_threads) set_threads(1);
    if (!sgemm) library = NULL;
}

bool openblas_load(void) {
    pthread_once(&once, load);
    return library != NULL;
}

const char *openblas_corename(void) { return openblas_load() && corename ? corename() : ""; }

void openblas_sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, int lda, const float *b,
                    int ldb, bool accumulate, float *c, int ldc) {
    sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
          lda, b, ldb, accumulate ? 1 : 0, c, ldc);
}
