/// How much of a store a verification reads. Manifests, references and what is missing are always looked at in full.
public enum VerificationScope: Hashable, Sendable {
    case everything
    /// About this share of the blobs, above 0 and at most 1; another seed takes others.
    case sample(share: Double, seed: UInt64)
    /// The blobs after those that the last portion ended with, until about so many bytes of files are read or none are left. What was found
    /// damaged is remembered and looked at again until the round is complete.
    case portion(byteCount: Int)

    func takes(_ digest: Digest) -> Bool {
        guard case .sample(let share, let seed) = self else { return true }
        // The first eight bytes of a digest are as good as random; the seed turns them.
        var word = digest.rawBytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } ^ seed
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        word ^= word >> 31
        return Double(word) < share * 0x1p64
    }
}
