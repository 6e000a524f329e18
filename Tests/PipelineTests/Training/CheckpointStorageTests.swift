import Foundation
import Optimizers
import Store
import Tensors
import Testing

@testable import Pipeline

/// What is wrong with a checkpoint is noticed before it is used.
@Suite struct CheckpointStorageTests {
    /// Puts a changed checkpoint in the place of the newest.
    private func replace(
        _ toy: ToyStore, _ run: ToyAdaptation, attributes change: (inout [String: JSONValue]) -> Void = { _ in },
        blob: (BlobReference) -> (name: String, keeps: Bool, elements: Int?) = { ($0.name, true, nil) }
    ) throws {
        let (key, artifact) = try run.checkpoint(toy)
        let writer = try toy.store.writer()
        for reference in artifact.blobs {
            let (name, keeps, elements) = blob(reference)
            guard keeps else { continue }
            let data = try toy.store.data(reference)
            let shape = elements.map { [$0] } ?? reference.shape
            try writer.add(name: name, data: elements.map { data.prefix(4 * $0) } ?? data, elementType: reference.elementType, shape: shape)
        }
        var attributes = try #require(artifact.attributes.objectValue)
        change(&attributes)
        let digest = try writer.commit(kind: artifact.kind, attributes: .object(attributes), provenance: artifact.provenance)
        try toy.store.setReference(kind: CheckpointStorage.progressKind, name: key.hex, to: digest, replace: true)
    }

