#!/usr/bin/env python3
"""Compares how small the store keeps tensors, and how fast, with zipnn, zstd, and XOR-deltas in byte planes with zstd.

    compare_codecs.py --store STORE --model FOLDER --data GLUE_FOLDER --work FOLDER [--reuse]

Imports the model and adapts it on MRPC as users do: learning rate 1e-4, 3 epochs, batches of 32, seed 0, with a checkpoint
before the last step. Then, as stored bytes over plain bytes, all of float32:

base        the pre-trained weights; bound: no larger than zipnn makes the same file
adapted     the adapted weights; bound: at least 8 % smaller than the XOR with the base in byte planes, each zstd -3 or stored
checkpoint  weights and both moments of the last checkpoint; bound: 0.50. Beside it stands what the store could reach at most
            if every value's sign, exponent and two upper mantissa bits were coded by their frequencies in the best of several
            contexts (row, base's exponent, the other moment) and nothing were known of the bits below

and in 10⁶ plain bytes a second, on the clock with two threads and of one processor alone (a busy machine disturbs the first):

encode      base; bound: at least zipnn's rate
decode      base and adapted, the adapted with its base at hand; bound: 1,000 on the clock
load        base from the store with every digest checked; bound: at least the rate of reading the file that zstd -3 made

--reuse takes what an earlier run left in the store and the work folder. The store must be new otherwise. Needs zipnn and
zstandard beside the peers' packages:  pip install zipnn==0.5.4 zstandard==0.25.0
The last line is one JSON object; the exit status is 1 when a bound does not hold.
"""
import argparse
import json
import os
import resource
import sys
import time

import numpy as np
from safetensors.numpy import load_file

from glue import task_folder
from store_reader import StoreReader
from tool import Tool, options


def zstd_share(data, level):
    import zstandard
    return len(zstandard.ZstdCompressor(level=level).compress(data)) / len(data)


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


def timed(body, rounds=5):
    """The best of some rounds, on the clock and of processors; and what the last one gave."""
    best = {"seconds": float("inf"), "processor_seconds": float("inf")}
    for _ in range(rounds):
        before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        result = body()
        taken, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF)
        best["seconds"] = min(best["seconds"], taken)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best["processor_seconds"] = min(best["processor_seconds"], used)
    return best, result


def rate(count, time):
    return {"MB_per_s": count / time["seconds"] / 1e6, "MB_per_processor_s": count / time["processor_seconds"] / 1e6}


def zipnn_rates(data):
    import zipnn
    coder = zipnn.ZipNN(input_format="byte", bytearray_dtype="float32", threads=2)
    # A copy: the packing works in the bytes that it is given. Making it is not counted.
    copies = [bytearray(data) for _ in range(5)]
    encoding, packed = timed(lambda: coder.compress(copies.pop()))
    decoding, plain = timed(lambda: coder.decompress(bytes(packed)))
    assert bytes(plain) == data
    return len(packed) / len(data), {"encode": rate(len(data), encoding), "decode": rate(len(data), decoding)}


def zstd_rates(data, work, level=3):
    import zstandard
    path = os.path.join(work, "base.zst")
    encoding, packed = timed(lambda: zstandard.ZstdCompressor(level=level, threads=2).compress(data), 2)
    with open(path, "wb") as file:
        file.write(packed)

    def load():
        with open(path, "rb") as file:
            return zstandard.ZstdDecompressor().decompress(file.read())
    loading, plain = timed(load)
    assert plain == data
    return {"encode": rate(len(data), encoding), "load": rate(len(data), loading)}


def entropy(symbols, *contexts):
    """Bits for each symbol, coded by its frequencies in each context."""
    place = np.zeros(len(symbols), np.int64)
    for context in contexts:
        place = np.unique(place * (int(context.max()) + 1) + context, return_inverse=True)[1]
    size = int(symbols.max()) + 1
    counts = np.bincount(place * size + symbols, minlength=(int(place.max()) + 1) * size).astype(float)
    totals = np.repeat(counts.reshape(-1, size).sum(1), size)
    used = counts > 0
    return float(-(counts[used] * np.log2(counts[used] / totals[used])).sum() / len(symbols))


