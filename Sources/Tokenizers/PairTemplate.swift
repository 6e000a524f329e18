/// Where the special tokens stand around a text and a pair of texts.
public struct PairTemplate: Codable, Sendable, Hashable {
    public struct Item: Codable, Sendable, Hashable {
        public enum Content: String, Codable, Sendable {
            case first, second, token
        }

        public var content: Content
        /// Of `token` only.
        public var id: Int32?
        public var typeID: UInt8

        public static func first(type: UInt8) -> Self { Self(content: .first, id: nil, typeID: type) }
        public static func second(type: UInt8) -> Self { Self(content: .second, id: nil, typeID: type) }
        public static func token(_ id: Int32, type: UInt8) -> Self { Self(content: .token, id: id, typeID: type) }
    }

    public var single: [Item]
    public var pair: [Item]

    public init(single: [Item], pair: [Item]) {
        self.single = single
        self.pair = pair
    }

    /// `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`, the second text and its end of type 1.
    public static func bert(cls: Int32, sep: Int32) -> Self {
        Self(
            single: [.token(cls, type: 0), .first(type: 0), .token(sep, type: 0)],
            pair: [
                .token(cls, type: 0), .first(type: 0), .token(sep, type: 0), .second(type: 1), .token(sep, type: 1),
            ])
    }

    /// `<s> A </s>` and `<s> A </s></s> B </s>`, all of type 0.
    public static func roberta(cls: Int32, sep: Int32) -> Self {
        Self(
            single: [.token(cls, type: 0), .first(type: 0), .token(sep, type: 0)],
            pair: [
                .token(cls, type: 0), .first(type: 0), .token(sep, type: 0), .token(sep, type: 0), .second(type: 0),
                .token(sep, type: 0),
            ])
    }

    /// Whether each form names each of its texts exactly once.
    var isComplete: Bool {
        func count(_ items: [Item], _ content: Item.Content) -> Int { items.count { $0.content == content } }
        return count(single, .first) == 1 && count(single, .second) == 0
            && count(pair, .first) == 1 && count(pair, .second) == 1
            && (single + pair).allSatisfy { ($0.content == .token) == ($0.id != nil) }
    }

    /// The largest token type that a text gets, or a pair of texts.
    public func largestTypeID(isPair: Bool) -> Int { Int((isPair ? pair : single).map(\.typeID).max() ?? 0) }

    func addedCount(isPair: Bool) -> Int { (isPair ? pair : single).count { $0.content == .token } }
}

/// Longest-first truncation exactly as the reference does it.
///
/// The longer text gives way until both are equally long; an odd place then goes to the longer one,
/// and to the second where they were equal.
func truncatedCounts(_ first: Int, _ second: Int?, limit: Int) -> (first: Int, second: Int) {
    guard let second else { return (min(first, limit), 0) }
    if first + second <= limit { return (first, second) }
    let isSwapped = first > second
    let shorter = min(first, second)
    var short = shorter
    var long = shorter > limit ? shorter : max(shorter, limit - shorter)
    if short + long > limit {
        short = limit / 2
        long = short + limit % 2
    }
    return isSwapped ? (long, short) : (short, long)
}
