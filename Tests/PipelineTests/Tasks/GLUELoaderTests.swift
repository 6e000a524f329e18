import Foundation
import Testing

@testable import Pipeline

@Suite struct GLUELoaderTests {
    /// A row of every split of every task in its official layout, with texts of our own.
    static let files: [String: [String: String]] = [
        "cola": [
            "train.tsv": "gj04\t1\t\tA cat sat.\ngj04\t0\t*\tSat cat \"a.",
            "dev.tsv": "x01\t0\t*\tThe dog the.", "test.tsv": "index\tsentence\n0\tA bird.\n1\tIs it.\n",
        ],
        "sst2": [
            "train.tsv": "sentence\tlabel\nfine film \t1\n", "dev.tsv": "sentence\tlabel\ndull \t0\n",
            "test.tsv": "index\tsentence\n0\tlong\n",
        ],
        "mrpc": [
            "train.tsv": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tOne .\tAnother .\n",
            "dev.tsv": "\u{FEFF}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n0\t7\t8\t\"One\tAnother .\r\n",
            "test.tsv": "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t7\t8\tOne .\tAnother .\n",
        ],
        "stsb": [
            "train.tsv":
                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
                + "0\tg\tf\t2012\t01\tn\tn\tA plane.\tA jet.\t4.250\n",
            "dev.tsv":
                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
                + "0\tg\tf\t2012\t01\tn\tn\tA plane.\tA dog.\t0\n",
            "test.tsv":
                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\n"
                + "0\tg\tf\t2012\t01\tn\tn\tA plane.\tA dog.\n",
        ],
        "qqp": [
            "train.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n7\t1\t2\tWhy?\tHow?\t0\n",
            "dev.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n8\t3\t4\tWho?\tWho is?\t1\n",
            "test.tsv": "id\tquestion1\tquestion2\n0\tWhat?\tWhich?\n",
        ],
        "mnli": [
            "train.tsv":
                "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
                + "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
                + "0\t1\t1n\tf\t(\t(\t(\t(\tIt rains.\tIt is wet.\tneutral\tneutral\n",
            "dev_matched.tsv": mnliDev("contradiction"), "dev_mismatched.tsv": mnliDev("entailment"),
            "test_matched.tsv": mnliTest, "test_mismatched.tsv": mnliTest,
        ],
        "qnli": [
            "train.tsv": "index\tquestion\tsentence\tlabel\n0\tWho?\tShe.\tentailment\n",
            "dev.tsv": "index\tquestion\tsentence\tlabel\n0\tWhen?\tHere.\tnot_entailment\n",
            "test.tsv": "index\tquestion\tsentence\n0\tWhen?\tHere.\n",
        ],
        "rte": [
            "train.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tnot_entailment\n",
            "dev.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA.\tA.\tentailment\n",
            "test.tsv": "index\tsentence1\tsentence2\n0\tA.\tB.\n",
        ],
        "wnli": [
            "train.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA saw it.\tA saw B.\t1\n",
            "dev.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA saw it.\tA saw C.\t0\n",
            "test.tsv": "index\tsentence1\tsentence2\n0\tA saw it.\tA saw C.\n",
        ],
        "ax": [
            "diagnostic.tsv": "index\tsentence1\tsentence2\n0\tA.\tB.",
            "diagnostic-full.tsv":
                "Lexical Semantics\tPredicate-Argument "
                + "Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel\n"
                + "\t\tNegation\t\tnews\tA.\tNot A.\tcontradiction\n",
        ],
    ]

    static func mnliDev(_ label: String) -> String {
        ""
        + "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
            + "sentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n"
            + "0\t1\t1n\tf\t(\t(\t(\t(\tIt rains.\tIt is dry.\tx\tx\tx\tx\tx\t\(label)\n"
    }

    static let mnliTest =
        ""
        + "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
        + "sentence1\tsentence2\n9\t1\t1n\tf\t(\t(\t(\t(\tIt rains.\tIt is dry.\n"

    static func write(_ task: GLUETask, inside folder: String? = nil) -> Scratch {
        let scratch = Scratch()
        for (name, text) in files[task.name]! { _ = scratch.write((folder.map { $0 + "/" } ?? "") + name, text) }
        return scratch
    }

