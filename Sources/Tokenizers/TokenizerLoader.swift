import Foundation

/// Reads the tokenizer files of a Hugging Face folder.
///
/// Where files disagree this follows `transformers`: `tokenizer.json` is the tokenizer, and `vocab.txt` or `vocab.json`
/// beside it must agree with it; `strip_accents`, `tokenize_chinese_chars`, `add_prefix_space` and `trim_offsets` of
/// `tokenizer_config.json` win over it; added tokens of `added_tokens_decoder` win over `tokenizer.json`'s; names of
/// special tokens come from `tokenizer_config.json` if it has an `added_tokens_decoder`, else `special_tokens_map.json`
/// wins. A disagreement about lower-casing is refused unless `cased` decides it. Truncation and padding that
/// `tokenizer.json` asks for are not applied.
public enum TokenizerLoader {
    /// Builds the tokenizer that `files`, whichever exist of the seven names, describe.
    ///
    /// - Parameters:
    ///   - files: by name: tokenizer.json, tokenizer_config.json, special_tokens_map.json, added_tokens.json, vocab.txt,
    ///     vocab.json, merges.txt. Others are ignored.
    ///   - modelType: `model_type` of the model's configuration.
    ///   - cased: whether case is kept; decides where the files do not say, and wins where they do.
    ///   - longest: tokens that the model takes; a limit that is not below it is none of the tokenizer's own.
    public static func load(
        files: [String: Data], modelType: String?, cased: Bool?, longest: Int? = nil
    ) throws -> (any Tokenizer, TokenizerSpecification) {
        let configuration = try TokenizerConfiguration(files: files)
        let stated = try TokenizerFamily.stated(
            className: configuration.className, modelType: modelType, hasDocument: files["tokenizer.json"] != nil)
        let family: TokenizerFamily
        var draft: TokenizerDraft
        var added: [AddedToken]?
        if let data = files["tokenizer.json"] {
            let document = try TokenizerDocument(data)
            family = document.family
            draft = document.draft
            added = document.addedTokens
            try checkVocabularyFiles(files, agreeWith: draft)
        } else {
            family = try TokenizerFamily(stated: stated, files: files)
            draft = try family.draft(files: files)
        }
        try configuration.apply(
            to: &draft, hasDocument: files["tokenizer.json"] != nil,
            lowercasesByDefault: stated == .bert && configuration.className != nil,
            overrulesDocument: stated != nil && !TokenizerFamily.genericClasses.contains(configuration.className ?? ""), cased: cased)
        if let longest, draft.specification.modelMaximumLength ?? 0 >= longest { draft.specification.modelMaximumLength = nil }
        let vocabulary = try Vocabulary(draft.tokens.map(\.bytes), file: draft.vocabularyFile) { draft.tokens[$0].line }
        try configuration.resolveTokens(&draft, documentTokens: added, family: family, vocabulary: vocabulary)
        if draft.specification.template.single.isEmpty {
            guard files["tokenizer.json"] == nil || stated == family else {
                throw TokenizerError(
                    .unsupported, "reading a tokenizer", file: "tokenizer.json",
                    expected: "a post-processor that puts special tokens around the text", found: "none")
            }
            draft.specification.template = try family.template(draft.specification, vocabulary: vocabulary)
        }
        let tokenizer = try draft.makeTokenizer()
        return (tokenizer, tokenizer.specification)
    }

    private static func checkVocabularyFiles(_ files: [String: Data], agreeWith draft: TokenizerDraft) throws {
        let other: [TokenizerDraft.Token]
        let name: String
        if draft.specification.kind == .wordPiece, let data = files["vocab.txt"] {
            name = "vocab.txt"
            other = try VocabularyFiles.lines(data, file: name)
        } else if draft.specification.kind == .byteLevelBPE, let data = files["vocab.json"] {
            name = "vocab.json"
            other = try VocabularyFiles.tokens(JSONReader.read(data, file: name, repeatable: ""), file: name)
        } else {
            return
        }
        for (id, (theirs, ours)) in zip(other, draft.tokens).enumerated() where theirs.bytes != ours.bytes {
            throw TokenizerError(
                .conflict, "comparing the vocabularies", file: name, line: theirs.line,
                expected: "\(Vocabulary.quoted(ours.bytes)) as in tokenizer.json for the id \(id)",
                found: Vocabulary.quoted(theirs.bytes), advice: "remove the file that is wrong")
        }
        // A file may lack, or have, the tokens that were added after the vocabulary.
    }
}
