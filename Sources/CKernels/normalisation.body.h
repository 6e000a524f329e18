// Residual + dropout + LayerNorm, and the embedding sum, each in one pass over a row that stays in cache.

/// y = (z − mean)·rstd·γ + β for one row; two passes over the row, as PyTorch's numerics.
INLINE void norm_row(const float *z, const float *gamma, const float *beta, float epsilon, int64_t C, float *statistics,
                     float *y) {
    vf sum = {0};
    for (int64_t i = 0; i < C; i += W) sum += load_some(z + i, C - i);
    float mean = sum_lanes(sum) / (float)C;
    vf squares = {0};
    for (int64_t i = 0; i < C; i += W) {
        vf d = load_some(z + i, C - i) - mean;
        if (C - i < W) d = select_f(first_lanes(C - i), d, splat(0));
        squares += d * d;
    }
    float rstd = 1.f / sqrtf(sum_lanes(squares) / (float)C + epsilon);
    statistics[0] = mean;
    statistics[1] = rstd;
    for (int64_t i = 0; i < C; i += W) {
        vf x = (load_some(z + i, C - i) - mean) * rstd;
        store_some(y + i, x * load_some(gamma + i, C - i) + load_some(beta + i, C - i), C - i);
    }
}

INLINE void drop_row(float *x, int64_t C, const ck_dropout *d, int64_t t, drop_rate rate) {
    uint64_t row = row_key(d->key, d->example[t], d->position[t]);
    for (int64_t i = 0; i < C; i += W)
        store_some(x + i, load_some(x + i, C - i) * dropout_factor(row, (uint32_t)i, rate), C - i);
}

typedef struct {
    int64_t T, C;
    float *branch;
    const float *residual, *gamma, *beta;
    float epsilon;
    const ck_dropout *d;
    float *statistics, *y;
} residual_norm_job;

static void residual_norm_item(void *raw, int64_t index, int worker) {
    (void)worker;
    residual_norm_job *j = raw;
    int64_t C = j->C, end = (index + 1) * ROWS_PER_ITEM < j->T ? (index + 1) * ROWS_PER_ITEM : j->T;
    drop_rate rate = drop_rate_of(j->d ? j->d->probability : 0);
    for (int64_t t = index * ROWS_PER_ITEM; t < end; t++) {
        float *z = j->branch + t * C;
        if (rate.on) drop_row(z, C, j->d, t, rate);
        const float *residual = j->residual + t * C;
        for (int64_t i = 0; i < C; i += W) store_some(z + i, load_some(z + i, C - i) + load_some(residual + i, C - i), C - i);
        norm_row(z, j->gamma, j->beta, j->epsilon, C, j->statistics + 2 * t, j->y + t * C);
    }
}

