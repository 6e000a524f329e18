// Activation functions. Formulas as in PyTorch: gelu(x) = x·Φ(x); its tanh form; relu.

/// erf by two minimax polynomials (N. Juffa's single-precision erff), about 1 unit in the last place.
INLINE vf erf_f(vf a) {
    vf t = abs_f(a), s = a * a;
    vf r = t * -1.72853470e-5f + 3.83197126e-4f;
    vf u = t * -3.88396438e-3f + 2.42546219e-2f;
    r = r * s + u;
    r = r * t + -1.06777877e-1f;
    r = r * t + -6.34846687e-1f;
    r = r * t + -1.28717512e-1f;
    r = r * t - t;
    vf large = 1.f - exp_f(r);
    large = (vf)((vi)large | ((vi)a & (int32_t)0x80000000));
    vf p = s * -5.96761703e-4f + 4.99119423e-3f;
    p = p * s + -2.67681349e-2f;
    p = p * s + 1.12819925e-1f;
    p = p * s + -3.76125336e-1f;
    p = p * s + 1.28379166e-1f;
    p = p * a + a;
    return select_f(t > splat(0.927734375f), large, p);
}

INLINE vf tanh_f(vf x) { return 1.f - 2.f / (exp_f(2.f * x) + 1.f); }

#define GELU_TANH_INNER(x) (0.79788456080f * ((x) + 0.044715f * (x) * (x) * (x)))

INLINE vf activate_f(ck_activation kind, vf x) {
    switch (kind) {
    case CK_ACT_GELU: return 0.5f * x * (1.f + erf_f(x * 0.70710678118f));
    case CK_ACT_GELU_TANH: return 0.5f * x * (1.f + tanh_f(GELU_TANH_INNER(x)));
    case CK_ACT_RELU: return select_f(x <= splat(0), splat(0), x);  // lets a NaN through
    default: return x;
    }
}

/// The derivative; *y gets the activation itself.
INLINE vf activate_derivative_f(ck_activation kind, vf x, vf *y) {
    switch (kind) {
    case CK_ACT_GELU: {
        vf cdf = 0.5f * (1.f + erf_f(x * 0.70710678118f));
        *y = x * cdf;
        return cdf + x * (0.39894228040f * exp_f(-0.5f * x * x));
    }
    case CK_ACT_GELU_TANH: {
        vf t = tanh_f(GELU_TANH_INNER(x));
        *y = 0.5f * x * (1.f + t);
        vf inner = 0.79788456080f * (1.f + 3.f * 0.044715f * x * x);
        return 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * inner;
    }
    case CK_ACT_RELU: *y = select_f(x <= splat(0), splat(0), x); return select_f(x <= splat(0), splat(0), splat(1));
    default: *y = x; return splat(1);
    }
}

INLINE void activation_backward_range(ck_activation kind, float *u, float *dh, int64_t n) {
    for (int64_t i = 0; i < n; i += W) {
        vf y, d = activate_derivative_f(kind, load_some(u + i, n - i), &y);
        store_some(dh + i, load_some(dh + i, n - i) * d, n - i);
        store_some(u + i, y, n - i);
    }
}

/// (u, dh) → (h, du), in place: h = activation(u), du = dh·activation′(u).
static void activation_backward_row(ck_activation kind, float *u, float *dh, int64_t n) {
    switch (kind) {  // a constant kind, so that each loop is straight-line code
    case CK_ACT_GELU: activation_backward_range(CK_ACT_GELU, u, dh, n); break;
    case CK_ACT_GELU_TANH: activation_backward_range(CK_ACT_GELU_TANH, u, dh, n); break;
    case CK_ACT_RELU: activation_backward_range(CK_ACT_RELU, u, dh, n); break;
    default: break;
    }
}

INLINE void activate_range(ck_activation kind, const float *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i += W) store_some(y + i, activate_f(kind, load_some(x + i, n - i)), n - i);
}

static void activate_row(ck_activation kind, const float *x, float *y, int64_t n) {
    switch (kind) {
    case CK_ACT_GELU: activate_range(CK_ACT_GELU, x, y, n); break;
    case CK_ACT_GELU_TANH: activate_range(CK_ACT_GELU_TANH, x, y, n); break;
    case CK_ACT_RELU: activate_range(CK_ACT_RELU, x, y, n); break;
    default: memmove(y, x, (size_t)n * sizeof *x);
    }
}

static void activate(ck_context *context, int64_t n, ck_activation kind, const float *x, float *y) {
    (void)context;
    activate_row(kind, x, y, n);
}

static void exponential(ck_context *context, int64_t n, const float *x, float *y) {
    (void)context;
    for (int64_t i = 0; i < n; i += W) store_some(y + i, exp_f(load_some(x + i, n - i)), n - i);
}
