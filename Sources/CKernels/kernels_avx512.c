// Kernels for AVX-512 F, BW, DQ, VL.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#include <stdint.h>
#include <stdbool.h>
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define CK_WIDTH 16
#define CK_MASKS 512
#define CK_MR 14
#define CK_UNITS CK_UNITS_NONE
#define CK_TABLE ck_table_avx512
#define CK_NAME "avx512"
#include "kernels.body.h"
#pragma clang attribute pop
#endif
