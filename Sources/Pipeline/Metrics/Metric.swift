/// A number that says how well predictions agree with the truth.
///
/// All metrics here grow with quality. They are computed in double precision.
public protocol Metric: Sendable {
    /// As GLUE and its tools name it.
    var name: String { get }
    /// What exactly is computed, for the person who reads the number.
    var definition: String { get }

    /// The value, or nil where it is undefined: no examples, predictions of another kind, a constant series in a
    /// correlation.
    func value(_ outcome: Outcome) -> Double?
}

/// What was predicted and what is true, example by example.
public enum Outcome: Sendable {
    /// Class indices, each in 0..<count.
    case classes(predicted: [Int], truth: [Int], count: Int)
    /// Sets of label indices, each in 0..<count, none twice in a set.
    case labelSets(predicted: [[Int]], truth: [[Int]], count: Int)
    case values(predicted: [Double], truth: [Double])
}

/// Counts of one class against the rest.
struct Confusion {
    var truePositives = 0
    var falsePositives = 0
    var falseNegatives = 0

    /// 2·TP / (2·TP + FP + FN), and 0 when the class is neither predicted nor true anywhere.
    var f1: Double {
        let denominator = 2 * truePositives + falsePositives + falseNegatives
        return denominator == 0 ? 0 : Double(2 * truePositives) / Double(denominator)
    }

    var isAbsent: Bool { truePositives + falsePositives + falseNegatives == 0 }
}

extension Outcome {
    /// One count for each class or label; nil for numbers.
    func confusions() -> [Confusion]? {
        switch self {
        case .classes(let predicted, let truth, let count):
            precondition(predicted.count == truth.count, "there must be one prediction for each example")
            var result = [Confusion](repeating: Confusion(), count: count)
            for (predicted, truth) in zip(predicted, truth) {
                if predicted == truth {
                    result[truth].truePositives += 1
                } else {
                    result[predicted].falsePositives += 1
                    result[truth].falseNegatives += 1
                }
            }
            return result
        case .labelSets(let predicted, let truth, let count):
            precondition(predicted.count == truth.count, "there must be one prediction for each example")
            var result = [Confusion](repeating: Confusion(), count: count)
            for (predicted, truth) in zip(predicted, truth) {
                for label in predicted {
                    if truth.contains(label) {
                        result[label].truePositives += 1
                    } else {
                        result[label].falsePositives += 1
                    }
                }
                for label in truth where !predicted.contains(label) { result[label].falseNegatives += 1 }
            }
            return result
        case .values: return nil
        }
    }

    /// Number of examples.
    public var count: Int {
        switch self {
        case .classes(_, let truth, _): truth.count
        case .labelSets(_, let truth, _): truth.count
        case .values(_, let truth): truth.count
        }
    }
}
