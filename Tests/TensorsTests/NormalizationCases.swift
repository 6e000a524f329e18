import Testing
@testable import Tensors

/// z = residual + drop(branch), y = LayerNorm(z).
struct ResidualNormCase: OperationCase {
    var T: Int, C: Int
    var probability: Float = 0
    var epsilon = 1e-12
    /// Of residual: the further from 0, the more digits z − mean loses.
    var mean: Float = 0
    var testDescription: String { "residual norm \(T)×\(C), dropout \(probability), mean \(mean)" }

    var inputs: (branch: [Float], residual: [Float], gamma: [Float], beta: [Float]) {
        var sample = Sample(T, C)
        return (sample.normal(T * C), sample.normal(T * C, mean: mean), sample.normal(C, mean: 1, deviation: 0.2),
                sample.normal(C))
    }
    var dropout: DropoutRows { DropoutRows(probability: probability, rows: T) }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        let inputs = inputs
        let z = Block<B.Scalar>(inputs.branch), residual = Block<B.Scalar>(inputs.residual)
        let gamma = Block<B.Scalar>(inputs.gamma), beta = Block<B.Scalar>(inputs.beta)
        let statistics = Block<B.Scalar>(count: 2 * T), y = Block<B.Scalar>(count: T * C)
        dropout.with {
            backend.residualNorm(T: T, C: C, branchToZ: z.pointer, residual: residual.pointer,
                                 norm: Norm(gamma: gamma.pointer, beta: beta.pointer, epsilon: epsilon), dropout: $0,
                                 statistics: statistics.pointer, y: y.pointer)
        }
        keepUntilHere(residual, gamma, beta)
        return [Output(name: "z", values: z.values), Output(name: "statistics", values: statistics.values),
                Output(name: "y", values: y.values)]
    }

    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        let inputs = inputs
        let terms = (0..<T * C).map { i in
            abs(Double(inputs.branch[i])) * dropout.factor(i / C, i % C) + abs(Double(inputs.residual[i]))
        }
        return normTolerances(T: T, C: C, terms: terms, exact: exact, gamma: inputs.gamma, beta: inputs.beta)
    }
}

/// Of z, statistics and y, where z is a sum of terms with the magnitudes `terms`.
///
/// z: four roundings. mean: a sum of C numbers. z − mean errs by e = (√C + 8)·u·max(terms) in absolute terms, so x̂
/// by e·rstd, and once more times |x̂| through rstd.
func normTolerances(T: Int, C: Int, terms: [Double], exact: [Output<Double>], gamma: [Float], beta: [Float])
    -> [[Double]] {
    let (z, statistics) = (exact[0].values, exact[1].values)
    var statisticsTolerance: [Double] = [], yTolerance: [Double] = []
    for t in 0..<T {
        let row = t * C..<(t + 1) * C
        let (mean, rstd) = (statistics[2 * t], statistics[2 * t + 1])
        let e = (Double(C).squareRoot() + 8) * u * (terms[row].max() ?? 0)
        statisticsTolerance += [e, (e * rstd + 8 * u) * rstd]
        for i in row {
            let x = abs(z[i] - mean) * rstd, gamma = abs(Double(gamma[i - t * C])), beta = abs(Double(beta[i - t * C]))
            yTolerance.append((e * rstd * (1 + x) + 8 * u * x) * gamma + 2 * u * beta)
        }
    }
    return [terms.map { 4 * u * $0 }, statisticsTolerance, yTolerance]
}

/// (dy, z, statistics) → dz, dBranch, dγ, dβ.
struct ResidualNormBackwardCase: OperationCase {
    var T: Int, C: Int
    var probability: Float = 0
    var isInPlace = false
    var hasBranch = true, hasGamma = true, hasBeta = true
    var testDescription: String {
        "backward of residual norm \(T)×\(C), dropout \(probability)\(isInPlace ? " in place" : "")"
    }

