#!/usr/bin/env python3
"""Reference numbers for the line searches: each method written out in float64 on a small network, 50 steps.

    python3 -m venv .venv && .venv/bin/pip install numpy==2.4.6 'torch==2.13.0'
    .venv/bin/python make_search_goldens.py            writes searches.json beside itself

The network: the mean of three rows of a table, three residual tanh blocks, a linear head, mean cross-entropy. Two
batches of 32 examples, 20 steps each in turn. Gradients are autograd's. Nothing is shared with the product but the formulas.
No decision is so close that float32 weights could make another one.
"""
import json
import math
import os

import numpy as np
import torch

SEED = 20240921
STEPS = 50
# Every decision is at least this far from the other one, relative to the loss. Starts are tried in turn until one is calm.
MARGIN = 3e-6
HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, WORDS, BLOCKS, CLASSES, EXAMPLES, BATCH = 5, 7, 3, 3, 64, 32
EPOCH = 25
# Steps on one batch before the other one comes.
TURN = 20
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

# name, shape, role, part of the network
TENSORS = [("words", [WORDS, WIDTH], "embedding", "embeddings")]
for k in range(BLOCKS):
    TENSORS += [(f"block{k}.weight", [WIDTH, WIDTH], "weight", str(k)), (f"block{k}.bias", [WIDTH], "bias", str(k))]
TENSORS += [("head.weight", [CLASSES, WIDTH], "weight", "head"), ("head.bias", [CLASSES], "bias", "head")]
PARTS = ["embeddings"] + [str(k) for k in range(BLOCKS)] + ["head"]

CASES = [
    {"name": "SGDSLS", "optimizer": "sgdsls", "values": {}},
    {"name": "SGDSLS, momentum inside", "optimizer": "sgdsls", "values": {"momentum": 0.95, "initial_step": 0.5}},
    {"name": "ADAMSLS", "optimizer": "adamsls", "values": {}},
    {"name": "ADAMSLS, decayed weights and layers", "optimizer": "adamsls",
     "values": {"weight_decay": 0.3, "layer_decay": 0.8, "growth_period": 3, "max_step": 3}},
    {"name": "ADAMSLS, momentum inside", "optimizer": "adamsls", "values": {"betas": [0.9, 0.999]}},
    {"name": "ADAMSLS, momentum after acceptance", "optimizer": "adamsls",
     "values": {"betas": [0.9, 0.999], "momentum_after_acceptance": True}},
    {"name": "ADAMSLS, few trials", "optimizer": "adamsls",
     "values": {"max_trials": 2, "growth": 64, "rejection_shrink": 3}},
    {"name": "PLASLS", "optimizer": "plasls", "values": {"armijo_c": 0.5}},
    {"name": "PLASLS, one joint step, three units", "optimizer": "plasls", "values": {"joint_steps": 1, "units": 3, "armijo_c": 0.6}},
    {"name": "PLASLS, every unit", "optimizer": "plasls", "values": {"unit_order": "all", "armijo_c": 0.6}},
    {"name": "PLASLS, merging", "optimizer": "plasls",
     "values": {"merge_threshold": 0.06, "joint_steps": 2, "armijo_c": 0.5}},
    {"name": "PLASLS, the whole move searched", "optimizer": "plasls", "values": {"whole_move": "search", "joint_steps": 1, "armijo_c": 0.5}},
    {"name": "PLASLS, every unit, the whole move searched", "optimizer": "plasls",
     "values": {"whole_move": "search", "unit_order": "all", "joint_steps": 1, "armijo_c": 0.5, "weight_decay": 0.01}},
    {"name": "PLASLS, merging, momentum and layers, the whole move searched", "optimizer": "plasls",
     "values": {"whole_move": "search", "betas": [0.9, 0.999], "layer_decay": 0.8, "merge_threshold": 0.03, "joint_steps": 2,
                "growth_period": 4, "armijo_c": 0.6}},
    {"name": "PLASLS, few trials, the whole move searched", "optimizer": "plasls",
     "values": {"whole_move": "search", "joint_steps": 1, "growth": 64, "max_trials": 4, "armijo_c": 0.7, "rejection_shrink": 3}},
    {"name": "ALSALS", "optimizer": "alsals", "values": {"initial_step": 1}},
    {"name": "SaLSA", "optimizer": "salsa", "values": {}},
    {"name": "SaLSA, searching rarely", "optimizer": "salsa", "values": {"always_search_steps": 3, "growth": 1.01}},
]

