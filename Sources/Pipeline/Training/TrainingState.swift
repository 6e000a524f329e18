import Foundation
import Store

/// Everything about a run, besides weights and optimizer state, that its next step and its end depend on.
struct TrainingState: Hashable {
    /// Completed updates.
    var step = 0
    /// The last step whose evaluation is in the log; −1 before the first.
    var evaluatedStep = -1
    var bestMetric: Double?
    var bestStep: Int?
    /// Evaluations since the best one.
    var stale = 0
    var isStopped = false
    /// Sum of loss × examples and examples of the epoch at hand.
    var epochLoss = 0.0
    var epochExamples = 0
    /// Lines of the log, canonical JSON without line ends. Nothing in it depends on time or machine load.
    var log: [String] = []

    mutating func append(_ line: JSONValue) throws {
        log.append(String(decoding: try line.canonicalBytes(), as: UTF8.self))
    }

    var logData: Data { Data(log.map { $0 + "\n" }.joined().utf8) }

    /// Doubles are kept by their bits, so that a resumed run is the uninterrupted one.
    var json: JSONValue {
        [
            "step": .integer(Int64(step)), "evaluated_step": .integer(Int64(evaluatedStep)),
            "best_metric": bestMetric.map { .string(Self.bits($0)) } ?? .null,
            "best_step": bestStep.map { .integer(Int64($0)) } ?? .null, "stale": .integer(Int64(stale)),
            "stopped": .bool(isStopped), "epoch_loss": .string(Self.bits(epochLoss)),
            "epoch_examples": .integer(Int64(epochExamples)),
        ]
    }

    init() {}

    /// - Throws: `PipelineError` with code `unfitInput` when a part is missing.
    init(json: JSONValue, log: Data) throws {
        func missing(_ key: String) -> PipelineError {
            PipelineError(.unfitInput, "the checkpoint has no usable '\(key)'", advice: "Start the run again with --restart.")
        }
        func integer(_ key: String) throws -> Int {
            guard let value = json[key]?.integerValue else { throw missing(key) }
            return Int(value)
        }
        func real(_ key: String) throws -> Double {
            guard let value = json[key]?.stringValue.flatMap(Self.real) else { throw missing(key) }
            return value
        }
        step = try integer("step")
        evaluatedStep = try integer("evaluated_step")
        stale = try integer("stale")
        epochExamples = try integer("epoch_examples")
        epochLoss = try real("epoch_loss")
        guard let stopped = json["stopped"]?.boolValue, let best = json["best_metric"], let at = json["best_step"] else {
            throw missing("stopped, best_metric or best_step")
        }
        isStopped = stopped
        if best != .null { bestMetric = try real("best_metric") }
        if at != .null { bestStep = try integer("best_step") }
        self.log = String(decoding: log, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    static func bits(_ value: Double) -> String { "0x" + String(value.bitPattern, radix: 16) }
    static func real(_ text: String) -> Double? {
        guard text.hasPrefix("0x"), let bits = UInt64(text.dropFirst(2), radix: 16) else { return nil }
        return Double(bitPattern: bits)
    }
}
