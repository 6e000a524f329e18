/// The step size is a learning rate times a schedule, whatever the loss.
public struct ScheduledRate: LineSearch {
    public static let name = "scheduled"

    public let learningRate: Double
    public let schedule: Schedule

    public init(_ learningRate: Double, schedule: Schedule) {
        precondition(learningRate >= 0 && learningRate.isFinite)
        self.learningRate = learningRate
        self.schedule = schedule
    }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        var all: [(key: String, value: HyperparameterValue)] = [
            ("learning_rate", .real(learningRate)), ("schedule", .text(schedule.name)),
            ("steps", .integer(schedule.steps)), ("warmup_steps", .integer(schedule.warmup)),
        ]
        if case .polynomial(let power, let end) = schedule.shape {
            all += [("schedule_power", .real(power)), ("schedule_end", .real(end))]
        }
        return all
    }

    public var formula: [String] { ["η = \(learningRate)·s        x ← x − η·u"] + schedule.formula }

    public func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport {
        let rate = schedule.rate(at: descent.step, learningRate: learningRate)
        descent.take(rate)
        return SearchReport(learningRate: rate)
    }
}
