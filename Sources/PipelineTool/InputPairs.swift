import Foundation
import Pipeline

/// Lines of text from a file or standard input: one text a line, a tab between the texts of a pair.
struct InputPairs {
    static let standardInput = "/dev/stdin"

    /// Every line must be a pair, or none may be; nil takes both.
    let isPair: Bool?
    private let reader: LineReader

    /// - Parameter path: nil or `-` for standard input.
    init(_ path: String?, isPair: Bool? = nil, _ form: LineReader.Form = .file) throws {
        self.isPair = isPair
        reader = try LineReader(URL(fileURLWithPath: path == nil || path == "-" ? Self.standardInput : path!), form)
    }

    /// Whether the next line is there without waiting for it.
    var holdsLine: Bool { reader.holdsLine }

    /// The next line's texts as bytes that are valid until the next call; nil at the end.
    ///
    /// - Throws: `FormatError` with the line for text that is not UTF-8, for a second tab, and for a pair where a text
    ///   is needed.
    func next() throws -> (text: UnsafeBufferPointer<UInt8>, pair: UnsafeBufferPointer<UInt8>?)? {
        guard let line = try reader.next() else { return nil }
        guard let base = line.baseAddress, let hit = memchr(base, 0x09, line.count) else {
            if isPair == true {
                throw fault("the model takes pairs, and the line is one text", "Put a tab between the two texts.")
            }
            return (line, nil)
        }
        if isPair == false {
            throw fault("the model takes single texts, and the line has a tab", "Leave out the second text.")
        }
        let length = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
        let pair = UnsafeBufferPointer(rebasing: line[(length + 1)...])
        guard !pair.contains(0x09) else {
            throw fault("the line has more than one tab", "Put one tab between the two texts of a pair.")
        }
        return (UnsafeBufferPointer(rebasing: line[..<length]), pair)
    }

    private func fault(_ problem: String, _ advice: String) -> FormatError {
        FormatError(.pairMismatch, file: reader.file, line: reader.line, problem, advice: advice)
    }
}
