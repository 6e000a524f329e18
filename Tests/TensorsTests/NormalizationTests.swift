import Testing
@testable import Tensors

@Suite("Residual and LayerNorm")
struct ResidualNormTests {
    static let widths = [1, 2, 5, 15, 16, 17, 30, 31, 40, 48, 65, 384, 385]

    @Test("agree with the reference", arguments: widths, [1, 31, 33, 70])
    func forward(C: Int, T: Int) {
        expectAgreement(ResidualNormCase(T: T, C: C, epsilon: 1e-5))
        expectAgreement(ResidualNormCase(T: T, C: C, probability: 0.1, epsilon: C < 4 ? 1e-3 : 1e-12))
        expectAgreement(ResidualNormCase(T: T, C: C, probability: 0.5, epsilon: 1e-5, mean: 5))
    }

    @Test("go backward as the reference does", arguments: widths, [1, 127, 128, 129, 300])
    func backward(C: Int, T: Int) {
        expectAgreement(ResidualNormBackwardCase(T: T, C: C, isInPlace: true, hasBranch: false))
        expectAgreement(ResidualNormBackwardCase(T: T, C: C, probability: 0.1, isInPlace: true))
        expectAgreement(ResidualNormBackwardCase(T: T, C: C, probability: 0.5))
    }

    @Test("go backward without gradients of γ or β when these are not wanted", arguments: [true, false], [true, false])
    func withoutGradients(hasGamma: Bool, hasBeta: Bool) {
        expectAgreement(ResidualNormBackwardCase(T: 130, C: 30, probability: 0.1, hasGamma: hasGamma, hasBeta: hasBeta))
    }

    @Test("accept no tokens at all")
    func empty() {
        expectAgreement(ResidualNormCase(T: 0, C: 30))
        expectAgreement(ResidualNormBackwardCase(T: 0, C: 30))
        expectAgreement(EmbeddingCase(T: 0, C: 30))
    }

    @Test("give β for a row of equal numbers", arguments: CPUBackend.InstructionSet.available)
    func constantRow(set: CPUBackend.InstructionSet) {
        let z = Block<Float>([Float](repeating: 0.25, count: 30))
        let residual = Block<Float>([Float](repeating: 0.5, count: 30))
        let gamma = Block<Float>([Float](repeating: 2, count: 30)), beta = Block<Float>((0..<30).map { Float($0) })
        let statistics = Block<Float>(count: 2), y = Block<Float>(count: 30)
        DropoutRows(probability: 0, rows: 1).with {
            CPUBackend(threads: 1, instructionSet: set).residualNorm(
                T: 1, C: 30, branchToZ: z.pointer, residual: residual.pointer,
                norm: Norm(gamma: gamma.pointer, beta: beta.pointer, epsilon: 1e-12), dropout: $0,
                statistics: statistics.pointer, y: y.pointer)
        }
        keepUntilHere(z, residual, gamma)
        #expect(y.values == beta.values)
        #expect(statistics.values[0] == 0.75 && abs(statistics.values[1] / 1e6 - 1) < 1e-6)
    }

    @Test("give a row the same bits whatever other rows there are", arguments: CPUBackend.InstructionSet.available)
    func rowSubset(set: CPUBackend.InstructionSet) {
        let backend = CPUBackend(threads: 2, instructionSet: set)
        let whole = ResidualNormCase(T: 70, C: 40).run(on: backend)[2].values
        let inputs = ResidualNormCase(T: 70, C: 40).inputs
        let gamma = Block<Float>(inputs.gamma), beta = Block<Float>(inputs.beta)
        for t in [0, 1, 31, 32, 69] {
            let row = t * 40..<(t + 1) * 40
            let z = Block<Float>(Array(inputs.branch[row])), residual = Block<Float>(Array(inputs.residual[row]))
            let statistics = Block<Float>(count: 2), y = Block<Float>(count: 40)
            DropoutRows(probability: 0, rows: 1).with {
                backend.residualNorm(T: 1, C: 40, branchToZ: z.pointer, residual: residual.pointer,
                                     norm: Norm(gamma: gamma.pointer, beta: beta.pointer, epsilon: 1e-12), dropout: $0,
                                     statistics: statistics.pointer, y: y.pointer)
            }
            keepUntilHere(z, residual, gamma, beta, statistics)
            #expect(y.values == Array(whole[row]), "row \(t)")
        }
    }

    @Test("keep a NaN visible in its row and out of the others", arguments: CPUBackend.InstructionSet.available)
    func notANumber(set: CPUBackend.InstructionSet) {
        let (T, C) = (5, 19)
        var values = Sample.ordered(T * C)
        values[2 * C + 18] = .nan
        let z = Block<Float>(values), residual = Block<Float>(Sample.ordered(T * C))
        let gamma = Block<Float>(Sample.ordered(C))
        let statistics = Block<Float>(count: 2 * T), y = Block<Float>(count: T * C)
        DropoutRows(probability: 0.5, rows: T).with {
            CPUBackend(threads: 1, instructionSet: set).residualNorm(
                T: T, C: C, branchToZ: z.pointer, residual: residual.pointer,
                norm: Norm(gamma: gamma.pointer, beta: gamma.pointer, epsilon: 1e-5), dropout: $0,
                statistics: statistics.pointer, y: y.pointer)
        }
        keepUntilHere(z, residual, gamma, statistics)
        #expect(y.values.map(\.isNaN) == (0..<T * C).map { $0 / C == 2 })
    }
}

extension Sample {
    /// 0, ¼, ½, …
    static func ordered(_ count: Int) -> [Float] { (0..<count).map { Float($0) / 4 } }
}

@Suite("Embeddings")
struct EmbeddingTests {
    @Test("agree with the reference, forward and backward", arguments: ResidualNormTests.widths.filter { $0 > 2 },
          [1, 32, 33, 150])
    func agreement(C: Int, T: Int) {
        for probability: Float in [0, 0.1, 0.5] { expectAgreement(EmbeddingCase(T: T, C: C, probability: probability)) }
        expectAgreement(EmbeddingCase(T: T, C: C, probability: 0.1, hasGradients: false))
        for place in NoisePlace.allCases {
            for probability: Float in [0, 0.1] {
                expectAgreement(EmbeddingCase(T: T, C: C, probability: probability, noisePlace: place))
            }
        }
    }

    @Test("take their gradient by adding the rows of repeated tokens",
          arguments: [1, 30, 63, 64, 65, 130, 384], [0, 1, 7, 200])
    func scatter(C: Int, T: Int) {
        for rows in [1, 2, 50] { expectAgreement(ScatterCase(T: T, C: C, rows: rows)) }
    }
}
