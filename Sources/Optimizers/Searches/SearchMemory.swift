/// A search's numbers by their names, during one step.
///
/// What is read and written here is what a checkpoint holds; a search keeps nothing else.
struct SearchMemory {
    static let prefix = "search."

    var scalars: [StateScalar]

    init(_ scalars: [StateScalar]) { self.scalars = scalars }

    static func real(_ name: String, _ value: Double) -> StateScalar {
        StateScalar(name: prefix + name, value: .real(value))
    }

    static func count(_ name: String, _ value: Int = 0) -> StateScalar {
        StateScalar(name: prefix + name, value: .integer(value))
    }

    subscript(real name: String) -> Double {
        get {
            guard case .real(let value) = scalars[index(of: name)].value else { preconditionFailure("\(name) is no real") }
            return value
        }
        set { scalars[index(of: name)].value = .real(newValue) }
    }

    subscript(count name: String) -> Int {
        get {
            guard case .integer(let value) = scalars[index(of: name)].value else { preconditionFailure("\(name) is no count") }
            return value
        }
        set { scalars[index(of: name)].value = .integer(newValue) }
    }

    private func index(of name: String) -> Int {
        guard let index = scalars.firstIndex(where: { $0.name.dropFirst(Self.prefix.count) == name }) else {
            preconditionFailure("no scalar is named \(name)")
        }
        return index
    }

    /// Sums over a run, which every search that tries steps keeps.
    static let counters = [count("forward_passes"), count("backtracks"), count("rejections"), count("fallbacks")]

    mutating func add(_ report: TrialReport) {
        self[count: "forward_passes"] += report.forwardPasses
        self[count: "backtracks"] += report.backtracks
        self[count: "rejections"] += report.isRejected ? 1 : 0
        self[count: "fallbacks"] += report.isFallback ? 1 : 0
    }
}
