/// How learning rates follow the batch size B away from the batch that they were chosen for.
///
/// Source: linear, Goyal et al., arXiv 1706.02677; the root, with LAMB, You et al., arXiv 1904.00962.
public enum BatchScaling: String, Hashable, Sendable, CaseIterable {
    /// η·√(B/reference)
    case squareRoot = "sqrt"
    /// η·B/reference
    case linear

    /// The factor on the learning rate.
    public func factor(batch: Int, reference: Int) -> Double {
        precondition(batch > 0 && reference > 0)
        let ratio = Double(batch) / Double(reference)
        switch self {
        case .squareRoot: return ratio.squareRoot()
        case .linear: return ratio
        }
    }
}

extension OptimizerRecipe {
    /// The factor on all rates of the schedule; 1 where the recipe names no reference batch.
    ///
    /// - Parameter batch: examples an update, needed where the recipe names a reference batch.
    func rateFactor(batch: Int?) -> Double {
        guard case .integer(let reference) = constants.values["reference_batch"], reference > 0 else { return 1 }
        guard let batch else { preconditionFailure("reference_batch \(reference) needs the batch size") }
        guard let scaling = constants.values["batch_scaling"]?.text.flatMap(BatchScaling.init(rawValue:)) else {
            preconditionFailure("batch_scaling is resolved")
        }
        return scaling.factor(batch: batch, reference: reference)
    }
}

extension RecipeKey {
    static let batchScaling: [RecipeKey] = [
        .count(
            "reference_batch", 0, "batch size that learning_rate is meant for; other batches scale it; 0 uses it as given", from: 0),
        .choice(
            "batch_scaling", BatchScaling.squareRoot.rawValue, among: BatchScaling.allCases.map(\.rawValue),
            "learning rate away from reference_batch: by the root of the ratio of batches, or by the ratio itself"),
    ]
}
