import ArgumentParser
import Tensors

/// `--precision fp32|bf16`.
extension Precision: ExpressibleByArgument {}
