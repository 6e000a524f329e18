internal import CCodecs
import Foundation

extension TypedTensorBlock {
    func read(from source: EncodedSource) throws {
        fault = nil
        var word: UInt32 = 0
        try withUnsafeMutableBytes(of: &word) { try source.read(into: $0) }
        let count = Int(UInt32(littleEndian: word))
        let limit = Self.bound(layout)
        guard count <= limit else { throw source.damage("a block of at most \(limit) bytes", "\(count)") }
        try source.read(into: UnsafeMutableRawBufferPointer(rebasing: encoded[..<count]))
        encodedCount = count
    }

    func decode(into plain: UnsafeMutableRawBufferPointer, base: UnsafeRawBufferPointer) {
        guard fault == nil else { return }
        do { try decodeBlock(into: plain, base) } catch let error as PlaneCoder.Fault {
            fault = error.reason
        } catch {
            fault = "\(error)"
        }
    }

    /// Reads the encoded block front to back.
    private struct Cursor {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        mutating func take<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
            guard bytes.count - position >= MemoryLayout<Value>.size else {
                throw PlaneCoder.Fault("the end of the block in a head")
            }
            defer { position += MemoryLayout<Value>.size }
            return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
        }
    }

    /// What a block says before its planes.
    private struct Head {
        var classes: [UInt8]
        var classCount: Int
        var bucketCount = 1
        var top = 0
        var prediction: FloatPrediction?
    }

    private func decodeBlock(into plain: UnsafeMutableRawBufferPointer, _ base: UnsafeRawBufferPointer) throws {
        let count = plain.count / Self.width
        var cursor = Cursor(bytes: UnsafeRawBufferPointer(rebasing: encoded[..<encodedCount]))
        if count > 0 {
            if layout.kind.isFloatingPoint {
                try decodeClasses(&cursor, count, plain, base)
            } else {
                try decodePlanes(&cursor, classed, count) { $0 }
                for index in 0..<count { store(classed[index], plain, index) }
            }
        }
        let tail = plain.count - count * Self.width
        guard cursor.bytes.count - cursor.position == tail else { throw PlaneCoder.Fault("a block of another length") }
        for index in 0..<tail { plain[count * Self.width + index] = cursor.bytes[cursor.position + index] }
    }

    private func decodeClasses(
        _ cursor: inout Cursor, _ count: Int, _ plain: UnsafeMutableRawBufferPointer, _ base: UnsafeRawBufferPointer
    ) throws {
        let head = try decodeHead(&cursor, count)
        if head.bucketCount > 1, isFast {
            cc_delta_buckets(base.baseAddress, buckets, count, UInt32(head.top), UInt32(head.bucketCount))
        } else if head.bucketCount > 1 {
            for index in 0..<count {
                buckets[index] = UInt8(
                    truncatingIfNeeded: bucket(Self.load(base, index), top: head.top, count: head.bucketCount))
            }
        }
        let starts = starts(head, count)
        for group in 0..<starts.count - 1 where starts[group] < starts[group + 1] {
            let size = starts[group + 1] - starts[group]
            if isFast, !isDelta {
                try decodeFloats(&cursor, head, UInt8(group), size, count, plain)
            } else {
                try decodeClass(&cursor, classed + starts[group], size)
            }
        }
        if isFast {
            if isDelta { applyFast(head, starts, count, plain, base) }
        } else if isDelta {
            let prediction = head.prediction
            scatter(head, starts, count) { word, index in
                let expected = predicted(Self.load(base, index), prediction)
                store(unordered(ordered(expected) &+ unzigzag(word)), plain, index)
            }
        } else {
            let top = Word(Word.bitWidth - 1)
            scatter(head, starts, count) { word, index in store(word &>> 1 | word &<< top, plain, index) }
        }
    }

    private func decodeHead(_ cursor: inout Cursor, _ count: Int) throws -> Head {
        let segmentCount = (count + layout.segment - 1) / layout.segment
        var head = Head(classes: [UInt8](repeating: 0, count: segmentCount), classCount: 1)
        head.classCount = Int(try cursor.take(UInt8.self))
        if isDelta {
            head.bucketCount = Int(try cursor.take(UInt8.self))
            head.top = Int(try cursor.take(UInt16.self))
            let factor = Double(bitPattern: try cursor.take(UInt64.self))
            guard FloatPrediction.range.contains(factor), factor == 1 || layout.kind == .float32 else {
                throw PlaneCoder.Fault("the factor \(factor)")
            }
            if factor != 1 { head.prediction = FloatPrediction(factor: factor) }
        }
        guard head.classCount > 0, head.bucketCount > 0, head.classCount * head.bucketCount <= 256 else {
            throw PlaneCoder.Fault("\(head.classCount) classes of \(head.bucketCount) buckets")
        }
        guard head.classCount > 1 else { return head }
        head.classes = try withUnsafeTemporaryAllocation(byteCount: segmentCount, alignment: 8) { target in
            let bytes = try coder.decode(cursor.bytes, at: &cursor.position, into: target)
            return Array(UnsafeBufferPointer(start: bytes, count: segmentCount))
        }
        guard head.classes.allSatisfy({ $0 < head.classCount }) else { throw PlaneCoder.Fault("a segment of no class") }
        return head
    }

    /// Where each class starts in `classed`, and the end.
    private func starts(_ head: Head, _ count: Int) -> [Int] {
        var counts = [UInt32](repeating: 0, count: head.classCount * head.bucketCount)
        counts.withUnsafeMutableBufferPointer { counts in
            for (segment, group) in head.classes.enumerated() {
                let first = Int(group) * head.bucketCount
                let start = segment * layout.segment
                let length = min(layout.segment, count - start)
                if head.bucketCount == 1 {
                    counts[first] += UInt32(length)
                } else {
                    cc_count_buckets(buckets + start, length, counts.baseAddress! + first, UInt32(head.bucketCount))
                }
            }
        }
        return counts.reduce(into: [0]) { $0.append($0.last! + Int($1)) }
    }

    private func decodeClass(_ cursor: inout Cursor, _ values: UnsafeMutablePointer<Word>, _ count: Int) throws {
        let bits = UInt8(Word.bitWidth)
        if isDelta {
            let shift = try cursor.take(UInt8.self)
            guard shift < bits else { throw PlaneCoder.Fault("a class's shift") }
            if isFast { return cc_join_planes(try takePlanes(&cursor, count), fast(values), count, UInt32(shift)) }
            return try decodePlanes(&cursor, values, count) { $0 &>> Word(shift) }
        }
        let (zeros, shift) = (try cursor.take(UInt8.self), try cursor.take(UInt8.self))
        let offset = try cursor.take(Word.self)
        guard zeros < bits, shift < bits else { throw PlaneCoder.Fault("a class's alignment") }
        let (down, up) = (Word(shift), Word(zeros))
        try decodePlanes(&cursor, values, count) { word in
            let value = word &>> down
            return (((value &>> 1) &+ offset) &<< up) &<< 1 | value & 1
        }
    }

    /// Joins the planes that stand at the cursor into `values`.
    private func decodePlanes(
        _ cursor: inout Cursor, _ values: UnsafeMutablePointer<Word>, _ count: Int, _ body: (Word) -> Word
    ) throws {
        func plane(_ index: Int) throws -> UnsafePointer<UInt8> {
            let target = UnsafeMutableRawBufferPointer(rebasing: planes[index * count..<(index + 1) * count])
            return try coder.decode(cursor.bytes, at: &cursor.position, into: target)
        }
        @inline(__always) func part(_ plane: UnsafePointer<UInt8>, _ index: Int, _ shift: Word) -> Word {
            Word(truncatingIfNeeded: plane[index]) &<< shift
        }
        // One loop for each width: the compiler keeps only its own.
        switch MemoryLayout<Word>.size {
        case 1:
            let first = try plane(0)
            for index in 0..<count { values[index] = body(part(first, index, 0)) }
        case 2:
            let (first, second) = (try plane(0), try plane(1))
            for index in 0..<count { values[index] = body(part(first, index, 0) | part(second, index, 8)) }
        case 4:
            let (first, second, third, fourth) = (try plane(0), try plane(1), try plane(2), try plane(3))
            for index in 0..<count {
                values[index] = body(
                    part(first, index, 0) | part(second, index, 8) | part(third, index, 16) | part(fourth, index, 24))
            }
        default:
            values.update(repeating: 0, count: count)
            for number in 0..<Self.width {
                let bytes = try plane(number)
                for index in 0..<count { values[index] |= part(bytes, index, Word(truncatingIfNeeded: number * 8)) }
            }
            for index in 0..<count { values[index] = body(values[index]) }
        }
    }

    /// The four planes that stand at the cursor, for float32.
    private func takePlanes(_ cursor: inout Cursor, _ count: Int) throws -> [UnsafePointer<UInt8>?] {
        try (0..<4).map { index in
            let target = UnsafeMutableRawBufferPointer(rebasing: planes[index * count..<(index + 1) * count])
            return try coder.decode(cursor.bytes, at: &cursor.position, into: target)
        }
    }

    /// A class of float32 without a base: each of its segments goes to its place.
    private func decodeFloats(
        _ cursor: inout Cursor, _ head: Head, _ group: UInt8, _ size: Int, _ count: Int, _ plain: UnsafeMutableRawBufferPointer
    ) throws {
        let (zeros, shift) = (try cursor.take(UInt8.self), try cursor.take(UInt8.self))
        let offset = try cursor.take(UInt32.self)
        guard zeros < 32, shift < 32 else { throw PlaneCoder.Fault("a class's alignment") }
        var pointers = try takePlanes(&cursor, size)
        for segment in head.classes.indices where head.classes[segment] == group {
            let start = segment * layout.segment
            let length = min(layout.segment, count - start)
            cc_join_floats(pointers, plain.baseAddress! + 4 * start, length, UInt32(shift), offset, UInt32(zeros))
            for index in 0..<4 { pointers[index]! += length }
        }
    }

    /// Adds the classes' words to the base's float32 elements, segment by segment.
    private func applyFast(
        _ head: Head, _ starts: [Int], _ count: Int, _ plain: UnsafeMutableRawBufferPointer, _ base: UnsafeRawBufferPointer
    ) {
        let factor = head.prediction?.factor ?? 1
        var cursors = starts.map { UInt32($0) }
        for (segment, group) in head.classes.enumerated() {
            let first = Int(group) * head.bucketCount
            let start = segment * layout.segment
            let length = min(layout.segment, count - start)
            var source = fast(words)
            if head.bucketCount > 1 {
                cursors.withUnsafeMutableBufferPointer {
                    cc_gather_buckets(fast(classed), $0.baseAddress! + first, buckets + start, source, length)
                }
            } else {
                source = fast(classed) + Int(cursors[first])
                cursors[first] += UInt32(length)
            }
            cc_delta_apply(base.baseAddress! + 4 * start, source, factor, plain.baseAddress! + 4 * start, length)
        }
    }

    /// Hands each element's word to `body` with the element's place.
    @inline(__always)
    private func scatter(_ head: Head, _ starts: [Int], _ count: Int, _ body: (Word, Int) -> Void) {
        var cursors = starts
        cursors.withUnsafeMutableBufferPointer { cursors in
            for (segment, group) in head.classes.enumerated() {
                let first = Int(group) * head.bucketCount
                let range = segment * layout.segment..<min((segment + 1) * layout.segment, count)
                if head.bucketCount == 1 {
                    let values = classed + (cursors[first] - range.lowerBound)
                    for index in range { body(values[index], index) }
                    cursors[first] += range.count
                } else {
                    for index in range {
                        let group = first &+ Int(buckets[index])
                        body(classed[cursors[group]], index)
                        cursors[group] &+= 1
                    }
                }
            }
        }
    }

    @inline(__always)
    private func store(_ word: Word, _ plain: UnsafeMutableRawBufferPointer, _ index: Int) {
        plain.baseAddress!.storeBytes(of: word.littleEndian, toByteOffset: index &* Self.width, as: Word.self)
    }
}
