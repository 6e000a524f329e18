internal import CCodecs
import Foundation

extension TypedTensorBlock {
    func encode(_ plain: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, effort: Effort) {
        fault = nil
        let count = plain.count / Self.width
        do {
            let head = count > 0 ? makeWords(plain, base, count) : (top: 0, factor: 1.0)
            let classes = makeClasses(count)
            try write(plain, count, head.top, head.factor, classes, effort)
        } catch {
            fault = "\(error)"
        }
    }

    // MARK: Words

    /// Fills `words`, `symbols` and, for a delta, `buckets`; returns a delta's highest exponent and factor.
    private func makeWords(
        _ plain: UnsafeRawBufferPointer, _ base: UnsafeRawBufferPointer, _ count: Int
    ) -> (top: Int, factor: Double) {
        let top = Word(Self.width * 8 - 1)
        if isDelta {
            let limit = SegmentClasses.largestBucketCount
            let highest = highestExponent(base, count)
            let factor = layout.kind == .float32 ? FloatPrediction.factor(of: plain, base: base, count: count) : 1
            let prediction = factor == 1 ? nil : FloatPrediction(factor: factor)
            if isFast {
                cc_delta_words(plain.baseAddress, base.baseAddress, factor, fast(words), symbols, count)
                cc_delta_buckets(base.baseAddress, buckets, count, UInt32(highest), UInt32(limit))
                return (highest, factor)
            }
            for index in 0..<count {
                let old = Self.load(base, index)
                let word = zigzag(ordered(Self.load(plain, index)) &- ordered(predicted(old, prediction)))
                words[index] = word
                buckets[index] = UInt8(truncatingIfNeeded: bucket(old, top: highest, count: limit))
                symbols[index] = Self.lengthSymbol(word)
            }
            return (highest, factor)
        }
        guard layout.kind.isFloatingPoint else {
            for index in 0..<count { words[index] = Self.load(plain, index) }
            return (0, 1)
        }
        if isFast {
            cc_float_words(plain.baseAddress, fast(words), symbols, count)
            return (0, 1)
        }
        let shift = Word(layout.kind.mantissaBits + 1)
        for index in 0..<count {
            let bits = Self.load(plain, index)
            let word = bits &<< 1 | bits &>> top
            words[index] = word
            symbols[index] = UInt8(truncatingIfNeeded: word &>> shift)
        }
        return (0, 1)
    }

    /// The length of a residual and the two bits after its first.
    @inline(__always) private static func lengthSymbol(_ word: Word) -> UInt8 {
        let zeros = word.leadingZeroBitCount
        guard Word.bitWidth < 64 else { return UInt8(truncatingIfNeeded: (64 &- zeros) &* 3) }
        let next = (word &<< Word(truncatingIfNeeded: zeros &+ 1)) &>> Word(Word.bitWidth &- 2)
        return UInt8(truncatingIfNeeded: (Word.bitWidth &- zeros) &* 4 &+ Int(truncatingIfNeeded: next))
    }

    /// The exponent that one in a thousand of the base's elements exceeds, judged by a sample.
    private func highestExponent(_ base: UnsafeRawBufferPointer, _ count: Int) -> Int {
        var counts = [Int](repeating: 0, count: 1 << (Word.bitWidth - 1 - layout.kind.mantissaBits))
        let step = max(1, count / 16_384)
        for index in stride(from: 0, to: count, by: step) { counts[exponent(Self.load(base, index))] += 1 }
        var above = 0
        var highest = counts.count - 1
        while highest > 0, above + counts[highest] <= count / step / 1000 {
            above += counts[highest]
            highest -= 1
        }
        return highest
    }

    // MARK: Classes

