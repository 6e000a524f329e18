// Kernels for any processor: 128-bit vectors.
#define CK_WIDTH 4
#define CK_MR 4
#define CK_UNITS CK_UNITS_NONE
#define CK_TABLE ck_table_baseline
#define CK_NAME "baseline"
#include "kernels.body.h"
