#!/usr/bin/env python3
"""Fills a small file system with models and checks that nothing is lost and that work goes on once there is room.

    full_disk.py [--pipeline .build/release/pipeline] [--kilobytes 900]

Mounts a tmpfs, so it must be root's. Models are imported under new names until one is refused; the refusal must be exit code 1 and
say that there is no space. After it the store verifies clean, every earlier model is there and none of the refused one; a name is
removed and collected on the full disk, and the refused import then succeeds. Done for ten sizes of the disk, so that it gets full
at different places. The last line is one JSON object; the exit status is 1 when something does not hold.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from kills import variant


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default=".build/release/pipeline")
    parser.add_argument("--kilobytes", type=int, default=900)
    o = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("full_disk.py mounts a tmpfs and so must be root's")
    refused = []
    with tempfile.TemporaryDirectory() as work:
        models = [variant(work, number) for number in range(40)]
        disk = os.path.join(work, "disk")
        os.makedirs(disk)

        def run(*words):
            return subprocess.run([o.pipeline, *words, "--store", f"{disk}/store", "--json", "--quiet"], capture_output=True, text=True)

        def demand(holds, what, done):
            if not holds:
                print(json.dumps({"passed": False, "refused": refused, "failure": what, "status": done.returncode, "errors": done.stderr}))
                sys.exit(1)

        for size in range(o.kilobytes, o.kilobytes + 10 * 13, 13):
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], check=True)
            try:
                for number, model in enumerate(models):
                    done = run("import", model, "--name", f"m{number}")
                    if done.returncode:
                        break
                demand(done.returncode == 1 and "space" in done.stderr, "a refusal that says why", done)
                refused.append({"kilobytes": size, "after": number})
                verified = run("store", "verify")
                demand(verified.returncode == 0, "a clean store", verified)
                listed = run("store", "list")
                names = {n for a in json.loads(listed.stdout)["artifacts"] for n in a["names"]} if listed.returncode == 0 else set()
                demand(names == {f"model/m{n}" for n in range(number)}, "every earlier model and no other", listed)
                for words in (("store", "remove", "m0"), ("store", "gc", "--run"), ("import", model, "--name", f"m{number}"), ("store", "verify")):
                    done = run(*words)
                    demand(done.returncode == 0, " ".join(words), done)
            finally:
                subprocess.run(["umount", disk], check=True)
    print(json.dumps({"passed": True, "refused": refused}))


if __name__ == "__main__":
    main()
