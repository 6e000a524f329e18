import Foundation

extension HuggingFaceConfig {
    static let longestFile = 16 << 20

    /// Reads `config.json`.
    ///
    /// - Parameter family: what to take when the file has no `model_type`, as the oldest published ones do.
    /// - Throws: `FormatError` naming the key.
    public init(contentsOf url: URL, family: Family? = nil) throws {
        try self.init(parsing: OpenFile.contents(of: url, limit: Self.longestFile), file: url.path, family: family)
    }

    /// Parses the text of a `config.json`; `file` is for messages.
    public init(parsing bytes: [UInt8], file: String, family: Family? = nil) throws {
        let value = try JSONTree(parsing: bytes, file: file)
        guard case .object(let object) = value else {
            throw FormatError(
                .jsonNotObject, file: file, "the configuration is not a JSON object", found: value.kindName)
        }
        var reader = ConfigObject(object, file: file)
        self.init(
            family: try Self.family(&reader, family),
            vocabularySize: try reader.integer("vocab_size", 1...(1 << 24)),
            hiddenSize: try reader.integer("hidden_size", 1...(1 << 15)),
            layerCount: try reader.integer("num_hidden_layers", 1...1024),
            headCount: try reader.integer("num_attention_heads", 1...4096),
            intermediateSize: try reader.integer("intermediate_size", 1...(1 << 18)),
            positionCount: try reader.integer("max_position_embeddings", 1...(1 << 20)),
            typeCount: try reader.integer("type_vocab_size", 1...65536),
            activation: try reader.choice("hidden_act", Activation.self))
        layerNormEpsilon = try reader.number(
            "layer_norm_eps", Double.leastNormalMagnitude..<1, standard: Defaults.layerNormEpsilon)
        hiddenDropout = try reader.number("hidden_dropout_prob", 0..<1, standard: Defaults.dropout)
        attentionDropout = try reader.number("attention_probs_dropout_prob", 0..<1, standard: Defaults.dropout)
        if let value = reader.optional("classifier_dropout") {
            classifierDropout = try reader.number("classifier_dropout", value, 0..<1)
        }
        initializerRange = try reader.number("initializer_range", 0..<100, standard: Defaults.initializerRange)
        if let ties = try reader.flag("tie_word_embeddings") { tiesWordEmbeddings = ties }
        try readPadding(&reader)
        try readArchitectures(&reader)
        if let value = reader.optional("problem_type") {
            problemType = try reader.choice("problem_type", value, ProblemType.self)
        }
        (labels, declaredLabelCount) = try LabelNames.read(&reader)
        try refuseOtherArchitectures(&reader)
        guard hiddenSize % headCount == 0 else {
            throw FormatError(
                .inconsistentValues, file: file, column: "num_attention_heads",
                "the number of heads does not divide the hidden size",
                expected: "a divisor of \(hiddenSize)", found: "\(headCount)")
        }
        guard longestSequence > 0 else {
            throw FormatError(
                .inconsistentValues, file: file, column: "max_position_embeddings",
                "the position table leaves no room after the padding position",
                expected: "more than \(positionCount - longestSequence)", found: "\(positionCount)")
        }
        defaulted = reader.defaulted
        unread = object.members.map(\.key).filter { !reader.read.contains($0) }
    }

    /// The family from `model_type`, or, in a file without one, from the caller.
    private static func family(_ reader: inout ConfigObject, _ fallback: Family?) throws -> Family {
        if let value = reader.optional("model_type") {
            return try reader.choice("model_type", value, Family.self, reason: .unsupportedModelType)
        }
        if let fallback { return fallback }
        throw FormatError(
            .missingKey, file: reader.file, column: "model_type", "the configuration does not say what model it is",
            expected: Family.allCases.map(\.rawValue).joined(separator: " or "),
            advice: "Add the key, for example \"model_type\": \"bert\".")
    }

    private mutating func readPadding(_ reader: inout ConfigObject) throws {
        let key = "pad_token_id"
        guard reader.object[key] != nil else {
            reader.noteDefault(key)
            paddingIdentifier = Defaults.paddingIdentifier(family)
            return
        }
        guard let value = reader.optional(key) else {
            guard family == .bert else {
                throw FormatError(
                    .wrongKeyType, file: reader.file, column: key, "RoBERTa counts its positions from this number",
                    expected: "an integer", found: "null")
            }
            paddingIdentifier = nil
            return
        }
        paddingIdentifier = try reader.integer(key, value, 0...(vocabularySize - 1))
    }

    private mutating func readArchitectures(_ reader: inout ConfigObject) throws {
        guard let value = reader.optional("architectures") else { return }
        guard case .array(let elements) = value else { throw reader.wrongType("architectures", "an array", value) }
        architectures = try elements.map { element in
            guard case .string(let name) = element else {
                throw reader.wrongType("architectures", "an array of strings", element)
            }
            return name
        }
    }

    /// Refuses settings that make it another network than the one that is computed here.
    private func refuseOtherArchitectures(_ reader: inout ConfigObject) throws {
        for key in ["is_decoder", "add_cross_attention", "is_encoder_decoder"] where try reader.flag(key) == true {
            throw FormatError(
                .unsupportedValue, file: reader.file, column: key, "only encoders are supported", expected: "false",
                found: "true")
        }
        if let value = reader.optional("position_embedding_type"), value != .string("absolute") {
            var found = value.kindName
            if case .string(let name) = value { found = "\"\(name)\"" }
            throw FormatError(
                .unsupportedValue, file: reader.file, column: "position_embedding_type",
                "the kind of position embeddings is not supported", expected: "\"absolute\"", found: found)
        }
        if reader.optional("quantization_config") != nil {
            throw FormatError(
                .unsupportedValue, file: reader.file, column: "quantization_config",
                "quantised weights are not supported", advice: "Use the model's original weights.")
        }
        if let value = reader.optional("pruned_heads"), value != .object(JSONObject()) {
            throw FormatError(
                .unsupportedValue, file: reader.file, column: "pruned_heads", "pruned heads are not supported",
                expected: "an empty object")
        }
    }
}
