import Testing
@testable import Tensors

/// Every backward operation of the reference against differences of its forward one, in double.
@Suite("The reference's backward operations")
struct ReferenceBackendTests {
    let reference = ReferenceBackend<Double>()

    /// Compares `gradient` with (f(x + h) − f(x − h))/2h, element by element. With h = 1e-5 the formula errs by h²·f‴/6
    /// and by the rounding of f over h, both about 1e-10 for the f of order 1 … 100 here.
    private func expectGradient(_ x: Block<Double>, _ gradient: [Double], _ name: String,
                                sourceLocation: SourceLocation = #_sourceLocation, of f: () -> Double) {
        #expect(gradient.count == x.count, sourceLocation: sourceLocation)
        let size = gradient.map { abs($0) }.max() ?? 0
        for i in gradient.indices {
            let before = x.pointer[i], h = 1e-5
            x.pointer[i] = before + h
            let above = f()
            x.pointer[i] = before - h
            let below = f()
            x.pointer[i] = before
            let difference = (above - below) / (2 * h)
            #expect(abs(difference - gradient[i]) <= 1e-7 * max(1, size), "\(name)[\(i)]",
                    sourceLocation: sourceLocation)
        }
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    private func random(_ count: Int, _ seed: Int, mean: Float = 0) -> Block<Double> {
        var sample = Sample(seed, count)
        return Block<Double>(sample.normal(count, mean: mean))
    }

    @Test("of activations are their derivatives", arguments: Activation.allCases)
    func activation(activation: Activation) {
        let u = random(50, 1), dh = random(50, 2).values
        let h = Block<Double>(u.values.map { Float($0) }), du = random(50, 2)
        reference.activationBackward(activation, count: 50, uToH: h.pointer, dhToDu: du.pointer)
        #expect(h.values == u.values.map { activation.value($0) })
        expectGradient(u, du.values, "u") { dot(u.values.map { activation.value($0) }, dh) }
    }

    @Test("of products are products")
    func product() {
        let (rows, inputs, outputs) = (4, 3, 5)
        let x = random(12, 1), w = random(15, 2), bias = random(5, 3), dy = random(20, 4)
        func loss() -> Double {
            let y = Block<Double>(count: 20)
            reference.multiply(.linear(rows: rows, inputs: inputs, outputs: outputs, x: x.elements, weight: w.pointer,
                                       bias: bias.pointer, y: y.elements))
            return dot(y.values, dy.values)
        }
        let dx = Block<Double>(count: 12), dw = Block<Double>([Float](repeating: 0, count: 15))
        let dBias = Block<Double>([Float](repeating: 0, count: 5))
        reference.multiply(.linearInputGradient(rows: rows, inputs: inputs, outputs: outputs, dy: dy.elements,
                                                weight: w.pointer, dx: dx.elements, accumulates: false))
        reference.multiply(.linearWeightGradient(rows: rows, inputs: inputs, outputs: outputs, dy: dy.elements,
                                                 x: x.elements, dw: dw.pointer))
        reference.addColumnSums(rows: rows, columns: outputs, dy.elements, stride: outputs, into: dBias.pointer)
        expectGradient(x, dx.values, "x", of: loss)
        expectGradient(w, dw.values, "w", of: loss)
        expectGradient(bias, dBias.values, "bias", of: loss)
        keepUntilHere(x, w, bias, dy)
    }

    @Test("of residual and LayerNorm", arguments: [0, 0.3] as [Float])
    func residualNorm(probability: Float) {
        let (T, C) = (4, 7)
        let branch = random(T * C, 1), residual = random(T * C, 2), gamma = random(C, 3, mean: 1), beta = random(C, 4)
        let dy = random(T * C, 5), statistics = Block<Double>(count: 2 * T)
        let norm = Norm(gamma: UnsafePointer(gamma.pointer), beta: UnsafePointer(beta.pointer), epsilon: 1e-3)
        DropoutRows(probability: probability, rows: T).with { dropout in
            func forward() -> (z: Block<Double>, y: [Double]) {
                let z = Block<Double>(count: T * C), y = Block<Double>(count: T * C)
                z.pointer.update(from: branch.pointer, count: T * C)
                reference.residualNorm(T: T, C: C, branchToZ: z.pointer, residual: residual.pointer, norm: norm,
                                       dropout: dropout, statistics: statistics.pointer, y: y.pointer)
                return (z, y.values)
            }
            let z = forward().z, dz = Block<Double>(count: T * C), dBranch = Block<Double>(count: T * C)
            let zero = [Float](repeating: 0, count: C), dGamma = Block<Double>(zero), dBeta = Block<Double>(zero)
            reference.residualNormBackward(T: T, C: C, dy: dy.pointer, z: z.pointer, statistics: statistics.pointer,
                                           norm: norm, dropout: dropout, dz: dz.pointer, dBranch: dBranch.elements,
                                           dGamma: dGamma.pointer, dBeta: dBeta.pointer)
            let loss = { dot(forward().y, dy.values) }
            expectGradient(branch, dBranch.values, "branch", of: loss)
            expectGradient(residual, dz.values, "residual", of: loss)
            expectGradient(gamma, dGamma.values, "gamma", of: loss)
            expectGradient(beta, dBeta.values, "beta", of: loss)
        }
        keepUntilHere(branch, residual, gamma, beta, dy, statistics)
    }

