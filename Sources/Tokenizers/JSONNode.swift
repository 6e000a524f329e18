/// A value read from JSON. Text is bytes, because keys that are canonically equivalent must stay apart.
struct JSONNode: Sendable {
    indirect enum Value: Sendable {
        case null
        case bool(Bool)
        /// As written.
        case number(String)
        case string([UInt8])
        case array([JSONNode])
        case object([(key: [UInt8], value: JSONNode)])
    }

    var value: Value
    /// Where it starts, counted from 1; 0 for values that were not read.
    var line = 0

    static func string(_ text: String) -> Self { Self(value: .string(Array(text.utf8))) }
    static func bool(_ flag: Bool) -> Self { Self(value: .bool(flag)) }
    static func number(_ number: some BinaryInteger) -> Self { Self(value: .number("\(number)")) }
    static func array(_ nodes: [JSONNode]) -> Self { Self(value: .array(nodes)) }
    static func object(_ members: [(String, JSONNode)]) -> Self {
        Self(value: .object(members.map { (Array($0.0.utf8), $0.1) }))
    }
    static let null = Self(value: .null)

    var isNull: Bool { if case .null = value { true } else { false } }
    var bool: Bool? { if case .bool(let flag) = value { flag } else { nil } }
    var bytes: [UInt8]? { if case .string(let bytes) = value { bytes } else { nil } }
    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
    var integer: Int? { if case .number(let text) = value { Int(text) } else { nil } }
    var double: Double? { if case .number(let text) = value { Double(text) } else { nil } }
    var elements: [JSONNode]? { if case .array(let nodes) = value { nodes } else { nil } }
    var members: [(key: [UInt8], value: JSONNode)]? { if case .object(let members) = value { members } else { nil } }

    /// The member of this name; nil if there is none or this is no object. Names were checked to be unique.
    subscript(_ name: String) -> JSONNode? {
        members?.first { $0.key.elementsEqual(name.utf8) }?.value
    }

    /// The serialised form, with a line feed after each member of the outer levels.
    func serialized(indentingTo depth: Int = 2) -> [UInt8] {
        var out: [UInt8] = []
        write(to: &out, level: 0, depth: depth)
        out.append(UInt8(ascii: "\n"))
        return out
    }

    private func write(to out: inout [UInt8], level: Int, depth: Int) {
        func separate(_ isFirst: Bool) {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            if level < depth {
                out.append(UInt8(ascii: "\n"))
                out += repeatElement(UInt8(ascii: " "), count: 2 * (level + 1))
            } else if !isFirst {
                out.append(UInt8(ascii: " "))
            }
        }
        func close(_ end: Character, isEmpty: Bool) {
            if level < depth && !isEmpty {
                out.append(UInt8(ascii: "\n"))
                out += repeatElement(UInt8(ascii: " "), count: 2 * level)
            }
            out.append(end.asciiValue!)
        }
        switch value {
        case .null: out += Array("null".utf8)
        case .bool(let flag): out += Array((flag ? "true" : "false").utf8)
        case .number(let text): out += Array(text.utf8)
        case .string(let bytes): Self.quote(bytes, to: &out)
        case .array(let nodes):
            out.append(UInt8(ascii: "["))
            for (index, node) in nodes.enumerated() {
                separate(index == 0)
                node.write(to: &out, level: level + 1, depth: depth)
            }
            close("]", isEmpty: nodes.isEmpty)
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                separate(index == 0)
                Self.quote(member.key, to: &out)
                out += [UInt8(ascii: ":"), UInt8(ascii: " ")]
                member.value.write(to: &out, level: level + 1, depth: depth)
            }
            close("}", isEmpty: members.isEmpty)
        }
    }

    private static func quote(_ bytes: [UInt8], to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                out += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
