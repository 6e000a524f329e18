#!/usr/bin/env python3
"""Four processes at a time save, read, tag, remove, share, verify and collect in one store, and nothing that has a name is lost.

    processes.py --work FOLDER [--seconds 600] [--workers 4] [--seed 0] [--pipeline .build/release/pipeline]

Each worker runs one command of the tool after the other and has names of its own, so that it knows what they must stand for; the
contents are the same for all, so that one saves what another collects. No command may fail but a collection that finds the store
busy. At the end
the store verifies clean, every name stands for its digest and exports the weights that were imported, and a collection leaves what has
a name. The last line is one JSON object; the exit status is 1 where something does not hold.
"""
import argparse
import collections
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

from kills import Attempt, Failure, variant

BUSY = 69
# How often each kind of command is chosen.
KINDS = {"save": 4, "read": 2, "tag": 2, "remove": 1, "share": 1, "verify": 1, "collect": 2}


def weights(folder):
    """A digest of the bytes of a model folder's tensors, whatever these are called."""
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header, data = json.loads(file.read(length)), file.read()
    places = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(data[begin:end]).digest() for begin, end in places))).hexdigest()


class Worker:
    def __init__(self, shared, number):
        self.shared, self.number = shared, number
        self.chance = random.Random(shared.o.seed * 100 + number)
        self.owned = {}

    def run(self, *words, may_be_busy=False):
        """The answer of a command; None where it found the store busy and may."""
        process = Attempt(self.shared.tool, [*words, "--store", self.shared.store]).start()
        try:
            out, errors = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failure(f"worker {self.number}: {' '.join(words)} did not end within 300 seconds")
        if process.returncode == BUSY and may_be_busy:
            return None
        if process.returncode:
            raise Failure(f"worker {self.number}: {' '.join(words)} ended with {process.returncode}: {errors.strip()}")
        return json.loads(out) if out.strip() else {}

    def check(self, name):
        shown = self.run("store", "show", name, "--kind", "model")
        if shown["digest"] != self.owned[name]:
            raise Failure(f"worker {self.number}: {name} stands for {shown['digest']}, not {self.owned[name]}")

    def step(self):
        chance, shared = self.chance, self.shared
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        known = chance.choice(sorted(self.owned)) if self.owned else None
        if known is None and kind in ("read", "tag", "remove", "share"):
            kind = "save"
        if kind == "save":
            name, number = f"w{self.number}-{chance.randrange(4)}", chance.randrange(len(shared.models))
            made = self.run("import", shared.models[number], "--name", name, "--replace")
            self.owned[name] = made["model"]
            shared.contents[made["model"]] = number
        elif kind == "read":
            self.check(known)
            folder = os.path.join(shared.o.work, f"exported-{self.number}")
            self.run("export", known, folder, "--replace")
            if weights(folder) != weights(shared.models[shared.contents[self.owned[known]]]):
                raise Failure(f"worker {self.number}: {known} was exported with other weights")
        elif kind == "tag":
            name = known.removesuffix("-tag") + "-tag"
            self.run("store", "tag", known, name, "--kind", "model", "--replace")
            self.owned[name] = self.owned[known]
        elif kind == "remove":
            self.run("store", "remove", known, "--kind", "model")
            del self.owned[known]
        elif kind == "share":
            there, name = os.path.join(shared.o.work, f"there-{self.number}"), f"w{self.number}-pulled"
            self.run("push", known, f"{there}:{known}", "--kind", "model", "--replace")
            self.run("pull", f"{there}:{known}", "--name", name, "--replace")
            self.owned[name] = self.owned[known]
        elif kind == "verify":
            report = self.run("store", "verify", "--sample", "0.5")
            if report["problems"]:
                raise Failure(f"worker {self.number}: {report['problems']}")
        else:
            if self.run("store", "gc", "--run", "--wait", "2", may_be_busy=True) is None:
                kind = "collect, but busy"
        shared.count(kind)

    def work(self):
        try:
            while time.monotonic() < self.shared.end and not self.shared.failures:
                self.step()
        except Exception as failure:
            # Whatever it is, a worker that stops is a failure.
            self.shared.failures.append(repr(failure))


class Shared:
    def __init__(self, o):
        self.o, self.tool, self.store = o, os.path.abspath(o.pipeline), os.path.join(o.work, "store")
        self.models = [variant(o.work, number) for number in range(6)]
        self.contents, self.failures = {}, []
        self.counts, self.lock = collections.Counter(), threading.Lock()
        self.end = time.monotonic() + o.seconds

    def count(self, kind):
        with self.lock:
            self.counts[kind] += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default=".build/release/pipeline")
    parser.add_argument("--work", required=True, help="an empty or new folder")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args()
    os.makedirs(o.work, exist_ok=True)
    if os.listdir(o.work):
        sys.exit(f"processes.py: {o.work} is not empty; name a new folder")
    shared = Shared(o)
    workers = [Worker(shared, number) for number in range(o.workers)]
    Attempt(shared.tool, ["import", shared.models[0], "--name", "w0-0", "--store", shared.store]).run()
    threads = [threading.Thread(target=worker.work) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures, judge = shared.failures, Worker(shared, o.workers)
    try:
        if not failures:
            missing = [kind for kind in KINDS if not shared.counts[kind]]
            if missing:
                raise Failure(f"no command of these kinds was run to its end: {', '.join(missing)}")
            report = judge.run("store", "verify")
            if report["problems"]:
                raise Failure(f"the end: {report['problems']}")
            for worker in workers:
                for name in worker.owned:
                    worker.check(name)
            owned = {digest for worker in workers for digest in worker.owned.values()}
            for digest in owned:
                folder = os.path.join(o.work, "exported")
                judge.run("export", digest, folder, "--replace")
                if weights(folder) != weights(shared.models[shared.contents[digest]]):
                    raise Failure(f"the end: {digest} has other weights than were imported")
            judge.run("store", "gc", "--run")
            left = {artifact["digest"] for artifact in judge.run("store", "list", "--all")["artifacts"]
                    if artifact["kind"] == "model" and artifact["names"]}
            if left != owned:
                raise Failure(f"the end: {sorted(left ^ owned)} is named or is not, against what was done")
    except Exception as failure:
        failures.append(repr(failure))
    print(json.dumps({"passed": not failures, "seconds": o.seconds, "workers": o.workers, "seed": o.seed,
                      "commands": sum(shared.counts.values()), "counts": shared.counts, "failures": failures}))
    if not failures:
        shutil.rmtree(o.work)
    sys.exit(1 if failures else 0)


main()
