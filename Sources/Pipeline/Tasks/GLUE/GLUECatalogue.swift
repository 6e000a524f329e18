/// Every GLUE task by its name. A new one is its file and a line here.
public enum GLUECatalogue {
    public static let all: [GLUETask] = [
        .cola, .sst2, .mrpc, .stsb, .qqp, .mnli, .qnli, .rte, .wnli, .diagnostic,
    ]

    /// The task of that name, or nil.
    public static func task(named name: String) -> GLUETask? {
        all.first { $0.name == name }
    }
}
