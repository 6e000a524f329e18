import Foundation

extension HuggingFaceConfig {
    /// The text of a `config.json` that `transformers` loads: sorted keys, indented by two spaces, final line end.
    public func json() -> String {
        var values: [String: JSONTree] = [
            "model_type": .string(family.rawValue),
            "vocab_size": JSONTree(vocabularySize),
            "hidden_size": JSONTree(hiddenSize),
            "num_hidden_layers": JSONTree(layerCount),
            "num_attention_heads": JSONTree(headCount),
            "intermediate_size": JSONTree(intermediateSize),
            "max_position_embeddings": JSONTree(positionCount),
            "type_vocab_size": JSONTree(typeCount),
            "hidden_act": .string(activation.rawValue),
            "layer_norm_eps": JSONTree(layerNormEpsilon),
            "hidden_dropout_prob": JSONTree(hiddenDropout),
            "attention_probs_dropout_prob": JSONTree(attentionDropout),
            "classifier_dropout": classifierDropout.map { JSONTree($0) } ?? .null,
            "pad_token_id": paddingIdentifier.map { JSONTree($0) } ?? .null,
            "initializer_range": JSONTree(initializerRange),
            "tie_word_embeddings": .boolean(tiesWordEmbeddings),
            "position_embedding_type": .string("absolute"),
            "is_decoder": .boolean(false),
            "add_cross_attention": .boolean(false),
        ]
        if !architectures.isEmpty { values["architectures"] = .array(architectures.map { .string($0) }) }
        if let problemType { values["problem_type"] = .string(problemType.rawValue) }
        if let labels {
            values["id2label"] = Self.object(labels.enumerated().map { (String($0.offset), .string($0.element)) })
            values["label2id"] = Self.object(labels.enumerated().map { ($0.element, JSONTree($0.offset)) })
        } else if let declaredLabelCount {
            values["num_labels"] = JSONTree(declaredLabelCount)
        }
        let members = values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { ($0.key, $0.value) }
        return JSONText.pretty(Self.object(members)) + "\n"
    }

    private static func object(_ members: [(String, JSONTree)]) -> JSONTree {
        var object = JSONObject()
        for (key, value) in members { object.append(key, value) }
        return .object(object)
    }
}
