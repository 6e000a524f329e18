#!/usr/bin/env python3
"""Writes a large store by the format page alone and times the tool on it.

    scale.py --work FOLDER [--artifacts 100000] [--blobs 10] [--pipeline .build/release/pipeline]

Each artifact has its own name and blobs that nobody shares. The index is made by the first command. Then `store list`, `store
show` and `store gc` are timed, and `store gc --run` after a tenth of the names were removed, whose artifacts and blobs must be gone
after it and no other. Bounds for 100,000 artifacts: 1 s, 1 s and 60 s.
The last line is one JSON object with wall and processor seconds; the exit status is 1 when a bound does not hold.
"""
import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def place(root, name):
    word = name.removeprefix("sha256:")
    folder = os.path.join(root, word[:2])
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, word[2:])


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def artifact(store, number, blobs):
    """Writes an artifact of so many blobs of 16 bytes, and its name."""
    listed = []
    for index in range(blobs):
        data = b"%08d%08d" % (number, index)
        name = digest(data)
        write(place(f"{store}/blobs/sha256", name), data)
        listed.append({"blobByteCount": 16, "byteCount": 16, "digest": name, "name": f"part-{index:02}", "offset": 0})
    manifest = canonical({
        "attributes": {"number": number}, "blobs": listed, "kind": "record", "schemaVersion": 1,
        "provenance": {"inputs": {}, "license": None, "recipe": {}, "source": None, "stage": "scale", "stageVersion": 1}}).encode()
    name = digest(manifest)
    write(place(f"{store}/artifacts/sha256", name), manifest)
    reference = {"current": {"created": 1700000000 + number, "digest": name, "tool": None}, "history": [], "kind": "record",
                 "name": f"a{number:06}", "version": 1}
    reference["checksum"] = digest(canonical(reference).encode())
    write(f"{store}/refs/record/a{number:06}", canonical(reference).encode() + b"\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default=".build/release/pipeline")
    parser.add_argument("--work", required=True)
    parser.add_argument("--artifacts", type=int, default=100_000)
    parser.add_argument("--blobs", type=int, default=10)
    o = parser.parse_args()
    store = os.path.join(o.work, "store")
    measured = {}

    def timed(what, *words):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run([o.pipeline, *words, "--store", store, "--json", "--quiet"], stdout=subprocess.PIPE)
        wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{' '.join(words)} ended with {done.returncode}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        measured[what] = {"seconds": round(wall, 3), "processor_seconds": round(cpu, 3)}
        print(f"{what:12} {wall:8.2f} s   {cpu:8.2f} s of processor time", flush=True)
        return json.loads(done.stdout)

    if not os.path.exists(store):
        for folder in ("blobs/sha256", "artifacts/sha256", "refs/record", "staging", "trash/blobs", "trash/artifacts", "locks"):
            os.makedirs(f"{store}/{folder}", exist_ok=True)
        write(f"{store}/format", b"pipeline-store 1\n")
        begun = time.monotonic()
        for number in range(o.artifacts):
            artifact(store, number, o.blobs)
        print(f"{o.artifacts:,} artifacts with {o.artifacts * o.blobs:,} blobs written in {time.monotonic() - begun:.0f} s", flush=True)
    # A folder whose time is less than two seconds old is looked at again.
    time.sleep(2.5)
    timed("index", "store", "rebuild-index")
    if len(timed("list", "store", "list")["artifacts"]) != o.artifacts:
        sys.exit("list does not show every artifact")
    timed("list again", "store", "list")
    timed("show", "store", "show", f"a{o.artifacts // 2:06}")
    timed("gc, dry", "store", "gc")
    for number in range(0, o.artifacts, 10):
        os.remove(f"{store}/refs/record/a{number:06}")
    timed("gc", "store", "gc", "--run")
    time.sleep(2.5)
    left = len(timed("list after", "store", "list")["artifacts"])
    blobs = sum(len(files) for _, _, files in os.walk(f"{store}/blobs"))
    whole = left == o.artifacts - len(range(0, o.artifacts, 10)) and blobs == left * o.blobs
    bounds = {"list again": 1, "show": 1, "gc, dry": 60, "gc": 60}
    passed = whole and all(measured[what]["seconds"] <= bound for what, bound in bounds.items())
    print(json.dumps({"artifacts": o.artifacts, "blobs": o.artifacts * o.blobs, "measured": measured, "bounds": bounds,
                      "only_the_unnamed_are_gone": whole, "passed": passed}))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
