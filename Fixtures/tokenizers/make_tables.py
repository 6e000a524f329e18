"""Writes Sources/Tokenizers/UnicodeData.swift and Fixtures/tokenizers/unicode-digests.json.

Every table is probed from the reference library over all code points, because its Unicode tables come from several
versions of Unicode at once and are neither Swift's nor Python's.

    python3 make_tables.py --environment DIR      (a virtual environment is made in DIR if it is not there)

Reference: tokenizers 0.23.3. No randomness.
"""
import base64
import json
import sys
import unicodedata
import zlib
from pathlib import Path

from reference import REPOSITORY, TOKENIZERS_VERSION, in_environment

in_environment(sys.argv)

from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers  # noqa: E402
from tokenizers.models import WordPiece  # noqa: E402

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
NORMALIZERS = {
    f"{clean:d}{cjk:d}{strip:d}{lower:d}": normalizers.BertNormalizer(
        clean_text=clean, handle_chinese_chars=cjk, strip_accents=strip, lowercase=lower
    )
    for clean in (False, True) for cjk in (False, True) for strip in (False, True) for lower in (False, True)
}


def probe_classes():
    """Sets of code points for every class that some step of the reference asks about."""
    clean = NORMALIZERS["1000"]
    chinese = NORMALIZERS["0100"]
    strip = NORMALIZERS["0010"]
    nfd = normalizers.NFD()
    bert = pre_tokenizers.BertPreTokenizer()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    strips = Tokenizer(WordPiece({"[UNK]": 0, "<m>": 1}, unk_token="[UNK]"))
    strips.add_tokens([AddedToken("<m>", lstrip=True, normalized=False)])
    single = Tokenizer(WordPiece({"[UNK]": 0, "<m>": 1}, unk_token="[UNK]"))
    single.add_tokens([AddedToken("<m>", single_word=True, normalized=False)])
    classes = {name: set() for name in (
        "removed", "cleaned_space", "chinese", "mark", "space", "punctuation", "letter", "number", "regex_space",
        "strip_space", "word")}
    for code in CODE_POINTS:
        character = chr(code)
        text = clean.normalize_str(character)
        if text == "":
            classes["removed"].add(code)
        elif text == " ":
            classes["cleaned_space"].add(code)
        else:
            assert text == character, hex(code)
        text = chinese.normalize_str(character)
        if text != character:
            assert text == f" {character} ", hex(code)
            classes["chinese"].add(code)
        if nfd.normalize_str(character) == character:
            text = strip.normalize_str(character)
            assert text in ("", character), hex(code)
            if text == "":
                classes["mark"].add(code)
        pieces = [piece for piece, _ in bert.pre_tokenize_str(f"a{character}a")]
        if pieces == ["a", "a"]:
            classes["space"].add(code)
        elif len(pieces) == 3:
            classes["punctuation"].add(code)
        else:
            assert len(pieces) == 1, hex(code)
        if len(byte_level.pre_tokenize_str(f"a{character}")) == 1:
            classes["letter"].add(code)
        elif len(byte_level.pre_tokenize_str(f"1{character}")) == 1:
            classes["number"].add(code)
        elif len(byte_level.pre_tokenize_str(f"!{character}")) != 1:
            classes["regex_space"].add(code)
        if strips.encode(f"{character}<m>").ids == [1]:
            classes["strip_space"].add(code)
        if 1 not in single.encode(f"{character}<m>").ids:
            classes["word"].add(code)
    return classes


