extension GLUETask {
    /// MRPC: do the two sentences mean the same?
    public static let mrpc: GLUETask = {
        let labelled = Layout(text: .named("#1 String"), pair: .named("#2 String"), label: .named("Quality"))
        let test = Layout(identifier: .named("index"), text: .named("#1 String"), pair: .named("#2 String"))
        return GLUETask(
            definition: TaskDefinition(
                name: "mrpc", kind: .classification(labels: ["not_equivalent", "equivalent"]), isPair: true,
                codes: ["0", "1"], metrics: ["accuracy", "f1"], primaryMetric: "f1"),
            folder: "MRPC",
            splits: [
                Split(name: "train", file: "train.tsv", layout: labelled),
                Split(name: "dev", file: "dev.tsv", layout: labelled),
                Split(name: "test", file: "test.tsv", layout: test, submission: "MRPC.tsv"),
            ])
    }()
}
