// Self-attention with products of bfloat16 by the processor's units, neighbouring heads of a sequence in one item of work.
//
// Queries are taken CHUNK at a time: their scores, float32, turn into pairs that are packed for the next product as they are
// computed, so nothing of length × length is ever in memory. Probabilities are rounded before they are divided by their sum.
// Results are summed in float32 in the worker's scratch and written once, as the arrays are in memory.

enum {
#if CK_UNITS == CK_UNITS_TILES
    CHUNK = H_STEP,
#else
    CHUNK = 2 * H_ROWS,
#endif
    A_CHUNK = (CHUNK + H_ROWS - 1) / H_ROWS * H_ROWS,
};

/// 2ˣ for x ≤ 0, relative error below 3e-7, 0 far below; a NaN stays one.
INLINE vf power_of_two(vf x) {
#if CK_MASKS == 512
    x = max_f(splat(-200.f), x);
    vf n = (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    const vf magic = splat(12582912.f);
    x = max_f(splat(-126.f), x);
    vf n = (x + magic) - magic;
#endif
    vf f = x - n, p = f * 1.5316464e-4f + 1.3398874e-3f;
    p = p * f + 9.6184373e-3f;
    p = p * f + 5.5503324e-2f;
    p = p * f + 2.4022648e-1f;
    p = p * f + 6.9314720e-1f;
    p = p * f + 1.f;
#if CK_MASKS == 512
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    return (vf)((vi)p + (__builtin_convertvector(n, vi) << 23));
#endif
}

/// Pieces of a worker's scratch for one head. Panels are as `pack_b_pairs` makes them.
typedef struct {
    int64_t lanes;        // keys, rounded up to whole panels
    int64_t row;          // between rows of pairs along the keys
    uint32_t *k_across, *v_across;   // panels of keys, pairs along the head's width
    uint32_t *k_down, *v_down;       // panels of the head's width, pairs along the keys
    uint32_t *q_rows, *d_rows;       // a chunk of queries and of the output's gradient as rows of A
    uint32_t *q_panels, *d_panels;   // the same as panels of the head's width, pairs along the queries
    float *scores, *d_scores;        // [CHUNK, lanes]
    uint32_t *p_rows;                // [CHUNK, row] probabilities (forward) or gradients of scores (backward)
    uint32_t *p_columns, *s_columns; // pairs along the queries: of dropped probabilities, of gradients of scores
    uint32_t *spare;                 // of a transposition
    float *out;                      // [A_CHUNK, width] a chunk of the output, or of the gradient of q
    float *d_keys, *d_values;        // [L, width] gradients of k and v
    int64_t width;                   // D, rounded up to whole panels
    int64_t size;
} head_scratch;

static head_scratch head_scratch_at(uint32_t *base, int64_t L, int64_t D, bool backward) {
    head_scratch s = {.lanes = round_up(L, NR)};
    s.row = s.lanes / 2 + H_PAD;
    s.width = round_up(D, NR);
    int64_t across = s.lanes * pairs_of(D), down = round_up(D, NR) * pairs_of(L);
    int64_t rows = packed_a_size(A_CHUNK, D), panels = round_up(D, NR) * pairs_of(CHUNK), columns = s.lanes * (CHUNK / 2) + W;
    uint32_t **place[] = {&s.k_across, &s.v_across, &s.k_down, &s.v_down, &s.q_rows, &s.d_rows, &s.q_panels, &s.d_panels,
                          (uint32_t **)&s.scores, (uint32_t **)&s.d_scores, &s.p_rows, &s.p_columns, &s.s_columns, &s.spare,
                          (uint32_t **)&s.out, (uint32_t **)&s.d_keys, (uint32_t **)&s.d_values};
    int64_t sizes[] = {across, backward ? across : 0, backward ? down : 0, backward ? 0 : down, rows, backward ? rows : 0,
                       backward ? panels : 0, backward ? panels : 0, A_CHUNK * s.lanes, backward ? A_CHUNK * s.lanes : 0,
                       A_CHUNK * s.row, backward ? columns : 0, backward ? columns : 0,
                       backward && CK_UNITS == CK_UNITS_TILES ? columns : 0,
                       A_CHUNK * s.width, backward ? L * s.width : 0, backward ? L * s.width : 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (base) *place[i] = base + s.size;
        s.size += round_up(sizes[i], 16);
    }
    return s;
}

/// out [rows, lanes] = A·B for a packed chunk of A and panels of B; what lies beyond the keys is zero.
static void chunk_scores(int64_t rows, int64_t D, const uint32_t *a, const uint32_t *b, float *out, int64_t lanes) {
    a_layout layout = layout_of(1, D);
    int64_t pairs = pairs_of(D);
    for (int64_t i = 0; i < rows; i += H_ROWS)
        for (int64_t j = 0; j < lanes; j += NR)
            block(pairs, a + i / H_ROWS * layout.block, layout, b + j * pairs, out + i * lanes + j, lanes, H_ROWS, NR, false);
}

/// out [M, width] (+)= A·B.
static void head_product(int64_t M, int64_t width, int64_t pairs, const uint32_t *a, a_layout layout, const uint32_t *b, float *out,
                         bool accumulate) {
    for (int64_t i = 0; i < M; i += H_ROWS)
        for (int64_t n = 0; n < width; n += NR)
            block(pairs, a + i / H_ROWS * layout.block, layout, b + n * pairs, out + i * width + n, width, M - i, NR, accumulate);
}

/// to[i·row …] = x[i, :D]·factors[i]; a null factor is 1.
INLINE void write_head(ck_elements to, int64_t row, const float *x, int64_t width, int64_t rows, int64_t D, const float *factors) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t n = 0; n < D; n += W)
            store_elements(to, i * row + n, load_some(x + i * width + n, D - n) * (factors ? factors[i] : 1.f), D - n);
}

