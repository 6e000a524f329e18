import Foundation

@testable import Optimizers

/// A `Parallel` on threads of its own: thread t takes the indices t, t + count, t + 2·count, …
final class RealThreads {
    private let count: Int
    /// Indices that each thread has worked on.
    private(set) var work: [Int]

    init(_ count: Int) {
        self.count = count
        work = Array(repeating: 0, count: count)
    }

    private struct Share {
        let body: (Int) -> Void
        let indices: StrideTo<Int>
    }

    func run(_ indices: Int, _ body: (Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            let shares = UnsafeMutablePointer<Share>.allocate(capacity: count)
            var threads: [pthread_t] = []
            for thread in 0..<count {
                let mine = stride(from: thread, to: indices, by: count)
                work[thread] += mine.underestimatedCount
                (shares + thread).initialize(to: Share(body: body, indices: mine))
                var id = pthread_t()
                let failure = pthread_create(
                    &id, nil,
                    { argument in
                        let share = argument!.assumingMemoryBound(to: Share.self)
                        for index in share.pointee.indices { share.pointee.body(index) }
                        return nil
                    }, shares + thread)
                precondition(failure == 0)
                threads.append(id)
            }
            for thread in threads { pthread_join(thread, nil) }
            shares.deinitialize(count: count)
            shares.deallocate()
        }
    }
}
