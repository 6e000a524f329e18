import Testing
@testable import Tensors

/// Parameters that do not change for a while are packed once, which changes no bit of a product.
@Suite("Parameters that are fixed for a while")
struct FixedParametersTests {
    private static let sets = CPUBackend.InstructionSet.availableForBF16

    /// y = x·Wᵀ + b, or dx += dy·W, with what it is made of.
    private final class Layer {
        let rows: Int, inputs: Int, outputs: Int
        let weight: Block<Float>, x: Block<Float>, bias: Block<Float>, y: Block<Float>

        init(rows: Int, inputs: Int, outputs: Int, seed: Int) {
            (self.rows, self.inputs, self.outputs) = (rows, inputs, outputs)
            var sample = Sample(seed)
            weight = Block(sample.normal(inputs * outputs))
            x = Block(sample.normal(rows * max(inputs, outputs)))
            bias = Block(sample.normal(outputs))
            y = Block([Float](repeating: 0, count: rows * max(inputs, outputs)))
        }

        func forward(_ backend: CPUBackend) -> [Float] {
            backend.multiply(.linear(rows: rows, inputs: inputs, outputs: outputs, x: Elements(x.pointer), weight: weight.pointer,
                                     bias: bias.pointer, y: Elements(y.pointer)))
            return Array(y.values.prefix(rows * outputs))
        }

        func backward(_ backend: CPUBackend) -> [Float] {
            for i in 0..<rows * inputs { y.pointer[i] = Float(i % 7) }
            backend.multiply(.linearInputGradient(rows: rows, inputs: inputs, outputs: outputs, dy: Elements(x.pointer), weight: weight.pointer,
                                                  dx: Elements(y.pointer), accumulates: true))
            return Array(y.values.prefix(rows * inputs))
        }
    }

    @Test("give the same bits both ways, at the edges of blocks and deeper than what is packed at once", arguments: sets)
    func bits(set: CPUBackend.InstructionSet) {
        let plain = CPUBackend(threads: 2, instructionSet: set, precision: .bf16), keeping = CPUBackend(threads: 2, instructionSet: set, precision: .bf16)
        let layers = [(3, 33, 70), (40, 64, 31), (17, 600, 45), (5, 4200, 3), (9, 7, 2100)].enumerated().map {
            Layer(rows: $1.0, inputs: $1.1, outputs: $1.2, seed: $0)
        }
        for _ in 0..<2 {
            keeping.withFixedParameters(uses: 3) {
                for _ in 0..<2 {
                    for layer in layers {
                        let forward = firstDifference(layer.forward(keeping), layer.forward(plain))
                        #expect(forward == nil, "forward, \(layer.inputs) to \(layer.outputs)")
                        let backward = firstDifference(layer.backward(keeping), layer.backward(plain))
                        #expect(backward == nil, "backward, \(layer.inputs) to \(layer.outputs)")
                    }
                }
            }
            for layer in layers { layer.weight.pointer[1] += 1 }
        }
    }

    @Test("give the same bits in products that end as bfloat16, which are summed over all of a deep k at once", arguments: sets.filter(\.multipliesBF16))
    func compact(set: CPUBackend.InstructionSet) {
        let backend = CPUBackend(threads: 2, instructionSet: set, precision: .bf16)
        let layer = Layer(rows: 18, inputs: 2600, outputs: 50, seed: 4)
        func forward() -> [UInt16] {
            let y = UnsafeMutablePointer<UInt16>.allocate(capacity: layer.rows * layer.outputs)
            defer { y.deallocate() }
            backend.multiply(.linear(rows: layer.rows, inputs: layer.inputs, outputs: layer.outputs, x: layer.x.elements, weight: layer.weight.pointer,
                                     bias: layer.bias.pointer, y: Elements(address: y, isBF16: true)))
            return Array(UnsafeBufferPointer(start: y, count: layer.rows * layer.outputs))
        }
        let expected = forward()
        backend.withFixedParameters(uses: 3) { for _ in 0..<2 { #expect(forward() == expected) } }
        #expect(backend.packedByteCount > 0)
    }

    @Test("are kept where they are used often enough for these units, and nowhere without any", arguments: sets)
    func uses(set: CPUBackend.InstructionSet) {
        let least = !set.multipliesBF16 ? Int.max : set == .amx || set == .emulatedAMX ? 2 : 3
        let layer = Layer(rows: 4, inputs: 40, outputs: 50, seed: 1)
        for uses in 1...4 {
            let backend = CPUBackend(threads: 1, instructionSet: set, precision: .bf16)
            backend.withFixedParameters(uses: uses) { _ = layer.forward(backend) }
            #expect((backend.packedByteCount > 0) == (uses >= least), "\(uses)")
            #expect(backend.keptBytes(elements: 1000, uses: uses) == (uses >= least ? 2000 : 0))
        }
    }

    /// Shown by breaking the promise: what is kept does not see the change, the next span and products without one do.
    @Test("are packed once in a span and anew in the next", arguments: sets.filter(\.multipliesBF16))
    func once(set: CPUBackend.InstructionSet) {
        let backend = CPUBackend(threads: 1, instructionSet: set, precision: .bf16)
        let layer = Layer(rows: 4, inputs: 40, outputs: 50, seed: 1)
        let before = layer.forward(backend)
        backend.withFixedParameters(uses: 3) {
            #expect(layer.forward(backend) == before)
            for i in 0..<layer.inputs { layer.weight.pointer[i] += 1 }
            backend.withFixedParameters(uses: 3) { #expect(layer.forward(backend) == before) }
            #expect(layer.forward(backend) == before, "a span inside another does not end it")
        }
        let after = layer.forward(backend)
        #expect(after != before)
        backend.withFixedParameters(uses: 3) { #expect(layer.forward(backend) == after) }
    }

    @Test("are not kept for products in float32", arguments: sets)
    func float(set: CPUBackend.InstructionSet) {
        let backend = CPUBackend(threads: 1, instructionSet: set, precision: .bf16)
        let layer = Layer(rows: 4, inputs: 40, outputs: 50, seed: 1)
        backend.withFixedParameters(uses: 3) {
            backend.precision = .fp32
            let before = layer.forward(backend)
            layer.weight.pointer[0] += 1
            #expect(layer.forward(backend) != before)
        }
        #expect(backend.packedByteCount == 0)
    }

    @Test func `take no more room than there is, and it is used again`() {
        var packed = PackedParameters(), written = 0
        func key(_ i: Int) -> PackedParameters.Key { .init(address: UnsafeMutableRawPointer(bitPattern: i + 1)!, n: 1, k: 1, row: 1, column: 1) }
        let size = PackedParameters.mostBytes / 4
        var first: [UnsafeRawPointer?] = []
        for span in 0..<2 {
            packed.begin()
            let places = (0..<5).map { packed.take(key($0), byteCount: size) { _ in written += 1 } }
            #expect(places.map { $0 != nil } == [true, true, true, true, false])
            #expect(packed.take(key(2), byteCount: size) { _ in written += 1 } == places[2])
            packed.end()
            #expect(written == 4 * (span + 1))
            if span == 0 { first = places } else { #expect(places == first) }
        }
    }
}
