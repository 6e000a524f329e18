import Foundation
import Pipeline
import Store
import Synchronization

/// Tells on standard error how a stage goes: a line that is drawn again in place on a terminal, plain lines elsewhere.
final class ProgressReporter: Sendable {
    /// On a terminal the line changes at most this often, in seconds.
    private static let drawingInterval = 0.1
    /// Elsewhere a line is written after each tenth of the work, but not more often than the first nor less often than
    /// the second.
    private static let plainIntervals = (shortest: 1.0, longest: 10.0)
    /// The shown loss is a running mean: one batch's loss jumps about.
    private static let lossMemory = 0.95

    private struct State {
        var isDrawn = false
        var lastTime: Double?
        var lastTenth = 0
        var begun: Double?
        var lastDone = 0
        var loss: Double?
        var lossSum = 0.0
        var lossCount = 0
    }

    private let title: String
    private let terminal: Terminal
    private let isQuiet: Bool
    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> Double
    private let state = Mutex(State())

    /// - Parameters:
    ///   - write: takes text for standard error.
    ///   - now: seconds since any fixed moment.
    init(
        title: String, terminal: Terminal, isQuiet: Bool,
        write: @escaping @Sendable (String) -> Void = { StandardError.write($0) },
        now: @escaping @Sendable () -> Double = { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }
    ) {
        (self.title, self.terminal, self.isQuiet, self.write, self.now) = (title, terminal, isQuiet, write, now)
    }

    func observe(_ event: StageEvent) {
        switch event {
        case .note(let text): note(text)
        case .progress(let done, let total, let unit): progress(done: done, total: total, unit: unit)
        case .step(let step): self.step(step)
        case .evaluation(let step, let split, let metrics, let isBest):
            let values = metrics.map { "\($0.name) \(NumberText.metric($0.value))" }.joined(separator: "  ")
            let loss = takeMeanLoss().map { "loss \(NumberText.fixed($0, 4))   " } ?? ""
            line("step \(step)   \(loss)\(split) \(values)\(isBest ? "   best so far" : "")")
        case .checkpoint(let step): line("step \(step)   checkpoint saved")
        case .logged: break
        }
    }

    /// A sentence worth reading.
    func note(_ text: String) { line("note: " + text) }

    /// A line that stays, above the one that changes.
    func line(_ text: String) {
        guard !isQuiet else { return }
        state.withLock { state in
            erase(&state)
            write(text + "\n")
        }
    }

    /// Takes the changing line off the terminal.
    func finish() {
        state.withLock { erase(&$0) }
    }

    private func erase(_ state: inout State) {
        guard state.isDrawn else { return }
        write("\r\u{1b}[K")
        state.isDrawn = false
    }

    /// Work done of work to do.
    func progress(done: Int, total: Int, unit: String, amount: (Int) -> String = { NumberText.count($0) }) {
        guard !isQuiet, total > 0 else { return }
        state.withLock { state in
            let time = now()
            // Work that begins again at less is the next part, with a time and tenths of its own.
            if done < state.lastDone { (state.begun, state.lastTenth) = (nil, 0) }
            state.lastDone = done
            let begun = state.begun ?? time
            state.begun = begun
            guard isDue(fraction: Double(done) / Double(total), time, &state) else { return }
            let unit = unit.isEmpty ? "" : " " + unit
            var fields = ["\(amount(done)) of \(amount(total))\(unit)"]
            if time > begun, done > 0 {
                let rate = Double(done) / (time - begun)
                fields.append("\(NumberText.duration(Double(total - done) / rate)) left")
                fields.append("\(amount(Int(rate)))\(unit)/s")
            }
            show(ProgressLine(title: title, fraction: Double(done) / Double(total), fields: fields), time, &state)
        }
    }

    private func step(_ step: StepProgress) {
        guard !isQuiet else { return }
        state.withLock { state in
            let time = now()
            let loss = state.loss.map { Self.lossMemory * $0 + (1 - Self.lossMemory) * step.loss } ?? step.loss
            state.loss = loss
            state.lossSum += step.loss
            state.lossCount += 1
            let fraction = Double(step.step) / Double(max(1, step.steps))
            guard isDue(fraction: fraction, time, &state) else { return }
            show(
                ProgressLine(
                    title: title, fraction: fraction,
                    fields: [
                        "step \(step.step)/\(step.steps)", "loss \(NumberText.fixed(loss, 4))",
                        "\(NumberText.duration(step.secondsLeft)) left",
                        "\(NumberText.rate(step.examplesPerSecond)) examples/s",
                        "\(NumberText.rate(step.tokensPerSecond)) tokens/s",
                    ]), time, &state)
        }
    }

    /// The mean loss of the steps since the last evaluation, forgotten thereby.
    private func takeMeanLoss() -> Double? {
        state.withLock { state in
            defer { (state.lossSum, state.lossCount) = (0, 0) }
            return state.lossCount == 0 ? nil : state.lossSum / Double(state.lossCount)
        }
    }

    private func isDue(fraction: Double, _ time: Double, _ state: inout State) -> Bool {
        let since = state.lastTime.map { time - $0 }
        if terminal.isInteractive { return since.map { $0 >= Self.drawingInterval } ?? true }
        // The clock starts with the first event, so that what is done at once is not reported at all.
        guard let since else {
            state.lastTime = time
            return false
        }
        let tenth = Int(fraction * 10)
        guard since >= Self.plainIntervals.longest || (tenth > state.lastTenth && since >= Self.plainIntervals.shortest)
        else { return false }
        state.lastTenth = tenth
        return true
    }

    private func show(_ line: ProgressLine, _ time: Double, _ state: inout State) {
        state.lastTime = time
        if terminal.isInteractive {
            write("\r" + line.drawn(columns: terminal.columns, hasColor: terminal.hasColor) + "\u{1b}[K")
            state.isDrawn = true
        } else {
            write(line.plain + "\n")
        }
    }
}
