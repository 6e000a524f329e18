import Tensors

/// A number that an optimizer carries from step to step.
public struct StateScalar: Hashable, Sendable {
    public enum Value: Hashable, Sendable {
        case integer(Int)
        /// Stored bit for bit, so that a resumed run is the uninterrupted one.
        case real(Double)

        var kind: String {
            switch self {
            case .integer: "an integer"
            case .real: "a real number"
            }
        }
    }

    public let name: String
    public var value: Value

    public init(name: String, value: Value) {
        self.name = name
        self.value = value
    }
}

/// Everything about an optimizer that the next step depends on, except the weights.
///
/// Made up front with all names and shapes, so that a checkpoint can be compared with it before anything is read.
public struct OptimizerState {
    /// A buffer as large as the trained weights. Frozen tensors have no place in it.
    public struct Moment {
        /// Transformation and moment, for example `adam.first`.
        public let name: String
        public let values: Parameters
    }

    public let moments: [Moment]
    public internal(set) var scalars: [StateScalar]

    static let stepName = "step"

    init(moments: [Moment], scalars: [StateScalar]) {
        self.moments = moments
        self.scalars = scalars
    }

    /// Updates done so far.
    public internal(set) var step: Int {
        get {
            guard case .integer(let value) = scalars[0].value else { preconditionFailure("step is an integer") }
            return value
        }
        set { scalars[0].value = .integer(newValue) }
    }

    /// Bytes of all moments.
    public var byteCount: Int { moments.reduce(0) { $0 + $1.values.buffer.byteCount } }

    /// A snapshot that later steps do not change.
    public func copy() -> OptimizerState {
        OptimizerState(
            moments: moments.map { Moment(name: $0.name, values: $0.values.copy()) }, scalars: scalars)
    }

    /// Takes the place of a saved state, moment by moment and without a second copy of any.
    ///
    /// Names, kinds and shapes are compared first, in both directions: a state that lacks something, has something
    /// too much, or has another shape, is refused before anything is changed.
    ///
    /// - Parameters:
    ///   - savedScalars: the saved `scalars`, in any order.
    ///   - savedLayouts: name and layout of each saved moment; only names, shapes and order of tensors matter.
    ///   - read: fills a moment's values, all tensors of its layout. If it throws, the moments are undefined.
    /// - Throws: `OptimizerError` with what was expected and found.
    public mutating func restore(
        scalars savedScalars: [StateScalar], layouts savedLayouts: [String: ParameterLayout],
        read: (_ moment: String, _ values: Parameters) throws -> Void
    ) throws {
        let restored = try checked(savedScalars)
        try check(savedLayouts)
        for moment in moments { try read(moment.name, moment.values) }
        scalars = restored
    }

    /// Copies a state that is in memory, after the same comparison.
    public mutating func restore(from other: OptimizerState) throws {
        let layouts = Dictionary(other.moments.map { ($0.name, $0.values.layout) }) { first, _ in first }
        try restore(scalars: other.scalars, layouts: layouts) { name, values in
            guard let source = other.moments.first(where: { $0.name == name }) else { return }
            values.assign(from: source.values)
        }
    }

    private func checked(_ saved: [StateScalar]) throws -> [StateScalar] {
        let names = saved.map(\.name)
        if let extra = saved.first(where: { candidate in !scalars.contains { $0.name == candidate.name } }) {
            throw OptimizerError.stateUnexpected(name: extra.name, expected: scalars.map(\.name))
        }
        var result = scalars
        for index in result.indices {
            guard let found = saved.first(where: { $0.name == result[index].name }) else {
                throw OptimizerError.stateMissing(name: result[index].name, found: names)
            }
            guard found.value.kind == result[index].value.kind else {
                throw OptimizerError.stateOfWrongKind(
                    name: found.name, expected: result[index].value.kind, found: found.value.kind)
            }
            result[index].value = found.value
        }
        guard case .integer(let step) = result[0].value, step >= 0 else {
            throw OptimizerError.stateOfWrongKind(
                name: Self.stepName, expected: "a count", found: "\(result[0].value)")
        }
        return result
    }

    private func check(_ saved: [String: ParameterLayout]) throws {
        let names = moments.map(\.name)
        if let extra = saved.keys.sorted().first(where: { !names.contains($0) }) {
            throw OptimizerError.stateUnexpected(name: extra, expected: names)
        }
        for moment in moments {
            guard let layout = saved[moment.name] else {
                throw OptimizerError.stateMissing(name: moment.name, found: saved.keys.sorted())
            }
            let expected = moment.values.layout.entries
            for index in 0..<max(expected.count, layout.entries.count) {
                let ours = index < expected.count ? expected[index] : nil
                let theirs = index < layout.entries.count ? layout.entries[index] : nil
                guard ours?.name == theirs?.name, ours?.shape == theirs?.shape else {
                    throw OptimizerError.stateMisshapen(
                        moment: moment.name, tensor: ours?.name ?? theirs?.name ?? "",
                        expected: Self.text(ours), found: Self.text(theirs))
                }
            }
        }
    }

    private static func text(_ entry: ParameterLayout.Entry?) -> String {
        entry.map { "\($0.name) \($0.shape)" } ?? "no tensor"
    }
}
