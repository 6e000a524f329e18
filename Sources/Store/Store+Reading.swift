import Dispatch
import Synchronization

extension Store {
    /// Reads many ranges at once on all processors, each into its own buffer; the fastest way to load a model.
    ///
    /// - Throws: the first failure; then the buffers of the failed ranges hold zeros.
    public func read(_ requests: [(blob: BlobReference, target: UnsafeMutableRawBufferPointer)]) throws {
        let failure = Mutex<(any Error)?>(nil)
        // The largest first, so that no thread is left with one at the end.
        nonisolated(unsafe) let sorted = requests.sorted { $0.blob.byteCount > $1.blob.byteCount }
        DispatchQueue.concurrentPerform(iterations: sorted.count) { index in
            do {
                try read(sorted[index].blob, into: sorted[index].target)
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
