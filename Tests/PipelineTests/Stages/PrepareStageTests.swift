import Foundation
import Store
import Testing
import Tokenizers

@testable import Pipeline

@Suite struct PrepareStageTests {
    private static let kinds: [(OwnDataOptions.Kind, Bool, OwnDataOptions.FileKind)] = [
        (.classification, false, .tabSeparated), (.classification, true, .commaSeparated), (.regression, false, .jsonLines),
        (.regression, true, .tabSeparated), (.multilabel, false, .commaSeparated), (.multilabel, true, .jsonLines),
    ]

    private func stage(
        _ toy: ToyStore, _ folder: URL, kind: OwnDataOptions.Kind = .classification, as name: String = "toy", maxLength: Int = 32
    )
        -> PrepareStage
    {
        PrepareStage(source: .own(OwnDataOptions(kind: kind), at: folder), model: "tiny", name: name, maxLength: maxLength)
    }

    @Test(arguments: Self.kinds)
    func `every split is the tokenizer's output with the file's labels`(
        _ kind: OwnDataOptions.Kind, _ isPair: Bool, _ format: OwnDataOptions.FileKind
    ) throws {
        let task = ToyTask(kind: kind, isPair: isPair, labels: ["bad", "good", "plain"], format: format)
        let toy = try ToyStore.ready(task)
        let dataset = try PreparedDataset.find("toy", in: toy.store), tokenizer = try StoredModel.find("tiny", in: toy.store).tokenizer()
        #expect(dataset.task.isPair == isPair)
        #expect(dataset.task.labels == (kind == .regression ? [] : ["bad", "good", "plain"]))
        #expect(dataset.maxLength == 32 && dataset.vocabularySize == 204)
        for (name, count) in [("train", 22), ("dev", 9), ("test", 5)] {
            let rows = task.rows(name, count), split = try dataset.load(split: name, from: toy.store)
            let encodings = try rows.map { try tokenizer.encode($0.text, pair: $0.pair, maxLength: 32) }
            #expect(split.ids == encodings.flatMap(\.ids))
            #expect(split.types == encodings.flatMap(\.typeIDs))
            #expect(split.types.contains(1) == isPair)
            #expect((0..<count).map(split.length) == encodings.map(\.ids.count))
            let first = format == .jsonLines ? 1 : 2
            #expect(split.lines == Array(first..<first + count))
            let statistics = try #require(dataset.splits.first { $0.name == name })
            #expect(statistics.examples == count && statistics.tokens == split.ids.count)
            #expect(statistics.longest == encodings.map(\.ids.count).max())
            #expect(statistics.truncated == encodings.count(where: \.wasTruncated))
            #expect(statistics.isLabelled == (name != "test") && split.isLabelled == (name != "test"))
            var histogram = [0, 0]
            for encoding in encodings { histogram[(encoding.ids.count - 1) / 16] += 1 }
            #expect(statistics.lengthHistogram == (histogram[1] == 0 ? [histogram[0]] : histogram))
            guard name != "test" else {
                #expect(split.classes == nil && split.values == nil && statistics.labelCounts.isEmpty)
                continue
            }
            let labels = rows.map { $0.label! }
            switch kind {
            case .classification: #expect(split.classes?.map { task.labels[Int($0)] } == labels)
            case .regression: #expect(split.values == labels.map { Float($0)! })
            case .multilabel:
                let sets = labels.map { Set($0.split(separator: ",").map(String.init)) }
                #expect(split.values == sets.flatMap { set in task.labels.map { set.contains($0) ? 1 : 0 } })
            }
            if kind != .regression {
                let counts = task.labels.map { label in labels.count { $0.split(separator: ",").contains(Substring(label)) } }
                #expect(statistics.labelCounts.map(\.label) == task.labels && statistics.labelCounts.map(\.examples) == counts)
            }
        }
    }

