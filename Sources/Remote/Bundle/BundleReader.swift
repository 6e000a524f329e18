import Foundation
import Store

/// A bundle open for reading: where in the file each content lies.
final class BundleReader: OCISource {
    let place: String
    private let descriptor: Int32
    private let byteCount: Int
    private let members: [String: Range<Int>]

    /// Reads the members' headers.
    ///
    /// - Throws: `RemoteError` with code `notFound`, `inputOutput` or `wrongContent`.
    init(_ path: String) throws {
        place = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw RemoteError(
                errno == ENOENT ? .notFound : .inputOutput, operation: "open a bundle", place: path,
                found: String(cString: strerror(errno)), advice: "check the path")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw RemoteError(.inputOutput, operation: "open a bundle", place: path, expected: "a file", found: "something else")
        }
        byteCount = Int(status.st_size)
        do { members = try Self.scan(descriptor, byteCount, path) } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    private static func scan(_ descriptor: Int32, _ byteCount: Int, _ path: String) throws -> [String: Range<Int>] {
        var members: [String: Range<Int>] = [:]
        var offset = 0
        var block = [UInt8](repeating: 0, count: TarArchive.blockByteCount)
        while true {
            guard byteCount - offset >= block.count else { throw damage(path, "the end of the archive", "the end of the file") }
            try block.withUnsafeMutableBytes { try read(descriptor, $0, at: offset, path) }
            offset += block.count
            let parsed: (name: String, size: Int, isFile: Bool)?
            do { parsed = try TarArchive.parse(block) } catch { throw damage(path, "a tar archive", "\(error)") }
            guard let (name, size, isFile) = parsed else { return members }
            guard size <= byteCount - offset, TarArchive.padding(size) <= byteCount - offset - size else {
                throw damage(path, "\(size) bytes of \(RemoteError.printable(name, limit: 100))", "the end of the file")
            }
            if isFile, members.updateValue(offset..<offset + size, forKey: name) != nil {
                throw damage(path, "one member of a name", "a second \(RemoteError.printable(name, limit: 100))")
            }
            offset += size + TarArchive.padding(size)
        }
    }

    private static func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer, at offset: Int, _ path: String) throws {
        var done = 0
        while done < bytes.count {
            let count = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw RemoteError(
                    .inputOutput, operation: "read a bundle", place: path,
                    found: count < 0 ? String(cString: strerror(errno)) : "the end of the file")
            }
            done += count
        }
    }

    private static func damage(_ path: String, _ expected: String, _ found: String) -> RemoteError {
        RemoteError(
            .wrongContent, operation: "read a bundle", place: path, expected: expected, found: found,
            advice: "get the file again: it is cut or changed")
    }

    private func bytes(_ name: String, limit: Int) throws -> [UInt8] {
        guard let range = members[name] else { throw Self.damage(place, name, "nothing") }
        guard range.count <= limit else { throw Self.damage(place, "at most \(limit) bytes in \(name)", "\(range.count)") }
        var bytes = [UInt8](repeating: 0, count: range.count)
        try bytes.withUnsafeMutableBytes { try Self.read(descriptor, $0, at: range.lowerBound, place) }
        return bytes
    }

    /// The one manifest of the bundle and the name that the index gives it.
    func manifest() throws -> OCIManifest {
        let index: JSONValue
        do { index = try JSONValue(parsing: bytes(BundleLayout.index, limit: 1 << 20)) } catch let error as StoreError {
            throw Self.damage(place, "JSON in \(BundleLayout.index)", error.found ?? "something else")
        }
        guard let entries = index["manifests"]?.arrayValue, entries.count == 1 else {
            throw Self.damage(place, "one manifest in \(BundleLayout.index)", "another number")
        }
        let descriptor = try OCIDescriptor(json: entries[0])
        let manifest = try OCIManifest(parsing: content(descriptor, limit: OCIManifest.largest))
        if let name = descriptor.annotations[Annotation.referenceName], name != manifest.annotations[Annotation.name] {
            throw Self.damage(place, "the name that its manifest has", RemoteError.printable(name, limit: 80))
        }
        return manifest
    }

    func content(_ descriptor: OCIDescriptor) throws -> [UInt8] { try content(descriptor, limit: Arrival.largestManifests) }

    private func content(_ descriptor: OCIDescriptor, limit: Int) throws -> [UInt8] {
        let bytes = try bytes(BundleLayout.path(of: descriptor.digest), limit: limit)
        guard bytes.count == descriptor.size, Digest(of: bytes) == descriptor.digest else {
            throw Self.damage(place, "\(descriptor.digest)", "other bytes")
        }
        return bytes
    }

    func fill(_ file: PartialFile, _ descriptor: OCIDescriptor, progress: @escaping @Sendable (Int) -> Void) throws {
        guard let range = members[BundleLayout.path(of: descriptor.digest)], range.count == descriptor.size else {
            throw Self.damage(place, "\(descriptor.size) bytes of \(descriptor.digest.short)", "another length, or nothing")
        }
        if file.byteCount > range.count { try file.restart() }
        var buffer = [UInt8](repeating: 0, count: max(1, min(1 << 20, range.count)))
        while file.byteCount < range.count {
            let count = min(buffer.count, range.count - file.byteCount)
            try buffer.withUnsafeMutableBytes {
                let portion = UnsafeMutableRawBufferPointer(rebasing: $0[..<count])
                try Self.read(self.descriptor, portion, at: range.lowerBound + file.byteCount, place)
                try file.append(UnsafeRawBufferPointer(portion))
            }
            progress(count)
        }
    }

}
