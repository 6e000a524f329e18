/// Byte-pair encoding of words: bytes become symbols, then the merge of lowest rank is done, leftmost first, until none is left.
struct BytePairEncoding: Sendable {
    /// Ids of the 256 single-byte tokens; -1 where the vocabulary has none.
    private let byteIDs: [Int32]
    private let table: MergeTable
    private let unknown: Int32?
    private let fusesUnknown: Bool
    /// Up to here finding the lowest rank by looking at all pairs is fastest; longer words use a heap.
    private static let scanLimit = 48

    init(byteIDs: [Int32], table: MergeTable, unknown: Int32?, fusesUnknown: Bool) {
        precondition(byteIDs.count == 256)
        self.byteIDs = byteIDs
        self.table = table
        self.unknown = unknown
        self.fusesUnknown = fusesUnknown
    }

    /// Appends the tokens of one word; room for one per byte has been reserved.
    @inline(never)
    func append(_ word: UnsafePointer<UInt8>, _ count: Int, origin: Int32, to scratch: inout EncodingScratch) {
        scratch.merging.begin(count)
        splitIntoBytes(word, count, &scratch.merging)
        if scratch.merging.count <= Self.scanLimit {
            mergeByScanning(&scratch.merging)
            var start = origin
            for index in 0..<scratch.merging.count {
                let symbol = scratch.merging.symbols.base[index]
                scratch.tokens.appendReserved(PlacedToken(id: symbol.id, start: start, end: start + symbol.length))
                start += symbol.length
            }
        } else {
            mergeByHeap(&scratch.merging)
            var start = origin
            var index = 0
            while index >= 0 {
                let symbol = scratch.merging.symbols.base[index]
                scratch.tokens.appendReserved(PlacedToken(id: symbol.id, start: start, end: start + symbol.length))
                start += symbol.length
                index = Int(symbol.next)
            }
        }
    }

    private func splitIntoBytes(_ word: UnsafePointer<UInt8>, _ count: Int, _ merging: inout MergeScratch) {
        var previousIsUnknown = false
        for index in 0..<count {
            let id = byteIDs[Int(word[index])]
            if id >= 0 {
                merging.add(id)
                previousIsUnknown = false
            } else if let unknown {
                if previousIsUnknown && fusesUnknown {
                    merging.symbols.base[merging.count - 1].length += 1
                } else {
                    merging.add(unknown)
                }
                previousIsUnknown = true
            }
        }
    }

    private func mergeByScanning(_ merging: inout MergeScratch) {
        guard merging.count > 1 else { return }
        let symbols = merging.symbols.base
        let ranks = merging.ranks.base
        var count = merging.count
        for index in 0..<count - 1 { ranks[index] = table[symbols[index].id, symbols[index + 1].id] }
        while count > 1 {
            var best = MergeTable.Merge.none
            var place = 0
            for index in 0..<count - 1 where ranks[index].rank < best.rank {
                best = ranks[index]
                place = index
            }
            guard best.rank < MergeTable.Merge.none.rank else { break }
            symbols[place].id = best.id
            symbols[place].length += symbols[place + 1].length
            count -= 1
            for index in place + 1..<max(count, place + 1) {
                symbols[index] = symbols[index + 1]
                ranks[index - 1] = ranks[index]
            }
            if place > 0 { ranks[place - 1] = table[symbols[place - 1].id, symbols[place].id] }
            if place + 1 < count { ranks[place] = table[symbols[place].id, symbols[place + 1].id] }
        }
        merging.count = count
    }

    private func mergeByHeap(_ merging: inout MergeScratch) {
        let symbols = merging.symbols.base
        for index in 0..<merging.count {
            symbols[index].previous = Int32(index - 1)
            symbols[index].next = index + 1 < merging.count ? Int32(index + 1) : -1
        }
        for index in 0..<merging.count - 1 {
            merging.push(table[symbols[index].id, symbols[index + 1].id], at: Int32(index))
        }
        while let candidate = merging.pop() {
            let place = Int(candidate.place)
            let next = symbols[place].next
            // Entries of symbols that have since changed are stale: the pair there is another one now.
            guard symbols[place].length > 0, next >= 0,
                table[symbols[place].id, symbols[Int(next)].id].id == candidate.id
            else { continue }
            symbols[place].id = candidate.id
            symbols[place].length += symbols[Int(next)].length
            symbols[place].next = symbols[Int(next)].next
            symbols[Int(next)].length = 0
            let after = symbols[place].next
            let before = symbols[place].previous
            if after >= 0 {
                symbols[Int(after)].previous = Int32(place)
                merging.push(table[candidate.id, symbols[Int(after)].id], at: Int32(place))
            }
            if before >= 0 { merging.push(table[symbols[Int(before)].id, candidate.id], at: before) }
        }
    }
}

/// Working memory of one word's merges.
struct MergeScratch: ~Copyable {
    struct Symbol: BitwiseCopyable {
        var id: Int32
        /// 0 once it was merged into the symbol before.
        var length: Int32
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    struct Candidate: BitwiseCopyable {
        var rank: UInt32
        var place: Int32
        var id: Int32

        var order: UInt64 { UInt64(rank) << 32 | UInt64(UInt32(bitPattern: place)) }
    }

    var symbols = RawBuffer<Symbol>(capacity: 64)
    var ranks = RawBuffer<MergeTable.Merge>(capacity: 64)
    var heap = RawBuffer<Candidate>(capacity: 64)
    var count: Int {
        get { symbols.count }
        set { symbols.count = newValue }
    }

    mutating func begin(_ bytes: Int) {
        symbols.count = 0
        ranks.count = 0
        heap.count = 0
        symbols.reserve(bytes)
        ranks.reserve(bytes)
    }

    @inline(__always)
    mutating func add(_ id: Int32) { symbols.appendReserved(Symbol(id: id, length: 1)) }

    mutating func push(_ merge: MergeTable.Merge, at place: Int32) {
        guard merge.rank < MergeTable.Merge.none.rank else { return }
        let candidate = Candidate(rank: merge.rank, place: place, id: merge.id)
        heap.append(candidate)
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard candidate.order < heap.base[parent].order else { break }
            heap.base[index] = heap.base[parent]
            index = parent
        }
        heap.base[index] = candidate
    }

    /// The candidate of lowest rank, leftmost among equals.
    mutating func pop() -> Candidate? {
        guard heap.count > 0 else { return nil }
        let top = heap.base[0]
        heap.count -= 1
        let moved = heap.base[heap.count]
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap.base[child + 1].order < heap.base[child].order { child += 1 }
            guard heap.base[child].order < moved.order else { break }
            heap.base[index] = heap.base[child]
            index = child
        }
        heap.base[index] = moved
        return top
    }
}
