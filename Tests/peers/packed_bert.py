"""A BERT classifier in PyTorch on packed sequences, with dropout masks of the tool's counter-based generator (ck_dropout_bits in
Sources/CKernels, Dropout in Sources/Models): any step of a trace can be computed again from its files, in any precision.
"""
import json
import os

import numpy as np
import torch

GOLDEN, MASK32 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFFFFFFFF)


def mix64(x):
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)


def mix32(x):
    x = x ^ x >> np.uint32(16)
    x = x * np.uint32(0x7FEB352D)
    x = x ^ x >> np.uint32(15)
    x = x * np.uint32(0x846CA68B)
    return x ^ x >> np.uint32(16)


def key(seed, step, site):
    with np.errstate(over="ignore"):
        x = mix64(np.uint64(seed) + GOLDEN)
        x = mix64(x + np.uint64(step + 1) * GOLDEN)
        return mix64(x + np.uint64(site + 1) * GOLDEN)


def factors(key, rate, example, position, features):
    """[rows, features] of 1/(1 − rate), or 0 where an element is dropped; `example` and `position` are [rows]."""
    rate = np.float32(rate)
    with np.errstate(over="ignore"):
        row = mix64((example.astype(np.uint64) << np.uint64(32) | position.astype(np.uint64)) * GOLDEN + key)
        low, high = (row & MASK32).astype(np.uint32)[:, None], (row >> np.uint64(32)).astype(np.uint32)[:, None]
        x = np.arange(features, dtype=np.uint32)[None, :] * np.uint32(0x9E3779B9) + low
        bits = mix32(mix32(x) + high)
    threshold = np.uint32(min(4294967295, int(float(rate) * 4294967296.0 + 0.5)))
    return torch.from_numpy((bits >= threshold) / (1 - float(rate)))


class PackedBert:
    """`weights` by the names of transformers, in the precision that is computed in; `config` as in config.json."""

    def __init__(self, config):
        with open(os.path.join(config, "config.json") if os.path.isdir(config) else config) as file:
            self.c = json.load(file)
        assert self.c["model_type"] == "bert" and self.c["hidden_act"] == "gelu"

    def loss(self, w, batch, dropout):
        """Mean cross-entropy of a step's batch. `dropout` as in the trace's lines."""
        c, starts = self.c, batch["starts"].tolist()
        lengths = [b - a for a, b in zip(starts, starts[1:])]
        example = np.repeat(np.arange(len(lengths)), lengths)
        position = np.concatenate([np.arange(n) for n in lengths])
        C, H, eps = c["hidden_size"], c["num_attention_heads"], c["layer_norm_eps"]

        def drop(x, rate, site, rows=None):
            if dropout[rate] <= 0:
                return x
            e, p = rows or (example, position)
            return x * factors(key(dropout["seed"], dropout["step"], site), dropout[rate], e, p, x.shape[1])

        def linear(x, name):
            return x @ w[name + ".weight"].T + w[name + ".bias"]

        def norm(x, name):
            return torch.nn.functional.layer_norm(x, (C,), w[name + ".weight"], w[name + ".bias"], eps)

        e = "bert.embeddings."
        x = (w[e + "word_embeddings.weight"][batch["ids"].long()] + w[e + "position_embeddings.weight"][torch.from_numpy(position)]
             + w[e + "token_type_embeddings.weight"][batch["types"].long()])
        x = drop(norm(x, e + "LayerNorm"), "hidden", 0)
        for layer in range(c["num_hidden_layers"]):
            name, site = f"bert.encoder.layer.{layer}.", 16 * (layer + 1)
            q, k, v = (linear(x, f"{name}attention.self.{part}") for part in ("query", "key", "value"))
            contexts = []
            for b, (start, n) in enumerate(zip(starts, lengths)):
                heads = [t[start:start + n].view(n, H, C // H).transpose(0, 1) for t in (q, k, v)]
                share = torch.softmax(heads[0] @ heads[1].transpose(1, 2) / (C // H) ** 0.5, -1)
                if dropout["attention"] > 0:
                    base = key(dropout["seed"], dropout["step"], site)
                    with np.errstate(over="ignore"):
                        share = share * torch.stack([factors(base + np.uint64(h), dropout["attention"], np.full(n, b), np.arange(n), n)
                                                     for h in range(H)])
                contexts.append((share @ heads[2]).transpose(0, 1).reshape(n, C))
            y = linear(torch.cat(contexts), name + "attention.output.dense")
            x = norm(drop(y, "hidden", site + 1) + x, name + "attention.output.LayerNorm")
            y = linear(torch.nn.functional.gelu(linear(x, name + "intermediate.dense")), name + "output.dense")
            x = norm(drop(y, "hidden", site + 2) + x, name + "output.LayerNorm")
        pooled = torch.tanh(linear(x[starts[:-1]], "bert.pooler.dense"))
        rows = (np.arange(len(lengths)), np.zeros(len(lengths)))
        logits = linear(drop(pooled, "classifier", 2, rows), "classifier")
        return torch.nn.functional.cross_entropy(logits, batch["classes"].long())
