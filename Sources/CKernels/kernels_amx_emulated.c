// The kernels for AMX with its instructions in plain C: the same code for tests on other processors.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#include <stdint.h>
#include <stdbool.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_WIDTH 16
#define CK_MR 14
#define CK_EMULATED
#define CK_UNITS CK_UNITS_TILES
#define CK_TABLE ck_table_amx_emulated
#define CK_NAME "amx-emulated"
#include "kernels.body.h"
#pragma clang attribute pop
#endif
