// Kernels for AVX-512 with AMX, whose tiles multiply bfloat16.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#include <stdint.h>
#include <stdbool.h>
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)
#define CK_WIDTH 16
#define CK_MASKS 512
#define CK_MR 14
#define CK_UNITS CK_UNITS_TILES
#define CK_TABLE ck_table_amx
#define CK_NAME "amx"
#include "kernels.body.h"
#pragma clang attribute pop
#endif
