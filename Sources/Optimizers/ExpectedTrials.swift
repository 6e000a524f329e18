/// Forward passes beyond the one that gives the gradient, as far as they are known before a run.
///
/// How often a search backtracks is up to the loss. But a step size that stays in one region over many steps has lost by
/// backtracking what it gained by growing: ln γ/(p·ln 1/β) backtracks a step on the mean. Of several step sizes each grows in every step, so
/// that a step has that many times their number, whichever of them it searches.
public struct ExpectedTrials: Hashable, Sendable {
    /// Of a step that searches and accepts at once; for one unit where every unit is searched and their number is not known.
    public let least: Double
    /// Of a step that searches, on the mean while its step sizes hold; nil where their number is not known, or one backtrack shrinks some of
    /// them or all.
    public let steady: Double?
    /// Steps from one search to the next, at most; 1 where every step searches.
    public let longestInterval: Int
    /// Whether `least` is for each unit that the network is cut into, which are not known here.
    public let isPerUnit: Bool
    /// Forward passes after the trials of units, for the loss after the move of all of them.
    public let afterMove: Double
    /// Steps at the start that search one step size: one trial at least, and no pass after the move.
    public let jointSteps: Int
    /// Of one step size, in a step, on the mean while it holds.
    public let backtracks: Double

    /// Of one step size for the whole network.
    init(backtracks: Double, longestInterval: Int = 1) {
        (least, steady, self.longestInterval) = (1, 1 + backtracks, longestInterval)
        (isPerUnit, afterMove, jointSteps, self.backtracks) = (false, 0, 0, backtracks)
    }

    /// Of a step size for each unit.
    ///
    /// - Parameters:
    ///   - units: nil where the network decides.
    ///   - searchesAll: a step searches all of them, and not one.
    ///   - triesMove: the loss after the move of all is evaluated.
    ///   - shrinksTogether: and all step sizes shrink where it is too high.
    init(backtracks: Double, units: Int?, searchesAll: Bool, triesMove: Bool, shrinksTogether: Bool, jointSteps: Int) {
        least = searchesAll ? Double(units ?? 1) : 1
        steady = shrinksTogether && units != 1 ? nil : units.map { Double(searchesAll ? $0 : 1) + Double($0) * backtracks }
        longestInterval = 1
        isPerUnit = searchesAll && units == nil
        afterMove = triesMove && units != 1 ? 1 : 0
        self.jointSteps = units == 1 ? 0 : jointSteps
        self.backtracks = backtracks
    }
}
