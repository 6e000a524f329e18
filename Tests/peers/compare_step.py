#!/usr/bin/env python3
"""Times one dense training step of the tool and of the peer (step.py), in turns, so that both meet the same machine.

    compare_step.py [--pipeline BINARY] [--shapes minilm-l6,bert-base] [--precision fp32] [--rounds 3] [--steps 2]
    compare_step.py --precision bf16 --engine fast-bert --python INTERPRETER …
    compare_step.py --losses [--pipeline BINARY] [--shapes minilm-l6] [--batch 8] [--length 64] [--steps 5]

Each round runs the peer and then the tool (`pipeline bench step`), each in a process of its own with one step to warm up; the next
round the other way round. The ratio is the tool's median step over the peer's, per round; the median of the rounds must be at most
1, and the tool's peak memory at most the peer's. One JSON line per shape; ends with 1 when one does not hold.

--losses compares what is computed instead: the peer dumps its model and batch, takes its steps in float32 without dropout, and the
tool takes the same ones from the dump. Every loss, the one before the first update included, must be within 1e-5 of the peer's.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def run(command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if done.returncode or not done.stdout.strip():
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def peer_step(o, words):
    return run([o.python, os.path.join(HERE, "step.py"), "--engine", o.engine, *words])


def losses_agree(o, shape, bound=1e-5):
    with tempfile.TemporaryDirectory() as folder:
        same = ["--precision", "fp32", "--dropout", 0, "--steps", o.steps, "--threads", o.threads]
        theirs = peer_step(o, ["--shape", shape, "--batch", o.batch, "--length", o.length, "--dump", folder, *same])["losses"]
        ours = run([o.pipeline, "bench", "step", "--weights", folder, *same, "--json"])["losses"]
    difference = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
    print(json.dumps({"shape": shape, "batch": o.batch, "length": o.length, "losses": ours, "peer_losses": theirs,
                      "largest_relative_difference": difference, "bound": bound, "passed": difference <= bound}), flush=True)
    return difference <= bound


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--pipeline", default=".build/release/pipeline")
    a.add_argument("--losses", action="store_true", help="compare losses instead of times")
    a.add_argument("--shapes", help="default: minilm-l6,bert-base; with --losses minilm-l6")
    a.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    a.add_argument("--batch", type=int, help="default: 32; with --losses 8")
    a.add_argument("--length", type=int, help="default: 128; with --losses 64")
    a.add_argument("--engine", default="eager", choices=["eager", "fast-bert"], help="of the peer, see step.py")
    a.add_argument("--python", default=sys.executable, help="the peer's interpreter")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--steps", type=int, help="default: 2; with --losses 5")
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    if o.losses and o.precision != "fp32":
        a.error("--losses compares float32")
    usual = {"shapes": "minilm-l6", "batch": 8, "length": 64, "steps": 5} if o.losses else {
        "shapes": "minilm-l6,bert-base", "batch": 32, "length": 128, "steps": 2}
    for name, value in usual.items():
        if getattr(o, name) is None:
            setattr(o, name, value)
    if o.losses:
        sys.exit(0 if all([losses_agree(o, shape) for shape in o.shapes.split(",")]) else 1)
    passed = True
    for shape in o.shapes.split(","):
        same = ["--shape", shape, "--precision", o.precision, "--batch", o.batch, "--length", o.length, "--steps", o.steps]
        peer = lambda: peer_step(o, [*same, "--threads", o.threads])
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
