import Foundation

extension Digest {
    /// The digest of a file's content, read a mebibyte at a time.
    ///
    /// - Throws: `StoreError` with code `notFound` or `inputOutput`.
    public init(contentsOf url: URL) throws {
        func fault(_ code: StoreError.Code, _ error: any Error) -> StoreError {
            StoreError(code, operation: "read a file", path: url.path, found: error.localizedDescription)
        }
        let handle: FileHandle
        do { handle = try FileHandle(forReadingFrom: url) } catch { throw fault(.notFound, error) }
        defer { try? handle.close() }
        var hasher = Hasher256()
        do {
            while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
                chunk.withUnsafeBytes { hasher.update($0) }
            }
        } catch { throw fault(.inputOutput, error) }
        self = hasher.finish()
    }
}
