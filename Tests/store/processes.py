#!/usr/bin/env python3
"""Four processes at a time save, read, tag, remove, share, verify and collect in one store, and nothing that has a name is lost.

    processes.py --work FOLDER [--seconds 600] [--workers 4] [--seed 0] [--pipeline .build/release/pipeline]

Each worker runs one command of the tool after the other and has names of its own, so that it knows what they must stand for; the
contents are the same for all, so that one saves what another collects. A command may only fail by finding the store busy. At the end
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
import sys
import threading
import time

from kills import Attempt, Failure, variant

BUSY = 69


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

    def run(self, *words):
        """The answer of a command, or None where it found the store busy."""
        process = Attempt(self.shared.tool, [*words, "--store", self.shared.store]).start()
        out, errors = process.communicate(timeout=300)
        if process.returncode == BUSY:
            self.shared.count("busy")
            return None
        if process.returncode:
            raise Failure(f"worker {self.number}: {' '.join(words)} ended with {process.returncode}: {errors.strip()}")
        return json.loads(out) if out.strip() else {}

    def check(self, name):
        shown = self.run("store", "show", name, "--kind", "model")
        if shown is not None and shown["digest"] != self.owned[name]:
            raise Failure(f"worker {self.number}: {name} stands for {shown['digest']}, not {self.owned[name]}")

    def step(self):
        chance, shared = self.chance, self.shared
        kind = chance.choices(["save", "read", "tag", "remove", "share", "verify", "collect"], [4, 2, 2, 1, 1, 1, 2])[0]
        known = chance.choice(sorted(self.owned)) if self.owned else None
        if known is None and kind in ("read", "tag", "remove", "share"):
            kind = "save"
        if kind == "save":
            name, number = f"w{self.number}-{chance.randrange(4)}", chance.randrange(len(shared.models))
            made = self.run("import", shared.models[number], "--name", name, "--replace")
            if made is not None:
                self.owned[name] = made["model"]
                shared.contents[made["model"]] = number
        elif kind == "read":
            self.check(known)
            folder = os.path.join(shared.o.work, f"exported-{self.number}")
            if self.run("export", known, folder, "--replace") is not None:
                if weights(folder) != weights(shared.models[shared.contents[self.owned[known]]]):
                    raise Failure(f"worker {self.number}: {known} was exported with other weights")
        elif kind == "tag":
            name = known.removesuffix("-tag") + "-tag"
            if self.run("store", "tag", known, name, "--kind", "model", "--replace") is not None:
                self.owned[name] = self.owned[known]
        elif kind == "remove":
            if self.run("store", "remove", known, "--kind", "model") is not None:
                del self.owned[known]
        elif kind == "share":
            there = os.path.join(shared.o.work, f"there-{self.number}")
            if self.run("push", known, f"{there}:{known}", "--kind", "model", "--replace") is not None:
                name = f"w{self.number}-pulled"
                if self.run("pull", f"{there}:{known}", "--name", name, "--replace") is not None:
                    self.owned[name] = self.owned[known]
        elif kind == "verify":
            report = self.run("store", "verify", "--sample", "0.5")
            if report is not None and report["problems"]:
                raise Failure(f"worker {self.number}: {report['problems']}")
        else:
            report = self.run("store", "gc", "--run", "--wait", "2")
            if report is None:
                kind = "collection that found it busy"
        shared.count(kind)

    def work(self):
        try:
            while time.monotonic() < self.shared.end and not self.shared.failures:
                self.step()
        except (Failure, KeyError, ValueError) as failure:
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
    except Failure as failure:
        failures.append(str(failure))
    print(json.dumps({"passed": not failures, "seconds": o.seconds, "workers": o.workers, "seed": o.seed,
                      "commands": sum(shared.counts.values()), "counts": shared.counts, "failures": failures}))
    if not failures:
        shutil.rmtree(o.work)
    sys.exit(1 if failures else 0)


main()
