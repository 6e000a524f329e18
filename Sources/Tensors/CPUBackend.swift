internal import CKernels

/// Float32 on the CPU, with matrix products in float32 or bfloat16: C kernels chosen for the processor at run time, on a pool
/// of threads.
///
/// One backend belongs to one thread of control; its own threads live inside each call.
public final class CPUBackend: Backend {
    public typealias Scalar = Float

    public let instructionSet: InstructionSet
    public let threads: Int
    /// Of products that are not marked as float32, and of attention's. May be changed between passes of models that have room
    /// for both (`SequenceModel.init`, `changesPrecision`).
    public var precision: Precision
    let context: OpaquePointer
    private var packed = PackedParameters()
    public private(set) var counts = ProductCounts()
    /// Where the time went so far.
    public private(set) var times = PhaseTimes()

    /// Threads that may be used: the processors this process is allowed to run on.
    public static var processorCount: Int {
        Int(ck_processor_count())
    }

    /// - Parameter instructionSet: one that this machine can run.
    public init(threads: Int = CPUBackend.processorCount, instructionSet: InstructionSet = .best, precision: Precision = .fp32) {
        precondition(threads >= 1)
        self.threads = threads
        self.precision = precision
        // In float32 the sets with units for bfloat16 compute what plain AVX-512 does, and are called that.
        let instructionSet = precision == .fp32 && instructionSet.multipliesBF16 && !instructionSet.isEmulated ? .avx512 : instructionSet
        self.instructionSet = instructionSet
        guard let context = ck_context_create(Int32(threads), ck_isa(rawValue: instructionSet.rawValue)) else {
            fatalError("cannot start \(threads) threads with \(instructionSet) kernels")
        }
        self.context = context
    }

    deinit { ck_context_destroy(context) }

    public var name: String { "cpu-\(instructionSet)" }

    /// What a result may depend on besides its inputs: device, kernels with their revision from the second on, and number format, for
    /// example `cpu-avx2.2-fp32` or `cpu-amx.4-bf16`.
    public var numericPath: String {
        Self.numericPath(instructionSet, precision)
    }

    private static func numericPath(_ set: InstructionSet, _ precision: Precision) -> String {
        "cpu-\(set)\(set.revision == 1 ? "" : ".\(set.revision)")-\(precision)"
    }

    /// The set and the precision that compute by this numeric path, if this machine can run them, whatever the variable says.
    public static func kernels(of path: String) -> (set: InstructionSet, precision: Precision)? {
        InstructionSet.ofMachine.lazy.flatMap { set in Precision.allCases.map { (set, $0) } }.first { numericPath($0, $1) == path }
    }

    public var keepsBF16: Bool { precision == .bf16 && ck_isa_takes_half(ck_isa(rawValue: instructionSet.rawValue)) }

    private func timed(_ phase: Phase, _ operation: () -> Void) {
        let begin = Self.now
        operation()
        times[phase] += Self.now - begin
    }

    /// Calls `body(index)` once for every index below `count`, on all threads, and waits. Counted as the optimizer's time.
    public func parallel(_ count: Int, _ body: (Int) -> Void) {
        let begin = Self.now
        defer { times[.optimizer] += Self.now - begin }
        // The C function returns when every index is done, so the body does not outlive this call.
        withoutActuallyEscaping(body) { body in
            final class Box { let body: (Int) -> Void; init(_ body: @escaping (Int) -> Void) { self.body = body } }
            let box = Box(body)
            withExtendedLifetime(box) {
                ck_parallel(context, Int64(count), { raw, index, _ in
                    Unmanaged<Box>.fromOpaque(raw!).takeUnretainedValue().body(Int(index))
                }, Unmanaged.passUnretained(box).toOpaque())
            }
        }
    }

    public func multiply(_ p: Product<Float>) {
        precondition(keepsBF16 && !p.isFloat32 || !(p.a.isBF16 || p.b.isBF16 || p.c.isBF16), "this product takes float32 only")
        precondition(!(p.accumulates && p.c.isBF16) && [p.activated, p.uToH].allSatisfy { $0.map { $0.isBF16 == p.c.isBF16 } ?? true })
        var product = ck_product(
            format: p.isFloat32 ? CK_FP32 : precision.kernel, m: Int64(p.m), n: Int64(p.n), k: Int64(p.k),
            a: p.a.kernel, a_row: Int64(p.aRow), a_col: Int64(p.aColumn), b: p.b.kernel, b_row: Int64(p.bRow), b_col: Int64(p.bColumn),
            c: p.c.kernel, c_row: Int64(p.cRow), accumulate: p.accumulates, bias: p.bias, activation: p.activation.kernel,
            activated: p.activated?.address, u_to_h: p.uToH?.address, packed_b: nil)
        timed(Phase(p.kind)) {
            if p.takesParameter, packed.isOpen { product.packed_b = packedParameter(p, &product) }
            ck_multiply(context, &product)
        }
        counts.count(p)
    }

    public func withFixedParameters<Result>(uses: Int, _ body: () throws -> Result) rethrows -> Result {
        guard keepsParameters(uses: uses) else { return try body() }
        packed.begin()
        defer { packed.end() }
        return try body()
    }

    /// Whether it is worth the memory to keep what is used so often. The faster the units, the more of a product is packing.
    private func keepsParameters(uses: Int) -> Bool { keepsBF16 && uses >= (instructionSet.hasTiles ? 2 : 3) }

    /// Bytes that `withFixedParameters` keeps of matrices with so many elements together, an element that is multiplied both ways
    /// counted twice.
    public func keptBytes(elements: Int, uses: Int) -> Int {
        keepsParameters(uses: uses) ? min(elements * MemoryLayout<UInt16>.stride, PackedParameters.mostBytes) : 0
    }

