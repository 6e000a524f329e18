import Models
import Optimizers

/// The objectives that a recipe can name. A new one is a row.
public enum ObjectiveCatalogue {
    public static let rows: [ObjectiveRow] = [.plain, .scala, .freelb, .smart, .r3f]

    public static var names: [String] { rows.map(\.name) }

    /// - Throws: `PipelineError` with code `recipe`, naming the known ones.
    public static func row(named name: String) throws -> ObjectiveRow {
        guard let row = rows.first(where: { $0.name == name }) else {
            throw PipelineError(.recipe, "there is no objective '\(FormatError.printable(name))'",
                                advice: "Known are \(names.joined(separator: ", ")).")
        }
        return row
    }
}

/// An objective by name: what it is, which keys it has with which defaults, and how it is composed.
public struct ObjectiveRow: Sendable {
    public let name: String
    /// One line.
    public let summary: String
    public let keys: [RecipeKey]
    /// Nil is the task's loss and nothing else.
    let compose: @Sendable (ObjectiveConstants) throws -> AdversarialSettings?

    /// Every constant of the objective: the given values in canonical form, defaults for the rest.
    ///
    /// - Throws: `PipelineError` with code `recipe`, or `OptimizerError.invalidValue`.
    public func resolve(_ values: [String: HyperparameterValue]) throws -> ObjectiveRecipe {
        for name in values.keys.sorted() where !keys.contains(where: { $0.name == name }) {
            let known = keys.isEmpty ? "It has none." : "It knows \(keys.map(\.name).joined(separator: ", "))."
            throw PipelineError(.recipe, "the objective \(self.name) has no key '\(FormatError.printable(name))'", advice: known)
        }
        var resolved: [String: HyperparameterValue] = [:]
        for key in keys { resolved[key.name] = try key.resolve(values[key.name] ?? key.defaultValue) }
        // Keys that mean nothing beside another value are refused when given and are no part of the recipe's identity.
        func withdraw(_ key: String, beside other: String, _ value: HyperparameterValue) throws {
            guard resolved[other] == value, resolved[key] != nil else { return }
            if values[key] != nil { throw PipelineError(.recipe, "\(key) means nothing with \(other)=\(value)", advice: "Leave it out.") }
            resolved[key] = nil
        }
        try withdraw("noise_size", beside: "noise_init", "zero")
        try withdraw("kl_weight", beside: "noise_mode", "label")
        // What changes nothing beside another value: taken with its default, which files of all keys have, and refused with another.
        func refuseIdle(_ name: String, beside other: String, _ value: HyperparameterValue) throws {
            guard resolved[other] == value, let key = keys.first(where: { $0.name == name }),
                  try resolved[name] != key.resolve(key.defaultValue) else { return }
            throw PipelineError(.recipe, "\(name) means nothing with \(other)=\(value)", advice: "Leave it out.")
        }
        try refuseIdle("noise_step", beside: "ascent_steps", 0)
        try refuseIdle("noise_step", beside: "passes", 1)
        // Without a ball only the ascent asks how long noise is.
        if resolved["noise_radius"] == nil { try refuseIdle("noise_norm", beside: "ascent_steps", 0) }
        if values["noise_size"] == nil, let kind = resolved["noise_init"], kind != "zero" {
            resolved["noise_size"] = kind == "scaled-uniform" ? 0.1 : 1e-5
        }
        do {
            return ObjectiveRecipe(name: name, values: resolved, settings: try compose(ObjectiveConstants(values: resolved)))
        } catch let error as AdversarialError { throw PipelineError(.recipe, "the objective \(name) cannot be made: \(error)") }
    }
}

/// An objective with all its constants.
public struct ObjectiveRecipe: Sendable {
    public let name: String
    /// Every constant by its key, in canonical form: equal recipes have equal values. The run key takes these.
    public let values: [String: HyperparameterValue]
    /// Nil for the plain objective.
    public let settings: AdversarialSettings?

    /// Passes whose activations are in memory at one time.
    public var activationSets: Int { settings?.method.activationSets ?? 1 }
}

/// Resolved constants by key.
struct ObjectiveConstants {
    let values: [String: HyperparameterValue]

    subscript(name: String) -> Double {
        guard let number = values[name]?.number else { preconditionFailure("\(name) is not a number key") }
        return number
    }

    func text(_ name: String) -> String {
        guard let text = values[name]?.text else { preconditionFailure("\(name) is not a text key") }
        return text
    }

    var initialization: NoiseSettings.Initialization {
        switch text("noise_init") {
        case "scaled-uniform": .scaledUniform(self["noise_size"])
        case "uniform": .uniform(self["noise_size"])
        case "normal": .normal(self["noise_size"])
        default: .zero
        }
    }

    /// - Parameter radius: infinite where the method has no ball.
    func noise(ascentSteps: Int, radius: Double) throws -> NoiseSettings {
        try NoiseSettings(
            place: .init(rawValue: text("noise_place"))!, initialization: initialization, norm: .init(rawValue: text("noise_norm"))!,
            stepSize: self["noise_step"], radius: radius, ascentSteps: ascentSteps, share: self["noise_share"],
            interval: Int(self["noise_interval"]))
    }
}
