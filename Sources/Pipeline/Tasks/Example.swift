/// One text, or pair of texts, with its label where that is known.
public struct Example: Hashable, Sendable {
    public enum Label: Hashable, Sendable {
        /// The index of a label.
        case classIndex(Int)
        /// Indices of labels, ascending.
        case labelSet([Int])
        case value(Double)
    }

    public var text: String
    public var pair: String?
    public var label: Label?
    /// Where it stands in its file, counted from 1.
    public var line: Int
    /// The example's own number or name in its file, where there is one.
    public var identifier: String?

    public init(text: String, pair: String? = nil, label: Label? = nil, line: Int, identifier: String? = nil) {
        self.text = text
        self.pair = pair
        self.label = label
        self.line = line
        self.identifier = identifier
    }
}
