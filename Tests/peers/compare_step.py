#!/usr/bin/env python3
"""Times one dense training step of the tool and of the peer (step.py), in turns, so that both meet the same machine.

    compare_step.py [--pipeline BINARY] [--shapes minilm-l6,bert-base] [--precision fp32] [--rounds 3] [--steps 2]

Each round runs the peer and then the tool (`pipeline bench step`), each in a process of its own with one step to warm up; the next
round the other way round. The ratio is the tool's median step over the peer's, per round; the median of the rounds must be at most
1, and the tool's peak memory at most the peer's. One JSON line per shape; ends with 1 when one does not hold.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def run(command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}")
    return json.loads(done.stdout)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--pipeline", default=".build/release/pipeline")
    a.add_argument("--shapes", default="minilm-l6,bert-base")
    a.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--length", type=int, default=128)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--steps", type=int, default=2)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    passed = True
    for shape in o.shapes.split(","):
        same = ["--shape", shape, "--precision", o.precision, "--batch", o.batch, "--length", o.length, "--steps", o.steps]
        peer = lambda: run([sys.executable, os.path.join(HERE, "step.py"), *same, "--threads", o.threads])
        tool = lambda: run([o.pipeline, "bench", "step", *same, "--threads", o.threads, "--json"])
        ours, theirs = [], []
        for turn in range(o.rounds):
            for side in (peer, tool) if turn % 2 == 0 else (tool, peer):
                (theirs if side is peer else ours).append(side())
            print(f"{shape} round {turn + 1}: ours {statistics.median(ours[-1]['step_seconds']):.3f} s, "
                  f"peer {statistics.median(theirs[-1]['step_seconds']):.3f} s", file=sys.stderr, flush=True)
        medians = [[statistics.median(r["step_seconds"]) for r in side] for side in (ours, theirs)]
        ratio = statistics.median(a / b for a, b in zip(*medians))
        memory = [max(r["peak_MiB"] for r in side) for side in (ours, theirs)]
        good = ratio <= 1 and memory[0] <= memory[1]
        passed = passed and good
        print(json.dumps({"shape": shape, "precision": o.precision, "rounds": o.rounds, "seconds": medians[0],
                          "peer_seconds": medians[1], "ratio": round(ratio, 3), "peak_mib": memory[0], "peer_peak_mib": memory[1],
                          "passed": good}), flush=True)
    sys.exit(0 if passed else 1)


main()
