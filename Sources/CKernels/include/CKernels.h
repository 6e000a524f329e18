/// The kernels of the CPU backend, in C with run-time dispatch.
///
/// Dimension letters: T tokens of a packed batch, B sequences, C hidden width, H heads, D head width (C = H·D),
/// F feed-forward width, V vocabulary, M×K times K×N a matrix product.
///
/// Every array is row-major float32 unless said otherwise. Nothing here allocates inside a call once `ck_context`
/// has met the largest shape. Work is cut into items by the shape alone and every item is computed by one thread in a
/// fixed order, so results do not depend on the number of threads.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Instruction sets with kernels of their own, in rising order of preference; then, for tests, sets whose products of bfloat16
/// do in plain C what the units of others do. Sets from AVX512 on differ in products and attention of bfloat16 alone.
typedef enum {
    CK_ISA_BASELINE = 0, CK_ISA_AVX2 = 1, CK_ISA_AVX512 = 2, CK_ISA_AVX512BF16 = 3, CK_ISA_AMX = 4,
    CK_ISA_AVX512BF16_EMULATED = 5, CK_ISA_AMX_EMULATED = 6
} ck_isa;

/// The best set that this processor and its system can run. Asks the system once for leave to use tiles.
ck_isa ck_isa_best(void);
/// Whether this machine can run the kernels of a set.
bool ck_isa_available(ck_isa isa);
/// Whether the set's units multiply bfloat16 in less time than this processor's vector units multiply float32.
bool ck_isa_favors_bf16(ck_isa isa);
/// "baseline", "avx2", "avx512", "avx512bf16", "amx", "avx512bf16-emulated", "amx-emulated".
const char *ck_isa_name(ck_isa isa);

/// Processors that this process may run on.
int ck_processor_count(void);

/// A pool of threads with their scratch memory, bound to one instruction set.
typedef struct ck_context ck_context;

/// Null when threads cannot be made. `threads` counts the calling one.
ck_context *ck_context_create(int threads, ck_isa isa);
void ck_context_destroy(ck_context *context);
int ck_context_threads(const ck_context *context);
/// Bytes of scratch that the context holds.
int64_t ck_context_scratch_bytes(const ck_context *context);

/// Calls `body(argument, index, worker)` once for each index below `count`, on all threads, and waits.
void ck_parallel(ck_context *context, int64_t count, void (*body)(void *argument, int64_t index, int worker), void *argument);

// ---------------------------------------------------------------------------------------------- memory

/// Elements in memory: float32, or bfloat16 where `half` is set. Writing rounds to nearest even.
typedef struct { void *at; bool half; } ck_elements;

/// Whether products and attention in CK_BF16 take their arrays as bfloat16 too, in any mixture, on this set. Elsewhere, and in
/// CK_FP32, they are float32; what else takes `ck_elements` takes both on every set.
bool ck_isa_takes_half(ck_isa isa);

// ---------------------------------------------------------------------------------------------- products

typedef enum { CK_ACT_NONE = 0, CK_ACT_GELU = 1, CK_ACT_GELU_TANH = 2, CK_ACT_RELU = 3 } ck_activation;

/// What products multiply: float32, or its elements rounded to bfloat16 (nearest even). Sums are float32 in either case.
typedef enum { CK_FP32 = 0, CK_BF16 = 1 } ck_format;

/// C[i,j] = Σ_k A(i,k)·B(k,j) (+ C[i,j] when `accumulate`) (+ bias[j]); A(i,k) = a[i·a_row + k·a_col], likewise B.
/// With `activated`, activated[i,j] = activation(C[i,j]) besides (same leading dimension).
/// With `u_to_h`, which holds u (same leading dimension), C[i,j] ← C[i,j]·activation′(u[i,j]) at the end, and u ← activation(u).
/// The order of a sum over k depends on K alone, so a row's result does not depend on the other rows.
typedef struct {
    ck_format format;
    int64_t m, n, k;
    ck_elements a; int64_t a_row, a_col;
    ck_elements b; int64_t b_row, b_col;
    ck_elements c; int64_t c_row;
    bool accumulate;             ///< C is float32
    const float *bias;
    ck_activation activation;    ///< of C as it is in memory
    void *activated;             ///< in memory as C is
    void *u_to_h;                ///< likewise
    const void *packed_b;        ///< B as `ck_pack_b` made it, which is read in place of b; or null
} ck_product;
void ck_multiply(ck_context *context, const ck_product *product);

/// Bytes of a product's B as the units of the context's set multiply it; 0 where they take it in no form of its own.
int64_t ck_packed_b_bytes(const ck_context *context, const ck_product *product);
/// Writes it, aligned to 64, for all products of this B with this n and k, on this set. Not for those of 0 bytes.
void ck_pack_b(ck_context *context, const ck_product *product, void *packed);

/// out[j] += Σ_i x[i,j]: the gradient of a bias. x is [rows, columns] with `row` elements between rows.
void ck_add_column_sums(ck_context *context, int64_t rows, int64_t columns, ck_elements x, int64_t row, float *out);

// ---------------------------------------------------------------------------------------------- dropout

