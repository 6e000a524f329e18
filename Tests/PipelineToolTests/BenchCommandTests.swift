import Foundation
import Pipeline
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
        let losses = try #require(report["losses"]?.arrayValue)
        #expect(losses.count == 4 && losses.last == report["loss"])
        // The phases are a partition of the step: nothing counted twice.
        let phases = try #require(report["phases"]?.arrayValue)
        #expect(Set(phases.compactMap { $0["name"]?.stringValue }).count == phases.count && phases.count == 10)
        let sum = phases.compactMap { $0["seconds"]?.doubleValue }.reduce(0, +)
        let accounted = try #require(report["accounted_share"]?.doubleValue), mean = seconds.reduce(0, +) / 3
        #expect(abs(sum / mean - accounted) < 1e-9 && accounted > 0.5 && accounted <= 1)
        let counted = phases.filter { $0["share_of_ceiling"]?.doubleValue != nil }.compactMap { $0["name"]?.stringValue }
        // Two passes of one sequence of 8 tokens, or one of both: C = 384, F = 4C, of the last block only keys and values of all tokens.
        let square = 384.0 * 384, products = 16 * (5 * 12 + 2) * square + 2 * 10 * square, head = 2 * (square + 384 * 2)
        let attention = 7 * 384.0 * 2 * (5 * 64 + 8), work = 2 * (3 * (products + head) + attention)
        let speed = try #require(report["gflops"]?.doubleValue)
        #expect(abs(speed * 1e9 * seconds[1] / work - 1) < 1e-3)
        #expect(counted == ["forward products", "input gradients", "weight gradients", "attention", "attention backward"])
    }

    @Test func theFormatAndTheKernelsAreThoseAskedFor() throws {
        let words = ["bench", "step", "--shape", "minilm-l6", "--batch", "2", "--length", "8", "--steps", "1", "--json"]
        for format in ["fp32", "bf16"] {
            let done = try Tool.run(words + ["--precision", format], environment: ["PIPELINE_KERNELS": "baseline"], in: Scratch())
            let report = try JSONValue(parsing: Array(done.output.utf8))
            #expect(report["precision"]?.stringValue == format)
            #expect(report["numeric_path"]?.stringValue == "cpu-baseline.2-\(format)")
        }
        for words in [words, ["store", "list"]] {
            let done = try Tool.run(words, environment: ["PIPELINE_KERNELS": "avx3"], in: Scratch())
            #expect(done.status == 64 && done.errors.contains("PIPELINE_KERNELS") && done.errors.contains("avx512"))
        }
    }

    @Test(arguments: [["--shape", "tiny"], ["--precision", "fp16"], ["--length", "513"], ["--steps", "0"], ["--threads", "0"], ["--dropout", "1"]])
    func whatABenchmarkCannotDoIsRefused(words: [String]) throws {
        let done = try Tool.run(["bench", "step"] + words, in: Scratch())
        #expect(done.status == 64)
        #expect(done.errors.contains(words[0]))
    }

    /// A model folder of a fixture with a batch of our own.
    private func folder(_ fixture: String, batch: String?, in scratch: Scratch) throws -> String {
        let source = Repository.file("Fixtures/models/\(fixture)"), target = scratch.url.appendingPathComponent(fixture)
        try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
        for file in ["config.json", "model.safetensors"] {
            try FileManager.default.copyItem(at: source.appendingPathComponent(file), to: target.appendingPathComponent(file))
        }
        if let batch { _ = try scratch.write(batch, "\(fixture)/batch.json") }
        return target.path
    }

    /// Sequence 3 of each fixture has token types of zero throughout; its logits are PyTorch's.
    @Test(arguments: [("bert-four-heads", "1, 9, 2", 2), ("roberta-four-heads", "0, 22, 2", 3)])
    func aFoldersFirstLossIsThatOfPyTorchsLogits(fixture: String, ids: String, outputs: Int) throws {
        let scratch = try Scratch()
        let batch = #"{"input_ids": [[\#(ids)], [\#(ids)]], "labels": [0, \#(outputs - 1)]}"#
        let folder = try folder(fixture, batch: batch, in: scratch)
        let expected = Repository.file("Fixtures/models/\(fixture)/expected.safetensors")
        let logits = try SafeTensorsCheckpoint.open(expected).float32("logits")[3 * outputs..<4 * outputs].map { Double($0) }
        let loss = log(logits.map { exp($0) }.reduce(0, +)) - (logits[0] + logits[outputs - 1]) / 2
        let words = ["bench", "step", "--weights", folder, "--precision", "fp32", "--steps", "2", "--json"]
        let report = try Tool.run(words + ["--dropout", "0"], in: scratch).json()
        try SchemaChecker("bench-step").check(report)
        #expect(report["shape"] == .null && report["weights"]?.stringValue == folder)
        #expect(report["batch"]?.integerValue == 2 && report["length"]?.integerValue == 3)
        let losses = try #require(report["losses"]?.arrayValue).compactMap(\.doubleValue)
        #expect(losses.count == 3 && abs(losses[0] - loss) <= 1e-5 * loss, "\(losses), PyTorch \(loss)")
        #expect(losses[1] < losses[0] && losses[2] < losses[1])
        let dropped = try Tool.run(words + ["--dropout", "0.5"], in: scratch).json()
        let first = try #require(dropped["losses"]?.arrayValue?.first?.doubleValue)
        #expect(abs(first - losses[0]) > 1e-3 * loss)
    }

    @Test func aBareEncodersFolderGetsAHeadAndARandomBatch() throws {
        let scratch = try Scratch(), folder = Repository.file("Fixtures/models/tiny-bert").path
        let report = try scratch.json("bench", "step", "--weights", folder, "--batch", "2", "--length", "8", "--steps", "1")
        try SchemaChecker("bench-step").check(report)
        #expect(report["batch"]?.integerValue == 2 && report["length"]?.integerValue == 8)
        let refused = try scratch.failure("bench", "step", "--weights", folder, "--length", "200")
        #expect(refused.status == 64 && refused.errors.contains("128"))
    }

    @Test(arguments: [
        ("[]", "object"), ("{}", "\"input_ids\""), (#"{"input_ids": [[1, 2], [1]], "labels": [0, 1]}"#, "\"input_ids[1]\""),
        (#"{"input_ids": [[1, 99]], "labels": [0]}"#, "\"input_ids[0][1]\""),
        (#"{"input_ids": [[]], "labels": [0]}"#, "\"input_ids[0]\""), (#"{"input_ids": [[1, 2]]}"#, "\"labels\""),
        (#"{"input_ids": [[1, 2]], "labels": [0, 1]}"#, "\"labels\""), (#"{"input_ids": [[1, 2]], "labels": [2]}"#, "\"labels[0]\""),
        (#"{"input_ids": [[1, 2]], "labels": [0], "token_type_ids": [[0, 0]]}"#, "\"token_type_ids\""),
    ])
    func aBatchThatIsNotSoundIsRefusedByItsEntry(batch: String, entry: String) throws {
        let scratch = try Scratch()
        let refused = try scratch.failure("bench", "step", "--weights", folder("bert-four-heads", batch: batch, in: scratch))
        #expect(refused.status == 65 && refused.errors.contains("batch.json") && refused.errors.contains(entry), "\(refused.errors)")
    }

    @Test func aFolderTakesThePlaceOfShapeAndBatch() throws {
        let scratch = try Scratch(), batch = #"{"input_ids": [[1, 2]], "labels": [0]}"#
        let folder = try folder("bert-four-heads", batch: batch, in: scratch)
        for words in [["--shape", "minilm-l6"], ["--batch", "2"], ["--length", "8"]] {
            let refused = try Tool.run(["bench", "step", "--weights", folder] + words, in: scratch)
            #expect(refused.status == 64 && refused.errors.contains(words[0]))
        }
        let missing = try scratch.failure("bench", "step", "--weights", scratch.path("nowhere"))
        #expect(missing.status == 65 && missing.errors.contains("nowhere"))
    }

    @Test func everyKernelOfALayerIsTimedAndCounted() throws {
        let report = try Scratch().json(
            "bench", "kernels", "--shape", "minilm-l6", "--precision", "fp32", "--tokens", "70", "--length", "16", "--rounds", "2")
        try SchemaChecker("bench-kernels").check(report)
        #expect(report["batch"]?.integerValue == 4)
        let kernels = try #require(report["kernels"]?.arrayValue)
        let named = Dictionary(uniqueKeysWithValues: kernels.map { ($0["name"]?.stringValue ?? "", $0) })
        func number(_ name: String, _ key: String) throws -> Double { try #require(named[name]?[key]?.doubleValue, "\(name), \(key)") }
        let layers = ["qkv": 3, "attention output": 1, "up": 4, "down": 4]
        let (T, C, L) = (64.0, 384.0, 16.0)
        for (layer, factor) in layers {
            for name in ["", " input gradient", " weight gradient"].map({ layer + $0 }) {
                let operations = try number(name, "gflops") * 1e9 * number(name, "seconds")
                #expect(abs(operations / (2 * T * C * C * Double(factor)) - 1) < 1e-9, "\(name)")
            }
        }
        for (name, products) in [("attention", 2.0), ("attention backward", 5)] {
            let operations = try number(name, "gflops") * 1e9 * number(name, "seconds")
            #expect(abs(operations / (2 * products * T * L * C) - 1) < 1e-9)
        }
        // z and y are written, x and the branch read, with statistics, scale and shift.
        #expect(try number("residual, dropout, LayerNorm", "bytes") == 4 * (4 * T * C + 2 * T + 2 * C))
        #expect(try number("residual, dropout, LayerNorm", "calls") == 2)
        #expect(try number("position table gradient", "bytes") == 4 * (T * C + 2 * L * C + T))
        let others = [
            "residual, dropout, LayerNorm backward", "bias gradient, 384 wide", "bias gradient, 1152 wide", "bias gradient, 1536 wide",
            "embeddings", "embeddings backward", "word table gradient", "type table gradient",
        ]
        #expect(others.allSatisfy { named[$0] != nil } && kernels.count == 12 + 2 + 2 + others.count)
        for kernel in kernels {
            let isProduct = kernel["bytes"] == .null
            #expect(isProduct == (kernel["GB_per_s"] == .null) && isProduct != (kernel["gflops"] == .null))
            let rate = try #require(kernel[isProduct ? "gflops" : "GB_per_s"]?.doubleValue)
            let ceiling = try #require(report[isProduct ? "ceiling_gflops" : "copy_GB_per_s"]?.doubleValue)
            #expect(abs(rate / ceiling - (kernel["share_of_ceiling"]?.doubleValue ?? 0)) < 1e-9)
        }
    }

    @Test func ratesByLengthAndByBatchAreOfTheTokensAskedFor() throws {
        let report = try Scratch().json(
            "bench", "lengths", "--tokens", "40", "--lengths", "8,16", "--batches", "32,64", "--steps", "1")
        try SchemaChecker("bench-lengths").check(report)
        let lengths = try #require(report["lengths"]?.arrayValue), batches = try #require(report["batches"]?.arrayValue)
        #expect(lengths.map { $0["length"]?.integerValue } == [8, 16] && lengths.map { $0["batch"]?.integerValue } == [5, 2])
        #expect(batches.map { $0["tokens"]?.integerValue } == [32, 64] && batches.map { $0["batch"]?.integerValue } == [1, 2])
        for point in lengths {
            for kind in ["training", "inference"] {
                let seconds = try #require(point[kind + "_s"]?.doubleValue), rate = try #require(point[kind + "_tokens_per_s"]?.doubleValue)
                #expect(abs(seconds * rate / (point["tokens"]?.doubleValue ?? 0) - 1) < 1e-9)
            }
        }
    }

    /// Gradient's norm 4, direction 4, weight 8, moments 8 each, norms of a direction after clipping 8, of weights 4.
    @Test(arguments: [("adamw", 32.0), ("sgd", 24), ("lamb", 44), ("lars", 36)])
    func anUpdatesBytesAreThoseOfItsMomentsAndNorms(recipe: String, bytes: Double) throws {
        let report = try Scratch().json("bench", "optimizer", "--shape", "minilm-l6", "--recipe", recipe, "--updates", "2")
        try SchemaChecker("bench-optimizer").check(report)
        let (C, F, V) = (384, 1536, 30522)
        let layer = 4 * (C * C + C) + 2 * C * F + F + C + 4 * C
        let weights = Double((V + 512 + 2 + 2) * C + 6 * layer + C * C + C + 2 * C + 2)
        #expect(report["weights"]?.doubleValue == weights && report["bytes_per_weight"]?.doubleValue == bytes)
        #expect(report["update_seconds"]?.arrayValue?.count == 2)
        let seconds = try #require(report["update_s"]?.doubleValue), rate = try #require(report["GB_per_s"]?.doubleValue)
        #expect(seconds > 0 && abs(rate * 1e9 * seconds / (weights * bytes) - 1) < 1e-9)
    }

    @Test func theTokenizersTextsAreThoseOfTheFileOrGenerated() throws {
        let scratch = try Scratch.prepared()
        let file = try scratch.write("the film was good\nthe story is dull\tthis movie\n\n", "texts.txt")
        let report = try scratch.json("bench", "tokenizer", "tiny", "--input", file, "--rounds", "2")
        try SchemaChecker("bench-tokenizer").check(report)
        let ids = try #require(scratch.json("tokenize", "tiny", "--input", file)["ids"]?.arrayValue)
        #expect(report["texts"]?.integerValue == 3 && ids.count == 3 && report["generated"] == false)
        #expect(report["tokens"]?.integerValue == ids.reduce(0) { $0 + Int64($1.arrayValue?.count ?? 0) })
        #expect(report["bytes"]?.integerValue == 44)
        let twice = try (0..<2).map { _ in try scratch.json("bench", "tokenizer", "tiny", "--rounds", "1") }
        try SchemaChecker("bench-tokenizer").check(twice[0])
        #expect(twice[0]["generated"] == true && twice[0]["texts"]?.integerValue == 10_000)
        #expect(twice[0]["bytes"] == twice[1]["bytes"] && twice[0]["tokens"] == twice[1]["tokens"])
        let refused = try scratch.failure("bench", "tokenizer", "tiny", "--input", scratch.write("", "empty.txt"))
        #expect(refused.status == 65 && refused.errors.contains("empty.txt"))
    }

    @Test(arguments: [
        ["kernels", "--shape", "tiny"], ["kernels", "--length", "513"], ["kernels", "--tokens", "100"], ["kernels", "--rounds", "0"],
        ["kernels", "--threads", "0"], ["lengths", "--lengths", "8,x"], ["lengths", "--lengths", "0"], ["lengths", "--batches", "31"],
        ["lengths", "--steps", "0"], ["optimizer", "--recipe", "sgdsls"], ["optimizer", "--updates", "0"],
        ["tokenizer", "--rounds", "0", "tiny"],
    ])
    func whatTheOtherBenchmarksCannotDoIsRefused(words: [String]) throws {
        let done = try Tool.run(["bench"] + words, in: Scratch())
        #expect(done.status == 64 && done.output.isEmpty && done.errors.contains(words[1]), "\(done.errors)")
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
