import Foundation
import Models
import Tensors

extension TokenSplit {
    /// `sequences` of `length` random tokens each with labels that take turns, the same in every run.
    static func random(sequences: Int, length: Int, _ model: BenchmarkModel) -> TokenSplit {
        let key = CounterRNG.key(seed: 0, step: 0, site: 3 << 32)
        // BERT's special tokens come first.
        let vocabulary = model.configuration.vocabularySize, first = min(5, vocabulary - 1)
        let ids = (0..<sequences * length).map { place in
            Int32(Double(first) + CounterRNG.uniform(key: key, index: place) * Double(vocabulary - first))
        }
        let labels = (0..<sequences).map { $0 % max(2, model.head.outputs) }
        var split = dense(ids, length: length)
        if model.head.loss == .crossEntropy {
            split.classes = labels.map { Int32($0 % model.head.outputs) }
        } else {
            split.values = labels.flatMap { Array(repeating: Float($0 % 2), count: model.head.outputs) }
        }
        return split
    }

    /// Reads `{"input_ids": [[…], …], "labels": […]}`: sequences of one length, and for each a class, or the values of a head that
    /// does not classify (a list of them, or the one number).
    ///
    /// - Throws: `FormatError` naming the file and the entry.
    static func dense(contentsOf url: URL, _ model: BenchmarkModel) throws -> TokenSplit {
        let file = url.path
        func fault(_ reason: FormatReason, _ entry: String?, _ problem: String, _ expected: String, _ found: String? = nil) -> FormatError {
            FormatError(reason, file: file, column: entry, problem, expected: expected, found: found,
                        advice: #"Write {"input_ids": [[…], …], "labels": […]}, sequences of one length and a label for each."#)
        }
        let tree = try JSONTree(parsing: OpenFile.contents(of: url, limit: longestBatchFile), file: file)
        guard case .object(let object) = tree else {
            throw fault(.jsonNotObject, nil, "the batch is not a JSON object", "an object", tree.kindName)
        }
        func list(_ value: JSONTree?, _ entry: String, _ content: String) throws -> [JSONTree] {
            guard case .array(let list)? = value, !list.isEmpty else {
                throw fault(.wrongKeyType, entry, "the entry is not a list of \(content)", "a list that is not empty",
                            value.map { $0.kindName } ?? "nothing")
            }
            return list
        }
        for member in object.members where !["input_ids", "labels"].contains(member.key) {
            throw fault(.unsupportedValue, member.key, "the batch has an entry that is not known", "input_ids and labels")
        }
        let rows = try list(object["input_ids"], "input_ids", "sequences")
        let vocabulary = model.configuration.vocabularySize, longest = model.configuration.longestSequence
        var ids: [Int32] = [], length = 0
        for (b, row) in rows.enumerated() {
            let tokens = try list(row, "input_ids[\(b)]", "token ids")
            if b == 0 { length = tokens.count }
            guard tokens.count == length, length <= longest else {
                throw fault(.inconsistentValues, "input_ids[\(b)]", "the sequence has another length",
                            b == 0 ? "at most \(longest) tokens" : "\(length) tokens as the first", "\(tokens.count)")
            }
            for (t, token) in tokens.enumerated() {
                guard case .number(let number) = token, let id = number.integer, (0..<vocabulary).contains(id) else {
                    throw fault(.valueOutOfRange, "input_ids[\(b)][\(t)]", "the token is no id of the model's vocabulary",
                                "0 to \(vocabulary - 1)", token.text)
                }
                ids.append(Int32(id))
            }
        }
        let labels = try list(object["labels"], "labels", "labels")
        guard labels.count == rows.count else {
            throw fault(.inconsistentValues, "labels", "the labels are not as many as the sequences", "\(rows.count)", "\(labels.count)")
        }
        var split = dense(ids, length: length)
        let outputs = model.head.outputs
        guard model.head.loss != .crossEntropy else {
            split.classes = try labels.enumerated().map { b, label in
                guard case .number(let number) = label, let value = number.integer, (0..<outputs).contains(value) else {
                    throw fault(.valueOutOfRange, "labels[\(b)]", "the label is no class of the model", "0 to \(outputs - 1)", label.text)
                }
                return Int32(value)
            }
            return split
        }
        split.values = try labels.enumerated().flatMap { b, label in
            var values = [label]
            if case .array(let list) = label { values = list }
            let numbers = values.compactMap { value -> Float? in
                guard case .number(let number) = value else { return nil }
                return number.double.map { Float($0) }
            }
            guard numbers.count == outputs, values.count == outputs else {
                throw fault(.wrongKeyType, "labels[\(b)]", "the label does not fit the model's head", "\(outputs) numbers", label.kindName)
            }
            return numbers
        }
        return split
    }

    private static let longestBatchFile = 64 << 20

    private static func dense(_ ids: [Int32], length: Int) -> TokenSplit {
        TokenSplit(name: "batch", ids: ids, starts: Array(stride(from: 0, through: ids.count, by: length)),
                   types: [UInt8](repeating: 0, count: ids.count), lines: [])
    }
}

extension JSONTree {
    /// A number as it stands in the file; of others the kind.
    fileprivate var text: String {
        if case .number(let number) = self { number.literal } else { kindName }
    }
}
