/// Forward passes beyond the one that gives the gradient, as far as they are known before a run.
///
/// How often a search backtracks is up to the loss. But a step size that stays in one region over many steps has lost by
/// backtracking what it gained by growing, so a search then backtracks ln γ/(p·ln 1/β) times on the mean.
public struct ExpectedTrials: Hashable, Sendable {
    /// Of a step that searches and accepts at once; for one searched unit where their number is not known. With a step size for
    /// each unit this holds after the joint steps, which need no loss after the move.
    public let least: Double
    /// Of a step that searches, on the mean while its step size holds.
    public let steady: Double
    /// Steps from one search to the next, at most; 1 where every step searches.
    public let longestInterval: Int
    /// Whether the numbers grow with the units that the network is cut into, which are not known here.
    public let isPerUnit: Bool

    /// - Parameters:
    ///   - searches: units searched in a step; nil where the network decides.
    ///   - measuresMove: the loss is evaluated again after the untested part of the move.
    init(backtracks: Double, searches: Int? = 1, measuresMove: Bool = false, longestInterval: Int = 1) {
        let count = Double(searches ?? 1)
        let move = measuresMove ? 1.0 : 0
        least = count + move
        steady = count * (1 + backtracks) + move
        self.longestInterval = longestInterval
        isPerUnit = searches == nil
    }
}
