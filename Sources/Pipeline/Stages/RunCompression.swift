import Foundation
import Store

/// Makes smaller what stays of a finished run: its model, its log, and the checkpoints that the retention keeps, which were written fast
/// so that training need not wait. No digest changes, so the run is the same with and without it.
public struct RunCompression {
    /// Seconds that it takes at most: a tenth of what the run took, within these bounds.
    private static let limits = 2.0...60.0

    public var run: Digest
    /// Of the run.
    public var seconds: Double

    public init(run: Digest, seconds: Double) { (self.run, self.seconds) = (run, seconds) }

    /// Ends early, with what is done by then, when the time is up or the context is cancelled. `progress` is called after each blob.
    public func run(_ context: StageContext, progress: (CompressionReport) -> Void = { _ in }) throws -> CompressionReport {
        let end = ContinuousClock.now + .seconds(min(max(seconds / 10, Self.limits.lowerBound), Self.limits.upperBound))
        let store = context.store
        let artifact = try store.artifact(run)
        let model = try store.artifact(RunRecord(artifact).model)
        let checkpoints = try store.keptCheckpoints(of: artifact.provenance.stageKey())
        return try store.compress(
            [artifact, model] + checkpoints, effort: .strong, progress: progress,
            isCancelled: { context.isCancelled() || ContinuousClock.now > end })
    }
}