def limit(checkpoint, base):
    """Bits of all weights and moments over 32 for each, by contexts that know row, base and the other moment. Rows whose
    moments are zero cost nothing here, and rows that no gradient reached nothing but what stands in `weights`."""
    bits = dict.fromkeys(("weights", "first", "second", "untouched"), 0.0)
    count = 0
    for name in [n.removeprefix("weights/") for n in checkpoint if n.startswith("weights/")]:
        weight, first, second = (checkpoint.get(f"{kind}/{name}") for kind in ("weights", "moments/adam.first", "moments/adam.second"))
        old = base.get(name)
        count += weight.size
        if weight.ndim < 2 or old is None or old.shape != weight.shape or weight.size < 100_000:
            # Too small to be told by frequencies, and too small to matter.
            bits = {what: value + (26 * weight.size if what != "untouched" else 0) for what, value in bits.items()}
            continue
        active = (second != 0).any(1)
        row = np.clip((np.log2(np.abs(first[active]).mean(1) + 1e-45) * 2).astype(np.int64) + 400, 0, 600)
        row = np.repeat(row, weight.shape[1])
        m, v = (tensor[active].ravel().view(np.uint32) for tensor in (first, second))
        m_top, v_top = ((m >> 21) & 1023).astype(np.int64), ((v >> 21) & 1023).astype(np.int64)
        if active.any():
            bits["first"] += len(m) * (22 + entropy(m_top, row))
            bits["second"] += len(v) * (21 + min(entropy(v_top, row), entropy(v_top, row, m_top)))
        for rows in (active, ~active):
            if not rows.any():
                continue
            new, was = (tensor[rows].ravel().view(np.uint32) for tensor in (weight, old))
            factor = 1.0
            if rows is not active:
                # What weight decay made of rows that no gradient reached: the median ratio is nearly exact.
                with np.errstate(divide="ignore", invalid="ignore"):
                    factor = float(np.nanmedian(new.view(np.float32).astype(np.float64) / was.view(np.float32)))
            guess = (was.view(np.float32).astype(np.float64) * factor).astype(np.float32).view(np.uint32)
            ranks = [np.where(words >> 31, ~words, words | 0x80000000).astype(np.int64) for words in (new, guess)]
            difference = ranks[0] - ranks[1]
            size = np.abs(difference)
            length = np.where(size > 0, np.floor(np.log2(np.maximum(size, 1))), -1).astype(np.int64)
            upper = np.where(length >= 2, size >> np.maximum(length - 2, 0) & 3, 0)
            exponent = (was >> 23 & 255).astype(np.int64)
            below = np.maximum(length - 2, 0).mean() + (size > 0).mean()
            bits["weights" if rows is active else "untouched"] += size.size * (entropy((length + 1) * 4 + upper, exponent) + below)
    # Even a decoder that repeated every rounding of the weight decay could not go below this.
    floor = sum(bits[what] for what in ("weights", "first", "second")) / 96 / count
    bits["weights"] += bits.pop("untouched")
    shares = {what: value / 32 / count for what, value in bits.items()}
    return shares | {"together": sum(bits.values()) / 96 / count, "untouched rows for nothing": floor}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--task", default="mrpc")
    parser.add_argument("--work", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--reuse", action="store_true", help="measure what an earlier run left")
    parser.add_argument("--no-19", action="store_true", help="leave out zstd -19, which takes a minute for each file")
    o = parser.parse_args()
    tool = Tool(o.pipeline, o.store)
    os.makedirs(o.work, exist_ok=True)
    if not o.reuse:
        if os.path.exists(o.store):
            sys.exit(f"{o.store} is there already: checkpoints of earlier runs would be taken for this one's")
        tool("import", o.model, "--name", "base")
        data = tool("prepare", "--task", o.task, "--data", task_folder(o.task, o.data), "--model", "base", "--name", "data")
        steps = -(-next(s["examples"] for s in data["splits"] if s["name"] == "train") // 32) * o.epochs
        tool("adapt", "--model", "base", "--data", "data", "--name", "adapted", "--checkpoint-steps", steps - 1, "--seed", 0,
             "--set", f"epochs={o.epochs}", "--set", "learning_rate=1e-4", "--set", "batch_size=32")
    run = tool("store", "show", "adapted", "--kind", "run")["manifest"]["attributes"]
    exported = {name: os.path.join(o.work, name) for name in ("base", "adapted")}
    for name, folder in exported.items():
        if not (o.reuse and os.path.exists(folder)):
            tool("export", name, folder, "--replace")
    base, adapted = weights(exported["base"]), weights(exported["adapted"])
    files = {}
    for name, folder in exported.items():
        with open(os.path.join(folder, "model.safetensors"), "rb") as file:
            files[name] = file.read()

    reader = StoreReader(o.store)
    entries = tool("store", "usage")["entries"]
    shares = {e["digest"]: e["stored_bytes"] / e["logical_bytes"] for e in entries if e["logical_bytes"]}
    checkpoints = [(reader.manifest(e["digest"]), e["digest"]) for e in entries if e["kind"] == "checkpoint"]
    manifest, digest = max(checkpoints, key=lambda c: c[0]["attributes"]["state"]["step"])

    def stored(prefixes):
        """Of the blobs that these parts of the last checkpoint are in, each once."""
        blobs = {b["digest"]: b for b in manifest["blobs"] if b["name"].startswith(prefixes)}
        return sum(os.path.getsize(reader.path("blobs", b)) for b in blobs) / sum(b["blobByteCount"] for b in blobs.values())
    parts = {"weights": ("weights/",), "first": ("moments/adam.first/",), "second": ("moments/adam.second/",)}
    ours = {"base": shares[reader.reference("model", "base")], "adapted": shares[run["model"]],
            "checkpoint": stored(("weights/", "moments/")), "with best weights": shares[digest]}
    ours |= {f"checkpoint's {what}": stored(names) for what, names in parts.items()}
    old = {name.removeprefix("tensors/"): t for name, t in reader.tensors(reader.reference("model", "base")).items()}
    least = limit(reader.tensors(digest), old)
    levels = [3] if o.no_19 else [3, 19]
    base_zipnn, zipnn_speed = zipnn_rates(files["base"])
    peers = {"base": {"zipnn": base_zipnn} | {f"zstd -{n}": zstd_share(files["base"], n) for n in levels},
             "adapted": {"zipnn": zipnn_rates(files["adapted"])[0], "xor planes zstd -3": xor_share(adapted, base)}
             | {f"zstd -{n}": zstd_share(files["adapted"], n) for n in levels},
             "checkpoint": {"entropy limit": least["together"],
                            "limit with untouched rows for nothing": least["untouched rows for nothing"]}}
    print(f"{o.task}, step {manifest['attributes']['state']['step']}: {run['metrics']}")
    for what, value in ours.items():
        others = "   ".join(f"{name} {share:.4f}" for name, share in peers.get(what, {}).items())
        part = what.removeprefix("checkpoint's ")
        print(f"{what:20} {value:.4f}   {others}" + (f"entropy limit {least[part]:.4f}" if part in least else ""))

    speeds = {"zipnn": zipnn_speed, "zstd -3": zstd_rates(files["base"], o.work)}
    for name, subject in (("base", reader.reference("model", "base")), ("adapted", run["model"])):
        found = tool("bench", "store", subject, "--rounds", 7)
        main_codec = max(found["codecs"], key=lambda c: c["plain_bytes"])
        speeds[f"{name}, {main_codec['codec']}"] = {
            what: {k: time[k] for k in ("MB_per_s", "MB_per_processor_s")}
            for what, time in (("encode", main_codec["encode"]), ("decode", main_codec["decode"]), ("load", found["load"]))}
    for name, measured in speeds.items():
        print(f"{name:20} " + "   ".join(
            f"{what} {r['MB_per_s']:.0f} MB/s ({r['MB_per_processor_s']:.0f} of one processor)" for what, r in measured.items()))
    planes, delta = (next(v for k, v in speeds.items() if k.startswith(name)) for name in ("base,", "adapted,"))
    held = {
        "base": ours["base"] <= base_zipnn, "adapted": ours["adapted"] <= 0.92 * peers["adapted"]["xor planes zstd -3"],
        "checkpoint": ours["checkpoint"] <= 0.50,
        "encode": planes["encode"]["MB_per_s"] >= zipnn_speed["encode"]["MB_per_s"],
        "decode base": planes["decode"]["MB_per_s"] >= 1000, "decode adapted": delta["decode"]["MB_per_s"] >= 1000,
        "load": planes["load"]["MB_per_s"] >= speeds["zstd -3"]["load"]["MB_per_s"]}
    print(json.dumps({"metrics": run["metrics"], "ours": ours, "peers": peers, "entropy_limit": least, "speeds": speeds, "bounds": held,
                      "passed": all(held.values())}))
    sys.exit(0 if all(held.values()) else 1)


if __name__ == "__main__":
    main()
