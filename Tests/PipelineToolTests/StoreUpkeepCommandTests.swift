import Foundation
import Store
import Testing

@Suite struct StoreUpkeepCommandTests {
    private func checked(_ scratch: Scratch, _ words: String...) throws -> JSONValue {
        let outcome = try Tool.run(words + ["--json"], in: scratch)
        try #require(outcome.status == 0, "\(words): \(outcome.errors)")
        let json = try outcome.json()
        try SchemaChecker("store-" + words[1]).check(json)
        return json
    }

    private func count(_ json: JSONValue, _ key: String) throws -> Int64 { try #require(json[key]?.integerValue, "\(key)") }

    /// With a finished run `critic` of a few checkpoints.
    private func adapted() throws -> (scratch: Scratch, run: JSONValue) {
        let scratch = try Scratch.prepared()
        let run = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=4", "--checkpoint-steps", "1")
        try scratch.run("eval", "critic")
        return (scratch, run)
    }

    @Test func theCollectionFreesTheCheckpointsOfFinishedRunsAndNothingElse() throws {
        let (scratch, _) = try adapted()
        let before = try checked(scratch, "store", "usage")
        let plan = try checked(scratch, "store", "gc")
        #expect(plan["run"] == false)
        #expect(plan["kinds"]?.arrayValue?.compactMap { $0["kind"]?.stringValue } == ["checkpoint"])
        #expect(plan["kinds"]?.arrayValue?.first?["artifacts"]?.integerValue == 3)
        #expect(try checked(scratch, "store", "usage") == before, "only told")
        let done = try checked(scratch, "store", "gc", "--run")
        #expect(done["run"] == true)
        #expect(done["freed_bytes"] == plan["bytes"])
        let after = try checked(scratch, "store", "usage")
        #expect(try count(before, "stored_bytes") - count(after, "stored_bytes") == count(plan, "bytes"))
        #expect(try checked(scratch, "store", "verify")["clean"] == true)
        // All that was remembered is found again.
        #expect(try scratch.json("eval", "critic")["cached"] == true)
        let again = try scratch.json("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=4")
        #expect(again["cached"] == true)
        #expect(try scratch.run("store", "gc").output.contains("nothing to remove"))
    }

    @Test func aFinishedRunIsCompressedUnlessItIsNotToBe() throws {
        for isLeft in [false, true] {
            let scratch = try Scratch.prepared()
            try scratch.run("store", "retention", "--keep-last", "2")
            let words = ["adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=4", "--checkpoint-steps", "1"]
            _ = try Tool.run(words + (isLeft ? ["--no-compress"] : []), in: scratch)
            try scratch.run("store", "gc", "--run")
            let done = try checked(scratch, "store", "compress")
            // What was there before may become a little smaller in either case.
            #expect((try count(done, "saved_bytes") > 5000) == isLeft)
            #expect(try checked(scratch, "store", "verify")["clean"] == true)
        }
    }

    @Test func compressingMakesCheckpointsNoLargerAndChangesNoDigest() throws {
        let (scratch, _) = try adapted()
        let before = try checked(scratch, "store", "usage")
        let done = try checked(scratch, "store", "compress")
        let after = try checked(scratch, "store", "usage")
        #expect(try count(before, "stored_bytes") - count(after, "stored_bytes") == count(done, "saved_bytes"))
        #expect(try count(done, "blobs") == count(after, "blobs"))
        func digests(_ usage: JSONValue) -> Set<String> {
            Set((usage["entries"]?.arrayValue ?? []).compactMap { $0["digest"]?.stringValue })
        }
        #expect(digests(before) == digests(after))
        #expect(try checked(scratch, "store", "verify")["clean"] == true)
        #expect(try checked(scratch, "store", "compress", "critic")["saved_bytes"] == 0)
        #expect(try scratch.failure("store", "compress", "nobody").status == 64)
    }

    @Test func theRetentionKeepsCheckpointsOfKeptRuns() throws {
        let (scratch, _) = try adapted()
        #expect(try checked(scratch, "store", "retention")["changed"] == false)
        let set = try checked(scratch, "store", "retention", "--keep-last", "2", "--no-keep-lineage", "--keep-bytes", "1k")
        #expect(set["changed"] == true && set["last"] == 2 && set["lineage"] == false && set["bytes"] == 1024)
        let plan = try checked(scratch, "store", "gc")
        #expect(plan["kinds"]?.arrayValue?.first?["artifacts"] == 1)
        #expect(plan["bytes"] == set["freed_bytes"])
        #expect(try checked(scratch, "store", "retention", "--reset")["last"] == 0)
        #expect(try scratch.failure("store", "retention", "--keep-last", "-1").status == 64)
        #expect(try scratch.failure("store", "retention", "--keep-bytes", "lots").status == 64)
    }

    @Test func aRemovedNameTakesItsArtifactWithItAtTheNextCollection() throws {
        let (scratch, run) = try adapted()
        try scratch.run("store", "gc", "--run")
        let names = try #require(checked(scratch, "store", "usage")["names"]?.arrayValue)
        let told = names.first { $0["name"] == "run/critic" }?["freed_bytes"]
        #expect(try #require(told?.integerValue) > 0)
        let look = try checked(scratch, "store", "remove", "critic", "--dry-run")
        #expect(look["run"] == false && look["freed_bytes"] == told)
        let removed = try checked(scratch, "store", "remove", "run/critic")
        #expect(removed["names"] == ["run/critic"] && removed["freed_bytes"] == told)
        #expect(removed["artifacts"]?.arrayValue?.compactMap { $0["kind"]?.stringValue } == ["evaluation", "model", "run", "timing"])
        #expect(try scratch.failure("store", "remove", "critic").status == 64)
        #expect(try checked(scratch, "store", "gc", "--run")["freed_bytes"] == told)
        #expect(try checked(scratch, "store", "verify")["clean"] == true)
        // The same work is done again, not remembered.
        let again = try scratch.json("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=4")
        #expect(again["cached"] == false && again["run"] == run["run"])
    }

    @Test func aNameHasALogAndCanBeRestored() throws {
        let scratch = try Scratch.prepared()
        let first = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=1")["run"]
        let second = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2", "--replace")["run"]
        let log = try #require(checked(scratch, "store", "log", "critic")["entries"]?.arrayValue)
        #expect(log.map { $0["digest"] } == [second, first])
        #expect(log.allSatisfy { $0["kept"] == true })
        #expect(try scratch.failure("store", "log", "critic", "--restore", "2").status == 64)
        let restored = try checked(scratch, "store", "log", "critic", "--restore", "1")
        #expect(restored["restored"] == first)
        #expect(try scratch.json("store", "show", "critic")["digest"] == first)
        let tag = try checked(scratch, "store", "tag", "critic", "best")
        #expect(tag["digest"] == first && tag["kind"] == "run" && tag["replaced"] == .null)
        #expect(try scratch.failure("store", "tag", "tiny", "../x").status == 64)
        #expect(try scratch.failure("store", "tag", String(try #require(second?.stringValue).dropFirst(7)), "best").status == 64)
    }

    @Test func differencesTellRecipesMetricsAndTensorsApart() throws {
        let (scratch, _) = try adapted()
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "other", "--set", "steps=4", "--set", "learning_rate=1e-3")
        let runs = try checked(scratch, "store", "diff", "critic", "other")
        #expect(runs["equal"] == false && runs["inputs"] == [])
        let keys = runs["recipe"]?.arrayValue?.compactMap { $0["path"]?.stringValue } ?? []
        #expect(keys.contains { $0.hasSuffix("learning_rate") })
        let models = try checked(scratch, "store", "diff", "critic", "other", "--kind", "model")
        #expect(models["first"]?["kind"] == "model")
        let parts = try #require(models["parts"]?.arrayValue)
        #expect(!parts.isEmpty && parts.allSatisfy { $0["change"] == "changed" })
        #expect(parts.compactMap { $0["distance"]?.doubleValue }.allSatisfy { $0 > 0 })
        let same = try checked(scratch, "store", "diff", "tiny", "tiny")
        #expect(same["equal"] == true && same["parts"] == [])
        #expect(try scratch.run("store", "diff", "critic", "other").output.contains("learning_rate"))
    }

