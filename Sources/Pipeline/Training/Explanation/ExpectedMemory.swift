import Models
import Optimizers
import Tensors

/// What a run keeps in memory, item by item.
public struct ExpectedMemory: Sendable {
    public struct Item: Sendable {
        public let name: String
        /// How much it is, in words.
        public let size: String
        /// Nil where model and data are not known.
        public let bytes: Int?
    }

    /// Sizes of a model with its data.
    struct Measures {
        let weights: Int
        /// Of one moment, or of one copy of the trained weights.
        let trained: Int
        let activations: Int
        /// Of weights as products take them.
        let packed: Int
        let noise: Int
        let tokens: Int
        let hasDevelopment: Bool
    }

    public let items: [Item]

    /// The sum; nil where model and data are not known.
    public var bytes: Int? { items.reduce(0) { sum, item in sum.flatMap { sum in item.bytes.map { sum + $0 } } } }

    init(_ recipe: Recipe, _ measures: Measures?) {
        let each = "4 bytes a parameter", trained = "4 bytes a trained parameter"
        var items: [Item] = []
        func add(_ name: String, _ size: String, _ bytes: Int?) { items.append(Item(name: name, size: size, bytes: bytes)) }
        add("weights", each, measures?.weights)
        add("gradient", each, measures?.weights)
        for transformation in recipe.optimizer.transformations {
            for moment in transformation.moments { add("moment \(type(of: transformation).name).\(moment)", trained, measures?.trained) }
        }
        if recipe.optimizer.triesSteps { add("weights before the step, of the search", trained, measures?.trained) }
        if recipe.sharpnessRadius > 0 { add("weights before the step, of sharpness-aware descent", trained, measures?.trained) }
        if recipe.keepsBest(hasDevelopment: measures?.hasDevelopment ?? true) { add("best weights so far", each, measures?.weights) }
        let sets = recipe.objective.activationSets
        let passes = sets > 1 ? ", \(sets) passes at a time" : ""
        add("activations", "of at most \(recipe.microBatchTokens) tokens\(passes), or of the longest sequence", measures?.activations)
        if recipe.precision == .bf16, measures.map({ $0.packed > 0 }) ?? true {
            add("weights as products take them", "at most 4 bytes a weight of the blocks, and 512 MiB, where batch or development split take several passes", measures?.packed)
        }
        if let settings = recipe.objective.settings {
            var size = "4 bytes a feature of at most \(recipe.microBatchTokens) tokens\(settings.noise.share < 1 ? ", twice" : "")"
            if recipe.optimizer.triesSteps { size += ", and of a whole batch for the trials" }
            add("noise", size, measures?.noise)
        }
        add("training data", "5 bytes a token", measures.map { 5 * $0.tokens })
        self.items = items
    }
}

extension Recipe {
    /// Whether the best weights are kept beside the present ones.
    func keepsBest(hasDevelopment: Bool) -> Bool { selection == .best && evaluation != .never && hasDevelopment }
}

extension AdaptSetup {
    func measures(of work: Work) -> ExpectedMemory.Measures {
        ExpectedMemory.Measures(
            weights: work.weights.buffer.byteCount, trained: work.trainedParameterCount * MemoryLayout<Float>.stride,
            activations: work.network.workspaceByteCount, packed: work.packedByteCount, noise: work.noiseByteCount, tokens: train.ids.count,
            hasDevelopment: development != nil)
    }
}
