// The rate of the register kernels on panels that stay in the first-level cache: what products cannot exceed on this machine.

enum { CEILING_DEPTH = 128 };

typedef struct { ck_context *context; ck_format format; int64_t rounds; } ceiling_job;

static void ceiling_item(void *raw, int64_t index, int worker) {
    (void)index;
    ceiling_job *j = raw;
    enum { ROWS = 32, FLOATS = (ROWS + NR) * (CEILING_DEPTH + 32) + ROWS * NR };
    float *a = ck_worker_scratch(j->context, worker, FLOATS * sizeof(float));
    memset(a, 0, FLOATS * sizeof(float));
    float *b = a + ROWS * (CEILING_DEPTH + 32), *c = b + NR * (CEILING_DEPTH + 32);
#if CK_UNITS != CK_UNITS_NONE
    if (j->format == CK_BF16) {
        UNITS_BEGIN();
        for (int64_t i = 0; i < j->rounds; i++)
            block(CEILING_DEPTH / 2, (uint32_t *)a, layout_of(1, CEILING_DEPTH), (uint32_t *)b, c, NR, H_ROWS, NR, true);
        UNITS_END();
        return;
    }
#endif
    for (int64_t i = 0; i < j->rounds; i++) register_kernel(CEILING_DEPTH, a, b, c, NR, MR, NR, true);
}

static double ceiling(ck_context *context, ck_format format, int64_t rounds) {
    ceiling_job job = {context, format, rounds};
    int threads = ck_context_threads(context);
    ck_parallel(context, threads, ceiling_item, &job);
#if CK_UNITS != CK_UNITS_NONE
    int64_t rows = format == CK_BF16 ? H_ROWS : MR;
#else
    int64_t rows = MR;
#endif
    return 2. * (double)(threads * rounds * rows * NR) * CEILING_DEPTH;
}
