import Testing
@testable import Tensors

/// One output array of an operation.
struct Output<Scalar> {
    let name: String
    let values: [Scalar]
}

/// One operation on given inputs, written once for every backend.
protocol OperationCase: Sendable, CustomTestStringConvertible {
    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>]

    /// For each element of each output, how far float32 may be from `exact`, derived from the magnitudes that are
    /// summed to get it.
    func tolerances(exact: [Output<Double>]) -> [[Double]]
}

/// The unit roundoff of float32: the largest relative error of one operation.
let u = 0x1p-24

/// The unit roundoff of bfloat16, whose significand has 8 bits.
let bf16Unit = 0x1p-8

/// x rounded to bfloat16, to nearest and ties to even, by arithmetic alone.
func roundedToBF16(_ x: Float) -> Float {
    guard x.isFinite, x != 0 else { return x }
    let unit = Float(sign: .plus, exponent: max(x.exponent, -126) - 7, significand: 1)
    return (x / unit).rounded(.toNearestOrEven) * unit
}

/// On every instruction set: one thread agrees with the reference in double, two and three give the same bits as one.
func expectAgreement(_ operation: some OperationCase, precision: Precision = .fp32, sourceLocation: SourceLocation = #_sourceLocation) {
    let exact = operation.run(on: ReferenceBackend<Double>())
    let tolerances = operation.tolerances(exact: exact)
    for outputs in resultsOnEveryCPU(operation, precision: precision, sourceLocation: sourceLocation) {
        for (index, output) in outputs.results.enumerated() {
            let place = "\(operation.testDescription), \(outputs.instructionSet), \(output.name)"
            expect(output.values, near: exact[index].values, within: tolerances[index], place,
                   sourceLocation: sourceLocation)
        }
    }
}

/// The results of every instruction set, after comparing the bits that 1, 2 and 3 threads give.
@discardableResult
func resultsOnEveryCPU(_ operation: some OperationCase, precision: Precision = .fp32, sourceLocation: SourceLocation = #_sourceLocation)
    -> [(instructionSet: CPUBackend.InstructionSet, results: [Output<Float>])] {
    let sets = precision == .bf16 ? CPUBackend.InstructionSet.availableForBF16 : CPUBackend.InstructionSet.available
    return sets.map { set in
        let single = operation.run(on: CPUBackend(threads: 1, instructionSet: set, precision: precision))
        for threads in 2...3 {
            let backend = CPUBackend(threads: threads, instructionSet: set, precision: precision)
            for (one, many) in zip(single, operation.run(on: backend)) {
                let difference = firstDifference(one.values, many.values)
                #expect(difference == nil, "\(operation.testDescription), \(set), \(one.name): \(threads) threads differ from one",
                        sourceLocation: sourceLocation)
            }
        }
        return (set, single)
    }
}

/// Compares element by element and reports the worst one.
func expect(_ values: [Float], near exact: [Double], within tolerances: [Double], _ place: String,
            sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(values.count == exact.count && values.count == tolerances.count, "\(place): sizes differ",
            sourceLocation: sourceLocation)
    var worst = 0.0, at = 0
    for i in values.indices {
        let error = abs(Double(values[i]) - exact[i])
        let ratio = error == 0 ? 0 : error / tolerances[i]
        if !(ratio <= worst) { (worst, at) = (ratio.isNaN ? .infinity : ratio, i) }
    }
    guard worst > 1 else { return }
    Issue.record("\(place)[\(at)]: \(values[at]) is not \(exact[at]) ± \(tolerances[at])",
                 sourceLocation: sourceLocation)
}

/// Rows for dropout: `rows` tokens of sequences of seven.
struct DropoutRows: Sendable {
    var key: UInt64 = 0x5EED
    var probability: Float
    var rows: Int

    /// Calls `body` with a `Dropout` whose arrays live as long as the call.
    func with<Result>(_ body: (Dropout) -> Result) -> Result {
        let example = IndexBlock((0..<rows).map { Int32($0 / 7 + 3) })
        let position = IndexBlock((0..<rows).map { Int32($0 % 7) })
        return withExtendedLifetime((example, position)) {
            body(Dropout(key: key, probability: probability, example: example.pointer, position: position.pointer))
        }
    }

    /// The factor of one element by the generator's scalar twin.
    func factor(_ row: Int, _ feature: Int) -> Double {
        guard probability > 0 else { return 1 }
        let bits = CounterRNG.bits(key: key, example: Int32(row / 7 + 3), position: Int32(row % 7),
                                   feature: Int32(feature))
        return bits >= CounterRNG.dropoutThreshold(probability) ? 1 / (1 - Double(probability)) : 0
    }
}

/// Where the bits of two arrays first differ, all NaNs being one; nil where they are equal. Arrays in an expectation of their own would be
/// compared element by element for its message, which takes minutes for long ones.
func firstDifference(_ one: [Float], _ other: [Float]) -> String? {
    func bits(_ x: Float) -> UInt32 { x.isNaN ? Float.nan.bitPattern : x.bitPattern }
    guard one.count == other.count else { return "\(one.count) elements and \(other.count)" }
    return zip(one, other).enumerated().first { bits($1.0) != bits($1.1) }.map { "[\($0)]: \($1.0) and \($1.1)" }
}