    var dropout: DropoutRows { DropoutRows(probability: probability, rows: T) }
    var inputs: (dy: [Float], z: [Float], statistics: [Float], gamma: [Float], before: [Float]) {
        var sample = Sample(T, C, 1)
        let z = sample.normal(T * C, mean: 0.5, deviation: 2)
        return (sample.normal(T * C), z, rowStatistics(z, T: T, C: C), sample.normal(C, mean: 1, deviation: 0.2),
                sample.normal(C))
    }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        let inputs = inputs
        let dy = Block<B.Scalar>(inputs.dy), z = Block<B.Scalar>(inputs.z), gamma = Block<B.Scalar>(inputs.gamma)
        let statistics = Block<B.Scalar>(inputs.statistics), dz = isInPlace ? dy : Block<B.Scalar>(count: T * C)
        let dBranch = Block<B.Scalar>(count: T * C)
        let dGamma = Block<B.Scalar>(inputs.before), dBeta = Block<B.Scalar>(inputs.before)
        dropout.with {
            backend.residualNormBackward(
                T: T, C: C, dy: dy.pointer, z: z.pointer, statistics: statistics.pointer,
                norm: Norm(gamma: gamma.pointer, beta: gamma.pointer, epsilon: 1e-3), dropout: $0, dz: dz.pointer,
                dBranch: hasBranch ? dBranch.elements : nil, dGamma: hasGamma ? dGamma.pointer : nil,
                dBeta: hasBeta ? dBeta.pointer : nil)
        }
        keepUntilHere(dy, z, gamma, statistics)
        return [Output(name: "dz", values: dz.values), Output(name: "dGamma", values: dGamma.values),
                Output(name: "dBeta", values: dBeta.values)]
            + (hasBranch ? [Output(name: "dBranch", values: dBranch.values)] : [])
    }

    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        let inputs = inputs
        let dy = inputs.dy.map { abs(Double($0)) }
        let (dz, dGamma, dBeta) = normBackwardTolerances(T: T, C: C, dy: dy, z: inputs.z, statistics: inputs.statistics,
                                                         gamma: inputs.gamma, before: inputs.before)
        let dBranch = dz.enumerated().map { ($1 + 3 * u * abs(exact[0].values[$0])) * dropout.factor($0 / C, $0 % C) }
        return [dz, dGamma, dBeta, dBranch]
    }
}

/// Mean and 1/√(variance + 0.001) of each row, as float32 that every backend gets alike.
func rowStatistics(_ z: [Float], T: Int, C: Int) -> [Float] {
    (0..<T).flatMap { t -> [Float] in
        let row = z[t * C..<(t + 1) * C].map { Double($0) }
        let mean = row.reduce(0, +) / Double(C)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(C)
        return [Float(mean), Float(1 / (variance + 1e-3).squareRoot())]
    }
}

/// Of dz, dγ, dβ, given the magnitudes of dy. The three terms of dz = rstd·(g − mean(g) − x̂·mean(g·x̂)) are bounded
/// one by one: their difference may be smaller than any of them.
func normBackwardTolerances(T: Int, C: Int, dy: [Double], z: [Float], statistics: [Float], gamma: [Float],
                            before: [Float]) -> (dz: [Double], dGamma: [Double], dBeta: [Double]) {
    var dz = [Double](repeating: 0, count: T * C)
    var dGamma = before.map { abs(Double($0)) }, dBeta = dGamma
    for t in 0..<T {
        let (mean, rstd) = (Double(statistics[2 * t]), Double(statistics[2 * t + 1]))
        let x = (0..<C).map { abs(Double(z[t * C + $0]) - mean) * rstd }
        let g = (0..<C).map { dy[t * C + $0] * abs(Double(gamma[$0])) }
        let meanG = g.reduce(0, +) / Double(C), meanGX = zip(g, x).reduce(0) { $0 + $1.0 * $1.1 } / Double(C)
        let sum = (Double(C).squareRoot() + 8) * u
        for i in 0..<C {
            dz[t * C + i] = rstd * (8 * u * g[i] + sum * meanG + sum * x[i] * meanGX)
            dGamma[i] += dy[t * C + i] * x[i]
            dBeta[i] += dy[t * C + i]
        }
    }
    let rows = (Double(T).squareRoot() + 8) * u
    return (dz, dGamma.map { $0 * rows }, dBeta.map { $0 * rows })
}

/// z = word[id] + position[p] + type[t], y = drop(LayerNorm(z)); and (dy, z, statistics) → dz, dγ, dβ, from a z of its
/// own that every backend gets alike.
struct EmbeddingCase: OperationCase {
    var T: Int, C: Int
    var probability: Float = 0
    var hasGradients = true
    var noisePlace: NoisePlace?
    private var vocabulary: Int { 23 }
    var testDescription: String { "embedding \(T)×\(C), dropout \(probability), noise \(noisePlace?.rawValue ?? "none")" }

    var dropout: DropoutRows { DropoutRows(probability: probability, rows: T) }
    var indices: (ids: [Int32], positions: [Int32], types: [Int32]) {
        var sample = Sample(T, C, 2)
        return (sample.indices(T, below: vocabulary), (0..<T).map { Int32($0 % 7) }, sample.indices(T, below: 2))
    }
    var inputs: (word: [Float], position: [Float], type: [Float], gamma: [Float], beta: [Float], dy: [Float]) {
        var sample = Sample(T, C, 3)
        return (sample.normal(vocabulary * C), sample.normal(7 * C), sample.normal(2 * C),
                sample.normal(C, mean: 1, deviation: 0.2), sample.normal(C), sample.normal(T * C))
    }

