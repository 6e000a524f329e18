import Tokenizers

/// Times a tokenizer on texts in memory, on the calling thread.
public struct TokenizerBenchmark {
    /// A text, or a pair of texts, as UTF-8.
    public struct Text: Sendable {
        public let first: [UInt8]
        public let second: [UInt8]?

        public init(_ first: some Sequence<UInt8>, _ second: (some Sequence<UInt8>)? = [UInt8]?.none) {
            self.first = Array(first)
            self.second = second.map { Array($0) }
        }

        var byteCount: Int { first.count + (second?.count ?? 0) }
    }

    public var texts: [Text]
    public var rounds = 5

    public init(_ texts: [Text]) { self.texts = texts }

    public struct Result: Sendable {
        /// Of all texts together.
        public let byteCount: Int, tokenCount: Int
        /// Of the first round over all texts, which meets every word for the first time.
        public let firstSeconds: Double
        /// Of each round after it.
        public let roundSeconds: [Double]

        public var medianSeconds: Double { median(roundSeconds) }
    }

    /// - Throws: `TokenizerError` for a text that is not UTF-8 or too long.
    public func run(_ tokenizer: any Tokenizer) throws -> Result {
        precondition(rounds >= 1)
        let clock = ContinuousClock()
        var encoding = Encoding(), seconds: [Double] = [], tokens = 0
        for _ in 0...rounds {
            let started = clock.now
            tokens = 0
            for text in texts {
                try text.first.withUnsafeBufferPointer { first in
                    guard let second = text.second else {
                        return try tokenizer.encode(utf8: first, pair: nil, maxLength: nil, into: &encoding)
                    }
                    try second.withUnsafeBufferPointer { try tokenizer.encode(utf8: first, pair: $0, maxLength: nil, into: &encoding) }
                }
                tokens += encoding.ids.count
            }
            seconds.append(Trainer.seconds(clock.now - started))
        }
        return Result(byteCount: texts.reduce(0) { $0 + $1.byteCount }, tokenCount: tokens, firstSeconds: seconds[0],
                      roundSeconds: Array(seconds.dropFirst()))
    }
}
