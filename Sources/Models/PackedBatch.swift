import Tensors

/// Sequences laid end to end without any padding, with their labels: what one forward pass takes.
///
/// Memory is taken once for the largest batch; `removeAll` and `append` fill it again.
public final class PackedBatch {
    public let tokenCapacity: Int
    public let sequenceCapacity: Int
    public let outputs: Int

    /// T and B
    public private(set) var tokenCount = 0
    public private(set) var sequenceCount = 0
    public private(set) var longest = 0

    /// [T] vocabulary ids, rows of the type table, rows of the position table.
    let ids: UnsafeMutablePointer<Int32>, types: UnsafeMutablePointer<Int32>, positionRows: UnsafeMutablePointer<Int32>
    /// [T] position in its sequence and index of its example in the whole batch: the counters of dropout.
    let positions: UnsafeMutablePointer<Int32>, examples: UnsafeMutablePointer<Int32>
    /// [B + 1] first token of each sequence; [B] example index; [B] zeros, the positions of first tokens.
    let starts: UnsafeMutablePointer<Int32>, sequenceExamples: UnsafeMutablePointer<Int32>
    let zeros: UnsafePointer<Int32>
    /// [B] class of each sequence; [B, K] values, for the losses that use them.
    public let classes: UnsafeMutablePointer<Int32>
    public let values: UnsafeMutablePointer<Float>
    private let positionOffset: Int
    private let uncounted: Int32?
    private let buffer: Buffer

    public init(tokenCapacity: Int, sequenceCapacity: Int, configuration: EncoderConfiguration, outputs: Int) {
        precondition(tokenCapacity > 0 && sequenceCapacity > 0 && outputs > 0)
        self.tokenCapacity = tokenCapacity
        self.sequenceCapacity = sequenceCapacity
        self.outputs = outputs
        positionOffset = configuration.positionOffset
        uncounted = configuration.family.uncountedToken(padID: configuration.padID).map { Int32($0) }
        let words = 5 * tokenCapacity + 4 * sequenceCapacity + 1 + sequenceCapacity * outputs
        buffer = Buffer(byteCount: words * 4)
        var next = buffer.pointer.assumingMemoryBound(to: Int32.self)
        func take(_ count: Int) -> UnsafeMutablePointer<Int32> {
            defer { next += count }
            return next
        }
        ids = take(tokenCapacity)
        types = take(tokenCapacity)
        positionRows = take(tokenCapacity)
        positions = take(tokenCapacity)
        examples = take(tokenCapacity)
        starts = take(sequenceCapacity + 1)
        sequenceExamples = take(sequenceCapacity)
        zeros = UnsafePointer(take(sequenceCapacity))
        classes = take(sequenceCapacity)
        values = UnsafeMutableRawPointer(take(sequenceCapacity * outputs)).assumingMemoryBound(to: Float.self)
    }

    public func removeAll() {
        tokenCount = 0
        sequenceCount = 0
        longest = 0
        starts[0] = 0
    }

    /// Whether a sequence of this length fits beside what is there.
    public func fits(length: Int) -> Bool {
        tokenCount + length <= tokenCapacity && sequenceCount < sequenceCapacity
    }

    /// Appends a sequence. `example` is its index in the whole (optimizer's) batch, however that is cut up.
    /// Its labels are to be written to `classes` or `values` at the returned row.
    @discardableResult
    public func append(ids newIDs: UnsafeBufferPointer<Int32>, types newTypes: UnsafeBufferPointer<UInt8>?,
                       example: Int) -> Int {
        let length = newIDs.count
        precondition(length > 0 && fits(length: length), "the batch is full")
        var row = Int32(positionOffset)
        for i in 0..<length {
            let t = tokenCount + i
            ids[t] = newIDs[i]
            types[t] = newTypes.map { Int32($0[i]) } ?? 0
            if newIDs[i] == uncounted {
                positionRows[t] = newIDs[i]
            } else {
                positionRows[t] = row
                row += 1
            }
            positions[t] = Int32(i)
            examples[t] = Int32(example)
        }
        return close(length: length, example: example)
    }

    /// Appends a sequence of another batch with its labels and its example's index.
    func append(sequence b: Int, of other: PackedBatch) {
        let first = Int(other.starts[b]), length = Int(other.starts[b + 1]) - first
        precondition(fits(length: length) && other.outputs == outputs)
        func take(_ array: KeyPath<PackedBatch, UnsafeMutablePointer<Int32>>) {
            (self[keyPath: array] + tokenCount).update(from: other[keyPath: array] + first, count: length)
        }
        take(\.ids)
        take(\.types)
        take(\.positionRows)
        take(\.positions)
        take(\.examples)
        classes[sequenceCount] = other.classes[b]
        (values + sequenceCount * outputs).update(from: other.values + b * outputs, count: outputs)
        _ = close(length: length, example: Int(other.sequenceExamples[b]))
    }

    private func close(length: Int, example: Int) -> Int {
        sequenceExamples[sequenceCount] = Int32(example)
        tokenCount += length
        sequenceCount += 1
        starts[sequenceCount] = Int32(tokenCount)
        longest = max(longest, length)
        return sequenceCount - 1
    }
}
