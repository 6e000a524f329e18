import Foundation
import Testing

@testable import Pipeline

/// Builds safetensors files from a header's text.
enum SafeTensorsBytes {
    static func file(_ header: String, data: Int = 0, padding: String = "") -> [UInt8] {
        let text = Array((header + padding).utf8)
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
            + [UInt8](repeating: 0, count: data)
    }
}

@Suite struct SafeTensorsFileTests {
    @Test func `a file of the reference library reads as the reference converts it`() throws {
        let file = try SafeTensorsFile(Fixture.formats.appendingPathComponent("weights.safetensors"))
        let expected = try SafeTensorsFile(Fixture.formats.appendingPathComponent("weights-float32.safetensors"))
        #expect(file.metadata == ["format": "pt"])
        #expect(file.order.count == 6 && expected.order.count == 5)
        for name in expected.order {
            let ours = try file.float32(name).map(\.bitPattern)
            let theirs = try expected.float32(name).map(\.bitPattern)
            #expect(ours == theirs, "\(name)")
            #expect(try file.info(name).shape == expected.info(name).shape)
        }
        #expect(try file.info("encoder.half").type == .f16)
        #expect(try file.info("encoder.bfloat").type == .bf16)
        #expect(try file.info("encoder.scalar").count == 1)
    }

    @Test func `integers may be in the file and are refused only when weights are read from them`() throws {
        let file = try SafeTensorsFile(Fixture.formats.appendingPathComponent("weights.safetensors"))
        #expect(try file.info("embeddings.position_ids").type == .i64)
        let error = try refusal { _ = try file.float32("embeddings.position_ids") }
        #expect(error?.reason == .unsupportedDataType)
        #expect(error?.tensor == "embeddings.position_ids")
        var bytes: [UInt8] = []
        try file.readBytes("embeddings.position_ids", chunkSize: 5) { bytes += $0 }
        #expect(bytes.withUnsafeBytes { Array($0.bindMemory(to: Int64.self)) } == [0, 1, 2, 3, 4, 5])
    }

    @Test func `padding spaces around the header are accepted`() throws {
        let scratch = Scratch()
        let header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        for bytes in [
            SafeTensorsBytes.file(header, data: 8, padding: "     "), SafeTensorsBytes.file("  " + header, data: 8),
        ] {
            #expect(try SafeTensorsFile(scratch.write("a", bytes)).order == ["a"])
        }
    }

    @Test func `a file without tensors is valid`() throws {
        let scratch = Scratch()
        #expect(try SafeTensorsFile(scratch.write("a", SafeTensorsBytes.file("{}"))).order == [])
    }

    @Test func `an empty tensor may share an offset when it comes first`() throws {
        let header =
            #"{"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"#
            + #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
            + #""z":{"dtype":"F32","shape":[3,0],"data_offsets":[8,8]}}"#
        let scratch = Scratch()
        let file = try SafeTensorsFile(scratch.write("a", SafeTensorsBytes.file(header, data: 8)))
        #expect(try file.float32("z") == [])
        #expect(file.order == ["e", "a", "z"])
    }

    @Test func `the order of the header need not be that of the data`() throws {
        let header =
            #"{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"#
            + #""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        var bytes = SafeTensorsBytes.file(header)
        bytes += [0, 0, 128, 63, 0, 0, 0, 64]
        let scratch = Scratch()
        let file = try SafeTensorsFile(scratch.write("a", bytes))
        #expect(try file.float32("a") == [1])
        #expect(try file.float32("b") == [2])
    }

    @Test(arguments: [
        ("F32", [0, 0, 192, 127] as [UInt8], "nan"), ("F32", [0, 0, 128, 255], "-inf"), ("F16", [0, 124], "inf"),
        ("BF16", [192, 127], "nan"),
    ])
    func `a value that is not finite is refused unless it is allowed`(type: String, bits: [UInt8], shown: String) throws
    {
        let width = bits.count
        let header = "{\"w\":{\"dtype\":\"\(type)\",\"shape\":[3],\"data_offsets\":[0,\(3 * width)]}}"
        let scratch = Scratch()
        let bytes = SafeTensorsBytes.file(header) + [UInt8](repeating: 0, count: 2 * width) + bits
        let file = try SafeTensorsFile(scratch.write("model.safetensors", bytes))
        let error = try refusal { _ = try file.float32("w") }
        #expect(error?.reason == .nonFiniteValue)
        #expect(error?.tensor == "w")
        #expect(error?.description.contains("\(shown) at element 2") == true, "\(error?.description ?? "")")
        #expect(try file.float32("w", allowNonFinite: true)[2].isFinite == false)
    }

    @Test func `large tensors come whole through several chunks`() throws {
        let count = (1 << 18) + 1001
        for (type, width) in [("F32", 4), ("BF16", 2)] {
            let header = "{\"w\":{\"dtype\":\"\(type)\",\"shape\":[\(count)],\"data_offsets\":[0,\(count * width)]}}"
            var bytes = SafeTensorsBytes.file(header)
            for index in 0..<count {
                let bits = Float(index % 251).bitPattern
                bytes += withUnsafeBytes(of: bits) { Array($0.suffix(width)) }
            }
            let scratch = Scratch()
            let values = try SafeTensorsFile(scratch.write("a", bytes)).float32("w")
            #expect(values.indices.allSatisfy { values[$0] == Float($0 % 251) })
        }
    }

    @Test func `a file that shrinks after it was opened gives an error`() throws {
        let header = #"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#
        let scratch = Scratch()
        let url = scratch.write("a", SafeTensorsBytes.file(header, data: 16))
        let file = try SafeTensorsFile(url)
        truncate(url.path, 70)
        #expect(try refusal { _ = try file.float32("w") }?.reason == .fileChanged)
    }

    @Test func `a tensor that is not there is refused by name`() throws {
        let file = try SafeTensorsFile(Fixture.formats.appendingPathComponent("weights.safetensors"))
        let error = try refusal { _ = try file.float32("absent") }
        #expect(error?.reason == .missingTensor)
        #expect(error?.tensor == "absent")
    }
}
