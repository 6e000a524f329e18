import Foundation
import Testing

/// A server script of `Servers/`, or another program, that runs as long as the object lives.
final class Server {
    let port: Int
    private let process: Process
    private let output: FileHandle

    /// Starts a script whose first line of output is its port.
    init(_ script: String, _ arguments: [String] = []) throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Servers/\(script).py").path()
        let (process, output) = try Self.start("/usr/bin/env", ["python3", path] + arguments)
        (self.process, self.output) = (process, output)
        var line = Data()
        while let byte = try output.read(upToCount: 1), !byte.isEmpty, byte != Data([0x0a]) { line += byte }
        port = try #require(Int(String(decoding: line, as: UTF8.self)), "\(script).py did not start")
    }

    /// Starts Debian's docker-registry on a free port with its content in a folder.
    init(dockerRegistry program: String, in folder: URL) throws {
        var port = 0
        for _ in 0..<20 where port == 0 { port = Self.freePort() }
        let configuration = """
            version: 0.1
            log: {level: error, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: \(folder.path())}, delete: {enabled: true}}
            http: {addr: "127.0.0.1:\(port)"}
            """
        let file = folder.appending(path: "registry.yml")
        try Data(configuration.utf8).write(to: file)
        (process, output) = try Self.start(program, ["serve", file.path()])
        self.port = port
        for _ in 0..<100 {
            if (try? Data(contentsOf: URL(string: "http://127.0.0.1:\(port)/v2/")!)) != nil { return }
            Thread.sleep(forTimeInterval: 0.1)
        }
        Issue.record("docker-registry did not start")
    }

    deinit { end() }

    /// A test's thread blocks signals and its processes inherit that, so that they cannot be asked politely.
    private func end() {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    private static func start(_ program: String, _ arguments: [String]) throws -> (Process, FileHandle) {
        let process = Process(), pipe = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        return (process, pipe.fileHandleForReading)
    }

    private static func freePort() -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in(), size = socklen_t(MemoryLayout<sockaddr_in>.size)
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            guard bind(descriptor, pointer, size) == 0, getsockname(descriptor, pointer, &size) == 0 else { return 0 }
            return Int(UInt16(bigEndian: bytes.load(as: sockaddr_in.self).sin_port))
        }
    }

    /// The requests that a script has seen.
    func log() throws -> [String] {
        let text = String(decoding: try Data(contentsOf: URL(string: "http://127.0.0.1:\(port)/log")!), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }

    /// Ends the program and returns the further lines of its output.
    func stop() throws -> [String] {
        end()
        return String(decoding: try output.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// The path of an installed program; nil if it is not there.
func installed(_ program: String) -> String? {
    ["/usr/bin", "/usr/local/bin", "/usr/sbin"].map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
}
