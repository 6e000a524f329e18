/// What distinguishes one encoder architecture from another: names, positions and the head's shape.
///
/// A new family is one file in `Families` and one line in `catalogue`.
public struct ModelFamily: Sendable {
    /// `model_type` in a Hugging Face configuration.
    public let identifier: String
    /// Before every encoder tensor's name, with its dot.
    public let prefix: String
    /// Name of the sequence-classification class in `transformers`.
    public let classifierArchitecture: String
    /// The hidden layer between the first token's output and the logits: its name without `.weight`.
    public let denseName: String
    /// Whether that layer belongs to the pre-trained encoder (BERT's pooler) rather than to the new head.
    public let denseIsPretrained: Bool
    /// Whether dropout is also applied before the dense layer.
    public let dropsBeforeDense: Bool
    /// The layer that gives the logits: its name without `.weight`.
    public let outputName: String
    private let positionsStartAfterPad: Bool

    init(identifier: String, prefix: String, classifierArchitecture: String, denseName: String, denseIsPretrained: Bool,
         dropsBeforeDense: Bool, outputName: String, positionsStartAfterPad: Bool) {
        self.identifier = identifier
        self.prefix = prefix
        self.classifierArchitecture = classifierArchitecture
        self.denseName = denseName
        self.denseIsPretrained = denseIsPretrained
        self.dropsBeforeDense = dropsBeforeDense
        self.outputName = outputName
        self.positionsStartAfterPad = positionsStartAfterPad
    }

    func positionOffset(padID: Int) -> Int { positionsStartAfterPad ? padID + 1 : 0 }

    /// The token that takes no position of its own, but the one of its number, where there is one.
    func uncountedToken(padID: Int) -> Int? { positionsStartAfterPad ? padID : nil }

    public static let catalogue: [ModelFamily] = [.bert, .roberta]

    /// The family of a `model_type`, nil when unknown.
    public init?(identifier: String) {
        guard let family = Self.catalogue.first(where: { $0.identifier == identifier }) else { return nil }
        self = family
    }
}

extension ModelFamily: Hashable {
    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.identifier == rhs.identifier }
    public func hash(into hasher: inout Hasher) { hasher.combine(identifier) }
}
