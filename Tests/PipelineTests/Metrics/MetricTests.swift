import Foundation
import Testing

@testable import Pipeline

@Suite struct MetricTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let outcome: Outcome
        let values: [String: Double]
    }

    /// The goldens of scikit-learn and scipy; the script beside them says how they were made.
    static let cases: [Case] = {
        let url = Fixture.formats.appendingPathComponent("metrics.json")
        guard let data = try? Data(contentsOf: url),
            case .object(let root)? = try? JSONTree(parsing: [UInt8](data), file: url.path),
            let items = root["cases"]?.elements, !items.isEmpty
        else { preconditionFailure("metrics.json cannot be read") }
        return items.map { item in
            guard case .object(let item) = item, case .string(let name)? = item["name"],
                case .object(let values)? = item["value"],
                let predicted = item["predicted"]?.elements, let truth = item["truth"]?.elements
            else { preconditionFailure("metrics.json has a case without its fields") }
            let outcome: Outcome
            switch item["kind"] {
            case .string("classes"):
                outcome = .classes(
                    predicted: predicted.map { Int($0.double) }, truth: truth.map { Int($0.double) },
                    count: Int(item["count"]!.double))
            case .string("sets"):
                outcome = .labelSets(
                    predicted: predicted.map { $0.elements.map { Int($0.double) } },
                    truth: truth.map { $0.elements.map { Int($0.double) } }, count: Int(item["count"]!.double))
            default: outcome = .values(predicted: predicted.map(\.double), truth: truth.map(\.double))
            }
            let pairs = values.members.map { ($0.key, $0.value.double) }
            return Case(testDescription: name, outcome: outcome, values: Dictionary(uniqueKeysWithValues: pairs))
        }
    }()

    @Test(arguments: cases)
    func `the value equals that of the reference`(item: Case) throws {
        for (name, expected) in item.values {
            let metric = try #require(MetricCatalogue.metric(named: name))
            let value = try #require(metric.value(item.outcome), "\(name)")
            #expect(abs(value - expected) <= 1e-12 * max(1, abs(expected)), "\(name): \(value), \(expected)")
        }
    }

    @Test func `the goldens cover every metric`() {
        #expect(Set(Self.cases.flatMap(\.values.keys)) == Set(MetricCatalogue.all.map(\.name)))
    }

    @Test(arguments: MetricCatalogue.all.map(\.name))
    func `every metric is named once, defined, and undefined without examples`(name: String) throws {
        let metric = try #require(MetricCatalogue.metric(named: name))
        #expect(MetricCatalogue.all.filter { $0.name == name }.count == 1)
        #expect(metric.definition.count > 20)
        for outcome in [
            Outcome.classes(predicted: [], truth: [], count: 2), .labelSets(predicted: [], truth: [], count: 2),
            .values(predicted: [], truth: []),
        ] {
            #expect(metric.value(outcome) == nil)
        }
    }

    @Test func `a metric of another kind of prediction is undefined`() {
        let classes = Outcome.classes(predicted: [1], truth: [1], count: 3)
        let values = Outcome.values(predicted: [1, 2], truth: [1, 2])
        #expect(F1().value(classes) == nil)
        #expect(Pearson().value(classes) == nil && Spearman().value(classes) == nil)
        #expect(Accuracy().value(values) == nil && Matthews().value(values) == nil && MacroF1().value(values) == nil)
    }

    @Test func `correlations of constant, short and infinite series are undefined`() {
        for (predicted, truth) in [
            ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [4, 4, 4]), ([1], [2]), ([1, .nan, 3], [1, 2, 3]),
            ([1, 2, 3], [1, .infinity, 3]), ([0.1, 0.1, 0.1], [0.3, 0.1, 0.2]),
            ([Double](repeating: 0.7, count: 11), (0..<11).map(Double.init)),
        ] as [([Double], [Double])] {
            #expect(Pearson().value(.values(predicted: predicted, truth: truth)) == nil)
            #expect(Spearman().value(.values(predicted: predicted, truth: truth)) == nil)
        }
    }

    @Test func `Matthews is 0 where its denominator is`() {
        #expect(Matthews().value(.classes(predicted: [1, 1, 1], truth: [0, 1, 1], count: 2)) == 0)
        #expect(Matthews().value(.classes(predicted: [0], truth: [0], count: 2)) == 0)
    }

    @Test func `equal values share the mean of their ranks`() {
        #expect(Spearman.ranks([3, 1, 3, 2, 3]) == [4, 1, 4, 2, 4])
        #expect(Spearman.ranks([5, 5]) == [1.5, 1.5])
    }
}

extension JSONTree {
    fileprivate var elements: [JSONTree] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    fileprivate var double: Double {
        guard case .number(let number) = self else { return .nan }
        return number.double ?? .nan
    }
}
