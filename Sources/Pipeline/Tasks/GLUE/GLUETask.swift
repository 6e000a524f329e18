/// One of GLUE's tasks: its definition and the layout of its official files.
public struct GLUETask: Sendable {
    /// A column, by its name in the header or by its position in a file without one.
    public enum Column: Hashable, Sendable {
        case named(String)
        case position(Int)
    }

    /// How one file is laid out. Fields are separated by tabs, and nothing is quoted.
    public struct Layout: Hashable, Sendable {
        public var hasHeader = true
        /// Number of fields of a file without header.
        public var fieldCount: Int?
        public var identifier: Column?
        public var text: Column
        public var pair: Column?
        /// nil where the published file has no labels.
        public var label: Column?

        func without(label: Bool) -> Layout {
            var layout = self
            if label { layout.label = nil }
            return layout
        }
    }

    public struct Split: Hashable, Sendable {
        public let name: String
        public let file: String
        public let layout: Layout
        /// The file name under which GLUE takes predictions for this split.
        public var submission: String?
        /// Whether the published file has rows that are broken by a line end inside a text. Such rows are left out
        /// and reported.
        public var hasBrokenRows = false
    }

    /// How predictions are written for a submission.
    public enum SubmissionForm: Hashable, Sendable {
        case code
        case number(ClosedRange<Double>)
    }

    public let definition: TaskDefinition
    /// The folder of its files inside the GLUE folder.
    public let folder: String
    public let splits: [Split]

    public var name: String { definition.name }

    public var submissionForm: SubmissionForm {
        if case .regression(let range) = definition.kind { return .number(range ?? -.infinity ... .infinity) }
        return .code
    }
}
