import Foundation
import Store
import Testing

@Suite struct InterruptionTests {
    /// 1400 steps and 400 other lines in the log: more than a pipe holds.
    private static let adapt = [
        "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "epochs=200", "--set",
        "batch_size=8", "--json",
    ]

    /// Runs a command that logs into a pipe, and ends it by a signal after so many lines.
    ///
    /// The pipe holds the command back: it cannot run to its end before the signal comes, however fast it is.
    private static func end(_ words: [String], by signal: Int32, afterLines count: Int, in scratch: Scratch) throws
        -> Tool.Outcome
    {
        let pipe = scratch.path("pipe-\(UUID().uuidString)")
        try #require(mkfifo(pipe, 0o600) == 0)
        let running = try Tool.start(words + ["--log", pipe], in: scratch)
        let descriptor = open(pipe, O_RDONLY)
        defer { close(descriptor) }
        var lines = 0
        var isEnded = false
        var buffer = [UInt8](repeating: 0, count: 512)
        while true {
            let read = Glibc.read(descriptor, &buffer, buffer.count)
            if read <= 0 { break }
            lines += buffer[..<read].count { $0 == UInt8(ascii: "\n") }
            if lines >= count, !isEnded {
                isEnded = true
                kill(running.process, signal)
            }
        }
        try #require(isEnded, "the command ended by itself after \(lines) lines")
        return try running.wait()
    }

    @Test(arguments: [(SIGTERM, 143), (SIGINT, 130)])
    func anInterruptedRunSavesAndGoesOnToTheSameModel(signal: Int32, status: Int) throws {
        let scratch = try Scratch.prepared()
        let whole = try Scratch.prepared()
        for lines in [40, 700] {
            let outcome = try Self.end(Self.adapt, by: signal, afterLines: lines, in: scratch)
            #expect(outcome.status == Int32(status), "\(outcome.errors)")
            #expect(outcome.output.isEmpty)
            #expect(outcome.errors.contains("interrupted after step"))
            #expect(
                outcome.errors.contains("pipeline adapt --model tiny --data films --name critic"),
                "the message says how to go on")
        }
        let resumed = try Tool.run(Self.adapt + ["--log", scratch.path("log.jsonl")], in: scratch).json()
        #expect(try #require(resumed["resumed_from"]?.integerValue) > 0)
        let uninterrupted = try Tool.run(Self.adapt + ["--log", whole.path("log.jsonl")], in: whole).json()
        #expect(uninterrupted["resumed_from"] == .null)
        #expect(resumed["model"] == uninterrupted["model"])
        #expect(resumed["run"] == uninterrupted["run"])
        #expect(resumed["history"] == uninterrupted["history"])
        let logs = try [scratch, whole].map { try Data(contentsOf: URL(fileURLWithPath: $0.path("log.jsonl"))) }
        #expect(logs[0] == logs[1])
        #expect(try scratch.json("store", "verify")["clean"] == true)
    }

    @Test func aKilledRunGoesOnFromItsCheckpointUnlessItIsToRestart() throws {
        let scratch = try Scratch.prepared()
        let killed = try Self.end(Self.adapt + ["--checkpoint-steps", "20"], by: SIGKILL, afterLines: 300, in: scratch)
        #expect(killed.status == 128 + SIGKILL)
        let again = try Self.end(Self.adapt, by: SIGTERM, afterLines: 700, in: scratch)
        #expect(again.status == 128 + SIGTERM)
        #expect(again.errors.contains("going on from step"))
        let anew = try Tool.run(Self.adapt + ["--restart"], in: scratch).json()
        #expect(anew["resumed_from"] == .null)
        #expect(anew["cached"] == false)
    }
}
