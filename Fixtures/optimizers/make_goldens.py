#!/usr/bin/env python3
"""Reference numbers for the optimizers: trajectories on recorded gradients, the schedules of transformers, and SAM.

    python3 -m venv .venv && .venv/bin/pip install numpy==2.4.6 'torch==2.13.0' 'transformers==5.23.0'
    .venv/bin/pip install --no-deps timm==1.0.31
    .venv/bin/python make_goldens.py    writes trajectories.json, tensors.bin, schedules.json and sharpness.json here

A trajectory's "reference" says whose numbers it has: torch.optim, timm, or layerwise.py beside this script, which
computes in float64.

Nothing but the seed below enters. tensors.bin holds little-endian float32: the starting weights of every tensor in
order, then the gradients of each step (the same order), then for each trajectory the weights after the last step.
The gradients do not depend on the weights, so that each run sees exactly the same ones.
"""
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import types
import warnings

import numpy as np
import torch
from transformers import optimization

import layerwise
import sharpness

SEED = 20240611
STEPS = 50
HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
warnings.filterwarnings("ignore")

# name, shape, role, unit; odd sizes, so that no tensor is a whole number of vector registers
TENSORS = [
    ("embeddings.word", [9, 7], "embedding", "embeddings"),
    ("embeddings.norm", [7], "normalization", "embeddings"),
    ("block0.dense", [11, 5], "weight", "0"),
    ("block0.bias", [11], "bias", "0"),
    ("block1.dense", [5, 13], "weight", "1"),
    ("head.dense", [3, 21], "weight", "head"),
    ("head.bias", [3], "bias", "head"),
]
LINEAR = {"schedule": "linear", "warmup": 0.1}
TRAJECTORIES = [
    {"name": "adamw defaults", "optimizer": "adamw", "values": {"learning_rate": 2e-5, "weight_decay": 0.01, **LINEAR}},
    {"name": "adamw constant rate", "optimizer": "adamw",
     "values": {"learning_rate": 2e-5, "weight_decay": 0.01, "schedule": "constant", "warmup": 0}},
    {"name": "adamw strong", "optimizer": "adamw",
     "values": {"learning_rate": 3e-3, "weight_decay": 0.1, "betas": [0.9, 0.98], "epsilon": 1e-6, **LINEAR}},
    {"name": "adamw unclipped, layers decayed", "optimizer": "adamw",
     "values": {"learning_rate": 1e-3, "weight_decay": 0.01, "max_grad_norm": 0, "layer_decay": 0.8,
                "schedule": "cosine", "warmup": 7}},
    {"name": "adamw without first moment", "optimizer": "adamw",
     "values": {"learning_rate": 1e-3, "weight_decay": 0.01, "betas": [0.0, 0.999], **LINEAR}},
    {"name": "adam", "optimizer": "adam", "values": {"learning_rate": 1e-3, "max_grad_norm": 0.5, **LINEAR}},
    {"name": "sgd plain", "optimizer": "sgd", "values": {"learning_rate": 1e-2, "momentum": 0, **LINEAR}},
    {"name": "sgd momentum", "optimizer": "sgd", "values": {"learning_rate": 1e-2, "momentum": 0.9, **LINEAR}},
    {"name": "sgd nesterov, decayed", "optimizer": "sgd",
     "values": {"learning_rate": 1e-2, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05, **LINEAR}},
    {"name": "lamb defaults", "optimizer": "lamb", "reference": "layerwise.py",
     "values": {"learning_rate": 1e-3, "weight_decay": 0.01, "epsilon": 1e-6, **LINEAR}},
    {"name": "lamb of timm", "optimizer": "lamb", "reference": "timm",
     "values": {"learning_rate": 8e-3, "weight_decay": 0.01, "epsilon": 1e-6, "max_grad_norm": 0, **LINEAR}},
    {"name": "lamb of timm, strong", "optimizer": "lamb", "reference": "timm",
     "values": {"learning_rate": 2e-2, "weight_decay": 0.3, "betas": [0.8, 0.98], "epsilon": 1e-4, "max_grad_norm": 0,
                "schedule": "cosine", "warmup": 7}},
    {"name": "lamb with bounded ratio, layers decayed", "optimizer": "lamb", "reference": "layerwise.py",
     "values": {"learning_rate": 1e-2, "weight_decay": 0.1, "epsilon": 1e-6, "trust_clip": [0.95, 1.5],
                "layer_decay": 0.8, **LINEAR}},
    {"name": "lamb without decay", "optimizer": "lamb", "reference": "layerwise.py",
     "values": {"learning_rate": 4e-3, "weight_decay": 0.0, "epsilon": 1e-6, "max_grad_norm": 0.5, **LINEAR}},
    {"name": "lars defaults", "optimizer": "lars", "reference": "layerwise.py",
     "values": {"learning_rate": 1.0, "momentum": 0.9, "weight_decay": 1e-4, "epsilon": 1e-8,
                "trust_coefficient": 1e-3, **LINEAR}},
    {"name": "lars without momentum, decayed", "optimizer": "lars", "reference": "layerwise.py",
     "values": {"learning_rate": 2.0, "momentum": 0.0, "weight_decay": 0.05, "epsilon": 1e-3,
                "trust_coefficient": 1e-3, "max_grad_norm": 0, "schedule": "constant", "warmup": 0}},
    {"name": "lars, layers decayed", "optimizer": "lars", "reference": "layerwise.py",
     "values": {"learning_rate": 0.3, "momentum": 0.8, "weight_decay": 0.01, "epsilon": 1e-8,
                "trust_coefficient": 0.01, "layer_decay": 0.8, "schedule": "cosine", "warmup": 7}},
]


