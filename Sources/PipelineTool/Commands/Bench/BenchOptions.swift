import ArgumentParser
import Pipeline
import Store
import Tensors

/// The options of benchmarks that compute and need no store.
struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads to compute on.", valueName: "count"))
    var threads: Int?

    @Flag(help: "Print one JSON object on standard output and nothing else there.")
    var json = false

    func validate() throws {
        try KernelLimit.check()
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads takes a number from 1 to 1024, not \(threads).")
        }
    }

    var threadCount: Int { threads ?? CPUBackend.processorCount }

    /// Hands the result to standard output.
    ///
    /// - Parameter text: whole lines.
    func finish(_ json: JSONValue, text: String) throws {
        try StandardOutput.write(self.json ? json.canonicalText() + "\n" : text)
    }

    /// - Throws: `ValidationError` for a number outside the range.
    static func check(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw ValidationError("\(option) takes a number from \(range.lowerBound) to \(range.upperBound), not \(value).")
        }
    }
}

/// `--shape bert-base|minilm-l6|roberta-large`.
extension BenchmarkShape: ExpressibleByArgument {
    public init?(argument: String) { self.init(named: argument) }

    public var defaultValueDescription: String { name }

    public static var allValueStrings: [String] { catalogue.map(\.name) }
}

/// Whole numbers with commas between them.
struct NumberList: ExpressibleByArgument {
    let values: [Int]

    init(_ values: [Int]) { self.values = values }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        let values = parts.compactMap { $0 }
        guard values.count == parts.count else { return nil }
        self.values = values
    }

    var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }
}
