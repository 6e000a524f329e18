extension ModelFamily {
    /// RoBERTa (Liu et al. 2019): positions start after the padding id, and the head is its own: dropout, dense, tanh,
    /// dropout, projection.
    public static let roberta = ModelFamily(
        identifier: "roberta", prefix: "roberta.", classifierArchitecture: "RobertaForSequenceClassification",
        denseName: "classifier.dense", denseIsPretrained: false, dropsBeforeDense: true,
        outputName: "classifier.out_proj", positionsStartAfterPad: true)
}
