import Foundation

/// How often a search runs: rarer as the step size settles.
///
/// ```
/// q = fast mean of η / slow mean of η, both bias-corrected        r = max(q, 1/q)
/// L = 1/(r − 1) clamped to [1, longest];  longest when r = 1;  1 in the first steps
/// ```
/// There is a search when at least L steps have begun since the last one. Source: SaLSA, after arXiv 2407.20650 and its
/// authors' code.
public struct SearchFrequency: Hashable, Sendable {
    /// Longest interval between searches, in steps; 1 searches in every step.
    public var longest: Int
    /// Steps at the start of a run that always search.
    public var always: Int
    /// Memories of the fast and of the slow mean.
    public var fast: Double
    public var slow: Double

    public init(longest: Int = 10, always: Int = 10, fast: Double = 0.9, slow: Double = 0.99) {
        precondition(longest >= 1 && always >= 1 && (0..<1).contains(fast) && (0..<1).contains(slow))
        self.longest = longest
        self.always = always
        self.fast = fast
        self.slow = slow
    }

    var hyperparameters: [(key: String, value: HyperparameterValue)] {
        [
            ("max_search_interval", .integer(longest)), ("always_search_steps", .integer(always)),
            ("interval_betas", .list([.real(fast), .real(slow)])),
        ]
    }

    /// Nothing where every step searches.
    func formula(resting stepSize: String) -> [String] {
        guard longest > 1 else { return [] }
        return [
            "a search every L steps, in each of the first \(always): L = 1/(r − 1) clamped to 1…\(longest), r = max(q, 1/q)",
            "q = fast mean of η/slow mean of η, of memories \(fast) and \(slow); a step between searches uses \(stepSize)",
        ]
    }

    /// L after `searches` searches with these running means, which start at 0.
    public func interval(fastMean: Double, slowMean: Double, searches: Int) -> Double {
        guard searches > 0 else { return 1 }
        let a = fastMean / (1 - pow(fast, Double(searches)))
        let b = slowMean / (1 - pow(slow, Double(searches)))
        let ratio = max(a / b, b / a)
        guard ratio.isFinite else { return 1 }
        return ratio <= 1 ? Double(longest) : min(Double(longest), max(1, 1 / (ratio - 1)))
    }

    static let scalars = [
        SearchMemory.real("fast_mean", 0), SearchMemory.real("slow_mean", 0), SearchMemory.count("searches"),
        SearchMemory.count("steps_since_search"),
    ]

    /// Whether the 0-based step searches.
    func isDue(step: Int, _ memory: SearchMemory) -> Bool {
        if step < always { return true }
        let interval = interval(
            fastMean: memory[real: "fast_mean"], slowMean: memory[real: "slow_mean"], searches: memory[count: "searches"])
        return Double(memory[count: "steps_since_search"] + 1) >= interval
    }

    func rest(_ memory: inout SearchMemory) { memory[count: "steps_since_search"] += 1 }

    /// A search has ended with this step size.
    func record(_ stepSize: Double, _ memory: inout SearchMemory) {
        memory[count: "steps_since_search"] = 0
        memory[count: "searches"] += 1
        memory[real: "fast_mean"] = fast * memory[real: "fast_mean"] + (1 - fast) * stepSize
        memory[real: "slow_mean"] = slow * memory[real: "slow_mean"] + (1 - slow) * stepSize
    }
}
