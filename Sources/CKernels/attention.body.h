// Self-attention, one item of work per sequence and head; scores live in the worker's scratch, never in memory at large.
// Products of bfloat16 by the processor's units are in attention_bf16.body.h.

typedef struct { ck_context *context; const ck_attention *a; ck_elements d_context, dqkv, d_first_q; } attention_job;

/// Where a sequence's queries are: `count` of them, in rows from `row` on of what has a row a query, their q `step` apart.
typedef struct { int64_t row, count, step; } query_rows;

INLINE query_rows queries_of(const ck_attention *a, int64_t b, int64_t L) {
    int64_t C = a->H * a->D;
    return a->first_only ? (query_rows){b, L < 1 ? L : 1, C} : (query_rows){a->starts[b], L, 3 * C};
}
/// q of a sequence's first query in a head, or the place of its gradient.
INLINE ck_elements first_query(const ck_attention *a, query_rows r, int64_t h, ck_elements qkv, ck_elements first_q) {
    return after(a->first_only ? first_q : qkv, r.row * r.step + h * a->D);
}

#if CK_UNITS != CK_UNITS_NONE
#include "attention_bf16.body.h"
#define ATTEND(context, job, name) \
    do { \
        const ck_attention *a_ = (job)->a; \
        int64_t heads = a_->format == CK_BF16 ? heads_per_item(a_) : 1; \
        ck_parallel(context, a_->B * ((a_->H + heads - 1) / heads), a_->format == CK_BF16 ? name##_bf16 : name, job); \
    } while (0)
#else
#define ATTEND(context, job, name) ck_parallel(context, (job)->a->B * (job)->a->H, name, job)
#endif

INLINE int64_t attention_scratch(const ck_attention *a) {
    int64_t L = a->longest, D = a->D;
    int64_t product = local_scratch(L, L, D) > local_scratch(L, D, L) ? local_scratch(L, L, D) : local_scratch(L, D, L);
    return product + 2 * round_up(L * L, 16);
}

static void attend_item(void *raw, int64_t index, int worker) {
    attention_job *job = raw;
    const ck_attention *a = job->a;
    int64_t b = index / a->H, h = index % a->H, D = a->D, C = a->H * D;
    int64_t first = a->starts[b], L = a->starts[b + 1] - first;
    query_rows r = queries_of(a, b, L);
    float *scratch = ck_worker_scratch(job->context, worker, (size_t)attention_scratch(a) * sizeof(float));
    float *p = scratch, *rest = p + round_up(a->longest * a->longest, 16);
    const float *q = first_query(a, r, h, a->qkv, a->first_q).at;
    const float *k = (const float *)a->qkv.at + first * 3 * C + C + h * D, *v = k + C;
    multiply_local(a->format, r.count, L, D, q, r.step, 1, k, 1, 3 * C, p, L, rest);
    float scale = 1.f / sqrtf((float)D);
    drop_rate rate = drop_rate_of(a->probability);
    for (int64_t i = 0; i < r.count; i++) {
        float *row = p + i * L;
        vf top = splat(-INFINITY);
        for (int64_t j = 0; j < L; j += W) {
            vf x = load_some(row + j, L - j) * scale;
            if (L - j < W) x = select_f(first_lanes(L - j), x, splat(-INFINITY));
            store_some(row + j, x, L - j);
            top = max_f(top, x);
        }
        float m = max_lanes(top);
        vf sum = {0};
        for (int64_t j = 0; j < L; j += W) {
            vf x = exp_f(load_some(row + j, L - j) - m);
            if (L - j < W) x = select_f(first_lanes(L - j), x, splat(0));
            store_some(row + j, x, L - j);
            sum += x;
        }
        float total = sum_lanes(sum);
        a->log_sum[(r.row + i) * a->H + h] = m + logf(total);
        uint64_t key = rate.on ? row_key(a->key + (uint64_t)h, a->example[r.row + i], (int32_t)i) : 0;
        vf inverse = splat(1.f / total);
        for (int64_t j = 0; j < L; j += W) {
            vf x = load_some(row + j, L - j) * inverse;
            if (rate.on) x *= dropout_factor(key, (uint32_t)j, rate);
            store_some(row + j, x, L - j);
        }
    }
    multiply_local(a->format, r.count, D, L, p, L, 1, v, 3 * C, 1, (float *)a->context.at + r.row * C + h * D, C, rest);
}

static void attend(ck_context *context, const ck_attention *a) {
    attention_job job = {.context = context, .a = a};
    ATTEND(context, &job, attend_item);
}

static void attend_backward_item(void *raw, int64_t index, int worker) {
    attention_job *job = raw;
    const ck_attention *a = job->a;
    int64_t b = index / a->H, h = index % a->H, D = a->D, C = a->H * D;
    int64_t first = a->starts[b], L = a->starts[b + 1] - first;
    query_rows r = queries_of(a, b, L);
    int64_t square = round_up(a->longest * a->longest, 16);
    float *scratch = ck_worker_scratch(job->context, worker, (size_t)attention_scratch(a) * sizeof(float));
    float *p = scratch, *dp = p + square, *rest = dp + square;
    const float *q = first_query(a, r, h, a->qkv, a->first_q).at;
    const float *k = (const float *)a->qkv.at + first * 3 * C + C + h * D, *v = k + C;
    const float *out = (const float *)a->context.at + r.row * C + h * D, *dout = (const float *)job->d_context.at + r.row * C + h * D;
    float *dq = first_query(a, r, h, job->dqkv, job->d_first_q).at;
    float *dk = (float *)job->dqkv.at + first * 3 * C + C + h * D, *dv = dk + C;
    multiply_local(a->format, r.count, L, D, q, r.step, 1, k, 1, 3 * C, p, L, rest);
    multiply_local(a->format, r.count, L, D, dout, C, 1, v, 1, 3 * C, dp, L, rest);
    float scale = 1.f / sqrtf((float)D);
    drop_rate rate = drop_rate_of(a->probability);
    for (int64_t i = 0; i < r.count; i++) {
        float *row = p + i * L, *drow = dp + i * L, log_sum = a->log_sum[(r.row + i) * a->H + h];
        vf dot = {0};
        for (int64_t n = 0; n < D; n += W) dot += load_some(dout + i * C + n, D - n) * load_some(out + i * C + n, D - n);
        float center = sum_lanes(dot);
        uint64_t key = rate.on ? row_key(a->key + (uint64_t)h, a->example[r.row + i], (int32_t)i) : 0;
        for (int64_t j = 0; j < L; j += W) {
            vf x = exp_f(load_some(row + j, L - j) * scale - log_sum), d = load_some(drow + j, L - j);
            vf factor = rate.on ? dropout_factor(key, (uint32_t)j, rate) : splat(1);
            store_some(drow + j, x * (d * factor - center) * scale, L - j);   // gradient of q·k
            store_some(row + j, x * factor, L - j);                           // dropped probabilities
        }
    }
    multiply_local(a->format, L, D, r.count, p, 1, L, dout, C, 1, dv, 3 * C, rest);
    multiply_local(a->format, r.count, D, L, dp, L, 1, k, 3 * C, 1, dq, r.step, rest);
    multiply_local(a->format, L, D, r.count, dp, 1, L, q, r.step, 1, dk, 3 * C, rest);
}

static void attend_backward(ck_context *context, const ck_attention *a, ck_elements d_context, ck_elements dqkv,
                            ck_elements d_first_q) {
    attention_job job = {context, a, d_context, dqkv, d_first_q};
    ATTEND(context, &job, attend_backward_item);
}
