// Inverted dropout from a counter: two rounds of a 32-bit mixer over (feature, row key); no state, no mask in memory.

INLINE uint64_t row_key(uint64_t key, int32_t example, int32_t position) {
    uint64_t x = ((uint64_t)(uint32_t)example << 32 | (uint32_t)position) * 0x9e3779b97f4a7c15u + key;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

INLINE vu mix_lanes(vu x) {
    x ^= x >> 16; x *= 0x7feb352du;
    x ^= x >> 15; x *= 0x846ca68bu;
    return x ^ x >> 16;
}

/// A probability of dropping, ready for use; `on` is false where it is 0.
typedef struct { bool on; uint32_t threshold; vf scale; } drop_rate;
INLINE drop_rate drop_rate_of(float probability) {
    if (probability <= 0) return (drop_rate){.scale = splat(1)};
    return (drop_rate){true, ck_dropout_threshold(probability), splat(1.f / (1.f - probability))};
}

/// The factor of features f … f+W−1: 1/(1 − p), or 0 where the element is dropped. The rate is on.
INLINE vf dropout_factor(uint64_t row, uint32_t f, drop_rate rate) {
    vu lane;
    for (int i = 0; i < W; i++) lane[i] = (uint32_t)i;
    vu x = lane * 0x9e3779b9u + (f * 0x9e3779b9u + (uint32_t)row);
    x = mix_lanes(mix_lanes(x) + (uint32_t)(row >> 32));
    return (vf)((vi)rate.scale & (vi)(x >= ((vu){0} + rate.threshold)));
}

typedef struct { int64_t rows, columns; float *x; const ck_dropout *d; } dropout_job;
enum { ROWS_PER_ITEM = 32 };

static void dropout_item(void *raw, int64_t index, int worker) {
    (void)worker;
    dropout_job *j = raw;
    drop_rate rate = drop_rate_of(j->d->probability);
    int64_t end = (index + 1) * ROWS_PER_ITEM < j->rows ? (index + 1) * ROWS_PER_ITEM : j->rows;
    for (int64_t t = index * ROWS_PER_ITEM; t < end; t++) {
        uint64_t row = row_key(j->d->key, j->d->example[t], j->d->position[t]);
        float *x = j->x + t * j->columns;
        for (int64_t i = 0; i < j->columns; i += W)
            store_some(x + i, load_some(x + i, j->columns - i) * dropout_factor(row, (uint32_t)i, rate), j->columns - i);
    }
}

static void dropout_rows(ck_context *context, int64_t rows, int64_t columns, float *x, const ck_dropout *d) {
    if (d->probability <= 0) return;
    dropout_job j = {rows, columns, x, d};
    ck_parallel(context, (rows + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM, dropout_item, &j);
}
