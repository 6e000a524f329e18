import Store
import Testing

@Suite struct SchemaCheckerTests {
    private static let usage: [String: JSONValue] = [
        "logical_bytes": 1, "stored_bytes": 1, "artifacts": 1, "blobs": 1, "unreferenced_blobs": 0,
        "unreferenced_bytes": 0,
        "entries": [], "trash_files": 0, "trash_bytes": 0, "names": [],
    ]

    @Test func whatKeepsToASchemaPasses() throws {
        try SchemaChecker("store-usage").check(.object(Self.usage))
    }

    @Test func aMissingAForeignAndAWrongMemberAreEachFound() throws {
        let checker = try SchemaChecker("store-usage")
        for key in Self.usage.keys {
            var broken = Self.usage
            broken[key] = nil
            #expect(throws: SchemaChecker.Violation.self) { try checker.check(.object(broken)) }
            broken[key] = "text"
            #expect(throws: SchemaChecker.Violation.self) { try checker.check(.object(broken)) }
        }
        #expect(throws: SchemaChecker.Violation.self) {
            try checker.check(.object(Self.usage.merging(["more": 1]) { $1 }))
        }
        #expect(throws: SchemaChecker.Violation.self) {
            try checker.check(.object(Self.usage.merging(["blobs": -1]) { $1 }))
        }
        #expect(throws: SchemaChecker.Violation.self) { try checker.check([]) }
    }
}
