/// `id2label`, `label2id` and `num_labels` of a configuration, which must tell the same story.
enum LabelNames {
    static let most = 1 << 20

    /// The names by index, and the number when it stands without names.
    static func read(_ reader: inout ConfigObject) throws -> (names: [String]?, count: Int?) {
        var count: Int?
        if let value = reader.optional("num_labels") { count = try reader.integer("num_labels", value, 1...most) }
        let names = try readNames(&reader)
        let inverse = reader.optional("label2id")
        if let names, let inverse { try check(inverse, against: names, reader) }
        if let names, let count, names.count != count {
            throw inconsistent(reader, "num_labels", "num_labels and id2label disagree", "\(names.count)", "\(count)")
        }
        return (names, names == nil ? count : nil)
    }

    private static func readNames(_ reader: inout ConfigObject) throws -> [String]? {
        let key = "id2label"
        guard let value = reader.optional(key) else { return nil }
        guard case .object(let object) = value else { throw reader.wrongType(key, "an object", value) }
        let count = object.members.count
        guard (1...most).contains(count) else { throw reader.outOfRange(key, "1 to \(most) labels", "\(count)") }
        var names = [String?](repeating: nil, count: count)
        for member in object.members {
            guard let index = Int(member.key), String(index) == member.key, names.indices.contains(index) else {
                throw inconsistent(
                    reader, key, "the labels are not numbered without gaps", "0 to \(count - 1)", "\"\(member.key)\"")
            }
            guard case .string(let name) = member.value else {
                throw reader.wrongType(key, "a string for each label", member.value)
            }
            names[index] = name
        }
        let complete = names.compactMap { $0 }
        var seen = Set<String>()
        for name in complete where !seen.insert(name).inserted {
            throw inconsistent(reader, key, "two labels have the same name", nil, "\"\(name)\"")
        }
        return complete
    }

    private static func check(_ inverse: JSONTree, against names: [String], _ reader: ConfigObject) throws {
        let key = "label2id"
        guard case .object(let object) = inverse else { throw reader.wrongType(key, "an object", inverse) }
        guard object.members.count == names.count else {
            throw inconsistent(
                reader, key, "label2id and id2label have different sizes", "\(names.count)", "\(object.members.count)")
        }
        for member in object.members {
            let index = try reader.integer(key, member.value, 0...(names.count - 1))
            guard names[index] == member.key else {
                throw inconsistent(
                    reader, key, "label2id and id2label disagree about label \(index)",
                    "\"\(FormatError.printable(names[index]))\"",
                    "\"\(member.key)\"")
            }
        }
    }

    private static func inconsistent(
        _ reader: ConfigObject, _ key: String, _ problem: String, _ expected: String?, _ found: String?
    ) -> FormatError {
        FormatError(
            .labelsInconsistent, file: reader.file, column: key, problem, expected: expected, found: found)
    }
}
