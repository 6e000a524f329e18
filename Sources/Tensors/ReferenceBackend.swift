/// Every operation of `Backend` as plain loops over its formula, on one thread, in float or double: the oracle.
///
/// It shares no code with the kernels but the random bits of dropout. Elementary functions are those of the C library
/// in double, rounded to `Scalar`. The operations are compiled once more for double, where nearly all its use is:
/// without that each addition of a test in another module would be a call.
public final class ReferenceBackend<Scalar: BinaryFloatingPoint & SIMDScalar>: Backend {
    // The protocol's aliases are not in sight of a generic conformer's signatures.
    public typealias Source = UnsafePointer<Scalar>
    public typealias Target = UnsafeMutablePointer<Scalar>

    public internal(set) var counts = ProductCounts()

    public init() {}

    public var keepsBF16: Bool { false }

    public var name: String { "reference-\(Scalar.self)".lowercased() }

    @_specialize(where Scalar == Double)
    public func multiply(_ p: Product<Scalar>) {
        counts.count(p)
        let a = p.a.scalars, b = p.b.scalars, c = p.c.scalars, activated = p.activated?.scalars, uToH = p.uToH?.scalars
        for i in 0..<p.m {
            for j in 0..<p.n {
                var sum: Scalar = 0
                for k in 0..<p.k { sum += a[i * p.aRow + k * p.aColumn] * b[k * p.bRow + j * p.bColumn] }
                if p.accumulates { sum += c[i * p.cRow + j] }
                if let bias = p.bias { sum += bias[j] }
                c[i * p.cRow + j] = sum
                if let activated { activated[i * p.cRow + j] = p.activation.value(sum) }
                if let uToH {
                    let u = uToH[i * p.cRow + j]
                    c[i * p.cRow + j] *= p.activation.derivative(u)
                    uToH[i * p.cRow + j] = p.activation.value(u)
                }
            }
        }
    }

    @_specialize(where Scalar == Double)
    public func addColumnSums(rows: Int, columns: Int, _ x: Elements<Scalar>, stride: Int, into out: Target) {
        let x = x.scalars
        for j in 0..<columns {
            var sum: Scalar = 0
            for i in 0..<rows { sum += x[i * stride + j] }
            out[j] += sum
        }
    }

    @_specialize(where Scalar == Double)
    public func drop(rows: Int, columns: Int, _ x: Target, _ dropout: Dropout) {
        for t in 0..<rows {
            for i in 0..<columns { x[t * columns + i] *= dropout.factor(row: t, feature: i) }
        }
    }
}

extension Dropout {
    /// 1/(1 − p) where an element is kept, 0 where it is dropped, 1 when dropout is off.
    func factor<Scalar: BinaryFloatingPoint>(row: Int, feature: Int) -> Scalar {
        Self.factor(key: key, probability: probability, example: example[row], position: position[row],
                    feature: feature)
    }

    static func factor<Scalar: BinaryFloatingPoint>(key: UInt64, probability: Float, example: @autoclosure () -> Int32,
                                                    position: Int32, feature: Int) -> Scalar {
        guard probability > 0 else { return 1 }
        let bits = CounterRNG.bits(key: key, example: example(), position: position, feature: Int32(feature))
        return bits >= CounterRNG.dropoutThreshold(probability) ? 1 / (1 - Scalar(probability)) : 0
    }
}
