#!/usr/bin/env python3
"""Makes the quickstart's classification task from the movie-review sentences that the source release of vaderSentiment ships.

    make_task.py vaderSentiment-3.3.2.tar.gz FOLDER

Input: `movieReviewSnippets_GroundTruth.txt` inside `hutto_ICWSM_2014.tar.gz` inside the release: 10,605 sentences from film
reviews, each with the mean of at least 20 human ratings from -4 to 4 (C. J. Hutto and E. Gilbert, "VADER: A Parsimonious
Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM 2014; MIT licence).
Output: FOLDER/train.tsv, dev.tsv and test.tsv with the header `sentence<TAB>label`, in the order of the source. A file that is
there and right is left alone.

The split is fixed:
* The label is the sign of the mean rating: `positive` or `negative`. A mean of exactly 0 has no sign: those sentences are left out.
  Sentences with a small mean stay in, hard as they are.
* A sentence's side follows from its own text: the text is normalised (Unicode NFKC, lower case, every run of characters that
  are neither letters nor digits becomes one space), and the first 8 bytes of the SHA-256 of that, as a big-endian number modulo
  100, say where it goes: 0 to 79 train, 80 to 89 dev, 90 to 99 test. So duplicates, also those that differ only in case or
  punctuation, are always on one side, and no random generator is involved.
"""
import hashlib
import io
import os
import sys
import tarfile
import unicodedata

INNER = "hutto_ICWSM_2014.tar.gz"
SENTENCES = "movieReviewSnippets_GroundTruth.txt"
EXPECTED_ROWS = 10605


def fail(message):
    sys.exit(f"make_task.py: {message}")


def member(archive, name, path):
    """The bytes of the file called `name` in a tar archive, in whatever folder it lies."""
    for entry in archive:
        if entry.isfile() and os.path.basename(entry.name) == name:
            return archive.extractfile(entry).read()
    fail(f"{path} holds no {name}; expected the source release of vaderSentiment 3.3.2")


def read_sentences(path):
    """(mean rating, sentence) in the order of the file."""
    with tarfile.open(path, "r:gz") as outer:
        inner = member(outer, INNER, path)
    with tarfile.open(fileobj=io.BytesIO(inner), mode="r:gz") as archive:
        text = member(archive, SENTENCES, INNER).decode("utf-8")
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if not line:
            continue
        fields = line.split("\t")
        if len(fields) != 3:
            fail(f"{SENTENCES} line {number}: expected 3 fields, found {len(fields)}")
        rows.append((float(fields[1]), " ".join(fields[2].split())))
    if len(rows) != EXPECTED_ROWS:
        fail(f"{SENTENCES}: expected {EXPECTED_ROWS} sentences, found {len(rows)}")
    return rows


def normalised(sentence):
    lowered = unicodedata.normalize("NFKC", sentence).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in lowered).split())


def side(sentence):
    digest = hashlib.sha256(normalised(sentence).encode("utf-8")).digest()
    bucket = int.from_bytes(digest[:8], "big") % 100
    return "train" if bucket < 80 else "dev" if bucket < 90 else "test"


def write(path, rows):
    """Writes the rows unless the file already holds exactly them."""
    data = "".join(["sentence\tlabel\n"] + [f"{sentence}\t{label}\n" for sentence, label in rows]).encode("utf-8")
    if os.path.exists(path) and open(path, "rb").read() == data:
        return
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)


def main():
    if len(sys.argv) != 3:
        fail("usage: make_task.py vaderSentiment-3.3.2.tar.gz FOLDER")
    rows = read_sentences(sys.argv[1])
    splits = {"train": [], "dev": [], "test": []}
    for mean, sentence in rows:
        if mean != 0:
            splits[side(sentence)].append((sentence, "positive" if mean > 0 else "negative"))
    os.makedirs(sys.argv[2], exist_ok=True)
    used = sum(map(len, splits.values()))
    print(f"{len(rows)} sentences, {len(rows) - used} without a sign left out")
    for name, part in splits.items():
        write(os.path.join(sys.argv[2], f"{name}.tsv"), part)
        positive = sum(label == "positive" for _, label in part)
        share = max(positive, len(part) - positive) / len(part)
        print(f"{name:5} {len(part):5} sentences, {positive} positive, {len(part) - positive} negative; "
              f"majority class {share:.4f}")


main()
