#!/usr/bin/env python3
"""Runs line searches on a real task and checks every step of them again in PyTorch, in double.

    recheck_searches.py --model FOLDER --data GLUE_FOLDER --store STORE --work FOLDER [--task mrpc] [--methods sgdsls,…] [--steps 20]

Each method makes --steps updates with dropout; `pipeline adapt --trace` writes the weights, direction, batch and dropout keys of each.
From these alone PyTorch computes in double the loss before the step, at the accepted trial and after the move, and −gᵀd of the
searched units, and checks

* that the accepted trial satisfies its inequality: Armijo's for sgdsls, adamsls, plasls; the one between running means, taken over all
  steps so far in double, for alsals and salsa. The tolerance is the recipe's (search_tolerance) and nothing more;
* that the tool's float32 losses are within 1e-5 and its slope within 1e-4 of PyTorch's, relative;
* that a rejected step left the weights as they were, bit for bit, and any other one moved them exactly as accepted.
Two more runs: plasls-whole searches the whole move, too, of which the inequality is then checked; rejected has conditions that are hard to
meet, so that steps are rejected. One JSON line per method; ends with 1 when
something does not hold. A trace is removed when it has been checked, unless --keep is given.
"""
import argparse
import json
import os
import shutil
import sys

import numpy as np
import torch
from safetensors.torch import load_file

from glue import TASKS, task_folder
from packed_bert import PackedBert
from tool import Tool, options

COMPOSED = {"plasls-whole": ["--recipe", "plasls", "--set", "whole_move=search", "--set", "joint_steps=2"],
            "rejected": ["--recipe", "adamsls", "--set", "armijo_c=0.9", "--set", "max_trials=2", "--set", "initial_step=10"]}


def part(tensors, name):
    return {k[len(name) + 1:]: v for k, v in tensors.items() if k.startswith(name + "/")}


def unit_of(name):
    """The part of the network that a tensor belongs to, by the names in the trace."""
    if name.startswith("bert.embeddings."):
        return "embeddings"
    if name.startswith("bert.encoder.layer."):
        return "block " + name.split(".")[3]
    return "head"


