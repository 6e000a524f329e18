#!/usr/bin/env python3
"""Fine-tunes with the tool and with the peer (finetune.py) and compares what comes out.

    compare_finetune.py steps --store STORE --model FOLDER --data GLUE_FOLDER --task mrpc --work FOLDER
    compare_finetune.py same  …
    compare_finetune.py seeds … [--seeds 0,1,2,3,4]

steps   50 optimizer steps, same starting model and head, same batches, no dropout: every loss within 1e-5 relative, and at the end
        ‖θ − θ_ref‖ / ‖θ_ref − θ₀‖ at most 1e-3 over all parameters but key biases.
same    The whole run, same starting model and head, same batches, no dropout, float32: epoch losses within 1e-3 relative, at least
        99 % of the dev predictions equal (regression: scores within 0.02).
seeds   Dropout on, each side with its own seeds: the difference of the mean dev metrics is within two standard errors.
All values are printed; the last line is one JSON object; the exit status is 1 when a bound does not hold.
--work keeps the peer's dumps, so that a second run of the comparison does not train the peer again. --known FILE (JSON Lines) does the
same for `seeds` without any dump: results in it are taken, new ones of both sides added to it.
"""
import argparse
import csv
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys

import numpy as np

from glue import TASKS, official_metrics, task_folder
from tool import Tool, options

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = {"optimizer": "adamw", "weight_decay": 0.01, "max_grad_norm": 1.0, "schedule": "linear", "precision": "fp32",
          "select": "last"}


def peer(o, folder, seed, *extra):
    """Trains the peer for one seed, or takes what an earlier run left; returns its result and folder."""
    made = os.path.join(folder, f"seed-{seed}")
    kept = os.path.join(made, "result.json")
    wanted = {"model": o.model, "data": o.data, "task": o.task, "batch": o.batch, "lr": o.lr, "epochs": o.epochs,
              "max_length": o.max_length}
    if not os.path.exists(kept) or not wanted.items() <= json.load(open(kept))["arguments"].items():
        command = [sys.executable, os.path.join(HERE, "finetune.py"), "--model", o.model, "--data", o.data, "--task", o.task,
                   "--batch", o.batch, "--lr", o.lr, "--epochs", o.epochs, "--max-length", o.max_length, "--seeds", seed,
                   "--threads", o.threads, "--dump", folder, *extra]
        subprocess.run(list(map(str, command)), check=True, stdout=sys.stderr)
    with open(kept) as file:
        return json.load(file), made


class Known:
    """Dev metrics of earlier runs of either side, by all that decides them but the program's version; rates belong to a machine."""

    def __init__(self, o):
        self.path, self.lines = o.known, {}
        self.work = {"task": o.task, "batch": o.batch, "lr": o.lr, "epochs": o.epochs, "max_length": o.max_length}
        if self.path:
            with open(os.path.join(o.model, "model.safetensors"), "rb") as file:
                self.work["model"] = hashlib.file_digest(file, "sha256").hexdigest()
        if self.path and os.path.exists(self.path):
            with open(self.path) as file:
                for line in map(json.loads, file):
                    self.lines[self.key(line["side"], line["precision"], line["seed"], line["work"])] = line

    @staticmethod
    def key(*parts):
        return json.dumps(parts, sort_keys=True)

    def take(self, side, precision, seed, run):
        """The line for a seed; what is not known is run by `run`, which gives steps, dev metrics and, not kept, examples a second."""
        key = self.key(side, precision, seed, self.work)
        if key not in self.lines:
            steps, metrics, rate = run()
            line = {"side": side, "precision": precision, "seed": seed, "work": self.work, "steps": steps, "dev": metrics}
            if self.path:
                with open(self.path, "a") as file:
                    file.write(json.dumps(line) + "\n")
            self.lines[key] = line | {"rate": rate}
        return self.lines[key]