    @Test func `texts beyond the maximum length are cut and counted`() throws {
        let toy = try ToyStore.ready(), task = ToyTask()
        let short = try toy.prepare(task, as: "short", maxLength: 9)
        let full = try #require(PreparedDataset.find("toy", in: toy.store).splits.first), cut = try #require(short.splits.first)
        let longer = try PreparedDataset.find("toy", in: toy.store).load(split: "train", from: toy.store)
        #expect(full.truncated == 0)
        #expect(cut.truncated == (0..<22).count { longer.length($0) > 9 } && cut.truncated > 3 && cut.truncated < 22)
        #expect(cut.longest == 9 && cut.tokens == (0..<22).reduce(0) { $0 + min(9, longer.length($1)) })
        #expect(short.digest != (try PreparedDataset.find("toy", in: toy.store).digest))
    }

    @Test func `the same input again is found and nothing is written`() throws {
        let toy = try ToyStore.ready(), before = try toy.contentFiles(), recorder = Recorder()
        let first = try PreparedDataset.find("toy", in: toy.store)
        let again = try stage(toy, toy.scratch.url.appendingPathComponent("data-toy")).run(toy.context(recorder: recorder))
        #expect(again.wasCached && again.dataset.digest == first.digest && again.dataset.splits == first.splits)
        #expect(recorder.all.isEmpty)
        #expect(try toy.contentFiles() == before)
        // Another place or name is the same content.
        let copy = try ToyTask().write(to: toy.scratch, folder: "elsewhere")
        let other = try stage(toy, copy, as: "other").run(toy.context())
        #expect(other.wasCached && other.dataset.digest == first.digest)
    }

    @Test func `the number of threads and the chunks do not show`() throws {
        let task = ToyTask(train: 5000, development: 3, test: 0)
        let one = try ToyStore.ready(task), two = try ToyStore.ready(task)
        let dataset = try PreparedDataset.find("toy", in: one.store)
        #expect(try PreparedDataset.find("toy", in: two.store).digest == dataset.digest)
        let split = try dataset.load(split: "train", from: one.store), rows = task.rows("train", 5000)
        let tokenizer = try StoredModel.find("tiny", in: one.store).tokenizer()
        #expect(split.count == 5000)
        // The borders of the chunks of 2048.
        for row in [0, 2047, 2048, 4095, 4096, 4999] {
            #expect(try Array(split.ids[split.starts[row]..<split.starts[row + 1]]) == tokenizer.encode(rows[row].text).ids)
        }
    }

    @Test func `a changed file or option is another dataset`() throws {
        let toy = try ToyStore.ready(), first = try PreparedDataset.find("toy", in: toy.store).digest
        let folder = toy.scratch.url.appendingPathComponent("data-toy"), file = folder.appendingPathComponent("dev.tsv")
        try (String(contentsOf: file, encoding: .utf8) + "a new film\tpositive\n").write(to: file, atomically: true, encoding: .utf8)
        let changed = try stage(toy, folder, as: "changed").run(toy.context())
        #expect(!changed.wasCached && changed.dataset.digest != first)
        #expect(changed.dataset.splits.first { $0.name == "dev" }?.examples == 10)
        let longer = try stage(toy, folder, as: "longer", maxLength: 33).run(toy.context())
        #expect(!longer.wasCached && longer.dataset.digest != changed.dataset.digest)
        var options = OwnDataOptions(kind: .classification)
        options.labels = ["positive", "negative"]
        let reordered = try PrepareStage(source: .own(options, at: folder), model: "tiny", name: "reordered", maxLength: 32).run(
            toy.context())
        #expect(!reordered.wasCached && reordered.dataset.task.labels == ["positive", "negative"])
    }

