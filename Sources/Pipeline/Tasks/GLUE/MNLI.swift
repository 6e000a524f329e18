extension GLUETask {
    /// The labels of inference, in the order in which MNLI's and the diagnostic set's are published.
    static let inferenceLabels = ["entailment", "neutral", "contradiction"]

    /// MNLI: does the premise entail the hypothesis? Development and test sets are matched (the genres of the training
    /// set) and mismatched (others); models are selected on the matched one.
    public static let mnli: GLUETask = {
        let layout = Layout(
            identifier: .named("index"), text: .named("sentence1"), pair: .named("sentence2"),
            label: .named("gold_label"))
        let test = layout.without(label: true)
        return GLUETask(
            definition: TaskDefinition(
                name: "mnli", kind: .classification(labels: inferenceLabels), isPair: true, metrics: ["accuracy"],
                primaryMetric: "accuracy", developmentSplit: "dev_matched"),
            folder: "MNLI",
            splits: [
                Split(name: "train", file: "train.tsv", layout: layout),
                Split(name: "dev_matched", file: "dev_matched.tsv", layout: layout),
                Split(name: "dev_mismatched", file: "dev_mismatched.tsv", layout: layout),
                Split(name: "test_matched", file: "test_matched.tsv", layout: test, submission: "MNLI-m.tsv"),
                Split(name: "test_mismatched", file: "test_mismatched.tsv", layout: test, submission: "MNLI-mm.tsv"),
            ])
    }()
}
