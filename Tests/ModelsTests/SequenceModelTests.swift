@testable import Models
import Tensors
import Testing

struct SequenceModelTests {
    static let cases = Golden.names.flatMap { name in CPUBackend.InstructionSet.available.map { (name, $0) } }

    @Test("logits equal PyTorch's", arguments: cases)
    func logits(name: String, set: CPUBackend.InstructionSet) throws {
        let golden = try Golden(name)
        for trains in [true, false] {
            let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 2, instructionSet: set),
                                      tokenCapacity: 64, sequenceCapacity: 8, trains: trains)
            let batch = golden.batch()
            golden.fill(batch, Array(golden.ids.indices))
            let logits = model.forward(golden.parameters(model.layout), batch)
            for (i, value) in golden.expected["logits"]!.enumerated() { #expect(abs(logits[i] - value) <= 1e-5) }
        }
    }

    @Test("the layout names exactly the tensors that transformers saves", arguments: Golden.names)
    func names(name: String) throws {
        let golden = try Golden(name)
        let layout = SequenceModel<CPUBackend>.layout(golden.configuration, golden.head)
        #expect(Set(layout.entries.map(\.name)) == Set(golden.weights.keys))
        for entry in layout.entries { #expect(entry.count == golden.weights[entry.name]?.count) }
    }

    /// Loss and gradient of `rows`, cut into micro-batches of at most `size` sequences.
    func gradient(_ golden: Golden, _ model: SequenceModel<CPUBackend>, _ parameters: Parameters, rows: [Int], size: Int,
                  dropout: DropoutRates? = nil, frozen: Set<ParameterUnit> = []) -> (Double, Parameters) {
        let gradient = Parameters(layout: model.layout), batch = golden.batch()
        let normalizer = golden.normalizer(rows.count)
        var total = 0.0
        for start in stride(from: 0, to: rows.count, by: size) {
            golden.fill(batch, Array(rows[start..<min(start + size, rows.count)]), firstExample: start)
            model.forward(parameters, batch, dropout: dropout)
            total += model.loss(normalizer: normalizer)
            model.backward(into: gradient, frozen: frozen)
        }
        return (total / normalizer, gradient)
    }

    @Test("loss and gradients equal PyTorch's", arguments: cases)
    func gradients(name: String, set: CPUBackend.InstructionSet) throws {
        let golden = try Golden(name)
        let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 2, instructionSet: set),
                                  tokenCapacity: 64, sequenceCapacity: 8, trains: true)
        let parameters = golden.parameters(model.layout)
        let (loss, gradient) = gradient(golden, model, parameters, rows: Array(golden.ids.indices), size: 8)
        #expect(abs(loss - Double(golden.expected["loss"]![0])) <= 1e-5)
        let whole = norm(model.layout.entries.flatMap { golden.expected["grad.\($0.name)"]! })
        for entry in model.layout.entries {
            let reference = golden.expected["grad.\(entry.name)"]!
            let difference = norm(zip(gradient[entry], reference).map { $0 - $1 })
            // A key's bias shifts every score of a row alike: its gradient is zero in theory.
            let bound = (entry.name.hasSuffix("key.bias") ? 0 : 1e-4 * norm(reference)) + 1e-7 * whole
            #expect(difference <= bound, "\(entry.name): \(difference) over \(bound)")
        }
    }

    @Test("in bfloat16, logits, loss and gradients stay near PyTorch's, the head in float32", arguments: Golden.names.flatMap { name in
        CPUBackend.InstructionSet.availableForBF16.map { (name, $0) }
    })
    func bfloat16(name: String, set: CPUBackend.InstructionSet) throws {
        let golden = try Golden(name)
        let model = SequenceModel(golden.configuration, golden.head,
                                  backend: CPUBackend(threads: 2, instructionSet: set, precision: .bf16), tokenCapacity: 64,
                                  sequenceCapacity: 8, trains: true)
        let parameters = golden.parameters(model.layout)
        let (loss, gradient) = gradient(golden, model, parameters, rows: Array(golden.ids.indices), size: 8)
        let expected = Double(golden.expected["loss"]![0])
        #expect(loss != expected && abs(loss - expected) <= 0.02 * max(1, abs(expected)))
        var along = 0.0, ours = 0.0, theirs = 0.0
        for entry in model.layout.entries {
            for (a, b) in zip(gradient[entry], golden.expected["grad.\(entry.name)"]!) {
                along += Double(a) * Double(b)
                ours += Double(a) * Double(a)
                theirs += Double(b) * Double(b)
            }
        }
        let cosine = along / (ours * theirs).squareRoot()
        #expect(cosine >= 0.999, "cosine \(cosine)")
        #expect(abs((ours / theirs).squareRoot() - 1) <= 0.02)
    }

    @Test("in bfloat16 too, neither threads nor neighbours change a bit", arguments: CPUBackend.InstructionSet.availableForBF16)
    func bfloat16Bits(set: CPUBackend.InstructionSet) throws {
        let golden = try Golden("bert-four-heads")
        func model(_ threads: Int, trains: Bool) -> SequenceModel<CPUBackend> {
            SequenceModel(golden.configuration, golden.head,
                          backend: CPUBackend(threads: threads, instructionSet: set, precision: .bf16), tokenCapacity: 64,
                          sequenceCapacity: 8, trains: trains)
        }
        let dropout = DropoutRates(hidden: 0.1, attention: 0.2, classifier: 0.3, seed: 3, step: 5)
        let gradients = [1, 2, 3].map { threads in
            let model = model(threads, trains: true)
            let (_, gradient) = gradient(golden, model, golden.parameters(model.layout), rows: [0, 1, 2, 3, 4], size: 8, dropout: dropout)
            return Array(UnsafeBufferPointer(start: gradient.pointer, count: gradient.count))
        }
        #expect(gradients[0] == gradients[1] && gradients[0] == gradients[2])
        let one = model(2, trains: false), parameters = golden.parameters(one.layout), batch = golden.batch()
        golden.fill(batch, [0, 1, 2, 3, 4])
        let all = one.forward(parameters, batch)
        let together = (0..<10).map { all[$0] }
        for row in 0..<5 {
            golden.fill(batch, [row])
            let alone = one.forward(parameters, batch)
            #expect(alone[0] == together[row * 2] && alone[1] == together[row * 2 + 1])
        }
    }

    @Test("room for passes in float32 changes no bit of those in bfloat16, and holds those in float32",
          arguments: CPUBackend.InstructionSet.availableForBF16.filter(\.multipliesBF16))
    func changingPrecision(set: CPUBackend.InstructionSet) throws {
        let golden = try Golden("bert-four-heads"), rows = Array(golden.ids.indices)
        let dropout = DropoutRates(hidden: 0.1, attention: 0.2, classifier: 0.3, seed: 3, step: 5)
        func model(_ precision: Precision, changes: Bool) -> SequenceModel<CPUBackend> {
            SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 1, instructionSet: set, precision: precision),
                          tokenCapacity: 64, sequenceCapacity: 8, trains: true, changesPrecision: changes)
        }
        let narrow = model(.bf16, changes: false), wide = model(.bf16, changes: true), plain = model(.fp32, changes: false)
        let parameters = golden.parameters(narrow.layout)
        func result(_ model: SequenceModel<CPUBackend>) -> [Float] {
            let (loss, gradient) = gradient(golden, model, parameters, rows: rows, size: 8, dropout: dropout)
            return [Float(loss)] + UnsafeBufferPointer(start: gradient.pointer, count: gradient.count)
        }
        let expected = result(narrow), exact = result(plain)
        #expect(result(wide) == expected)
        wide.backend.precision = .fp32
        #expect(result(wide) == exact)
        wide.backend.precision = .bf16
        #expect(result(wide) == expected && expected != exact)
        #expect(narrow.workspaceByteCount < wide.workspaceByteCount && wide.workspaceByteCount == plain.workspaceByteCount)
    }

    @Test("micro-batches add up to the gradient of the whole batch, dropout masks included", arguments: Golden.names)
    func microBatches(name: String) throws {
        let golden = try Golden(name)
        let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 2), tokenCapacity: 64,
                                  sequenceCapacity: 8, trains: true)
        let parameters = golden.parameters(model.layout), rows = Array(golden.ids.indices)
        let dropout = DropoutRates(hidden: 0.1, attention: 0.2, classifier: 0.3, seed: 3, step: 5)
        let (whole, reference) = gradient(golden, model, parameters, rows: rows, size: 8, dropout: dropout)
        for size in [1, 2, 3] {
            let (loss, gradient) = gradient(golden, model, parameters, rows: rows, size: size, dropout: dropout)
            #expect(abs(loss - whole) <= 1e-6 * abs(whole))
            let all = UnsafeBufferPointer(start: reference.pointer, count: reference.count)
            let difference = norm(zip(UnsafeBufferPointer(start: gradient.pointer, count: gradient.count), all).map { $0 - $1 })
            #expect(difference <= 1e-5 * norm(all))
        }
    }

    @Test("a gradient whose matrices hold anything is overwritten once and then added to, bit for bit", arguments: Golden.names, [Precision.fp32, .bf16])
    func overwriting(name: String, precision: Precision) throws {
        let golden = try Golden(name)
        let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 2, precision: precision), tokenCapacity: 64,
                                  sequenceCapacity: 8, trains: true)
        let parameters = golden.parameters(model.layout), frozen: Set<ParameterUnit> = [.block(0)]
        let (cleared, filled) = (Parameters(layout: model.layout), Parameters(layout: model.layout))
        for entry in model.layout.entries where model.isOverwritten(entry) && !frozen.contains(entry.unit) {
            filled[entry].update(repeating: .nan)
        }
        let batch = golden.batch()
        golden.fill(batch, [0, 1])
        for pass in 0..<2 {
            for gradient in [cleared, filled] {
                model.forward(parameters, batch)
                _ = model.loss(normalizer: 2)
                model.overwritesMatrices = pass == 0 && gradient === filled
                // A pass without a gradient leaves the next one to overwrite.
                if pass == 0 {
                    model.backward(into: nil)
                    model.forward(parameters, batch)
                    _ = model.loss(normalizer: 2)
                }
                model.backward(into: gradient, frozen: frozen)
                #expect(!model.overwritesMatrices)
            }
            let isSame = (0..<filled.count).allSatisfy { filled.pointer[$0] == cleared.pointer[$0] }
            #expect(isSame, "pass \(pass)")
        }
    }

    @Test("the number of threads changes no bit", arguments: Golden.names)
    func threads(name: String) throws {
        let golden = try Golden(name)
        var results: [[Float]] = []
        for threads in [1, 2, 3] {
            let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: threads),
                                      tokenCapacity: 64, sequenceCapacity: 8, trains: true)
            let dropout = DropoutRates(hidden: 0.1, attention: 0.2, classifier: 0.3, seed: 3, step: 5)
            let (_, gradient) = gradient(golden, model, golden.parameters(model.layout), rows: [0, 1, 2, 3, 4], size: 8,
                                         dropout: dropout)
            results.append(Array(UnsafeBufferPointer(start: gradient.pointer, count: gradient.count)))
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    @Test("logits of a sequence do not depend on its neighbours in the batch")
    func neighbours() throws {
        let golden = try Golden("bert-four-heads")
        let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 2), tokenCapacity: 64,
                                  sequenceCapacity: 8, trains: false)
        let parameters = golden.parameters(model.layout), batch = golden.batch()
        golden.fill(batch, [0, 1, 2, 3, 4])
        let all = model.forward(parameters, batch)
        let together = (0..<10).map { all[$0] }
        for row in 0..<5 {
            golden.fill(batch, [row])
            let alone = model.forward(parameters, batch)
            #expect(alone[0] == together[row * 2] && alone[1] == together[row * 2 + 1])
        }
    }

    @Test("frozen units get no gradient and the others keep theirs")
    func freezing() throws {
        let golden = try Golden("bert-four-heads")
        let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 1), tokenCapacity: 64,
                                  sequenceCapacity: 8, trains: true)
        let parameters = golden.parameters(model.layout), rows = Array(golden.ids.indices)
        let (_, full) = gradient(golden, model, parameters, rows: rows, size: 8)
        for frozen in [[ParameterUnit.embeddings], [.embeddings, .block(0)], [.embeddings, .block(0), .block(1)], [.block(1)]] {
            let (_, part) = gradient(golden, model, parameters, rows: rows, size: 8, frozen: Set(frozen))
            for entry in model.layout.entries {
                if frozen.contains(entry.unit) { #expect(part[entry].allSatisfy { $0 == 0 }) } else {
                    #expect(Array(part[entry]) == Array(full[entry]), "\(entry.name)")
                }
            }
        }
    }

    /// As `create_position_ids_from_input_ids` of `transformers` counts: the tokens that are no padding, from the row after the
    /// padding's, which padding itself takes.
    @Test("of RoBERTa a padding token in a text takes the padding's position and is not counted")
    func paddingInText() throws {
        for (name, expected) in [("roberta", [2, 3, 1, 1, 4, 5]), ("bert", [0, 1, 2, 3, 4, 5])] as [(String, [Int32])] {
            var c = try Golden("classes", in: "adversarial").configuration
            c.family = try #require(ModelFamily(identifier: name))
            c.padID = 1
            let batch = PackedBatch(tokenCapacity: 12, sequenceCapacity: 2, configuration: c, outputs: 1)
            for _ in 0..<2 {
                _ = [0, 5, 1, 1, 7, 2].withUnsafeBufferPointer { batch.append(ids: $0, types: nil, example: 0) }
            }
            #expect((0..<12).map { batch.positionRows[$0] } == expected + expected)
            #expect((0..<12).map { batch.positions[$0] } == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5], "dropout counts every token")
        }
    }
}
