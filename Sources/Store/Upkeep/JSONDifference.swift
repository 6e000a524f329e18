/// Two JSON values leaf by leaf.
public enum JSONDifference {
    public struct Leaf: Hashable, Sendable {
        /// Keys with points between; members of arrays by their `name`, else by their number.
        public let path: String
        /// nil where there is none.
        public let first: JSONValue?
        public let second: JSONValue?
    }

    /// The leaves that differ, in the order of their paths.
    public static func leaves(_ first: JSONValue, _ second: JSONValue) -> [Leaf] {
        let (a, b) = (flat(first), flat(second))
        return Set(a.keys).union(b.keys).sorted().compactMap { path in
            a[path] == b[path] ? nil : Leaf(path: path, first: a[path], second: b[path])
        }
    }

    private static func flat(_ json: JSONValue) -> [String: JSONValue] {
        var leaves: [String: JSONValue] = [:]
        func visit(_ value: JSONValue, _ path: String) {
            func below(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
            switch value {
            case .object(let members) where !members.isEmpty:
                for (key, member) in members { visit(member, below(key)) }
            case .array(let values) where !values.isEmpty:
                let names = values.compactMap { $0["name"]?.stringValue }
                let hasNames = names.count == values.count && Set(names).count == names.count
                for (index, value) in values.enumerated() {
                    guard hasNames, case .object(var members) = value else {
                        visit(value, below("\(index)"))
                        continue
                    }
                    members["name"] = nil
                    // A metric is a name and a value.
                    let only = members.count == 1 ? members["value"] : nil
                    visit(only ?? .object(members), below(names[index]))
                }
            default: leaves[path] = value
            }
        }
        visit(json, "")
        return leaves
    }
}
