import Testing
@testable import Tensors

@Suite("A parameter layout")
struct ParameterLayoutTests {
    static let example: ParameterLayout = {
        var layout = ParameterLayout()
        layout.append("embeddings.word", [5, 7], role: .embedding, unit: .embeddings)
        layout.append("layer.0.weight", [4, 8], role: .weight, unit: .block(0))
        layout.append("layer.0.scalar", [], role: .normalization, unit: .block(0))
        layout.append("layer.1.nothing", [0, 3], role: .weight, unit: .block(1))
        layout.append("head.bias", [3], role: .bias, unit: .head)
        return layout
    }()

    @Test("lays tensors end to end, each on a multiple of 16 elements")
    func offsets() {
        #expect(Self.example.entries.map(\.offset) == [0, 48, 80, 96, 96])
        #expect(Self.example.entries.map(\.count) == [35, 32, 1, 0, 3])
        #expect(Self.example.entries.map(\.range) == [0..<35, 48..<80, 80..<81, 96..<96, 96..<99])
        #expect(Self.example.count == 112)
        #expect(Self.example.parameterCount == 71)
    }

    @Test("is empty at first")
    func empty() {
        #expect(ParameterLayout().count == 0 && ParameterLayout().parameterCount == 0)
    }

    @Test("finds a tensor by its name")
    func lookup() throws {
        let entry = try #require(Self.example["head.bias"])
        #expect(entry.shape == [3] && entry.role == .bias && entry.unit == .head)
        #expect(Self.example["head"] == nil)
    }

    @Test("equals another with the same tensors, and only then")
    func equality() {
        var other = ParameterLayout()
        for entry in Self.example.entries { other.append(entry.name, entry.shape, role: entry.role, unit: entry.unit) }
        #expect(other == Self.example && other.hashValue == Self.example.hashValue)
        other.append("more", [1], role: .bias, unit: .head)
        #expect(other != Self.example)
    }

    @Test("decays weights and embeddings, not biases and norms")
    func decay() {
        #expect(ParameterRole.allCases.filter(\.isDecayed) == [.weight, .embedding])
    }

    @Test("orders units as the network computes")
    func units() {
        let units: [ParameterUnit] = [.head, .block(10), .embeddings, .block(2), .block(0)]
        #expect(units.sorted() == [.embeddings, .block(0), .block(2), .block(10), .head])
        #expect(units.sorted().map(\.description) == ["embeddings", "block 0", "block 2", "block 10", "head"])
    }

    #if compiler(>=6.2)
    @Test("refuses a second tensor of the same name")
    func duplicate() async {
        await #expect(processExitsWith: .failure) {
            var layout = ParameterLayoutTests.example
            layout.append("head.bias", [3], role: .bias, unit: .head)
        }
    }

    @Test("refuses a negative extent")
    func negative() async {
        await #expect(processExitsWith: .failure) {
            var layout = ParameterLayout()
            layout.append("x", [3, -1], role: .bias, unit: .head)
        }
    }
    #endif
}
