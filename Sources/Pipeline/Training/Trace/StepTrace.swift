import Foundation
import Models
import Optimizers
import Store
import Tensors

/// Files from which each step of a run can be computed again elsewhere. See <doc:Trace>.
///
/// ```
/// steps.jsonl              a line a step, by Schemas/trace.schema.json
/// step-000001.safetensors  batch/…, weights/NAME and gradient/NAME before the step, direction/NAME of its trials
/// end.safetensors          weights/NAME after the last step
/// ```
final class StepTrace {
    let objective: TracedObjective
    private let folder: URL
    private let optimizer: Optimizer
    private let rates: DropoutRates
    private let steps: FileHandle

    /// - Throws: `FormatError` where the folder is in use.
    static func checkIsFree(_ folder: URL) throws {
        guard let found = try? FileManager.default.contentsOfDirectory(atPath: folder.path), !found.isEmpty else { return }
        throw FormatError(.fileUnwritable, file: folder.path, "the folder of the trace is not empty",
                          advice: "Name a new folder, or empty this one. A run that goes on writes the steps that are left.")
    }

    /// - Throws: `FormatError` where the folder is in use or cannot be made.
    init(_ folder: URL, _ objective: any Objective, _ optimizer: Optimizer, rates: DropoutRates) throws {
        try Self.checkIsFree(folder)
        self.folder = folder
        self.optimizer = optimizer
        self.rates = rates
        let lines = folder.appendingPathComponent("steps.jsonl")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data().write(to: lines)
            steps = try FileHandle(forWritingTo: lines)
        } catch {
            throw FormatError(.fileUnwritable, file: folder.path, "the folder of the trace cannot be made",
                              found: error.localizedDescription, advice: "Check that there is space and permission.")
        }
        self.objective = TracedObjective(objective)
        optimizer.keepDirection()
    }

    /// Writes the step that was just made.
    ///
    /// - Parameters:
    ///   - examples: rows of the split, in the order of the batch.
    ///   - line: the step's line in the log.
    func write(_ report: StepReport, _ examples: ArraySlice<Int>, of split: TokenSplit, line: JSONValue) throws {
        let number = String(report.step), name = "step-" + String(repeating: "0", count: max(0, 6 - number.count)) + number
        var parts: [(String, Parameters)] = [("weights", objective.weights), ("gradient", objective.gradient)]
        if let direction = optimizer.direction { parts.append(("direction", direction)) }
        let batch = Batch(examples, of: split)
        let writer = try SafeTensorsWriter(
            folder.appendingPathComponent(name + ".safetensors"),
            entries: batch.tensors.map { .init(name: "batch/\($0.name)", type: $0.type, shape: $0.shape) } + parts.flatMap(Self.entries))
        for tensor in batch.tensors { try tensor.bytes.withUnsafeBytes { try writer.writeBytes("batch/\(tensor.name)", $0) } }
        for part in parts { try Self.write(part, to: writer) }
        try writer.finish()

        var members = line.objectValue ?? [:]
        members["units"] = .array(optimizer.units.map { unit in .array(unit.map { .string($0.description) }) })
        // A loss that is no number is refused by every condition, and JSON has no word for it.
        members["tried"] = .array(report.tried.map { tried in
            ["step_sizes": .array(tried.stepSizes.map { .number($0) }), "loss": tried.loss.isFinite ? .number(tried.loss) : .null]
        })
        members["dropout"] = [
            "hidden": .number(Double(rates.hidden)), "attention": .number(Double(rates.attention)),
            "classifier": .number(Double(rates.classifier)), "seed": .integer(Int64(bitPattern: rates.seed)),
            "step": .integer(Int64(report.step - 1)),
        ]
        try steps.write(contentsOf: Data((JSONValue.object(members).canonicalText() + "\n").utf8))
    }

    /// Writes the weights as they are now.
    func finish() throws {
        let part = ("weights", objective.parameters)
        let writer = try SafeTensorsWriter(folder.appendingPathComponent("end.safetensors"), entries: Self.entries(part))
        try Self.write(part, to: writer)
        try writer.finish()
        try steps.close()
    }

    private static func entries(_ part: (name: String, values: Parameters)) -> [SafeTensorsWriter.Entry] {
        part.values.layout.entries.map { .init(name: "\(part.name)/\($0.name)", shape: $0.shape) }
    }

    private static func write(_ part: (name: String, values: Parameters), to writer: SafeTensorsWriter) throws {
        for entry in part.values.layout.entries {
            try writer.write("\(part.name)/\(entry.name)", UnsafeBufferPointer(part.values[entry]))
        }
    }

    /// The optimizer's batch, in its order.
    private struct Batch {
        struct Tensor {
            let name: String
            let type: SafeTensorsType
            let shape: [Int]
            let bytes: Data
        }

        let tensors: [Tensor]

        init(_ examples: ArraySlice<Int>, of split: TokenSplit) {
            var ids: [Int32] = [], types: [Int32] = [], starts: [Int32] = [0]
            for example in examples {
                let range = split.starts[example]..<split.starts[example + 1]
                ids += split.ids[range]
                types += split.types[range].map(Int32.init)
                starts.append(Int32(ids.count))
            }
            func integers(_ name: String, _ values: [Int32]) -> Tensor {
                Tensor(name: name, type: .i32, shape: [values.count], bytes: values.withUnsafeBytes { Data($0) })
            }
            var tensors = [
                integers("ids", ids), integers("types", types), integers("starts", starts), integers("rows", examples.map(Int32.init)),
            ]
            if let classes = split.classes { tensors.append(integers("classes", examples.map { classes[$0] })) }
            if let values = split.values {
                let K = split.count > 0 ? values.count / split.count : 0
                let chosen = examples.flatMap { values[$0 * K..<($0 + 1) * K] }
                tensors.append(Tensor(name: "values", type: .f32, shape: [examples.count, K], bytes: chosen.withUnsafeBytes { Data($0) }))
            }
            self.tensors = tensors
        }
    }
}
