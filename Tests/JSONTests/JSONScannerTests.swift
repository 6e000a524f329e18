import JSON
import Testing

@Suite struct JSONScannerTests {
    /// Reads any value and forgets it.
    static func skip(_ scanner: inout JSONScanner) throws {
        switch scanner.peek() {
        case .object: try scanner.object { scanner, _ in try skip(&scanner) }
        case .array: try scanner.array(skip)
        case .string: _ = try scanner.string()
        case .number: _ = try scanner.number()
        case .boolean: _ = try scanner.boolean()
        case .null: try scanner.null()
        case .other: throw scanner.syntax("a value is missing")
        }
    }

    static func read<Value>(_ bytes: [UInt8], _ value: (inout JSONScanner) throws -> Value) throws -> Value {
        try bytes.withUnsafeBufferPointer { try JSONScanner.read($0, value) }
    }

    static func fault(_ text: String) throws -> JSONFault {
        try #require(throws: JSONFault.self) { try read(Array(text.utf8), skip) }
    }

    @Test func `a caller sees every member and element in order, also one that stands twice`() throws {
        var seen: [String] = []
        try Self.read(Array(#" { "a" : [ 1 , -2.5e3 , true ] , "e\u0301" : null , "a" : { } } "#.utf8)) { scanner in
            try scanner.object { scanner, key in
                seen.append(key)
                switch scanner.peek() {
                case .array:
                    try scanner.array { scanner in
                        if scanner.peek() == .number { seen.append(try scanner.number().literal) } else { seen.append("\(try scanner.boolean())") }
                    }
                case .null: try scanner.null()
                default: try scanner.object { _, key in seen.append(key) }
                }
            }
        }
        #expect(seen.map { Array($0.utf8) } == ["a", "1", "-2.5e3", "true", "e\u{301}", "a"].map { Array($0.utf8) })
    }

    @Test(arguments: [
        ("", 0), (" ", 1), ("{", 1), ("[1,]", 3), ("[1 2]", 3), ("{\"a\"}", 4), ("{\"a\":}", 5), ("{\"a\":1,}", 7), ("{a:1}", 1), ("01", 2), ("1.", 2),
        (".5", 0), ("-", 1), ("+1", 0), ("1e", 2), ("1e+", 3), ("NaN", 0), ("Infinity", 0), ("nul", 0), ("True", 0), ("\"", 1), ("\"\\x\"", 2),
        ("\"\\u12G4\"", 5), ("\"\\u+123\"", 3), ("\"\\ud800\"", 7), ("\"\\udc00\"", 7), ("\"\\ud800\\u0041\"", 13), ("\"a\nb\"", 2),
        ("\u{FEFF}1", 0),
    ])
    func `what is no JSON is refused where it stops to be`(text: String, byte: Int) throws {
        let fault = try Self.fault(text)
        #expect(fault.reason == .syntax && fault.byte == byte, "\(fault)")
    }

    @Test func `other faults have reasons of their own`() throws {
        let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
        let cases: [(String, JSONFault.Reason, Int)] = [
            ("1 2", .trailingBytes, 2), ("truee", .trailingBytes, 4), ("[] x", .trailingBytes, 3),
            (String(repeating: "9", count: 513), .numberRange, 0), (deep(65), .tooDeep, 65), (String(repeating: "[", count: 1_000_000), .tooDeep, 65),
        ]
        for (text, reason, byte) in cases {
            let fault = try Self.fault(text)
            #expect(fault.reason == reason && fault.byte == byte, "\(text.prefix(80)): \(fault)")
        }
        for text in [deep(64), "[\(deep(63)),\(deep(63))]", String(repeating: "9", count: 512)] { try Self.read(Array(text.utf8), Self.skip) }
        let invalid = try #require(throws: JSONFault.self) { try Self.read([0x22, 0x61, 0xC3, 0x22], Self.skip) }
        #expect(invalid.reason == .invalidUTF8 && invalid.byte == 2)
    }
}
