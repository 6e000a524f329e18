"""A seeded corpus of texts that tokenizers get wrong. No line holds a line feed or NUL; a tab stands only between pairs."""
import random
import unicodedata

SPECIAL = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "<s>", "</s>", "<pad>", "<unk>", "<mask>"]
SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "It's what she'd've said: they'll won't, I'm sure!",
    "Ünïcödé façade naïve café Ångström crème brûlée", "ΟΔΥΣΣΕΥΣ Σίσυφος ΑΣ ἄνθρωπος", "İstanbul IĞDIR ışık ŞİŞLİ",
    "Съешь же ещё этих мягких французских булок", "色は匂へど散りぬるを 我が世誰ぞ", "ガギグゲゴ ｶﾞｷﾞ ﾊﾟﾋﾟ", "한국어 형태소 각갂갃 가나다",
    "我能吞下玻璃而不伤身体。", "हिन्दी में लिखा हुआ पाठ", "ภาษาไทยไม่มีช่องว่าง", "العَرَبِيَّة بالتَّشْكِيل", "עִבְרִית מְנֻקֶּדֶת",
    "Tiếng Việt có dấu ở khắp nơi", "ﬁ ﬂ ﬀ ﬃ ſt Ǆ ǅ ǆ ẞ ß", "x² + y³ = ½ ⅷ Ⅷ ① ⑳ ㊿ 𝟘𝟙 १२३ ٣٤٥", "e.g., U.S.A.'s $1,000.00—50% off!!",
    "http://example.org/a_b?c=d&e=f#g user@example.org", "don''t 'Twas 'S 'RE '' ' ''' s' 're've'll'd'm't",
]
EMOJI = ["👩‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🇩🇪🇫🇷", "1️⃣", "❤️", "🧑🏿‍🚀", "😀", "☺", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🫠", "🪿"]
SPACES = [" ", "  ", "   ", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\r", "\x0b",
          "\x0c", "\x85", "\u200b", "\u180e", "\ufeff", "\x1c", "\x1f"]
CONTROLS = ([chr(c) for c in range(1, 32) if c not in (9, 10)] + [chr(c) for c in range(0x7F, 0xA0)]
            + list("\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufff9\ufffc\ufffd\ufeff")
            + ["\U000e0001", "\U000e0041", "\ue000", "\U000f0000", "\U0010fffd", "\ufdd0", "\uffff", "\U0010ffff"])
MARKS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000
         and (unicodedata.combining(chr(c)) or unicodedata.category(chr(c))[0] == "M")]
SORTING = [m for m in MARKS if unicodedata.category(m) != "Mn" or ord(m) > 0x10A00 or ord(m) in range(0x1DC0, 0x1E00)]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def scalars(random_, low, high, count):
    found = [chr(random_.randrange(low, high)) for _ in range(count)]
    return [c for c in found if c not in "\0\t\n" and not 0xD800 <= ord(c) < 0xE000]


def word(random_, alphabet, count):
    return "".join(random_.choice(alphabet) for _ in range(count))


def blocks(random_):
    """A few lines for every 256 code points."""
    for low in range(0, 0x110000, 256):
        if 0xD800 <= low < 0xE000:
            continue
        for form in ("", " ", "a", "1 ") if low < 0x3400 else ("a",):
            parts = scalars(random_, low, low + 256, 24)
            yield form.join(parts)


def marks(random_, count):
    bases = LETTERS + "éÅǖệ가각ᄀ中のかがאبक𝅗" + "[]'. "
    for _ in range(count):
        pool = random_.choice([MARKS, SORTING, MARKS[:112]])
        yield "".join(
            random_.choice(bases) + "".join(random_.choice(pool) for _ in range(random_.choice([0, 1, 1, 2, 3, 6])))
            for _ in range(random_.randrange(1, 12)))


def specials(random_, count):
    glue = ["", "", " ", "  ", "a", "é", "中", ".", "_", "\u3000", "[", "<", "##", "\u0301"]
    for _ in range(count):
        parts = []
        for _ in range(random_.randrange(1, 8)):
            token = random_.choice(SPECIAL)
            token = random_.choice([token] * 6 + [token.lower(), token[:-1], token[1:], token[0] + token])
            parts += [random_.choice(glue), token, random_.choice(glue)]
        yield "".join(parts)


def words(random_, count):
    """Words around the lengths where something changes."""
    alphabets = ["ab", LETTERS, "éàü", "中文字", "0123456789", "😀👍", "\u0301\u0327", ".,;", "'s", "가나다", "#", "aé中😀"]
    for length in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 47, 48, 49, 50, 99, 100, 101, 102, 199, 200, 201, 400):
        for alphabet in alphabets:
            yield word(random_, alphabet, length)
    for alphabet in alphabets + [" ", " a", "\u3000", "\r"]:
        yield word(random_, alphabet, 10_000)
        yield "a " + word(random_, alphabet, 10_000) + " b"
    for _ in range(count):
        yield " ".join(word(random_, random_.choice(alphabets), random_.randrange(1, 30)) for _ in range(8))


def mixtures(random_, count):
    makers = [
        lambda: random_.choice(SENTENCES), lambda: random_.choice(EMOJI), lambda: random_.choice(SPACES),
        lambda: random_.choice(CONTROLS), lambda: random_.choice(SPECIAL), lambda: random_.choice(MARKS),
        lambda: word(random_, LETTERS, random_.randrange(1, 20)), lambda: str(random_.randrange(10 ** 6)),
        lambda: "".join(scalars(random_, 0x21, 0x3000, 3)), lambda: "".join(scalars(random_, 0x21, 0x20000, 3)),
        lambda: random_.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") * random_.randrange(1, 4),
    ]
    for _ in range(count):
        yield "".join(random_.choice(makers)() for _ in range(random_.randrange(1, 16)))


def scrambled(random_, count):
    for _ in range(count):
        text = list(random_.choice(SENTENCES) + random_.choice(SENTENCES))
        random_.shuffle(text)
        yield "".join(text[: random_.randrange(1, len(text))])


def every_code_point():
    codes = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000 and c not in (9, 10)]
    for start in range(0, len(codes), 64):
        yield " ".join(f"a{c}b{c}" for c in codes[start:start + 64])


def lines(seed=0, scale=1.0, whole=False):
    random_ = random.Random(seed)
    count = int(2500 * scale)
    found = ["", " ", "   ", "a", "\u0301", "\u200d", "\ufffd", "中", "'", "'s", " 's", "\u3000 "]
    found += SENTENCES + SENTENCES[::-1] + EMOJI + [" ".join(EMOJI), "".join(EMOJI)]
    found += [space + a + space + "b" + space for space in SPACES for a in ("a", ".", "1", "中", "")]
    found += [f"a{control}b {control} {control}c" for control in CONTROLS]
    found += list(blocks(random_)) + list(marks(random_, count)) + list(specials(random_, count))
    found += list(words(random_, count // 5)) + list(mixtures(random_, count)) + list(scrambled(random_, count))
    if whole:
        found += list(every_code_point())
    pairs = [f"{first}\t{second}" for first, second in zip(found[::4], reversed(found[::4]))]
    found += pairs
    assert not any("\n" in text or "\0" in text or text.count("\t") > 1 for text in found)
    return found