    @Test("of embeddings, down to the three tables", arguments: [0, 0.3] as [Float])
    func embedding(probability: Float) {
        let (T, C) = (6, 5)
        let word = random(4 * C, 1), position = random(7 * C, 2), type = random(2 * C, 3)
        let gamma = random(C, 4, mean: 1), beta = random(C, 5), dy = random(T * C, 6)
        let ids = IndexBlock([3, 1, 3, 0, 3, 1]), positions = IndexBlock([0, 1, 2, 3, 0, 1])
        let types = IndexBlock([0, 0, 1, 1, 0, 1])
        let z = Block<Double>(count: T * C), statistics = Block<Double>(count: 2 * T), y = Block<Double>(count: T * C)
        DropoutRows(probability: probability, rows: T).with { dropout in
            let pass = EmbeddingPass(
                T: T, C: C, ids: ids.pointer, positions: positions.pointer, types: types.pointer, word: word.pointer,
                position: position.pointer, type: type.pointer,
                norm: Norm(gamma: gamma.pointer, beta: beta.pointer, epsilon: 1e-3), dropout: dropout, z: z.pointer,
                statistics: statistics.pointer, y: y.pointer)
            reference.embed(pass)
            let dz = Block<Double>(count: T * C), zero = [Float](repeating: 0, count: 7 * C)
            dz.pointer.update(from: dy.pointer, count: T * C)
            let dGamma = Block<Double>([Float](zero[..<C])), dBeta = Block<Double>([Float](zero[..<C]))
            reference.embedBackward(pass, dyToDz: dz.pointer, dGamma: dGamma.pointer, dBeta: dBeta.pointer)
            let loss = { () -> Double in
                reference.embed(pass)
                return dot(y.values, dy.values)
            }
            let tables = [("word", word, ids), ("position", position, positions), ("type", type, types)]
            for (name, table, index) in tables {
                let gradient = Block<Double>([Float](zero[..<table.count]))
                reference.scatterAdd(T: T, C: C, index: index.pointer, dz: dz.pointer, table: gradient.pointer)
                expectGradient(table, gradient.values, name, of: loss)
            }
            expectGradient(gamma, dGamma.values, "gamma", of: loss)
            expectGradient(beta, dBeta.values, "beta", of: loss)
        }
        keepUntilHere(word, position, type, gamma, beta, ids, positions, types, z, statistics, y)
    }

    @Test("of attention", arguments: [0, 0.3] as [Float])
    func attention(probability: Float) {
        let (H, D, T, C) = (2, 3, 8, 6)
        let qkv = random(T * 3 * C, 1), dContext = random(T * C, 2), dqkv = Block<Double>(count: T * 3 * C)
        let context = Block<Double>(count: T * C), logSum = Block<Double>(count: T * H)
        let starts = IndexBlock([0, 3, 4, 8])
        DropoutRows(probability: probability, rows: T).with { dropout in
            let pass = AttentionPass(B: 3, T: T, H: H, D: D, longest: 4, starts: starts.pointer, dropout: dropout,
                                     qkv: qkv.elements, context: context.elements, logSum: logSum.pointer)
            reference.attendBackward(pass, dContext: dContext.elements, dqkv: dqkv.elements, dFirstQueries: nil)
            expectGradient(qkv, dqkv.values, "qkv") {
                reference.attend(pass)
                return dot(context.values, dContext.values)
            }
        }
        keepUntilHere(qkv, dContext, context, logSum, starts)
    }

    @Test("Attention of the reference is softmax(q·kᵀ/√D)·v on a case worked out by hand")
    func attentionByHand() {
        // D = 4, so 1/√D = ½; scores (½·2·ln 3, 0) give probabilities ¾ and ¼.
        let ln3 = 1.098_612_288_668_109_8
        let qkv = Block<Double>(count: 24)
        let rows: [[Double]] = [[2, 0, 0, 0, ln3, 0, 0, 0, 8, 0, 4, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 1]]
        for (i, value) in rows.joined().enumerated() { qkv.pointer[i] = value }
        let context = Block<Double>(count: 8), logSum = Block<Double>(count: 2), starts = IndexBlock([0, 2])
        DropoutRows(probability: 0, rows: 2).with {
            reference.attend(AttentionPass(B: 1, T: 2, H: 1, D: 4, longest: 2, starts: starts.pointer, dropout: $0,
                                           qkv: qkv.elements, context: context.elements, logSum: logSum.pointer))
        }
        keepUntilHere(qkv, starts)
        let expected = [6, 1, 4, 1, 4, 2, 4, 1] as [Double]
        for (value, exact) in zip(context.values, expected) { #expect(abs(value - exact) < 1e-14) }
        #expect(abs(logSum.values[0] - 1.386_294_361_119_890_6) < 1e-15)
        #expect(abs(logSum.values[1] - 0.693_147_180_559_945_3) < 1e-15)
    }

    @Test("In float it computes what it computes in double, to the accuracy of float")
    func float() {
        let operation = AttentionCase(H: 2, D: 10, lengths: [9, 14], probability: 0.1)
        let exact = operation.run(on: ReferenceBackend<Double>()), tolerances = operation.tolerances(exact: exact)
        for (index, output) in operation.run(on: ReferenceBackend<Float>()).enumerated() {
            expect(output.values, near: exact[index].values, within: tolerances[index], output.name)
        }
        #expect(ReferenceBackend<Float>().name == "reference-float")
        #expect(reference.name == "reference-double")
    }

    @Test("Activations have known values", arguments: [
        (Activation.gelu, 1.0, 0.841_344_746_068_542_9), (.gelu, -10, -7.619_853_024_160_526e-23), (.gelu, 0, 0),
        (.geluTanh, 1, 0.841_191_990_608_276_8), (.relu, -2, 0), (.relu, 2, 2), (.none, -3, -3),
    ])
    func values(activation: Activation, x: Double, y: Double) {
        #expect(abs(activation.value(x) - y) <= 1e-13 * abs(y))
    }
}
