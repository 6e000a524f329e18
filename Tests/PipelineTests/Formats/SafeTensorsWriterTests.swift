import Foundation
import Testing

@testable import Pipeline

@Suite struct SafeTensorsWriterTests {
    @Test(arguments: ["weights.safetensors", "weights-float32.safetensors", "rounding.safetensors"])
    func `a file of the reference library is written again byte for byte`(name: String) throws {
        let original = Fixture.formats.appendingPathComponent(name)
        let file = try SafeTensorsFile(original)
        let scratch = Scratch()
        let url = scratch.url.appendingPathComponent("copy.safetensors")
        let entries = try file.order.map { name in
            let info = try file.info(name)
            return SafeTensorsWriter.Entry(name: name, type: info.type, shape: info.shape)
        }
        let writer = try SafeTensorsWriter(url, entries: entries, metadata: file.metadata)
        for name in file.order { try file.readBytes(name, chunkSize: 7) { try writer.writeBytes(name, $0) } }
        try writer.finish()
        #expect(try Data(contentsOf: url) == Data(contentsOf: original))
    }

    @Test func `values are rounded as the reference rounds them`() throws {
        let expected = try SafeTensorsFile(Fixture.formats.appendingPathComponent("rounding.safetensors"))
        let values = try expected.float32("values")
        let scratch = Scratch()
        let url = scratch.url.appendingPathComponent("a.safetensors")
        let writer = try SafeTensorsWriter(
            url,
            entries: [
                .init(name: "bfloat", type: .bf16, shape: [values.count]),
                .init(name: "half", type: .f16, shape: [values.count]),
                .init(name: "values", shape: [values.count]),
            ])
        for name in ["bfloat", "half", "values"] {
            try values.withUnsafeBufferPointer { buffer in
                // Two pieces, the first of an odd length.
                try writer.write(name, UnsafeBufferPointer(rebasing: buffer[..<7]))
                try writer.write(name, UnsafeBufferPointer(rebasing: buffer[7...]))
            }
        }
        try writer.finish()
        let file = try SafeTensorsFile(url)
        for name in ["bfloat", "half", "values"] {
            var ours: [UInt8] = []
            var theirs: [UInt8] = []
            try file.readBytes(name) { ours += $0 }
            try expected.readBytes(name) { theirs += $0 }
            #expect(ours == theirs, "\(name)")
        }
    }

    @Test func `the data starts at a multiple of eight bytes`() throws {
        for length in 1...9 {
            let scratch = Scratch()
            let url = scratch.url.appendingPathComponent("a")
            let name = String(repeating: "n", count: length)
            let writer = try SafeTensorsWriter(url, entries: [.init(name: name, shape: [1])])
            try [1.5 as Float].withUnsafeBufferPointer { try writer.write(name, $0) }
            try writer.finish()
            let bytes = try [UInt8](Data(contentsOf: url))
            #expect((bytes.count - 4) % 8 == 0)
            #expect(try SafeTensorsFile(url).float32(name) == [1.5])
        }
    }

    @Test func `a name with quotation marks and other scripts comes back`() throws {
        let scratch = Scratch()
        let url = scratch.url.appendingPathComponent("a")
        let name = "poids \"é\" 重み"
        let writer = try SafeTensorsWriter(url, entries: [.init(name: name, shape: [0])], metadata: ["clé\n": "\"v\""])
        try writer.finish()
        let file = try SafeTensorsFile(url)
        #expect(file.order == [name])
        #expect(file.metadata == ["clé\n": "\"v\""])
    }

    @Test func `nothing is left of a file that is given up`() throws {
        let scratch = Scratch()
        let url = scratch.url.appendingPathComponent("a")
        var writer: SafeTensorsWriter? = try SafeTensorsWriter(url, entries: [.init(name: "w", shape: [4])])
        try [1, 2 as Float].withUnsafeBufferPointer { try writer?.write("w", $0) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).count == 1)
        writer = nil
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == [])
    }

    @Test func `a folder that is not there is an error`() throws {
        let url = Scratch().url.appendingPathComponent("absent/a")
        #expect(try refusal { _ = try SafeTensorsWriter(url, entries: []) }?.reason == .fileUnwritable)
    }
}
