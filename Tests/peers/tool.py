"""Runs the `pipeline` tool for the comparisons: one command, one JSON object back."""
import json
import shlex
import subprocess
import sys


class Tool:
    """The tool at `path` with everything it makes in the store `store`."""

    def __init__(self, path, store):
        self.path, self.store = path, store

    def __call__(self, *words):
        """Runs `pipeline WORDS --store STORE --json`; its progress goes to standard error, its object is returned."""
        command = [self.path, *map(str, words), "--store", self.store, "--json"]
        print("$ " + shlex.join(["pipeline", *command[1:]]), file=sys.stderr, flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"pipeline {words[0]} ended with {done.returncode}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def adopt(self, folder, name):
        """Imports a model folder under a name, in place of what had it."""
        return self("import", folder, "--name", name, "--replace")


def options(parser):
    parser.add_argument("--pipeline", default=".build/release/pipeline", help="the tool (default: .build/release/pipeline)")
    parser.add_argument("--store", required=True, help="a store to work in; what has a name that is needed is replaced")
