import Foundation
import Testing

@testable import Pipeline

/// Every way in which a safetensors file is refused, each with its own code.
@Suite struct SafeTensorsRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let reason: FormatReason
        let bytes: [UInt8]
        var tensor: String?
        var testDescription: String { reason.rawValue }

        init(_ reason: FormatReason, _ header: String, data: Int = 8, padding: String = "", tensor: String? = nil) {
            self.init(reason, bytes: SafeTensorsBytes.file(header, data: data, padding: padding), tensor: tensor)
        }

        init(_ reason: FormatReason, bytes: [UInt8], tensor: String? = nil) {
            self.reason = reason
            self.bytes = bytes
            self.tensor = tensor
        }

        /// One entry "w" of eight bytes, with other text in place of one of its fields.
        init(_ reason: FormatReason, dtype: String = "\"F32\"", shape: String = "[2]", offsets: String = "[0,8]") {
            let header = "{\"w\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}}"
            self.init(reason, header, tensor: "w")
        }
    }

    static func entry(_ name: String, _ begin: Int, _ end: Int, type: String = "F32", shape: String? = nil) -> String {
        let shape = shape ?? "[\((end - begin) / 4)]"
        return "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
    }

    static let valid = "{" + entry("w", 0, 8) + "}"

    static let lengths: [Case] = [
        Case(.emptyFile, bytes: []),
        Case(.headerLengthTruncated, bytes: [1, 0, 0]),
        Case(.headerTooLarge, bytes: [0x01, 0xE1, 0xF5, 0x05, 0, 0, 0, 0, 0x7B, 0x7D]),
        Case(.headerTooLarge, bytes: [UInt8](repeating: 0xFF, count: 16)),
        Case(.headerBeyondFile, bytes: [3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D]),
        Case(.headerEmpty, bytes: [UInt8](repeating: 0, count: 8)),
        Case(.dataTruncated, valid, data: 7, tensor: "w"),
        Case(.dataTruncated, valid, data: 0, tensor: "w"),
        Case(.dataTrailingBytes, valid, data: 9),
        Case(.dataTrailingBytes, "{}", data: 1),
    ]

    static let headers: [Case] = [
        Case(.headerNotUTF8, bytes: [3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0xFF, 0x7D]),
        Case(.headerNotUTF8, bytes: [4, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0xC0, 0x80, 0x7D]),
        Case(.headerNotJSON, "hello"),
        Case(.headerNotJSON, "    "),
        Case(.headerNotJSON, "\n" + valid),
        Case(.headerNotJSON, String(valid.dropLast())),
        Case(.headerNotJSON, "{" + entry("w", 0, 8) + ",}"),
        Case(.headerNotJSON, #"{"w":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}"#),
        Case(.headerNotJSON, #"{"w\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
        Case(.headerNotObject, "[]"),
        Case(.headerNotObject, "\"text\""),
        Case(.headerNotObject, "null"),
        Case(.headerTrailingBytes, valid + "{}"),
        Case(.headerTrailingBytes, valid, padding: "\u{0}\u{0}"),
        Case(.headerTrailingBytes, valid, padding: "\n"),
        Case(.duplicateTensor, "{" + entry("w", 0, 4) + "," + entry("w", 4, 8) + "}", tensor: "w"),
        Case(.duplicateTensor, "{" + entry("w", 0, 8) + "," + entry("w", 0, 8) + "}", tensor: "w"),
        Case(.duplicateTensor, "{" + entry("w", 0, 8) + "," + entry(#"\u0077"#, 0, 8) + "}", tensor: "w"),
        Case(.duplicateMetadataKey, "{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}," + entry("w", 0, 8) + "}"),
        Case(.duplicateMetadata, "{\"__metadata__\":{},\"__metadata__\":{}," + entry("w", 0, 8) + "}"),
        Case(.metadataNotStrings, "{\"__metadata__\":{\"a\":1}," + entry("w", 0, 8) + "}"),
        Case(.metadataNotStrings, "{\"__metadata__\":{\"a\":null}," + entry("w", 0, 8) + "}"),
        Case(.metadataNotStrings, "{\"__metadata__\":[]," + entry("w", 0, 8) + "}"),
        Case(.metadataNotStrings, "{\"__metadata__\":null}", data: 0),
        Case(.entryNotObject, #"{"w":[]}"#, tensor: "w"),
        Case(.entryNotObject, #"{"w":null}"#, tensor: "w"),
    ]

    static let entries: [Case] = [
        Case(.unknownField, #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, tensor: "w"),
        Case(.duplicateField, #"{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, tensor: "w"),
        Case(.missingField, #"{"w":{"shape":[2],"data_offsets":[0,8]}}"#, tensor: "w"),
        Case(.missingField, #"{"w":{"dtype":"F32","data_offsets":[0,8]}}"#, tensor: "w"),
        Case(.missingField, #"{"w":{"dtype":"F32","shape":[2]}}"#, tensor: "w"),
        Case(.dataTypeNotString, dtype: "7"),
        Case(.unknownDataType, dtype: "\"F31\""),
        Case(.unknownDataType, dtype: "\"f32\""),
        Case(.shapeNotArray, shape: "2"),
        Case(.shapeNotInteger, shape: "[\"2\"]"),
        Case(.shapeNotInteger, shape: "[[2]]"),
        Case(.shapeNegative, shape: "[-2]"),
        Case(.shapeNegative, shape: "[-1,-2]"),
        Case(.shapeFractional, shape: "[2.0]"),
        Case(.shapeFractional, shape: "[2e0]"),
        Case(.shapeOverflow, shape: "[9223372036854775808]"),
        Case(.shapeOverflow, shape: "[4294967296,4294967296]"),
        Case(.shapeOverflow, shape: "[0,4294967296,4294967296]"),
        Case(.shapeOverflow, shape: "[4294967296,4294967296,0]"),
        Case(.shapeOverflow, shape: "[4294967296,0,4294967296]"),
        Case(.rankTooLarge, shape: "[1,1,1,1,1,1,1,1,2]"),
        Case(.offsetsNotArray, offsets: "8"),
        Case(.offsetsNotArray, offsets: "{}"),
        Case(.offsetsCount, offsets: "[]"),
        Case(.offsetsCount, offsets: "[0]"),
        Case(.offsetsCount, offsets: "[0,8,8]"),
        Case(.offsetNotInteger, offsets: "[\"0\",8]"),
        Case(.offsetNotInteger, offsets: "[0,null]"),
        Case(.offsetNegative, offsets: "[-8,0]"),
        Case(.offsetFractional, offsets: "[0,8.0]"),
        Case(.offsetFractional, offsets: "[0,8.5]"),
        Case(.offsetOverflow, offsets: "[0,18446744073709551616]"),
        Case(.offsetsReversed, offsets: "[8,0]"),
        Case(.shapeRangeMismatch, shape: "[3]"),
        Case(.shapeRangeMismatch, shape: "[]"),
        Case(.shapeRangeMismatch, dtype: "\"F64\""),
        Case(.shapeRangeMismatch, dtype: "\"F4\"", shape: "[17]"),
    ]

    static let names: [Case] = [
        Case(.nameEmpty, "{" + entry("", 0, 8) + "}", tensor: ""),
        Case(.nameHasNUL, "{" + entry(#"a\u0000b"#, 0, 8) + "}"),
        Case(.nameHasControl, "{" + entry(#"a\nb"#, 0, 8) + "}"),
        Case(.nameHasPath, "{" + entry("../../etc/passwd", 0, 8) + "}"),
        Case(.nameHasPath, "{" + entry("/w", 0, 8) + "}"),
        Case(.nameHasPath, "{" + entry(#"a\\b"#, 0, 8) + "}"),
        Case(.nameHasPath, "{" + entry("..", 0, 8) + "}"),
        Case(.nameTooLong, "{" + entry(String(repeating: "n", count: 1025), 0, 8) + "}"),
    ]

    static let layouts: [Case] = [
        Case(.hole, "{" + entry("a", 0, 4) + "," + entry("b", 8, 12) + "}", data: 12, tensor: "b"),
        Case(.hole, "{" + entry("a", 4, 8) + "}", tensor: "a"),
        Case(.overlap, "{" + entry("a", 0, 8) + "," + entry("b", 4, 12) + "}", data: 12, tensor: "b"),
        Case(.overlap, "{" + entry("a", 0, 8) + "," + entry("b", 0, 8) + "}", tensor: "b"),
        Case(.overlap, "{" + entry("a", 0, 8) + "," + entry("e", 4, 4) + "}", tensor: "e"),
        Case(
            .emptyTensorOutOfOrder, "{" + entry("a", 0, 4) + "," + entry("b", 4, 8) + "," + entry("e", 4, 4) + "}",
            tensor: "e"),
        Case(
            .emptyTensorOutOfOrder, "{" + entry("a", 0, 8) + "," + entry("e", 0, 0, shape: "[0,5]") + "}", tensor: "e"),
    ]

    @Test(arguments: lengths + headers + entries + names + layouts)
    func `a malformed file is refused for its own reason`(item: Case) throws {
        let scratch = Scratch()
        let url = scratch.write("model.safetensors", item.bytes)
        let error = try #require(try refusal { _ = try SafeTensorsFile(url) })
        #expect(error.reason == item.reason, "\(error.description)")
        #expect(error.description.contains("model.safetensors"))
        if let tensor = item.tensor {
            #expect(error.tensor == tensor)
            #expect(error.description.contains("tensor \"\(tensor)\""))
        }
    }

    @Test func `the table holds every reason that concerns one file`() {
        let covered = Set((Self.lengths + Self.headers + Self.entries + Self.names + Self.layouts).map(\.reason))
        // These concern the values, or a model that the file should be.
        let elsewhere: Set<FormatReason> = [
            .missingTensor, .nonFiniteValue, .unsupportedDataType, .shapeMismatch, .parameterNamedTwice,
        ]
        let wanted = FormatReason.allCases.filter { $0.rawValue.hasPrefix("safetensors-") && !elsewhere.contains($0) }
        #expect(Set(wanted).subtracting(covered).map(\.rawValue).sorted() == [])
    }

    @Test func `a folder and a file that is not there are refused`() throws {
        let scratch = Scratch()
        #expect(try refusal { _ = try SafeTensorsFile(scratch.url) }?.reason == .notRegularFile)
        let absent = scratch.url.appendingPathComponent("absent")
        #expect(try refusal { _ = try SafeTensorsFile(absent) }?.reason == .fileMissing)
    }

    @Test func `a pipe is refused without waiting for its writer`() throws {
        let scratch = Scratch()
        let pipe = scratch.url.appendingPathComponent("pipe")
        #expect(mkfifo(pipe.path, 0o600) == 0)
        #expect(try refusal { _ = try SafeTensorsFile(pipe) }?.reason == .notRegularFile)
    }
}
