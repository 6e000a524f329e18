extension GLUETask {
    /// RTE: does the first text entail the second?
    public static let rte: GLUETask = {
        let layout = Layout(
            identifier: .named("index"), text: .named("sentence1"), pair: .named("sentence2"), label: .named("label"))
        return GLUETask(
            definition: TaskDefinition(
                name: "rte", kind: .classification(labels: ["entailment", "not_entailment"]), isPair: true,
                metrics: ["accuracy"], primaryMetric: "accuracy"),
            folder: "RTE",
            splits: [
                Split(name: "train", file: "train.tsv", layout: layout),
                Split(name: "dev", file: "dev.tsv", layout: layout),
                Split(name: "test", file: "test.tsv", layout: layout.without(label: true), submission: "RTE.tsv"),
            ])
    }()
}