static const float LOG2_E = 1.44269504f;

INLINE void attend_head_of(attention_job *job, int64_t b, int64_t h, bool is_last, int worker, bool half) {
    const ck_attention *a = job->a;
    int64_t D = a->D, C = a->H * D;
    int64_t first = a->starts[b], L = a->starts[b + 1] - first;
    size_t most = (size_t)head_scratch_at(NULL, a->longest, D, false).size * sizeof(uint32_t);
    head_scratch s = head_scratch_at(ck_worker_scratch(job->context, worker, most), L, D, false);
    query_rows r = queries_of(a, b, L);
    ck_elements q = first_query(a, r, h, (ck_elements){a->qkv.at, half}, (ck_elements){a->first_q.at, half});
    ck_elements k = after((ck_elements){a->qkv.at, half}, first * 3 * C + C + h * D), v = after(k, C);
    ck_elements out = after((ck_elements){a->context.at, half}, r.row * C + h * D);
    UNITS_BEGIN();
    pack_b_pairs(k, 1, 3 * C, D, L, s.k_across);
    pack_b_pairs(v, 3 * C, 1, L, D, s.v_down);
    float scale = 1.f / sqrtf((float)D), to_two = scale * LOG2_E;
    drop_rate rate = drop_rate_of(a->probability);
    for (int64_t r0 = 0; r0 < r.count; r0 += CHUNK) {
        int64_t rows = r.count - r0 < CHUNK ? r.count - r0 : CHUNK;
        float inverse[CHUNK];
        pack_a_pairs(after(q, r0 * r.step), r.step, 1, rows, D, s.q_rows);
        chunk_scores(rows, D, s.q_rows, s.k_across, s.scores, s.lanes);
        for (int64_t i = 0; i < rows; i++) {
            if (!is_last) {
                ask_for(after(q, (r0 + i) * r.step + D), D);
                ask_for(after(k, (r0 + i) * 3 * C + D), D);
                ask_for(after(v, (r0 + i) * 3 * C + D), D);
                ask_to_write(after(out, (r0 + i) * C + D), D);
            }
            const float *row = s.scores + i * s.lanes;
            uint32_t *p = s.p_rows + i * s.row;
            vf top = splat(-INFINITY), sum = {0};
            int64_t j = 0;
            for (; j + W <= L; j += W) top = max_f(top, load(row + j));
            if (j < L) top = max_f(top, select_f(first_lanes(L - j), load(row + j), splat(-INFINITY)));
            float m = max_lanes(top), shift = m * to_two;
            uint64_t key = rate.on ? row_key(a->key + (uint64_t)h, a->example[r.row + r0 + i], (int32_t)(r0 + i)) : 0;
            for (j = 0; j < s.lanes; j += 2 * W) {
                vf x = power_of_two(load(row + j) * to_two - shift), y = power_of_two(load(row + j + W) * to_two - shift);
                if (L - j < 2 * W) {
                    x = select_f(first_lanes(L - j), x, splat(0));
                    y = select_f(first_lanes(L - j - W), y, splat(0));
                }
                sum += x + y;
                if (rate.on) {
                    x *= dropout_factor(key, (uint32_t)j, rate);
                    y *= dropout_factor(key, (uint32_t)(j + W), rate);
                }
                store_pairs(p + j / 2, pair_within(x, y));
            }
            float total = sum_lanes(sum);
            a->log_sum[(r.row + r0 + i) * a->H + h] = m * scale + logf(total);
            inverse[i] = 1.f / total;
        }
        head_product(rows, s.width, pairs_of(L), s.p_rows, (a_layout){s.row, 1, H_ROWS * s.row}, s.v_down, s.out, false);
        write_head(after(out, r0 * C), C, s.out, s.width, rows, D, inverse);
    }
    UNITS_END();
}

