import Models
import Tokenizers

extension EncoderConfiguration {
    /// Refuses a tokenizer that gives ids or token types which the tables of embeddings do not have.
    ///
    /// - Parameter pairs: whether pairs of texts are to be read, beside which a model with one token type may still read single ones.
    /// - Throws: `PipelineError` with code `unfitInput`.
    func check(takes tokenizer: any Tokenizer, pairs: Bool) throws {
        guard tokenizer.vocabularySize <= vocabularySize else {
            throw PipelineError(
                .unfitInput, "the tokenizer has \(tokenizer.vocabularySize) ids and the model's vocabulary only \(vocabularySize)",
                advice: "Take the vocabulary that belongs to this model.")
        }
        let types = tokenizer.specification.template.largestTypeID(isPair: pairs) + 1
        guard types <= typeVocabularySize else {
            throw PipelineError(
                .unfitInput, "the tokenizer gives \(pairs ? "pairs of texts" : "texts") tokens of \(types) types, and the model has "
                    + "\(typeVocabularySize) (type_vocab_size)",
                advice: pairs ? "Take a model that knows pairs, or data without a second text." : "Take the tokenizer files that belong to this model.")
        }
    }
}
