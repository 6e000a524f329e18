import Crypto
import Foundation

/// Git's name of a file's content.
enum GitObject {
    /// The SHA-1 of `blob SIZE\0` and the content, in hexadecimal, read a mebibyte at a time.
    static func name(ofFile url: URL, byteCount: Int) throws -> String {
        var function = Insecure.SHA1()
        function.update(data: Data("blob \(byteCount)\0".utf8))
        let handle = try FileHandle(forReadingFrom: url)
        defer { try? handle.close() }
        while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty { function.update(data: chunk) }
        return function.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
