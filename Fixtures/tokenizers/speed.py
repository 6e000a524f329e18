"""Compares the speed of a tokenizing command with the reference library's on one thread, in seconds of processor time.

    python3 speed.py [--environment DIR] --model FOLDER [--cased | --uncased] --texts FILE ... -- COMMAND ...

The files hold one text a line. The reference's time is that of encoding alone, one by one and as a batch, the best of three;
the command's is that of the whole process, with starting, loading the vocabulary, reading and writing. Prints one JSON object.
Reference: tokenizers 0.23.3.
"""
import json
import os
import resource
import subprocess
import sys
import time

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import compare  # noqa: E402


def best(work):
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main():
    options = compare.arguments()
    texts = []
    for path in options.texts:
        texts += path.read_bytes().decode().replace("\0", "").replace("\t", " ").split("\n")
    tokenizer = compare.reference(options.model, compare.lowercase(options))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(compare.command, input="".join(t + "\n" for t in texts).encode(), stdout=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    tokens = sum(line.count(b",") + 1 for line in run.stdout.splitlines())
    expected = sum(len(tokenizer.encode(text).ids) for text in texts)
    if run.returncode or tokens != expected:
        sys.exit(f"the command ended with {run.returncode} and {tokens} tokens instead of {expected}")
    print(json.dumps({
        "texts": len(texts), "tokens": tokens,
        "reference_one_by_one": best(lambda: [tokenizer.encode(text) for text in texts]),
        "reference_batch": best(lambda: tokenizer.encode_batch(texts)),
        "command": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }))


main()
