/// The list of labels of the user's task.
enum LabelList {
    /// All labels of `records`, sorted by their bytes, or as numbers where all are whole numbers as they are usually written.
    static func learn(_ records: [RawRecord]) -> [String] {
        var seen: Set<[UInt8]> = []
        for record in records {
            switch record.label {
            case .name(let name): seen.insert(Array(name.utf8))
            case .names(let names): for name in names { seen.insert(Array(name.utf8)) }
            case .value, nil: break
            }
        }
        let labels = seen.sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) }
        let numbers = labels.compactMap { label in Int(label).flatMap { String($0) == label ? $0 : nil } }
        return numbers.count == labels.count ? numbers.sorted().map { String($0) } : labels
    }

    /// Refuses a list that no classifier can learn, and names that cannot be told apart by reading them.
    static func check(_ labels: [String], _ kind: OwnDataOptions.Kind, file: String) throws {
        var seen: [String: String] = [:]
        for label in labels {
            guard !label.isEmpty else {
                throw FormatError(.emptyLabel, file: file, "a label in the list is empty")
            }
            guard let other = seen.updateValue(label, forKey: label) else { continue }
            // String compares by canonical equivalence: the same letters may be different bytes.
            guard other.utf8.elementsEqual(label.utf8) else {
                throw FormatError(
                    .labelLookalike, file: file, "two labels look the same and are different bytes",
                    found: "\"\(label)\" written in two ways",
                    advice: "Write both in the same Unicode normalisation form.")
            }
            throw FormatError(.duplicateLabel, file: file, "a label stands twice in the list", found: "\"\(label)\"")
        }
        let fewest = kind == .classification ? 2 : 1
        guard labels.count >= fewest else {
            throw FormatError(
                .singleClass, file: file, "there are too few different labels to learn from",
                expected: "at least \(fewest)", found: labels.first.map { "only \"\($0)\"" } ?? "none")
        }
    }
}
