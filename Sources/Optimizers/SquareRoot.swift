#if arch(x86_64)
    import _Builtin_intrinsics.intel.sse
#endif

/// √x for each lane, correctly rounded.
///
/// The standard library's `squareRoot()` of a vector calls the C function once for each lane, because that may set
/// `errno`; in an optimizer's inner loop this alone costs more than all its memory traffic.
@inline(__always)
func squareRoot(_ x: Lanes) -> Lanes {
    #if arch(x86_64)
        let low = x.lowHalf
        let high = x.highHalf
        return Lanes(
            lowHalf: SIMD8(lowHalf: _mm_sqrt_ps(low.lowHalf), highHalf: _mm_sqrt_ps(low.highHalf)),
            highHalf: SIMD8(lowHalf: _mm_sqrt_ps(high.lowHalf), highHalf: _mm_sqrt_ps(high.highHalf)))
    #else
        return x.squareRoot()
    #endif
}
