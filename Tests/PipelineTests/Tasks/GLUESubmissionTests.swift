import Foundation
import Testing

@testable import Pipeline

@Suite struct GLUESubmissionTests {
    @Test func `labels are written as the server takes them`() throws {
        let cola = try #require(
            GLUESubmission(.cola, split: "test", identifiers: nil, predictions: [.classIndex(1), .classIndex(0)]))
        #expect(cola.fileName == "CoLA.tsv")
        #expect(cola.text == "index\tprediction\n0\t1\n1\t0\n")
        let mnli = try #require(
            GLUESubmission(.mnli, split: "test_mismatched", identifiers: ["9"], predictions: [.classIndex(2)]))
        #expect(mnli.fileName == "MNLI-mm.tsv")
        #expect(mnli.text == "index\tprediction\n9\tcontradiction\n")
    }

    @Test(arguments: [(6.2, "5.000"), (-1, "0.000"), (3.14159, "3.142")])
    func `scores are limited to the range of the task`(value: Double, shown: String) throws {
        let stsb = try #require(
            GLUESubmission(.stsb, split: "test", identifiers: nil, predictions: [.value(value)]))
        #expect(stsb.fileName == "STS-B.tsv")
        #expect(stsb.text == "index\tprediction\n0\t\(shown)\n")
    }

    @Test func `a split with labels is not submitted`() {
        #expect(GLUESubmission(.rte, split: "dev", identifiers: nil, predictions: [.classIndex(0)]) == nil)
    }

    @Test func `the files have the names that the server knows`() {
        let names = GLUECatalogue.all.flatMap(\.splits).compactMap(\.submission)
        #expect(
            Set(names) == [
                "CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "QNLI.tsv",
                "RTE.tsv", "WNLI.tsv", "AX.tsv",
            ])
    }
}
