#!/usr/bin/env python3
"""Compares the first losses of a run in bfloat16 with those of the same run in float32.

    compare_precision.py --store STORE --model FOLDER --data GLUE_FOLDER --tasks mrpc,cola [--steps 100] [--lr 1e-4] [--seeds 0]
    compare_precision.py … --rounded-start
    compare_precision.py … --peer [--seeds 0,1,2]

Same model, head, batches and dropout masks; only the recipe's `precision` differs. Every loss has to be within 2 % of float32's.
One JSON line per task and seed; the exit status is 1 when the bound does not hold.

--rounded-start says how much the run makes of any small change: the same run in float32, from the model with its weights rounded to
bfloat16 once (the head is drawn as before), is compared with float32's, too.

--peer says how much of it is due to the format itself: the peer (finetune.py) takes the same steps in float32 and under autocast to
bfloat16, and the tool takes them in both precisions from the peer's head, with its batches, all without dropout. With --peer nothing is
bounded.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

from glue import TASKS, task_folder
from tool import Tool, options


HERE = os.path.dirname(os.path.abspath(__file__))


def losses(tool, o, model, data, seed, precision, folder, *more):
    log = os.path.join(folder, f"{data}-{seed}-{precision}.jsonl")
    report = tool("adapt", "--model", model, "--data", data, "--name", f"{data}-{precision}", "--replace", "--restart", "--log", log,
                  "--seed", seed, "--threads", o.threads, "--set", f"precision={precision}", "--set", f"steps={o.steps}",
                  "--set", f"learning_rate={o.lr}", "--set", "evaluate=never", *more)
    with open(log, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    return [e["loss"] for e in events if e["event"] == "step"], report["numeric_path"]


def peer_losses(o, task, seed, precision, folder):
    """The losses of the peer's steps, and the folder with the model it began with and its batches."""
    dump = os.path.join(folder, precision)
    command = [sys.executable, os.path.join(HERE, "finetune.py"), "--model", o.model, "--data", o.data, "--task", task, "--lr", o.lr,
               "--max-length", o.max_length, "--max-steps", o.steps, "--seeds", seed, "--precision", precision, "--no-dropout",
               "--threads", o.threads, "--dump", dump]
    subprocess.run(list(map(str, command)), check=True, stdout=sys.stderr)
    made = os.path.join(dump, f"seed-{seed}")
    with open(os.path.join(made, "result.json")) as file:
        return json.load(file)["step_losses"], made


def drift(rounded, exact):
    differences = [abs(a - b) / abs(b) for a, b in zip(rounded, exact, strict=True)]
    return {"largest": max(differences), "at_step": 1 + differences.index(max(differences)), "mean": sum(differences) / len(differences)}


def compare_with_peer(tool, o, task, seed, folder):
    exact, made = peer_losses(o, task, seed, "fp32", folder)
    theirs, _ = peer_losses(o, task, seed, "bf16", folder)
    start, data = "precision-start", f"precision-{task}"
    tool.adopt(made, start)
    tool("prepare", "--task", task, "--data", task_folder(task, o.data), "--model", start, "--name", data, "--max-length", o.max_length,
         "--replace")
    recipe = {"optimizer": "adamw", "weight_decay": 0.01, "max_grad_norm": 1.0, "schedule": "linear", "dropout": 0,
              "warmup": int(0.1 * o.steps)}
    same = ["--order", os.path.join(made, "order.json"), *(w for k, v in recipe.items() for w in ("--set", f"{k}={v}"))]
    ours, path = {}, None
    for precision in ("fp32", "bf16"):
        ours[precision], path = losses(tool, o, start, data, seed, precision, folder, *same)
    print(json.dumps({"task": task, "seed": seed, "steps": o.steps, "numeric_path": path, "ours": drift(ours["bf16"], ours["fp32"]),
                      "peer": drift(theirs, exact), "float32 of both": drift(ours["fp32"], exact)}), flush=True)
    return True


def rounded_once(model, folder):
    """A copy of the model folder with its weights rounded to bfloat16."""
    from safetensors.torch import load_file, save_file

    made = shutil.copytree(model, os.path.join(folder, "rounded"))
    path = os.path.join(made, "model.safetensors")
    tensors = load_file(path)
    save_file({n: t.bfloat16().to(t.dtype) if t.is_floating_point() else t for n, t in tensors.items()}, path)
    return made


def compare(tool, o, task, seed, folder):
    def start(model, name):
        tool.adopt(model, name)
        tool("prepare", "--task", task, "--data", task_folder(task, o.data), "--model", name, "--name", f"{name}-{task}",
             "--max-length", o.max_length, "--replace")
        return name, f"{name}-{task}"

    base = start(o.model, "precision-base")
    exact, _ = losses(tool, o, *base, seed, "fp32", folder)
    rounded, path = losses(tool, o, *base, seed, "bf16", folder)
    found = drift(rounded, exact)
    if o.rounded_start:
        found["float32 from rounded weights"] = drift(
            losses(tool, o, *start(rounded_once(o.model, folder), "precision-rounded"), seed, "fp32", folder)[0], exact)
    good = len(exact) == o.steps and found["largest"] <= 0.02
    print(json.dumps({"task": task, "seed": seed, "steps": len(exact), "numeric_path": path, **found, "bound": 0.02,
                      "last_loss": exact[-1], "passed": good}), flush=True)
    return good


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--tasks", default="mrpc,cola")
    a.add_argument("--steps", type=int, default=100)
    a.add_argument("--lr", type=float, default=1e-4)
    a.add_argument("--seeds", default="0")
    more = a.add_mutually_exclusive_group()
    more.add_argument("--rounded-start", action="store_true", help="run float32 from rounded weights, too")
    more.add_argument("--peer", action="store_true", help="measure the peer's drift beside ours, without dropout")
    a.add_argument("--max-length", type=int, default=128)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    unknown = [t for t in o.tasks.split(",") if t not in TASKS]
    if unknown:
        a.error(f"--tasks takes {', '.join(TASKS)}, not {', '.join(unknown)}")
    tool, passed = Tool(o.pipeline, o.store), True
    for task in o.tasks.split(","):
        for seed in o.seeds.split(","):
            with tempfile.TemporaryDirectory() as folder:
                passed = (compare_with_peer if o.peer else compare)(tool, o, task, int(seed), folder) and passed
    sys.exit(0 if passed else 1)


main()