def timm_lamb():
    """The class Lamb of timm, loaded from its own file: the package's start asks for torchvision."""
    root = os.path.dirname(importlib.util.find_spec("timm").origin)
    for name, folder in [("timm", root), ("timm.optim", os.path.join(root, "optim"))]:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [folder]
    return importlib.import_module("timm.optim.lamb").Lamb


LAMB = timm_lamb()


def make_optimizer(spec, groups):
    values, lr = spec["values"], spec["values"]["learning_rate"]
    betas, epsilon = tuple(values.get("betas", (0.9, 0.999))), values.get("epsilon", 1e-8)
    if spec["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=values["momentum"], nesterov=values.get("nesterov", False),
                               foreach=False)
    if spec["optimizer"] == "lars":
        return layerwise.LARS(groups, lr, values["trust_coefficient"], values["momentum"], epsilon)
    if spec["optimizer"] == "lamb" and spec["reference"] == "timm":
        return LAMB(groups, lr=lr, betas=betas, eps=epsilon, max_grad_norm=None, foreach=False)
    if spec["optimizer"] == "lamb":
        return layerwise.LAMB(groups, lr, betas, epsilon, values.get("trust_clip"))
    kind = torch.optim.AdamW if spec["optimizer"] == "adamw" else torch.optim.Adam
    return kind(groups, lr=lr, betas=betas, eps=epsilon, foreach=False)


def scheduler(optimizer, values):
    warmup = values["warmup"]
    warmup = int(warmup * STEPS) if warmup < 1 else warmup
    make = {
        "linear": optimization.get_linear_schedule_with_warmup,
        "cosine": optimization.get_cosine_schedule_with_warmup,
        "constant": lambda o, w, _: optimization.get_constant_schedule_with_warmup(o, w),
    }[values["schedule"]]
    return make(optimizer, warmup, STEPS)


def trajectory(spec, start, gradients):
    values = spec["values"]
    dtype = torch.float64 if spec["reference"] == "layerwise.py" else torch.float32
    parameters = [torch.nn.Parameter(torch.tensor(x, dtype=dtype)) for x in start]
    blocks = 2
    groups = []
    for parameter, (_, _, role, unit) in zip(parameters, TENSORS):
        distance = {"head": 0, "embeddings": blocks + 1}.get(unit)
        distance = blocks - int(unit) if distance is None else distance
        decayed = role in ("weight", "embedding")
        groups.append({
            "params": [parameter],
            "lr": values["learning_rate"] * values.get("layer_decay", 1.0) ** distance,
            "weight_decay": values.get("weight_decay", 0.0) if decayed else 0.0,
            **({"adapts": decayed} if spec["reference"] == "layerwise.py" else {}),
        })
    optimizer = make_optimizer(spec, groups)
    schedule = scheduler(optimizer, values)
    norms, rates = [], []
    for step in gradients:
        for parameter, gradient in zip(parameters, step):
            parameter.grad = torch.tensor(gradient, dtype=dtype)
        norms.append(float(torch.linalg.vector_norm(torch.cat([p.grad.double().flatten() for p in parameters]))))
        rates.append(schedule.get_last_lr()[-1])
        if values.get("max_grad_norm", 1.0) > 0:
            torch.nn.utils.clip_grad_norm_(parameters, values.get("max_grad_norm", 1.0), foreach=False)
        optimizer.step()
        schedule.step()
    return [p.detach().float().numpy() for p in parameters], norms, rates


