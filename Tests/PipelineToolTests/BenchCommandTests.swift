import Foundation
import Store
import Testing

@Suite struct BenchCommandTests {
    @Test func aBenchmarkOfAStepKeepsToItsSchema() throws {
        let scratch = try Scratch()
        let done = try Tool.run(
            ["bench", "step", "--shape", "minilm-l6", "--batch", "2", "--length", "8", "--steps", "3", "--json"], in: scratch)
        #expect(done.status == 0)
        let report = try JSONValue(parsing: Array(done.output.utf8))
        try SchemaChecker("bench-step").check(report)
        let seconds = try #require(report["step_seconds"]?.arrayValue).compactMap(\.doubleValue).sorted()
        #expect(seconds.count == 3)
        #expect(report["step_s"]?.doubleValue == seconds[1])
        #expect(report["best_s"]?.doubleValue == seconds[0])
        // The phases are a partition of the step: nothing counted twice.
        let phases = try #require(report["phases"]?.arrayValue)
        #expect(Set(phases.compactMap { $0["name"]?.stringValue }).count == phases.count && phases.count == 10)
        let sum = phases.compactMap { $0["seconds"]?.doubleValue }.reduce(0, +)
        let accounted = try #require(report["accounted_share"]?.doubleValue), mean = seconds.reduce(0, +) / 3
        #expect(abs(sum / mean - accounted) < 1e-9 && accounted > 0.5 && accounted <= 1)
        let counted = phases.filter { $0["share_of_ceiling"]?.doubleValue != nil }.compactMap { $0["name"]?.stringValue }
        #expect(counted == ["forward products", "input gradients", "weight gradients", "attention", "attention backward"])
    }

    @Test func theFormatAndTheKernelsAreThoseAskedFor() throws {
        let words = ["bench", "step", "--shape", "minilm-l6", "--batch", "2", "--length", "8", "--steps", "1", "--json"]
        for format in ["fp32", "bf16"] {
            let done = try Tool.run(words + ["--precision", format], environment: ["PIPELINE_KERNELS": "baseline"], in: Scratch())
            let report = try JSONValue(parsing: Array(done.output.utf8))
            #expect(report["precision"]?.stringValue == format)
            #expect(report["numeric_path"]?.stringValue == "cpu-baseline-\(format)")
        }
        for words in [words, ["store", "list"]] {
            let done = try Tool.run(words, environment: ["PIPELINE_KERNELS": "avx3"], in: Scratch())
            #expect(done.status == 64 && done.errors.contains("PIPELINE_KERNELS") && done.errors.contains("avx512"))
        }
    }

    @Test(arguments: [["--shape", "tiny"], ["--precision", "fp16"], ["--length", "513"], ["--steps", "0"], ["--threads", "0"]])
    func whatABenchmarkCannotDoIsRefused(words: [String]) throws {
        let done = try Tool.run(["bench", "step"] + words, in: Scratch())
        #expect(done.status == 64)
        #expect(done.errors.contains(words[0]))
    }

    @Test func aBenchmarkOfTheStoreKeepsToItsSchemaAndComesBackRight() throws {
        let scratch = try Scratch()
        let model = Repository.file("Fixtures/models/tiny-bert").path
        #expect(try Tool.run(["import", model, "--name", "tiny"], in: scratch).status == 0)
        let done = try Tool.run(["bench", "store", "tiny", "--rounds", "2", "--json"], in: scratch)
        #expect(done.status == 0)
        let report = try JSONValue(parsing: Array(done.output.utf8))
        try SchemaChecker("bench-store").check(report)
        let codecs = try #require(report["codecs"]?.arrayValue)
        #expect(!codecs.isEmpty)
        #expect(codecs.compactMap { $0["plain_bytes"]?.integerValue }.reduce(0, +) == report["plain_bytes"]?.integerValue)
        #expect(try Tool.run(["bench", "store", "tiny", "--effort", "none"], in: scratch).status == 64)
        #expect(try Tool.run(["bench", "store", "nothing"], in: scratch).status != 0)
    }
}
