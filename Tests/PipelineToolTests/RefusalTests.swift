import Foundation
import Store
import Testing

@Suite struct RefusalTests {
    private static let adapt = ["adapt", "--model", "tiny", "--data", "films", "--name", "critic"]

    @Test(arguments: [
        (["--set", "lerning_rate=1"], "learning_rate"), (["--set", "learning_rate=fast"], "learning_rate"),
        (["--set", "optimizer=sgdd"], "adamw"), (["--recipe", "sgdd"], "adamw"),
        (["--set", "evaluate=often"], "never"),
        (["--set", "freeze=[head"], "embeddings"), (["--set", "epochs=1", "--set", "steps=2"], "epochs"),
    ])
    func aRecipeThatMakesNoSenseIsRefusedNamingWhatDoes(words: [String], named: String) throws {
        let scratch = try Scratch.prepared()
        let outcome = try Tool.run(Self.adapt + words, in: scratch)
        #expect(outcome.status == 65)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("error: ") && outcome.errors.contains(named), "\(outcome.errors)")
    }

    @Test func aRecipeFileIsReadAndItsFaultsAreNamedWithTheirLine() throws {
        let scratch = try Scratch.prepared()
        let good = try scratch.write("# careful\nlearning_rate: 1e-4\nepochs: 2\nbetas: [0.9, 0.98]\n", "careful.yaml")
        let run = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "a", "--recipe", good, "--set", "steps=3")
        #expect(run["steps"] == 3)
        let bad = try scratch.write("learning_rate: 1e-4\nlearning_rate: 1e-5\n", "twice.yaml")
        let outcome = try scratch.failure("adapt", "--model", "tiny", "--data", "films", "--name", "b", "--recipe", bad)
        #expect(outcome.status == 65)
        #expect(outcome.errors.contains("twice.yaml") && outcome.errors.contains("learning_rate"))
        for (text, place) in [("epochs: 2\nlearning_rat: 1\n", "line 2"), ("# all\n\nlearning_rate: fast\n", "line 3"),
                              ("optimizer: sgdsls\nmomentum_after_acceptance: true\nmomentum: 2\n", "line 3")] {
            let file = try scratch.write(text, "wrong.yaml")
            let outcome = try scratch.failure("adapt", "--model", "tiny", "--data", "films", "--name", "b", "--recipe", file)
            #expect(outcome.status == 65 && outcome.errors.contains("wrong.yaml, \(place): "), "\(outcome.errors)")
        }
    }

    @Test func aNameInUseIsRefusedUnlessItIsToBeReplaced() throws {
        let scratch = try Scratch.prepared()
        let source = Repository.file("Fixtures/models/bert-one-head").path
        let vocabulary = Repository.file("Fixtures/models/tiny-bert/vocab.txt").path
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=1")
        let refused = try scratch.failure(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2")
        #expect(refused.status == 64)
        #expect(refused.errors.contains("--replace"))
        let replaced = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2", "--replace")
        #expect(try scratch.json("store", "show", "critic")["digest"] == replaced["run"])
        let model = try scratch.failure("import", source, "--name", "tiny", "--vocabulary", vocabulary, "--uncased")
        #expect(model.status == 64)
    }

    @Test(arguments: [
        ("text\tlabel\nthe film\tgood\nthe movie was good\n", "line 3"), ("text\tlabel\nthe film\t\n", "line 2"),
        ("text\tlabel\nthe film\tgood\textra\n", "line 2"), ("word\tlabel\nthe film\tgood\n", "text"),
        ("", "train.tsv"),
    ])
    func aMalformedTableIsRefusedWithItsLine(table: String, named: String) throws {
        let scratch = try Scratch.prepared()
        let folder = scratch.path("broken")
        _ = try scratch.write(table, "broken/train.tsv")
        let outcome = try scratch.failure(
            "prepare", "--task", "classification", "--data", folder, "--model", "tiny", "--name", "broken")
        #expect(outcome.status == 65)
        #expect(outcome.errors.contains("train.tsv") && outcome.errors.contains(named), "\(outcome.errors)")
        #expect(
            try scratch.json("store", "list", "--kind", "dataset")["artifacts"]?.arrayValue?.count == 1,
            "nothing but what was there")
    }

    @Test func aMalformedWeightsFileIsRefusedAndLeavesNothing() throws {
        let scratch = try Scratch()
        let folder = scratch.url.appendingPathComponent("model")
        try FileManager.default.copyItem(at: Repository.file("Fixtures/models/tiny-bert"), to: folder)
        let file = folder.appendingPathComponent("model.safetensors")
        let bytes = try Data(contentsOf: file)
        for (name, damaged) in [
            ("short", bytes.dropLast(1)), ("long", bytes + [0]), ("empty", Data()),
            ("header", Data([255, 255, 255, 255, 255, 255, 255, 127]) + bytes.dropFirst(8)),
        ] {
            try damaged.write(to: file)
            let outcome = try scratch.failure("import", folder.path, "--name", "tiny")
            #expect(outcome.status == 65, "\(name): \(outcome.errors)")
            #expect(outcome.errors.contains("model.safetensors"))
        }
        #expect(try scratch.json("store", "list", "--all")["artifacts"] == [])
        try bytes.write(to: file)
        try scratch.run("import", folder.path, "--name", "tiny")
    }

    @Test(arguments: [
        ["adapt", "--model", "tiny"], ["nonsense"], ["import"],
        ["adapt", "--model", "tiny", "--data", "films", "--name", "x", "--threads", "0"],
        ["prepare", "--task", "nonsense", "--data", ".", "--model", "tiny", "--name", "x"], ["predict", "tiny"],
        ["prepare", "--task", "mrpc", "--data", ".", "--model", "tiny", "--name", "x", "--labels", "a,b"],
        ["adapt", "--model", "tiny", "--data", "films", "--name", "x/y"],
        ["adapt", "--model", "teeny", "--data", "films", "--name", "x"],
        ["adapt", "--model", "tiny", "--data", "films", "--name", "x", "--set", "steps"], ["store", "show", "teeny"],
    ])
    func wrongUsageEndsWith64AndSaysWhatIsRight(words: [String]) throws {
        let scratch = try Scratch.prepared()
        let outcome = try Tool.run(words, in: scratch)
        #expect(outcome.status == 64, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
    }

    @Test func aStoreThatIsNotThereIsNotMadeByLookingAtIt() throws {
        let scratch = try Scratch()
        let outcome = try scratch.failure("store", "list")
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("pipeline import"))
        #expect(!FileManager.default.fileExists(atPath: scratch.store.path))
    }

    @Test func damageInTheStoreEndsWith2AndNamesWhatItHits() throws {
        let scratch = try Scratch.prepared()
        let blobs = scratch.store.appendingPathComponent("blobs/sha256")
        let files = try #require(FileManager.default.enumerator(at: blobs, includingPropertiesForKeys: [.fileSizeKey]))
            .compactMap { $0 as? URL }
            .filter { (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true }
        for file in files {
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count / 2] ^= 1
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            try bytes.write(to: file)
        }
        let outcome = try Tool.run(["store", "verify", "--json"], in: scratch)
        #expect(outcome.status == 2)
        let report = try outcome.json()
        try SchemaChecker("store-verify").check(report)
        #expect(report["clean"] == false)
        let names = Set(report["problems"]?.arrayValue?.flatMap { $0["names"]?.arrayValue ?? [] } ?? [])
        #expect(names == ["model/tiny", "dataset/films"])
        #expect(try Tool.run(["export", "tiny", scratch.path("out")], in: scratch).status == 2)
        #expect(!FileManager.default.fileExists(atPath: scratch.path("out")))
    }
}