    static func load(_ name: String, _ file: String, _ text: String) throws -> LoadedTask {
        let scratch = Scratch()
        return try GLUELoader(GLUECatalogue.task(named: name)!).load(scratch.write(file, text))
    }

    @Test(arguments: GLUECatalogue.all.map(\.name))
    func `every task reads its official layout, from its own folder and from the one above`(name: String) throws {
        let task = try #require(GLUECatalogue.task(named: name))
        for folder in [nil, task.folder] {
            let scratch = Self.write(task, inside: folder)
            let loaded = try TaskLoader.load(task: name, from: scratch.url)
            #expect(loaded.splits.map(\.name) == task.splits.map(\.name))
            for split in loaded.splits {
                let isTest = split.name.hasPrefix("test")
                #expect(split.isLabelled == !isTest)
                #expect(split.examples.allSatisfy { ($0.label == nil) == isTest })
                #expect(split.examples.allSatisfy { ($0.pair != nil) == task.definition.isPair })
                #expect(split.examples.allSatisfy { !isTest || $0.identifier != nil })
                #expect(split.omissions == [] && split.emptyTextCount == 0)
            }
        }
    }

    @Test func `texts, labels and lines are those of the file`() throws {
        let cola = try Self.load("cola", "train.tsv", Self.files["cola"]!["train.tsv"]!).splits[0].examples
        #expect(cola[0] == Example(text: "A cat sat.", label: .classIndex(1), line: 1))
        #expect(cola[1] == Example(text: "Sat cat \"a.", label: .classIndex(0), line: 2))
        let sst2 = try Self.load("sst2", "train.tsv", Self.files["sst2"]!["train.tsv"]!).splits[0].examples
        #expect(sst2 == [Example(text: "fine film ", label: .classIndex(1), line: 2)])
        let mrpc = try Self.load("mrpc", "dev.tsv", Self.files["mrpc"]!["dev.tsv"]!).splits[0].examples
        #expect(mrpc == [Example(text: "\"One", pair: "Another .", label: .classIndex(0), line: 2)])
        let stsb = try Self.load("stsb", "train.tsv", Self.files["stsb"]!["train.tsv"]!).splits[0].examples
        #expect(stsb == [Example(text: "A plane.", pair: "A jet.", label: .value(4.25), line: 2, identifier: "0")])
        let qqp = try Self.load("qqp", "test.tsv", Self.files["qqp"]!["test.tsv"]!).splits[0].examples
        #expect(qqp == [Example(text: "What?", pair: "Which?", line: 2, identifier: "0")])
        let mnli = try Self.load("mnli", "dev_matched.tsv", Self.mnliDev("contradiction")).splits[0].examples
        #expect(
            mnli == [Example(text: "It rains.", pair: "It is dry.", label: .classIndex(2), line: 2, identifier: "0")])
        let qnli = try Self.load("qnli", "dev.tsv", Self.files["qnli"]!["dev.tsv"]!).splits[0].examples
        #expect(qnli == [Example(text: "When?", pair: "Here.", label: .classIndex(1), line: 2, identifier: "0")])
        let full = try Self.load("ax", "diagnostic-full.tsv", Self.files["ax"]!["diagnostic-full.tsv"]!).splits[0]
            .examples
        #expect(full == [Example(text: "A.", pair: "Not A.", label: .classIndex(2), line: 2)])
    }

    @Test(
        arguments: [
            ("cola", "train.tsv", "gj04\t1\t\tA.\ngj04\t2\t\tB.\n", FormatReason.unknownLabel, 2),
            ("cola", "train.tsv", "gj04\t1\t\tA.\ngj04\t1\tB.\n", .fieldCount, 2),
            ("cola", "dev.tsv", "gj04\t1\t\tA.\tmore\n", .fieldCount, 1),
            ("sst2", "train.tsv", "sentence\tlabel\na\t1\nb\t1 \n", .unknownLabel, 3),
            ("sst2", "train.tsv", "sentence\tlabel\na\t1\nb\n", .fieldCount, 3),
            ("sst2", "dev.tsv", "sentence\nb\n", .missingColumn, 1),
            ("stsb", "dev.tsv", "sentence1\tsentence2\tscore\tindex\na\tb\t5.1\t0\n", .numberOutOfRange, 2),
            ("stsb", "dev.tsv", "sentence1\tsentence2\tscore\tindex\na\tb\tnan\t0\n", .invalidNumber, 2),
            ("stsb", "dev.tsv", "sentence1\tsentence2\tscore\tindex\na\tb\t0x1\t0\n", .invalidNumber, 2),
            ("stsb", "dev.tsv", "sentence1\tsentence2\tscore\tindex\na\tb\t\t0\n", .invalidNumber, 2),
            ("mnli", "train.tsv", "index\tsentence1\tsentence2\tgold_label\n0\ta\tb\t-\n", .unknownLabel, 2),
            ("rte", "train.tsv", "index\tsentence1\tsentence2\tlabel\n\n0\ta\tb\tentailment\n", .emptyLine, 2),
            ("rte", "train.tsv", "index\tsentence1\tsentence2\tlabel\n", .noExamples, nil),
            ("rte", "train.tsv", "", .emptyFile, nil),
            ("qqp", "test.tsv", "id\tquestion1\tquestion2\n0\ta\n", .fieldCount, 2),
            (
                "qqp", "train.tsv", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\ta\tb\t1\t1\n",
                .fieldCount, 2
            ),
        ] as [(String, String, String, FormatReason, Int?)])
    func `a malformed file is refused with its line`(
        task: String, file: String, text: String, reason: FormatReason, line: Int?
    ) throws {
        let error = try refusal { _ = try Self.load(task, file, text) }
        #expect(error?.reason == reason, "\(error?.description ?? "accepted")")
        #expect(error?.line == line)
        #expect(error?.description.contains(file) == true)
    }

    @Test func `QQP's rows that a line end broke are left out and reported`() throws {
        let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        let text = header + "0\t1\t2\ta\tb\t1\n1\t1\t2\thow\n\nnow?\tb\t0\n2\t1\t2\tc\t\t0\n\n"
        let split = try Self.load("qqp", "train.tsv", text).splits[0]
        #expect(split.examples.map(\.line) == [2, 6])
        #expect(split.omissions.map(\.line) == [3, 4, 5])
        #expect(split.omissions[0].problem == "4 fields instead of 6")
        #expect(split.emptyTextCount == 1)
        let gap = try Self.load("qqp", "dev.tsv", header + "0\t1\t2\ta\tb\t1\n\n1\t1\t2\tc\td\t0\n").splits[0]
        #expect(gap.omissions.map(\.line) == [3])
        let broken = header + "0\t1\t2\ta\tb\t1\n" + String(repeating: "x\ty\n", count: 11)
        #expect(try refusal { _ = try Self.load("qqp", "dev.tsv", broken) }?.reason == .tooManyMalformedRows)
    }

    @Test func `a folder or file of another task is refused`() throws {
        let scratch = Scratch()
        #expect(try refusal { _ = try GLUELoader(.rte).load(scratch.url) }?.reason == .noSplits)
        let file = scratch.write("other.tsv", "a\n")
        #expect(try refusal { _ = try GLUELoader(.rte).load(file) }?.reason == .noSplits)
        let absent = scratch.url.appendingPathComponent("absent")
        #expect(try refusal { _ = try GLUELoader(.rte).load(absent) }?.reason == .fileMissing)
        #expect(try refusal { _ = try TaskLoader.load(task: "mnil", from: absent) }?.reason == .unknownTask)
    }

    @Test(arguments: GLUECatalogue.all.map(\.name))
    func `a task's definition survives storage and selects on a labelled split that it has`(name: String) throws {
        let task = try #require(GLUECatalogue.task(named: name))
        let data = try JSONEncoder().encode(task.definition)
        #expect(try JSONDecoder().decode(TaskDefinition.self, from: data) == task.definition)
        let split = try #require(task.splits.first { $0.name == task.definition.developmentSplit })
        #expect(split.layout.label != nil)
        #expect(GLUECatalogue.all.filter { $0.name == name }.count == 1)
        #expect(task.definition.outputCount == (name == "stsb" ? 1 : task.definition.labels.count))
    }
}
