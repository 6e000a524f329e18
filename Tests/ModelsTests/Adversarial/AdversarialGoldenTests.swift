import Foundation
import Tensors
import Testing

@testable import Models

/// Every method against PyTorch's autograd; made by Fixtures/adversarial/make_goldens.py.
struct AdversarialGoldenTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let group: String, name: String
        var isDivergent: Bool { ["clean-kl", "smart", "r3f"].contains { name.hasPrefix($0) } }
        var testDescription: String { "\(group) \(name)" }
    }

    struct File: Decodable {
        struct Settings: Decodable {
            let method: String, place: String, norm: String, `init`: String
            let size: Double, steps: Int, rho: Double, radius: Double?, weight: Double, loss: Double
        }
        let noise_seed: UInt64, noise_step: Int
        let names: [String]
        let cases: [String: Settings]

        init(_ group: String) throws {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../Fixtures/adversarial")
            self = try JSONDecoder().decode(File.self, from: Data(contentsOf: folder.appendingPathComponent("\(group)/cases.json")))
        }
    }

    static let cases = try! ["classes", "labels", "values"].flatMap { group in
        try File(group).cases.keys.sorted().map { Case(group: group, name: $0) }
    }

    static func settings(_ s: File.Settings) throws -> AdversarialSettings {
        let initialization: NoiseSettings.Initialization =
            switch s.`init` {
            case "scaled": .scaledUniform(s.size)
            case "uniform": .uniform(s.size)
            case "normal": .normal(s.size)
            default: .zero
            }
        let noise = try NoiseSettings(
            place: NoisePlace(rawValue: s.place)!, initialization: initialization, norm: .init(rawValue: s.norm)!, stepSize: s.rho,
            radius: s.radius ?? .infinity, ascentSteps: s.steps)
        return switch s.method {
        case "label": try .scala(noise: noise, delay: 0)
        case "clean-kl": try .scalaCleanKL(noise: noise, weight: s.weight, delay: 0)
        case "freelb": try .freeLB(noise: noise)
        case "smart": try .smart(noise: noise, weight: s.weight)
        default: try .r3f(initialization: initialization, weight: s.weight, place: noise.place)
        }
    }

    struct Errors { var noise = 0.0, loss = 0.0, gradient = 0.0 }

    /// The largest relative error of noise, loss, and gradients of single tensors.
    func errors<B: Backend>(_ test: Case, _ backend: B) throws -> Errors {
        let file = try File(test.group), golden = try Golden(test.group, in: "adversarial"), expected = try #require(file.cases[test.name])
        let bench = AdversarialBench(golden, backend)
        let pass = AdversarialPass(bench.model, try Self.settings(expected), seed: file.noise_seed, steps: 100)
        let result = try bench.evaluate(pass, step: file.noise_step)
        var errors = Errors()
        let noise = golden.expected["\(test.name).noise"]!
        errors.noise = distance((0..<noise.count).map { pass.delta[$0] }, noise)
        errors.loss = abs(result.loss - expected.loss) / abs(expected.loss)
        let norms = golden.expected["\(test.name).norm"]!
        for (name, norm) in zip(file.names, norms) {
            // A key's bias shifts every score of a row alike: its gradient is zero in theory.
            guard !name.hasSuffix("key.bias") else { continue }
            let tensor = bench.tensor(name, of: result.gradient)
            let size = tensor.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            errors.gradient = max(errors.gradient, abs(size - Double(norm)) / Double(norm))
            if let reference = golden.expected["\(test.name).grad.\(name)"] {
                errors.gradient = max(errors.gradient, distance(tensor, reference))
            }
        }
        return errors
    }

    @Test("noise, loss and gradients equal PyTorch's in double", arguments: cases)
    func inDouble(_ test: Case) throws {
        let errors = try errors(test, ReferenceBackend<Double>())
        #expect(errors.noise <= 1e-6 && errors.loss <= 1e-6 && errors.gradient <= 1e-6, "\(errors)")
    }

    @Test("noise, loss and gradients of methods on labels equal PyTorch's in float32", arguments: cases.filter { !$0.isDivergent })
    func labelsInSingle(_ test: Case) throws {
        for set in CPUBackend.InstructionSet.available {
            let errors = try errors(test, CPUBackend(threads: 2, instructionSet: set))
            #expect(errors.noise <= 1e-5 && errors.loss <= 1e-5 && errors.gradient <= 1e-5, "\(set): \(errors)")
        }
    }

    /// Outputs with little noise differ from the clean ones by little more than float32's rounding, so the direction of the ascent
    /// is known less well. The bounds are what is seen here, some times over; the error itself is printed.
    @Test("methods with a divergence follow PyTorch in float32 as far as it can hold them", arguments: cases.filter(\.isDivergent))
    func divergencesInSingle(_ test: Case) throws {
        let errors = try errors(test, CPUBackend(threads: 2))
        print("float32 error of \(test.testDescription): noise \(errors.noise), loss \(errors.loss), gradient \(errors.gradient)")
        #expect(errors.loss <= 1e-5 && errors.gradient <= 1e-4 && errors.noise <= 1e-2, "\(errors)")
    }

    /// A wrong array is off by its whole size; bfloat16 by some of its roundings.
    @Test("noise on labels, loss and gradients stay near PyTorch's in bfloat16, at every place", arguments: cases.filter { !$0.isDivergent })
    func labelsInBF16(_ test: Case) throws {
        for set in CPUBackend.InstructionSet.availableForBF16 {
            let errors = try errors(test, CPUBackend(threads: 2, instructionSet: set, precision: .bf16))
            #expect(errors.loss <= 2e-2 && errors.gradient <= 0.3 && errors.noise <= 0.2, "\(set): \(errors)")
        }
    }
}