/// Inverted dropout from a counter-based generator: an element is a pure function of
/// (key, example, position, feature). `key` already mixes seed, step and site. probability 0 is off.
typedef struct {
    uint64_t key;
    float probability;
    const int32_t *example;   ///< [T] index of the token's example in the whole batch
    const int32_t *position;  ///< [T] index of the token in its sequence
} ck_dropout;

/// Mixes seed, step and site into a key.
uint64_t ck_dropout_key(uint64_t seed, uint64_t step, uint64_t site);
/// The 32 random bits of one element: the naive twin of what the kernels compute.
uint32_t ck_dropout_bits(uint64_t key, int32_t example, int32_t position, int32_t feature);
/// An element is kept when its bits are at least this.
uint32_t ck_dropout_threshold(float probability);
/// x[i,:] ← dropped(x[i,:]) for [rows, columns]; example[i] and position[i] index the rows. Its own backward.
void ck_dropout_rows(ck_context *context, int64_t rows, int64_t columns, float *x, const ck_dropout *dropout);

// ---------------------------------------------------------------------------------------------- normalisation

/// z = residual + drop(branch), y = (z − mean)/√(var + ε)·γ + β; `branch` is overwritten by z.
/// statistics[2t] = mean, [2t+1] = 1/√(var + ε).
void ck_residual_norm(ck_context *context, int64_t T, int64_t C, float *branch_to_z, const float *residual,
                      const float *gamma, const float *beta, float epsilon, const ck_dropout *dropout,
                      float *statistics, float *y);

/// Backward of `ck_residual_norm`: dz = gradient of z from dy, d_branch = dropped dz (may be null when dropout is off),
/// dgamma += Σ dy·x̂ and dbeta += Σ dy. dy and dz may be the same array.
void ck_residual_norm_backward(ck_context *context, int64_t T, int64_t C, const float *dy, const float *z,
                               const float *statistics, const float *gamma, const ck_dropout *dropout,
                               float *dz, ck_elements d_branch, float *dgamma, float *dbeta);

/// z = (word[id] + word_noise[t]) + type[t] + position[p]; y = drop(norm(z) + norm_noise[t]). Null noise is none.
typedef struct {
    int64_t T, C;
    const int32_t *ids, *positions, *types;  ///< rows of the three tables
    const float *word, *position, *type;
    const float *gamma, *beta;
    float epsilon;
    ck_dropout dropout;
    const float *word_noise, *norm_noise;  ///< [T, C] each, or null
    float *z, *statistics, *y;
} ck_embedding;
void ck_embed(ck_context *context, const ck_embedding *embedding);

/// Backward of `ck_embed`: dy is overwritten by dz, the gradient of the sum; dgamma, dbeta accumulate; null skips them.
void ck_embed_backward_norm(ck_context *context, const ck_embedding *embedding, float *dy_to_dz, float *dgamma, float *dbeta);
/// table[index[t],:] += dz[t,:], tokens in order.
void ck_scatter_add(ck_context *context, int64_t T, int64_t C, const int32_t *index, const float *dz, float *table);

// ---------------------------------------------------------------------------------------------- attention

/// Self-attention of packed sequences: token t holds q, k, v at qkv[t, 0], [t, C], [t, 2C], rows of 3C.
/// context = drop(softmax(q·kᵀ/√D))·v per sequence and head; log_sum[t,h] = log Σ exp(score).
/// With first_only the first token of each sequence is its one query: q is first_q [B, C], what qkv has in its place is not
/// read, and example, context and log_sum have a row a sequence. No sequence is empty then.
typedef struct {
    ck_format format;            ///< of its products; scores, softmax and dropout are float32
    int64_t B, H, D;
    const int32_t *starts;       ///< [B+1] first token of each sequence
    const int32_t *example;      ///< [T], or [B], as in ck_dropout
    uint64_t key;                ///< of head 0; head h uses key + h
    float probability;
    bool first_only;
    ck_elements qkv, first_q;
    ck_elements context;         ///< [T, C], or [B, C]
    float *log_sum;              ///< [T, H], or [B, H]
    int64_t longest;             ///< length of the longest sequence
} ck_attention;
void ck_attend(ck_context *context, const ck_attention *attention);
/// Backward: dqkv is overwritten; with first_only d_first_q [B, C] in the place of its dq, which is left as it is. The probabilities
/// are computed again from log_sum.
void ck_attend_backward(ck_context *context, const ck_attention *attention, ck_elements d_context, ck_elements dqkv,
                        ck_elements d_first_q);

// ---------------------------------------------------------------------------------------------- measuring

/// Runs the register kernel of products `rounds` times on each thread, on panels that stay in the first-level cache.
/// Returns the floating-point operations done.
double ck_ceiling(ck_context *context, ck_format format, int64_t rounds);

// ---------------------------------------------------------------------------------------------- elementwise, for tests

void ck_exp(ck_context *context, int64_t n, const float *x, float *y);
void ck_activate(ck_context *context, int64_t n, ck_activation activation, const float *x, float *y);

#ifdef __cplusplus
}
#endif
#endif
