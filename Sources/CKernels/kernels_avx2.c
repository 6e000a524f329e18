// Kernels for AVX2 and FMA.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#include <stdint.h>
#include <stdbool.h>
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_WIDTH 8
#define CK_MASKS 256
#define CK_MR 6
#define CK_UNITS CK_UNITS_NONE
#define CK_TABLE ck_table_avx2
#define CK_NAME "avx2"
#include "kernels.body.h"
#pragma clang attribute pop
#endif
