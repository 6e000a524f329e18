import Foundation
import Pipeline
import Store

/// A written-out order of examples: a JSON array of epochs, each an array of batches, each an array of row numbers from
/// 0.
enum OrderFile {
    /// - Throws: `FormatError` for a file of another form; which numbers are rows is judged by the stage.
    static func read(_ path: String) throws -> [[[Int]]] {
        func fault(_ problem: String) -> FormatError {
            FormatError(
                .jsonSyntax, file: path, problem, expected: "epochs of batches of row numbers, as in [[[0, 1], [2]]]")
        }
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw FormatError(
                .fileUnreadable, file: path, "the file cannot be read", found: error.localizedDescription,
                advice: "Check the path and its spelling.")
        }
        let json: JSONValue
        do { json = try JSONValue(parsing: [UInt8](data)) } catch { throw fault("the file is not JSON") }
        guard let epochs = json.arrayValue else { throw fault("the file holds no array") }
        return try epochs.map { epoch in
            guard let batches = epoch.arrayValue else { throw fault("an epoch is no array") }
            return try batches.map { batch in
                guard let rows = batch.arrayValue else { throw fault("a batch is no array") }
                return try rows.map { row in
                    guard let number = row.integerValue else { throw fault("a row is no whole number") }
                    return Int(number)
                }
            }
        }
    }
}
