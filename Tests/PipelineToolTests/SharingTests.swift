import Foundation
import Store
import Testing

@Suite struct SharingTests {
    private func adapted() throws -> Scratch {
        let scratch = try Scratch.prepared()
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2")
        return scratch
    }

    @Test(arguments: ["there", "critic.pipeline"])
    func aRunSentElsewhereIsUsedThereAsItIsHere(place: String) throws {
        let scratch = try adapted(), remote = scratch.path(place), other = scratch.path("other")
        let sent = try scratch.json("push", "critic", remote)
        try SchemaChecker("push").check(sent)
        #expect(sent["artifacts"] == 4 && sent["skipped_bytes"] == 0 && sent["name"] == "critic")
        let received = try scratch.json("pull", place == "there" ? "\(remote):critic" : remote, "--store", other)
        try SchemaChecker("pull").check(received)
        #expect(received["artifact"] == sent["artifact"] && received["received_bytes"]?.integerValue ?? 0 > 0)
        let there = try scratch.run("predict", "critic", "--text", "the film was good", "--quiet", "--store", other).output
        #expect(try scratch.run("predict", "critic", "--text", "the film was good", "--quiet").output == there)
        #expect(try scratch.json("eval", "critic", "--store", other)["metrics"] == scratch.json("eval", "critic")["metrics"])
        #expect(try scratch.json("store", "verify", "--store", other)["problems"]?.arrayValue?.isEmpty == true)
        let again = try scratch.json("pull", place == "there" ? "\(remote):critic" : remote, "--store", other, "--name", "twin")
        #expect(again["received_bytes"] == 0 && again["name"] == "twin")
    }

    @Test func namesInUseAreRefusedOnBothSides() throws {
        let scratch = try adapted(), there = scratch.path("there")
        try scratch.run("push", "tiny", there)
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "other", "--set", "steps=1")
        let model = try #require(scratch.json("store", "show", "other")["manifest"]?["attributes"]?["model"]?.stringValue)
        #expect(try scratch.failure("push", model, "\(there):tiny").status == 64)
        try scratch.run("push", model, "\(there):tiny", "--replace")
        #expect(try scratch.failure("pull", "\(there):tiny").status == 64)
        try scratch.run("pull", "\(there):tiny", "--replace")
        #expect(try scratch.json("store", "show", "tiny")["digest"] == .string(model))
    }

    @Test func whatCannotBeReachedIsToldWithAnExitCode() throws {
        let scratch = try Scratch.prepared()
        #expect(try scratch.failure("pull", scratch.path("nothing")).status == 64)
        #expect(try scratch.failure("pull", scratch.path("nothing.pipeline")).status == 64)
        #expect(try scratch.failure("push", "tiny", "oci://example.org/UPPER").status == 64)
        #expect(try scratch.failure("push", "tiny", "s3://bucket").status == 64)
        #expect(try scratch.failure("import", "hf:a/b/c", "--name", "x").status == 64)
        _ = try scratch.write("not a bundle", "broken.pipeline")
        #expect(try scratch.failure("pull", scratch.path("broken.pipeline")).status == 2)
    }

    @Test func anUpstreamStoreSavesTheWork() throws {
        let scratch = try adapted(), own = scratch.path("own")
        let words = ["adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2"]
        let outcome = try Tool.run(words + ["--json", "--store", own], environment: ["PIPELINE_UPSTREAM": scratch.store.path], in: scratch)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("upstream"))
        #expect(try outcome.json()["cached"] == true)
        #expect(try outcome.json()["run"] == scratch.json("store", "show", "critic")["digest"])
        #expect(try scratch.json("eval", "critic", "--store", own)["metrics"] != nil)
        #expect(try scratch.failure("store", "list", "--upstream", scratch.path("nowhere")).status == 64)
    }

    /// Files of a store take the umask and the folder's group, so that a group can share it.
    @Test func aStoreKeepsTheGroupsPermissions() throws {
        let scratch = try Scratch(), folder = scratch.url.appendingPathComponent("group")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let script = """
            umask 002 && chmod 2775 "$0" && "$1" import "$2" --name tiny --store "$0/store" > /dev/null &&
            "$1" store list --store "$0/store" > /dev/null
            find "$0/store" ! -perm -g+w ; find "$0/store" -type d ! -perm -g+s
            """
        let process = Process(), pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script, folder.path, Tool.url.path, Repository.file("Fixtures/models/tiny-bert").path]
        process.standardOutput = pipe
        try process.run()
        let output = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(output.isEmpty, "\(output)")
        #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("store/index.sqlite").path))
    }

    @Test func aModelOfTheHubIsImportedWithItsOrigin() throws {
        let scratch = try Scratch()
        let server = Process(), pipe = Pipe()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        server.arguments = [
            "python3", Repository.file("Tests/RemoteTests/Servers/hub.py").path, Repository.file("Fixtures/models/tiny-bert").path,
            "--cuts", "2", "--token", "hf_x",
        ]
        server.standardOutput = pipe
        try server.run()
        defer { kill(server.processIdentifier, SIGKILL) }
        var line = Data()
        while let byte = try pipe.fileHandleForReading.read(upToCount: 1), !byte.isEmpty, byte != Data([0x0a]) { line += byte }
        var environment = [
            "HF_ENDPOINT": "http://127.0.0.1:\(String(decoding: line, as: UTF8.self))", "HF_TOKEN": "hf_x",
            "XDG_CACHE_HOME": scratch.path("cache"),
        ]
        let words = ["import", "hf:org/tiny", "--name", "tiny", "--json"]
        let imported = try Tool.run(words, environment: environment, in: scratch)
        #expect(imported.status == 0, "\(imported.errors)")
        let json = try imported.json()
        try SchemaChecker("import").check(json)
        #expect(json["origin"]?["repository"] == "org/tiny")
        let source = try scratch.json("store", "show", "tiny")["manifest"]?["provenance"]?["source"]
        #expect(source?["revision"]?.stringValue?.count == 40 && source?["url"]?.stringValue?.hasSuffix("/org/tiny") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("cache/pipeline/hub")).isEmpty)
        environment["HF_TOKEN"] = ""
        #expect(try Tool.run(words, environment: environment, in: scratch).status == 69)
    }
}
