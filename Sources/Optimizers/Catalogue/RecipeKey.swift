import Tensors

/// A key of a recipe: its default, what it means, and which values it takes.
public struct RecipeKey: Sendable {
    public let name: String
    public let defaultValue: HyperparameterValue
    public let explanation: String
    /// What a value has to be, for messages: "a number above 0".
    public let expectation: String
    /// The canonical form of a value, so that values that mean the same are the same; nil when it is refused.
    let canonical: @Sendable (HyperparameterValue) -> HyperparameterValue?

    public init(
        name: String, defaultValue: HyperparameterValue, explanation: String, expectation: String,
        canonical: @escaping @Sendable (HyperparameterValue) -> HyperparameterValue?
    ) {
        (self.name, self.defaultValue, self.explanation) = (name, defaultValue, explanation)
        (self.expectation, self.canonical) = (expectation, canonical)
    }

    /// - Throws: `OptimizerError.invalidValue`.
    public func resolve(_ value: HyperparameterValue) throws -> HyperparameterValue {
        guard let result = canonical(value) else {
            throw OptimizerError.invalidValue(key: name, found: "'\(value)'", expected: expectation)
        }
        return result
    }

    public static func real(
        _ name: String, _ defaultValue: Double, _ explanation: String, expecting expectation: String,
        where accepts: @escaping @Sendable (Double) -> Bool
    ) -> RecipeKey {
        RecipeKey(
            name: name, defaultValue: .real(defaultValue), explanation: explanation, expectation: expectation
        ) { value in
            guard let number = value.number, number.isFinite, accepts(number) else { return nil }
            return .real(number)
        }
    }

    /// A whole number from `least` on, through `most` where that is given.
    public static func count(_ name: String, _ defaultValue: Int, _ explanation: String, from least: Int, through most: Int? = nil) -> RecipeKey {
        RecipeKey(
            name: name, defaultValue: .integer(defaultValue), explanation: explanation,
            expectation: most.map { "a whole number from \(least) to \($0)" } ?? "a whole number of at least \(least)"
        ) { value in value.count(from: least, through: most) }
    }

    public static func flag(_ name: String, _ defaultValue: Bool, _ explanation: String) -> RecipeKey {
        RecipeKey(
            name: name, defaultValue: .flag(defaultValue), explanation: explanation, expectation: "true or false"
        ) { value in value.flag.map { .flag($0) } }
    }

    public static func choice(
        _ name: String, _ defaultValue: String, among choices: [String], _ explanation: String
    ) -> RecipeKey {
        RecipeKey(
            name: name, defaultValue: .text(defaultValue), explanation: explanation,
            expectation: "one of " + choices.joined(separator: ", ")
        ) { value in
            guard let text = value.text, choices.contains(text) else { return nil }
            return value
        }
    }
}

extension HyperparameterValue {
    /// The value as a whole number of that range; nil for any other.
    func count(from least: Int, through most: Int? = nil) -> HyperparameterValue? {
        guard let number, let count = Int(exactly: number), count >= least, count <= most ?? .max else { return nil }
        return .integer(count)
    }
}
