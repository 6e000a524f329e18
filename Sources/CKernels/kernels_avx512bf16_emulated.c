// The kernels for AVX-512 BF16 with that instruction in plain C: the same code for tests on other processors.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#include <stdint.h>
#include <stdbool.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_WIDTH 16
#define CK_MR 14
#define CK_EMULATED
#define CK_UNITS CK_UNITS_DOT
#define CK_TABLE ck_table_avx512bf16_emulated
#define CK_NAME "avx512bf16-emulated"
#include "kernels.body.h"
#pragma clang attribute pop
#endif
