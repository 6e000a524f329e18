extension GLUETask {
    /// SST-2: does the phrase from a film review speak well of the film?
    public static let sst2: GLUETask = {
        let labelled = Layout(text: .named("sentence"), label: .named("label"))
        let test = Layout(identifier: .named("index"), text: .named("sentence"))
        return GLUETask(
            definition: TaskDefinition(
                name: "sst2", kind: .classification(labels: ["negative", "positive"]), isPair: false,
                codes: ["0", "1"], metrics: ["accuracy"], primaryMetric: "accuracy"),
            folder: "SST-2",
            splits: [
                Split(name: "train", file: "train.tsv", layout: labelled),
                Split(name: "dev", file: "dev.tsv", layout: labelled),
                Split(name: "test", file: "test.tsv", layout: test, submission: "SST-2.tsv"),
            ])
    }()
}
