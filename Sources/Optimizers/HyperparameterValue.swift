/// A constant of an optimizer as plain data: what a recipe sets, a run key hashes and `--explain` prints.
public enum HyperparameterValue: Hashable, Sendable {
    case flag(Bool)
    case integer(Int)
    case real(Double)
    case text(String)
    case list([HyperparameterValue])

    /// Reads what a user types: `true`, `3`, `2e-5`, `linear`, `0.9,0.999` or `[embeddings, 0-3]`.
    public init(parsing text: String) {
        var body = Substring(text).trimmed
        let bracketed = body.hasPrefix("[") && body.hasSuffix("]") && body.count >= 2
        if bracketed { body = body.dropFirst().dropLast().trimmed }
        if bracketed || body.contains(",") {
            let parts = body.isEmpty ? [] : body.split(separator: ",", omittingEmptySubsequences: false)
            self = .list(parts.map { HyperparameterValue(scalar: $0.trimmed) })
        } else {
            self.init(scalar: body)
        }
    }

    private init(scalar text: Substring) {
        if let integer = Int(text) {
            self = .integer(integer)
        } else if let real = Double(text) {
            self = .real(real)
        } else if text == "true" || text == "false" {
            self = .flag(text == "true")
        } else {
            self = .text(String(text))
        }
    }

    /// The number, whichever way it was written.
    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }

    public var flag: Bool? {
        if case .flag(let value) = self { value } else { nil }
    }

    public var text: String? {
        if case .text(let value) = self { value } else { nil }
    }

    public var list: [HyperparameterValue]? {
        if case .list(let values) = self { values } else { nil }
    }
}

extension HyperparameterValue: CustomStringConvertible {
    public var description: String {
        switch self {
        case .flag(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let value): value
        case .list(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        }
    }
}

extension HyperparameterValue: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
{
    public init(floatLiteral value: Double) { self = .real(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(booleanLiteral value: Bool) { self = .flag(value) }
    public init(arrayLiteral elements: HyperparameterValue...) { self = .list(elements) }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var rest = self
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }
}

/// A part of an optimizer that names itself and all its constants.
///
/// Two values that compare equal do exactly the same, so name and constants may enter the key of a run.
public protocol Hyperparameterized: Sendable, Hashable {
    /// Also the prefix of its state in a checkpoint.
    static var name: String { get }

    /// Every constant, in a fixed order.
    var hyperparameters: [(key: String, value: HyperparameterValue)] { get }

    /// What it computes, in plain text: a formula a line, with its constants and their values.
    var formula: [String] { get }
}

extension Hyperparameterized {
    /// For example `adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-08)`.
    public var summary: String {
        Self.name + "(" + hyperparameters.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + ")"
    }
}
