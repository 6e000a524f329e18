"""Runs the arms of an experiment with the `pipeline` tool, keeps every result, and prints tables of them.

A result is one line of `results.jsonl` in the work folder, written when its run has ended; a run that has one is not made again.
"""
import concurrent.futures
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import threading

from glue import TASKS, official_metrics
from tool import Tool


class Arm:
    """A row of the table: its name and the words that it adds to `pipeline adapt`."""

    def __init__(self, name, recipe, **settings):
        self.name = name
        self.words = ["--recipe", recipe] + [w for k, v in settings.items() for w in ("--set", f"{k}={v}")]


class Experiment:
    """Everything about the runs but which there are."""

    def __init__(self, options):
        self.o = options
        self.tool = Tool(options.pipeline, options.store)
        self.path = os.path.join(options.work, "results.jsonl")
        self.lock = threading.Lock()
        self.tokens = {}
        os.makedirs(options.work, exist_ok=True)
        self.results = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                for line in file:
                    result = json.loads(line)
                    self.results[self.key(result["data"], result["words"], result["seed"])] = result
        self.tool("import", options.model, "--name", "base", "--replace")

    @staticmethod
    def key(data, words, seed):
        return json.dumps([data, words, seed])

    def prepare(self, data, task, folder):
        """Prepares a folder of the task's files as the dataset `data`."""
        report = self.tool("prepare", "--task", task, "--data", folder, "--model", "base", "--name", data,
                           "--max-length", 128, "--replace")
        self.tokens[data] = next(s["tokens"] for s in report["splits"] if s["name"] == "train")

    def run(self, data, common, arms, seeds):
        """Runs what is wanted and has no result, all arms of a seed before the next seed; a few processes at once."""
        only = re.compile(self.o.only)
        wanted = [(arm, seed) for seed in seeds for arm in arms if only.search(f"{data} {arm.name}")]
        wanted = [w for w in wanted if self.key(data, common + w[0].words, w[1]) not in self.results]
        with concurrent.futures.ThreadPoolExecutor(self.o.jobs) as pool:
            for done in concurrent.futures.as_completed([pool.submit(self.adapt, data, common, a, s) for a, s in wanted]):
                done.result()

    def adapt(self, data, common, arm, seed):
        words = common + arm.words
        name = re.sub("[^A-Za-z0-9.-]+", "-", f"{data}-{arm.name}-{seed}")
        command = [self.o.pipeline, "adapt", "--model", "base", "--data", data, "--name", name, "--replace", "--seed", str(seed),
                   "--threads", str(self.o.threads), *words, "--store", self.o.store, "--json", "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{shlex.join(command)} ended with {process.returncode}")
        report = json.loads(text)
        plain = 3 * report["epochs"] * self.tokens[data]
        result = {"data": data, "arm": arm.name, "words": words, "seed": seed, "steps": report["steps"],
                  "epochs": report["epochs"], "loss": report["history"][-1]["loss"] if report["history"] else None,
                  "metrics": report["metrics"], "passes": sum(report["passes"].values()) / plain,
                  "processor_seconds": None if report["cached"] else usage.ru_utime + usage.ru_stime,
                  "seconds": report["seconds"], "numeric_path": report["numeric_path"], "run": report["run"]}
        with self.lock:
            self.results[self.key(data, words, seed)] = result
            with open(self.path, "a") as file:
                file.write(json.dumps(result) + "\n")
            print(f"{data} {arm.name} seed {seed}: loss {result['loss']}  {result['metrics']}", file=sys.stderr, flush=True)

    def found(self, data, common, arm, seeds):
        """The results of an arm that are there."""
        keys = [self.key(data, common + arm.words, seed) for seed in seeds]
        return [self.results[key] for key in keys if key in self.results]

    def table(self, data, task, common, arms, seeds):
        """A Markdown table: mean ± standard deviation over the seeds that ran."""
        metrics = official_metrics(task)
        lines = ["| arm | seeds | updates | epochs | training loss, last epoch | " + " | ".join(f"dev {m}" for m in metrics)
                 + " | passes a step | processor seconds |", "|---" * (7 + len(metrics)) + "|"]
        for arm in arms:
            rows = self.found(data, common, arm, seeds)
            if not rows:
                continue
            cells = [arm.name, len(rows), rows[0]["steps"], f"{rows[0]['epochs']:.3g}",
                     spread([r["loss"] for r in rows], "{:.2e}" if max(r["loss"] or 0 for r in rows) < 0.01 else "{:.4f}")]
            cells += [spread([r["metrics"][m] for r in rows]) for m in metrics]
            cells += [f"{statistics.mean(r['passes'] for r in rows):.3f}"]
            seconds = [r["processor_seconds"] for r in rows if r["processor_seconds"] is not None]
            cells += [f"{statistics.median(seconds):.0f}" if seconds else ""]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
        return "\n".join(lines)


def spread(values, pattern="{:.4f}"):
    if any(v is None for v in values):
        return "undefined"
    mean = pattern.format(statistics.mean(values))
    return f"{mean} ± {pattern.format(statistics.stdev(values))}" if len(values) > 1 else mean


def first_examples(task, source, count, work):
    """A folder with the first `count` training examples and the whole development split of a GLUE task."""
    t = TASKS[task]
    folder = os.path.join(work, "data", f"{task}-{count}")
    os.makedirs(folder, exist_ok=True)
    for path in (t.train, t.dev):
        with open(os.path.join(source, path), encoding="utf-8", newline="") as file:
            lines = file.readlines()
        kept = count + (1 if t.header else 0) if path == t.train else len(lines)
        with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8", newline="") as file:
            file.writelines(lines[:kept])
    return folder


def options(parser, tasks):
    parser.add_argument("--pipeline", default=".build/release/pipeline", help="the tool (default: .build/release/pipeline)")
    parser.add_argument("--store", required=True, help="a store to work in; what has a name that is needed is replaced")
    parser.add_argument("--model", required=True, help="a model folder, such as MiniLM's")
    parser.add_argument("--data", required=True, help="the folder that holds GLUE")
    parser.add_argument("--work", required=True, help="where results are kept; a second call goes on from them")
    parser.add_argument("--tasks", default=tasks, help=f"default {tasks}")
    parser.add_argument("--only", default="", help="a regular expression: only runs whose 'data arm' it finds")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--threads", type=int, default=1, help="threads of each; results do not depend on them")
    parser.add_argument("--table", action="store_true", help="run nothing, print the tables of what there is")
