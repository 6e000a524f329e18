import Tensors

/// Descends at perturbed embeddings: ScaLA, FreeLB, SMART and R3F by their settings. See <doc:AdversarialNoise>.
///
/// Only the noise of one micro-batch is in memory, unless room for a whole batch was asked for. All of it is taken by `init`.
/// In an ascent no weight gets a gradient and no table is touched; dropout draws the same masks in every pass of a step.
public final class AdversarialPass<Device: Backend>: TrainingPass {
    public let settings: AdversarialSettings
    public internal(set) var diagnostics: AdversarialDiagnostics?

    let model: SequenceModel<Device>
    let ball: NoiseBall
    private let plain: PlainPass<Device>
    private let seed: UInt64, steps: Int
    private let memory: Buffer
    /// [T, C] noise of the sequences that climb, and of the whole micro-batch where these are only a part of it.
    let delta: Device.Target, spread: Device.Target?
    /// The sequences that climb where they are only a part, and their rows in the micro-batch.
    let part: PackedBatch?
    let rows: UnsafeMutablePointer<Int>
    var rowCount = 0
    let kept: KeptNoise<Device.Scalar>?
    private var source: NoiseSource?

    /// - Parameters:
    ///   - model: made with `AdversarialMethod.activationSets` sets of activations.
    ///   - seed: of the run, as for dropout.
    ///   - steps: updates of the whole run, which the delay is a share of.
    ///   - keptTokens: tokens of the largest batch, to keep its noise for losses without a gradient; nil refuses these.
    public init(_ model: SequenceModel<Device>, _ settings: AdversarialSettings, seed: UInt64, steps: Int, keptTokens: Int? = nil) {
        precondition(model.activationSetCount >= settings.method.activationSets, "the model lacks a set of activations")
        let C = model.configuration.hiddenSize, count = model.tokenCapacity * C
        (self.model, self.settings, self.seed, self.steps) = (model, settings, seed, steps)
        plain = PlainPass(model)
        ball = NoiseBall(settings.noise, C: C)
        let isPart = settings.noise.share < 1
        memory = Buffer(byteCount: (isPart ? 2 : 1) * count * MemoryLayout<Device.Scalar>.stride)
        delta = memory.pointer.assumingMemoryBound(to: Device.Scalar.self)
        spread = isPart ? delta + count : nil
        part = isPart ? PackedBatch(tokenCapacity: model.tokenCapacity, sequenceCapacity: model.sequenceCapacity,
                                    configuration: model.configuration, outputs: model.head.outputs) : nil
        rows = .allocate(capacity: model.sequenceCapacity)
        rows.initialize(repeating: 0, count: model.sequenceCapacity)
        let copies = settings.method == .average ? settings.noise.ascentSteps + 1 : 1
        kept = keptTokens.map { KeptNoise(count: $0 * C * copies) }
    }

    deinit { rows.deallocate() }

    /// Bytes of noise.
    public var noiseByteCount: Int { memory.byteCount + (kept?.byteCount ?? 0) }

    public func begin(step: Int, differentiates: Bool) throws {
        guard settings.isActive(step: step, of: steps) else {
            source = nil
            if differentiates { diagnostics = nil }
            return
        }
        source = NoiseSource(seed: seed, step: UInt64(step))
        if differentiates {
            diagnostics = AdversarialDiagnostics()
            kept?.begin(step: step)
        } else {
            guard let kept else { throw AdversarialError.noiseNotKept(step: step) }
            guard kept.step == step else { throw AdversarialError.noNoiseYet(step: step) }
            kept.rewind()
        }
    }

    public var forwardPasses: Double { source == nil ? 1 : settings.stepPasses().forward }

    public func evaluate(_ micro: MicroBatch<Device>, into gradient: Device.Target?, frozen: Set<ParameterUnit>) -> Double {
        guard let source else { return plain.evaluate(micro, into: gradient, frozen: frozen) }
        rowCount = 0
        for b in 0..<micro.batch.sequenceCount
        where source.perturbs(example: micro.batch.sequenceExamples[b], share: settings.noise.share) {
            rows[rowCount] = b
            rowCount += 1
        }
        guard rowCount > 0 else { return plain.evaluate(micro, into: gradient, frozen: frozen) }
        return switch settings.method {
        case .label: label(micro, source, into: gradient, frozen: frozen)
        case .average: average(micro, source, into: gradient, frozen: frozen)
        case .divergence(let weight, let ascent):
            divergence(micro, source, weight: weight, ascent: ascent, into: gradient, frozen: frozen)
        }
    }
}
