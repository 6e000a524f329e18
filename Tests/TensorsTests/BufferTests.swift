#if canImport(Glibc)
import Glibc
#endif
import Testing
@testable import Tensors

@Suite("A buffer")
struct BufferTests {
    @Test("is zeroed and aligned to 64 bytes, to 2 MiB when large",
          arguments: [0, 1, 63, 64, 65, 4095, (4 << 20) - 1, 4 << 20, 9_000_001])
    func zeros(byteCount: Int) {
        // A block that was used before, to be handed out again.
        do {
            let used = Buffer(byteCount: byteCount)
            used.pointer.initializeMemory(as: UInt8.self, repeating: 0xFF, count: byteCount)
        }
        let buffer = Buffer(byteCount: byteCount)
        #expect(buffer.byteCount == byteCount)
        #expect(UInt(bitPattern: buffer.pointer) % (byteCount >= 4 << 20 ? 2 << 20 : 64) == 0)
        let isZero = UnsafeRawBufferPointer(start: buffer.pointer, count: byteCount).allSatisfy { $0 == 0 }
        #expect(isZero)
    }

    @Test("takes memory as it is written to")
    func untouched() {
        let byteCount = 64 << 20, pageSize = Int(getpagesize())
        let buffer = Buffer(byteCount: byteCount)
        func residentPages() -> Int {
            var pages = [UInt8](repeating: 0, count: byteCount / pageSize)
            #expect(mincore(buffer.pointer, byteCount, &pages) == 0)
            return pages.count { $0 & 1 == 1 }
        }
        #expect(residentPages() == 0)
        buffer.pointer.storeBytes(of: 1, toByteOffset: byteCount / 2, as: UInt8.self)
        #expect((1...(2 << 20) / pageSize).contains(residentPages()))
    }
}
