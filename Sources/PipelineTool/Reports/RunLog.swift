import Pipeline
import Store

/// The log of a finished run, read back from the store.
struct RunLog {
    /// An epoch with its mean loss, and what was measured at its end.
    struct Epoch {
        let epoch: Int
        let step: Int
        let loss: Double?
        var metrics: JSONValue?
    }

    /// Without line ends.
    let lines: [String]
    let epochs: [Epoch]
    /// What a line search did in all steps; nil for a schedule.
    let search: Search?

    struct Search {
        /// Steps with a search, with none of whose trials accepted, with a loss that rose after the move of units that were tried one at a time,
        /// and after which two groups of units were merged.
        var searched = 0, rejected = 0, increases = 0, merges = 0
        var forwardPasses = 0, backtracks = 0
        /// Of each unit, after the last step.
        var stepSizes: [Double] = []

        mutating func add(_ step: JSONValue) {
            func count(_ name: String) -> Int { step[name]?.integerValue.map { Int($0) } ?? 0 }
            searched += step["searched"] == true ? 1 : 0
            rejected += step["rejected"] == true ? 1 : 0
            increases += step["increase"] == true ? 1 : 0
            merges += step["merged"] != nil ? 1 : 0
            forwardPasses += count("forward_passes")
            backtracks += count("backtracks")
            stepSizes = (step["step_sizes"]?.arrayValue ?? []).compactMap(\.doubleValue)
        }

        var json: JSONValue {
            [
                "searched": .integer(Int64(searched)), "rejected": .integer(Int64(rejected)), "increases": .integer(Int64(increases)),
                "merges": .integer(Int64(merges)), "forward_passes": .integer(Int64(forwardPasses)), "backtracks": .integer(Int64(backtracks)),
                "step_sizes": .array(stepSizes.map { .number($0) }),
            ]
        }
    }

    init(_ run: Digest, _ store: Store) throws {
        guard let blob = try store.artifact(run).blob(RunRecord.logName) else {
            throw PipelineError(.unfitInput, "the stored run has no log", advice: "Adapt again.")
        }
        lines = String(decoding: try store.data(blob), as: UTF8.self).split(separator: "\n").map(String.init)
        var epochs: [Epoch] = [], search: Search?
        for line in lines {
            let json = try JSONValue(parsing: Array(line.utf8))
            guard let step = json["step"]?.integerValue.map({ Int($0) }) else { continue }
            if json["event"] == "epoch", let epoch = json["epoch"]?.integerValue {
                epochs.append(Epoch(epoch: Int(epoch), step: step, loss: json["mean_loss"]?.doubleValue))
            } else if let trials = json["search"] {
                search = search ?? Search()
                search!.add(trials)
            } else if json["event"] == "evaluation", epochs.last?.step == step {
                epochs[epochs.count - 1].metrics = json["metrics"]
            }
        }
        (self.epochs, self.search) = (epochs, search)
    }

    var json: JSONValue {
        .array(
            epochs.map {
                [
                    "epoch": .integer(Int64($0.epoch)), "step": .integer(Int64($0.step)),
                    "loss": JSONValue(finite: $0.loss),
                    "metrics": $0.metrics ?? .null,
                ]
            })
    }
}
