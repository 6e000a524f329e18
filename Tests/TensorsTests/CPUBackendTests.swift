import CKernels
import Foundation
import Testing
@testable import Tensors

@Suite("The CPU backend")
struct CPUBackendTests {
    @Test("knows the instruction sets of this machine, baseline first")
    func instructionSets() {
        let available = CPUBackend.InstructionSet.available
        #expect(available.first == .baseline && available.contains(.best))
        #expect(available.map { CPUBackend(threads: 1, instructionSet: $0, precision: .bf16).numericPath }
            == ["baseline.2", "avx2.2", "avx512.3", "avx512bf16.4", "amx.4"].prefix(available.count).map { "cpu-\($0)-bf16" })
    }

    @Test("calls the kernels of float32 the same whatever units for bfloat16 there are")
    func float32Name() {
        let plain = min(CPUBackend.InstructionSet.best.rawValue, CPUBackend.InstructionSet.avx512.rawValue)
        #expect(CPUBackend(threads: 1).instructionSet.rawValue == plain)
        #expect(["cpu-baseline.2-fp32", "cpu-avx2.2-fp32", "cpu-avx512.3-fp32"][Int(plain)] == CPUBackend(threads: 1).numericPath)
    }

    @Test("takes the precision and the kernels that are the fastest here, measured")
    func fastest() {
        // The best of several turns, as other tests compute at the same time.
        struct Way: Hashable { let set: CPUBackend.InstructionSet, precision: Precision }
        let taken = Way(set: .best, precision: .fastest)
        let ways = CPUBackend.InstructionSet.available.flatMap { set in Precision.allCases.map { Way(set: set, precision: $0) } }
        var ceilings: [Way: Double] = [:]
        func isNotFaster(_ way: Way) -> Bool { ceilings[way]! < 1.4 * ceilings[taken]! }
        let compared = ways.filter { ProcessInfo.processInfo.environment[CPUBackend.InstructionSet.limitVariable] == nil || $0.set == .best }
        for turn in 0..<30 where turn < 3 || !compared.allSatisfy(isNotFaster) {
            for way in ways {
                let backend = CPUBackend(threads: 1, instructionSet: way.set, precision: way.precision)
                ceilings[way] = max(ceilings[way] ?? 0, backend.productCeiling(way.precision, seconds: 0.02))
            }
        }
        for way in compared { #expect(isNotFaster(way), "\(way.set) in \(way.precision): \(ceilings[way]!), taken: \(ceilings[taken]!)") }
        #expect((Precision.fastest == .bf16) == CPUBackend.InstructionSet.best.favorsBF16)
        #expect(CPUBackend.InstructionSet.named("avx2") == .avx2)
        #expect(CPUBackend.InstructionSet.named("amx-emulated") == nil, "emulations are for tests alone")
    }

    @Test("finds the kernels of a numeric path that this machine can run", arguments: CPUBackend.InstructionSet.available, Precision.allCases)
    func pathOfKernels(set: CPUBackend.InstructionSet, precision: Precision) throws {
        let path = CPUBackend(threads: 1, instructionSet: set, precision: precision).numericPath
        let found = try #require(CPUBackend.kernels(of: path))
        #expect(found.precision == precision)
        #expect(CPUBackend(threads: 1, instructionSet: found.set, precision: precision).numericPath == path)
        #expect(CPUBackend.kernels(of: path.replacing("cpu", with: "gpu")) == nil)
        #expect(CPUBackend.kernels(of: path.replacing(".", with: ".9")) == nil)
    }

    @Test("uses as many threads as it is allowed processors")
    func processors() {
        #expect(CPUBackend.processorCount >= 1)
        #expect(CPUBackend.processorCount <= Int(sysconf(Int32(_SC_NPROCESSORS_CONF))))
        #expect(CPUBackend().threads == CPUBackend.processorCount)
    }

    @Test("calls every index of a parallel loop exactly once", arguments: 1...4)
    func parallel(threads: Int) {
        let backend = CPUBackend(threads: threads)
        for count in [0, 1, 2, 3, 100, 1000] {
            // Each index writes to its own element alone.
            nonisolated(unsafe) let calls = UnsafeMutablePointer<Int32>.allocate(capacity: count + 1)
            calls.initialize(repeating: 0, count: count + 1)
            for _ in 0..<20 { backend.parallel(count) { calls[$0] += 1 } }
            for index in 0..<count { #expect(calls[index] == 20, "index \(index) of \(count)") }
            #expect(calls[count] == 0)
            calls.deallocate()
        }
    }

    @Test("wakes threads that have gone to sleep")
    func sleep() {
        let backend = CPUBackend(threads: 3)
        let product = ProductCase(m: 40, n: 300, k: 20, transposesB: true)
        let first = product.run(on: backend)[0].values
        for pause: UInt32 in [100, 1000, 20_000] {
            usleep(pause)
            #expect(product.run(on: backend)[0].values == first)
        }
    }

    @Test("comes and goes without leaving threads behind")
    func lifetime() {
        for threads in [1, 2, 5, 1, 3] {
            for _ in 0..<10 { _ = ColumnSumCase(rows: 600, columns: 30).run(on: CPUBackend(threads: threads)) }
        }
    }

    @Test("keeps its scratch memory instead of taking more at every call")
    func scratch() throws {
        let context = try #require(ck_context_create(2, ck_isa_best()))
        defer { ck_context_destroy(context) }
        let x = Block<Float>([Float](repeating: 1, count: 600 * 600)), y = Block<Float>(count: 600 * 600)
        func multiply(_ size: Int64) {
            var product = ck_product()
            (product.m, product.n, product.k) = (size, size, size)
            (product.a, product.a_row, product.a_col) = (ck_elements(at: x.pointer, half: false), size, 1)
            (product.b, product.b_row, product.b_col) = (ck_elements(at: x.pointer, half: false), size, 1)
            (product.c, product.c_row) = (ck_elements(at: y.pointer, half: false), size)
            ck_multiply(context, &product)
        }
        multiply(600)
        multiply(600)
        let bytes = ck_context_scratch_bytes(context)
        for size in 1...20 { multiply(Int64(size) * 30) }
        keepUntilHere(x)
        // A thread that got no work before may still take its own scratch once.
        #expect(bytes > 0 && ck_context_scratch_bytes(context) <= 2 * bytes)
        #expect(y.values[0] == 600)
    }

    @Test("gives the same bits on every call and in every fresh backend")
    func repeatable() {
        let operation = AttentionCase(H: 3, D: 10, lengths: [20, 33, 5], probability: 0.1)
        let backend = CPUBackend(threads: 2)
        let first = operation.run(on: backend).map { $0.values.map(\.bitPattern) }
        for _ in 0..<5 { #expect(operation.run(on: backend).map { $0.values.map(\.bitPattern) } == first) }
        #expect(operation.run(on: CPUBackend(threads: 2)).map { $0.values.map(\.bitPattern) } == first)
    }
}
