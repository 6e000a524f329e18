import Foundation
import Store
import Testing

@Suite struct InterruptionTests {
    private static let adapt = ["adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "epochs=200", "--set", "batch_size=8", "--json"]

    /// Waits until a file has so many lines.
    private static func wait(for count: Int, linesIn path: String) throws {
        for _ in 0..<3000 {
            let lines = (try? Data(contentsOf: URL(fileURLWithPath: path)))?.count { $0 == UInt8(ascii: "\n") } ?? 0
            if lines >= count { return }
            usleep(10_000)
        }
        throw CancellationError()
    }

    @Test(arguments: [(SIGTERM, 143), (SIGINT, 130)])
    func anInterruptedRunSavesAndGoesOnToTheSameModel(signal: Int32, status: Int) throws {
        let scratch = try Scratch.prepared(), whole = try Scratch.prepared()
        let log = scratch.path("log.jsonl")
        for lines in [40, 400] {
            let running = try Tool.start(Self.adapt + ["--log", log], in: scratch)
            try Self.wait(for: lines, linesIn: log)
            kill(running.process, signal)
            let outcome = try running.wait()
            #expect(outcome.status == Int32(status), "\(outcome.errors)")
            #expect(outcome.output.isEmpty)
            #expect(outcome.errors.contains("interrupted after step"))
            #expect(outcome.errors.contains("pipeline adapt --model tiny --data films --name critic"), "the message says how to go on")
        }
        let resumed = try Tool.run(Self.adapt + ["--log", log], in: scratch).json()
        #expect(try #require(resumed["resumed_from"]?.integerValue) > 0)
        let uninterrupted = try Tool.run(Self.adapt + ["--log", whole.path("log.jsonl")], in: whole).json()
        #expect(uninterrupted["resumed_from"] == .null)
        #expect(resumed["model"] == uninterrupted["model"])
        #expect(resumed["run"] == uninterrupted["run"])
        #expect(resumed["history"] == uninterrupted["history"])
        let logs = try [scratch, whole].map { try Data(contentsOf: URL(fileURLWithPath: $0.path("log.jsonl"))) }
        #expect(logs[0] == logs[1])
    }

    @Test func checkpointsByStepsAreWrittenAndForgottenWithRestart() throws {
        let scratch = try Scratch.prepared()
        let log = scratch.path("log.jsonl")
        let running = try Tool.start(Self.adapt + ["--log", log, "--checkpoint-steps", "20"], in: scratch)
        try Self.wait(for: 60, linesIn: log)
        kill(running.process, SIGKILL)
        #expect(try running.wait().status == 128 + SIGKILL)
        let again = try Tool.start(Self.adapt + ["--log", log], in: scratch)
        try Self.wait(for: 100, linesIn: log)
        kill(again.process, SIGTERM)
        #expect(try again.wait().errors.contains("going on from step"))
        let anew = try Tool.run(Self.adapt + ["--restart"], in: scratch).json()
        #expect(anew["resumed_from"] == .null)
        #expect(anew["cached"] == false)
    }
}
