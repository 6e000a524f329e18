#define _GNU_SOURCE
#include "context.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/mman.h>
#if defined(__x86_64__)
#include <immintrin.h>
#define CK_PAUSE() _mm_pause()
#else
#define CK_PAUSE() ((void)0)
#endif

typedef struct { void *memory; size_t bytes; char padding[48]; } scratch;

struct ck_context {
    int threads;
    const ck_table *table;
    pthread_t *handles;
    scratch *worker_scratch;
    scratch shared_scratch;

    // One job at a time. A worker sees a new job by its generation, takes indices from `next` and reports at the end.
    void (*body)(void *, int64_t, int);
    void *argument;
    int64_t count;
    _Alignas(64) atomic_long next;
    _Alignas(64) atomic_uint generation;
    _Alignas(64) atomic_int running;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int sleeping;
    bool stop;
};

typedef struct { ck_context *context; int worker; } start_argument;

// Roughly 50 µs: longer than the pauses between the kernels of a step, shorter than a pause to read data.
enum { SPIN = 4000 };

static void take_items(ck_context *c, int worker) {
    for (;;) {
        int64_t index = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
        if (index >= c->count) return;
        c->body(c->argument, index, worker);
    }
}

static void *worker_main(void *raw) {
    start_argument start = *(start_argument *)raw;
    free(raw);
    ck_context *c = start.context;
    unsigned seen = 0;
    for (;;) {
        unsigned now = atomic_load_explicit(&c->generation, memory_order_acquire);
        for (int spin = 0; now == seen && spin < SPIN; spin++) {
            CK_PAUSE();
            now = atomic_load_explicit(&c->generation, memory_order_acquire);
        }
        if (now == seen) {
            pthread_mutex_lock(&c->mutex);
            c->sleeping++;
            while ((now = atomic_load_explicit(&c->generation, memory_order_acquire)) == seen && !c->stop)
                pthread_cond_wait(&c->wake, &c->mutex);
            c->sleeping--;
            pthread_mutex_unlock(&c->mutex);
        }
        if (c->stop) return NULL;
        seen = now;
        take_items(c, start.worker);
        atomic_fetch_sub_explicit(&c->running, 1, memory_order_release);
    }
}

ck_context *ck_context_create(int threads, ck_isa isa) {
    if (threads < 1 || !ck_isa_available(isa)) return NULL;
    ck_context *c = NULL;
    if (posix_memalign((void **)&c, 64, sizeof *c) != 0) return NULL;
    *c = (ck_context){.threads = threads};
    c->table = ck_isa_table(isa);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->wake, NULL);
    c->handles = calloc((size_t)threads, sizeof *c->handles);
    c->worker_scratch = calloc((size_t)threads, sizeof *c->worker_scratch);
    if (!c->handles || !c->worker_scratch) {
        c->threads = 0;
        ck_context_destroy(c);
        return NULL;
    }
    for (int i = 1; i < threads; i++) {
        start_argument *start = malloc(sizeof *start);
        if (start) *start = (start_argument){c, i};
        if (!start || pthread_create(&c->handles[i], NULL, worker_main, start) != 0) {
            free(start);
            c->threads = i;
            ck_context_destroy(c);
            return NULL;
        }
    }
    return c;
}

void ck_context_destroy(ck_context *c) {
    if (!c) return;
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    atomic_fetch_add(&c->generation, 1);
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    for (int i = 1; i < c->threads; i++) pthread_join(c->handles[i], NULL);
    for (int i = 0; i < c->threads; i++) free(c->worker_scratch[i].memory);
    free(c->shared_scratch.memory);
    free(c->worker_scratch);
    free(c->handles);
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->wake);
    free(c);
}

int ck_processor_count(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    return 1;
}

int ck_context_threads(const ck_context *c) { return c->threads; }
const ck_table *ck_context_table(const ck_context *c) { return c->table; }

int64_t ck_context_scratch_bytes(const ck_context *c) {
    int64_t bytes = (int64_t)c->shared_scratch.bytes;
    for (int i = 0; i < c->threads; i++) bytes += (int64_t)c->worker_scratch[i].bytes;
    return bytes;
}

void ck_parallel(ck_context *c, int64_t count, void (*body)(void *, int64_t, int), void *argument) {
    if (count <= 0) return;
    if (c->threads == 1 || count == 1) {
        for (int64_t i = 0; i < count; i++) body(argument, i, 0);
        return;
    }
    c->body = body;
    c->argument = argument;
    c->count = count;
    atomic_store_explicit(&c->next, 0, memory_order_relaxed);
    atomic_store_explicit(&c->running, c->threads - 1, memory_order_relaxed);
    pthread_mutex_lock(&c->mutex);
    atomic_fetch_add_explicit(&c->generation, 1, memory_order_release);
    if (c->sleeping) pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    take_items(c, 0);
    for (int spin = 0; atomic_load_explicit(&c->running, memory_order_acquire) != 0; spin++) {
        if (spin < SPIN) CK_PAUSE(); else sched_yield();
    }
}

static void *grow(scratch *s, size_t bytes) {
    if (bytes > s->bytes) {
        free(s->memory);
        size_t rounded = (bytes + 65535) / 65536 * 65536;
        bool large = rounded >= (4u << 20);
        if (posix_memalign(&s->memory, large ? 2u << 20 : 64, rounded) != 0) {
            fprintf(stderr, "out of memory: %zu bytes of scratch were asked for\n", rounded);
            abort();
        }
        if (large) madvise(s->memory, rounded, MADV_HUGEPAGE);
        s->bytes = rounded;
    }
    return s->memory;
}

void *ck_shared_scratch(ck_context *c, size_t bytes) { return grow(&c->shared_scratch, bytes); }
void *ck_worker_scratch(ck_context *c, int worker, size_t bytes) { return grow(&c->worker_scratch[worker], bytes); }