    private func makeClasses(_ count: Int) -> SegmentClasses? {
        guard layout.kind.isFloatingPoint, count > 0 else { return nil }
        let segments = stride(from: 0, to: count, by: layout.segment).map { start in
            let end = min(start + layout.segment, count)
            var union: Word = 0
            var sum = 0
            for index in start..<end {
                union |= words[index]
                sum &+= Int(symbols[index])
            }
            let magnitude = isDelta ? union : union &>> 1
            return SegmentClasses.Segment(
                isZero: magnitude == 0, trailingZeros: isDelta ? 0 : magnitude.trailingZeroBitCount,
                mean: Double(sum) / Double(end - start))
        }
        return SegmentClasses(
            segments, symbols: UnsafeBufferPointer(start: symbols, count: count),
            buckets: isDelta ? UnsafeBufferPointer(start: buckets, count: count) : nil, length: layout.segment)
    }

    /// Copies the words to `classed`, those of a class together; returns where each class starts, and the end.
    private func gather(_ count: Int, _ classes: SegmentClasses) -> [Int] {
        let bucketCount = classes.bucketCount
        var counts = [UInt32](repeating: 0, count: classes.count * bucketCount)
        func each(_ body: (_ range: Range<Int>, _ first: Int) -> Void) {
            for (segment, group) in classes.classes.enumerated() {
                let start = segment * layout.segment
                body(start..<min(start + layout.segment, count), Int(group) * bucketCount)
            }
        }
        if bucketCount > 1 {
            for index in 0..<count { buckets[index] = min(buckets[index], UInt8(bucketCount - 1)) }
        }
        counts.withUnsafeMutableBufferPointer { counts in
            each { range, first in
                if bucketCount == 1 {
                    counts[first] += UInt32(range.count)
                } else {
                    cc_count_buckets(
                        buckets + range.lowerBound, range.count, counts.baseAddress! + first, UInt32(bucketCount))
                }
            }
        }
        let starts = counts.reduce(into: [0]) { $0.append($0.last! + Int($1)) }
        if isFast, bucketCount > 1 {
            var cursors = starts.map { UInt32($0) }
            cursors.withUnsafeMutableBufferPointer { cursors in
                each { range, first in
                    cc_scatter_buckets(
                        fast(words) + range.lowerBound, cursors.baseAddress! + first, buckets + range.lowerBound,
                        fast(classed), range.count)
                }
            }
            return starts
        }
        var cursors = starts
        cursors.withUnsafeMutableBufferPointer { cursors in
            each { range, first in
                if bucketCount == 1 {
                    (classed + cursors[first]).update(from: words + range.lowerBound, count: range.count)
                    cursors[first] += range.count
                } else {
                    for index in range {
                        let group = first &+ Int(buckets[index])
                        classed[cursors[group]] = words[index]
                        cursors[group] &+= 1
                    }
                }
            }
        }
        return starts
    }

    // MARK: Writing

    private func write(
        _ plain: UnsafeRawBufferPointer, _ count: Int, _ top: Int, _ factor: Double, _ classes: SegmentClasses?,
        _ effort: Effort
    ) throws {
        var position = 4
        func append<Value: FixedWidthInteger>(_ value: Value) {
            encoded.storeBytes(of: value.littleEndian, toByteOffset: position, as: Value.self)
            position += MemoryLayout<Value>.size
        }
        func append(plane: UnsafeRawBufferPointer, _ level: Int?) throws {
            position += try coder.encode(
                plane, into: UnsafeMutableRawBufferPointer(rebasing: encoded[position...]), zstandardLevel: level)
        }
        let strong = effort == .strong ? 19 : nil
        if let classes {
            append(UInt8(classes.count))
            if isDelta {
                append(UInt8(classes.bucketCount))
                append(UInt16(top))
                append(factor.bitPattern)
            }
            if classes.count > 1 { try classes.classes.withUnsafeBytes { try append(plane: $0, strong) } }
            let starts = gather(count, classes)
            for group in 0..<starts.count - 1 where starts[group] < starts[group + 1] {
                let values = classed + starts[group]
                let size = starts[group + 1] - starts[group]
                if isDelta {
                    let shift = residualShift(values, size)
                    append(UInt8(shift))
                    for index in 0..<size { values[index] &<<= Word(shift) }
                } else {
                    let (zeros, offset, shift) = align(values, size)
                    append(UInt8(zeros))
                    append(UInt8(shift))
                    append(offset)
                }
                try split(values, size) { try append(plane: $0, strong) }
            }
        } else if count > 0 {
            try split(words, count) { try append(plane: $0, effort == .strong ? 19 : 1) }
        }
        for index in count * Self.width..<plain.count { append(plain[index]) }
        encodedCount = position
        encoded.storeBytes(of: UInt32(position - 4).littleEndian, as: UInt32.self)
    }

