/// Text to ids, id for id as the reference library (`tokenizers`) does it.
public protocol Tokenizer: Sendable {
    /// Everything but the vocabulary; rebuilds the tokenizer together with `archive`'s vocabulary bytes.
    var specification: TokenizerSpecification { get }
    /// Number of ids: tokens of the vocabulary and tokens added after it.
    var vocabularySize: Int { get }
    /// The id that fills up short sequences in a padded batch.
    var padID: Int32 { get }
    /// How many ids the template adds to a text, or to a pair of texts.
    func templateLength(isPair: Bool) -> Int
    /// The token with this id; nil if there is none.
    func token(_ id: Int32) -> String?
    /// The id of this token, compared byte for byte; nil if there is none.
    func id(of token: String) -> Int32?
    /// The canonical serialised form.
    var archive: TokenizerArchive { get }

    /// Encodes UTF-8 bytes with the template, replacing what `encoding` held and keeping its memory.
    ///
    /// `maxLength` counts the template's ids too; `nil` does not truncate. Truncation is the reference's longest-first.
    /// Throws `invalid-utf8`, `input-too-long` (over 512 MiB) and `maximum-length-too-small` (no room for the template).
    func encode(
        utf8 text: UnsafeBufferPointer<UInt8>, pair: UnsafeBufferPointer<UInt8>?, maxLength: Int?,
        into encoding: inout Encoding
    ) throws
}

extension Tokenizer {
    /// Encodes a text or a pair of texts with the template.
    ///
    /// Throws `input-too-long` and `maximum-length-too-small`, see `encode(utf8:pair:maxLength:into:)`.
    public func encode(_ text: String, pair: String? = nil, maxLength: Int? = nil) throws -> Encoding {
        var encoding = Encoding()
        var text = text
        try text.withUTF8 { text in
            if var pair {
                try pair.withUTF8 { try encode(utf8: text, pair: $0, maxLength: maxLength, into: &encoding) }
            } else {
                try encode(utf8: text, pair: nil, maxLength: maxLength, into: &encoding)
            }
        }
        return encoding
    }
}
