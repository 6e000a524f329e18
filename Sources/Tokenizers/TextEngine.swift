/// Turns a piece of text between added tokens into tokens.
protocol TextEngine: Sendable {
    /// Appends the tokens of `piece`, which is valid UTF-8 and not empty.
    ///
    /// - Parameter base: where the piece starts in the whole text.
    func append(_ piece: UnsafeBufferPointer<UInt8>, base: Int, to scratch: inout EncodingScratch)

    /// The same for a piece that has been normalised into `scratch.text` and `scratch.origins`.
    func appendNormalized(_ range: Range<Int>, of scratch: inout EncodingScratch)

    /// Normalises a piece into `scratch.text` and `scratch.origins`; false if the kind has no normaliser.
    func normalize(_ piece: UnsafeBufferPointer<UInt8>, base: Int, into scratch: inout EncodingScratch) -> Bool
}