COMMON = {"backtrack": 0.9, "initial_step": 0.1, "growth": 2.0, "growth_period": EPOCH, "max_step": 10.0,
          "max_trials": 100, "rejection_shrink": 10, "search_tolerance": 4, "armijo_c": 0.1, "betas": [0.0, 0.999],
          "epsilon": 1e-8, "weight_decay": 0.0, "layer_decay": 1.0, "momentum_after_acceptance": False, "momentum": 0.0,
          "joint_steps": 6, "units": 5, "unit_order": "cyclic", "merge_threshold": 0.0, "whole_move": "measure", "always_search_steps": 10,
          "interval_betas": [0.9, 0.99]}
OWN = {
    "alsals": {"armijo_c": 0.3, "growth": 1 / 0.999, "growth_period": 1, "betas": [0.9, 0.999], "search_smoothing": 0.99,
               "max_search_interval": 1},
    "salsa": {"armijo_c": 0.5, "backtrack": 0.8, "initial_step": 1.0, "growth": 1.1, "growth_period": 1,
              "search_smoothing": 0.9, "max_search_interval": 10},
}


class Method:
    def __init__(self, case, start, examples):
        self.p = {**COMMON, **OWN.get(case["optimizer"], {}), **case["values"]}
        self.kind = case["optimizer"]
        self.w = [torch.tensor(x, dtype=torch.float64) for x in start]
        self.ids, self.labels = examples
        self.t = 0
        self.m = [torch.zeros_like(x) for x in self.w]
        self.v = [torch.zeros_like(x) for x in self.w]
        self.multiplier, unit = [], []
        for _, _, _, part in TENSORS:
            distance = {"head": 0, "embeddings": BLOCKS + 1}.get(part)
            distance = BLOCKS - int(part) if distance is None else distance
            self.multiplier.append(self.p["layer_decay"] ** distance)
            if self.kind != "plasls":
                unit.append(0)
            elif self.p["units"] == 3:
                unit.append({"embeddings": 0, "head": 2}.get(part, 1))
            else:
                unit.append(PARTS.index(part))
        self.unit = unit
        count = max(unit) + 1
        self.eta = [self.p["initial_step"]] * count
        self.group = list(range(count))
        self.last = -1
        self.h = self.s = self.fast = self.slow = 0.0
        self.searches, self.since = 0, 0
        self.margin = math.inf

    def loss(self, w):
        first = (self.t - 1) // TURN * BATCH % EXAMPLES
        rows = slice(first, first + BATCH)
        h = w[0][self.ids[rows]].mean(1)
        for k in range(BLOCKS):
            h = h + torch.tanh(h @ w[1 + 2 * k].T + w[2 + 2 * k])
        return torch.nn.functional.cross_entropy(h @ w[-2].T + w[-1], self.labels[rows])

    def directions(self, g):
        """The chain's direction u and P⁻¹g."""
        if self.kind == "sgdsls":
            mu = self.p["momentum"]
            self.m = [mu * m + x for m, x in zip(self.m, g)]
            return (self.m if mu > 0 else g), g
        b1, b2 = self.p["betas"]
        self.m = [b1 * m + (1 - b1) * x for m, x in zip(self.m, g)]
        self.v = [b2 * v + (1 - b2) * x * x for v, x in zip(self.v, g)]
        p = [1 / ((v / (1 - b2 ** self.t)).sqrt() + self.p["epsilon"]) for v in self.v]
        return [m / (1 - b1 ** self.t) * q for m, q in zip(self.m, p)], [x * q for x, q in zip(g, p)]

    def slope(self, units, g, u):
        return sum(float((a * b).sum()) * r for a, b, r, k in zip(g, u, self.multiplier, self.unit) if k in units)

    def moved(self, etas, units, u):
        return [w - etas[k] * r * d if k in units else w
                for w, d, r, k in zip(self.w, u, self.multiplier, self.unit)]

    def decide(self, left, right, scale):
        self.margin = min(self.margin, abs(left - right) / scale)
        return left >= right

    def search(self, first, units, u, slope, f, smooth=None):
        """Step size, loss, failed trials; nothing accepted gives None for the first two."""
        p, eta = self.p, first
        tolerance = p["search_tolerance"] * float(np.spacing(np.float32(max(abs(f), 1e-6))))
        for k in range(p["max_trials"]):
            self.passes += 1
            trial = float(self.loss(self.moved({i: eta for i in units}, units, u)))
            if smooth is None:
                accepted = self.decide(f - trial, p["armijo_c"] * eta * slope - tolerance, f)
            else:
                b, h, s = smooth
                accepted = self.decide(b * h + (1 - b) * (f - trial),
                                       p["armijo_c"] * eta * s - (1 - b) * tolerance, f * (1 - b))
            if accepted:
                return eta, trial, k
            eta *= p["backtrack"]
        return None, None, p["max_trials"]

    def together(self, applied, units, g, u, f, row, rejected):
        """All step sizes, shrunk together until the whole move is accepted."""
        p = self.p
        tolerance = p["search_tolerance"] * float(np.spacing(np.float32(max(abs(f), 1e-6))))
        names = sorted(set(self.group))
        slopes = {n: max(0.0, self.slope([i for i in units if self.group[i] == n], g, u)) for n in names}
        for _ in range(p["max_trials"]):
            self.passes += 1
            trial = float(self.loss(self.moved(applied, units, u)))
            right = p["armijo_c"] * sum(applied[n] * slopes[n] for n in names) - tolerance
            if self.decide(f - trial, right, f):
                row["after"], row["decrease"] = trial, f - trial
                return applied
            row["backtracks"] += 1
            applied = [a * p["backtrack"] for a in applied]
            self.eta = [a if a > 0 else e for a, e in zip(applied, self.eta)]
        row["decrease"], self.eta = None, rejected
        return [0.0] * len(units)

    def step(self):
        p = self.p
        self.t += 1
        self.passes = 0
        w = [x.clone().requires_grad_() for x in self.w]
        f = self.loss(w)
        g = torch.autograd.grad(f, w)
        f = float(f.detach())
        full, plain = self.directions(g)
        units = list(range(max(self.unit) + 1))
        u = list(plain) if p["momentum_after_acceptance"] else list(full)
        fallback = False

        def fall_back(members):
            nonlocal fallback
            slope = self.slope(members, g, u)
            if slope > 0:
                return slope
            fallback = True
            for i, k in enumerate(self.unit):
                if k in members:
                    u[i] = plain[i]
            return self.slope(members, g, u)

        grow = lambda eta: min(p["max_step"], eta * p["growth"] ** (1 / p["growth_period"]))
        shrunk = lambda eta: eta * p["backtrack"] ** p["rejection_shrink"]
        row = {"loss": f, "backtracks": 0, "after": None, "unit": None, "searched": True}
        before = list(self.eta)
        if self.kind == "plasls" and self.t > p["joint_steps"]:
            names = sorted(set(self.group))
            chosen = names if p["unit_order"] == "all" else [next((n for n in names if n > self.last), names[0])]
            row["unit"] = chosen[0] if len(chosen) == 1 else None
            self.eta = [grow(e) for e in before]
            applied = list(self.eta)
            slope_sum, accepted_loss, failures = 0.0, None, 0
            for name in chosen:
                members = [i for i in units if self.group[i] == name]
                slope = fall_back(members)
                slope_sum += slope
                eta, accepted_loss, failed = self.search(self.eta[name], members, u, slope, f)
                row["backtracks"] += failed
                failures += eta is None
                for i in members:
                    self.eta[i] = shrunk(before[i]) if eta is None else eta
                    applied[i] = 0.0 if eta is None else eta
                self.last = name
            row["slope"] = slope_sum
            if failures == len(chosen):
                applied = [0.0] * len(units)
                self.eta = [self.eta[i] if self.group[i] in chosen else before[i] for i in units]
                row["decrease"] = None
            else:
                row["decrease"] = f - accepted_loss
                if len(names) > 1:
                    if len(chosen) == 1:
                        for name in names:
                            if name not in chosen:
                                fall_back([i for i in units if self.group[i] == name])
                    if p["whole_move"] == "search":
                        applied = self.together(applied, units, g, u, f, row, [shrunk(e) for e in before])
                    else:
                        self.passes += 1
                        row["after"] = float(self.loss(self.moved(applied, units, u)))
                        if len(chosen) > 1:
                            row["decrease"] = f - row["after"]
            order = sorted(names, key=lambda n: (self.eta[n], n))
            if len(order) > 1 and self.eta[order[0]] < p["merge_threshold"]:
                self.margin = min(self.margin, abs(self.eta[order[0]] / p["merge_threshold"] - 1))
                mean = (self.eta[order[0]] + self.eta[order[1]]) / 2
                pair = order[:2]
                for i in units:
                    if self.group[i] in pair:
                        self.group[i], self.eta[i] = min(pair), mean
        else:
            slope = fall_back(units)
            row["slope"] = slope
            smooth = None
            due = True
            if self.kind in ("alsals", "salsa"):
                beta = p["search_smoothing"]
                smooth = (beta, self.h, beta * self.s + (1 - beta) * slope)
                due = self.t <= p["always_search_steps"] or self.since + 1 >= self.interval()
            row["searched"] = due
            if due:
                eta, trial, failed = self.search(grow(before[0]), units, u, slope, f, smooth)
                row["backtracks"] = failed
                row["decrease"] = None if eta is None else f - trial
                self.eta = [shrunk(before[0]) if eta is None else eta] * len(units)
                applied = [0.0 if eta is None else eta] * len(units)
                if smooth is not None:
                    if eta is not None:
                        self.h = beta * self.h + (1 - beta) * (f - trial)
                        self.s = smooth[2]
                    a, b = p["interval_betas"]
                    self.fast = a * self.fast + (1 - a) * self.eta[0]
                    self.slow = b * self.slow + (1 - b) * self.eta[0]
                    self.searches += 1
                    self.since = 0
            else:
                applied = [grow(before[0])]
                row["decrease"] = None
                self.since += 1
        if p["momentum_after_acceptance"]:
            u = full
        self.w = self.moved(applied, units, u)
        for i, (_, _, role, _) in enumerate(TENSORS):
            if role in ("weight", "embedding"):
                self.w[i] = self.w[i] * (1 - applied[self.unit[i]] * self.multiplier[i] * p["weight_decay"])
        row.update(stepSizes=list(self.eta), applied=applied, fallback=fallback, passes=self.passes)
        return row

    def interval(self):
        a, b = self.p["interval_betas"]
        q = self.fast / (1 - a ** self.searches) / (self.slow / (1 - b ** self.searches))
        r = max(q, 1 / q)
        if r == 1:
            return self.p["max_search_interval"]
        interval = min(self.p["max_search_interval"], max(1, 1 / (r - 1)))
        if self.since + 1 < self.p["max_search_interval"]:
            self.margin = min(self.margin, abs(interval - round(interval)) if interval % 1 else 1)
        return interval


