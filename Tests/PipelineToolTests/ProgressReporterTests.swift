import Pipeline
import Synchronization
import Testing

@testable import PipelineTool

@Suite struct ProgressReporterTests {
    /// A reporter with a clock that is turned by hand.
    private final class Bench: Sendable {
        let time = Mutex(0.0)
        let written = Mutex<[String]>([])

        func reporter(interactive: Bool, isQuiet: Bool = false) -> ProgressReporter {
            ProgressReporter(
                title: "work", terminal: Terminal(isInteractive: interactive, hasColor: false, columns: 80),
                isQuiet: isQuiet,
                write: { [self] text in written.withLock { $0.append(text) } }, now: { [self] in time.withLock { $0 } })
        }

        func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
        var texts: [String] { written.withLock { $0 } }
    }

    @Test func onATerminalTheLineIsDrawnAtMostTenTimesASecondAndErasedAtTheEnd() {
        let bench = Bench()
        let reporter = bench.reporter(interactive: true)
        for step in 1...1000 {
            reporter.observe(.progress(done: step, total: 1000, unit: "examples"))
            bench.advance(0.001)
        }
        #expect((9...11).contains(bench.texts.count))
        #expect(bench.texts.allSatisfy { $0.hasPrefix("\r") && !$0.contains("\n") })
        reporter.finish()
        #expect(bench.texts.last == "\r\u{1b}[K")
        let count = bench.texts.count
        reporter.finish()
        #expect(bench.texts.count == count)
    }

    @Test func elsewhereALineIsWrittenForEachTenthAndAtLeastEveryTenSeconds() {
        let bench = Bench()
        let reporter = bench.reporter(interactive: false)
        for step in 1...1000 {
            reporter.observe(.progress(done: step, total: 1000, unit: "examples"))
            bench.advance(0.02)
        }
        #expect(bench.texts.count == 10)
        #expect(bench.texts.allSatisfy { $0.hasSuffix("\n") && !$0.contains("\r") })
        let slow = Bench()
        let other = slow.reporter(interactive: false)
        for step in 1...50 {
            other.observe(.progress(done: step, total: 100_000, unit: "examples"))
            slow.advance(1)
        }
        #expect(slow.texts.count == 4)
    }

    @Test func aSecondPartHasATimeAndTenthsOfItsOwn() throws {
        let bench = Bench()
        let reporter = bench.reporter(interactive: false)
        for (unit, seconds) in [("encoded", 0.2), ("removed", 0.02)] {
            for step in 1...1000 {
                reporter.progress(done: step, total: 1000, unit: unit)
                bench.advance(seconds)
            }
        }
        #expect(bench.texts.filter { $0.contains("removed") }.count == 10)
        let last = try #require(bench.texts.last)
        #expect(last.contains("50 removed/s"), "\(last)")
    }

    @Test func whatIsDoneAtOnceIsNotReported() {
        let bench = Bench()
        let reporter = bench.reporter(interactive: false)
        for step in 1...100 { reporter.observe(.progress(done: step, total: 100, unit: "examples")) }
        #expect(bench.texts.isEmpty)
    }

    @Test func aNoteTakesThePlaceOfTheLineAndQuietMeansNothingAtAll() {
        let bench = Bench()
        let reporter = bench.reporter(interactive: true)
        reporter.observe(.progress(done: 1, total: 10, unit: "examples"))
        reporter.observe(.note("something"))
        #expect(bench.texts.suffix(2) == ["\r\u{1b}[K", "note: something\n"])
        let silent = Bench()
        let quiet = silent.reporter(interactive: true, isQuiet: true)
        quiet.observe(.progress(done: 1, total: 10, unit: "examples"))
        quiet.observe(.note("something"))
        quiet.finish()
        #expect(silent.texts.isEmpty)
    }
}
