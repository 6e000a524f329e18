/// Runs `body(0)` to `body(count - 1)`, each exactly once, on any threads in any order, and returns when all are done.
///
/// What an optimizer computes does not depend on how many threads serve it: the cut into indices is fixed by the
/// layout, and sums are combined in the order of the indices.
public typealias Parallel = (_ count: Int, _ body: (Int) -> Void) -> Void

/// Everything on the calling thread, in order.
public func serially(_ count: Int, _ body: (Int) -> Void) {
    for index in 0..<count { body(index) }
}
