// All kernels of one instruction set, and their table. The file that includes this says for which set, by
//
//   CK_WIDTH   floats in a vector          CK_MR      rows of a register block of the float32 product
//   CK_TABLE   name of the table           CK_NAME    text of the set's name
//   CK_UNITS   CK_UNITS_NONE, CK_UNITS_DOT or CK_UNITS_TILES: what multiplies bfloat16
#include "simd.h"
#include "dropout.body.h"
#include "activation.body.h"
#include "product.body.h"
#if CK_UNITS != CK_UNITS_NONE
#include "product_bf16.body.h"
#endif
#include "normalisation.body.h"
#include "attention.body.h"
#include "ceiling.body.h"

static void multiply_any(ck_context *context, const ck_product *p) {
#if CK_UNITS != CK_UNITS_NONE
    if (p->format == CK_BF16) {
        multiply_bf16(context, p);
        return;
    }
#endif
    multiply(context, p);
}

static int64_t packed_b_bytes(const ck_product *p) {
#if CK_UNITS != CK_UNITS_NONE
    if (p->format == CK_BF16) return packed_b_size(p) * (int64_t)sizeof(uint32_t);
#endif
    (void)p;
    return 0;
}

static void pack_b(ck_context *context, const ck_product *p, void *packed) {
#if CK_UNITS != CK_UNITS_NONE
    pack_b_bf16(context, p, packed);
#endif
    (void)context, (void)p, (void)packed;
}

const ck_table CK_TABLE = {
    .name = CK_NAME,
    .takes_half = CK_UNITS != CK_UNITS_NONE,
    .multiply = multiply_any,
    .packed_b_bytes = packed_b_bytes,
    .pack_b = pack_b,
    .add_column_sums = add_column_sums,
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
    .ceiling = ceiling,
};
