import Testing
@testable import Tensors

@Suite("Attention")
struct AttentionTests {
    static let heads = [(1, 5), (3, 10), (4, 10), (3, 16), (2, 64), (12, 32)]
    static let mixed = [[1], [2], [130, 1, 17], [5, 16, 15, 33, 1, 64, 7], [31, 32, 14, 13, 128]]

    @Test("agrees with the reference on sequences of mixed lengths", arguments: heads, mixed)
    func agreement(heads: (count: Int, width: Int), lengths: [Int]) {
        expectAgreement(AttentionCase(H: heads.count, D: heads.width, lengths: lengths))
        expectAgreement(AttentionCase(H: heads.count, D: heads.width, lengths: lengths, probability: 0.1))
    }

    @Test("agrees with the reference at every length up to 40", arguments: 1...40)
    func everyLength(L: Int) {
        expectAgreement(AttentionCase(H: 2, D: 10, lengths: [L, 3], probability: 0.5))
    }

    @Test("agrees with the reference when scores lie far apart", arguments: [4, 10] as [Float])
    func spread(spread: Float) {
        expectAgreement(AttentionCase(H: 3, D: 10, lengths: [40, 9], spread: spread))
        expectAgreement(AttentionCase(H: 3, D: 16, lengths: [33, 130], probability: 0.1, spread: spread))
    }

    @Test("agrees with the reference in bfloat16", arguments: heads, mixed)
    func bfloat16(heads: (count: Int, width: Int), lengths: [Int]) {
        for probability: Float in [0, 0.1] {
            let attention = AttentionCase(H: heads.count, D: heads.width, lengths: lengths, probability: probability, precision: .bf16)
            expectAgreement(attention, precision: .bf16)
        }
    }

    @Test("agrees with the reference in bfloat16 at every length up to 40 and at 512", arguments: Array(1...40) + [512])
    func bfloat16Length(L: Int) {
        expectAgreement(AttentionCase(H: 2, D: 10, lengths: [L, 3], probability: 0.5, precision: .bf16), precision: .bf16)
    }

    @Test("accepts an empty sequence and an empty pack")
    func empty() {
        expectAgreement(AttentionCase(H: 2, D: 5, lengths: [3, 0, 4]))
        expectAgreement(AttentionCase(H: 2, D: 5, lengths: []))
    }

    /// With the gradient of every other row zero, the rest of what all queries give is zero, or not asked for.
    @Test("of first tokens alone gives what all queries give there", arguments: [
        [1], [2, 1], [130, 1, 17], [5, 16, 33, 1, 64, 7], [513], (0..<13).map { [7, 1, 16, 33][$0 % 4] },
    ])
    func firstTokens(lengths: [Int]) {
        for (H, D) in [(3, 10), (2, 64), (12, 32)] {
            let attention = AttentionCase(H: H, D: D, lengths: lengths, probability: 0.1, firstExample: 3)
            let rounded = AttentionCase(H: H, D: D, lengths: lengths, probability: 0.1, firstExample: 3, precision: .bf16)
            if lengths.count < 4 { expectFirstTokens(attention, on: ReferenceBackend<Double>(), "reference") }
            for set in CPUBackend.InstructionSet.availableForBF16 {
                expectFirstTokens(attention, on: CPUBackend(threads: 2, instructionSet: set), "\(set)")
                let backend = CPUBackend(threads: 2, instructionSet: set, precision: .bf16)
                expectFirstTokens(rounded, on: backend, "\(set), bf16")
                if backend.keepsBF16 {
                    expectFirstTokens(rounded, on: CompactBackend(backend, isTwin: false), "\(set), bfloat16 in memory")
                }
            }
        }
    }

