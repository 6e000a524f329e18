#!/usr/bin/env python3
"""Compares how small the store keeps tensors with zipnn, zstd, and XOR-deltas in byte planes with zstd.

    compare_codecs.py --store STORE --model FOLDER --data GLUE_FOLDER --task mrpc --work FOLDER [--steps 50]

Imports the model, adapts it for some AdamW steps with one checkpoint at the end, and reads `pipeline store usage --json`.
What is compared, as stored bytes over plain bytes, all of float32:

base        the pre-trained weights; bound: no larger than zipnn makes the same file
adapted     the adapted weights; bound: at least 8 % smaller than the XOR with the base in byte planes, each zstd -3 or stored
checkpoint  weights and both moments; bound: 0.50

The store must be new. Needs zipnn and zstandard beside the peers' packages:  pip install zipnn==0.5.4 zstandard==0.25.0
The last line is one JSON object; the exit status is 1 when a bound does not hold.
"""
import argparse
import json
import os
import sys

import numpy as np
from safetensors.numpy import load_file

from glue import task_folder
from tool import Tool, options


def entries(tool):
    return {e["digest"]: e for e in tool("store", "usage")["entries"]}


def share(entry):
    return entry["stored_bytes"] / entry["logical_bytes"]


def zstd_share(data, level):
    import zstandard
    return len(zstandard.ZstdCompressor(level=level).compress(data)) / len(data)


def zipnn_share(data):
    import zipnn
    # A copy: the packing works in the bytes that it is given.
    packed = zipnn.ZipNN(input_format="byte", bytearray_dtype="float32", threads=1).compress(bytearray(data))
    return len(packed) / len(data)


def xor_share(new, old, level=3):
    """Each tensor XOR the base's of that name, cut into byte planes, each compressed by itself or stored."""
    import zstandard
    plain = stored = 0
    for name, tensor in new.items():
        base = old.get(name)
        words = tensor.view(np.uint32).ravel()
        if base is not None and base.shape == tensor.shape:
            words = words ^ base.view(np.uint32).ravel()
        planes = words.view(np.uint8).reshape(-1, 4)
        for plane in range(4):
            data = planes[:, plane].tobytes()
            stored += min(len(data), len(zstandard.ZstdCompressor(level=level).compress(data)))
        plain += tensor.nbytes
    return stored / plain


def weights(folder):
    tensors = load_file(os.path.join(folder, "model.safetensors"))
    # Names with and without the family's prefix are the same tensors.
    return {name.removeprefix("bert.").removeprefix("roberta."): t for name, t in tensors.items() if t.dtype == np.float32}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--task", default="mrpc")
    parser.add_argument("--work", required=True)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--no-19", action="store_true", help="leave out zstd -19, which takes a minute for each file")
    o = parser.parse_args()
    tool = Tool(o.pipeline, o.store)
    if os.path.exists(o.store):
        sys.exit(f"{o.store} is there already: checkpoints of earlier runs would be taken for this one's")
    tool("import", o.model, "--name", "base")
    start = entries(tool)
    tool("prepare", "--task", o.task, "--data", task_folder(o.task, o.data), "--model", "base", "--name", "data")
    tool("adapt", "--model", "base", "--data", "data", "--name", "adapted", "--checkpoint-steps", o.steps,
         "--set", f"steps={o.steps}", "--set", "learning_rate=5e-5", "--set", "batch_size=16", "--set", "weight_decay=0.01")
    end = entries(tool)
    exported = {name: os.path.join(o.work, name) for name in ("base", "adapted")}
    for name, folder in exported.items():
        os.makedirs(o.work, exist_ok=True)
        tool("export", name, folder, "--replace")

    def largest(found, kind):
        fitting = [e for e in found.values() if e["kind"] == kind]
        if not fitting:
            sys.exit(f"no {kind} in the store")
        return max(fitting, key=lambda e: e["logical_bytes"])

    base, adapted = weights(exported["base"]), weights(exported["adapted"])
    with open(os.path.join(exported["base"], "model.safetensors"), "rb") as file:
        base_file = file.read()
    with open(os.path.join(exported["adapted"], "model.safetensors"), "rb") as file:
        adapted_file = file.read()
    added = {digest: e for digest, e in end.items() if digest not in start}
    ours = {"base": share(largest(start, "model")), "adapted": share(largest(added, "model")),
            "checkpoint": share(largest(added, "checkpoint"))}
    levels = [3] if o.no_19 else [3, 19]
    peers = {"base": {"zipnn": zipnn_share(base_file)} | {f"zstd -{n}": zstd_share(base_file, n) for n in levels},
             "adapted": {"zipnn": zipnn_share(adapted_file), "xor planes zstd -3": xor_share(adapted, base)}
             | {f"zstd -{n}": zstd_share(adapted_file, n) for n in levels},
             "checkpoint": {}}
    for what, value in ours.items():
        others = "   ".join(f"{name} {share:.4f}" for name, share in peers[what].items())
        print(f"{what:10} {value:.4f}   {others}")
    bounds = {"base": peers["base"]["zipnn"], "adapted": 0.92 * peers["adapted"]["xor planes zstd -3"], "checkpoint": 0.50}
    passed = all(ours[what] <= bound for what, bound in bounds.items())
    print(json.dumps({"ours": ours, "peers": peers, "bounds": bounds, "passed": passed}))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
