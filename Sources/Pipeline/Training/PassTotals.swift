import Models
import Store

/// Tokens that went through the whole encoder: forward, backward to inputs, backward to weights. A plain step of T tokens is T each.
public struct PassTotals: Hashable, Sendable {
    public var forward = 0.0, inputGradient = 0.0, weightGradient = 0.0

    init(_ counts: PassCounts) {
        (forward, inputGradient, weightGradient) = (counts.forwardTokens, counts.inputGradientTokens, counts.weightGradientTokens)
    }

    /// - Throws: for a member that is missing or no number.
    init(json: JSONValue) throws {
        guard let forward = json["forward"]?.doubleValue, let input = json["input_gradient"]?.doubleValue,
              let weight = json["weight_gradient"]?.doubleValue
        else { throw PipelineError(.unfitInput, "the run's passes are not ones that this version understands") }
        (self.forward, inputGradient, weightGradient) = (forward, input, weight)
    }

    /// The sum over the steps of a log.
    init(log: [String]) throws {
        for line in log {
            guard let passes = try JSONValue(parsing: Array(line.utf8))["passes"] else { continue }
            let step = try PassTotals(json: passes)
            forward += step.forward
            inputGradient += step.inputGradient
            weightGradient += step.weightGradient
        }
    }

    /// Products done, in units of one forward pass of a token.
    public var cost: Double { forward + inputGradient + weightGradient }

    public var json: JSONValue {
        ["forward": .number(forward), "input_gradient": .number(inputGradient), "weight_gradient": .number(weightGradient)]
    }
}
