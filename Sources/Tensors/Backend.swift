/// The kernels that one device can run, at the grain of fused operations.
///
/// `Model` code is written once against this protocol: `CPUBackend` runs it in float32 at full speed,
/// `ReferenceBackend<Double>` runs it slowly and plainly as the oracle. Pointers are to row-major arrays whose shapes
/// each operation states. Dimension letters: T tokens, B sequences, C hidden width, H heads, D head width, F
/// feed-forward width. Shapes that disagree are programming errors; nothing here throws.
public protocol Backend: AnyObject {
    associatedtype Scalar: BinaryFloatingPoint & SIMDScalar
    typealias Source = UnsafePointer<Scalar>
    typealias Target = UnsafeMutablePointer<Scalar>

    /// Device and instruction set, for example `cpu-avx512`: part of a run's numeric path.
    var name: String { get }

    /// Whether products (but those marked as float32) and attention take `Elements` of bfloat16 now.
    var keepsBF16: Bool { get }

    /// Matrix products done so far by this backend.
    var counts: ProductCounts { get }

    /// C[i,j] = Σₖ A(i,k)·B(k,j), see `Product`.
    func multiply(_ product: Product<Scalar>)

    /// Runs `body`, during which no parameter changes that is B of a product: what they are turned into for this device may be kept
    /// from one product to the next.
    ///
    /// - Parameter uses: how often each is multiplied, forward or back, at least.
    func withFixedParameters<Result>(uses: Int, _ body: () throws -> Result) rethrows -> Result

    /// out[j] += Σᵢ x[i,j], x [rows, columns] with `stride` elements between rows: the gradient of a bias.
    func addColumnSums(rows: Int, columns: Int, _ x: Elements<Scalar>, stride: Int, into out: Target)

    /// x[i,:] ← dropped(x[i,:]), x [rows, columns]. Applied to a gradient it is its own backward.
    func drop(rows: Int, columns: Int, _ x: Target, _ dropout: Dropout)

    /// z = residual + drop(branch), y = LayerNorm(z); overwrites `branchToZ`, `statistics` [T, 2] and `y`, all [T, C].
    func residualNorm(T: Int, C: Int, branchToZ: Target, residual: Source, norm: Norm<Scalar>, dropout: Dropout,
                      statistics: Target, y: Target)

    /// Backward of `residualNorm`: overwrites `dz` (may be `dy`) and, unless nil, `dBranch`; adds to dGamma and dBeta
    /// unless they are nil.
    func residualNormBackward(T: Int, C: Int, dy: Source, z: Source, statistics: Source, norm: Norm<Scalar>,
                              dropout: Dropout, dz: Target, dBranch: Elements<Scalar>?, dGamma: Target?, dBeta: Target?)

    /// z = word[id] + position[p] + type[t], y = drop(LayerNorm(z)); with `noise` as `NoisePlace` says.
    func embed(_ embedding: EmbeddingPass<Scalar>)

    /// Backward of `embed` down to the sum: dy [T, C] is overwritten by dz; adds to dGamma and dBeta unless nil.
    func embedBackward(_ embedding: EmbeddingPass<Scalar>, dyToDz: Target, dGamma: Target?, dBeta: Target?)

    /// table[index[t],:] += dz[t,:] for t = 0 … T−1 in order.
    func scatterAdd(T: Int, C: Int, index: UnsafePointer<Int32>, dz: Source, table: Target)

    /// context = drop(softmax(q·kᵀ/√D))·v per sequence and head, on packed sequences.
    func attend(_ attention: AttentionPass<Scalar>)

    /// Backward of `attend`: overwrites dqkv [T, 3C] from dContext, which has the shape of `context`, all of one kind of elements.
    ///
    /// - Parameter dFirstQueries: [B, C], with `firstQueries` overwritten in the place of dqkv's first third, which is left as it is.
    func attendBackward(_ attention: AttentionPass<Scalar>, dContext: Elements<Scalar>, dqkv: Elements<Scalar>,
                        dFirstQueries: Elements<Scalar>?)
}

