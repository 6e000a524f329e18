import Foundation
import Testing

@testable import Tokenizers

@Suite struct HuggingFaceTokenizerFilesTests {
    @Test("Exported files read back as the same tokenizer", arguments: SequenceTokenizerTests.names)
    func roundTrip(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let files = HuggingFaceTokenizerFiles.files(for: tokenizer)
        let type = tokenizer.specification.kind == .wordPiece ? "bert" : "roberta"
        let (read, specification) = try TokenizerLoader.load(files: files, modelType: type, cased: nil)
        #expect(specification == tokenizer.specification)
        #expect(read.archive == tokenizer.archive)
        let (alone, _) = try TokenizerLoader.load(
            files: ["tokenizer.json": files["tokenizer.json"]!], modelType: nil, cased: nil)
        for text in TokenizerArchiveTests.texts {
            let expected = try tokenizer.encode(text, pair: text)
            #expect(try read.encode(text, pair: text) == expected)
            #expect(try alone.encode(text, pair: text) == expected)
        }
    }

    @Test("Without tokenizer.json the older files give the same ids")
    func olderFiles() throws {
        for name in SequenceTokenizerTests.names {
            let tokenizer = try Fixtures.tokenizer(name)
            // A class that does not have it by default cannot be told by the older files.
            guard tokenizer.specification.unknownToken == nil || tokenizer.specification.kind == .wordPiece else {
                continue
            }
            var files = HuggingFaceTokenizerFiles.files(for: tokenizer)
            files["tokenizer.json"] = nil
            let (read, _) = try TokenizerLoader.load(files: files, modelType: nil, cased: nil)
            for text in TokenizerArchiveTests.texts {
                #expect(try read.encode(text).ids == tokenizer.encode(text).ids, "\(name)")
            }
        }
    }

    @Test("The class is the family's own only where that class builds the same tokenizer")
    func className() throws {
        func named(_ tokenizer: any Tokenizer) throws -> String? {
            let data = HuggingFaceTokenizerFiles.files(for: tokenizer)["tokenizer_config.json"]!
            return try JSONReader.read(data, file: "tokenizer_config.json")["tokenizer_class"]?.text
        }
        #expect(try named(Fixtures.tokenizer("small-bert cased")) == "BertTokenizer")
        #expect(try named(Fixtures.tokenizer("small-roberta")) == "RobertaTokenizer")
        var archive = try Fixtures.tokenizer("small-bert cased").archive
        archive.specification.maximumWordLength = 50
        #expect(try named(archive.makeTokenizer()) == "PreTrainedTokenizerFast")
    }
}
