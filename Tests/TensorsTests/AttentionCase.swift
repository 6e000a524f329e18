import Testing
@testable import Tensors
#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

/// Attention over packed sequences, forward and backward.
struct AttentionCase: OperationCase {
    var H: Int, D: Int
    var lengths: [Int]
    var probability: Float = 0
    /// Deviation of q and k: large ones give scores far apart.
    var spread: Float = 1
    var key: UInt64 = 0xA77E
    /// Index of the first sequence in the whole batch, and of its data.
    var firstExample = 0
    /// Of the products: with bf16 the inputs are rounded beforehand, and the tolerances allow for rounded probabilities.
    var precision = Precision.fp32

    var testDescription: String {
        "attention \(H) heads of \(D), lengths \(lengths), dropout \(probability), spread \(spread)"
    }
    var C: Int { H * D }
    var T: Int { lengths.reduce(0, +) }
    var starts: [Int] { lengths.reduce(into: [0]) { $0.append($0.last! + $1) } }

    /// Sequence by sequence, so that a sequence has the same data in any company.
    var inputs: (qkv: [Float], dContext: [Float]) {
        var qkv: [Float] = [], dContext: [Float] = []
        for (b, length) in lengths.enumerated() {
            var sample = Sample(firstExample + b, length, C)
            for _ in 0..<length {
                qkv += sample.normal(2 * C, deviation: spread) + sample.normal(C)
                dContext += sample.normal(C)
            }
        }
        guard precision == .fp32 else { return (qkv.map(roundedToBF16), dContext.map(roundedToBF16)) }
        return (qkv, dContext)
    }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        run(on: backend, qkv: inputs.qkv, dContext: inputs.dContext)
    }

    func run<B: Backend>(on backend: B, qkv: [Float], dContext: [Float]) -> [Output<B.Scalar>] {
        let qkv = Block<B.Scalar>(qkv), dContext = Block<B.Scalar>(dContext), dqkv = Block<B.Scalar>(count: 3 * C * T)
        let context = Block<B.Scalar>(count: C * T), logSum = Block<B.Scalar>(count: H * T)
        let starts = IndexBlock(starts.map { Int32($0) })
        let example = IndexBlock(lengths.enumerated().flatMap { b, length in
            [Int32](repeating: Int32(firstExample + b), count: length)
        })
        let position = IndexBlock(lengths.flatMap { (0..<Int32($0)) })
        let pass = AttentionPass(
            B: lengths.count, T: T, H: H, D: D, longest: lengths.max() ?? 0, starts: starts.pointer,
            dropout: Dropout(key: key, probability: probability, example: example.pointer, position: position.pointer),
            qkv: qkv.elements, context: context.elements, logSum: logSum.pointer)
        withExtendedLifetime((starts, example, position, qkv, dContext)) {
            backend.attend(pass)
            backend.attendBackward(pass, dContext: dContext.elements, dqkv: dqkv.elements, dFirstQueries: nil)
        }
        return [("context", context), ("logSum", logSum), ("dqkv", dqkv)].map {
            Output(name: $0.0, values: $0.1.values)
        }
    }

    func factor(_ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Double {
        guard probability > 0 else { return 1 }
        let bits = CounterRNG.bits(key: key &+ UInt64(h), example: Int32(firstExample + b), position: Int32(i),
                                   feature: Int32(j))
        return bits >= CounterRNG.dropoutThreshold(probability) ? 1 / (1 - Double(probability)) : 0
    }

    /// A running error analysis: every product errs by √length·u of its sum of magnitudes; an error e of a score is a
    /// relative error e of its probability; the errors of probabilities, their gradients and the row sums add up. Products of
    /// bfloat16 round probabilities and gradients of scores once more.
    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        let qkv = inputs.qkv.map { Double($0) }, dContext = inputs.dContext.map { Double($0) }
        var context = [Double](repeating: 0, count: C * T), logSum = [Double](repeating: 0, count: H * T)
        var dqkv = [Double](repeating: 0, count: 3 * C * T)
        let half = precision == .bf16 ? 1.01 * bf16Unit : 0
        let scale = 1 / Double(D).squareRoot(), overD = (Double(D).squareRoot() + 4) * u
        for (b, L) in lengths.enumerated() {
            let first = starts[b], overL = (Double(L).squareRoot() + 4) * u
            for h in 0..<H {
                func q(_ i: Int, _ d: Int) -> Int { (first + i) * 3 * C + h * D + d }
                for i in 0..<L {
                    let out = (first + i) * C + h * D, row = (first + i) * H + h
                    let lse = exact[1].values[row]
                    var s = [Double](repeating: 0, count: L), magnitude = s, dP = s, dPMagnitude = s
                    for j in 0..<L {
                        for d in 0..<D {
                            let product = qkv[q(i, d)] * qkv[q(j, d) + C]
                            let back = dContext[out + d] * qkv[q(j, d) + 2 * C]
                            s[j] += product * scale
                            magnitude[j] += abs(product) * scale
                            dP[j] += back * factor(b, h, i, j)
                            dPMagnitude[j] += abs(back) * factor(b, h, i, j)
                        }
                    }
                    let p = s.map { exp($0 - lse) }
                    let scoreError = overD * magnitude.max()! + 2 * u * (s.max()! - s.min()!)
                    logSum[row] = scoreError + overL + 2 * u * abs(lse)
                    let relative = 2 * scoreError + logSum[row] + overL + 8 * u
                    var center = 0.0, centerError = 0.0
                    for d in 0..<D {
                        var sum = 0.0
                        for j in 0..<L { sum += p[j] * factor(b, h, i, j) * abs(qkv[q(j, d) + 2 * C]) }
                        context[out + d] = (relative + overL + half) * sum
                        let value = exact[0].values[out + d]
                        center += dContext[out + d] * value
                        centerError += abs(dContext[out + d]) * (context[out + d] + overD * abs(value))
                    }
                    for j in 0..<L {
                        let dS = scale * p[j] * (dP[j] - center)
                        let differenceError = overD * dPMagnitude[j] + centerError + 3 * u * (abs(dP[j]) + abs(center))
                        let error = scale * p[j] * differenceError + (relative + overL + half) * abs(dS)
                        let weightError = (relative + overL + half) * p[j] * factor(b, h, i, j)
                        for d in 0..<D {
                            dqkv[q(i, d)] += error * abs(qkv[q(j, d) + C])
                            dqkv[q(j, d) + C] += error * abs(qkv[q(i, d)])
                            dqkv[q(j, d) + 2 * C] += weightError * abs(dContext[out + d])
                        }
                    }
                }
            }
        }
        // A probability below float32's smallest normal number is lost, or clamped there.
        return [context, logSum, dqkv].map { $0.map { $0 + 1e-35 } }
    }
}
