import Testing

@testable import Optimizers

@Suite struct HyperparameterValueTests {
    @Test("Typed text becomes the value it reads as")
    func parsing() {
        #expect("3".parsed == .integer(3))
        #expect("2e-5".parsed == .real(2e-5))
        #expect(" true ".parsed == .flag(true))
        #expect("linear".parsed == .text("linear"))
        #expect("0.9, 0.999".parsed == .list([.real(0.9), .real(0.999)]))
        #expect("[embeddings, 0-3]".parsed == .list([.text("embeddings"), .text("0-3")]))
        #expect("[]".parsed == .list([]))
        #expect("[2]".parsed == .list([.integer(2)]))
        #expect("".parsed == .text(""))
    }

    @Test("A description reads back as the same value")
    func roundTrip() {
        for value: HyperparameterValue in [1, 0.1, 1e-30, true, "cosine", [0.9, 0.999], ["head", 1], []] {
            #expect(value.description.parsed == value)
        }
    }
}
