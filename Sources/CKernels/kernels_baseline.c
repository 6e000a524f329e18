// Kernels for any processor: 128-bit vectors.
#define CK_WIDTH 4
#define CK_MR 4
#include "simd.h"
#include "dropout.body.h"
#include "activation.body.h"
#include "product.body.h"
#include "normalisation.body.h"
#include "attention.body.h"

const ck_table ck_table_baseline = {
    .name = "baseline",
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
