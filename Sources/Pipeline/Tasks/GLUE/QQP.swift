extension GLUETask {
    /// QQP: do the two questions ask the same?
    ///
    /// In the published training and development files a few questions contain a line end, so that one record is two or
    /// more lines with too few fields each. Published results leave them out; so does this, and reports their lines.
    public static let qqp: GLUETask = {
        let labelled = Layout(
            identifier: .named("id"), text: .named("question1"), pair: .named("question2"),
            label: .named("is_duplicate"))
        return GLUETask(
            definition: TaskDefinition(
                name: "qqp", kind: .classification(labels: ["not_duplicate", "duplicate"]), isPair: true,
                codes: ["0", "1"], metrics: ["accuracy", "f1"], primaryMetric: "f1"),
            folder: "QQP",
            splits: [
                Split(name: "train", file: "train.tsv", layout: labelled, hasBrokenRows: true),
                Split(name: "dev", file: "dev.tsv", layout: labelled, hasBrokenRows: true),
                Split(name: "test", file: "test.tsv", layout: labelled.without(label: true), submission: "QQP.tsv"),
            ])
    }()
}
