"""Goldens for the readers of weights and for the metrics. Run by make_goldens.sh, which fixes the versions. Seed 20240501.

weights.safetensors          F32, F16, BF16 and I64 tensors with signed zeros, subnormal numbers, extremes and an empty tensor
weights-float32.safetensors  the same floating-point tensors as numpy and ml_dtypes convert them to float32
rounding.safetensors         float32 values with their nearest F16 and BF16, ties to even
sharded/                     tensors in two files with an index
metrics.json                 predictions with the values of scikit-learn and scipy
"""

import json
import os
import sys

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file
from scipy import stats
from sklearn import metrics

SEED = 20240501
folder = sys.argv[1]
random = np.random.default_rng(SEED)


def save(path, tensors):
    save_file({name: np.ascontiguousarray(array) if array.ndim else array for name, array in tensors.items()},
              os.path.join(folder, path), {"format": "pt"})


def bits(dtype, patterns):
    return np.array(patterns, dtype=np.uint16).view(dtype)


special16 = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0xFBFF, 0x0200, 0x83FF, 0x3555]
specialb16 = [0x0000, 0x8000, 0x0001, 0x8001, 0x007F, 0x0080, 0x3F80, 0x7F7F, 0xFF7F, 0x0040, 0x807F, 0x3EAB]
weights = {
    "embeddings.word.weight": random.standard_normal((7, 5)).astype(np.float32),
    "encoder.half": np.concatenate([bits(np.float16, special16), random.standard_normal(20).astype(np.float16)]).reshape(4, 8),
    "encoder.bfloat": np.concatenate(
        [bits(ml_dtypes.bfloat16, specialb16), random.standard_normal(20).astype(ml_dtypes.bfloat16)]
    ).reshape(8, 4),
    "encoder.scalar": np.array(0.1, dtype=np.float32),
    "encoder.empty": np.zeros((0, 3), dtype=np.float32),
    "embeddings.position_ids": np.arange(6, dtype=np.int64).reshape(1, 6),
}
save("weights.safetensors", weights)
save("weights-float32.safetensors", {n: a.astype(np.float32) for n, a in weights.items() if a.dtype != np.int64})

halfway = [1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-11 + 2**-20]
small = [2.0**-24, 2.0**-25, 1.5 * 2.0**-25, 2.0**-26, 3 * 2.0**-25, 2.0**-14, 2.0**-14 - 2.0**-25, 5e-8, 1e-45, 1e-39]
large = [65504, 65519.996, 65520, 65536, 3.3895314e38, 3.4028235e38, 1e30]
values = np.array(halfway + small + large + [0.0, 0.1, 1 / 3], dtype=np.float32)
values = np.concatenate([values, -values, random.standard_normal(200).astype(np.float32) * np.float32(1e-5)])
with np.errstate(over="ignore"):
    save(
        "rounding.safetensors",
        {"values": values, "half": values.astype(np.float16), "bfloat": values.astype(ml_dtypes.bfloat16)},
    )

os.makedirs(os.path.join(folder, "sharded"), exist_ok=True)
shards = [
    {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.array([1, 2], dtype=np.float32)},
    {"b.weight": np.arange(4, dtype=np.float16), "position_ids": np.arange(3, dtype=np.int64)},
]
map_, size = {}, 0
for number, shard in enumerate(shards, 1):
    name = f"model-0000{number}-of-00002.safetensors"
    save(os.path.join("sharded", name), shard)
    for tensor, array in shard.items():
        map_[tensor] = name
        size += array.nbytes
with open(os.path.join(folder, "sharded", "model.safetensors.index.json"), "w") as file:
    json.dump({"metadata": {"total_size": size}, "weight_map": map_}, file, indent=2, sort_keys=True)
    file.write("\n")


def classes(name, predicted, truth, count):
    value = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "micro_f1": metrics.f1_score(truth, predicted, average="micro", zero_division=0),
        "matthews": metrics.matthews_corrcoef(truth, predicted),
    }
    if count == 2:
        value["f1"] = metrics.f1_score(truth, predicted, zero_division=0)
    return {"name": name, "kind": "classes", "count": count, "predicted": predicted, "truth": truth, "value": value}


def sets(name, predicted, truth, count):
    table = lambda rows: np.array([[int(k in row) for k in range(count)] for row in rows])
    t, p = table(truth), table(predicted)
    value = {
        "accuracy": metrics.accuracy_score(t, p),
        "macro_f1": metrics.f1_score(t, p, average="macro", zero_division=0),
        "micro_f1": metrics.f1_score(t, p, average="micro", zero_division=0),
    }
    return {"name": name, "kind": "sets", "count": count, "predicted": predicted, "truth": truth, "value": value}


def numbers(name, predicted, truth):
    value = {"pearson": stats.pearsonr(predicted, truth)[0], "spearman": stats.spearmanr(predicted, truth)[0]}
    return {"name": name, "kind": "values", "predicted": predicted, "truth": truth, "value": value}


def draw(count, size):
    return random.integers(0, count, size).tolist()


cases = [classes(f"{count} classes, {size} examples", draw(count, size), draw(count, size), count)
         for count, size in [(2, 1), (2, 2), (2, 50), (2, 301), (3, 40), (5, 200), (9, 12)]]
cases += [
    classes("all right", [0, 1, 1, 0], [0, 1, 1, 0], 2),
    classes("all wrong", [1, 0, 0, 1], [0, 1, 1, 0], 2),
    classes("always the same prediction", [1] * 6, [0, 1, 1, 0, 1, 0], 2),
    classes("always the other prediction", [0] * 6, [0, 1, 1, 0, 1, 0], 2),
    classes("one true class", [0, 1, 0, 1], [1, 1, 1, 1], 2),
    classes("no positive anywhere", [0, 0, 0], [0, 0, 0], 2),
    classes("a class that never occurs", [0, 2, 2, 0, 2], [0, 2, 0, 0, 2], 4),
]
some = lambda count, size: [sorted(random.choice(count, random.integers(0, count), replace=False).tolist()) for _ in range(size)]
cases += [sets("4 labels", some(4, 60), some(4, 60), 4), sets("an absent label", [[0], [], [1]], [[0], [1], []], 3),
          sets("empty sets", [[], []], [[], []], 2)]
truth = random.uniform(0, 5, 120)
noisy = truth + random.standard_normal(120)
cases += [
    numbers("noise", noisy.tolist(), truth.tolist()),
    numbers("ties", np.round(noisy).tolist(), np.round(truth * 2).tolist()),
    numbers("downward", (-truth).tolist(), truth.tolist()),
    numbers("two values", [1.0, 2.0], [5.0, 3.0]),
    numbers("far from zero", (noisy + 1e6).tolist(), truth.tolist()),
    numbers("extreme values", [1e150, -1e150, 3e149, 0.0], [1.0, 2.0, 2.5, 4.0]),
]
with open(os.path.join(folder, "metrics.json"), "w") as file:
    json.dump({"seed": SEED, "cases": cases}, file, separators=(",", ":"))
    file.write("\n")
