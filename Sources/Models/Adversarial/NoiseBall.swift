/// Norm, projection and ascent of one example's noise δ [length, C], in double.
struct NoiseBall {
    let norm: NoiseSettings.Norm
    /// ω and ρ
    let radius: Double, stepSize: Double
    let C: Int

    init(_ settings: NoiseSettings, C: Int) {
        (norm, radius, stepSize, self.C) = (settings.norm, settings.radius, settings.stepSize, C)
    }

    /// ‖δ‖₂ over all tokens, or the largest |δᵢ|.
    @_specialize(where Scalar == Float)
    @_specialize(where Scalar == Double)
    func size<Scalar: BinaryFloatingPoint>(_ x: UnsafePointer<Scalar>, length: Int) -> Double {
        switch norm {
        case .l2:
            var sum = 0.0
            for i in 0..<length * C { sum += Double(x[i]) * Double(x[i]) }
            return sum.squareRoot()
        case .lInfinity:
            return Self.largest(x, length * C)
        }
    }

    /// δ ← Π_ω(δ): the nearest point of the ball.
    @_specialize(where Scalar == Float)
    @_specialize(where Scalar == Double)
    func project<Scalar: BinaryFloatingPoint>(_ x: UnsafeMutablePointer<Scalar>, length: Int) {
        guard radius.isFinite else { return }
        switch norm {
        case .l2:
            let size = size(x, length: length)
            guard size > radius else { return }
            let factor = radius / size
            for i in 0..<length * C { x[i] = Scalar(Double(x[i]) * factor) }
        case .lInfinity:
            for i in 0..<length * C { x[i] = Scalar(min(max(Double(x[i]), -radius), radius)) }
        }
    }

    /// δ ← Π_ω(δ + ρ·g/‖g‖), ‖g‖ of the example or of each token. Where ‖g‖ is 0 or not finite δ stays.
    @_specialize(where Scalar == Float)
    @_specialize(where Scalar == Double)
    func ascend<Scalar: BinaryFloatingPoint>(_ x: UnsafeMutablePointer<Scalar>, _ gradient: UnsafePointer<Scalar>, length: Int) {
        func move(_ from: Int, _ count: Int, _ size: Double) {
            guard size > 0, size.isFinite else { return }
            for i in from..<from + count { x[i] = Scalar(Double(x[i]) + stepSize * (Double(gradient[i]) / size)) }
        }
        switch norm {
        case .l2: move(0, length * C, size(gradient, length: length))
        case .lInfinity: for t in 0..<length { move(t * C, C, Self.largest(gradient + t * C, C)) }
        }
        project(x, length: length)
    }

    /// Whether δ of this size touches the ball's surface.
    func isOnSurface(_ size: Double) -> Bool { size >= radius * (1 - 1e-6) }

    /// The largest absolute value; NaN where there is one.
    @_specialize(where Scalar == Float)
    @_specialize(where Scalar == Double)
    private static func largest<Scalar: BinaryFloatingPoint>(_ x: UnsafePointer<Scalar>, _ count: Int) -> Double {
        var largest = 0.0
        for i in 0..<count {
            let size = abs(Double(x[i]))
            if !(size <= largest) { largest = size }
            if size.isNaN { return size }
        }
        return largest
    }
}
