import Foundation
import Testing

@testable import Pipeline

@Suite struct OwnDataLoaderTests {
    static func load(
        _ task: String, _ files: [String: String], _ configure: (inout OwnDataOptions) -> Void = { _ in }
    ) throws -> LoadedTask {
        let scratch = Scratch()
        for (name, text) in files { _ = scratch.write(name, text) }
        return try TaskLoader.load(task: task, from: scratch.url, configure: configure)
    }

    static func refused(
        _ task: String, _ files: [String: String], _ configure: (inout OwnDataOptions) -> Void = { _ in }
    ) throws -> FormatError? {
        try refusal { _ = try load(task, files, configure) }
    }

    @Test func `the same data reads alike from every kind of file`() throws {
        let table = try Self.load("classification", ["train.tsv": "text\tlabel\na \"b\"\tyes\nc\tno\n"])
        let comma = try Self.load("classification", ["train.csv": "label,text\nyes,\"a \"\"b\"\"\"\nno,c\n"])
        let lines = try Self.load(
            "classification",
            [
                "train.jsonl":
                    "{\"text\":\"a \\\"b\\\"\",\"label\":\"yes\"}\n{\"text\":\"c\",\"label\":\"no\",\"more\":1}\n"
            ])
        #expect(table.definition.labels == ["no", "yes"])
        #expect(table.definition.primaryMetric == "accuracy")
        #expect(table.splits[0].examples.map(\.text) == ["a \"b\"", "c"])
        #expect(table.splits[0].examples.map(\.label) == [.classIndex(1), .classIndex(0)])
        #expect(table.splits[0].examples.map(\.line) == [2, 3])
        for other in [comma, lines] {
            #expect(other.definition == table.definition)
            #expect(other.splits[0].examples.map(\.text) == table.splits[0].examples.map(\.text))
            #expect(other.splits[0].examples.map(\.label) == table.splits[0].examples.map(\.label))
        }
        #expect(table.splits[0].labelCounts(2) == [1, 1])
    }

    @Test func `a folder has splits, of which the test may be without labels`() throws {
        let task = try Self.load(
            "classification",
            [
                "train.tsv": "text\tlabel\na\tx\nb\ty\nc\tz\n", "validation.csv": "text,label\nd,z\n",
                "test.jsonl": "{\"text\":\"e\"}\n", "notes.txt": "not data",
            ])
        #expect(task.splits.map(\.name) == ["train", "dev", "test"])
        #expect(task.splits.map(\.isLabelled) == [true, true, false])
        #expect(task.split("dev")?.examples[0].label == .classIndex(2))
        #expect(task.split("test")?.examples[0].label == nil)
        #expect(task.definition.metrics == ["accuracy", "macro_f1", "matthews"])
    }

