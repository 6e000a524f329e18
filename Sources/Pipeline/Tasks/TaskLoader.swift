import Foundation

/// Reads the data of any task by its name: GLUE's, or the user's own.
public enum TaskLoader {
    /// Every name that `--task` takes.
    public static var names: [String] { GLUECatalogue.all.map(\.name) + OwnDataOptions.taskNames }

    /// - Parameters:
    ///   - configure: sets the options of the user's own data; not called for GLUE's tasks.
    /// - Throws: `unknownTask` naming the known ones; every error of the readers.
    public static func load(
        task name: String, from url: URL, configure: (inout OwnDataOptions) throws -> Void = { _ in }
    ) throws -> LoadedTask {
        if let task = GLUECatalogue.task(named: name) { return try GLUELoader(task).load(url) }
        guard var options = OwnDataOptions(taskName: name) else {
            throw FormatError(
                .unknownTask, file: url.path, "there is no task \"\(FormatError.printable(name))\"",
                expected: names.joined(separator: ", "))
        }
        try configure(&options)
        return try OwnDataLoader(options).load(url)
    }
}
