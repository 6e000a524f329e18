#!/usr/bin/env python3
"""Counts and times adversarial steps of a real run against plain ones, in turns, so that both meet the same machine.

    compare_noise.py --model FOLDER --data GLUE_FOLDER --store STORE [--task mrpc] [--rounds 7] [--steps 8] [--mode label|clean-kl]

Each round makes --steps updates plainly and with ScaLA's objective from the first step on (noise_delay=0, T = 1), with the same seed,
batches and optimizer; the next round the other way round. The time is that of the steps alone, as `pipeline adapt` reports it. Prints one JSON
line: passes in units of a plain step, with noise in every step and with the default delay of one half (4/3 on labels over an
even number of steps, up to the lengths of the batches in either half), and the ratio of the two times, round by round. Ends with 1 when, on labels, the first are not
5/3 or the median ratio is above 1.8.
"""
import argparse
import json
import os
import statistics
import sys

from glue import TASKS, task_folder
from tool import Tool, options


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--task", default="mrpc", choices=TASKS)
    a.add_argument("--rounds", type=int, default=7)
    a.add_argument("--steps", type=int, default=8)
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--mode", default="label", choices=["label", "clean-kl"])
    a.add_argument("--optimizer", default="lamb")
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    tool = Tool(o.pipeline, o.store)
    tool.adopt(o.model, "noise")
    tool("prepare", "--task", o.task, "--data", task_folder(o.task, o.data), "--model", "noise", "--name", "noise", "--replace")
    # Finished runs are found in the store and take no time: each call takes seeds of its own.
    first = int.from_bytes(os.urandom(3), "big")

    def run(seed, *settings):
        words = [w for s in (f"optimizer={o.optimizer}", f"batch_size={o.batch}", f"steps={o.steps}", "evaluate=never", *settings)
                 for w in ("--set", s)]
        return tool("adapt", "--model", "noise", "--data", "noise", "--name", "noise", "--replace", "--seed", seed,
                    "--threads", o.threads, "--quiet", *words)

    noisy = ["objective=scala", f"noise_mode={o.mode}", "noise_delay=0"]
    ratios, costs = [], []
    for turn in range(o.rounds):
        pair = {}
        for side in ([], noisy) if turn % 2 == 0 else (noisy, []):
            pair[bool(side)] = run(first + turn, *side)
        ratios.append(pair[False]["examples_per_second"] / pair[True]["examples_per_second"])
        costs.append(sum(pair[True]["passes"].values()) / sum(pair[False]["passes"].values()))
        print(f"round {turn + 1}: {ratios[-1]:.3f} times the time, {costs[-1]:.6f} times the passes", file=sys.stderr, flush=True)
    plain = run(first + o.rounds)
    delayed = run(first + o.rounds, "objective=scala", f"noise_mode={o.mode}")
    cost = statistics.median(costs)
    # The batches of the two halves are not equally long: the mean is over tokens.
    half = sum(delayed["passes"].values()) / sum(plain["passes"].values())
    ratio = statistics.median(ratios)
    good = o.mode != "label" or (abs(cost - 5 / 3) < 1e-9 and ratio <= 1.8)
    print(json.dumps({"mode": o.mode, "task": o.task, "rounds": o.rounds, "steps": o.steps, "passes": cost, "passes_delayed": half,
                      "ratio": round(ratio, 3), "ratios": [round(r, 3) for r in ratios], "numeric_path": plain["numeric_path"],
                      "passed": good}))
    sys.exit(0 if good else 1)


main()
