/// Why a stage refuses to go on, apart from malformed input (`FormatError`) and trouble with the store (`StoreError`).
public struct PipelineError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The user's command does not make sense as it is.
        case usage
        /// An input is not fit for the stage: wrong kind, wrong sizes, missing parts.
        case unfitInput = "unfit-input"
        /// A recipe has an unknown key or value.
        case recipe
        /// A checkpoint was made on another numeric path, so going on would not repeat the run bit for bit.
        case otherNumericPath = "other-numeric-path"
    }

    public let code: Code
    /// What is wrong, in one sentence without its full stop.
    public let problem: String
    /// What to do next, as a sentence.
    public let advice: String?

    public init(_ code: Code, _ problem: String, advice: String? = nil) {
        self.code = code
        self.problem = problem
        self.advice = advice
    }

    public var description: String { advice.map { "\(problem). \($0)" } ?? problem }
}