extension Backend {
    public func withFixedParameters<Result>(uses: Int, _ body: () throws -> Result) rethrows -> Result { try body() }
}

/// The functions between the two feed-forward products, by the formulas of PyTorch.
public enum Activation: String, Hashable, Sendable, CaseIterable {
    case none
    /// x·Φ(x)
    case gelu
    /// ½x·(1 + tanh(√(2/π)·(x + 0.044715x³)))
    case geluTanh
    case relu
}

/// A matrix product by strides: A(i,k) = a[i·aRow + k·aColumn], B(k,j) = b[k·bRow + j·bColumn], i < m, j < n, k < k.
public struct Product<Scalar> {
    public var m: Int, n: Int, k: Int
    public var a: Elements<Scalar>, aRow: Int, aColumn: Int
    public var b: Elements<Scalar>, bRow: Int, bColumn: Int
    public var c: Elements<Scalar>, cRow: Int
    /// Adds to C, which is not bfloat16, instead of overwriting it.
    public var accumulates = false
    /// [n], added to each row.
    public var bias: UnsafePointer<Scalar>?
    public var activation = Activation.none
    /// With an activation: a second output, activation(C) of C as it is in memory, of C's shape, stride and kind of elements.
    public var activated: Elements<Scalar>?
    /// With an activation a, instead: u, likewise. C ← C·a′(u), then u ← a(u): the activation's backward.
    public var uToH: Elements<Scalar>?
    /// Multiplied as float32 whatever the backend's precision.
    public var isFloat32 = false
    /// B is a parameter of a model.
    public var takesParameter = false
    /// What the product is for; it is counted as that.
    public var kind = ProductKind.forward

    /// y [rows, outputs] = x [rows, inputs]·wᵀ + bias, w [outputs, inputs].
    public static func linear(rows: Int, inputs: Int, outputs: Int, x: Elements<Scalar>,
                              weight: UnsafePointer<Scalar>, bias: UnsafePointer<Scalar>?,
                              y: Elements<Scalar>, yStride: Int? = nil) -> Product {
        Product(m: rows, n: outputs, k: inputs, a: x, aRow: inputs, aColumn: 1, b: Elements(weight), bRow: 1,
                bColumn: inputs, c: y, cRow: yStride ?? outputs, bias: bias, takesParameter: true)
    }

    /// dx [rows, inputs] (+)= dy [rows, outputs]·w.
    public static func linearInputGradient(rows: Int, inputs: Int, outputs: Int, dy: Elements<Scalar>,
                                           dyStride: Int? = nil, weight: UnsafePointer<Scalar>,
                                           dx: Elements<Scalar>, accumulates: Bool) -> Product {
        Product(m: rows, n: inputs, k: outputs, a: dy, aRow: dyStride ?? outputs, aColumn: 1, b: Elements(weight), bRow: inputs,
                bColumn: 1, c: dx, cRow: inputs, accumulates: accumulates, takesParameter: true, kind: .inputGradient)
    }

    /// dw [outputs, inputs] (+)= dyᵀ·x.
    public static func linearWeightGradient(rows: Int, inputs: Int, outputs: Int, dy: Elements<Scalar>,
                                            dyStride: Int? = nil, x: Elements<Scalar>,
                                            dw: UnsafeMutablePointer<Scalar>, accumulates: Bool = true) -> Product {
        Product(m: outputs, n: inputs, k: rows, a: dy, aRow: 1, aColumn: dyStride ?? outputs, b: x, bRow: inputs,
                bColumn: 1, c: Elements(dw), cRow: inputs, accumulates: accumulates, kind: .weightGradient)
    }
}

/// Inverted dropout from a counter-based generator: whether an element is kept is a pure function of
/// (key, example, position, feature), so masks do not depend on packing, micro-batches or threads.
public struct Dropout {
    /// Seed, step and site, mixed by `CounterRNG.key`.
    public var key: UInt64
    /// 0 turns it off.
    public var probability: Float
    /// [rows] index of the row's example in the whole batch.
    public var example: UnsafePointer<Int32>
    /// [rows] position of the row's token in its sequence.
    public var position: UnsafePointer<Int32>

