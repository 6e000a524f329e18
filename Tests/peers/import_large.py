#!/usr/bin/env python3
"""Imports a model of RoBERTa-large's shape and measures the time and the memory that it takes.

    import_large.py --store STORE --bpe FOLDER --work FOLDER

--bpe holds RoBERTa's vocab.json and merges.txt. The weights are random (normal, deviation 0.02, seed 0) in --work, 1.4 GB. Peak memory
has to stay below twice the largest tensor and 200 MiB: a file is read one tensor at a time. The last line is one JSON object; the
exit status is 1 when the bound does not hold.
"""
import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time

import numpy as np
from safetensors.numpy import save_file

from tool import options

C, LAYERS, F, V, P = 1024, 24, 4096, 50265, 514


def shapes():
    yield "roberta.embeddings.word_embeddings.weight", (V, C)
    yield "roberta.embeddings.position_embeddings.weight", (P, C)
    yield "roberta.embeddings.token_type_embeddings.weight", (1, C)
    yield from norm("roberta.embeddings.LayerNorm")
    for i in range(LAYERS):
        name = f"roberta.encoder.layer.{i}."
        for part in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]:
            yield from linear(name + part, C, C)
        yield from norm(name + "attention.output.LayerNorm")
        yield from linear(name + "intermediate.dense", F, C)
        yield from linear(name + "output.dense", C, F)
        yield from norm(name + "output.LayerNorm")


def linear(name, outputs, inputs):
    yield name + ".weight", (outputs, inputs)
    yield name + ".bias", (outputs,)


def norm(name):
    yield name + ".weight", (C,)
    yield name + ".bias", (C,)


def make(folder, bpe):
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(0)
    tensors = {name: random.standard_normal(shape, dtype=np.float32) * np.float32(0.02) for name, shape in shapes()}
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    for file in ["vocab.json", "merges.txt"]:
        shutil.copy(os.path.join(bpe, file), folder)
    config = {"architectures": ["RobertaModel"], "model_type": "roberta", "vocab_size": V, "hidden_size": C, "num_hidden_layers": LAYERS,
              "num_attention_heads": 16, "intermediate_size": F, "max_position_embeddings": P, "type_vocab_size": 1, "hidden_act": "gelu",
              "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02, "layer_norm_eps": 1e-5,
              "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    return max(t.nbytes for t in tensors.values()), sum(t.nbytes for t in tensors.values())


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--bpe", required=True)
    a.add_argument("--work", required=True)
    o = a.parse_args()
    folder = os.path.join(o.work, "roberta-large-shape")
    # In a process of its own: a child's peak memory begins with that of its parent.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        largest, total = pool.apply(make, (folder, o.bpe))
    begin = time.monotonic()
    started = subprocess.Popen([o.pipeline, "import", folder, "--name", "large", "--replace", "--store", o.store, "--quiet"])
    _, status, usage = os.wait4(started.pid, 0)
    seconds = time.monotonic() - begin
    if status:
        sys.exit(f"pipeline import ended with {os.waitstatus_to_exitcode(status)}")
    peak = usage.ru_maxrss * 1024
    bound = 2 * largest + (200 << 20)
    shutil.rmtree(folder)
    print(json.dumps({"parameters": total // 4, "seconds": round(seconds, 1), "peak_MiB": peak >> 20, "bound_MiB": bound >> 20,
                      "largest_tensor_MiB": largest >> 20, "passed": peak <= bound}))
    sys.exit(0 if peak <= bound else 1)


if __name__ == "__main__":
    main()
