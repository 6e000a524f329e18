extension GLUETask {
    /// The diagnostic set: MNLI's question on hand-made pairs. It has no training set; a model of MNLI answers it.
    ///
    /// `diagnostic.tsv` is what submissions are made for; `diagnostic-full.tsv` is the edition with labels.
    public static let diagnostic: GLUETask = {
        let test = Layout(identifier: .named("index"), text: .named("sentence1"), pair: .named("sentence2"))
        let full = Layout(text: .named("Premise"), pair: .named("Hypothesis"), label: .named("Label"))
        return GLUETask(
            definition: TaskDefinition(
                name: "ax", kind: .classification(labels: inferenceLabels), isPair: true,
                metrics: ["matthews", "accuracy"], primaryMetric: "matthews", developmentSplit: "full"),
            folder: "diagnostic",
            splits: [
                Split(name: "test", file: "diagnostic.tsv", layout: test, submission: "AX.tsv"),
                Split(name: "full", file: "diagnostic-full.tsv", layout: full),
            ])
    }()
}
