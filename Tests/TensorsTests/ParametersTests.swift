import Testing
@testable import Tensors

@Suite("Parameters")
struct ParametersTests {
    let parameters = Parameters(layout: ParameterLayoutTests.example)

    private var flat: [Float] { Array(UnsafeBufferPointer(start: parameters.pointer, count: parameters.count)) }

    @Test("start as zeros, every tensor aligned to 64 bytes")
    func start() {
        #expect(flat == [Float](repeating: 0, count: 112))
        for entry in parameters.layout.entries {
            #expect(UInt(bitPattern: parameters[entry].baseAddress!) % 64 == 0, "\(entry.name)")
        }
    }

    @Test("are one flat buffer in which each tensor has its place")
    func places() {
        for (index, entry) in parameters.layout.entries.enumerated() {
            parameters[entry].update(repeating: Float(index + 1))
        }
        #expect(parameters["layer.0.weight"].count == 32)
        #expect(flat[34] == 1 && flat[35] == 0 && flat[48] == 2 && flat[79] == 2 && flat[80] == 3 && flat[81] == 0)
        #expect(flat[96] == 5 && flat[98] == 5 && flat[99] == 0)
    }

    @Test("leave the gaps at zero when filled")
    func fill() {
        parameters.fill(2)
        #expect(flat.reduce(0, +) == 2 * 71)
        for index in flat.indices {
            let belongs = parameters.layout.entries.contains { $0.range.contains(index) }
            #expect(flat[index] == (belongs ? 2 : 0))
        }
    }

    @Test("share memory when assigned, and do not when copied")
    func copying() {
        let same = parameters, copy = parameters.copy()
        parameters.fill(1)
        #expect(same["head.bias"][0] == 1 && copy["head.bias"][0] == 0)
        copy.assign(from: parameters)
        #expect(copy["head.bias"][0] == 1 && copy["layer.0.weight"][31] == 1)
        copy.fill(3)
        #expect(parameters["head.bias"][0] == 1)
    }

    @Test("of an empty layout are possible")
    func empty() {
        let nothing = Parameters(layout: ParameterLayout())
        #expect(nothing.count == 0)
        nothing.copy().fill(1)
    }

    #if compiler(>=6.2)
    @Test("refuse a name that they do not have, and a source of another size")
    func misuse() async {
        await #expect(processExitsWith: .failure) {
            _ = Parameters(layout: ParameterLayoutTests.example)["no such tensor"]
        }
        await #expect(processExitsWith: .failure) {
            Parameters(layout: ParameterLayoutTests.example).assign(from: Parameters(layout: ParameterLayout()))
        }
    }
    #endif
}
