/// Number format of what matrix products multiply, and where the backend says so (`Backend.keepsBF16`) of what only they, attention
/// and the activation between them read. Sums, and everything else, are float32 in either case.
public enum Precision: String, Hashable, Sendable, CaseIterable {
    case fp32
    /// Elements rounded to bfloat16, nearest even: half the bytes, and several times the speed where the processor has fast
    /// units for it. The head stays in float32.
    case bf16

    /// All, for a message.
    public static var names: String { allCases.map(\.rawValue).joined(separator: " or ") }

    /// The faster one on this machine.
    public static var fastest: Precision { CPUBackend.InstructionSet.best.favorsBF16 ? .bf16 : .fp32 }
}
