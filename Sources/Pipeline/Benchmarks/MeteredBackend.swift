import Models
import Tensors

/// The CPU backend with a note of every kernel that it runs for the embeddings and the encoder layers of one shape, on all of so many tokens.
///
/// What the head has computed, and the last layer of first tokens alone, is done and not noted.
final class MeteredBackend: Backend {
    typealias Scalar = Float

    /// What one call has to do at least.
    enum Work: Hashable {
        case products(multiplyAdds: Int)
        /// Bytes read and written, each array once, of tables each row that is named once.
        case memory(bytes: Int)
    }

    struct Call {
        let name: String
        let work: Work
        let seconds: Double
    }

    private let base: CPUBackend
    private let C: Int, F: Int, tokens: Int
    private(set) var calls: [Call] = []
    private var scatters = 0

    init(_ base: CPUBackend, _ configuration: EncoderConfiguration, tokens: Int) {
        self.base = base
        self.tokens = tokens
        (C, F) = (configuration.hiddenSize, configuration.intermediateSize)
    }

    var name: String { base.name }
    var keepsBF16: Bool { base.keepsBF16 }
    var counts: ProductCounts { base.counts }

    func forgetCalls() { calls.removeAll(keepingCapacity: true) }

    /// - Parameter halves: elements of bfloat16, besides `floats` of float32.
    private func note(_ name: String, floats: Int, halves: Int = 0, _ operation: () -> Void) {
        note(name, .memory(bytes: 4 * floats + 2 * halves), operation)
    }

    private func note(_ name: String, _ work: Work? = nil, _ operation: () -> Void) {
        let clock = ContinuousClock(), counted = base.counts.total, started = clock.now
        operation()
        let seconds = Trainer.seconds(clock.now - started)
        calls.append(Call(name: name, work: work ?? .products(multiplyAdds: base.counts.total - counted), seconds: seconds))
    }

    /// The linear layer of these sizes; nil for keys and values alone, the last layer's.
    private func layer(inputs: Int, outputs: Int) -> String? {
        switch (inputs, outputs) {
        case (C, 3 * C): "qkv"
        case (C, C): "attention output"
        case (C, F): "up"
        case (F, C): "down"
        case (C, 2 * C): nil
        default: preconditionFailure("the encoder has no linear layer from \(inputs) to \(outputs)")
        }
    }

    func multiply(_ p: Product<Float>) {
        if p.isFloat32 { return base.multiply(p) }
        let (layer, of, rows) = switch p.kind {
        case .forward: (layer(inputs: p.k, outputs: p.n), "", p.m)
        case .inputGradient: (layer(inputs: p.n, outputs: p.k), " input gradient", p.m)
        case .weightGradient: (layer(inputs: p.n, outputs: p.m), " weight gradient", p.k)
        }
        guard let layer, rows == tokens else { return base.multiply(p) }
        note(layer + of) { base.multiply(p) }
    }

    func addColumnSums(rows: Int, columns: Int, _ x: Elements<Float>, stride: Int, into out: Target) {
        guard rows == tokens, [C, 3 * C, F].contains(columns) else {
            return base.addColumnSums(rows: rows, columns: columns, x, stride: stride, into: out)
        }
        let read = rows * columns
        note("bias gradient, \(columns) wide", floats: (x.isBF16 ? 0 : read) + 2 * columns, halves: x.isBF16 ? read : 0) {
            base.addColumnSums(rows: rows, columns: columns, x, stride: stride, into: out)
        }
    }

    func drop(rows: Int, columns: Int, _ x: Target, _ dropout: Dropout) { base.drop(rows: rows, columns: columns, x, dropout) }

    func residualNorm(T: Int, C: Int, branchToZ: Target, residual: Source, norm: Norm<Float>, dropout: Dropout,
                      statistics: Target, y: Target) {
        func run() {
            base.residualNorm(T: T, C: C, branchToZ: branchToZ, residual: residual, norm: norm, dropout: dropout,
                              statistics: statistics, y: y)
        }
        if T == tokens { note("residual, dropout, LayerNorm", floats: 4 * T * C + 2 * T + 2 * C, run) } else { run() }
    }

    func residualNormBackward(T: Int, C: Int, dy: Source, z: Source, statistics: Source, norm: Norm<Float>,
                              dropout: Dropout, dz: Target, dBranch: Elements<Float>?, dGamma: Target?, dBeta: Target?) {
        func run() {
            base.residualNormBackward(T: T, C: C, dy: dy, z: z, statistics: statistics, norm: norm, dropout: dropout, dz: dz,
                                      dBranch: dBranch, dGamma: dGamma, dBeta: dBeta)
        }
        guard T == tokens else { return run() }
        note("residual, dropout, LayerNorm backward", floats: (dBranch?.isBF16 == false ? 4 : 3) * T * C + 2 * T + 5 * C,
             halves: dBranch?.isBF16 == true ? T * C : 0, run)
    }

    func embed(_ e: EmbeddingPass<Float>) {
        let rows = [e.ids, e.positions, e.types].reduce(0) { $0 + Self.distinct($1, e.T) }
        note("embeddings", floats: (rows + 2 * e.T + 2) * e.C + 5 * e.T) { base.embed(e) }
    }

    func embedBackward(_ e: EmbeddingPass<Float>, dyToDz: Target, dGamma: Target?, dBeta: Target?) {
        note("embeddings backward", floats: (3 * e.T + 5) * e.C + 2 * e.T) {
            base.embedBackward(e, dyToDz: dyToDz, dGamma: dGamma, dBeta: dBeta)
        }
    }

    func scatterAdd(T: Int, C: Int, index: UnsafePointer<Int32>, dz: Source, table: Target) {
        // The model's order.
        let name = ["word", "position", "type"][scatters % 3] + " table gradient"
        scatters += 1
        note(name, floats: (T + 2 * Self.distinct(index, T)) * C + T) {
            base.scatterAdd(T: T, C: C, index: index, dz: dz, table: table)
        }
    }

    func attend(_ a: AttentionPass<Float>) {
        if a.firstQueries == nil { note("attention") { base.attend(a) } } else { base.attend(a) }
    }

    func attendBackward(_ a: AttentionPass<Float>, dContext: Elements<Float>, dqkv: Elements<Float>, dFirstQueries: Elements<Float>?) {
        func run() { base.attendBackward(a, dContext: dContext, dqkv: dqkv, dFirstQueries: dFirstQueries) }
        if a.firstQueries == nil { note("attention backward", nil, run) } else { run() }
    }

    private static func distinct(_ index: UnsafePointer<Int32>, _ count: Int) -> Int {
        Set(UnsafeBufferPointer(start: index, count: count)).count
    }
}
