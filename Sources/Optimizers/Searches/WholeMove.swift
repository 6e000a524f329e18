/// What a per-unit search does with the move of all units, of which its trials tested one unit at a time.
public enum WholeMove: String, Hashable, Sendable, CaseIterable {
    /// Takes it and measures the loss afterwards, as the paper does.
    case measure
    /// Shrinks all step sizes together until the whole move satisfies the condition, so that the step that is taken was tried.
    case search

    var explanation: String {
        switch self {
        case .measure: "the loss there is measured"
        case .search: "all are shrunk together until f(w) − f(w + Σ ηᵢ·dᵢ) ≥ c·Σ ηᵢ·(−gᵀdᵢ) − tolerance"
        }
    }
}
