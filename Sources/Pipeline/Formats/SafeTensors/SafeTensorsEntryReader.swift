import JSON

/// Reads one tensor's entry of a safetensors header: `{"dtype": …, "shape": […], "data_offsets": [begin, end]}`.
struct SafeTensorsEntryReader {
    let file: String
    let name: String
    let dataSize: Int

    func read(_ scanner: inout JSONScanner) throws -> SafeTensorInfo {
        var type: SafeTensorsType?
        var shape: [Int]?
        var range: Range<Int>?
        var seen: [String] = []
        try scanner.object { scanner, field in
            guard !seen.contains(field) else {
                throw refuse(.duplicateField, field, "the field stands twice in the tensor's entry")
            }
            seen.append(field)
            switch field {
            case "dtype": type = try readType(&scanner)
            case "shape": shape = try readShape(&scanner)
            case "data_offsets": range = try readOffsets(&scanner)
            default:
                throw refuse(
                    .unknownField, field, "the tensor's entry has an unknown field",
                    expected: "dtype, shape and data_offsets")
            }
        }
        guard let type else { throw refuse(.missingField, "dtype", "the tensor's entry lacks a field") }
        guard let shape else { throw refuse(.missingField, "shape", "the tensor's entry lacks a field") }
        guard let range else { throw refuse(.missingField, "data_offsets", "the tensor's entry lacks a field") }
        try check(type, shape, range)
        return SafeTensorInfo(name: name, type: type, shape: shape, range: range)
    }

    private func readType(_ scanner: inout JSONScanner) throws -> SafeTensorsType {
        guard scanner.peek() == .string else {
            throw refuse(.dataTypeNotString, "dtype", "the element type is not a string")
        }
        let name = try scanner.string()
        guard let type = SafeTensorsType(rawValue: name) else {
            throw refuse(
                .unknownDataType, "dtype", "the element type is unknown",
                expected: SafeTensorsType.allCases.map(\.rawValue).joined(separator: ", "), found: "\"\(name)\"")
        }
        return type
    }

    private func readShape(_ scanner: inout JSONScanner) throws -> [Int] {
        guard scanner.peek() == .array else { throw refuse(.shapeNotArray, "shape", "the shape is not an array") }
        var shape: [Int] = []
        try scanner.array { scanner in
            guard shape.count < SafeTensorsHeader.highestRank else {
                throw refuse(
                    .rankTooLarge, "shape", "the shape has too many dimensions",
                    expected: "at most \(SafeTensorsHeader.highestRank)")
            }
            guard scanner.peek() == .number else {
                throw refuse(.shapeNotInteger, "shape", "a dimension is not a number")
            }
            let number = try scanner.number()
            guard number.isInteger else {
                throw refuse(.shapeFractional, "shape", "a dimension is not an integer", found: number.literal)
            }
            guard !number.isNegative else {
                throw refuse(.shapeNegative, "shape", "a dimension is negative", found: number.literal)
            }
            guard let dimension = number.integer else {
                throw refuse(.shapeOverflow, "shape", "a dimension is too large", found: number.literal)
            }
            shape.append(dimension)
        }
        return shape
    }

    private func readOffsets(_ scanner: inout JSONScanner) throws -> Range<Int> {
        guard scanner.peek() == .array else {
            throw refuse(.offsetsNotArray, "data_offsets", "the offsets are not an array")
        }
        var offsets: [Int] = []
        try scanner.array { scanner in
            guard offsets.count < 2 else {
                throw refuse(.offsetsCount, "data_offsets", "there are more than two offsets", expected: "2")
            }
            guard scanner.peek() == .number else {
                throw refuse(.offsetNotInteger, "data_offsets", "an offset is not a number")
            }
            let number = try scanner.number()
            guard number.isInteger else {
                throw refuse(.offsetFractional, "data_offsets", "an offset is not an integer", found: number.literal)
            }
            guard !number.isNegative else {
                throw refuse(.offsetNegative, "data_offsets", "an offset is negative", found: number.literal)
            }
            guard let offset = number.integer else {
                throw refuse(.offsetOverflow, "data_offsets", "an offset is too large", found: number.literal)
            }
            offsets.append(offset)
        }
        guard offsets.count == 2 else {
            throw refuse(
                .offsetsCount, "data_offsets", "there are too few offsets", expected: "2", found: "\(offsets.count)")
        }
        guard offsets[0] <= offsets[1] else {
            throw refuse(
                .offsetsReversed, "data_offsets", "the tensor ends before it begins",
                found: "[\(offsets[0]), \(offsets[1])]")
        }
        return offsets[0]..<offsets[1]
    }

    private func check(_ type: SafeTensorsType, _ shape: [Int], _ range: Range<Int>) throws {
        // Zeros are left out, so that the order of the factors cannot hide an overflow.
        var product = type.bitCount
        for dimension in shape where dimension > 0 {
            let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
            guard !overflow else {
                throw refuse(.shapeOverflow, "shape", "the number of elements is too large", found: "\(shape)")
            }
            product = next
        }
        let bits = shape.contains(0) ? 0 : product
        guard bits % 8 == 0 && bits / 8 == range.count else {
            throw refuse(
                .shapeRangeMismatch, "data_offsets", "the shape and the range of bytes disagree",
                expected: "\((bits + 7) / 8) bytes for \(type.rawValue) \(shape)", found: "\(range.count)")
        }
        guard range.upperBound <= dataSize else {
            throw FormatError(
                .dataTruncated, file: file, tensor: name, "the tensor lies beyond the end of the file",
                expected: "at least \(range.upperBound) bytes of data", found: "\(dataSize)",
                advice: "The file is incomplete; obtain it again.")
        }
    }

    private func refuse(
        _ reason: FormatReason, _ field: String, _ problem: String, expected: String? = nil, found: String? = nil
    ) -> FormatError {
        FormatError(reason, file: file, tensor: name, column: field, problem, expected: expected, found: found)
    }
}
