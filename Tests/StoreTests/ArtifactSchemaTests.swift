import Foundation
import Testing

@testable import Store

/// The JSON Schema under Schemas/ against what the code writes and refuses.
@Suite struct ArtifactSchemaTests {
    let schema: JSONValue

    init() throws {
        schema = try JSONValue(parsing: Data(contentsOf: repositoryFile("Schemas/artifact.schema.json")))
    }

    @Test func `accepts every manifest that the store writes`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let writer = try store.writer()
        try writer.add(
            name: "w", data: SeededGenerator(seed: 40).withBytes(80_000), elementType: "float32", shape: [20_000])
        try writer.add(name: "b", data: [0, 0], elementType: "bfloat16", shape: [1])
        try writer.add(name: "vocab.txt", data: Array("a\nb\n".utf8))
        let digest = try writer.commit(kind: "model", attributes: ["layers": 6], provenance: .example)
        #expect(SchemaCheck.faults(try store.artifact(digest).json, schema, root: schema) == [])
        #expect(SchemaCheck.faults(try ArtifactTests.example().json, schema, root: schema) == [])
    }

    @Test func `refuses what the reader refuses for its form`() throws {
        let example = try #require(try ArtifactTests.example().json.objectValue)
        for key in example.keys {
            var members = example
            members[key] = nil
            #expect(!SchemaCheck.faults(.object(members), schema, root: schema).isEmpty, "without \(key)")
            #expect(throws: StoreError.self) { try Artifact(json: .object(members)) }
            members[key] = .bool(true)
            if key != "attributes" {
                #expect(!SchemaCheck.faults(.object(members), schema, root: schema).isEmpty, "with another \(key)")
                #expect(throws: StoreError.self) { try Artifact(json: .object(members)) }
            }
        }
        var members = example
        members["more"] = 1
        #expect(!SchemaCheck.faults(.object(members), schema, root: schema).isEmpty)
    }

    @Test func `names the element types and the version of the code`() {
        let blob = schema["$defs"]?["blob"]?["properties"]
        #expect(
            blob?["elementType"]?["enum"]?.arrayValue?.compactMap(\.stringValue)
                == ElementType.allCases.map(\.rawValue))
        #expect(
            schema["properties"]?["schemaVersion"]?["const"]?.integerValue == Int64(Artifact.currentSchemaVersion))
    }
}

/// The part of JSON Schema (2020-12) that our schemas use; any other keyword is a fault of the schema.
enum SchemaCheck {
    private static let annotations: Set<String> = ["$schema", "$id", "$defs", "title", "description"]

    static func faults(_ value: JSONValue, _ schema: JSONValue, root: JSONValue, at path: String = "") -> [String] {
        guard let keywords = schema.objectValue else { return schema == true ? [] : ["\(path): refused"] }
        return keywords.sorted { $0.key < $1.key }.flatMap { keyword, rule -> [String] in
            func fault(_ isFine: Bool) -> [String] { isFine ? [] : ["\(path): \(keyword)"] }
            switch keyword {
            case "$ref":
                let name = rule.stringValue?.split(separator: "/").last.map(String.init) ?? ""
                guard let target = root["$defs"]?[name] else { return ["\(path): no definition \(name)"] }
                return faults(value, target, root: root, at: path)
            case "type":
                let types = rule.arrayValue ?? [rule]
                return fault(types.contains { matches(value, $0.stringValue ?? "") })
            case "const": return fault(value == rule)
            case "enum": return fault(rule.arrayValue?.contains(value) ?? false)
            case "minimum": return fault(value.doubleValue.map { $0 >= rule.doubleValue! } ?? true)
            case "minLength":
                return fault(value.stringValue.map { Int64($0.unicodeScalars.count) >= rule.integerValue! } ?? true)
            case "maxLength":
                return fault(value.stringValue.map { Int64($0.unicodeScalars.count) <= rule.integerValue! } ?? true)
            case "pattern":
                return fault(
                    value.stringValue.map { $0.range(of: rule.stringValue!, options: .regularExpression) != nil }
                        ?? true)
            case "required":
                return fault(
                    value.objectValue.map { members in rule.arrayValue!.allSatisfy { members[$0.stringValue!] != nil } }
                        ?? true)
            case "properties":
                return rule.objectValue!.flatMap { name, rule in
                    value[name].map { faults($0, rule, root: root, at: "\(path)/\(name)") } ?? []
                }
            case "additionalProperties":
                let known = Set((schema["properties"]?.objectValue ?? [:]).keys)
                return (value.objectValue ?? [:]).filter { !known.contains($0.key) }.flatMap { name, member in
                    faults(member, rule, root: root, at: "\(path)/\(name)")
                }
            case "items":
                return (value.arrayValue ?? []).enumerated().flatMap { index, item in
                    faults(item, rule, root: root, at: "\(path)/\(index)")
                }
            case "dependentRequired":
                return rule.objectValue!.flatMap { name, others in
                    fault(value[name] == nil || others.arrayValue!.allSatisfy { value[$0.stringValue!] != nil })
                }
            default: return annotations.contains(keyword) ? [] : ["\(path): unknown keyword \(keyword)"]
            }
        }
    }

    private static func matches(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("integer", .integer), ("number", .integer), ("number", .number),
            ("string", .string), ("array", .array), ("object", .object):
            true
        default: false
        }
    }
}
