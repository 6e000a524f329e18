/// How a transfer tells where it stands and learns that it is to stop.
public struct TransferContext: Sendable {
    /// Called now and then with the bytes done and to do, what is skipped included.
    public var progress: @Sendable (_ done: Int, _ total: Int) -> Void
    /// A sentence worth reading, such as that the other side asked to wait.
    public var note: @Sendable (String) -> Void
    /// Asked several times a second; true ends the transfer with `TransferInterrupted`.
    public var isCancelled: @Sendable () -> Bool

    public init(
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }, note: @escaping @Sendable (String) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        (self.progress, self.note, self.isCancelled) = (progress, note, isCancelled)
    }
}