    private func expectFirstTokens<B: Backend>(_ attention: AttentionCase, on backend: B, _ name: String) {
        let (C, H, n, lengths) = (attention.C, attention.H, attention.lengths.count, attention.lengths), starts = attention.starts
        var (qkv, dContext) = attention.inputs
        for t in 0..<attention.T where !starts.contains(t) { for c in 0..<C { dContext[t * C + c] = 0 } }
        let all = attention.run(on: backend, qkv: qkv, dContext: dContext).map(\.values)
        func rows<T>(_ x: [T], _ width: Int, _ columns: Range<Int>) -> [T] {
            starts.dropLast().flatMap { x[$0 * width + columns.lowerBound..<$0 * width + columns.upperBound] }
        }
        /// −0 is 0.
        func expectEqual(_ a: [B.Scalar], _ b: [B.Scalar], _ what: String) {
            let different = zip(a, b).enumerated().first { $0.element.0 != $0.element.1 }
            #expect(a.count == b.count && different == nil, "\(what), \(name)")
        }
        let queries = Block<B.Scalar>(rows(qkv, 3 * C, 0..<C))
        // What is in their place is neither read nor written.
        for t in 0..<attention.T { for c in 0..<C { qkv[t * 3 * C + c] = .nan } }
        let keys = Block<B.Scalar>(qkv), gradient = Block<B.Scalar>(rows(dContext, C, 0..<C)), dQueries = Block<B.Scalar>(count: n * C)
        let dKeys = Block<B.Scalar>([Float](repeating: -7, count: attention.T * 3 * C))
        let context = Block<B.Scalar>(count: n * C), logSum = Block<B.Scalar>(count: n * H)
        let indices = [starts, lengths.indices.map { $0 + attention.firstExample }, lengths.map { _ in 0 }].map { IndexBlock($0.map { Int32($0) }) }
        let pass = AttentionPass(
            B: n, T: attention.T, H: H, D: attention.D, longest: lengths.max()!, starts: indices[0].pointer,
            dropout: Dropout(key: attention.key, probability: attention.probability, example: indices[1].pointer, position: indices[2].pointer),
            qkv: keys.elements, firstQueries: queries.elements, context: context.elements, logSum: logSum.pointer)
        let before = backend.counts
        backend.attend(pass)
        backend.attendBackward(pass, dContext: gradient.elements, dqkv: dKeys.elements, dFirstQueries: dQueries.elements)
        let work = 7 * attention.T * C, counted = backend.counts
        #expect(counted.attentionForward - before.attentionForward + counted.attentionGradient - before.attentionGradient == work)
        withExtendedLifetime((keys, gradient, queries, indices)) {}
        expectEqual(context.values, rows(all[0], C, 0..<C), "context")
        expectEqual(logSum.values, rows(all[1], H, 0..<H), "logSum")
        expectEqual(dQueries.values, rows(all[2], 3 * C, 0..<C), "dq")
        let both = [dKeys.values, all[2]].map { x in x.enumerated().filter { $0.offset % (3 * C) >= C }.map(\.element) }
        expectEqual(both[0], both[1], "dk and dv")
        let untouched = dKeys.values.enumerated().allSatisfy { $0.offset % (3 * C) >= C || $0.element == -7 }
        #expect(untouched, "\(name)")
    }

    @Test("gives a sequence the same bits whatever its neighbours in the pack",
          arguments: CPUBackend.InstructionSet.available)
    func neighbours(set: CPUBackend.InstructionSet) {
        let backend = CPUBackend(threads: 2, instructionSet: set)
        for (H, D) in [(3, 10), (12, 32)] {
            let lengths = [5, 130, 17, 1, 64, 33]
            let pack = AttentionCase(H: H, D: D, lengths: lengths, probability: 0.1)
            let together = pack.run(on: backend)
            for b in lengths.indices {
                let alone = AttentionCase(H: H, D: D, lengths: [lengths[b]], probability: 0.1, firstExample: b)
                    .run(on: backend)
                let widths = [H * D, H, 3 * H * D]
                for (output, width) in widths.enumerated() {
                    let part = together[output].values[pack.starts[b] * width..<pack.starts[b + 1] * width]
                    let difference = firstDifference(Array(part), alone[output].values)
                    #expect(difference == nil, "sequence \(b), \(alone[output].name)")
                }
            }
        }
    }