    private func interrupted(_ changes: [String: HyperparameterValue] = [:], after question: Int = 13) throws -> (ToyStore, ToyAdaptation) {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 6].merging(changes) { $1 })
        #expect(try run.interrupt(toy, after: question) > 0)
        return (toy, run)
    }

    @Test func `it holds every moment of every tensor`() throws {
        let (toy, run) = try interrupted()
        let (_, checkpoint) = try run.checkpoint(toy)
        let layout = try AdaptSetup(run.stage, toy.context()).makeWork(toy.context()).network.layout
        for prefix in ["weights/", "moments/adam.first/", "moments/adam.second/"] {
            #expect(Set(checkpoint.blobs.map(\.name).filter { $0.hasPrefix(prefix) }) == Set(layout.entries.map { prefix + $0.name }))
        }
        #expect(checkpoint.blob("log.jsonl") != nil)
    }

    @Test func `it says which variant of the optimizer made it`() throws {
        let (toy, run) = try interrupted(["optimizer": "lamb"])
        #expect(try run.checkpoint(toy).artifact.attributes["optimizer"]?.stringValue?.contains("as timm's Lamb at a decay above 0") == true)
    }

    @Test func `an unchanged copy is taken`() throws {
        let (toy, run) = try interrupted()
        let whole = try run.uninterrupted(ToyStore.ready()).finished
        try replace(toy, run)
        #expect(try run.run(toy).trace == whole.trace)
    }

    @Test func `a missing tensor of a moment is noticed`() throws {
        let (toy, run) = try interrupted()
        try replace(toy, run, blob: { ($0.name, $0.name != "moments/adam.second/bert.encoder.layer.1.output.dense.weight", nil) })
        guard case .stateMisshapen("adam.second", let tensor, _, _)? = try error(OptimizerError.self, { try run.run(toy) }) else {
            Issue.record("the moment was taken without one of its tensors")
            return
        }
        #expect(tensor == "bert.encoder.layer.1.output.dense.weight")
    }

    @Test func `a missing moment is noticed`() throws {
        let (toy, run) = try interrupted()
        try replace(toy, run) { attributes in
            attributes["moments"] = ["adam.first"]
        } blob: {
            ($0.name, !$0.name.hasPrefix("moments/adam.second/"), nil)
        }
        #expect(try error(OptimizerError.self) { try run.run(toy) } == .stateMissing(name: "adam.second", found: ["adam.first"]))
    }

    @Test func `a moment of another shape is noticed`() throws {
        let (toy, run) = try interrupted()
        try replace(toy, run, blob: { ($0.name, true, $0.name == "moments/adam.first/classifier.bias" ? 1 : nil) })
        #expect(
            try error(OptimizerError.self) { try run.run(toy) }
                == .stateMisshapen(
                    moment: "adam.first", tensor: "classifier.bias", expected: "classifier.bias [2]", found: "classifier.bias [1]"))
    }

    @Test func `a moment of another name is noticed`() throws {
        let (toy, run) = try interrupted()
        try replace(toy, run) { attributes in
            attributes["moments"] = ["adam.first", "adam.second", "adam.third"]
        }
        #expect(
            try error(OptimizerError.self) { try run.run(toy) }
                == .stateUnexpected(name: "adam.third", expected: ["adam.first", "adam.second"]))
    }

    @Test func `a missing scalar of the optimizer is noticed`() throws {
        let (toy, run) = try interrupted()
        try replace(toy, run) { $0["scalars"] = [:] }
        #expect(try error(OptimizerError.self) { try run.run(toy) } == .stateMissing(name: "step", found: []))
    }

    @Test func `a count of updates that is not the optimizer's is noticed`() throws {
        let (toy, run) = try interrupted()
        try replace(toy, run) { $0["scalars"] = ["step": 1000] }
        #expect(try error(PipelineError.self) { try run.run(toy) }?.code == .unfitInput)
    }

    @Test(arguments: ["weights/classifier.bias", "weights/bert.embeddings.word_embeddings.weight", "log.jsonl"])
    func `a missing part is noticed`(_ part: String) throws {
        let (toy, run) = try interrupted()
        try replace(toy, run, blob: { ($0.name, $0.name != part, nil) })
        #expect(try error(PipelineError.self) { try run.run(toy) }?.code == .unfitInput)
    }

    @Test(arguments: [
        "step", "evaluated_step", "best_metric", "best_step", "stale", "stopped", "epoch_loss", "epoch_examples",
    ])
    func `a missing part of the training state is noticed`(_ part: String) throws {
        let (toy, run) = try interrupted()
        try replace(toy, run) { attributes in
            guard case .object(var state)? = attributes["state"] else { return }
            state[part] = nil
            attributes["state"] = .object(state)
        }
        let refusal = try #require(try error(PipelineError.self) { try run.run(toy) })
        #expect(refusal.code == .unfitInput)
        #expect(refusal.problem.contains(part))
    }

    @Test func `a lost checkpoint is told, and a restart goes on without it`() throws {
        var (toy, run) = try interrupted()
        let whole = try run.uninterrupted(ToyStore.ready()).finished
        let digest = try #require(try toy.store.references(kind: CheckpointStorage.progressKind).first?.digest)
        try FileManager.default.removeItem(atPath: "\(toy.store.location.path)/artifacts/sha256/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))")
        let refusal = try #require(try error(PipelineError.self) { try run.run(toy) })
        #expect(refusal.code == .unfitInput && refusal.problem.contains(digest.short) && refusal.advice?.contains("--restart") == true)
        run.configure = { $0.restarts = true }
        #expect(try run.run(toy).trace == whole.trace)
        #expect(try toy.store.verify().isClean)
    }

    @Test func `missing best weights are noticed`() throws {
        // Without a learning rate the first evaluation stays the best, so that a later checkpoint keeps its weights apart.
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 6, "evaluate": 2, "learning_rate": 0])
        let step = try run.interrupt(toy, after: run.uninterrupted(toy).questions - 4)
        #expect(step > 2)
        try #require(try run.checkpoint(toy).artifact.blobs.contains { $0.name.hasPrefix("best/") })
        try replace(toy, run, blob: { ($0.name, !$0.name.hasPrefix("best/"), nil) })
        #expect(try error(PipelineError.self) { try run.run(toy) }?.code == .unfitInput)
    }

    @Test func `another numeric path is refused and a restart is not`() throws {
        var (toy, run) = try interrupted()
        let whole = try run.uninterrupted(ToyStore.ready()).finished
        try replace(toy, run) { attributes in
            // The same kernels in another revision.
            let parts = attributes["numeric_path"]!.stringValue!.split(separator: "-")
            attributes["numeric_path"] = .string("cpu-\(parts[1].split(separator: ".")[0]).99-\(parts[2])")
        }
        #expect(try error(PipelineError.self) { try run.run(toy) }?.advice?.contains("another version of this tool") == true)
        try replace(toy, run) { $0["numeric_path"] = "another processor-fp32" }
        let refusal = try #require(try error(PipelineError.self) { try run.run(toy) })
        #expect(refusal.code == .otherNumericPath)
        #expect(refusal.problem.contains("another processor-fp32"))
        #expect(refusal.advice?.contains("--restart") == true && refusal.advice?.contains("another version") == false)
        if CPUBackend.InstructionSet.best != .baseline {
            let baseline = CPUBackend(threads: 1, instructionSet: .baseline, precision: .bf16)
            try replace(toy, run) { $0["numeric_path"] = .string(baseline.numericPath) }
            let advice = try error(PipelineError.self) { try run.run(toy) }?.advice
            #expect(advice?.contains("PIPELINE_KERNELS=baseline and --set precision=bf16") == true, "\(advice ?? "")")
        }
        run.configure = { $0.restarts = true }
        #expect(try run.run(toy).trace == whole.trace)
    }
}
