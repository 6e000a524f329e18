import Foundation
import Store
import Testing

@testable import Pipeline

@Suite struct TrainingStateTests {
    @Test(arguments: [0, -0.0, 0.1, .pi * 1e300, .leastNonzeroMagnitude, -.infinity, .infinity, 1 / 3])
    func `numbers come back by their bits`(_ value: Double) throws {
        var state = TrainingState()
        (state.step, state.evaluatedStep, state.bestStep, state.stale, state.isStopped) = (17, 16, 12, 3, true)
        (state.bestMetric, state.epochLoss, state.epochExamples) = (value, value, 40)
        try state.append(["event": "step", "loss": 0.25])
        try state.append(["event": "epoch", "name": "ü\n"])
        let stored = try JSONValue(parsing: state.json.canonicalBytes())
        let read = try TrainingState(json: stored, log: state.logData)
        #expect(read == state)
        #expect(read.bestMetric?.bitPattern == value.bitPattern && read.epochLoss.bitPattern == value.bitPattern)
        #expect(read.logData == state.logData)
    }

    @Test func `a beginning has neither metric nor log`() throws {
        let read = try TrainingState(json: TrainingState().json, log: Data())
        #expect(read == TrainingState())
        #expect(read.bestMetric == nil && read.bestStep == nil && read.log.isEmpty)
    }

    @Test(arguments: ["0x", "0.5", "", "0xg", "0x10000000000000000"])
    func `a number in another form is none`(_ text: String) {
        #expect(TrainingState.real(text) == nil)
    }
}