def schedules():
    rows = []
    for steps, warmup in [(100, 10), (37, 3), (12, 0), (1, 0), (1, 1), (5, 5), (6, 9), (0, 0), (66, 6)]:
        for shape in ["constant", "linear", "cosine", "polynomial", "inverse_sqrt"]:
            lr, end, power = 3e-4, 1e-6, 1.7
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
            made = {
                "constant": lambda: optimization.get_constant_schedule_with_warmup(optimizer, warmup),
                "linear": lambda: optimization.get_linear_schedule_with_warmup(optimizer, warmup, steps),
                "cosine": lambda: optimization.get_cosine_schedule_with_warmup(optimizer, warmup, steps),
                "polynomial": lambda: optimization.get_polynomial_decay_schedule_with_warmup(
                    optimizer, warmup, steps, lr_end=end, power=power) if steps != warmup else None,
                "inverse_sqrt": lambda: optimization.get_inverse_sqrt_schedule(optimizer, warmup),
            }[shape]()
            if made is None:  # the reference divides by zero there
                continue
            last = steps + 3
            rates = [lr * made.lr_lambdas[0](k) for k in range(last)]
            rows.append({"shape": shape, "steps": steps, "warmup": warmup, "rates": rates, "learningRate": lr,
                         **({"end": end, "power": power} if shape == "polynomial" else {})})
    shares = [{"share": share, "steps": steps, "warmup": int(share * steps)}
              for share in (0.0, 0.06, 0.1, 0.29, 0.999) for steps in (0, 1, 9, 10, 66, 100, 345, 1000)]
    return {"schedules": rows, "shares": shares}


def main():
    random = np.random.default_rng(SEED)
    start = [random.standard_normal(shape).astype(np.float32) for _, shape, _, _ in TENSORS]
    gradients = []
    for step in range(STEPS):
        # Sizes over four decades, some rows without any gradient, as in a real embedding; norms on both sides of 1.
        scale = 10.0 ** random.uniform(-3, 0.3)
        row = [(scale * random.standard_normal(shape)).astype(np.float32) for _, shape, _, _ in TENSORS]
        row[0][random.random(9) < 0.6] = 0
        row[0][8] = 0
        gradients.append(row)
    flat = [x.ravel() for x in start] + [x.ravel() for step in gradients for x in step]
    rows = []
    for spec in TRAJECTORIES:
        spec = {"reference": "torch.optim", **spec}
        end, norms, rates = trajectory(spec, start, gradients)
        flat += [x.ravel() for x in end]
        rows.append({**spec, "rates": rates})
    with open(os.path.join(HERE, "tensors.bin"), "wb") as file:
        file.write(np.concatenate(flat).astype("<f4").tobytes())
    description = {
        "seed": SEED, "torch": torch.__version__, "numpy": np.__version__,
        "timm": importlib.metadata.version("timm"), "steps": STEPS,
        "tensors": [{"name": n, "shape": s, "role": r, "unit": u} for n, s, r, u in TENSORS],
        "gradientNorms": norms, "trajectories": rows,
    }
    with open(os.path.join(HERE, "trajectories.json"), "w") as file:
        json.dump(description, file, indent=1)
    with open(os.path.join(HERE, "schedules.json"), "w") as file:
        json.dump(schedules(), file)
    with open(os.path.join(HERE, "sharpness.json"), "w") as file:
        json.dump({"seed": SEED, "torch": torch.__version__, **sharpness.golden(SEED)}, file, indent=1)


main()
