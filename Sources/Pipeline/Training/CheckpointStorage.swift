import Foundation
import Optimizers
import Store
import Tensors

/// Checkpoints of one run in the store: artifacts of kind `checkpoint`, the newest under `refs/progress/<run key>`.
///
/// A checkpoint holds everything the next step depends on: `weights/…`, each moment under `moments/…`, the best weights so far
/// under `best/…`, the log, and as attributes the training state, the optimizer's scalars and the numeric path.
struct CheckpointStorage {
    static let artifactKind = "checkpoint"
    static let progressKind = "progress"

    let store: Store
    let key: Digest
    /// Kernels and precision: going on with others would not repeat the run bit for bit.
    let numericPath: String
    /// What the optimizer's name stands for, as there are variants of some; for readers.
    let optimizer: String
    /// The model that the run began with: weights are stored as differences to it.
    let model: Artifact

    /// What to do about a checkpoint of another path.
    private func advice(on path: String) -> String {
        if Self.withoutRevision(path) == Self.withoutRevision(numericPath) {
            return "It was begun by another version of this tool: finish it with that one, or start it again with --restart."
        }
        if let (set, precision) = CPUBackend.kernels(of: path) {
            // The default of the precision follows the kernels, and this run's must stay what it is.
            return "This machine can compute that, too: go on with \(CPUBackend.InstructionSet.limitVariable)=\(set) and --set precision=\(precision), "
                + "or start it again with --restart."
        }
        return "Go on where it was begun, or start it again here with --restart."
    }

    /// `cpu-amx.4-bf16` without the `.4`.
    private static func withoutRevision(_ path: String) -> String { path.replacing(/\.[0-9]+-/, with: "-") }

    /// The newest complete checkpoint.
    ///
    /// - Throws: `PipelineError` with code `unfitInput` for one that is not in the store any more.
    func newest() throws -> Artifact? {
        guard let reference = try store.reference(kind: Self.progressKind, name: key.hex) else { return nil }
        guard try store.contains(artifact: reference.digest) else {
            throw PipelineError(
                .unfitInput, "the checkpoint that the run would go on from, \(reference.digest.short), is missing from the store",
                advice: "Put it back with 'pipeline store repair --from PATH', or start the run again with --restart.")
        }
        return try store.artifact(reference.digest)
    }

    func discard() throws { try store.removeReference(kind: Self.progressKind, name: key.hex) }

    func save(_ state: TrainingState, weights: Parameters, optimizer: OptimizerState, best: Parameters?,
              provenance: Provenance) throws {
        let writer = try store.writer(effort: .fast)
        func add(_ parameters: Parameters, _ prefix: String, areWeights: Bool) throws {
            for entry in parameters.layout.entries {
                try writer.add(name: prefix + entry.name, bytes: UnsafeRawBufferPointer(parameters[entry]),
                               elementType: ElementType.float32.rawValue, shape: entry.shape,
                               base: areWeights ? model.blob(ModelDescription.tensorPrefix + entry.name) : nil)
            }
        }
        try add(weights, "weights/", areWeights: true)
        for moment in optimizer.moments { try add(moment.values, "moments/\(moment.name)/", areWeights: false) }
        if let best, state.bestStep != state.step { try add(best, "best/", areWeights: true) }
        try writer.add(name: "log.jsonl", data: state.logData)
        let digest = try writer.commit(
            kind: Self.artifactKind,
            attributes: [
                "state": state.json, "numeric_path": .string(numericPath), "optimizer": .string(self.optimizer),
                "moments": .array(optimizer.moments.map { .string($0.name) }),
                "scalars": .object(Dictionary(uniqueKeysWithValues: optimizer.scalars.map { ($0.name, Self.json($0.value)) })),
            ], provenance: provenance)
        try store.setReference(kind: Self.progressKind, name: key.hex, to: digest, replace: true)
    }

    /// Restores everything from a checkpoint.
    ///
    /// - Returns: the state, and the best weights when they are not the present ones.
    /// - Throws: `PipelineError` with code `otherNumericPath`; `OptimizerError` when moments or scalars do not fit.
    func restore(_ artifact: Artifact, weights: Parameters, optimizer: Optimizer, keepsBest: Bool) throws
        -> (TrainingState, best: Parameters?) {
        let path = artifact.attributes["numeric_path"]?.stringValue ?? "unknown"
        guard path == numericPath else {
            throw PipelineError(
                .otherNumericPath, "the run was begun with \(path) and this is \(numericPath): going on would not repeat it bit for bit",
                advice: advice(on: path))
        }
        guard let log = artifact.blob("log.jsonl"), let json = artifact.attributes["state"] else {
            throw PipelineError(.unfitInput, "the checkpoint is incomplete", advice: "Start the run again with --restart.")
        }
        let state = try TrainingState(json: json, log: store.data(log))
        try read(artifact, "weights/", into: weights)
        let names = (artifact.attributes["moments"]?.arrayValue ?? []).compactMap(\.stringValue)
        var layouts: [String: ParameterLayout] = [:]
        for name in names { layouts[name] = savedLayout(artifact, "moments/\(name)/", like: weights.layout) }
        let scalars = try (artifact.attributes["scalars"]?.objectValue ?? [:]).map { name, value in
            StateScalar(name: name, value: try Self.scalar(value, name))
        }
        try optimizer.restore(scalars: scalars, layouts: layouts) { name, values in
            try read(artifact, "moments/\(name)/", into: values)
        }
        guard optimizer.state.step == state.step else {
            throw PipelineError(
                .unfitInput, "the checkpoint's optimizer has done \(optimizer.state.step) updates and its training state \(state.step)",
                advice: "Start the run again with --restart.")
        }
        // The best weights stand apart unless they are the present ones; `keepsBest` says whether the run needs them.
        guard keepsBest, let bestStep = state.bestStep, bestStep != state.step else { return (state, nil) }
        let best = Parameters(layout: weights.layout)
        try read(artifact, "best/", into: best)
        return (state, best)
    }

    private func read(_ artifact: Artifact, _ prefix: String, into parameters: Parameters) throws {
        let requests = try parameters.layout.entries.map { entry in
            guard let blob = artifact.blob(prefix + entry.name), blob.byteCount == entry.count * 4 else {
                throw PipelineError(.unfitInput, "the checkpoint has no usable \(prefix)\(entry.name)",
                                    advice: "Start the run again with --restart.")
            }
            return (blob: blob, target: UnsafeMutableRawBufferPointer(parameters[entry]))
        }
        try store.read(requests)
    }

    /// The tensors of a moment as they were saved, in the order of the weights.
    private func savedLayout(_ artifact: Artifact, _ prefix: String, like layout: ParameterLayout) -> ParameterLayout {
        var saved = ParameterLayout()
        for entry in layout.entries {
            guard let shape = artifact.blob(prefix + entry.name)?.shape else { continue }
            saved.append(entry.name, shape, role: entry.role, unit: entry.unit)
        }
        return saved
    }

    private static func json(_ value: StateScalar.Value) -> JSONValue {
        switch value {
        case .integer(let integer): .integer(Int64(integer))
        case .real(let real): .string(TrainingState.bits(real))
        }
    }

    private static func scalar(_ json: JSONValue, _ name: String) throws -> StateScalar.Value {
        if let integer = json.integerValue { return .integer(Int(integer)) }
        if let real = json.stringValue.flatMap(TrainingState.real) { return .real(real) }
        throw PipelineError(.unfitInput, "the checkpoint's '\(name)' is no number", advice: "Start the run again with --restart.")
    }
}
