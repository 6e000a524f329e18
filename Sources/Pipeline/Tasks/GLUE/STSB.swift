extension GLUETask {
    /// STS-B: how similar are the two sentences, from 0 to 5?
    public static let stsb: GLUETask = {
        let layout = Layout(
            identifier: .named("index"), text: .named("sentence1"), pair: .named("sentence2"), label: .named("score"))
        return GLUETask(
            definition: TaskDefinition(
                name: "stsb", kind: .regression(range: 0...5), isPair: true, metrics: ["pearson", "spearman"],
                primaryMetric: "pearson"),
            folder: "STS-B",
            splits: [
                Split(name: "train", file: "train.tsv", layout: layout),
                Split(name: "dev", file: "dev.tsv", layout: layout),
                Split(name: "test", file: "test.tsv", layout: layout.without(label: true), submission: "STS-B.tsv"),
            ])
    }()
}