    @Test func `a task of GLUE keeps its numbers for the submission`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let head = "sentence\tlabel\n", folder = toy.scratch.url.appendingPathComponent("SST-2")
        _ = toy.scratch.write("SST-2/train.tsv", head + "a good film\t1\na dull film \t0\n")
        _ = toy.scratch.write("SST-2/dev.tsv", head + "a great day\t1\n")
        _ = toy.scratch.write("SST-2/test.tsv", "index\tsentence\n0\tthe best\n1\tthe worst\n")
        let dataset = try PrepareStage(source: .glue(.sst2, folder: folder), model: "tiny", name: "sst2").run(toy.context()).dataset
        #expect(dataset.task.name == "sst2" && dataset.task.labels == ["negative", "positive"])
        #expect(try dataset.load(split: "train", from: toy.store).classes == [1, 0])
        let test = try dataset.load(split: "test", from: toy.store)
        #expect(test.identifiers == ["0", "1"] && !test.isLabelled)
    }

    @Test(arguments: [
        ("text\tlabel\ngood\tpositive\nbad\n", 3, FormatReason.fieldCount), ("text\tlabel\ngood\tpositive\n\tnegative\n", 3, .emptyText),
        ("text\tlabel\ngood\tpositive\nbad\tnegative\nodd\t\n", 4, .emptyLabel),
    ])
    func `a bad file is refused with its line and nothing is stored`(_ text: String, _ line: Int, _ reason: FormatReason) throws {
        let toy = try ToyStore()
        try toy.importModel()
        let before = try toy.contentFiles()
        _ = toy.scratch.write("bad/train.tsv", text)
        let refusal = try error(FormatError.self) { try stage(toy, toy.scratch.url.appendingPathComponent("bad")).run(toy.context()) }
        #expect(refusal?.reason == reason && refusal?.line == line, "\(String(describing: refusal))")
        #expect(refusal?.file.hasSuffix("train.tsv") == true)
        #expect(try toy.contentFiles() == before)
        #expect(try toy.store.reference(kind: "dataset", name: "toy") == nil)
    }

    @Test func `a label that training does not have is refused in the other splits`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let before = try toy.contentFiles()
        let folder = try ToyTask().write(to: toy.scratch, folder: "data")
        _ = toy.scratch.write("data/dev.tsv", "text\tlabel\na film\tpositive\na day\tpozitive\n")
        let refusal = try error(FormatError.self) { try stage(toy, folder).run(toy.context()) }
        #expect(refusal?.reason == .unknownLabel && refusal?.line == 3 && refusal?.file.hasSuffix("dev.tsv") == true)
        #expect(try toy.contentFiles() == before)
    }

    @Test func `a name in use is refused before any work, unless it is replaced`() throws {
        let toy = try ToyStore.ready(), first = try PreparedDataset.find("toy", in: toy.store).digest
        let folder = try ToyTask(seed: 2).write(to: toy.scratch, folder: "other"), before = try toy.contentFiles(), recorder = Recorder()
        var stage = stage(toy, folder)
        #expect(try error(PipelineError.self) { try stage.run(toy.context(recorder: recorder)) }?.code == .usage)
        #expect(recorder.all.isEmpty)
        #expect(try toy.contentFiles() == before)
        stage.replaces = true
        let second = try stage.run(toy.context()).dataset.digest
        let reference = try #require(try toy.store.reference(kind: "dataset", name: "toy"))
        #expect(reference.digest == second && reference.history.map(\.digest) == [first])
    }

    @Test(arguments: [0, 3, 129])
    func `a length that the model cannot have is refused`(_ length: Int) throws {
        let toy = try ToyStore.ready()
        let refusal = try error(PipelineError.self) { try toy.prepare(as: "other", maxLength: length) }
        #expect(refusal?.code == .usage && refusal?.advice?.contains("between 4 and 128") == true)
    }

    @Test func `a preparation that is stopped for a moment only leaves nothing`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let before = try toy.contentFiles(), folder = try ToyTask(train: 5000).write(to: toy.scratch, folder: "data")
        // Whoever asks first is told to stop, everyone later is not.
        let stop = Stop.never
        let context = StageContext(
            store: toy.store, threads: 1,
            isCancelled: {
                _ = stop.isDue()
                return stop.asked == 1
            })
        #expect(try error(Interrupted.self) { try stage(toy, folder).run(context) } != nil)
        #expect(try toy.contentFiles() == before)
    }

    @Test func `a split that is not there is refused and those that are are named`() throws {
        let toy = try ToyStore.ready()
        let refusal = try error(PipelineError.self) {
            try PreparedDataset.find("toy", in: toy.store).load(split: "validation", from: toy.store)
        }
        #expect(refusal?.code == .usage && refusal?.advice == "Its splits are: train, dev, test. Name one of them with --split.")
    }
}
