"""Writes the small vocabularies and the ids that the reference gives with them: small-bert/, small-roberta/, golden.json.

"places" is the CRC-32 of the type ids, one digit each, and then of each token's offsets in bytes as " start-end".

    python3 make_golden.py [--environment DIR]

The vocabularies are trained here on the sentences of `corpus.py` and on Unicode characters. Reference: tokenizers 0.23.3,
seed 7. Training breaks ties by hash order, so that a second run may give other vocabularies, with ids to match.
"""
import json
import random
import sys
import zlib
from pathlib import Path

from reference import TOKENIZERS_VERSION, in_environment

in_environment(sys.argv)

from tokenizers import (  # noqa: E402
    AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers)

import corpus  # noqa: E402

HERE = Path(__file__).parent
SEED = 7
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def training_text():
    random_ = random.Random(SEED)
    text = corpus.SENTENCES * 8 + corpus.EMOJI * 3
    for low, high, count in ((0xA1, 0x250, 60), (0x370, 0x530, 60), (0x1E00, 0x2000, 60), (0x2010, 0x2600, 40)):
        characters = corpus.scalars(random_, low, high, count)
        text += ["".join(characters), " ".join(characters)] * 2
    return text


def train(model, normalizer, pre_tokenizer, trainer):
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(training_text(), trainer)
    return tokenizer


def bert(lowercase, vocabulary):
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(BERT_SPECIAL)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    return tokenizer


def roberta(vocabulary, merges, prefix=False):
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.add_special_tokens(ROBERTA_SPECIAL)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", vocabulary["</s>"]), ("<s>", vocabulary["<s>"]), add_prefix_space=prefix)
    return tokenizer


def sample():
    random_ = random.Random(SEED)
    lines = [line for line in corpus.lines(SEED, scale=0.2) if len(line) <= 48]
    chosen = corpus.SENTENCES + random_.sample([line for line in lines if "\t" not in line], 110)
    return chosen + random_.sample([line for line in lines if "\t" in line], 40)


def main():
    random_ = random.Random(SEED)
    cased = train(
        models.WordPiece(unk_token="[UNK]"), normalizers.BertNormalizer(lowercase=False),
        pre_tokenizers.BertPreTokenizer(), trainers.WordPieceTrainer(
            vocab_size=900, special_tokens=BERT_SPECIAL, limit_alphabet=500, show_progress=False))
    byte_level = train(
        models.BPE(), None, pre_tokenizers.ByteLevel(add_prefix_space=False), trainers.BpeTrainer(
            vocab_size=700, special_tokens=ROBERTA_SPECIAL[:4], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    pieces = cased.get_vocab()
    for folder, tokenizer in (("small-bert", cased), ("small-roberta", byte_level)):
        (HERE / folder).mkdir(exist_ok=True)
        tokenizer.model.save(str(HERE / folder))
    byte_vocabulary = json.loads((HERE / "small-roberta/vocab.json").read_text())
    byte_vocabulary["<mask>"] = len(byte_vocabulary)
    (HERE / "small-roberta/vocab.json").write_text(json.dumps(byte_vocabulary, ensure_ascii=False))
    merges = [tuple(line.split(" ")) for line in (HERE / "small-roberta/merges.txt").read_text().splitlines()[1:]]
    (HERE / "small-bert/tokenizer_config.json").write_text(json.dumps(
        {"do_lower_case": True, "model_max_length": 64, "tokenizer_class": "BertTokenizer"}, indent=1) + "\n")

    # Every flag of added tokens, in a document that the reference wrote.
    added_bert = bert(True, pieces)
    added_bert.add_tokens([
        AddedToken("Fox", normalized=True, single_word=True), AddedToken("<left>", lstrip=True, normalized=False),
        AddedToken("<right>", rstrip=True, normalized=False), AddedToken("É", normalized=True),
        AddedToken("<left><right>", lstrip=True, rstrip=True, normalized=False, special=True)])
    added_roberta = roberta(byte_vocabulary, merges, prefix=True)
    added_roberta.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    added_roberta.add_tokens([AddedToken("fox", single_word=True), AddedToken("ov", rstrip=True)])
    added_bert.enable_truncation(5)
    added_bert.enable_padding(length=9)
    added_bert.save(str(HERE / "small-bert/added-tokens.json"), pretty=False)
    added_roberta.save(str(HERE / "small-roberta/added-tokens.json"), pretty=False)
    added_bert.no_truncation()
    added_bert.no_padding()

    texts = sample()
    flags = ["a Fox fox foxes FOX.", "a <left>  <left> b", "<right>  x<right>", "x <left><right> y É é E\u0301 école",
             "fox foxes <mask> over  overt \u3000<mask>", "ov  ov", " leading", "\u00a0<mask>\u00a0", "fox_ _fox fox-"]
    tokenizers = {
        "small-bert uncased": (bert(True, pieces), texts), "small-bert cased": (bert(False, pieces), texts),
        "small-roberta": (roberta(byte_vocabulary, merges), texts),
        "small-bert added": (added_bert, flags + texts[::4]), "small-roberta added": (added_roberta, flags + texts[::4]),
    }
    index = {text: place for place, text in enumerate(flags + texts)}
    cases = []
    for name, (tokenizer, lines) in tokenizers.items():
        for length in (None, 7, 12):
            if length is None:
                tokenizer.no_truncation()
                chosen = lines
            else:
                tokenizer.enable_truncation(length)
                chosen = lines[-40:] if "added" not in name else lines[-10:]
            for line in chosen:
                parts = line.split("\t")
                found = tokenizer.encode(*parts)
                places = "".join(map(str, found.type_ids))
                for (start, end), sequence in zip(found.offsets, found.sequence_ids):
                    part = parts[sequence or 0]
                    places += f" {len(part[:start].encode())}-{len(part[:end].encode())}"
                cases.append({"tokenizer": name, "length": length, "text": index[line], "ids": found.ids,
                              "places": zlib.crc32(places.encode())})
    rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    lines = ",\n".join(json.dumps(text, ensure_ascii=False) for text in flags + texts)
    (HERE / "golden.json").write_text(
        f'{{"tokenizers": "{TOKENIZERS_VERSION}", "seed": {SEED}, "texts": [\n{lines}\n], "cases": [\n{rows}\n]}}\n')


main()
