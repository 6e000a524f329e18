import Foundation

extension PreparedDataset {
    /// The smallest mean training loss, in nats, of an answer that is the same for every text: what a model reaches that has learnt
    /// the frequencies of the labels and nothing else.
    ///
    /// - Returns: nil for a regression, whose statistics do not have it, and without labelled training examples.
    public func constantLoss(_ recipe: Recipe) -> Double? {
        guard let train = splits.first(where: { $0.name == "train" }), train.isLabelled, train.examples > 0 else { return nil }
        let counts = train.labelCounts.map { Double($0.examples) }
        switch task.kind {
        case .regression: return nil
        case .multiLabel:
            // The sum is weighted, the number of labels that it is divided by is not.
            let weights = recipe.classWeights.count == counts.count ? recipe.classWeights.map { Double($0) } : counts.map { _ in 1 }
            let entropies = zip(counts, weights).map { count, weight in
                let share = count / Double(train.examples)
                return weight * Self.entropy([share, 1 - share])
            }
            return entropies.isEmpty ? nil : entropies.reduce(0, +) / Double(entropies.count)
        case .classification:
            // The mean is weighted as the loss is.
            let weights: [Double] = if recipe.balancesClasses { counts.map { $0 > 0 ? 1 / $0 : 0 } }
                else if recipe.classWeights.count == counts.count { recipe.classWeights.map { Double($0) } }
                else { counts.map { _ in 1 } }
            let masses = zip(counts, weights).map { $0 * $1 }, total = masses.reduce(0, +)
            return total > 0 ? Self.entropy(masses.map { $0 / total }) : nil
        }
    }

    private static func entropy(_ shares: [Double]) -> Double {
        shares.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
    }
}
