import Foundation
import Store
import Testing

@Suite struct StoreCommandTests {
    @Test func theListShowsWhatHasANameAndAllTheRestOnDemand() throws {
        let scratch = try Scratch.prepared()
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2")
        let named = try #require(scratch.json("store", "list")["artifacts"]?.arrayValue)
        #expect(Set(named.flatMap { $0["names"]?.arrayValue ?? [] }) == ["model/tiny", "dataset/films", "run/critic"])
        #expect(named.count == 3)
        let models = try #require(scratch.json("store", "list", "--kind", "model")["artifacts"]?.arrayValue)
        #expect(models.count == 2, "the adapted model has no name of its own")
        let all = try #require(scratch.json("store", "list", "--all")["artifacts"]?.arrayValue)
        #expect(all.count > 3)
        let text = try scratch.run("store", "list").output
        #expect(text.contains("critic") && text.contains("films") && text.contains("tiny"))
    }

    @Test func aNameWhoseArtifactIsLostIsListedAsThat() throws {
        let scratch = try Scratch.prepared()
        let list = try scratch.json("store", "list")
        #expect(list["unlisted"] == [])
        #expect(try !scratch.run("store", "list").output.contains("lost"))
        let digest = try #require(scratch.json("store", "show", "films")["digest"]?.stringValue).dropFirst("sha256:".count)
        let folder = scratch.store.appending(path: "artifacts/sha256")
        let manifests = try #require(FileManager.default.subpaths(atPath: folder.path)).filter { $0.contains(digest.dropFirst(4)) }
        #expect(manifests.count == 1)
        for manifest in manifests { try FileManager.default.removeItem(at: folder.appending(path: manifest)) }
        #expect(try scratch.json("store", "list", "--all")["unlisted"] == ["dataset/films"])
        try SchemaChecker("store-list").check(scratch.json("store", "list"))
        #expect(try scratch.json("store", "list", "--kind", "model")["unlisted"] == [])
        let alone = try scratch.run("store", "list", "--kind", "dataset").output
        #expect(alone.hasPrefix("lost or damaged: dataset/films\n"))
        let text = try scratch.run("store", "list").output
        #expect(text.contains("lost or damaged: dataset/films\n") && text.contains("store verify") && text.contains("tiny"))
    }

    @Test func whatIsShownLeadsFromARunToItsInputs() throws {
        let scratch = try Scratch.prepared()
        let run = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2")
        let shown = try scratch.json("store", "show", "critic")
        #expect(shown["digest"] == run["run"])
        #expect(shown["kind"] == "run")
        let inputs = try #require(shown["manifest"]?["provenance"]?["inputs"]?.objectValue)
        #expect(inputs["model"] == (try scratch.json("store", "show", "tiny"))["digest"])
        #expect(inputs["dataset"] == (try scratch.json("store", "show", "films"))["digest"])
        let text = try scratch.run("store", "show", "critic").output
        #expect(text.contains("model/tiny") && text.contains("dataset/films") && text.contains("batch_size"))
        let digits = try #require(run["run"]?.stringValue).dropFirst(7).prefix(10)
        #expect(try scratch.json("store", "show", String(digits))["kind"] == "run")
    }

    @Test func equalTensorsAreStoredOnce() throws {
        let scratch = try Scratch.prepared()
        let before = try scratch.json("store", "usage")
        try scratch.run("import", Repository.file("Fixtures/models/tiny-bert").path, "--name", "twin")
        let after = try scratch.json("store", "usage")
        #expect(before["stored_bytes"] == after["stored_bytes"])
        #expect(try scratch.json("store", "show", "twin")["names"] == ["model/tiny", "model/twin"])
    }

    @Test func theStoreIsFoundByOptionThenEnvironmentThenTheDataFolder() throws {
        let scratch = try Scratch.prepared()
        let empty = ["PIPELINE_STORE": "", "XDG_DATA_HOME": scratch.path("data"), "HOME": scratch.path("home")]
        func names(_ words: [String], _ environment: [String: String]) throws -> Tool.Outcome {
            try Tool.run(["store", "list", "--json"] + words, environment: environment, in: scratch)
        }
        #expect(try names([], [:]).status == 0)
        #expect(try names([], empty).errors.contains(scratch.path("data/pipeline")))
        #expect(
            try names([], empty.merging(["XDG_DATA_HOME": "relative"]) { $1 }).errors.contains(
                scratch.path("home/.local/share/pipeline")))
        #expect(try names(["--store", scratch.store.path], empty).status == 0)
        try FileManager.default.createDirectory(atPath: scratch.path("data"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: scratch.store.path, toPath: scratch.path("data/pipeline"))
        #expect(try names([], empty).output == names([], [:]).output)
    }
}
