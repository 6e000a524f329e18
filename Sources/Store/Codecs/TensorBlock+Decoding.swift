import Foundation

extension TypedTensorBlock {
    func read(from source: EncodedSource, plainByteCount: Int) throws {
        fault = nil
        self.plainByteCount = plainByteCount
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
        fault = decoded(into: plain, base)
    }

    /// Reads the encoded block front to back.
    private struct Cursor {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        mutating func take<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
            guard bytes.count - position >= MemoryLayout<Value>.size else { return nil }
            defer { position += MemoryLayout<Value>.size }
            return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
        }
    }

    /// Returns what is wrong, if anything is.
    private func decoded(into plain: UnsafeMutableRawBufferPointer, _ base: UnsafeRawBufferPointer) -> String? {
        let count = plainByteCount / Self.width
        var cursor = Cursor(bytes: UnsafeRawBufferPointer(rebasing: encoded[..<encodedCount]))
        if count > 0 {
            let fault =
                layout.kind.isFloatingPoint
                ? decodeClasses(&cursor, count, plain, base)
                : decodePlanes(&cursor, words, count) ?? store(words, count, plain)
            if let fault { return fault }
        }
        let tail = plain.count - count * Self.width
        guard cursor.bytes.count - cursor.position == tail else { return "a block of another length" }
        for index in 0..<tail { plain[count * Self.width + index] = cursor.bytes[cursor.position + index] }
        return nil
    }

    private func decodeClasses(
        _ cursor: inout Cursor, _ count: Int, _ plain: UnsafeMutableRawBufferPointer, _ base: UnsafeRawBufferPointer
    ) -> String? {
        let short = "the end of the block in its head"
        guard let classCount = cursor.take(UInt8.self).map(Int.init) else { return short }
        var (bucketCount, top, prediction) = (1, 0, FloatPrediction?.none)
        if isDelta {
            guard let buckets = cursor.take(UInt8.self), let highest = cursor.take(UInt16.self),
                let pattern = cursor.take(UInt64.self)
            else { return short }
            (bucketCount, top) = (Int(buckets), Int(highest))
            let factor = Double(bitPattern: pattern)
            guard FloatPrediction.range.contains(factor), factor == 1 || layout.kind == .float32 else {
                return "the factor \(factor)"
            }
            if factor != 1 { prediction = FloatPrediction(factor: factor) }
        }
        guard classCount > 0, bucketCount > 0, classCount * bucketCount <= 256 else {
            return "\(classCount) classes of \(bucketCount) buckets"
        }
        let segmentCount = (count + layout.segment - 1) / layout.segment
        var classes = [UInt8](repeating: 0, count: segmentCount)
        if classCount > 1 {
            let fault = classes.withUnsafeMutableBytes {
                coder.decode(cursor.bytes, at: &cursor.position, into: $0)
            }
            if let fault { return fault }
            guard classes.allSatisfy({ $0 < classCount }) else { return "a segment of no class" }
        }
        if bucketCount > 1 {
            for index in 0..<count {
                buckets[index] = UInt8(
                    truncatingIfNeeded: bucket(Self.load(base, index), top: top, count: bucketCount))
            }
        }
        let starts = starts(classes, count, classCount: classCount, bucketCount: bucketCount)
        for group in 0..<starts.count - 1 where starts[group] < starts[group + 1] {
            let values = classed + starts[group]
            if let fault = decodeClass(&cursor, values, starts[group + 1] - starts[group]) { return fault }
        }
        scatter(classes, starts, count, bucketCount)
        return finish(plain, base, count, prediction)
    }

    /// Where each class starts in `classed`, and the end.
    private func starts(_ classes: [UInt8], _ count: Int, classCount: Int, bucketCount: Int) -> [Int] {
        var starts = [Int](repeating: 0, count: classCount * bucketCount + 1)
        starts.withUnsafeMutableBufferPointer { starts in
            for (segment, group) in classes.enumerated() {
                let first = Int(group) * bucketCount + 1
                let range = segment * layout.segment..<min((segment + 1) * layout.segment, count)
                if bucketCount == 1 {
                    starts[first] += range.count
                } else {
                    for index in range { starts[first &+ Int(buckets[index])] &+= 1 }
                }
            }
            for index in 1..<starts.count { starts[index] += starts[index - 1] }
        }
        return starts
    }

    private func decodeClass(_ cursor: inout Cursor, _ values: UnsafeMutablePointer<Word>, _ count: Int) -> String? {
        let bits = UInt8(Word.bitWidth)
        if isDelta {
            guard let shift = cursor.take(UInt8.self), shift < bits else { return "a class's shift" }
            if let fault = decodePlanes(&cursor, values, count) { return fault }
            for index in 0..<count { values[index] &>>= Word(shift) }
            return nil
        }
        guard let zeros = cursor.take(UInt8.self), let shift = cursor.take(UInt8.self), zeros < bits, shift < bits,
            let offset = cursor.take(Word.self)
        else { return "a class's alignment" }
        if let fault = decodePlanes(&cursor, values, count) { return fault }
        let (down, up) = (Word(shift), Word(zeros))
        for index in 0..<count {
            let value = values[index] &>> down
            values[index] = (((value &>> 1) &+ offset) &<< up) &<< 1 | value & 1
        }
        return nil
    }

    /// Joins the planes that stand at the cursor into `values`.
    private func decodePlanes(_ cursor: inout Cursor, _ values: UnsafeMutablePointer<Word>, _ count: Int) -> String? {
        for plane in 0..<Self.width {
            let target = UnsafeMutableRawBufferPointer(rebasing: planes[plane * count..<(plane + 1) * count])
            if let fault = coder.decode(cursor.bytes, at: &cursor.position, into: target) { return fault }
        }
        // A constant after specialisation, so that the inner loop unrolls.
        let width = MemoryLayout<Word>.size
        let source = planes.baseAddress!.assumingMemoryBound(to: UInt8.self)
        for index in 0..<count {
            var word: Word = 0
            for plane in 0..<width {
                word |= Word(truncatingIfNeeded: source[plane &* count &+ index]) &<< Word(truncatingIfNeeded: plane &* 8)
            }
            values[index] = word
        }
        return nil
    }

    private func scatter(_ classes: [UInt8], _ starts: [Int], _ count: Int, _ bucketCount: Int) {
        var cursors = starts
        cursors.withUnsafeMutableBufferPointer { cursors in
            for (segment, group) in classes.enumerated() {
                let first = Int(group) * bucketCount
                let range = segment * layout.segment..<min((segment + 1) * layout.segment, count)
                if bucketCount == 1 {
                    (words + range.lowerBound).update(from: classed + cursors[first], count: range.count)
                    cursors[first] += range.count
                } else {
                    for index in range {
                        let group = first &+ Int(buckets[index])
                        words[index] = classed[cursors[group]]
                        cursors[group] &+= 1
                    }
                }
            }
        }
    }

    private func finish(
        _ plain: UnsafeMutableRawBufferPointer, _ base: UnsafeRawBufferPointer, _ count: Int,
        _ prediction: FloatPrediction?
    ) -> String? {
        let top = Word(Word.bitWidth - 1)
        if isDelta {
            for index in 0..<count {
                let expected = predicted(Self.load(base, index), prediction)
                words[index] = unordered(ordered(expected) &+ unzigzag(words[index]))
            }
        } else {
            for index in 0..<count { words[index] = words[index] &>> 1 | words[index] &<< top }
        }
        return store(words, count, plain)
    }

    private func store(_ words: UnsafeMutablePointer<Word>, _ count: Int, _ plain: UnsafeMutableRawBufferPointer) -> String? {
        for index in 0..<count {
            plain.baseAddress!.storeBytes(of: words[index].littleEndian, toByteOffset: index &* Self.width, as: Word.self)
        }
        return nil
    }
}