def examples():
    random = np.random.default_rng(SEED)
    ids = torch.tensor(random.integers(0, WORDS, (EXAMPLES, 3)))
    # Mostly a rule of the words, some noise.
    labels = (ids.sum(1) // 3 + torch.tensor(random.random(EXAMPLES) < 0.15)) % CLASSES
    # The second batch contradicts the first, so that momentum ascends for a while.
    labels[BATCH:] = (labels[BATCH:] + 1) % CLASSES
    return ids, labels


def start(seed):
    random = np.random.default_rng(seed)
    return [np.round(random.standard_normal(shape) * (0.1 if role == "bias" else 0.6), 3).astype(np.float32)
            for _, shape, role, _ in TENSORS]


def run(case, weights, data, rounded=False):
    method = Method(case, weights, data)
    rows = []
    for _ in range(STEPS):
        rows.append(method.step())
        if rounded:
            method.w = [x.float().double() for x in method.w]
    return method, rows, [float(x) for w in method.w for x in w.flatten()]


def short(x, digits):
    return None if x is None else float(f"{x:.{digits}g}")


def calm(case, weights, data):
    """No decision is close, and weights rounded to float32 after every step change little."""
    method, rows, _ = run(case, weights, data)
    if method.margin < MARGIN:
        return False
    _, others, _ = run(case, weights, data, rounded=True)
    return all(abs(a["loss"] - b["loss"]) < 4e-6 and np.allclose(a["applied"], b["applied"], 1e-12, 0)
               and abs(a["slope"] - b["slope"]) < 1e-4 * abs(a["slope"]) + 1e-5 for a, b in zip(rows, others))


def main():
    data = examples()
    cases = []
    for case in CASES:
        seed = SEED
        while not calm(case, start(seed), data):
            seed += 1
        weights = start(seed)
        method, rows, end = run(case, weights, data)
        print(f"{case['name']}: loss {rows[0]['loss']:.4f} to {rows[-1]['loss']:.4f}, margin {method.margin:.1e}, "
              f"{sum(r['passes'] for r in rows)} passes, {sum(r['backtracks'] for r in rows)} backtracks, "
              f"{sum(max(r['applied']) == 0 for r in rows)} rejected, {sum(r['fallback'] for r in rows)} fallbacks, "
              f"{sum(r['searched'] for r in rows)} searches, groups {sorted(set(method.group))}")
        cases.append({**case, "seed": seed, "start": [float(f"{x:.3f}") for w in weights for x in w.flatten()],
                      "steps": rows, "end": end, "groups": method.group})
    document = {
        "seed": SEED, "torch": torch.__version__, "numpy": np.__version__, "epochSteps": EPOCH, "batch": BATCH, "turn": TURN,
        "tensors": [{"name": n, "shape": s, "role": r, "unit": u} for n, s, r, u in TENSORS],
        "ids": data[0].tolist(), "labels": data[1].tolist(),
        "cases": cases,
    }
    for case in cases:
        case["end"] = [short(x, 6) for x in case["end"]]
        rows = case.pop("steps")
        case["rows"] = {key: [short(row[key], 6) for row in rows] for key in ("loss", "slope", "decrease")}
        case["rows"]["after"] = [short(row["after"], 6) for row in rows if row["after"] is not None]
        case["rows"]["rates"] = [short(max(row["applied"]) if row["unit"] is None else row["applied"][row["unit"]], 9)
                                 for row in rows]
        case["rows"]["stepSizes"] = [[short(x, 9) for x in row["stepSizes"]] for row in rows]
        for key in ("backtracks", "passes", "unit"):
            case["rows"][key] = [row[key] for row in rows]
        case["rows"]["fallbacks"] = [step for step, row in enumerate(rows) if row["fallback"]]
        case["rows"]["rests"] = [step for step, row in enumerate(rows) if not row["searched"]]
    with open(os.path.join(HERE, "searches.json"), "w") as file:
        json.dump(document, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
