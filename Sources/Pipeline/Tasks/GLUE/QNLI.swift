extension GLUETask {
    /// QNLI: does the sentence hold the answer to the question?
    public static let qnli: GLUETask = {
        let layout = Layout(
            identifier: .named("index"), text: .named("question"), pair: .named("sentence"), label: .named("label"))
        return GLUETask(
            definition: TaskDefinition(
                name: "qnli", kind: .classification(labels: ["entailment", "not_entailment"]), isPair: true,
                metrics: ["accuracy"], primaryMetric: "accuracy"),
            folder: "QNLI",
            splits: [
                Split(name: "train", file: "train.tsv", layout: layout),
                Split(name: "dev", file: "dev.tsv", layout: layout),
                Split(name: "test", file: "test.tsv", layout: layout.without(label: true), submission: "QNLI.tsv"),
            ])
    }()
}