/// Pairs along the queries, [pair, lanes], as A whose rows are the keys.
static a_layout keys_by_queries(uint32_t *columns, int64_t pairs, int64_t lanes, uint32_t *spare) {
#if CK_UNITS == CK_UNITS_TILES
    for (int64_t j = 0; j < lanes; j += 16) {
        vu x[16];
        for (int64_t p = 0; p < 16; p++) x[p] = p < pairs ? load_pairs(columns + p * lanes + j) : (vu){0};
        transpose_pairs(x);
        for (int64_t i = 0; i < 16; i++) store_pairs(spare + (j + i) * 16, x[i]);
    }
    memcpy(columns, spare, (size_t)(lanes * 16) * sizeof *columns);
    return (a_layout){16, 1, H_ROWS * 16};
#else
    (void)columns; (void)pairs; (void)spare;
    return (a_layout){1, lanes, H_ROWS};
#endif
}

INLINE void attend_backward_head_of(attention_job *job, int64_t b, int64_t h, bool is_last, int worker, bool half) {
    const ck_attention *a = job->a;
    int64_t D = a->D, C = a->H * D;
    int64_t first = a->starts[b], L = a->starts[b + 1] - first;
    size_t most = (size_t)head_scratch_at(NULL, a->longest, D, true).size * sizeof(uint32_t);
    head_scratch s = head_scratch_at(ck_worker_scratch(job->context, worker, most), L, D, true);
    query_rows r = queries_of(a, b, L);
    ck_elements q = first_query(a, r, h, (ck_elements){a->qkv.at, half}, (ck_elements){a->first_q.at, half});
    ck_elements k = after((ck_elements){a->qkv.at, half}, first * 3 * C + C + h * D), v = after(k, C);
    ck_elements out = after((ck_elements){a->context.at, half}, r.row * C + h * D);
    ck_elements dout = after((ck_elements){job->d_context.at, half}, r.row * C + h * D);
    ck_elements dq = first_query(a, r, h, (ck_elements){job->dqkv.at, half}, (ck_elements){job->d_first_q.at, half});
    ck_elements dk = after((ck_elements){job->dqkv.at, half}, first * 3 * C + C + h * D), dv = after(dk, C);
    UNITS_BEGIN();
    pack_b_pairs(k, 1, 3 * C, D, L, s.k_across);
    pack_b_pairs(v, 1, 3 * C, D, L, s.v_across);
    pack_b_pairs(k, 3 * C, 1, L, D, s.k_down);
    float scale = 1.f / sqrtf((float)D), to_two = scale * LOG2_E;
    drop_rate rate = drop_rate_of(a->probability);
    for (int64_t r0 = 0; r0 < r.count; r0 += CHUNK) {
        int64_t rows = r.count - r0 < CHUNK ? r.count - r0 : CHUNK, pairs = (rows + 1) / 2;
        pack_a_pairs(after(q, r0 * r.step), r.step, 1, rows, D, s.q_rows);
        pack_a_pairs(after(dout, r0 * C), C, 1, rows, D, s.d_rows);
        pack_b_pairs(after(q, r0 * r.step), r.step, 1, rows, D, s.q_panels);
        pack_b_pairs(after(dout, r0 * C), C, 1, rows, D, s.d_panels);
        chunk_scores(rows, D, s.q_rows, s.k_across, s.scores, s.lanes);
        chunk_scores(rows, D, s.d_rows, s.v_across, s.d_scores, s.lanes);
        for (int64_t i = 0; i < rows; i += 2) {
            // Two rows at a time; the second one of an odd last pair counts as zero.
            int64_t both = i + 1 < rows ? 2 : 1;
            float shift[2] = {0}, center[2] = {0};
            uint64_t key[2] = {0};
            for (int64_t e = 0; e < both; e++) {
                int64_t t = r0 + i + e;
                vf dot = {0};
                for (int64_t n = 0; n < D; n += W) dot += load_elements(dout, t * C + n, D - n) * load_elements(out, t * C + n, D - n);
                center[e] = sum_lanes(dot);
                shift[e] = a->log_sum[(r.row + t) * a->H + h] * LOG2_E;
                if (rate.on) key[e] = row_key(a->key + (uint64_t)h, a->example[r.row + t], (int32_t)t);
                if (is_last) continue;
                ask_for(after(q, t * r.step + D), D);
                ask_for(after(k, t * 3 * C + D), D);
                ask_for(after(v, t * 3 * C + D), D);
                ask_for(after(dout, t * C + D), D);
                ask_for(after(out, t * C + D), D);
                ask_to_write(after(dq, t * r.step + D), D);
                ask_to_write(after(dk, t * 3 * C + D), D);
                ask_to_write(after(dv, t * 3 * C + D), D);
            }
            for (int64_t j = 0; j < s.lanes; j += 2 * W) {
                vf p[2][2], d[2][2];
#pragma clang loop unroll(full)
                for (int e = 0; e < 2; e++)
#pragma clang loop unroll(full)
                    for (int w = 0; w < 2; w++) {
                        int64_t at = (i + e) * s.lanes + j + w * W;
                        vf x = power_of_two(load(s.scores + at) * to_two - shift[e]), g = load(s.d_scores + at);
                        vf factor = rate.on ? dropout_factor(key[e], (uint32_t)(j + w * W), rate) : splat(1);
                        p[e][w] = x * factor;
                        d[e][w] = x * (g * factor - center[e]) * scale;
                        if (L - j < 2 * W) {
                            p[e][w] = select_f(first_lanes(L - j - w * W), p[e][w], splat(0));
                            d[e][w] = select_f(first_lanes(L - j - w * W), d[e][w], splat(0));
                        }
                    }
                if (both == 1) p[1][0] = p[1][1] = d[1][0] = d[1][1] = (vf){0};
                for (int e = 0; e < 2; e++) store_pairs(s.p_rows + (i + e) * s.row + j / 2, pair_within(d[e][0], d[e][1]));
                for (int w = 0; w < 2; w++) {
                    store_pairs(s.p_columns + i / 2 * s.lanes + j + w * W, pair_up(p[0][w], p[1][w]));
                    store_pairs(s.s_columns + i / 2 * s.lanes + j + w * W, pair_up(d[0][w], d[1][w]));
                }
            }
        }
        head_product(rows, s.width, pairs_of(L), s.p_rows, (a_layout){s.row, 1, H_ROWS * s.row}, s.k_down, s.out, false);
        write_head(after(dq, r0 * r.step), r.step, s.out, s.width, rows, D, NULL);
        a_layout layout = keys_by_queries(s.p_columns, pairs, s.lanes, s.spare);
        head_product(L, s.width, pairs_of(rows), s.p_columns, layout, s.d_panels, s.d_values, r0 > 0);
        keys_by_queries(s.s_columns, pairs, s.lanes, s.spare);
        head_product(L, s.width, pairs_of(rows), s.s_columns, layout, s.q_panels, s.d_keys, r0 > 0);
    }
    write_head(dk, 3 * C, s.d_keys, s.width, L, D, NULL);
    write_head(dv, 3 * C, s.d_values, s.width, L, D, NULL);
    UNITS_END();
}

static void attend_head_bf16(attention_job *job, int64_t b, int64_t h, bool is_last, int worker) {
    WITH_HALF(job->a->qkv, attend_head_of(job, b, h, is_last, worker, half));
}
static void attend_backward_head_bf16(attention_job *job, int64_t b, int64_t h, bool is_last, int worker) {
    WITH_HALF(job->a->qkv, attend_backward_head_of(job, b, h, is_last, worker, half));
}