def probe_mappings():
    """Full canonical decompositions (Hangul aside, which is arithmetic) and lower-case mappings."""
    nfd = normalizers.NFD()
    lower = NORMALIZERS["0001"]
    decompositions, lowercase = {}, {}
    for code in CODE_POINTS:
        character = chr(code)
        text = nfd.normalize_str(character)
        if 0xAC00 <= code < 0xAC00 + 11172:
            index = code - 0xAC00
            parts = [0x1100 + index // 588, 0x1161 + index % 588 // 28, 0x11A7 + index % 28]
            assert text == "".join(map(chr, parts[:2] if index % 28 == 0 else parts)), hex(code)
        elif text != character:
            decompositions[code] = [ord(c) for c in text]
        text = lower.normalize_str(character)
        if text != character:
            lowercase[code] = [ord(c) for c in text]
    # Lower-casing looks at one character at a time: no final sigma, no dot that depends on what follows.
    for text in ("ΑΣ", "ΑΣ ", "ΑΣΑ", "I\u0307", "Σ"):
        assert lower.normalize_str(text) == "".join(lower.normalize_str(c) for c in text), text
    return decompositions, lowercase


def probe_combining_classes(decompositions):
    """The order in which marks sort: for each mark the class of the representatives it sorts with."""
    nfd = normalizers.NFD()
    lowest = 0x0334  # class 1, in every version of Unicode

    def swaps(first, second):
        text = "a" + chr(first) + chr(second)
        return nfd.normalize_str(text) != text

    representatives = {1: lowest}
    for code in CODE_POINTS:
        combining = unicodedata.combining(chr(code))
        if combining and combining not in representatives and code not in decompositions and swaps(code, lowest):
            representatives[combining] = code
    order = sorted(representatives)
    for low, high in zip(order, order[1:]):
        assert swaps(representatives[high], representatives[low]), (low, high)
        assert not swaps(representatives[low], representatives[high]), (low, high)
    classes = {}
    low, high = representatives[order[0]], representatives[order[-1]]
    for code in CODE_POINTS:
        if code in decompositions or 0xAC00 <= code < 0xAC00 + 11172:
            continue
        if not swaps(code, low) and not swaps(high, code):
            # A starter: a mark is above the lowest class or below the highest.
            continue
        above = [c for c in order if swaps(code, representatives[c])]
        below = [c for c in order if swaps(representatives[c], code)]
        between = [c for c in order if c not in above and c not in below]
        assert len(between) == 1, (hex(code), between)
        classes[code] = between[0]
    return classes


def leb128(numbers):
    out = bytearray()
    for number in numbers:
        while number >= 0x80:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def encode_set(codes):
    """Alternating lengths of runs outside and inside the set, from code point 0."""
    lengths, position = [], 0
    ordered = sorted(codes)
    index = 0
    while index < len(ordered):
        start = end = ordered[index]
        while index < len(ordered) and ordered[index] == end:
            index, end = index + 1, end + 1
        lengths += [start - position, end - start]
        position = end
    return leb128(lengths)


def zigzag(number):
    return number * 2 if number >= 0 else -number * 2 - 1


def encode_mapping(mapping):
    """Per entry: distance to the previous key, number of values, values (first relative to the key, then to each other)."""
    numbers, previous = [], 0
    for key in sorted(mapping):
        values = mapping[key]
        numbers += [key - previous, len(values)]
        reference = key
        for value in values:
            numbers.append(zigzag(value - reference))
            reference = value
        previous = key
    return leb128(numbers)


def encode_values(mapping):
    """Per entry: distance to the previous key, value."""
    numbers, previous = [], 0
    for key in sorted(mapping):
        numbers += [key - previous, mapping[key]]
        previous = key
    return leb128(numbers)


def digests():
    """CRC-32 of what the reference makes of each code point between two letters, one line for each."""
    found = {}
    for name, normalizer in NORMALIZERS.items():
        crc = 0
        for code in CODE_POINTS:
            crc = zlib.crc32(f"{normalizer.normalize_str(f'A{chr(code)}B')}\n".encode(), crc)
        found[f"normalizer {name}"] = crc
    bert = pre_tokenizers.BertPreTokenizer()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for name, tool, forms in (
        ("bert pre-tokenizer", bert, ("A{}B",)),
        ("byte-level pre-tokenizer", byte_level, ("A{}B", "1{}2", "!{}!", " {} ", "'{}s")),
    ):
        crc = 0
        for code in CODE_POINTS:
            for form in forms:
                offsets = [end for _, (_, end) in tool.pre_tokenize_str(form.format(chr(code)))]
                crc = zlib.crc32((" ".join(map(str, offsets)) + "\n").encode(), crc)
        found[name] = crc
    return found


def swift_literal(name, data, comment):
    text = base64.b64encode(data).decode()
    lines = [text[i:i + 108] for i in range(0, len(text), 108)]
    body = "\n".join(f"        {line}\\" for line in lines[:-1]) + ("\n" if len(lines) > 1 else "") + f"        {lines[-1]}"
    return f'    /// {comment}\n    static let {name} = """\n{body}\n        """\n'


def main():
    classes = probe_classes()
    decompositions, lowercase = probe_mappings()
    combining = probe_combining_classes(decompositions)
    print({name: len(codes) for name, codes in classes.items()}, file=sys.stderr)
    print(len(decompositions), len(lowercase), len(combining), file=sys.stderr)
    # All steps mean the same 25 characters by white space; the cleaning step removes some of them first.
    space = classes["space"]
    assert space == classes.pop("regex_space") == classes.pop("strip_space")
    assert space - classes["removed"] == classes.pop("cleaned_space")
    comments = {
        "removed": "Removed by the cleaning step: NUL, U+FFFD, control, format, private-use and unassigned.",
        "chinese": "Set apart by spaces.",
        "mark": "Non-spacing marks, removed when accents are stripped.",
        "space": "White space, of every step.",
        "punctuation": "A word of its own in the BERT pre-tokenizer.",
        "letter": "\\\\p{L} of the byte-level pre-tokenizer.",
        "number": "\\\\p{N} of the byte-level pre-tokenizer.",
        "word": "Word characters, for added tokens that match single words only.",
    }
    parts = [
        f"// Generated by Fixtures/tokenizers/make_tables.py from tokenizers {TOKENIZERS_VERSION}. Do not edit.\n",
        "/// Character tables of the reference library, each a base64 text of LEB128 numbers; `UnicodeTables` reads them.",
        "enum UnicodeData {",
    ]
    camel = lambda name: "".join(p if i == 0 else p.capitalize() for i, p in enumerate(name.split("_")))  # noqa: E731
    for name, codes in classes.items():
        parts.append(swift_literal(camel(name), encode_set(codes), comments[name].replace("\\\\", "\\")))
    parts.append(swift_literal(
        "decompositions", encode_mapping(decompositions), "Full canonical decompositions, Hangul syllables aside."))
    parts.append(swift_literal("lowercase", encode_mapping(lowercase), "Lower-case mappings of single characters."))
    parts.append(swift_literal("combiningClasses", encode_values(combining), "Canonical combining classes."))
    parts.append("}\n")
    (REPOSITORY / "Sources/Tokenizers/UnicodeData.swift").write_text("\n".join(parts))
    record = {"tokenizers": TOKENIZERS_VERSION, "crc32": digests()}
    (Path(__file__).parent / "unicode-digests.json").write_text(json.dumps(record, indent=1) + "\n")


main()
