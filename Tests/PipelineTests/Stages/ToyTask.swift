import Foundation
import Tensors

@testable import Pipeline

/// A small task with made-up sentences in words that the tiny model knows.
struct ToyTask {
    var kind = OwnDataOptions.Kind.classification
    var isPair = false
    /// Of a classification: two or three.
    var labels = ["negative", "positive"]
    var train = 22
    var development = 9
    /// Without labels.
    var test = 5
    var seed: UInt64 = 1
    var format = OwnDataOptions.FileKind.tabSeparated

    /// One line of a file.
    struct Row: Equatable {
        var text: String
        var pair: String?
        /// As it stands in the file; nil without a label.
        var label: String?
    }

    private static let subjects = "movie film story city day man woman light year time".split(separator: " ").map(String.init)
    private static let tones = ["bad hate worst dull poor dark", "good love best fun great light", "new old first last one two"]
        .map { $0.split(separator: " ").map(String.init) }
    private static let fillers = "the a very so most all this that it was is and but not in on for with".split(separator: " ").map(
        String.init)

    /// Sentences of 3 to 16 words; the label is the tone of one of them.
    func rows(_ split: String, _ count: Int) -> [Row] {
        let key = CounterRNG.key(seed: seed, step: UInt64(split.utf8.reduce(0) { $0 * 31 + Int($1) }), site: 9 << 32)
        return (0..<count).map { row in
            var index = row * 64
            func draw(_ bound: Int) -> Int {
                index += 1
                return Int(CounterRNG.uniform(key: key, index: index) * Double(bound))
            }
            func sentence(_ tone: Int) -> String {
                var words = ["the", Self.subjects[draw(Self.subjects.count)]]
                for _ in 0..<draw(12) { words.append(Self.fillers[draw(Self.fillers.count)]) }
                words.insert(Self.tones[tone][draw(6)], at: 1 + draw(words.count))
                return words.joined(separator: " ")
            }
            let tone = draw(labels.count)
            let label =
                switch kind {
                case .classification: labels[tone]
                case .multilabel: (0..<labels.count).filter { $0 == tone || draw(3) == 0 }.map { labels[$0] }.joined(separator: ",")
                case .regression: "\(tone * 2).\(draw(10))"
                }
            return Row(text: sentence(tone), pair: isPair ? sentence(draw(labels.count)) : nil, label: split == "test" ? nil : label)
        }
    }

    /// Writes the files of the splits and returns their folder.
    func write(to scratch: Scratch, folder: String) throws -> URL {
        for (split, count) in [("train", train), ("dev", development), ("test", test)] where count > 0 {
            _ = scratch.write("\(folder)/\(split).\(format.rawValue)", text(rows(split, count)))
        }
        return scratch.url.appendingPathComponent(folder)
    }

    private var labelColumn: String {
        switch kind {
        case .classification: "label"
        case .multilabel: "labels"
        case .regression: "score"
        }
    }

    private func text(_ rows: [Row]) -> String {
        let columns = (isPair ? ["sentence1", "sentence2"] : ["text"]) + (rows[0].label == nil ? [] : [labelColumn])
        let fields = rows.map { [$0.text] + ($0.pair.map { [$0] } ?? []) + ($0.label.map { [$0] } ?? []) }
        switch format {
        case .tabSeparated: return ([columns] + fields).map { $0.joined(separator: "\t") + "\n" }.joined()
        case .commaSeparated: return ([columns] + fields).map { $0.map { "\"\($0)\"" }.joined(separator: ",") + "\n" }.joined()
        case .jsonLines:
            return fields.map { row in
                let members = zip(columns, row).map { name, field in
                    switch name {
                    case "labels": "\"labels\": [" + field.split(separator: ",").map { "\"\($0)\"" }.joined(separator: ", ") + "]"
                    case "score": "\"score\": \(field)"
                    default: "\"\(name)\": \"\(field)\""
                    }
                }
                return "{" + members.joined(separator: ", ") + "}\n"
            }.joined()
        }
    }
}
