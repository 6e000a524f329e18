import Foundation
import Store
import Testing

/// JSON against the part of JSON Schema that `Schemas/` uses. A keyword that it does not know is an error, not a pass.
struct SchemaChecker {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    private let root: JSONValue

    /// - Parameter name: of a file in `Schemas/`.
    init(_ name: String) throws {
        root = try JSONValue(parsing: [UInt8](Data(contentsOf: Repository.file("Schemas/\(name).schema.json"))))
    }

    func check(_ value: JSONValue) throws { try check(value, root, "$") }

    private static let annotations: Set = ["$schema", "$defs", "title", "description"]

    private func check(_ value: JSONValue, _ schema: JSONValue, _ path: String) throws {
        for (keyword, rule) in try #require(schema.objectValue) where !Self.annotations.contains(keyword) {
            let fits = try fits(value, keyword, rule, schema, path)
            if !fits {
                throw Violation(
                    description:
                        "\(path): \(try value.canonicalText()) against \(keyword) \(try rule.canonicalText())"
                )
            }
        }
    }

    private func isValid(_ value: JSONValue, _ schema: JSONValue, _ path: String) throws -> Bool {
        do { try check(value, schema, path) } catch is Violation { return false }
        return true
    }

    private func fits(_ value: JSONValue, _ keyword: String, _ rule: JSONValue, _ schema: JSONValue, _ path: String)
        throws -> Bool
    {
        switch keyword {
        case "$ref":
            let name = try #require(rule.stringValue).replacingOccurrences(of: "#/$defs/", with: "")
            try check(value, try #require(root["$defs"]?[name], "no definition \(name)"), path)
            return true
        case "type":
            let names = rule.stringValue.map { [$0] } ?? (rule.arrayValue ?? []).compactMap(\.stringValue)
            return names.contains { Self.isOf($0, value) }
        case "const": return value == rule
        case "enum": return try #require(rule.arrayValue).contains(value)
        case "pattern":
            guard let text = value.stringValue else { return true }
            return text.range(of: try #require(rule.stringValue), options: .regularExpression) != nil
        case "minimum": return try value.doubleValue.map { $0 >= (try #require(rule.doubleValue)) } ?? true
        case "maximum": return try value.doubleValue.map { $0 <= (try #require(rule.doubleValue)) } ?? true
        case "exclusiveMinimum": return try value.doubleValue.map { $0 > (try #require(rule.doubleValue)) } ?? true
        case "exclusiveMaximum": return try value.doubleValue.map { $0 < (try #require(rule.doubleValue)) } ?? true
        case "minItems": return try value.arrayValue.map { $0.count >= (try #require(rule.integerValue)) } ?? true
        case "maxItems": return try value.arrayValue.map { $0.count <= (try #require(rule.integerValue)) } ?? true
        case "items":
            for (index, item) in (value.arrayValue ?? []).enumerated() { try check(item, rule, "\(path)[\(index)]") }
            return true
        case "required":
            guard let members = value.objectValue else { return true }
            return try #require(rule.arrayValue).allSatisfy { $0.stringValue.map { members[$0] != nil } ?? false }
        case "properties":
            for (name, property) in try #require(rule.objectValue) {
                if let member = value[name] { try check(member, property, "\(path).\(name)") }
            }
            return true
        case "additionalProperties":
            let known = Set((schema["properties"]?.objectValue ?? [:]).keys)
            for (name, member) in value.objectValue ?? [:] where !known.contains(name) {
                if rule == false { throw Violation(description: "\(path) has the unknown member \(name)") }
                try check(member, rule, "\(path).\(name)")
            }
            return true
        case "oneOf": return try #require(rule.arrayValue).filter { try isValid(value, $0, path) }.count == 1
        case "anyOf": return try #require(rule.arrayValue).contains { try isValid(value, $0, path) }
        case "not": return try !isValid(value, rule, path)
        default:
            Issue.record("the keyword \(keyword) is not known to this checker")
            return false
        }
    }

    private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object),
            ("integer", .integer),
            ("number", .integer), ("number", .number):
            true
        // A whole number is an integer however it is written.
        case ("integer", .number(let number)): number == number.rounded()
        default: false
        }
    }
}