    /// Bytes of memory that spans of fixed parameters have taken.
    var packedByteCount: Int { packed.byteCount }

    private func packedParameter(_ p: Product<Float>, _ product: inout ck_product) -> UnsafeRawPointer? {
        let byteCount = Int(ck_packed_b_bytes(context, &product))
        guard byteCount > 0 else { return nil }
        let key = PackedParameters.Key(address: p.b.address, n: p.n, k: p.k, row: p.bRow, column: p.bColumn)
        return packed.take(key, byteCount: byteCount) { ck_pack_b(context, &product, $0) }
    }

    public func addColumnSums(rows: Int, columns: Int, _ x: Elements<Float>, stride: Int, into out: Target) {
        timed(.biasGradients) { ck_add_column_sums(context, Int64(rows), Int64(columns), x.kernel, Int64(stride), out) }
    }

    public func drop(rows: Int, columns: Int, _ x: Target, _ dropout: Dropout) {
        var d = dropout.kernel
        timed(.dropout) { ck_dropout_rows(context, Int64(rows), Int64(columns), x, &d) }
    }

    public func residualNorm(T: Int, C: Int, branchToZ: Target, residual: Source, norm: Norm<Float>, dropout: Dropout,
                             statistics: Target, y: Target) {
        var d = dropout.kernel
        timed(.normalization) {
            ck_residual_norm(context, Int64(T), Int64(C), branchToZ, residual, norm.gamma, norm.beta, Float(norm.epsilon), &d,
                             statistics, y)
        }
    }

    public func residualNormBackward(T: Int, C: Int, dy: Source, z: Source, statistics: Source, norm: Norm<Float>,
                                     dropout: Dropout, dz: Target, dBranch: Elements<Float>?, dGamma: Target?, dBeta: Target?) {
        var d = dropout.kernel
        timed(.normalization) {
            ck_residual_norm_backward(context, Int64(T), Int64(C), dy, z, statistics, norm.gamma, &d, dz,
                                      dBranch?.kernel ?? ck_elements(at: nil, half: false), dGamma, dBeta)
        }
    }

    public func embed(_ e: EmbeddingPass<Float>) {
        var pass = e.kernel
        timed(.embeddings) { ck_embed(context, &pass) }
    }

    public func embedBackward(_ e: EmbeddingPass<Float>, dyToDz: Target, dGamma: Target?, dBeta: Target?) {
        var pass = e.kernel
        timed(.embeddings) { ck_embed_backward_norm(context, &pass, dyToDz, dGamma, dBeta) }
    }

    public func scatterAdd(T: Int, C: Int, index: UnsafePointer<Int32>, dz: Source, table: Target) {
        timed(.embeddings) { ck_scatter_add(context, Int64(T), Int64(C), index, dz, table) }
    }

    public func attend(_ a: AttentionPass<Float>) {
        var pass = kernel(a)
        timed(.attention) { ck_attend(context, &pass) }
        counts.countForward(a)
    }

    public func attendBackward(_ a: AttentionPass<Float>, dContext: Elements<Float>, dqkv: Elements<Float>,
                               dFirstQueries: Elements<Float>?) {
        precondition((a.firstQueries == nil) == (dFirstQueries == nil), "first queries have a gradient, and nothing else has it there")
        var pass = kernel(a, dContext, dqkv, dFirstQueries ?? dqkv)
        timed(.attentionBackward) {
            ck_attend_backward(context, &pass, dContext.kernel, dqkv.kernel, (dFirstQueries ?? dqkv).kernel)
        }
        counts.countBackward(a)
    }
}

extension Elements {
    fileprivate var kernel: ck_elements { ck_elements(at: address, half: isBF16) }
}

extension Activation {
    fileprivate var kernel: ck_activation {
        switch self {
        case .none: CK_ACT_NONE
        case .gelu: CK_ACT_GELU
        case .geluTanh: CK_ACT_GELU_TANH
        case .relu: CK_ACT_RELU
        }
    }
}

extension Dropout {
    fileprivate var kernel: ck_dropout {
        ck_dropout(key: key, probability: probability, example: example, position: position)
    }
}

extension EmbeddingPass<Float> {
    fileprivate var kernel: ck_embedding {
        ck_embedding(T: Int64(T), C: Int64(C), ids: ids, positions: positions, types: types, word: word,
                     position: position, type: type, gamma: norm.gamma, beta: norm.beta, epsilon: Float(norm.epsilon),
                     dropout: dropout.kernel, word_noise: noise?.values(at: .word), norm_noise: noise?.values(at: .normalized),
                     z: z, statistics: statistics, y: y)
    }
}

extension Precision {
    fileprivate var kernel: ck_format { self == .bf16 ? CK_BF16 : CK_FP32 }
}

extension CPUBackend {
    private func kernel(_ a: AttentionPass<Float>, _ others: Elements<Float>...) -> ck_attention {
        precondition(keepsBF16 || !a.qkv.isBF16, "this attention takes float32 only")
        precondition((others + [a.context, a.firstQueries ?? a.qkv]).allSatisfy { $0.isBF16 == a.qkv.isBF16 }, "attention's arrays are of one kind")
        return ck_attention(
            format: precision.kernel, B: Int64(a.B), H: Int64(a.H), D: Int64(a.D), starts: a.starts,
            example: a.dropout.example, key: a.dropout.key, probability: a.dropout.probability,
            first_only: a.firstQueries != nil, qkv: a.qkv.kernel, first_q: (a.firstQueries ?? a.qkv).kernel, context: a.context.kernel, log_sum: a.logSum, longest: Int64(a.longest))
    }
}
