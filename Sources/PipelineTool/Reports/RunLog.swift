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

    init(_ run: Digest, _ store: Store) throws {
        guard let blob = try store.artifact(run).blob(RunRecord.logName) else {
            throw PipelineError(.unfitInput, "the stored run has no log", advice: "Adapt again.")
        }
        lines = String(decoding: try store.data(blob), as: UTF8.self).split(separator: "\n").map(String.init)
        var epochs: [Epoch] = []
        for line in lines {
            let json = try JSONValue(parsing: Array(line.utf8))
            guard let step = json["step"]?.integerValue.map({ Int($0) }) else { continue }
            if json["event"] == "epoch", let epoch = json["epoch"]?.integerValue {
                epochs.append(Epoch(epoch: Int(epoch), step: step, loss: json["mean_loss"]?.doubleValue))
            } else if json["event"] == "evaluation", epochs.last?.step == step {
                epochs[epochs.count - 1].metrics = json["metrics"]
            }
        }
        self.epochs = epochs
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
