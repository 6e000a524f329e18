internal import CKernels
import Foundation

extension CPUBackend {
    /// Instruction sets with kernels of their own, in rising order.
    public enum InstructionSet: UInt32, CaseIterable, Sendable, CustomStringConvertible {
        case baseline = 0, avx2 = 1, avx512 = 2, avx512bf16 = 3, amx = 4
        /// For tests on other processors: units for bfloat16 in plain C, slow.
        case emulatedAVX512BF16 = 5, emulatedAMX = 6

        /// Environment variable that names the set to use, one of `names`.
        public static let limitVariable = "PIPELINE_KERNELS"
        /// What the variable takes.
        public static var names: [String] { processorSets.map(\.description) }

        /// The fastest one that this machine can run: the one that the variable names, if it does, or the last one, unless its units for
        /// bfloat16 are slower than those for float32. A name that is not known, or of a set that the machine lacks, limits nothing.
        public static let best: InstructionSet = limit ?? available.last { !$0.multipliesBF16 || $0.favorsBF16 }!

        /// All that this machine can run, up to the one that the variable names.
        public static let available: [InstructionSet] = ofMachine.filter { $0.rawValue <= limit?.rawValue ?? .max }

        /// All that this machine can run.
        static let ofMachine: [InstructionSet] = processorSets.filter { ck_isa_available(ck_isa(rawValue: $0.rawValue)) }

        private static let limit: InstructionSet? = ProcessInfo.processInfo.environment[limitVariable].flatMap(named).flatMap {
            ofMachine.contains($0) ? $0 : nil
        }

        /// All that can multiply bfloat16 here: `available`, and the emulations.
        public static var availableForBF16: [InstructionSet] {
            available + allCases.filter { $0.isEmulated && ck_isa_available(ck_isa(rawValue: $0.rawValue)) }
        }

        private static var processorSets: [InstructionSet] { allCases.filter { !$0.isEmulated } }

        public static func named(_ name: String) -> InstructionSet? { processorSets.first { $0.description == name } }

        /// Whether it has units for products of bfloat16; without them elements are rounded and multiplied as float32.
        public var multipliesBF16: Bool { rawValue >= InstructionSet.avx512bf16.rawValue }
        /// Whether these units take less time for bfloat16 than this processor takes for float32.
        public var favorsBF16: Bool { ck_isa_favors_bf16(ck_isa(rawValue: rawValue)) }
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