    public init(key: UInt64, probability: Float, example: UnsafePointer<Int32>, position: UnsafePointer<Int32>) {
        self.key = key
        self.probability = probability
        self.example = example
        self.position = position
    }
}

/// (z − mean)/√(var + ε)·γ + β over the last dimension.
public struct Norm<Scalar> {
    public var gamma: UnsafePointer<Scalar>
    public var beta: UnsafePointer<Scalar>
    public var epsilon: Double

    public init(gamma: UnsafePointer<Scalar>, beta: UnsafePointer<Scalar>, epsilon: Double) {
        self.gamma = gamma
        self.beta = beta
        self.epsilon = epsilon
    }
}

/// Arguments of `embed`: T tokens, rows of three tables [·, C].
public struct EmbeddingPass<Scalar> {
    public var T: Int, C: Int
    public var ids: UnsafePointer<Int32>, positions: UnsafePointer<Int32>, types: UnsafePointer<Int32>
    public var word: UnsafePointer<Scalar>, position: UnsafePointer<Scalar>, type: UnsafePointer<Scalar>
    public var norm: Norm<Scalar>
    public var dropout: Dropout
    public var noise: EmbeddingNoise<Scalar>?
    /// [T, C], [T, 2], [T, C]
    public var z: UnsafeMutablePointer<Scalar>, statistics: UnsafeMutablePointer<Scalar>, y: UnsafeMutablePointer<Scalar>

    public init(T: Int, C: Int, ids: UnsafePointer<Int32>, positions: UnsafePointer<Int32>,
                types: UnsafePointer<Int32>, word: UnsafePointer<Scalar>, position: UnsafePointer<Scalar>,
                type: UnsafePointer<Scalar>, norm: Norm<Scalar>, dropout: Dropout, z: UnsafeMutablePointer<Scalar>,
                statistics: UnsafeMutablePointer<Scalar>, y: UnsafeMutablePointer<Scalar>) {
        (self.T, self.C, self.ids, self.positions, self.types) = (T, C, ids, positions, types)
        (self.word, self.position, self.type, self.norm, self.dropout) = (word, position, type, norm, dropout)
        (self.z, self.statistics, self.y) = (z, statistics, y)
    }
}

/// Arguments of `attend`: token t holds q, k, v at qkv[t, 0], [t, C], [t, 2C].
///
/// With `firstQueries` the first token of each sequence, which is not empty, is its only query; R, the number of queries, is B then, and
/// else T.
public struct AttentionPass<Scalar> {
    /// Sequences, tokens, heads, head width, length of the longest sequence.
    public var B: Int, T: Int, H: Int, D: Int, longest: Int
    /// [B + 1] first token of each sequence.
    public var starts: UnsafePointer<Int32>
    /// Of head 0; head h uses key + h. A row is a query, a feature a key.
    public var dropout: Dropout
    /// [T, 3C]
    public var qkv: Elements<Scalar>
    /// [B, C], of the kind of elements of qkv, where only first tokens are queries: their q, which is not read from qkv then.
    public var firstQueries: Elements<Scalar>?
    /// [R, C], [R, H]: the output, of the kind of elements of qkv, and log Σ exp of each row of scores.
    public var context: Elements<Scalar>, logSum: UnsafeMutablePointer<Scalar>

    public init(B: Int, T: Int, H: Int, D: Int, longest: Int, starts: UnsafePointer<Int32>, dropout: Dropout,
                qkv: Elements<Scalar>, firstQueries: Elements<Scalar>? = nil, context: Elements<Scalar>,
                logSum: UnsafeMutablePointer<Scalar>) {
        self.firstQueries = firstQueries
        (self.B, self.T, self.H, self.D, self.longest, self.starts) = (B, T, H, D, longest, starts)
        (self.dropout, self.qkv, self.context, self.logSum) = (dropout, qkv, context, logSum)
    }
}
