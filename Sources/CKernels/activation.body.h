// Activation functions. Formulas as in PyTorch: gelu(x) = x·Φ(x); its tanh form; relu.

#if CK_MASKS == 512
/// Coefficients, from the constant up, of the polynomials of degree 5 that are nearest to erf on [i/4, (i+1)/4], in f = a − (i + ½)/4.
static const float ERF_TABLE[6][16] = {
    {1.40316203e-01f, 4.04116899e-01f, 6.23240888e-01f, 7.84075081e-01f, 8.88388216e-01f, 9.48170066e-01f, 9.78443742e-01f, 9.91990030e-01f,
     9.97345984e-01f, 9.99217033e-01f, 9.99794602e-01f, 9.99952137e-01f, 9.99990106e-01f, 9.99998212e-01f, 9.99999702e-01f, 9.99999940e-01f},
    {1.11088526e+00f, 9.80352819e-01f, 7.63499558e-01f, 5.24745047e-01f, 3.18273962e-01f, 1.70359775e-01f, 8.04722533e-02f, 3.35458256e-02f,
     1.23408195e-02f, 4.00647800e-03f, 1.14787545e-03f, 2.90228490e-04f, 6.47587949e-05f, 1.27517833e-05f, 2.21593359e-06f, 3.39825789e-07f},
    {-1.38857558e-01f, -3.67625445e-01f, -4.77181554e-01f, -4.59150493e-01f, -3.58060330e-01f, -2.34247714e-01f, -1.30769402e-01f, -6.28989935e-02f,
     -2.62239985e-02f, -9.51495953e-03f, -3.01286369e-03f, -8.34249309e-04f, -2.02308394e-04f, -4.30168366e-05f, -8.02721570e-06f, -1.31555328e-06f},
    {-3.58718276e-01f, -2.34875023e-01f, -5.56747913e-02f, 9.29196477e-02f, 1.62450284e-01f, 1.57938004e-01f, 1.14841931e-01f, 6.74421415e-02f,
     3.30378078e-02f, 1.37305092e-02f, 4.89028171e-03f, 1.50242320e-03f, 3.99962708e-04f, 9.25610002e-05f, 1.86669549e-05f, 3.28675333e-06f},
    {6.81783259e-02f, 1.65413812e-01f, 1.75493687e-01f, 1.12152785e-01f, 2.83348728e-02f, -2.99830250e-02f, -4.93812673e-02f, -4.21630591e-02f,
     -2.64029279e-02f, -1.32059455e-02f, -5.46693848e-03f, -1.90853828e-03f, -5.68222604e-04f, -1.45342943e-04f, -3.21036641e-05f, -6.14645296e-06f},
    {1.03527993e-01f, 4.53261510e-02f, -2.70350482e-02f, -6.67091832e-02f, -6.10611960e-02f, -3.06439158e-02f, -2.30325200e-03f, 1.13280220e-02f,
     1.24442121e-02f, 8.36057868e-03f, 4.23641410e-03f, 1.72770733e-03f, 5.84262016e-04f, 1.66579775e-04f, 4.04595994e-05f, 8.43043017e-06f},
};

/// erf by sixteen polynomials, whose coefficients lie in registers; within 7e-8, and 1 from 4 on.
INLINE vf erf_f(vf a) {
    vf t = abs_f(a), near = min_f(t, splat(3.999f));
    vi index = __builtin_convertvector(near * 4.f, vi);
    vf f = near - (__builtin_convertvector(index, vf) + 0.5f) * 0.25f;
#define COEFFICIENT(d) (vf)_mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(ERF_TABLE[d]))
    vf p = COEFFICIENT(5);
    p = p * f + COEFFICIENT(4);
    p = p * f + COEFFICIENT(3);
    p = p * f + COEFFICIENT(2);
    p = p * f + COEFFICIENT(1);
    p = p * f + COEFFICIENT(0);
#undef COEFFICIENT
    p = select_f(t < splat(4), p, splat(1));
    p = select_f(a == a, p, a);  // a NaN stays one
    return (vf)((vi)p | ((vi)a & (int32_t)0x80000000));
}
#else
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
#endif

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
