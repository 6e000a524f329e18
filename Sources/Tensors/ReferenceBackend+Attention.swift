#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

extension ReferenceBackend {
    @_specialize(where Scalar == Double)
    public func attend(_ a: AttentionPass<Scalar>) {
        counts.countForward(a)
        let C = a.H * a.D, context = a.context.scalars
        for b in 0..<a.B {
            for h in 0..<a.H {
                let head = ReferenceHead(a, sequence: b, head: h)
                for i in 0..<head.queries {
                    let row = head.softmax(of: i)
                    a.logSum[(head.row + i) * a.H + h] = row.logSum
                    for d in 0..<a.D {
                        var sum: Scalar = 0
                        for j in 0..<head.length { sum += row.probability[j] * head.factor(i, j) * head.value(j, d) }
                        context[(head.row + i) * C + h * a.D + d] = sum
                    }
                }
            }
        }
    }

    /// With P = softmax(S), S = q·kᵀ/√D, F the dropout factors, dP = (dContext·vᵀ)∘F:
    /// dv = (P∘F)ᵀ·dContext, dS = P∘(dP − rowsum(P∘dP)), dq = dS·k/√D, dk = dSᵀ·q/√D.
    ///
    /// Everything is computed anew from qkv: `context` and `logSum` are not read.
    @_specialize(where Scalar == Double)
    public func attendBackward(_ a: AttentionPass<Scalar>, dContext: Elements<Scalar>, dqkv: Elements<Scalar>,
                               dFirstQueries: Elements<Scalar>?) {
        counts.countBackward(a)
        let dContext = dContext.scalars, dqkv = dqkv.scalars, dFirstQueries = dFirstQueries?.scalars
        let C = a.H * a.D
        for t in 0..<a.T { for c in (a.firstQueries == nil ? 0 : C)..<3 * C { dqkv[t * 3 * C + c] = 0 } }
        if let dFirstQueries { for index in 0..<a.B * C { dFirstQueries[index] = 0 } }
        for b in 0..<a.B {
            for h in 0..<a.H {
                let head = ReferenceHead(a, sequence: b, head: h)
                for i in 0..<head.queries {
                    let p = head.softmax(of: i).probability
                    let dOut = dContext + (head.row + i) * C + h * a.D
                    let dP = (0..<head.length).map { j -> Scalar in
                        var sum: Scalar = 0
                        for d in 0..<a.D { sum += dOut[d] * head.value(j, d) }
                        return sum * head.factor(i, j)
                    }
                    var center: Scalar = 0
                    for j in 0..<head.length { center += p[j] * dP[j] }
                    let dq = (dFirstQueries.map { $0 + head.row * C } ?? dqkv + (head.row + i) * 3 * C) + h * a.D
                    for j in 0..<head.length {
                        let dk = dqkv + (head.first + j) * 3 * C + C + h * a.D, dv = dk + C
                        let dS = p[j] * (dP[j] - center) * head.scale
                        for d in 0..<a.D {
                            dq[d] += dS * head.key(j, d)
                            dk[d] += dS * head.query(i, d)
                            dv[d] += p[j] * head.factor(i, j) * dOut[d]
                        }
                    }
                }
            }
        }
    }
}

/// One head of one sequence; i is a query's position in the sequence, j a key's.
private struct ReferenceHead<Scalar: BinaryFloatingPoint & SIMDScalar> {
    let pass: AttentionPass<Scalar>
    let qkv: UnsafeMutablePointer<Scalar>, firstQueries: UnsafeMutablePointer<Scalar>?
    let head: Int, first: Int, length: Int
    /// Of what has a row a query: the sequence's first one, and how many there are.
    let row: Int, queries: Int
    /// 1/√D
    let scale: Scalar

    init(_ pass: AttentionPass<Scalar>, sequence: Int, head: Int) {
        self.pass = pass
        qkv = pass.qkv.scalars
        self.head = head
        first = Int(pass.starts[sequence])
        length = Int(pass.starts[sequence + 1]) - first
        firstQueries = pass.firstQueries?.scalars
        (row, queries) = firstQueries == nil ? (first, length) : (sequence, min(length, 1))
        scale = 1 / Scalar(pass.D).squareRoot()
    }

    func query(_ i: Int, _ d: Int) -> Scalar {
        firstQueries.map { $0[row * pass.H * pass.D + head * pass.D + d] } ?? part(0, i, d)
    }
    func key(_ j: Int, _ d: Int) -> Scalar { part(1, j, d) }
    func value(_ j: Int, _ d: Int) -> Scalar { part(2, j, d) }

    private func part(_ which: Int, _ token: Int, _ d: Int) -> Scalar {
        let C = pass.H * pass.D
        return qkv[(first + token) * 3 * C + which * C + head * pass.D + d]
    }

    func softmax(of i: Int) -> (probability: [Scalar], logSum: Scalar) {
        var scores = [Scalar](repeating: 0, count: length)
        for j in 0..<length {
            for d in 0..<pass.D { scores[j] += query(i, d) * key(j, d) }
            scores[j] *= scale
        }
        let top = scores.max() ?? 0
        let exponentials = scores.map { Scalar(exp(Double($0 - top))) }
        let total = exponentials.reduce(0, +)
        return (exponentials.map { $0 / total }, top + Scalar(log(Double(total))))
    }

    func factor(_ i: Int, _ j: Int) -> Scalar {
        Dropout.factor(key: pass.dropout.key &+ UInt64(head), probability: pass.dropout.probability,
                       example: pass.dropout.example[row + i], position: Int32(i), feature: j)
    }
}
