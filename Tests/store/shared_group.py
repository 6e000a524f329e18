#!/usr/bin/env python3
"""A store that a group shares: its users save, tag, remove, collect and verify each other's work, and everybody else only reads.

    shared_group.py [--pipeline .build/release/pipeline]

Runs the tool as three users, so it must be root's: two of one group with umask 002 and a folder with the set-group-ID bit, one of
another group. The last line is one JSON object; the exit status is 1 when something does not hold.
"""
import argparse
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Fixtures/models/tiny-bert")
GROUP, ANN, BEN, EVE = 64_100, (64_001, 64_100), (64_002, 64_100), (64_003, 64_101)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default=".build/release/pipeline")
    o = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("shared_group.py runs the tool as other users and so must be root's")
    done = []
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        # Where every user may read them.
        tool, model, store = (os.path.join(work, name) for name in ("tool", "model", "store"))
        shutil.copytree(os.path.dirname(os.path.abspath(o.pipeline)), tool,
                        ignore=lambda folder, names: [n for n in names if n != "pipeline" and not n.endswith(".resources")
                                                      and ".resources" not in folder])
        shutil.copytree(MODEL, model)
        subprocess.run(["chmod", "-R", "a+rX", tool, model], check=True)
        os.mkdir(store)
        os.chown(store, 0, GROUP)
        os.chmod(store, 0o2775)

        def demand(holds, failure, **more):
            if not holds:
                print(json.dumps({"passed": False, "done": done, "failure": failure} | more))
                sys.exit(1)

        def run(user, *words, status=0):
            def become():
                os.setgroups([user[1]])
                os.setgid(user[1])
                os.setuid(user[0])
                os.umask(0o002)
            p = subprocess.run([os.path.join(tool, "pipeline"), *words, "--store", store, "--json", "--quiet"], preexec_fn=become,
                               capture_output=True, text=True, cwd="/", env={"HOME": "/nonexistent", "PATH": os.environ["PATH"]})
            demand(p.returncode == status, f"user {user[0]}: {' '.join(words)} ended with {p.returncode}, not {status}", errors=p.stderr)
            done.append(" ".join(words[:2]))
            return json.loads(p.stdout) if p.stdout.strip() else {}

        def clean(user):
            problems = run(user, "store", "verify")["problems"]
            demand(not problems, f"the store is damaged: {problems}")

        run(ANN, "import", model, "--name", "first")
        run(BEN, "import", model, "--name", "second")
        run(BEN, "store", "tag", "first", "third")
        run(BEN, "store", "remove", "first")
        run(ANN, "store", "remove", "second", "third")
        run(ANN, "store", "retention", "--keep-history", "0")
        run(BEN, "store", "gc", "--run")
        clean(ANN)
        run(BEN, "import", model, "--name", "again")
        run(ANN, "store", "rebuild-index")
        clean(BEN)
        # Another group: reading works, and a refusal changes nothing.
        names = run(EVE, "store", "list")["artifacts"]
        clean(EVE)
        run(EVE, "import", model, "--name", "hers", status=1)
        run(EVE, "store", "tag", "again", "hers", status=1)
        run(EVE, "store", "gc", "--run", status=1)
        demand(run(ANN, "store", "list")["artifacts"] == names, "a refused command changed the store")
        # Whatever is there can be written by the group.
        for folder, folders, files in os.walk(store):
            for path in [folder] + [os.path.join(folder, name) for name in files]:
                facts = os.stat(path)
                demand(facts.st_gid == GROUP and facts.st_mode & stat.S_IWGRP, f"{path} cannot be written by the group")
    print(json.dumps({"passed": True, "commands": len(done)}))


main()