    @Test func `labels are sorted by their bytes`() throws {
        let text = "text\tlabel\n" + ["b", "é", "B", "10", "2", "z"].map { "t\t\($0)\n" }.joined()
        #expect(
            try Self.load("classification", ["train.tsv": text]).definition.labels == ["10", "2", "B", "b", "z", "é"])
    }

    @Test func `labels that are whole numbers are sorted as numbers`() throws {
        func labels(_ names: [String]) throws -> [String] {
            try Self.load("classification", ["train.tsv": "text\tlabel\n" + names.map { "a\t\($0)\n" }.joined()]).definition.labels
        }
        #expect(try labels(["10", "2", "0", "-1"]) == ["-1", "0", "2", "10"])
        #expect(try labels(["10", "2", "x"]) == ["10", "2", "x"])
        #expect(try labels(["10", "02"]) == ["02", "10"] && labels(["10", "+2"]) == ["+2", "10"])
    }

    @Test func `a number that float32 does not hold is refused with its line`() throws {
        let refusal = try Self.refused("regression", ["train.tsv": "text\tscore\na\t1e38\nb\t1e39\n"])
        #expect(refusal?.reason == .invalidNumber && refusal?.line == 3)
    }

    @Test func `files are found by any extension where their kind is given, and by known ones in any case`() throws {
        let text = "text\tlabel\na\tyes\nc\tno\n"
        #expect(try Self.load("classification", ["train.TSV": text, "train.md": "no data"]).splits.map(\.name) == ["train"])
        #expect(try Self.refused("classification", ["train.txt": text])?.reason == .noSplits)
        let given = try Self.load("classification", ["train.txt": text, "valid.data": text, "notes.md": ""]) { $0.fileKind = .tabSeparated }
        #expect(given.splits.map(\.name) == ["train", "dev"])
        let folders = try Self.load("classification", ["train.txt": text, "train/notes": "", "dev.tsv/notes": ""]) { $0.fileKind = .tabSeparated }
        #expect(folders.splits.map(\.name) == ["train"])
        let scratch = Scratch(), link = scratch.url.appendingPathComponent("link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: scratch.write("data/train.tsv", text).deletingLastPathComponent())
        #expect(try TaskLoader.load(task: "classification", from: link) { _ in }.splits.map(\.name) == ["train"])
        let known = try Self.load("classification", ["train.tsv": text, "train.md": ""]) { $0.fileKind = .tabSeparated }
        #expect(known.splits.map(\.examples.count) == [2])
        #expect(try Self.refused("classification", ["train.txt": text, "train.md": text]) { $0.fileKind = .tabSeparated }?.reason == .ambiguousSplit)
    }

    @Test func `given labels keep their order and need no training split`() throws {
        let task = try Self.load("classification", ["dev.tsv": "text\tlabel\na\tb\n"]) { $0.labels = ["c", "b", "a"] }
        #expect(task.definition.labels == ["c", "b", "a"])
        #expect(task.splits[0].examples[0].label == .classIndex(1))
        #expect(try Self.refused("classification", ["dev.tsv": "text\tlabel\na\tb\n"])?.reason == .missingLabels)
    }

    @Test(arguments: [
        ("sentence1", "sentence2"), ("text_a", "text_b"), ("premise", "hypothesis"), ("question1", "question2"),
        ("question", "sentence"),
    ])
    func `pairs are found by the names of their columns`(first: String, second: String) throws {
        let files = ["train.tsv": "\(first)\tlabel\t\(second)\na\tx\tb\nc\ty\td\n"]
        for name in ["classification", "pair-classification"] {
            let task = try Self.load(name, files)
            #expect(task.definition.isPair)
            #expect(task.definition.name == "pair-classification")
            #expect(task.splits[0].examples.map(\.text) == ["a", "c"])
            #expect(task.splits[0].examples.map(\.pair) == ["b", "d"])
        }
    }

    @Test func `columns may be named`() throws {
        let task = try Self.load("classification", ["train.csv": "id,body,kind,text\n1,a,x,no\n2,b,y,no\n"]) {
            $0.textColumn = "body"
            $0.labelColumn = "kind"
        }
        #expect(task.splits[0].examples.map(\.text) == ["a", "b"])
        #expect(!task.definition.isPair)
    }

    @Test func `several labels are read from a separated field and from an array`() throws {
        let table = try Self.load(
            "multilabel", ["train.tsv": "text\tlabels\na\tx, y\nb\t\nc\ty\nd\t[\"z\", \"x\"]\n"])
        let lines = try Self.load(
            "multilabel",
            [
                "train.jsonl":
                    "{\"text\":\"a\",\"labels\":[\"y\",\"x\"]}\n{\"text\":\"b\",\"labels\":[]}\n"
                    + "{\"text\":\"c\",\"labels\":\"y\"}\n"
                    + "{\"text\":\"d\",\"labels\":[\"x\",\"z\"]}\n"
            ])
        #expect(table.definition.kind == .multiLabel(labels: ["x", "y", "z"]))
        #expect(table.definition.primaryMetric == "micro_f1")
        #expect(
            table.splits[0].examples.map(\.label) == [
                .labelSet([0, 1]), .labelSet([]), .labelSet([1]), .labelSet([0, 2]),
            ])
        #expect(lines.splits[0].examples.map(\.label) == table.splits[0].examples.map(\.label))
        #expect(table.splits[0].labelCounts(3) == [2, 2, 1])
        let other = try Self.load("multilabel", ["train.csv": "text,label\na,x|y\n"]) { $0.labelSeparator = "|" }
        #expect(other.definition.labels == ["x", "y"])
    }

    @Test func `a regression takes finite decimal numbers`() throws {
        let task = try Self.load("regression", ["train.tsv": "text\tscore\na\t-1.5e2\nb\t+3\nc\t.25\n"])
        #expect(task.definition.kind == .regression(range: nil))
        #expect(task.definition.outputCount == 1)
        #expect(task.splits[0].examples.map(\.label) == [.value(-150), .value(3), .value(0.25)])
        let lines = try Self.load(
            "pair-regression", ["train.jsonl": "{\"text_a\":\"a\",\"text_b\":\"b\",\"label\":2}\n"])
        #expect(lines.splits[0].examples == [Example(text: "a", pair: "b", label: .value(2), line: 1)])
        for value in ["nan", "inf", "1e999", "0x1p3", "1,5", "", "one", "1 "] {
            let error = try Self.refused("regression", ["train.tsv": "text\tscore\na\t1\nb\t\(value)\n"])
            #expect(error?.reason == .invalidNumber, "\(value)")
            #expect(error?.line == 3)
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let reason: FormatReason
        var task = "classification"
        let files: [String: String]
        var line: Int?
        var testDescription: String { "\(reason.rawValue) \(files.keys.sorted())" }
    }

    static let train = "text\tlabel\na\tx\nb\ty\n"
    static let refusals: [Refusal] = [
        Refusal(reason: .unknownLabel, files: ["train.tsv": train, "dev.tsv": "text\tlabel\nc\tx\nd\tw\n"], line: 3),
        Refusal(reason: .emptyText, files: ["train.tsv": "text\tlabel\na\tx\n  \ty\n"], line: 3),
        Refusal(reason: .emptyText, files: ["train.tsv": "text_a\ttext_b\tlabel\na\tb\tx\nc\t\ty\n"], line: 3),
        Refusal(reason: .emptyLabel, files: ["train.tsv": "text\tlabel\na\t\n"], line: 2),
        Refusal(reason: .labelWhitespace, files: ["train.tsv": "text\tlabel\na\tx\nb\tx \n"], line: 3),
        Refusal(reason: .labelLookalike, files: ["train.tsv": "text\tlabel\na\t\u{E9}\nb\te\u{301}\n"]),
        Refusal(reason: .singleClass, files: ["train.tsv": "text\tlabel\na\tx\nb\tx\n"]),
        Refusal(reason: .missingColumn, files: ["train.tsv": "text\tclass\na\tx\n"], line: 1),
        Refusal(reason: .missingColumn, files: ["train.tsv": "body\tlabel\na\tx\n"], line: 1),
        Refusal(reason: .missingColumn, files: ["train.tsv": train, "dev.tsv": "text\na\n"], line: 1),
        Refusal(
            reason: .missingColumn, files: ["train.jsonl": "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\"}\n"],
            line: 2),
        Refusal(reason: .ambiguousColumn, files: ["train.tsv": "text\tsentence\tlabel\na\tb\tx\n"], line: 1),
        Refusal(reason: .ambiguousColumn, files: ["train.tsv": "text\ttext_a\ttext_b\tlabel\na\tb\tc\tx\n"], line: 1),
        Refusal(
            reason: .ambiguousColumn, task: "regression", files: ["train.tsv": "text\tscore\tlabel\na\t1\t2\n"], line: 1
        ),
        Refusal(reason: .missingColumn, task: "pair-classification", files: ["train.tsv": train], line: 1),
        Refusal(reason: .pairMismatch, files: ["train.tsv": train, "dev.tsv": "text_a\ttext_b\tlabel\na\tb\tx\n"]),
        Refusal(reason: .ambiguousSplit, files: ["train.tsv": train, "train.csv": "text,label\na,x\n"]),
        Refusal(reason: .ambiguousSplit, files: ["train.tsv": train, "dev.tsv": train, "val.tsv": train]),
        Refusal(reason: .noSplits, files: ["data.tsv": train]),
        Refusal(reason: .noExamples, files: ["train.tsv": "text\tlabel\n"]),
        Refusal(reason: .noExamples, files: ["train.jsonl": ""]),
        Refusal(reason: .wrongValueType, files: ["train.jsonl": "{\"text\":1,\"label\":\"x\"}\n"], line: 1),
        Refusal(reason: .wrongValueType, files: ["train.jsonl": "{\"text\":\"a\",\"label\":1.5}\n"], line: 1),
        Refusal(reason: .wrongValueType, files: ["train.jsonl": "{\"text\":\"a\",\"label\":null}\n"], line: 1),
        Refusal(
            reason: .wrongValueType, task: "regression", files: ["train.jsonl": "{\"text\":\"a\",\"score\":\"1\"}\n"],
            line: 1),
        Refusal(reason: .duplicateLabel, task: "multilabel", files: ["train.tsv": "text\tlabels\na\tx,y,x\n"], line: 2),
        Refusal(reason: .emptyLabel, task: "multilabel", files: ["train.tsv": "text\tlabels\na\tx,,y\n"], line: 2),
        Refusal(reason: .jsonSyntax, task: "multilabel", files: ["train.tsv": "text\tlabels\na\t[x]\n"], line: 2),
        Refusal(reason: .fieldCount, files: ["train.tsv": "text\tlabel\na\tx\nb\ty\tz\n"], line: 3),
        Refusal(reason: .unclosedQuote, files: ["train.csv": "text,label\n\"a,x\n"], line: 2),
    ]

    @Test(arguments: refusals)
    func `data that cannot be right is refused`(item: Refusal) throws {
        let error = try Self.refused(item.task, item.files)
        #expect(error?.reason == item.reason, "\(error?.description ?? "accepted")")
        #expect(error?.line == item.line)
    }

    @Test func `empty texts may be allowed`() throws {
        let task = try Self.load("classification", ["train.tsv": "text\tlabel\n\tx\nb\ty\n"]) {
            $0.allowsEmptyText = true
        }
        #expect(task.splits[0].emptyTextCount == 1)
    }

    @Test func `a single file is the split that its name says, or the training split`() throws {
        let scratch = Scratch()
        let data = scratch.write("reviews.tsv", Self.train)
        #expect(try TaskLoader.load(task: "classification", from: data).splits.map(\.name) == ["train"])
        let dev = scratch.write("dev.csv", "text,label\na,x\n")
        let task = try TaskLoader.load(task: "classification", from: dev) { $0.labels = ["x", "y"] }
        #expect(task.splits.map(\.name) == ["dev"])
        let other = scratch.write("reviews.dat", Self.train)
        #expect(
            try refusal { _ = try TaskLoader.load(task: "classification", from: other) }?.reason == .unknownFileKind)
        let named = try TaskLoader.load(task: "classification", from: other) { $0.fileKind = .tabSeparated }
        #expect(named.splits[0].examples.count == 2)
    }

    @Test func `files may be given for each split`() throws {
        let scratch = Scratch()
        let first = scratch.write("one.tsv", Self.train)
        let second = scratch.write("two.csv", "text,label\nc,y\n")
        let loader = OwnDataLoader(OwnDataOptions(kind: .classification))
        let task = try loader.load(splits: [("train", first), ("extra", second)])
        #expect(task.split("extra")?.examples.map(\.label) == [.classIndex(1)])
    }

    @Test func `a list of labels with a repeated or empty name is refused`() throws {
        for (labels, reason) in [
            (["x", "x"], FormatReason.duplicateLabel), (["x", ""], .emptyLabel), ([], .singleClass),
        ] {
            #expect(
                try Self.refused("classification", ["train.tsv": Self.train]) { $0.labels = labels }?.reason == reason)
        }
    }
}
