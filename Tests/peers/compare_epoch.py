#!/usr/bin/env python3
"""Times training on a real task with the tool and with the peer (finetune.py), in turns, so that both meet the same machine.

    compare_epoch.py --store STORE --model FOLDER --data GLUE_FOLDER [--tasks cola,mrpc] [--precision bf16]
                     [--pad longest|max] [--steps N] [--rounds 3]

Each round trains one epoch (or --steps updates) on each side, each in a process of its own, the next round the other way round. What
counts is examples a second of the training steps alone, evaluation and loading aside. One JSON line per task with the ratio of the
rates per round and its median.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

from glue import task_folder
from tool import Tool, options

HERE = os.path.dirname(os.path.abspath(__file__))


def peer(o, task):
    command = [sys.executable, os.path.join(HERE, "finetune.py"), "--model", o.model, "--data", o.data, "--task", task, "--epochs", 1,
               "--batch", o.batch, "--precision", o.precision, "--pad", o.pad, "--threads", o.threads, "--max-steps", o.steps]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout)
    return min(result["steps"] * o.batch, o.examples) / result["seconds"][0]


def ours(tool, o, task, round):
    length = ["--set", f"steps={o.steps}"] if o.steps else ["--set", "epochs=1"]
    report = tool("adapt", "--model", "base", "--data", task, "--name", f"{task}-{round}", "--replace", "--seed", round,
                  "--threads", o.threads, *length, "--set", f"batch_size={o.batch}", "--set", "learning_rate=1e-4", "--set",
                  f"precision={o.precision}", "--set", "select=last")
    if report["cached"]:
        sys.exit("the run was in the store already: give a new --store")
    return report["examples_per_second"]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--tasks", default="cola,mrpc")
    a.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    a.add_argument("--pad", default="longest", choices=["longest", "max"])
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--steps", type=int, default=0, help="updates in place of an epoch")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    tool = Tool(o.pipeline, o.store)
    tool.adopt(o.model, "base")
    for task in o.tasks.split(","):
        made = tool("prepare", "--task", task, "--data", task_folder(task, o.data), "--model", "base", "--name", task, "--max-length", 128,
                    "--replace")
        o.examples = next(s["examples"] for s in made["splits"] if s["name"] == "train")
        pairs = []
        for round in range(o.rounds):
            sides = [lambda: peer(o, task), lambda: ours(tool, o, task, round)]
            rates = [side() for side in (sides if round % 2 == 0 else sides[::-1])]
            theirs, mine = rates if round % 2 == 0 else rates[::-1]
            pairs.append((mine, theirs))
            print(f"{task} round {round + 1}: ours {mine:.1f} examples/s, peer {theirs:.1f}", file=sys.stderr, flush=True)
        ratios = [mine / theirs for mine, theirs in pairs]
        print(json.dumps({"task": task, "precision": o.precision, "pad": o.pad, "steps": o.steps or None, "rounds": o.rounds,
                          "examples_per_second": [p[0] for p in pairs], "peer_examples_per_second": [p[1] for p in pairs],
                          "ratios": ratios, "ratio": statistics.median(ratios)}), flush=True)


main()
