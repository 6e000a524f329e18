import JSON

/// The header of a safetensors file, checked against the size of the file before anything is taken at its word.
///
/// Stricter than the reference reader: see the reasons in `FormatReason`. Source: the format description of
/// safetensors.
struct SafeTensorsHeader {
    /// The limit of the reference reader.
    static let longest = 100_000_000
    static let highestRank = 8
    static let longestName = 1024

    private(set) var metadata: [String: String] = [:]
    /// In the order in which the header lists them.
    private(set) var tensors: [SafeTensorInfo] = []

    private let file: String
    private let dataSize: Int
    /// Where the header's object is in the file.
    private let place: JSONPlace
    /// Offset of the header's first byte in the file.
    private static let start = 8

    /// - Parameters:
    ///   - bytes: the header without the eight bytes of its length.
    ///   - dataSize: number of bytes in the file after the header.
    init(parsing bytes: UnsafeBufferPointer<UInt8>, file: String, dataSize: Int) throws {
        self.file = file
        self.dataSize = dataSize
        guard !bytes.isEmpty else {
            throw FormatError(.headerEmpty, file: file, byte: 0, "the header has no bytes")
        }
        if let position = UTF8Validation.firstInvalid(in: bytes) {
            throw FormatError(
                .headerNotUTF8, file: file, byte: Self.start + position, "the header is not valid UTF-8",
                found: "byte 0x" + String(bytes[position], radix: 16))
        }
        // Exporters pad with spaces; other white space around the object is not padding.
        guard let first = bytes.firstIndex(where: { $0 != 0x20 }), bytes[first] == UInt8(ascii: "{") else {
            throw Self.withoutObject(bytes, file: file)
        }
        let last = bytes.lastIndex { $0 != 0x20 }!
        place = JSONPlace(file: file, byte: Self.start + first, syntaxReason: .headerNotJSON)
        var scanner = JSONScanner(UnsafeBufferPointer(rebasing: bytes[first...last]))
        try place.naming { try readObject(&scanner) }
        guard scanner.position == last + 1 - first else {
            throw FormatError(
                .headerTrailingBytes, file: file, byte: byte(scanner), "bytes other than padding spaces follow the header's object")
        }
        try checkRanges()
    }

    private static func withoutObject(_ bytes: UnsafeBufferPointer<UInt8>, file: String) -> FormatError {
        let place = JSONPlace(file: file, byte: start, syntaxReason: .headerNotJSON)
        var scanner = JSONScanner(bytes)
        switch scanner.peek() {
        case .other, .object: return place.error(scanner.syntax("the header must start with its object"))
        default: return FormatError(.headerNotObject, file: file, byte: start, "the header is not a JSON object")
        }
    }

    /// Where in the file a scanner of the header's object is.
    private func byte(_ scanner: JSONScanner) -> Int { place.byte + scanner.position }

    private mutating func readObject(_ scanner: inout JSONScanner) throws {
        var metadata: [String: String]?
        var tensors: [SafeTensorInfo] = []
        var names = Set<String>()
        try scanner.object { scanner, name in
            if name == "__metadata__" {
                guard metadata == nil else {
                    throw FormatError(.duplicateMetadata, file: file, byte: byte(scanner), "\"__metadata__\" stands twice")
                }
                metadata = try readMetadata(&scanner)
                return
            }
            try checkName(name)
            guard names.insert(name).inserted else {
                throw FormatError(
                    .duplicateTensor, file: file, byte: byte(scanner), tensor: name,
                    "the name stands twice in the header")
            }
            tensors.append(try readEntry(&scanner, name))
        }
        self.metadata = metadata ?? [:]
        self.tensors = tensors
    }

    private func readMetadata(_ scanner: inout JSONScanner) throws -> [String: String] {
        var metadata: [String: String] = [:]
        guard scanner.peek() == .object else {
            throw FormatError(
                .metadataNotStrings, file: file, byte: byte(scanner),
                "\"__metadata__\" must map strings to strings")
        }
        try scanner.object { scanner, key in
            guard scanner.peek() == .string else {
                throw FormatError(
                    .metadataNotStrings, file: file, byte: byte(scanner), column: key,
                    "\"__metadata__\" must map strings to strings")
            }
            guard metadata.updateValue(try scanner.string(), forKey: key) == nil else {
                throw FormatError(
                    .duplicateMetadataKey, file: file, byte: byte(scanner), column: key,
                    "the key stands twice in \"__metadata__\"")
            }
        }
        return metadata
    }

    private func checkName(_ name: String) throws {
        func refuse(_ reason: FormatReason, _ problem: String) -> FormatError {
            FormatError(reason, file: file, tensor: name, problem)
        }
        let bytes = name.utf8
        guard !bytes.isEmpty else { throw refuse(.nameEmpty, "the tensor's name is empty") }
        guard bytes.count <= Self.longestName else {
            throw refuse(.nameTooLong, "the tensor's name is longer than \(Self.longestName) bytes")
        }
        guard !bytes.contains(0) else { throw refuse(.nameHasNUL, "the tensor's name contains NUL") }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw refuse(.nameHasControl, "the tensor's name contains a control character")
        }
        guard !bytes.contains(UInt8(ascii: "/")), !bytes.contains(UInt8(ascii: "\\")), name != ".", name != ".." else {
            throw refuse(.nameHasPath, "the tensor's name has the parts of a path")
        }
    }

    private func readEntry(_ scanner: inout JSONScanner, _ name: String) throws -> SafeTensorInfo {
        guard scanner.peek() == .object else {
            throw FormatError(
                .entryNotObject, file: file, byte: byte(scanner), tensor: name,
                "the tensor's entry is not an object")
        }
        let reader = SafeTensorsEntryReader(file: file, name: name, dataSize: dataSize)
        return try reader.read(&scanner)
    }

    /// The ranges must cover the data exactly: no hole, no overlap, nothing left over.
    private func checkRanges() throws {
        // Ties go to the empty tensor, as in the reference, and then to the order of the header.
        let order = tensors.indices.sorted { left, right in
            let a = tensors[left].range
            let b = tensors[right].range
            return (a.lowerBound, a.upperBound, left) < (b.lowerBound, b.upperBound, right)
        }
        var end = 0
        var previous: Int?
        for index in order {
            let tensor = tensors[index]
            func refuse(_ reason: FormatReason, _ problem: String) -> FormatError {
                FormatError(
                    reason, file: file, tensor: tensor.name, problem, expected: "a start at \(end)",
                    found: "\(tensor.range.lowerBound) to \(tensor.range.upperBound)")
            }
            guard tensor.range.lowerBound <= end else {
                throw refuse(.hole, "bytes before the tensor belong to no tensor")
            }
            guard tensor.range.lowerBound == end else { throw refuse(.overlap, "the tensor overlaps another one") }
            if let previous, tensors[previous].range.isEmpty, previous > index, !tensor.range.isEmpty,
                tensors[previous].range.lowerBound == tensor.range.lowerBound
            {
                throw FormatError(
                    .emptyTensorOutOfOrder, file: file, tensor: tensors[previous].name,
                    "the tensor has no elements, and shares its offset with \"\(FormatError.printable(tensor.name))\", "
                        + "which stands before it in the header")
            }
            end = tensor.range.upperBound
            previous = index
        }
        guard end == dataSize else {
            throw FormatError(
                .dataTrailingBytes, file: file, "bytes follow the last tensor", expected: "\(end) bytes of data",
                found: "\(dataSize)", advice: "The file is damaged or is not what it claims to be; obtain it again.")
        }
    }
}