def settings(o, planned, **more):
    """The recipe as --set options; warm-up in whole steps, rounded down as the peer does."""
    values = RECIPE | {"learning_rate": o.lr, "batch_size": o.batch, "warmup": int(0.1 * planned)} | more
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def prepare(tool, o, model, name):
    tool("prepare", "--task", "classification" if o.task == "sentiment" else o.task, "--data", task_folder(o.task, o.data),
         "--model", model, "--name", name, "--max-length", o.max_length, "--replace")


def relative(ours, reference):
    return max(abs(a - b) / abs(b) for a, b in zip(ours, reference, strict=True))


def read_predictions(path):
    """The predictions of `pipeline eval --predictions`: numbers of labels, or the values of a regression."""
    with open(path, encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    labels = names[names.index("line") + 1:]
    predictions = [row[names.index("prediction")] for row in rows]
    return [labels.index(p) if labels else float(p) for p in predictions]


def compare_steps(tool, o):
    reference, dump = peer(o, os.path.join(o.work, f"{o.task}-steps"), 0, "--no-dropout", "--max-steps", o.steps)
    name = f"{o.task}-steps"
    tool.adopt(dump, name)
    prepare(tool, o, name, name)
    log = os.path.join(dump, "log.jsonl")
    tool("adapt", "--model", name, "--data", name, "--name", name, "--order", os.path.join(dump, "order.json"), "--log", log,
         "--replace", "--threads", o.threads, *settings(o, o.steps, steps=o.steps, dropout=0))
    with open(log) as file:
        events = [json.loads(line) for line in file]
    losses = [e["loss"] for e in events if e.get("event", "step") == "step" and "loss" in e]
    exported = os.path.join(dump, "exported")
    tool("export", name, exported, "--replace")
    from safetensors.numpy import load_file
    start, end, ours = (load_file(os.path.join(folder, "model.safetensors"))
                        for folder in (dump, os.path.join(dump, "end"), exported))
    names = [n for n in end if np.issubdtype(end[n].dtype, np.floating) and not n.endswith("key.bias")]
    norm = lambda a, b: math.sqrt(sum(float(np.sum((a[n].astype(np.float64) - b[n]) ** 2)) for n in names))
    moved = norm(end, start)
    for step, (a, b) in enumerate(zip(losses, reference["step_losses"]), 1):
        print(f"step {step:3}  {a:.7f}  {b:.7f}  {abs(a - b) / b:.1e}")
    result = {"steps": len(losses), "loss_relative": relative(losses, reference["step_losses"]), "loss_bound": 1e-5,
              "distance_relative": norm(ours, end) / moved, "distance_bound": 1e-3}
    return result, result["loss_relative"] <= 1e-5 and result["distance_relative"] <= 1e-3


def compare_same(tool, o):
    reference, dump = peer(o, os.path.join(o.work, f"{o.task}-same"), 0, "--no-dropout")
    name = f"{o.task}-same"
    tool.adopt(dump, name)
    prepare(tool, o, name, name)
    report = tool("adapt", "--model", name, "--data", name, "--name", name, "--order", os.path.join(dump, "order.json"),
                  "--replace", "--threads", o.threads, *settings(o, reference["steps"], epochs=o.epochs, dropout=0))
    losses = [epoch["loss"] for epoch in report["history"]]
    kept = len(losses)
    predictions = os.path.join(dump, "predictions.tsv")
    tool("eval", name, "--split", "dev", "--predictions", predictions)
    ours = read_predictions(predictions)
    logits = np.loadtxt(os.path.join(dump, f"dev-{kept}.tsv"), delimiter="\t", ndmin=2)
    task = TASKS[o.task]
    if task.labels is None:
        equal = [abs(a - b) <= 0.02 for a, b in zip(ours, logits[:, 0].tolist(), strict=True)]
    else:
        equal = [a == b for a, b in zip(ours, logits.argmax(1).tolist(), strict=True)]
    for i, (a, b) in enumerate(zip(losses, reference["loss"]), 1):
        print(f"epoch {i}  loss {a:.6f}  {b:.6f}  {abs(a - b) / b:.1e}   dev {report['history'][i - 1]['metrics']}  "
              f"{reference['dev'][i - 1]}")
    result = {"loss_relative": relative(losses, reference["loss"]), "loss_bound": 1e-3, "epoch_compared": kept,
              "equal_predictions": sum(equal) / len(equal), "equal_bound": 0.99,
              "examples_per_second": report["examples_per_second"],
              "peer_examples_per_second": reference.get("examples_per_second")}
    return result, result["loss_relative"] <= 1e-3 and result["equal_predictions"] >= 0.99


def compare_seeds(tool, o):
    names, seeds = official_metrics(o.task), [int(s) for s in o.seeds.split(",")]
    if len(seeds) < 2:
        sys.exit("seeds: at least two are needed for a standard error")
    base = f"{o.task}-seeds"
    known = Known(o)
    tool.adopt(o.model, base)
    prepare(tool, o, base, base)

    def train_peer():
        result, _ = peer(o, os.path.join(o.work, f"{o.task}-seeds"), seed)
        return result["steps"], result["dev"][-1], result["examples_per_second"]

    def train():
        report = tool("adapt", "--model", base, "--data", base, "--name", f"{base}-{seed}", "--seed", seed, "--replace",
                      "--threads", o.threads, *settings(o, reference["steps"], epochs=o.epochs, precision=o.precision))
        return report["steps"], report["history"][-1]["metrics"], report["examples_per_second"]

    ours, theirs, rates = [], [], []
    for seed in seeds:
        reference = known.take("peer", "fp32", seed, train_peer)
        report = known.take("pipeline", o.precision, seed, train)
        ours.append(report["dev"])
        theirs.append(reference["dev"])
        measured = [line.get("rate") for line in (report, reference)]
        if all(measured):
            rates.append(measured)
        values = "   ".join(f"{n} {ours[-1][n]:.4f} {theirs[-1][n]:.4f}" for n in names)
        print(f"seed {seed}   {values}   examples/s {' '.join(f'{r:.1f}' if r else 'known' for r in measured)}", flush=True)
    result, passed = {}, True
    for name in names:
        a, b = [m[name] for m in ours], [m[name] for m in theirs]
        error = math.sqrt((statistics.variance(a) + statistics.variance(b)) / len(seeds))
        difference = statistics.mean(a) - statistics.mean(b)
        passed = passed and abs(difference) <= 2 * error
        result[name] = {"ours": a, "peer": b, "mean": statistics.mean(a), "peer_mean": statistics.mean(b),
                        "difference": difference, "two_standard_errors": 2 * error}
    medians = [statistics.median(side) for side in zip(*rates)] or [None, None]
    return result | {"examples_per_second": medians[0], "peer_examples_per_second": medians[1]}, passed


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("mode", choices=["steps", "same", "seeds"])
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--task", required=True, choices=TASKS)
    a.add_argument("--work", required=True)
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--lr", type=float, default=1e-4)
    a.add_argument("--epochs", type=int, default=3)
    a.add_argument("--steps", type=int, default=50)
    a.add_argument("--seeds", default="0,1,2,3,4")
    a.add_argument("--max-length", type=int, default=128)
    a.add_argument("--known", help="results of earlier runs of seeds, read and added to")
    a.add_argument("--precision", default="fp32", choices=["fp32", "bf16"], help="of our side in seeds; the peer's is fp32")
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    compare = {"steps": compare_steps, "same": compare_same, "seeds": compare_seeds}[o.mode]
    result, passed = compare(Tool(o.pipeline, o.store), o)
    print(json.dumps({"mode": o.mode, "task": o.task} | result | {"passed": passed}))
    sys.exit(0 if passed else 1)


main()
