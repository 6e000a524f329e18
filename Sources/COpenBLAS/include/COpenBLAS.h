/// OpenBLAS, loaded at run time with the kernel that fits the processor.
///
/// Debian's build chooses its kernel when it is loaded and does not know processors younger than itself; the
/// environment variable OPENBLAS_CORETYPE corrects the choice, but only before that moment. Hence `dlopen`.
#ifndef COPENBLAS_H
#define COPENBLAS_H

#include <stdbool.h>

/// Loads the library once. False when it is not installed.
bool openblas_load(void);
/// The kernel family in use, for example "SkylakeX"; "" when not loaded.
const char *openblas_corename(void);
/// C = A·B (+ C), row-major, single-threaded: op(A) [m, k], op(B) [k, n]. The library must be loaded.
void openblas_sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, int lda, const float *b,
                    int ldb, bool accumulate, float *c, int ldc);

#endif
