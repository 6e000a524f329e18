import Foundation
import Store
import Synchronization
import Tensors

@testable import Pipeline

extension Fixture {
    /// A complete model folder: an uncased BERT encoder of 2 layers × 32 without a head.
    static let tinyBERT = formats.deletingLastPathComponent().appendingPathComponent("models/tiny-bert")
}

/// A store in a folder of its own, with what a test needs to fill it.
final class ToyStore: Sendable {
    let scratch: Scratch
    let store: Store

    init(_ scratch: Scratch = Scratch()) throws {
        self.scratch = scratch
        store = try Store(at: scratch.url.appendingPathComponent("store"), tool: "tests")
    }

    /// A second store with the same content, for another way that things could go.
    func copy() throws -> ToyStore {
        let other = Scratch()
        try FileManager.default.copyItem(at: store.location, to: other.url.appendingPathComponent("store"))
        return try ToyStore(other)
    }

    func context(threads: Int = 1, stop: Stop = .never, recorder: Recorder? = nil) -> StageContext {
        // The context keeps the folder of a store that nobody else holds.
        StageContext(
            store: store, threads: threads, observe: { [self] event in withExtendedLifetime(self) { recorder?.record(event) } },
            isCancelled: { stop.isDue() })
    }

    /// Imports the tiny model, or another folder.
    @discardableResult
    func importModel(_ folder: URL = Fixture.tinyBERT, as name: String = "tiny") throws -> ImportStage.Result {
        try ImportStage(source: folder, name: name).run(context())
    }

    @discardableResult
    func prepare(
        _ task: ToyTask = ToyTask(), as name: String = "toy", model: String = "tiny", maxLength: Int = 32
    ) throws
        -> PreparedDataset
    {
        let folder = try task.write(to: scratch, folder: "data-\(name)")
        return try PrepareStage(source: .own(OwnDataOptions(kind: task.kind), at: folder), model: model, name: name, maxLength: maxLength)
            .run(context()).dataset
    }

    /// A store with the tiny model as `tiny` and a task as `toy`.
    static func ready(_ task: ToyTask = ToyTask()) throws -> ToyStore {
        let toy = try ToyStore()
        try toy.importModel()
        try toy.prepare(task)
        return toy
    }

    /// The regular files of the store that are content: neither index nor locks nor temporary files.
    func contentFiles() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: store.location.path).filter { path in
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: store.location.appendingPathComponent(path).path, isDirectory: &isFolder)
            return !isFolder.boolValue && ["blobs/", "artifacts/", "refs/"].contains { path.hasPrefix($0) }
        }.sorted()
    }

    /// Every tensor of a model, by name, as it is stored.
    func tensors(_ model: Digest) throws -> [String: Data] {
        let artifact = try store.artifact(model), prefix = ModelDescription.tensorPrefix
        return try Dictionary(
            uniqueKeysWithValues: artifact.blobs.filter { $0.name.hasPrefix(prefix) }.map {
                (String($0.name.dropFirst(prefix.count)), try store.data($0))
            })
    }
}

/// Says when a stage is to stop: from its n-th question on.
final class Stop: Sendable {
    /// nil never stops, and counts.
    private let limit: Int?
    private let questions = Mutex(0)

    init(after limit: Int?) { self.limit = limit }

    static var never: Stop { Stop(after: nil) }

    var asked: Int { questions.withLock { $0 } }

    func isDue() -> Bool {
        questions.withLock { asked in
            asked += 1
            return limit.map { asked > $0 } ?? false
        }
    }
}

/// Keeps what a stage tells.
final class Recorder: Sendable {
    private let events = Mutex<[StageEvent]>([])

    func record(_ event: StageEvent) { events.withLock { $0.append(event) } }

    var all: [StageEvent] { events.withLock { $0 } }
    var steps: [StepProgress] { all.compactMap { if case .step(let step) = $0 { step } else { nil } } }
    var checkpoints: [Int] { all.compactMap { if case .checkpoint(let step) = $0 { step } else { nil } } }
    var loggedLines: [String] { all.flatMap { event -> [String] in if case .logged(let lines) = event { lines } else { [] } } }
    var evaluatedSteps: [Int] { all.compactMap { if case .evaluation(let step, _, _, _) = $0 { step } else { nil } } }
}

/// The error of one type that `body` throws, or nil when it succeeds.
func error<Failure: Error, Result>(_ type: Failure.Type, _ body: () throws -> Result) throws -> Failure? {
    do {
        _ = try body()
        return nil
    } catch let error as Failure {
        return error
    }
}
