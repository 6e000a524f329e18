/// The rows of a batch that a part of a block computes.
///
/// Heads read the first token of each sequence. So the last block computes keys and values of all tokens, and the rest of it, forward
/// and back, of first tokens alone: what the other rows would hold is read by nothing, and their gradients are zero.
enum BlockRows {
    /// [T, ·]
    case tokens
    /// [B, ·], the first token of each sequence.
    case firstTokens

    /// Rows that a model with room for so many has room for.
    func capacity(tokens: Int, sequences: Int) -> Int {
        switch self {
        case .tokens: tokens
        case .firstTokens: min(tokens, sequences)
        }
    }
}
