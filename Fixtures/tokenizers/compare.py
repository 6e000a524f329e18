"""Compares a tokenizing command with the reference library, id for id.

    python3 compare.py [--environment DIR] --model FOLDER [--cased | --uncased] [--max-length N] [--seed N]
                       [--every-code-point] [--no-corpus] [--offsets] [--texts FILE ...] -- COMMAND ...

COMMAND reads lines of text, a tab between the texts of a pair, and prints one JSON array of ids for each.
FOLDER holds tokenizer.json, or vocab.txt, or vocab.json and merges.txt. The corpus is the generated one (`corpus.py`) and
every line, and every tab-separated field of every line, of the files given. Lines are cut at line feeds only.
Prints one JSON object; exits with 1 if anything differs. Reference: tokenizers 0.23.3.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

from reference import in_environment

split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
own, command = sys.argv[:split], sys.argv[split + 1:]
in_environment(sys.argv, own)

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

import corpus  # noqa: E402


def reference(folder, lowers):
    """The tokenizer of a folder, without truncation and padding."""
    if (folder / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if lowers is not None:
            tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowers)
        return tokenizer
    if (folder / "vocab.txt").exists():
        if lowers is None:
            sys.exit("a lone vocab.txt needs --cased or --uncased")
        tokenizer = Tokenizer(models.WordPiece.from_file(str(folder / "vocab.txt"), unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowers)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
        ids = [(name, tokenizer.token_to_id(name)) for name in ("[SEP]", "[CLS]")]
        tokenizer.post_processor = processors.BertProcessing(*ids)
        return tokenizer
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    ids = [(name, tokenizer.token_to_id(name)) for name in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(*ids, trim_offsets=True, add_prefix_space=False)
    return tokenizer


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    case = parser.add_mutually_exclusive_group()
    case.add_argument("--cased", action="store_true")
    case.add_argument("--uncased", action="store_true")
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every-code-point", action="store_true")
    parser.add_argument("--no-corpus", action="store_true")
    parser.add_argument("--offsets", action="store_true", help="COMMAND prints, after a tab, the offsets in bytes too")
    parser.add_argument("--texts", type=Path, nargs="*", default=[])
    return parser.parse_args(own[1:])


def lowercase(options):
    return False if options.cased else True if options.uncased else None


def main():
    options = arguments()
    texts = [] if options.no_corpus else corpus.lines(options.seed, whole=options.every_code_point)
    generated = len(texts)
    for path in options.texts:
        for line in path.read_bytes().decode().split("\n"):
            fields = line.split("\t")
            texts += fields
            texts += [f"{a}\t{b}" for a, b in zip(fields, fields[1:])]
    tokenizer = reference(options.model, lowercase(options))
    if options.max_length is not None:
        tokenizer.enable_truncation(options.max_length)
    run = subprocess.run(command, input="".join(t + "\n" for t in texts).encode(), stdout=subprocess.PIPE)
    answers = run.stdout.decode().split("\n")[:-1]
    if run.returncode or len(answers) != len(texts):
        sys.exit(f"the command ended with {run.returncode} and {len(answers)} lines for {len(texts)} texts")
    different = displaced = tokens = 0
    for text, answer in zip(texts, answers):
        parts = text.split("\t")
        expected = tokenizer.encode(*parts)
        ids, _, places = answer.partition("\t")
        tokens += len(expected.ids)
        if json.loads(ids) != expected.ids:
            different += 1
            if different <= 10:
                print(f"differs: {ascii(text[:200])}\n  expected {expected.tokens[:40]}\n  found    "
                      f"{[tokenizer.id_to_token(i) for i in json.loads(ids)[:40]]}", file=sys.stderr)
        elif options.offsets:
            wanted = []
            for (start, end), sequence in zip(expected.offsets, expected.sequence_ids):
                part = parts[sequence or 0]
                wanted.append([len(part[:start].encode()), len(part[:end].encode())])
            if json.loads(places) != wanted:
                displaced += 1
                if displaced <= 10:
                    print(f"displaced: {ascii(text[:100])}\n  expected {wanted[:30]}\n  found    {places[:400]}",
                          file=sys.stderr)
    report = {"texts": len(texts), "generated": generated, "tokens": tokens, "different": different}
    if options.offsets:
        report["displaced"] = displaced
    print(json.dumps(report))
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