class Check:
    def __init__(self, model, constants):
        self.model, self.c = model, constants
        self.h = self.s = 0.0
        self.loss_error = self.slope_error = 0.0
        self.margin, self.faults = float("inf"), []
        self.accepted = self.rejected = self.rested = self.increases = 0

    def tolerance(self, loss):
        return self.c["search_tolerance"] * float(np.spacing(np.float32(max(abs(loss), 1e-6))))

    def value(self, weights, batch, dropout, steps=None, direction=None, units=None, gradient=False):
        """f(w + η·d) in double, with η of each unit, and with its gradient."""
        w = {}
        for name, x in weights.items():
            x = x.double()
            if steps is not None and steps[units[name]] != 0:
                x = x + steps[units[name]] * direction[name].double()
            w[name] = x.requires_grad_(gradient)
        loss = self.model.loss(w, batch, dropout)
        if gradient:
            loss.backward()
        return loss.item(), {n: x.grad for n, x in w.items()}

    def near(self, ours, reference, step, what):
        error = abs(ours - reference) / max(abs(reference), 1e-6)
        self.loss_error = max(self.loss_error, error)
        if error > 1e-5:
            self.faults.append(f"step {step}: {what} {ours} against {reference}")

    def step(self, line, tensors, after):
        weights, direction, batch = (part(tensors, n) for n in ("weights", "direction", "batch"))
        search, tried, dropout, number = line["search"], line["tried"], line["dropout"], line["step"]
        units = {n: next(i for i, u in enumerate(line["units"]) if unit_of(n) in u) for n in weights}
        before, gradient = self.value(weights, batch, dropout, gradient=True)
        self.near(line["loss"], before, number, "loss")
        searched = [search["unit"]] if "unit" in search else range(len(line["units"]))
        slope = -sum(float((gradient[n] * direction[n].double()).sum()) for n in weights
                     if units[n] in searched and gradient[n] is not None)
        error = abs(search["slope"] - slope) / max(abs(slope), 1e-30)
        self.slope_error = max(self.slope_error, error)
        if error > 1e-4:
            self.faults.append(f"step {number}: slope {search['slope']} against {slope}")
        smoothing = self.c.get("search_smoothing")
        if search["rejected"]:
            self.rejected += 1
            applied = [0.0] * len(line["units"])
        elif not search["searched"]:
            self.rested += 1
            applied = [line["learning_rate"]] * len(line["units"])
        else:
            self.accepted += 1
            whole = self.c.get("whole_move") == "search" and "loss_after" in search
            trial = tried[-1 if whole else search["backtracks"]]
            if whole:
                # η of each unit stands in the slope; units that were merged descend together and have one η.
                etas = trial["step_sizes"]
                parts = {e: 0.0 for e in etas}
                for n in weights:
                    if gradient[n] is not None:
                        parts[etas[units[n]]] -= float((gradient[n] * direction[n].double()).sum())
                slope = sum(e * max(0.0, s) for e, s in parts.items()) / max(etas)
            eta = max(trial["step_sizes"])
            after_trial, _ = self.value(weights, batch, dropout, trial["step_sizes"], direction, units)
            self.near(trial["loss"], after_trial, number, "loss of the trial")
            decrease, right = before - after_trial, self.c["armijo_c"] * eta * slope
            share = 1.0
            if smoothing is not None:
                share = 1 - smoothing
                self.h = smoothing * self.h + share * decrease
                self.s = smoothing * self.s + share * max(0.0, slope)
                decrease, right = self.h, self.c["armijo_c"] * eta * self.s
            margin = decrease - right + share * self.tolerance(before)
            self.margin = min(self.margin, margin / abs(before))
            if margin < 0:
                self.faults.append(f"step {number}: {decrease} is less than {right} by more than the tolerance")
            applied = tried[-1]["step_sizes"]
            if "loss_after" in search:
                moved, _ = self.value(weights, batch, dropout, applied, direction, units)
                self.near(search["loss_after"], moved, number, "loss after the move")
                self.increases += search["increase"]
        for name, x in weights.items():
            eta = np.float32(applied[units[name]])
            expected = x.numpy() + direction[name].numpy() * eta if eta else x.numpy()
            if expected.tobytes() != after[name].numpy().tobytes():
                self.faults.append(f"step {number}: {name} is not where the step leads")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--work", required=True)
    a.add_argument("--task", default="mrpc", choices=TASKS)
    a.add_argument("--methods", default="sgdsls,adamsls,plasls,plasls-whole,alsals,salsa,rejected")
    a.add_argument("--steps", type=int, default=20)
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    a.add_argument("--keep", action="store_true")
    o = a.parse_args()
    torch.set_num_threads(o.threads)
    tool, passed = Tool(o.pipeline, o.store), True
    tool.adopt(o.model, "searched")
    tool("prepare", "--task", o.task, "--data", task_folder(o.task, o.data), "--model", "searched", "--name", "searched", "--replace")
    model = PackedBert(o.model)
    for method in o.methods.split(","):
        recipe = COMPOSED.get(method, ["--recipe", method])
        recipe = recipe + ["--set", f"batch_size={o.batch}", "--set", f"steps={o.steps}", "--set", "evaluate=never"]
        explained = tool("adapt", "--explain", *recipe)
        check = Check(model, {c["name"]: c["value"] for c in explained["constants"]})
        trace = os.path.join(o.work, method)
        shutil.rmtree(trace, ignore_errors=True)
        tool("adapt", "--model", "searched", "--data", "searched", "--name", f"searched-{method}", "--replace", "--seed", o.seed,
             "--threads", o.threads, "--trace", trace, *recipe)
        with open(os.path.join(trace, "steps.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        files = [os.path.join(trace, f"step-{line['step']:06}.safetensors") for line in lines]
        tensors = load_file(files[0])
        for i, line in enumerate(lines):
            following = load_file(files[i + 1] if i + 1 < len(files) else os.path.join(trace, "end.safetensors"))
            check.step(line, tensors, part(following, "weights"))
            tensors = following
            print(f"{method} step {line['step']}: {line['search']}", file=sys.stderr, flush=True)
        print(json.dumps({"method": method, "task": o.task, "steps": len(lines), "accepted": check.accepted, "rejected": check.rejected,
                          "rested": check.rested, "increases": check.increases, "loss_error": check.loss_error,
                          "slope_error": check.slope_error, "least_margin": check.margin if check.accepted else None,
                          "faults": check.faults}), flush=True)
        passed = passed and not check.faults
        if not o.keep:
            shutil.rmtree(trace)
    sys.exit(0 if passed else 1)


main()
