import ArgumentParser
import Foundation
import Tensors

/// The environment variable that names the instruction set to use in place of the fastest.
enum KernelLimit {
    /// - Throws: `ValidationError` when the variable names no set: a typing error must not pass for a measurement without it.
    static func check(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let variable = CPUBackend.InstructionSet.limitVariable
        guard let name = environment[variable], !name.isEmpty, CPUBackend.InstructionSet.named(name) == nil else { return }
        throw ValidationError("\(variable) takes \(CPUBackend.InstructionSet.names.joined(separator: ", ")), not '\(name)'.")
    }
}
