/// Growing flat memory for plain values, owned by one encoder at a time.
struct RawBuffer<Element: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var capacity: Int
    var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    /// Makes room for `additional` elements after `count`.
    @inline(__always)
    mutating func reserve(_ additional: Int) {
        if count + additional > capacity { grow(to: count + additional) }
    }

    @inline(never)
    private mutating func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        moved.update(from: base, count: count)
        base.deallocate()
        base = moved
        capacity = larger
    }

    /// Room for the element must have been reserved.
    @inline(__always)
    mutating func appendReserved(_ element: Element) {
        base[count] = element
        count += 1
    }

    @inline(__always)
    mutating func append(_ element: Element) {
        reserve(1)
        appendReserved(element)
    }
}

/// One token of a text before the template: its id and where it stands, in bytes.
struct PlacedToken: BitwiseCopyable {
    var id: Int32
    var start: Int32
    var end: Int32
}
