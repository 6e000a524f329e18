import Foundation
import Tensors

/// How fast each part of the network learns: frozen, slower towards the input, or all alike.
///
/// Layer decay multiplies the learning rate by `layerDecay` once for every step away from the head: the head has
/// the full rate, the last block `layerDecay`, the embeddings `layerDecay^(blocks + 1)`.
///
/// Source of layer decay: Howard and Ruder, ULMFiT (discriminative fine-tuning); the exponents are ELECTRA's.
public struct UnitRates: Hashable, Sendable {
    public let layerDecay: Double
    /// Units that get no update and no moments, and whose gradient counts in no norm.
    public let frozen: Set<ParameterUnit>

    public init(layerDecay: Double = 1, frozen: Set<ParameterUnit> = []) {
        precondition(layerDecay > 0 && layerDecay <= 1)
        self.layerDecay = layerDecay
        self.frozen = frozen
    }

    /// Factor on the learning rate of a unit in a network of `blocks` encoder blocks; nil where it is frozen.
    public func multiplier(of unit: ParameterUnit, blocks: Int) -> Double? {
        guard !frozen.contains(unit) else { return nil }
        let distance =
            switch unit {
            case .head: 0
            case .block(let index): blocks - index
            case .embeddings: blocks + 1
            }
        return pow(layerDecay, Double(distance))
    }

    /// Number of encoder blocks in a layout.
    static func blocks(in layout: ParameterLayout) -> Int {
        layout.entries.reduce(0) { count, entry in
            if case .block(let index) = entry.unit { max(count, index + 1) } else { count }
        }
    }
}