    private var noise: [Float] {
        var sample = Sample(T, C, 5)
        return sample.normal(T * C)
    }

    /// What the backward pass finds.
    private var before: (z: [Float], statistics: [Float]) {
        var sample = Sample(T, C, 4)
        let z = sample.normal(T * C, mean: 0.5, deviation: 2)
        return (z, rowStatistics(z, T: T, C: C))
    }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        let (inputs, indices, before) = (inputs, indices, before)
        let ids = IndexBlock(indices.ids), positions = IndexBlock(indices.positions), types = IndexBlock(indices.types)
        let word = Block<B.Scalar>(inputs.word), position = Block<B.Scalar>(inputs.position)
        let type = Block<B.Scalar>(inputs.type), gamma = Block<B.Scalar>(inputs.gamma)
        let beta = Block<B.Scalar>(inputs.beta), statistics = Block<B.Scalar>(count: 2 * T)
        let z = Block<B.Scalar>(count: T * C), y = Block<B.Scalar>(count: T * C)
        let zBefore = Block<B.Scalar>(before.z), statisticsBefore = Block<B.Scalar>(before.statistics)
        let dz = Block<B.Scalar>(inputs.dy), dGamma = Block<B.Scalar>(inputs.beta), dBeta = Block<B.Scalar>(inputs.beta)
        let noise = Block<B.Scalar>(noise)
        dropout.with {
            var pass = EmbeddingPass(
                T: T, C: C, ids: ids.pointer, positions: positions.pointer, types: types.pointer, word: word.pointer,
                position: position.pointer, type: type.pointer,
                norm: Norm(gamma: gamma.pointer, beta: beta.pointer, epsilon: 1e-12), dropout: $0, z: z.pointer,
                statistics: statistics.pointer, y: y.pointer)
            pass.noise = noisePlace.map { EmbeddingNoise($0, noise.pointer) }
            backend.embed(pass)
            (pass.z, pass.statistics) = (zBefore.pointer, statisticsBefore.pointer)
            backend.embedBackward(pass, dyToDz: dz.pointer, dGamma: hasGradients ? dGamma.pointer : nil,
                                  dBeta: hasGradients ? dBeta.pointer : nil)
        }
        keepUntilHere(ids, positions, types, word, position, type, gamma, beta, zBefore, statisticsBefore, noise)
        return [("z", z), ("statistics", statistics), ("y", y), ("dz", dz), ("dGamma", dGamma), ("dBeta", dBeta)].map {
            Output(name: $0.0, values: $0.1.values)
        }
    }

    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        let (inputs, indices, noise) = (inputs, indices, noise)
        let terms = (0..<T * C).map { i in
            let (t, c) = (i / C, i % C)
            return abs(Double(inputs.word[Int(indices.ids[t]) * C + c]))
                + abs(Double(inputs.position[Int(indices.positions[t]) * C + c]))
                + abs(Double(inputs.type[Int(indices.types[t]) * C + c]))
                + (noisePlace == .word ? abs(Double(noise[i])) : 0)
        }
        var forward = normTolerances(T: T, C: C, terms: terms, exact: exact, gamma: inputs.gamma, beta: inputs.beta)
        forward[2] = forward[2].enumerated().map { i, bound in
            bound * dropout.factor(i / C, i % C) + 3 * u * abs(exact[2].values[i])
        }
        let dy = inputs.dy.enumerated().map { abs(Double($1)) * dropout.factor($0 / C, $0 % C) }
        let backward = normBackwardTolerances(T: T, C: C, dy: dy, z: before.z, statistics: before.statistics,
                                              gamma: inputs.gamma, before: inputs.beta)
        return forward + [backward.dz, backward.dGamma, backward.dBeta]
    }
}

/// table[index[t],:] += dz[t,:].
struct ScatterCase: OperationCase {
    var T: Int, C: Int, rows: Int
    var testDescription: String { "scatter \(T)×\(C) into \(rows) rows" }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        var sample = Sample(T, C, rows)
        let index = IndexBlock(sample.indices(T, below: rows))
        let dz = Block<B.Scalar>(sample.normal(T * C)), table = Block<B.Scalar>(sample.normal(rows * C))
        backend.scatterAdd(T: T, C: C, index: index.pointer, dz: dz.pointer, table: table.pointer)
        keepUntilHere(index, dz)
        return [Output(name: "table", values: table.values)]
    }

    /// Each element takes at most T additions of terms below 4, about T/rows of them: a random walk of roundings.
    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        let terms = 1 + 2 * Double(T) / Double(rows)
        return exact.map { $0.values.map { _ in 4 * terms * terms.squareRoot() * u } }
    }
}
