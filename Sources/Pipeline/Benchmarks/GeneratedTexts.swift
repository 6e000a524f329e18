import Foundation
import Tensors
import Tokenizers

extension TokenizerBenchmark {
    /// Sentences of the vocabulary's own words, the same in every run: 4 to 40 words, the first ones of the vocabulary more often
    /// than the later ones (as vocabularies are sorted and languages are), and one word in twenty made of two, which is in no vocabulary.
    ///
    /// - Throws: `PipelineError` with code `unfitInput` for a vocabulary without words of plain letters.
    public static func generatedTexts(_ tokenizer: any Tokenizer, count: Int = 10_000) throws -> [Text] {
        let words = (0..<tokenizer.vocabularySize).compactMap { tokenizer.token(Int32($0)).flatMap(word) }
        guard !words.isEmpty else {
            throw PipelineError(.unfitInput, "the vocabulary has no words of plain letters to make sentences of",
                                advice: "Give a file of texts with --input.")
        }
        let key = CounterRNG.key(seed: 0, step: 0, site: 4 << 32)
        var draws = 0
        func uniform() -> Double {
            draws += 1
            return CounterRNG.uniform(key: key, index: draws)
        }
        // The logarithm of the rank is uniform: a word's frequency falls as one over its rank.
        func draw() -> [UInt8] { words[min(words.count - 1, Int(pow(Double(words.count), uniform())) - 1)] }
        return (0..<count).map { _ in
            var text: [UInt8] = []
            for place in 0..<4 + Int(uniform() * 37) {
                if place > 0 { text.append(UInt8(ascii: " ")) }
                text += draw()
                if uniform() < 0.05 { text += draw() }
            }
            return Text(text + [UInt8(ascii: ".")])
        }
    }

    /// The word that a token stands for: at least two ASCII letters, WordPiece's or, after the mark of a space, byte-level BPE's.
    private static func word(_ token: String) -> [UInt8]? {
        let bytes = Array((token.hasPrefix("\u{120}") ? token.dropFirst() : token[...]).utf8)
        let isWord = bytes.count >= 2 && bytes.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
        return isWord ? bytes : nil
    }
}
