extension ModelFamily {
    /// BERT (Devlin et al. 2019): positions from 0, a pre-trained tanh pooler, dropout, a linear classifier.
    public static let bert = ModelFamily(
        identifier: "bert", prefix: "bert.", classifierArchitecture: "BertForSequenceClassification",
        denseName: "bert.pooler.dense", denseIsPretrained: true, dropsBeforeDense: false, outputName: "classifier",
        positionsStartAfterPad: false)
}