static void residual_norm(ck_context *context, int64_t T, int64_t C, float *branch, const float *residual,
                          const float *gamma, const float *beta, float epsilon, const ck_dropout *d, float *statistics,
                          float *y) {
    residual_norm_job j = {T, C, branch, residual, gamma, beta, epsilon, d, statistics, y};
    ck_parallel(context, (T + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM, residual_norm_item, &j);
}

typedef struct {
    int64_t T, C;
    const float *dy, *z, *statistics, *gamma;
    const ck_dropout *before;    // dropout of dy, applied before the norm's backward (embeddings)
    const ck_dropout *after;     // dropout of dz, giving d_branch
    float *dz, *partial;
    ck_elements d_branch;
} norm_backward_job;

// One item keeps partial sums of dγ and dβ over its rows; they are added in order afterwards.
enum { NORM_ROWS = 128 };

INLINE void norm_backward_rows(const norm_backward_job *j, int64_t index, bool half) {
    ck_elements branch = {j->d_branch.at, half};
    int64_t C = j->C, end = (index + 1) * NORM_ROWS < j->T ? (index + 1) * NORM_ROWS : j->T;
    float *dgamma = j->partial ? j->partial + index * 2 * C : NULL, *dbeta = j->partial ? dgamma + C : NULL;
    if (dgamma) memset(dgamma, 0, (size_t)(2 * C) * sizeof(float));
    drop_rate before = drop_rate_of(j->before ? j->before->probability : 0);
    drop_rate after = drop_rate_of(j->after ? j->after->probability : 0);
    for (int64_t t = index * NORM_ROWS; t < end; t++) {
        const float *z = j->z + t * C, *dy = j->dy + t * C;
        float mean = j->statistics[2 * t], rstd = j->statistics[2 * t + 1];
        float *dz = j->dz + t * C;
        uint64_t row = before.on ? row_key(j->before->key, j->before->example[t], j->before->position[t]) : 0;
        vf sum = {0}, dot = {0};
        for (int64_t i = 0; i < C; i += W) {
            int64_t n = C - i;
            vf d = load_some(dy + i, n);
            if (before.on) d *= dropout_factor(row, (uint32_t)i, before);
            vf x = (load_some(z + i, n) - mean) * rstd;
            vf g = d * load_some(j->gamma + i, n);
            sum += g;   // lanes past the end are zero, for dy is
            dot += g * x;
            if (dgamma) {
                store_some(dgamma + i, load_some(dgamma + i, n) + d * x, n);
                store_some(dbeta + i, load_some(dbeta + i, n) + d, n);
            }
            store_some(dz + i, g, n);
        }
        float mean_g = sum_lanes(sum) / (float)C, mean_gx = sum_lanes(dot) / (float)C;
        uint64_t after_row = after.on ? row_key(j->after->key, j->after->example[t], j->after->position[t]) : 0;
        for (int64_t i = 0; i < C; i += W) {
            int64_t n = C - i;
            vf x = (load_some(z + i, n) - mean) * rstd;
            vf d = (load_some(dz + i, n) - mean_g - x * mean_gx) * rstd;
            store_some(dz + i, d, n);
            if (branch.at)
                store_elements(branch, t * C + i, after.on ? d * dropout_factor(after_row, (uint32_t)i, after) : d, n);
        }
    }
}

static void norm_backward_item(void *raw, int64_t index, int worker) {
    (void)worker;
    norm_backward_job *j = raw;
    WITH_HALF(j->d_branch, norm_backward_rows(j, index, half));
}

static void norm_backward(ck_context *context, norm_backward_job *j, float *dgamma, float *dbeta) {
    int64_t chunks = (j->T + NORM_ROWS - 1) / NORM_ROWS, C = j->C;
    j->partial = dgamma || dbeta ? ck_shared_scratch(context, (size_t)(chunks * 2 * C + 1) * sizeof(float)) : NULL;
    ck_parallel(context, chunks, norm_backward_item, j);
    if (!j->partial) return;
    for (int64_t c = 0; c < chunks; c++)
        for (int64_t i = 0; i < C; i++) {
            if (dgamma) dgamma[i] += j->partial[c * 2 * C + i];
            if (dbeta) dbeta[i] += j->partial[c * 2 * C + C + i];
        }
}

static void residual_norm_backward(ck_context *context, int64_t T, int64_t C, const float *dy, const float *z,
                                   const float *statistics, const float *gamma, const ck_dropout *d, float *dz,
                                   ck_elements d_branch, float *dgamma, float *dbeta) {
    norm_backward_job j = {.T = T, .C = C, .dy = dy, .z = z, .statistics = statistics, .gamma = gamma, .after = d,
                           .dz = dz, .d_branch = d_branch};
    norm_backward(context, &j, dgamma, dbeta);
}

// ---------------------------------------------------------------------------------------------- embeddings

static void embed_item(void *raw, int64_t index, int worker) {
    (void)worker;
    const ck_embedding *e = raw;
    int64_t C = e->C, end = (index + 1) * ROWS_PER_ITEM < e->T ? (index + 1) * ROWS_PER_ITEM : e->T;
    drop_rate rate = drop_rate_of(e->dropout.probability);
    for (int64_t t = index * ROWS_PER_ITEM; t < end; t++) {
        const float *word = e->word + e->ids[t] * C, *position = e->position + e->positions[t] * C;
        const float *type = e->type + e->types[t] * C;
        float *z = e->z + t * C, *y = e->y + t * C;
        for (int64_t i = 0; i < C; i += W) {
            int64_t n = C - i;
            vf x = load_some(word + i, n);
            if (e->word_noise) x += load_some(e->word_noise + t * C + i, n);
            store_some(z + i, x + load_some(type + i, n) + load_some(position + i, n), n);
        }
        norm_row(z, e->gamma, e->beta, e->epsilon, C, e->statistics + 2 * t, y);
        if (e->norm_noise)
            for (int64_t i = 0; i < C; i += W)
                store_some(y + i, load_some(y + i, C - i) + load_some(e->norm_noise + t * C + i, C - i), C - i);
        if (rate.on) drop_row(y, C, &e->dropout, t, rate);
    }
}

static void embed(ck_context *context, const ck_embedding *e) {
    ck_parallel(context, (e->T + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM, embed_item, (void *)e);
}

static void embed_backward_norm(ck_context *context, const ck_embedding *e, float *dy, float *dgamma, float *dbeta) {
    norm_backward_job j = {.T = e->T, .C = e->C, .dy = dy, .z = e->z, .statistics = e->statistics, .gamma = e->gamma,
                           .before = &e->dropout, .dz = dy};
    norm_backward(context, &j, dgamma, dbeta);
}

typedef struct { int64_t T, C; const int32_t *index; const float *dz; float *table; } scatter_job;
enum { SCATTER_COLUMNS = 64 };

// An item owns a range of columns and takes the tokens in order, so repeated ids add up in a fixed order.
static void scatter_item(void *raw, int64_t item, int worker) {
    (void)worker;
    scatter_job *j = raw;
    int64_t from = item * SCATTER_COLUMNS, n = j->C - from < SCATTER_COLUMNS ? j->C - from : SCATTER_COLUMNS;
    for (int64_t t = 0; t < j->T; t++) {
        float *row = j->table + j->index[t] * j->C + from;
        const float *d = j->dz + t * j->C + from;
        for (int64_t i = 0; i < n; i += W) store_some(row + i, load_some(row + i, n - i) + load_some(d + i, n - i), n - i);
    }
}

static void scatter_add(ck_context *context, int64_t T, int64_t C, const int32_t *index, const float *dz, float *table) {
    scatter_job j = {T, C, index, dz, table};
    ck_parallel(context, (C + SCATTER_COLUMNS - 1) / SCATTER_COLUMNS, scatter_item, &j);
}
