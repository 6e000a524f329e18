import Foundation
import Testing

@testable import Pipeline

/// Mutated files: the reader throws a `FormatError` or succeeds, whatever the bytes are.
///
/// `PIPELINE_FUZZ_MUTATIONS` sets their number (2,000 otherwise).
@Suite struct SafeTensorsFuzzTests {
    /// SplitMix64, so that a failure can be repeated from its seed.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    static let fragments: [String] = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "-1", "0", "1e9", "0.5", "NaN",
        "9223372036854775807", "9223372036854775808", "18446744073709551615", "\"F32\"", "\"F16\"", "\"I64\"", "\"F4\"",
        "\"shape\"", "\"dtype\"", "\"data_offsets\"", "\"__metadata__\"", "[0,0]", "[4294967296,4294967296]", " ", "\n",
        String(repeating: "[", count: 200), String(repeating: "{\"a\":", count: 100),
        String(repeating: "9", count: 600),
    ]

    static func mutate(_ original: [UInt8], _ generator: inout Generator) -> [UInt8] {
        var bytes = original
        let headerEnd = 8 + Int(bytes[0]) + Int(bytes[1]) << 8
        var keepsLength = Bool.random(using: &generator)
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let limit = max(
                1, min(bytes.count, Int.random(in: 0...4, using: &generator) == 0 ? bytes.count : headerEnd))
            let place = Int.random(in: 0..<limit, using: &generator)
            guard place < bytes.count else { continue }
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes.remove(at: place)
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...40, using: &generator)))
            case 4: bytes.insert(contentsOf: fragments.randomElement(using: &generator)!.utf8, at: place)
            case 5:
                let end = min(bytes.count, place + Int.random(in: 1...60, using: &generator))
                bytes.insert(
                    contentsOf: Array(bytes[place..<end]), at: Int.random(in: 0...bytes.count, using: &generator))
            case 6: bytes.removeLast(Int.random(in: 0...min(bytes.count, 20), using: &generator))
            default:
                keepsLength = true
                for index in 0..<min(8, bytes.count) where Bool.random(using: &generator) {
                    bytes[index] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            if bytes.isEmpty { return bytes }
        }
        // A header of the right length gets further into the reader.
        if !keepsLength && bytes.count >= 8 {
            let length = max(0, min(bytes.count - 8, headerEnd - 8 + bytes.count - original.count))
            withUnsafeBytes(of: UInt64(length).littleEndian) { for index in 0..<8 { bytes[index] = $0[index] } }
        }
        return bytes
    }

    @Test(.timeLimit(.minutes(30)))
    func `mutated files are read or refused and never trap, hang or take memory that they only claim`() throws {
        let wanted = ProcessInfo.processInfo.environment["PIPELINE_FUZZ_MUTATIONS"].flatMap { Int($0) } ?? 2000
        let seeds = try ["weights.safetensors", "rounding.safetensors", "sharded/model-00002-of-00002.safetensors"].map
        {
            try [UInt8](Data(contentsOf: Fixture.formats.appendingPathComponent($0)))
        }
        let scratch = Scratch()
        var generator = Generator(state: 20_240_501)
        var refused: [FormatReason: Int] = [:]
        var accepted = 0
        var unprintable: [Int] = []
        let before = Self.peakMemory()
        for index in 0..<wanted {
            let url = scratch.write("model.safetensors", Self.mutate(seeds[index % seeds.count], &generator))
            // Writing over a file makes some file systems wait for the disk; a new one does not.
            defer { unlink(url.path) }
            let error = try refusal {
                let file = try SafeTensorsFile(url)
                for name in file.order where try file.info(name).type.isConvertible { _ = try file.float32(name) }
            }
            if let error {
                refused[error.reason, default: 0] += 1
                if error.description.utf8.contains(where: { $0 < 0x20 }) { unprintable.append(index) }
            } else {
                accepted += 1
            }
        }
        // Both outcomes and many reasons must occur, or the mutations would not reach far.
        #expect(accepted > 0)
        #expect(unprintable == [], "mutations whose message would write control characters")
        #expect(refused.count >= 20, "\(refused.keys.map(\.rawValue).sorted())")
        #expect(Self.peakMemory() - before < 256 << 20)
    }

    /// The most memory that the process has had, in bytes.
    static func peakMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}
