#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

extension Activation {
    /// a(x).
    func value<Scalar: BinaryFloatingPoint>(_ x: Scalar) -> Scalar {
        let x = Double(x)
        switch self {
        case .none: return Scalar(x)
        case .gelu: return Scalar(x * normalDistribution(x))
        case .geluTanh: return Scalar(0.5 * x * (1 + tanh(tanhArgument(x))))
        case .relu: return Scalar(x <= 0 ? 0 : x)  // a NaN stays one
        }
    }

    /// a′(x). At 0, relu's is 0.
    func derivative<Scalar: BinaryFloatingPoint>(_ x: Scalar) -> Scalar {
        let x = Double(x)
        switch self {
        case .none: return 1
        case .gelu: return Scalar(normalDistribution(x) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
        case .geluTanh:
            let t = tanh(tanhArgument(x))
            let slope = (2 / Double.pi).squareRoot() * (1 + 3 * 0.044715 * x * x)
            return Scalar(0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)
        case .relu: return x <= 0 ? 0 : 1
        }
    }
}

/// Φ(x) = ½·erfc(−x/√2), which unlike 1 + erf keeps its digits for large negative x.
private func normalDistribution(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

/// √(2/π)·(x + 0.044715x³)
private func tanhArgument(_ x: Double) -> Double { (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x) }
