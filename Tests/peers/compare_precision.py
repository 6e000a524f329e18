#!/usr/bin/env python3
"""Compares the first losses of a run in bfloat16 with those of the same run in float32.

    compare_precision.py --store STORE --model FOLDER --data GLUE_FOLDER --tasks mrpc,cola [--steps 100] [--lr 1e-4] [--seed 0]

Same model, head, batches and dropout masks; only the recipe's `precision` differs. Every loss has to be within 2 % of float32's.
One JSON line per task; the exit status is 1 when the bound does not hold.
"""
import argparse
import json
import os
import sys
import tempfile

from glue import TASKS, task_folder
from tool import Tool, options


def losses(tool, o, task, precision, folder):
    log = os.path.join(folder, f"{task}-{precision}.jsonl")
    report = tool("adapt", "--model", "precision-base", "--data", f"precision-{task}", "--name", f"precision-{task}-{precision}",
                  "--replace", "--restart", "--log", log, "--seed", o.seed, "--threads", o.threads, "--set", f"precision={precision}",
                  "--set", f"steps={o.steps}", "--set", f"learning_rate={o.lr}", "--set", "evaluate=never")
    with open(log, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    return [e["loss"] for e in events if e["event"] == "step"], report["numeric_path"]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--tasks", default="mrpc,cola")
    a.add_argument("--steps", type=int, default=100)
    a.add_argument("--lr", type=float, default=1e-4)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--max-length", type=int, default=128)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    tool, passed = Tool(o.pipeline, o.store), True
    tool.adopt(o.model, "precision-base")
    with tempfile.TemporaryDirectory() as folder:
        for task in o.tasks.split(","):
            if task not in TASKS:
                sys.exit(f"--tasks takes {', '.join(TASKS)}, not '{task}'")
            tool("prepare", "--task", task, "--data", task_folder(task, o.data), "--model", "precision-base",
                 "--name", f"precision-{task}", "--max-length", o.max_length, "--replace")
            exact, _ = losses(tool, o, task, "fp32", folder)
            rounded, path = losses(tool, o, task, "bf16", folder)
            differences = [abs(a - b) / abs(b) for a, b in zip(rounded, exact, strict=True)]
            good = len(differences) == o.steps and max(differences) <= 0.02
            passed = passed and good
            print(json.dumps({"task": task, "steps": len(differences), "numeric_path": path, "largest": max(differences),
                              "mean": sum(differences) / len(differences), "bound": 0.02, "last_loss": exact[-1], "passed": good}), flush=True)
    sys.exit(0 if passed else 1)


main()
