extension GLUETask {
    /// WNLI: does the sentence with its pronoun resolved follow from the original?
    public static let wnli: GLUETask = {
        let layout = Layout(
            identifier: .named("index"), text: .named("sentence1"), pair: .named("sentence2"), label: .named("label"))
        return GLUETask(
            definition: TaskDefinition(
                name: "wnli", kind: .classification(labels: ["not_entailment", "entailment"]), isPair: true,
                codes: ["0", "1"], metrics: ["accuracy"], primaryMetric: "accuracy"),
            folder: "WNLI",
            splits: [
                Split(name: "train", file: "train.tsv", layout: layout),
                Split(name: "dev", file: "dev.tsv", layout: layout),
                Split(name: "test", file: "test.tsv", layout: layout.without(label: true), submission: "WNLI.tsv"),
            ])
    }()
}
