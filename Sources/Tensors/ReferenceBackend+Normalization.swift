extension ReferenceBackend {
    @_specialize(where Scalar == Double)
    public func residualNorm(T: Int, C: Int, branchToZ: Target, residual: Source, norm: Norm<Scalar>, dropout: Dropout,
                             statistics: Target, y: Target) {
        for t in 0..<T {
            for i in 0..<C {
                let kept = branchToZ[t * C + i] * dropout.factor(row: t, feature: i)
                branchToZ[t * C + i] = residual[t * C + i] + kept
            }
        }
        normalize(T: T, C: C, z: branchToZ, norm: norm, statistics: statistics, y: y)
    }

    @_specialize(where Scalar == Double)
    public func residualNormBackward(T: Int, C: Int, dy: Source, z: Source, statistics: Source, norm: Norm<Scalar>,
                                     dropout: Dropout, dz: Target, dBranch: Elements<Scalar>?,
                                     dGamma: Target?, dBeta: Target?) {
        normalizeBackward(T: T, C: C, dy: dy, z: z, statistics: statistics, gamma: norm.gamma, dz: dz, dGamma: dGamma,
                          dBeta: dBeta)
        guard let dBranch = dBranch?.scalars else { return }
        for t in 0..<T {
            for i in 0..<C { dBranch[t * C + i] = dz[t * C + i] * dropout.factor(row: t, feature: i) }
        }
    }

    @_specialize(where Scalar == Double)
    public func embed(_ e: EmbeddingPass<Scalar>) {
        for t in 0..<e.T {
            for i in 0..<e.C {
                var x = e.word[Int(e.ids[t]) * e.C + i]
                if let noise = e.noise?.values(at: .word) { x += noise[t * e.C + i] }
                e.z[t * e.C + i] = x + e.position[Int(e.positions[t]) * e.C + i] + e.type[Int(e.types[t]) * e.C + i]
            }
        }
        normalize(T: e.T, C: e.C, z: e.z, norm: e.norm, statistics: e.statistics, y: e.y)
        if let noise = e.noise?.values(at: .normalized) {
            for i in 0..<e.T * e.C { e.y[i] += noise[i] }
        }
        drop(rows: e.T, columns: e.C, e.y, e.dropout)
    }

    @_specialize(where Scalar == Double)
    public func embedBackward(_ e: EmbeddingPass<Scalar>, dyToDz: Target, dGamma: Target?, dBeta: Target?) {
        drop(rows: e.T, columns: e.C, dyToDz, e.dropout)
        normalizeBackward(T: e.T, C: e.C, dy: dyToDz, z: e.z, statistics: e.statistics, gamma: e.norm.gamma, dz: dyToDz,
                          dGamma: dGamma, dBeta: dBeta)
    }

    @_specialize(where Scalar == Double)
    public func scatterAdd(T: Int, C: Int, index: UnsafePointer<Int32>, dz: Source, table: Target) {
        for t in 0..<T {
            for i in 0..<C { table[Int(index[t]) * C + i] += dz[t * C + i] }
        }
    }

    /// y = (z − mean)·rstd·γ + β; statistics (mean, rstd), rstd = 1/√(Σ(z − mean)²/C + ε).
    private func normalize(T: Int, C: Int, z: Source, norm: Norm<Scalar>, statistics: Target, y: Target) {
        for t in 0..<T {
            var mean: Scalar = 0
            for i in 0..<C { mean += z[t * C + i] }
            mean /= Scalar(C)
            var variance: Scalar = 0
            for i in 0..<C { variance += (z[t * C + i] - mean) * (z[t * C + i] - mean) }
            variance /= Scalar(C)
            let rstd = 1 / (variance + Scalar(norm.epsilon)).squareRoot()
            statistics[2 * t] = mean
            statistics[2 * t + 1] = rstd
            for i in 0..<C { y[t * C + i] = (z[t * C + i] - mean) * rstd * norm.gamma[i] + norm.beta[i] }
        }
    }

    /// With x̂ = (z − mean)·rstd and g = dy·γ: dz = rstd·(g − mean(g) − x̂·mean(g·x̂)), dγ += Σ dy·x̂, dβ += Σ dy.
    private func normalizeBackward(T: Int, C: Int, dy: Source, z: Source, statistics: Source, gamma: Source, dz: Target,
                                   dGamma: Target?, dBeta: Target?) {
        for t in 0..<T {
            let mean = statistics[2 * t], rstd = statistics[2 * t + 1]
            var meanG: Scalar = 0, meanGX: Scalar = 0
            for i in 0..<C {
                let x = (z[t * C + i] - mean) * rstd, g = dy[t * C + i] * gamma[i]
                meanG += g / Scalar(C)
                meanGX += g * x / Scalar(C)
                dGamma?[i] += dy[t * C + i] * x
                dBeta?[i] += dy[t * C + i]
            }
            for i in 0..<C {
                let x = (z[t * C + i] - mean) * rstd, g = dy[t * C + i] * gamma[i]
                dz[t * C + i] = rstd * (g - meanG - x * meanGX)
            }
        }
    }
}
