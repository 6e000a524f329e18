extension GLUETask {
    /// CoLA: is the sentence acceptable English? Its training and development files have no header.
    public static let cola: GLUETask = {
        let labelled = Layout(
            hasHeader: false, fieldCount: 4, identifier: nil, text: .position(3), pair: nil, label: .position(1))
        let test = Layout(identifier: .named("index"), text: .named("sentence"))
        return GLUETask(
            definition: TaskDefinition(
                name: "cola", kind: .classification(labels: ["unacceptable", "acceptable"]), isPair: false,
                codes: ["0", "1"], metrics: ["matthews", "accuracy"], primaryMetric: "matthews"),
            folder: "CoLA",
            splits: [
                Split(name: "train", file: "train.tsv", layout: labelled),
                Split(name: "dev", file: "dev.tsv", layout: labelled),
                Split(name: "test", file: "test.tsv", layout: test, submission: "CoLA.tsv"),
            ])
    }()
}
