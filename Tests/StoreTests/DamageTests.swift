import Foundation
import GRDB
import Testing

@testable import Store

/// Random damage, a round at a time. `STORE_DAMAGE_ROUNDS` sets how many; a failure names its round, and each round has its own seed.
@Suite struct DamageTests {
    enum Harm: CaseIterable {
        case flipBits, truncate, extend, zero, swap, remove, editManifest, editReference, damageIndex
    }

    static let rounds = ProcessInfo.processInfo.environment["STORE_DAMAGE_ROUNDS"].flatMap { Int($0) } ?? 500

    @Test func `no damage yields wrong bytes, and every changed file is named with what it hits`() throws {
        let sample = try VerificationTests.Sample()
        let paths = try sample.folder.contentFiles()
        let whole = try Dictionary(uniqueKeysWithValues: paths.map { ($0, try Data(contentsOf: sample.folder.store.appending(path: $0))) })
        try sample.store.rebuildIndex()
        func listed(_ store: Store) throws -> Set<[String]> { Set(try store.list().map { ["\($0.digest)", $0.kind] + $0.references }) }
        let expected = try listed(sample.store)
        for round in 0..<Self.rounds {
            var generator = SeededGenerator(seed: 10_000 + UInt64(round))
            let harm = Harm.allCases.randomElement(using: &generator)!
            let changed = try Self.apply(harm, sample, whole, &generator)
            let what: Comment = "round \(round), \(harm) of \(changed.joined(separator: ", "))"
            #expect(sample.readsNothingWrong(), what)
            let report = try sample.folder.open(.readOnly).verify()
            for path in changed {
                let problem = report.problems.first { $0.path == path }
                #expect(problem != nil, what)
                // With a manifest or a reference gone as well, nobody can tell what else something belonged to.
                guard changed.count == 1 || changed.allSatisfy({ $0.hasPrefix("blobs/") }) else { continue }
                #expect(problem?.references.isEmpty == false, what)
                #expect(path.hasPrefix("refs/") || problem?.artifacts.isEmpty == false, what)
                let reachesRun = path.hasPrefix("refs/") || problem?.runs == [sample.run]
                #expect(reachesRun, what)
            }
            #expect(Set(report.problems.map(\.path)).isSubset(of: changed), what)
            if harm == .damageIndex {
                // The index is made from the files alone.
                let store = try sample.folder.open()
                _ = try store.list()
                try store.rebuildIndex()
                #expect(try listed(store) == expected, what)
            }
            for path in changed { try whole[path]!.write(to: sample.folder.store.appending(path: path)) }
        }
        #expect(try sample.folder.open().verify().isClean)
        for (digest, ranges) in sample.contents { #expect(try sample.folder.open().load(digest) == ranges) }
    }

    /// Harms the store; the content files that are changed now.
    private static func apply(
        _ harm: Harm, _ sample: VerificationTests.Sample, _ whole: [String: Data], _ generator: inout SeededGenerator
    ) throws -> Set<String> {
        func url(_ path: String) -> URL { sample.folder.store.appending(path: path) }
        func pick(_ prefix: String) -> String {
            whole.keys.filter { $0.hasPrefix(prefix) }.sorted().randomElement(using: &generator)!
        }
        func put(_ data: Data, _ path: String) throws -> Set<String> {
            try data.write(to: url(path))
            return data == whole[path] ? [] : [path]
        }
        let path = pick("")
        var data = whole[path]!
        switch harm {
        case .flipBits:
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                data[Int.random(in: 0..<data.count, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            }
            return try put(data, path)
        case .truncate: return try put(data.prefix(Int.random(in: 0..<data.count, using: &generator)), path)
        case .extend: return try put(data + generator.bytes(Int.random(in: 1...100, using: &generator)), path)
        case .zero:
            let start = Int.random(in: 0..<data.count, using: &generator)
            let end = Bool.random(using: &generator) ? data.count : Int.random(in: start..<data.count, using: &generator) + 1
            let from = Bool.random(using: &generator) ? 0 : start
            data.replaceSubrange(from..<end, with: Data(count: end - from))
            return try put(data, path)
        case .swap:
            let other = pick("")
            return try put(whole[other]!, path).union(put(data, other))
        case .remove:
            // A name that is gone cannot be told from one that was removed.
            let victim = pick(Bool.random(using: &generator) ? "blobs/" : "artifacts/")
            try FileManager.default.removeItem(at: url(victim))
            return [victim]
        case .editManifest, .editReference:
            // Still good JSON, with another digit or letter in it.
            let victim = pick(harm == .editManifest ? "artifacts/" : "refs/")
            var text = whole[victim]!
            let letters = text.indices.filter { (0x30...0x39).contains(text[$0]) || (0x61...0x66).contains(text[$0]) }
            let place = letters.randomElement(using: &generator)!
            text[place] = text[place] == 0x31 ? 0x32 : 0x31
            return try put(text, victim)
        case .damageIndex:
            let index = sample.folder.store.path() + "/index.sqlite"
            try? DatabaseQueue(path: index).writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            var bytes = try Data(contentsOf: URL(filePath: index))
            for _ in 0..<Int.random(in: 1...200, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) { bytes = bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)) }
            for suffix in ["", "-wal", "-shm"] { try LocalFileSystem().remove(index + suffix) }
            try bytes.write(to: URL(filePath: index))
            return []
        }
    }
}
