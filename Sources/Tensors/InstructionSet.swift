internal import CKernels
import Foundation

extension CPUBackend {
    /// Instruction sets with kernels of their own, in rising order.
    public enum InstructionSet: UInt32, CaseIterable, Sendable, CustomStringConvertible {
        case baseline = 0, avx2 = 1, avx512 = 2, avx512bf16 = 3, amx = 4
        /// For tests on other processors: units for bfloat16 in plain C, slow.
        case emulatedAVX512BF16 = 5, emulatedAMX = 6

        /// Environment variable that names the best set to use, one of `names`.
        public static let limitVariable = "PIPELINE_KERNELS"
        /// What the variable takes.
        public static var names: [String] { processorSets.map(\.description) }

        /// The best one that this machine can run and the variable allows; a name that is not known limits nothing.
        public static let best: InstructionSet = {
            let machine = InstructionSet(rawValue: ck_isa_best().rawValue)!
            guard let limit = ProcessInfo.processInfo.environment[limitVariable].flatMap(named), limit.rawValue < machine.rawValue
            else { return machine }
            return limit
        }()

        /// All that this machine can run, up to `best`.
        public static var available: [InstructionSet] { processorSets.filter { $0.rawValue <= best.rawValue } }

        /// All that can multiply bfloat16 here: `available`, and the emulations.
        public static var availableForBF16: [InstructionSet] {
            available + allCases.filter { $0.isEmulated && ck_isa_available(ck_isa(rawValue: $0.rawValue)) }
        }

        private static var processorSets: [InstructionSet] { allCases.filter { !$0.isEmulated } }

        public static func named(_ name: String) -> InstructionSet? { processorSets.first { $0.description == name } }

        /// Whether it has units for products of bfloat16; without them elements are rounded and multiplied as float32.
        public var multipliesBF16: Bool { rawValue >= InstructionSet.avx512bf16.rawValue }
        /// Whether these units multiply whole tiles.
        var hasTiles: Bool { self == .amx || self == .emulatedAMX }
        /// Of the set's kernels and what models do with them, raised with every change that changes a bit of any result, so that evaluations computed before
        /// are not taken for what would be computed now, and no run goes on with other kernels than it began with.
        public var revision: Int {
            switch self {
            case .baseline, .avx2: 2
            case .avx512: 3
            case .avx512bf16, .amx, .emulatedAVX512BF16, .emulatedAMX: 4
            }
        }
        public var isEmulated: Bool { rawValue >= InstructionSet.emulatedAVX512BF16.rawValue }
        public var description: String { String(cString: ck_isa_name(ck_isa(rawValue: rawValue))) }
    }
}
