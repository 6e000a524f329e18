// Kernels for AVX2 and FMA.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#include <stdint.h>
#include <stdbool.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_WIDTH 8
#define CK_MR 6
#include "simd.h"
#include "dropout.body.h"
#include "activation.body.h"
#include "product.body.h"
#include "normalisation.body.h"
#include "attention.body.h"

const ck_table ck_table_avx2 = {
    .name = "avx2",
    .multiply = multiply,
    .add_column_sums = add_column_sums,
    .activation_backward = activation_backward,
    .activate = activate,
    .exponential = exponential,
    .dropout_rows = dropout_rows,
    .residual_norm = residual_norm,
    .residual_norm_backward = residual_norm_backward,
    .embed = embed,
    .embed_backward_norm = embed_backward_norm,
    .scatter_add = scatter_add,
    .attend = attend,
    .attend_backward = attend_backward,
};
#pragma clang attribute pop
#endif
