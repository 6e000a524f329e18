#!/usr/bin/env python3
"""Kills the tool at random instants while it saves, pushes, pulls, collects and tags, and checks both stores after each kill.

    kills.py --work FOLDER [--kills 1000] [--seed 0] [--pipeline .build/release/pipeline]

After each SIGKILL: the store that was being changed opens and verifies clean, every name that a command had reported stands for
the digest that it reported, and the same command, run again, succeeds; both stores are looked at every 20 rounds and at the end. A command that ended before its kill does not count as killed.
The last line is one JSON object; the exit status is 1 at the first thing that does not hold.
"""
import argparse
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Fixtures/models/tiny-bert")


class Failure(Exception):
    pass


def variant(folder, number):
    """The tiny model with other weights: the first bytes of each tensor's mantissas depend on the number."""
    target = os.path.join(folder, f"model-{number}")
    shutil.copytree(MODEL, target)
    path = os.path.join(target, "model.safetensors")
    with open(path, "rb") as file:
        data = bytearray(file.read())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    for place in range(start, len(data), 4):
        data[place] ^= (number * 37 + place // 4 * 11) & 255
    with open(path, "wb") as file:
        file.write(data)
    return target


class Attempt:
    """One command that may be killed, and what it says when it was not."""

    def __init__(self, tool, words):
        self.command = [tool, *words, "--json", "--quiet"]

    def start(self):
        return subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self):
        process = self.start()
        out, errors = process.communicate(timeout=300)
        if process.returncode:
            raise Failure(f"{' '.join(self.command)} ended with {process.returncode}: {errors.strip()}")
        return json.loads(out) if out.strip() else {}

    def killed_after(self, seconds):
        """Whether the kill came before the end; the output if it did not."""
        process = self.start()
        try:
            out, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            out, errors = process.communicate()
        if process.returncode == -signal.SIGKILL:
            return True, None
        if process.returncode:
            raise Failure(f"{' '.join(self.command)} ended with {process.returncode}: {errors.strip()}")
        return False, json.loads(out) if out.strip() else {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default=".build/release/pipeline")
    parser.add_argument("--work", required=True, help="an empty or new folder")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args()
    os.makedirs(o.work, exist_ok=True)
    tool = os.path.abspath(o.pipeline)
    here, there = os.path.join(o.work, "here"), os.path.join(o.work, "there")
    chance = random.Random(o.seed)
    models = [variant(o.work, number) for number in range(6)]
    names = {here: {}, there: {}}

    def run(store, *words):
        return Attempt(tool, [*words, "--store", store]).run()

    def listed(store):
        return {name.removeprefix("model/"): artifact["digest"] for artifact in run(store, "store", "list")["artifacts"]
                for name in artifact["names"]}

    def check(store, what):
        # Looking at the names first opens the store as any command does.
        found = listed(store)
        report = Attempt(tool, ["store", "verify", "--store", store]).run()
        if report["problems"]:
            raise Failure(f"{what}: {report['problems']}")
        for name, digest in names[store].items():
            if found.get(name) != digest:
                raise Failure(f"{what}: {name} stands for {found.get(name)}, not {digest}")

    for index, store in enumerate((here, there)):
        run(store, "import", models[index], "--name", "base")
        names[store] = listed(store)
    # What each kind of command takes, so that kills fall on all of it.
    typical = {}
    kills = {kind: 0 for kind in ("save", "tag", "push", "pull", "gc")}
    rounds = 0
    try:
        while sum(kills.values()) < o.kills:
            rounds += 1
            kind = chance.choice(list(kills))
            name = f"m{chance.randrange(4)}"
            known = chance.choice(sorted(names[here]))
            bundle = os.path.join(o.work, "bundle.pipeline")
            changes = {"save": (here, name), "tag": (here, name), "push": (there, name), "pull": (here, name), "gc": (here, None)}[kind]
            words = {
                "save": ["import", chance.choice(models), "--name", name, "--replace"],
                "tag": ["store", "tag", known, name, "--kind", "model", "--replace"],
                "push": ["push", known, (bundle if rounds % 3 == 0 else there) + ":" + name, "--kind", "model", "--replace"],
                "pull": ["pull", there + ":" + chance.choice(sorted(names[there])), "--name", name, "--replace"],
                "gc": ["store", "gc", "--run"],
            }[kind] + ["--store", here]
            if kind == "push" and rounds % 3 == 0:
                changes = (here, None)
            if kind == "gc" and "m0" in names[here] and chance.random() < 0.5:
                run(here, "store", "remove", "m0", "--kind", "model")
                names[here].pop("m0")
            attempt = Attempt(tool, words)
            begun = time.monotonic()
            killed, answer = attempt.killed_after(chance.uniform(0, 1.1) * typical.get(kind, 0.2))
            what = f"round {rounds}, {' '.join(words)}"
            store, touched = changes
            if killed:
                kills[kind] += 1
                # The name may have moved or not; all others must be as they were.
                if touched:
                    names[store].pop(touched, None)
            else:
                taken = time.monotonic() - begun
                typical[kind] = 0.7 * typical.get(kind, taken) + 0.3 * taken
                if touched:
                    names[store][touched] = listed(store).get(touched)
            for each in (here, there):
                # A command changes one store and reads the other.
                if killed and each == store or rounds % 20 == 0:
                    check(each, what)
            if killed:
                attempt.run()
                if touched:
                    names[store][touched] = listed(store).get(touched)
                    if names[store][touched] is None:
                        raise Failure(f"{what}: the name is not there after the command was done again")
            if rounds % 50 == 0:
                print(f"{sum(kills.values())} kills in {rounds} rounds: {kills}", file=sys.stderr, flush=True)
        for each in (here, there):
            check(each, "the end")
    except Failure as failure:
        print(json.dumps({"passed": False, "seed": o.seed, "rounds": rounds, "kills": kills, "failure": str(failure)}))
        sys.exit(1)
    print(json.dumps({"passed": True, "seed": o.seed, "rounds": rounds, "kills": kills, "total": sum(kills.values())}))


if __name__ == "__main__":
    main()
