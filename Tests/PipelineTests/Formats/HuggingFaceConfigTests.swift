import Foundation
import Testing

@testable import Pipeline

@Suite struct HuggingFaceConfigTests {
    /// The keys that must be there, as JSON text.
    static let required: [String: String] = [
        "model_type": "\"bert\"", "vocab_size": "100", "hidden_size": "12", "num_hidden_layers": "2",
        "num_attention_heads": "3", "intermediate_size": "48", "max_position_embeddings": "64", "type_vocab_size": "2",
        "hidden_act": "\"gelu\"",
    ]

    static func text(_ changes: [String: String] = [:], without: String? = nil) -> String {
        var keys = required.merging(changes) { $1 }
        if let without { keys[without] = nil }
        return "{" + keys.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
    }

    static func parse(_ text: String, family: HuggingFaceConfig.Family? = nil) throws -> HuggingFaceConfig {
        try HuggingFaceConfig(parsing: Array(text.utf8), file: "config.json", family: family)
    }

    @Test func `every key is read`() throws {
        let config = try Self.parse(
            Self.text([
                "model_type": "\"roberta\"", "layer_norm_eps": "1e-05", "hidden_act": "\"gelu_new\"",
                "hidden_dropout_prob": "0.2",
                "attention_probs_dropout_prob": "0", "classifier_dropout": "0.3", "pad_token_id": "1",
                "initializer_range": "0.05", "tie_word_embeddings": "false",
                "architectures": "[\"RobertaForMaskedLM\"]",
                "problem_type": "\"multi_label_classification\"",
                "id2label": "{\"1\": \"b\", \"0\": \"a\", \"2\": \"c\"}",
                "label2id": "{\"a\": 0, \"b\": 1, \"c\": 2}", "num_labels": "3", "use_cache": "true",
                "position_embedding_type": "\"absolute\"", "is_decoder": "false",
            ]))
        #expect(config.family == .roberta && config.activation == .geluNew)
        #expect(
            config.vocabularySize == 100 && config.hiddenSize == 12 && config.layerCount == 2 && config.headCount == 3)
        #expect(config.intermediateSize == 48 && config.positionCount == 64 && config.typeCount == 2)
        #expect(config.layerNormEpsilon == 1e-5 && config.hiddenDropout == 0.2 && config.attentionDropout == 0)
        #expect(config.classifierDropout == 0.3 && config.paddingIdentifier == 1 && config.initializerRange == 0.05)
        #expect(!config.tiesWordEmbeddings && config.architectures == ["RobertaForMaskedLM"])
        #expect(config.problemType == .multiLabel && config.labels == ["a", "b", "c"] && config.labelCount == 3)
        #expect(config.longestSequence == 62)
        #expect(config.defaulted == [] && config.unread == ["use_cache"])
    }

    @Test func `missing keys have the values that transformers documents, and are listed`() throws {
        let config = try Self.parse(Self.text())
        #expect(config.layerNormEpsilon == 1e-12 && config.hiddenDropout == 0.1 && config.attentionDropout == 0.1)
        #expect(config.classifierDropout == nil && config.paddingIdentifier == 0 && config.initializerRange == 0.02)
        #expect(config.labels == nil && config.labelCount == 2 && config.longestSequence == 64)
        #expect(
            Set(config.defaulted) == [
                "layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "pad_token_id",
                "initializer_range",
            ])
        #expect(try Self.parse(Self.text(["model_type": "\"roberta\""])).paddingIdentifier == 1)
    }

    @Test(arguments: required.keys.sorted())
    func `a required key that is missing or null is named`(key: String) throws {
        for text in [Self.text(without: key), Self.text([key: "null"])] {
            let error = try refusal { _ = try Self.parse(text) }
            #expect(error?.reason == .missingKey)
            #expect(error?.column == key)
        }
    }

    @Test func `the family may be given for a file that does not say it`() throws {
        #expect(try Self.parse(Self.text(without: "model_type"), family: .bert).family == .bert)
    }

    @Test(arguments: [
        (FormatReason.unsupportedModelType, "model_type", "\"distilbert\""),
        (.unsupportedValue, "hidden_act", "\"silu\""),
        (.wrongKeyType, "hidden_act", "1"), (.wrongKeyType, "hidden_size", "\"12\""),
        (.wrongKeyType, "hidden_size", "12.0"),
        (.valueOutOfRange, "hidden_size", "0"), (.valueOutOfRange, "hidden_size", "-12"),
        (.valueOutOfRange, "vocab_size", "99999999999999999999"), (.valueOutOfRange, "num_hidden_layers", "100000"),
        (.inconsistentValues, "num_attention_heads", "5"), (.valueOutOfRange, "hidden_dropout_prob", "1"),
        (.valueOutOfRange, "attention_probs_dropout_prob", "-0.1"), (.wrongKeyType, "hidden_dropout_prob", "\"0.1\""),
        (.valueOutOfRange, "layer_norm_eps", "0"), (.valueOutOfRange, "classifier_dropout", "1.5"),
        (.unsupportedValue, "position_embedding_type", "\"relative_key\""), (.unsupportedValue, "is_decoder", "true"),
        (.unsupportedValue, "add_cross_attention", "true"), (.unsupportedValue, "is_encoder_decoder", "true"),
        (.wrongKeyType, "is_decoder", "1"), (.unsupportedValue, "quantization_config", "{\"bits\": 8}"),
        (.unsupportedValue, "pruned_heads", "{\"0\": [1]}"), (.unsupportedValue, "problem_type", "\"ranking\""),
        (.valueOutOfRange, "pad_token_id", "100"), (.valueOutOfRange, "pad_token_id", "-1"),
        (.labelsInconsistent, "id2label", "{\"0\": \"a\", \"2\": \"b\"}"),
        (.labelsInconsistent, "id2label", "{\"00\": \"a\"}"),
        (.labelsInconsistent, "id2label", "{\"0\": \"a\", \"1\": \"a\"}"), (.wrongKeyType, "id2label", "{\"0\": 1}"),
        (.wrongKeyType, "id2label", "[\"a\"]"), (.valueOutOfRange, "id2label", "{}"),
        (.valueOutOfRange, "num_labels", "0"),
        (.wrongKeyType, "architectures", "\"BertModel\""),
    ])
    func `a value that cannot be is refused by its key`(reason: FormatReason, key: String, value: String) throws {
        let error = try refusal { _ = try Self.parse(Self.text([key: value])) }
        #expect(error?.reason == reason, "\(error?.description ?? "accepted")")
        #expect(error?.column == key)
    }

    @Test func `labels that contradict one another are refused`() throws {
        let names = ["id2label": "{\"0\": \"a\", \"1\": \"b\"}"]
        for (key, value) in [("label2id", "{\"a\": 1, \"b\": 0}"), ("label2id", "{\"a\": 0}"), ("num_labels", "3")] {
            let error = try refusal { _ = try Self.parse(Self.text(names.merging([key: value]) { $1 })) }
            #expect(error?.reason == .labelsInconsistent)
            #expect(error?.column == key)
        }
        #expect(try Self.parse(Self.text(names.merging(["label2id": "null"]) { $1 })).labels == ["a", "b"])
    }

    @Test func `RoBERTa needs its padding position and room behind it`() throws {
        let family = ["model_type": "\"roberta\""]
        let null = try refusal { _ = try Self.parse(Self.text(family.merging(["pad_token_id": "null"]) { $1 })) }
        #expect(null?.reason == .wrongKeyType)
        let small = try refusal {
            _ = try Self.parse(Self.text(family.merging(["max_position_embeddings": "2"]) { $1 }))
        }
        #expect(small?.reason == .inconsistentValues)
    }

    @Test func `a configuration that is written reads back`() throws {
        var config = try Self.parse(Self.text(["model_type": "\"roberta\"", "layer_norm_eps": "1e-5"]))
        config.labels = ["not \"good\"", "gut", "良い"]
        config.classifierDropout = 0.25
        config.problemType = .singleLabel
        config.architectures = ["RobertaForSequenceClassification"]
        var back = try Self.parse(config.json())
        #expect(back.defaulted == [] && back.unread == [])
        back.defaulted = config.defaulted
        #expect(back == config)
    }

    @Test func `the written text is as transformers writes its own`() throws {
        var config = try Self.parse(Self.text())
        config.labels = ["no", "yes"]
        let text = config.json()
        #expect(text.contains("  \"id2label\": {\n    \"0\": \"no\",\n    \"1\": \"yes\"\n  },\n"))
        #expect(text.contains("  \"label2id\": {\n    \"no\": 0,\n    \"yes\": 1\n  },\n"))
        #expect(text.contains("  \"layer_norm_eps\": 1e-12,\n"))
        #expect(text.contains("  \"classifier_dropout\": null,\n"))
    }
}
