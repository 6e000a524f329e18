// Self-attention, one item of work for some heads of a sequence; scores live in the worker's scratch, never in memory at large.
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

enum { LEAST_HEAD_ITEMS = 64 };
/// Neighbouring heads of a sequence in one item of work: while one is computed, the rows of the next are asked for, which lie too
/// far apart for the processor to foresee.
static int64_t heads_per_item(const ck_attention *a) {
    int64_t n = a->B * a->H / LEAST_HEAD_ITEMS;
    return n < 1 ? 1 : n > a->H ? a->H : n;
}
INLINE void ask_for(ck_elements row, int64_t D) {
    for (int64_t n = 0; n < D; n += row.half ? 32 : 16) __builtin_prefetch(after(row, n).at, 0, 2);
}
INLINE void ask_to_write(ck_elements row, int64_t D) {
    for (int64_t n = 0; n < D; n += row.half ? 32 : 16) __builtin_prefetch(after(row, n).at, 1, 2);
}

#if CK_UNITS != CK_UNITS_NONE
#include "attention_bf16.body.h"
#define HEAD(a, name) ((a)->format == CK_BF16 ? name##_bf16 : name)
#else
#define HEAD(a, name) name
#endif

typedef void head_function(attention_job *job, int64_t b, int64_t h, bool is_last, int worker);

static void each_head(attention_job *job, int64_t index, int worker, head_function *head) {
    int64_t H = job->a->H, n = heads_per_item(job->a), items = (H + n - 1) / n;
    int64_t from = index % items * n, end = from + n < H ? from + n : H;
    for (int64_t h = from; h < end; h++) head(job, index / items, h, h + 1 == end, worker);
}
INLINE int64_t head_items(const ck_attention *a) { return a->B * ((a->H + heads_per_item(a) - 1) / heads_per_item(a)); }

INLINE ck_elements floats(const float *x) { return (ck_elements){(void *)x, false}; }

INLINE int64_t attention_scratch(const ck_attention *a) {
    int64_t L = a->longest, D = a->D;
    int64_t product = local_scratch(L, L, D) > local_scratch(L, D, L) ? local_scratch(L, L, D) : local_scratch(L, D, L);
    return product + 2 * round_up(L * L, 16);
}

static void attend_head(attention_job *job, int64_t b, int64_t h, bool is_last, int worker) {
    const ck_attention *a = job->a;
    int64_t D = a->D, C = a->H * D;
    int64_t first = a->starts[b], L = a->starts[b + 1] - first;
    query_rows r = queries_of(a, b, L);
    float *scratch = ck_worker_scratch(job->context, worker, (size_t)attention_scratch(a) * sizeof(float));
    float *p = scratch, *rest = p + round_up(a->longest * a->longest, 16);
    const float *q = first_query(a, r, h, a->qkv, a->first_q).at;
    const float *k = (const float *)a->qkv.at + first * 3 * C + C + h * D, *v = k + C;
    float *out = (float *)a->context.at + r.row * C + h * D;
    multiply_local(a->format, r.count, L, D, q, r.step, 1, k, 1, 3 * C, p, L, rest);
    float scale = 1.f / sqrtf((float)D);
    drop_rate rate = drop_rate_of(a->probability);
    for (int64_t i = 0; i < r.count; i++) {
        if (!is_last) {
            ask_for(floats(q + i * r.step + D), D);
            ask_for(floats(k + i * 3 * C + D), D);
            ask_for(floats(v + i * 3 * C + D), D);
            ask_to_write(floats(out + i * C + D), D);
        }
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
    multiply_local(a->format, r.count, D, L, p, L, 1, v, 3 * C, 1, out, C, rest);
}

static void attend_item(void *raw, int64_t index, int worker) {
    attention_job *job = raw;
    each_head(job, index, worker, HEAD(job->a, attend_head));
}
static void attend(ck_context *context, const ck_attention *a) {
    attention_job job = {.context = context, .a = a};
    ck_parallel(context, head_items(a), attend_item, &job);
}

static void attend_backward_head(attention_job *job, int64_t b, int64_t h, bool is_last, int worker) {
    const ck_attention *a = job->a;
    int64_t D = a->D, C = a->H * D;
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
        if (!is_last) {
            ask_for(floats(q + i * r.step + D), D);
            ask_for(floats(k + i * 3 * C + D), D);
            ask_for(floats(v + i * 3 * C + D), D);
            ask_for(floats(dout + i * C + D), D);
            ask_for(floats(out + i * C + D), D);
            ask_to_write(floats(dq + i * r.step + D), D);
            ask_to_write(floats(dk + i * 3 * C + D), D);
            ask_to_write(floats(dv + i * 3 * C + D), D);
        }
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

static void attend_backward_item(void *raw, int64_t index, int worker) {
    attention_job *job = raw;
    each_head(job, index, worker, HEAD(job->a, attend_backward_head));
}
static void attend_backward(ck_context *context, const ck_attention *a, ck_elements d_context, ck_elements dqkv,
                            ck_elements d_first_q) {
    attention_job job = {context, a, d_context, dqkv, d_first_q};
    ck_parallel(context, head_items(a), attend_backward_item, &job);
}