    /// Of many sequences a thread computes several heads in a row, of one each head is an item by itself.
    @Test("gives a sequence the same bits whether heads are computed in a row or each by itself, on any number of threads",
          arguments: CPUBackend.InstructionSet.availableForBF16, Precision.allCases)
    func headsInARow(set: CPUBackend.InstructionSet, precision: Precision) {
        // Two heads in a row, and three with two in the last item.
        for (H, D, count) in [(12, 32, 13), (5, 10, 40)] {
            let lengths = (0..<count).map { [7, 1, 16, 33, 0, 19][$0 % 6] }
            let pack = AttentionCase(H: H, D: D, lengths: lengths, probability: 0.1, precision: precision)
            let backend = CPUBackend(threads: 2, instructionSet: set, precision: precision), together = pack.run(on: backend)
            for threads in [1, 5] {
                let other = pack.run(on: CPUBackend(threads: threads, instructionSet: set, precision: precision))
                for (a, b) in zip(together, other) { #expect(firstDifference(a.values, b.values) == nil, "\(a.name), \(threads) threads") }
            }
            for b in lengths.indices {
                let alone = AttentionCase(H: H, D: D, lengths: [lengths[b]], probability: 0.1, firstExample: b, precision: precision)
                for (output, width) in zip(zip(together, alone.run(on: backend)), [H * D, H, 3 * H * D]) {
                    let part = output.0.values[pack.starts[b] * width..<pack.starts[b + 1] * width]
                    #expect(firstDifference(Array(part), output.1.values) == nil, "sequence \(b), \(output.1.name)")
                }
            }
        }
    }

    @Test("with one key returns its value, whatever the score", arguments: CPUBackend.InstructionSet.available)
    func single(set: CPUBackend.InstructionSet) {
        let one = AttentionCase(H: 2, D: 5, lengths: [1], spread: 8)
        let outputs = one.run(on: CPUBackend(threads: 1, instructionSet: set))
        #expect(outputs[0].values == Array(one.inputs.qkv[20..<30]))
        // The backward pass computes the probability 1 again, from a score of some hundred.
        let exact = [Double](repeating: 0, count: 20) + one.inputs.dContext.map { Double($0) }
        expect(outputs[2].values, near: exact, within: [Double](repeating: 3e-4, count: 30), "dqkv")
    }

    /// With v the unit vectors, context[i, j] is the dropped probability of key j itself.
    @Test("drops exactly the probabilities whose bits lie under the threshold, each head by a key of its own",
          arguments: CPUBackend.InstructionSet.available)
    func mask(set: CPUBackend.InstructionSet) {
        let (H, L) = (3, 30), C = 90
        let attention = AttentionCase(H: H, D: L, lengths: [L, L], probability: 0.3, firstExample: 4)
        var qkv = attention.inputs.qkv
        for t in 0..<2 * L {
            for h in 0..<H { for d in 0..<L { qkv[t * 3 * C + 2 * C + h * L + d] = d == t % L ? 1 : 0 } }
        }
        let context = attention.run(on: CPUBackend(threads: 2, instructionSet: set), qkv: qkv,
                                    dContext: attention.inputs.dContext)[0].values
        for b in 0..<2 {
            for h in 0..<H {
                for i in 0..<L {
                    let kept = (0..<L).map { context[(b * L + i) * C + h * L + $0] != 0 }
                    let expected = (0..<L).map { attention.factor(b, h, i, $0) != 0 }
                    #expect(kept == expected, "sequence \(b) head \(h) row \(i)")
                }
            }
        }
    }

    @Test("carries a NaN of a query, a key or a value on, within its sequence and head", arguments: 0...2,
          CPUBackend.InstructionSet.available)
    func notANumber(part: Int, set: CPUBackend.InstructionSet) {
        let (H, D, C) = (2, 10, 20)
        let attention = AttentionCase(H: H, D: D, lengths: [20, 23, 5])
        var qkv = attention.inputs.qkv
        // Token 4 of sequence 1, head 1, feature 3.
        qkv[24 * 3 * C + part * C + D + 3] = .nan
        let outputs = attention.run(on: CPUBackend(threads: 1, instructionSet: set), qkv: qkv,
                                    dContext: attention.inputs.dContext)
        let expected = (0..<48 * C).map { index in
            let (t, c) = (index / C, index % C)
            guard 20..<43 ~= t, c >= D else { return false }
            return part == 0 ? t == 24 : part == 1 ? true : c == D + 3
        }
        #expect(outputs[0].values.map(\.isNaN) == expected)
        for t in 0..<48 {
            for c in 0..<3 * C where !(20..<43 ~= t && c % C >= D) {
                #expect(outputs[2].values[t * 3 * C + c].isFinite, "token \(t), \(c)")
            }
        }
        let reached = outputs[2].values.contains(where: \.isNaN)
        #expect(reached)
    }
}
