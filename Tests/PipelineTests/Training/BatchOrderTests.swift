import Store
import Testing

@testable import Pipeline

@Suite struct BatchOrderTests {
    private let order = BatchOrder(exampleCount: 22, batchSize: 4, seed: 3)

    private func batches(_ order: BatchOrder, epoch: Int) -> [[Int]] {
        let permutation = order.permutation(epoch: epoch)
        return (0..<order.batchCount(epoch: epoch)).map { Array(order.batch($0, epoch: epoch, of: permutation)) }
    }

    @Test(arguments: [(1, 1), (1, 4), (4, 4), (5, 4), (22, 4), (1000, 32), (3, 100)])
    func `every epoch takes every example once`(_ count: Int, _ size: Int) {
        let order = BatchOrder(exampleCount: count, batchSize: size, seed: 11)
        for epoch in 0..<4 {
            let batches = batches(order, epoch: epoch)
            #expect(batches.flatMap { $0 }.sorted() == Array(0..<count))
            #expect(batches.dropLast().allSatisfy { $0.count == size })
            #expect(batches.last?.count == (count - 1) % size + 1)
        }
    }

    @Test func `the order is a function of seed and epoch`() {
        for epoch in [5, 0, 2] {
            #expect(order.permutation(epoch: epoch) == BatchOrder(exampleCount: 22, batchSize: 9, seed: 3).permutation(epoch: epoch))
        }
        #expect(order.permutation(epoch: 0) != order.permutation(epoch: 1))
        #expect(order.permutation(epoch: 0) != BatchOrder(exampleCount: 22, batchSize: 4, seed: 4).permutation(epoch: 0))
        #expect(order.permutation(epoch: 0) != Array(0..<22))
    }

    /// Over many epochs each example is as often in each place, within five standard deviations.
    @Test func `no place prefers an example`() {
        let order = BatchOrder(exampleCount: 5, batchSize: 5, seed: 1), epochs = 5000
        var counts = [[Int]](repeating: [Int](repeating: 0, count: 5), count: 5)
        for epoch in 0..<epochs { for (place, example) in order.permutation(epoch: epoch).enumerated() { counts[place][example] += 1 } }
        let deviation = (Double(epochs) * 0.2 * 0.8).squareRoot()
        for count in counts.flatMap({ $0 }) { #expect(abs(Double(count) - Double(epochs) * 0.2) < 5 * deviation) }
    }

    @Test(arguments: [(1.0, 6), (3, 18), (0.5, 3), (2.5, 15), (0.01, 1), (1.1, 7), (1.05, 6), (0.25, 2)])
    func `epochs become updates, a part of one to the nearest`(_ epochs: Double, _ steps: Int) {
        #expect(order.steps(epochs: epochs) == steps)
    }

    @Test func `updates are found in their epoch`() {
        #expect([0, 5, 6, 17, 18].map { order.place(step: $0).epoch } == [0, 0, 1, 2, 3])
        #expect([0, 5, 6, 17, 18].map { order.place(step: $0).batch } == [0, 5, 0, 5, 0])
        #expect((0..<18).filter { order.isEndOfEpoch(step: $0) } == [5, 11, 17])
    }

    @Test func `no batch has more tokens than the order says`() throws {
        let lengths = (0..<22).map { 3 + $0 * 7 % 11 }
        for epoch in 0..<20 {
            for batch in batches(order, epoch: epoch) {
                #expect(batch.reduce(0) { $0 + lengths[$1] } <= order.mostTokens { lengths[$0] })
            }
        }
        let fixed = try BatchOrder(fixed: [[[0], [1]], [[2, 2, 3]]], exampleCount: 22)
        #expect(fixed.batchSize == 3 && fixed.mostTokens { lengths[$0] } == 2 * lengths[2] + lengths[3])
    }

    private let given = [[[3, 0], [1]], [[2], [2, 1], [0]]]

    @Test func `a given order is taken as it is, and again from its start`() throws {
        let order = try BatchOrder(fixed: given, exampleCount: 4)
        #expect(batches(order, epoch: 0) == given[0])
        #expect(batches(order, epoch: 1) == given[1])
        #expect(batches(order, epoch: 2) == given[0])
        #expect((0..<7).map { order.place(step: $0).epoch } == [0, 0, 1, 1, 1, 2, 2])
        #expect((0..<7).map { order.place(step: $0).batch } == [0, 1, 0, 1, 2, 0, 1])
        #expect((0..<7).filter { order.isEndOfEpoch(step: $0) } == [1, 4, 6])
        #expect([1, 2, 1.5, 3].map { order.steps(epochs: $0) } == [2, 5, 4, 7])
    }

    @Test func `a given order has an identity and that of the seed has none`() throws {
        #expect(try order.identity == nil)
        let one = try BatchOrder(fixed: given, exampleCount: 4).identity
        #expect(try one == BatchOrder(fixed: given, exampleCount: 9).identity && one != nil)
        #expect(try one != BatchOrder(fixed: [[[0, 3], [1]], given[1]], exampleCount: 4).identity)
        #expect(try one != BatchOrder(fixed: given.reversed(), exampleCount: 4).identity)
    }

    @Test(arguments: [[], [[]], [[[0]], []], [[[]]], [[[0], [4]]], [[[-1]]]])
    func `a given order that names no examples is refused`(_ fixed: [[[Int]]]) throws {
        #expect(try error(PipelineError.self) { try BatchOrder(fixed: fixed, exampleCount: 4) }?.code == .unfitInput)
    }
}
