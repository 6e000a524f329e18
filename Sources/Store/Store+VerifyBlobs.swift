import Dispatch
import Synchronization

extension Store {
    /// Reads the blobs of the scope; why each damaged one is.
    func readBlobs(
        _ scope: VerificationScope, _ blobs: [Digest: Int], _ report: inout VerificationReport,
        _ isCancelled: @Sendable () -> Bool, _ progress: @Sendable (VerificationProgress) -> Void
    ) throws -> [Digest: String] {
        guard case .portion(let limit) = scope else {
            let taken = blobs.filter { scope.takes($0.key) }
            let bad = checkBlobs(taken, &report, isCancelled, progress)
            report.isComplete = report.checkedBlobCount == blobs.count
            return bad
        }
        _ = try writingSession()
        var position = verificationPosition()
        var bad: [Digest: String] = [:]
        // What was found before may have been mended.
        let again = blobs.filter { position.damaged.contains($0.key) }
        bad.merge(checkBlobs(again, &report, isCancelled, progress)) { $1 }
        var rest = blobs.keys.filter { digest in position.last.map { digest > $0 } ?? true }.sorted()[...]
        var done = 0
        while !rest.isEmpty, done < limit, !isCancelled() {
            var step: [Digest: Int] = [:]
            var count = 0
            while let digest = rest.first, step.isEmpty || count + blobs[digest]! <= min(Self.stepByteCount, limit - done) {
                step[digest] = blobs[digest]!
                count += blobs[digest]!
                rest.removeFirst()
            }
            let last = step.keys.max()!
            bad.merge(checkBlobs(step, &report, isCancelled, progress)) { $1 }
            if isCancelled() { break }
            done += count
            position.last = last
            position.byteCount += count
            position.damaged = Set(bad.keys)
            try setVerificationPosition(position)
        }
        report.isComplete = rest.isEmpty && !isCancelled()
        if report.isComplete { try setVerificationPosition(nil) }
        return bad
    }

    /// The position is kept after so many bytes.
    private static let stepByteCount = 256 << 20

    private func checkBlobs(
        _ blobs: [Digest: Int], _ report: inout VerificationReport, _ isCancelled: @Sendable () -> Bool,
        _ progress: @Sendable (VerificationProgress) -> Void
    ) -> [Digest: String] {
        let sorted = blobs.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let state = Mutex((bad: [Digest: String](), done: report.byteCount, count: 0))
        let total = max(report.totalByteCount, report.byteCount)
        DispatchQueue.concurrentPerform(iterations: sorted.count) { index in
            if isCancelled() { return }
            let (digest, byteCount) = sorted[index]
            var reason: String?
            do { try blobReader.verify(digest) } catch {
                reason = (try? blobReader.storage.isThere(digest)) == false ? Self.missing : "\(error)"
            }
            let sum = state.withLock { state in
                state.bad[digest] = reason
                state.done += byteCount
                state.count += 1
                return state.done
            }
            progress(VerificationProgress(checkedBytes: min(sum, total), totalBytes: total))
        }
        let result = state.withLock { $0 }
        report.byteCount = result.done
        report.checkedBlobCount += result.count
        return result.bad
    }
}