    /// Takes shared trailing zeros and the least magnitude off a class's words and moves the rest to the top.
    private func align(_ values: UnsafeMutablePointer<Word>, _ count: Int) -> (zeros: Int, offset: Word, shift: Int) {
        var (union, least, most): (Word, Word, Word) = (0, .max, 0)
        for index in 0..<count {
            let magnitude = values[index] &>> 1
            union |= magnitude
            least = min(least, magnitude)
            most = max(most, magnitude)
        }
        let zeros = union == 0 ? 0 : union.trailingZeroBitCount
        let offset = least &>> Word(zeros)
        let span = (most &>> Word(zeros)) &- offset
        let shift = span.leadingZeroBitCount - 1
        for index in 0..<count {
            let word = values[index]
            let rest = ((word &>> 1) &>> Word(zeros)) &- offset
            values[index] = (rest &<< 1 | word & 1) &<< Word(shift)
        }
        return (zeros, offset, shift)
    }

    /// The left shift after which a class's two highest planes say most of what can be said by frequencies.
    private func residualShift(_ values: UnsafeMutablePointer<Word>, _ count: Int) -> Int {
        var union: Word = 0
        for index in 0..<count { union |= values[index] }
        guard union != 0 else { return 0 }
        let most = union.leadingZeroBitCount
        guard Word.bitWidth > 8 else { return most }
        let step = max(1, count / 1024)
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 512) { counts in
            var best = (shift: most, bits: Double.infinity)
            for shift in stride(from: most, through: max(0, most - 7), by: -1) {
                if isFast {
                    cc_count_upper(fast(values), count, step, UInt32(shift), counts.baseAddress)
                } else {
                    counts.update(repeating: 0)
                    for index in stride(from: 0, to: count, by: step) {
                        let word = values[index] &<< Word(shift)
                        counts[Int(truncatingIfNeeded: word &>> Word(Word.bitWidth &- 8))] += 1
                        counts[256 &+ Int(truncatingIfNeeded: word &>> Word(Word.bitWidth &- 16) & 255)] += 1
                    }
                }
                // What lies below costs its full bits: one fewer for each place that the words move down.
                let sampled = Double((count + step - 1) / step)
                let below = Double(max(0, Word.bitWidth - 16 - shift)) * sampled
                let bits = EntropyCoder.entropyBits(UnsafeBufferPointer(rebasing: counts[..<256]))
                    + EntropyCoder.entropyBits(UnsafeBufferPointer(rebasing: counts[256...])) + below
                if bits < best.bits { best = (shift, bits) } else if shift < best.shift - 2 { break }
            }
            return best.shift
        }
    }

    private func split(
        _ values: UnsafeMutablePointer<Word>, _ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        if isFast, count > 0 {
            cc_split_planes(fast(values), planes.baseAddress!.assumingMemoryBound(to: UInt8.self), count, count)
            for index in 0..<4 { try body(UnsafeRawBufferPointer(rebasing: planes[index * count..<(index + 1) * count])) }
            return
        }
        let plane = UnsafeMutableRawBufferPointer(rebasing: planes[..<count])
        for index in 0..<Self.width {
            let shift = Word(truncatingIfNeeded: index * 8)
            if let output = plane.baseAddress?.assumingMemoryBound(to: UInt8.self) {
                for element in 0..<count { output[element] = UInt8(truncatingIfNeeded: values[element] &>> shift) }
            }
            try body(UnsafeRawBufferPointer(plane))
        }
    }
}
