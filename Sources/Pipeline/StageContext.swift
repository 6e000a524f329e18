import Store

/// What every stage works with: the store, the processor, and ways to tell and to be told.
public struct StageContext: Sendable {
    public let store: Store
    /// Threads of the compute backend and of the tokenizer. Results do not depend on it.
    public var threads: Int
    /// Called from the stage's own thread while it works.
    public var observe: @Sendable (StageEvent) -> Void
    /// Asked between micro-batches and files; true makes the stage save what it can and throw `Interrupted`.
    public var isCancelled: @Sendable () -> Bool

    public init(store: Store, threads: Int, observe: @escaping @Sendable (StageEvent) -> Void = { _ in },
                isCancelled: @escaping @Sendable () -> Bool = { false }) {
        self.store = store
        self.threads = threads
        self.observe = observe
        self.isCancelled = isCancelled
    }
}

/// What a stage tells while it works.
public enum StageEvent: Sendable {
    /// One sentence worth reading, for example what was assumed.
    case note(String)
    /// Work done of work to do, in a unit such as `tensors` or `examples`.
    case progress(done: Int, total: Int, unit: String)
    /// One optimizer step.
    case step(StepProgress)
    /// Metrics of an evaluation during training, in the task's order.
    case evaluation(step: Int, split: String, metrics: [NamedValue], isBest: Bool)
    /// A checkpoint is in the store.
    case checkpoint(step: Int)
    /// New lines of the run's log, without line ends; of a resumed run, first all those of its checkpoint.
    case logged([String])
}

/// A metric's name and value; nil where it is undefined.
public struct NamedValue: Hashable, Sendable {
    public let name: String
    public let value: Double?

    public init(_ name: String, _ value: Double?) {
        self.name = name
        self.value = value
    }
}

/// Where a training run stands after a step.
public struct StepProgress: Sendable {
    public let step: Int
    public let steps: Int
    public let epoch: Double
    public let loss: Double
    public let learningRate: Double
    /// Since this process started training, without evaluations.
    public let examplesPerSecond: Double
    public let tokensPerSecond: Double
    /// Estimated seconds to the end, evaluations included.
    public let secondsLeft: Double
}

/// Thrown by a stage that was asked to stop. What it had done is in the store.
public struct Interrupted: Error, Sendable, CustomStringConvertible {
    /// Last completed update, where there is one.
    public let step: Int?
    public var description: String {
        step.map { "interrupted after step \($0); a checkpoint is saved" } ?? "interrupted"
    }
}
