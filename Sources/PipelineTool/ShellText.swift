/// Commands as one would type them.
enum ShellText {
    /// `pipeline` with its words.
    static func command(_ words: some Sequence<String>) -> String {
        (["pipeline"] + words.map(quoted)).joined(separator: " ")
    }

    /// A word that the shell takes for one word.
    static func quoted(_ word: String) -> String {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "_-./:=,+@%".utf8.contains(byte)
                }
            }
        return isPlain
            ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