    @Test func provenanceIsShownDownToTheFiles() throws {
        let (scratch, run) = try adapted()
        let graph = try #require(checked(scratch, "store", "show", "critic", "--graph")["graph"])
        let kinds = graph["nodes"]?.arrayValue?.compactMap { $0["kind"]?.stringValue } ?? []
        #expect(kinds.sorted() == ["dataset", "model", "model", "run"])
        #expect(graph["nodes"]?.arrayValue?.first?["digest"] == run["run"])
        let text = try scratch.run("store", "show", "critic", "--graph").output
        #expect(text.contains("model/tiny") && text.contains("by import") && text.contains("source files.train"))
    }

    @Test func damageIsMendedFromAnotherStoreOrTheSourceFiles() throws {
        let scratch = try Scratch.prepared()
        let backup = scratch.path("backup")
        try FileManager.default.copyItem(atPath: scratch.store.path, toPath: backup)
        func harm() throws -> Int {
            let blobs = scratch.store.appendingPathComponent("blobs/sha256")
            let paths = try FileManager.default.subpathsOfDirectory(atPath: blobs.path).filter { $0.count == 65 }.sorted()
            for path in paths {
                let url = blobs.appendingPathComponent(path)
                var data = try Data(contentsOf: url)
                data[data.count / 2] ^= 4
                try data.write(to: url)
            }
            return paths.count
        }
        let count = try harm()
        #expect(try Tool.run(["store", "verify"], in: scratch).status == 2)
        let lost = try Tool.run(["store", "repair", "--json"], in: scratch)
        #expect(lost.status == 2)
        try SchemaChecker("store-repair").check(lost.json())
        #expect(try lost.json()["lost"]?.integerValue == Int64(count))
        let look = try checked(scratch, "store", "repair", "--from", backup)
        #expect(look["run"] == false && look["mended"]?.integerValue == Int64(count))
        #expect(try Tool.run(["store", "verify"], in: scratch).status == 2)
        #expect(try checked(scratch, "store", "repair", "--from", backup, "--run")["lost"] == 0)
        #expect(try checked(scratch, "store", "verify")["clean"] == true)
        // The model's folder has the model's part; the dataset is to be prepared again, and then is.
        _ = try harm()
        let partly = try Tool.run(
            ["store", "repair", "--from", Repository.file("Fixtures/models/tiny-bert").path, "--run", "--json"], in: scratch)
        #expect(partly.status == 2)
        let report = try partly.json()
        #expect(report["remakes"]?.arrayValue?.compactMap { $0["kind"]?.stringValue } == ["dataset"])
        #expect(report["remakes"]?.arrayValue?.first?["command"]?.stringValue?.contains("prepare") == true)
        try scratch.run(
            "prepare", "--task", "classification", "--data", Films.write(to: scratch), "--model", "tiny", "--name", "films")
        #expect(try checked(scratch, "store", "verify")["clean"] == true)
    }

    @Test func verificationGoesInSamplesAndPortions() throws {
        let (scratch, _) = try adapted()
        let sample = try checked(scratch, "store", "verify", "--sample", "0.5", "--seed", "3")
        #expect(sample["clean"] == true)
        #expect(try count(sample, "checked_blobs") < count(sample, "blobs"))
        var portions = 1
        var report = try checked(scratch, "store", "verify", "--resume", "--portion", "10k")
        while report["complete"] == false {
            portions += 1
            report = try checked(scratch, "store", "verify", "--resume", "--portion", "10k")
        }
        #expect(portions > 2)
        for words in [["--sample", "0"], ["--sample", "1.5"], ["--sample", "0.5", "--resume"], ["--portion", "1G"], ["--seed", "1"]] {
            #expect(try Tool.run(["store", "verify"] + words, in: scratch).status == 64, "\(words)")
        }
    }

    @Test func theIndexIsMadeAgain() throws {
        let scratch = try Scratch.prepared()
        let before = try scratch.run("store", "list", "--all").output
        let report = try checked(scratch, "store", "rebuild-index")
        #expect(report["artifacts"] == 2)
        #expect(try scratch.run("store", "list", "--all").output == before)
    }
}
