#!/usr/bin/env python3
"""ScaLA and its controls at large batches: does noise close the gap that a large batch leaves?

    large_batches.py --model FOLDER --data GLUE_FOLDER --store STORE --work FOLDER [--tasks cola,sst2] [--only REGEX] [--jobs N] [--table]

CoLA at batch 256 for 5 epochs (170 updates), SST-2 at batch 1,024 for 2.5 epochs (165 updates); dropout as in the model, linear schedule,
warm-up of 10 %. AdamW at batch 32 is tuned over four rates and LAMB at the large batch over five, at seed 0 and by the metric of the last
weights; then every arm runs for each seed at these rates, ScaLA and its controls at LAMB's:

    adamw 32                      equal epochs, so 8 or 32 times as many updates
    adamw 32, equal updates       as many updates as the large-batch arms, so 1/8 or 1/32 of the examples
    lamb                          the large batch alone
    lamb, 5/3 of the epochs       about the passes of ScaLA on labels with t_s = 0
    lamb, random noise            ScaLA with T = 0 and a start as long as its noise is after one ascent: noise without an adversary
    lamb, r3f                     the same noise in R3F: two plain steps' passes, a divergence and no adversary
    scala t_s 0, 0.5              on labels, and on the clean output (clean-kl)
    … a fifth of the noise        with start, ascent step and radius a fifth of the defaults, which are meant for larger models

Prints two Markdown tables for each task: the sweeps, and the arms as far as they have run. See experiment.py for what is kept.
"""
import argparse

from experiment import Arm, Experiment, options
from glue import official_metrics, task_folder

TASKS = {"cola": (256, 5, 170), "sst2": (1024, 2.5, 165)}
ADAMW = ("2e-5", "5e-5", "1e-4", "2e-4")
LAMB = ("2.5e-4", "5e-4", "1e-3", "2e-3", "4e-3")
COMMON = ["--set", "evaluate=end", "--set", "select=last"]


def best(experiment, task, arms, metric):
    """The rate of the arm with the best metric at seed 0, of those that have run; None when one has not."""
    found = [experiment.found(task, COMMON, arm, [0]) for arm in arms]
    if not all(found):
        return None
    value = lambda results: -1.0 if results[0]["metrics"][metric] is None else results[0]["metrics"][metric]
    return arms[max(range(len(arms)), key=lambda i: value(found[i]))].rate


def sweep(name, rates, **settings):
    arms = []
    for rate in rates:
        arms.append(Arm(f"{name} at {rate}", name.split()[0], learning_rate=rate, **settings))
        arms[-1].rate = rate
    return arms


def final_arms(adamw, lamb, large, small, updates):
    noisy = {"learning_rate": lamb, **large}
    arms = [Arm(f"adamw 32 at {adamw}", "adamw", learning_rate=adamw, **small),
            Arm("adamw 32, equal updates", "adamw", learning_rate=adamw, batch_size=32, steps=updates),
            Arm(f"lamb at {lamb}", "lamb", learning_rate=lamb, **large),
            Arm("lamb, 5/3 of the epochs", "lamb", **{**noisy, "epochs": round(large["epochs"] * 5 / 3, 3)}),
            # uniform(−1, 1)·σ/√(length·C) is σ/√3 long: at σ = 0.1 and after a step of 0.1 about 0.115, so σ = 0.2.
            Arm("lamb, random noise", "scala", ascent_steps=0, noise_size=0.2, noise_delay=0, **noisy),
            Arm("lamb, r3f", "r3f", optimizer="lamb", noise_init="scaled-uniform", noise_size=0.2, **noisy)]
    for mode in ("label", "clean-kl"):
        for delay in (0, 0.5):
            arms.append(Arm(f"scala {mode}, t_s {delay}", "scala", noise_mode=mode, noise_delay=delay, **noisy))
    for mode in ("label", "clean-kl"):
        arms.append(Arm(f"scala {mode}, t_s 0.5, a fifth of the noise", "scala", noise_mode=mode, noise_delay=0.5, noise_size=0.02,
                        noise_step=0.02, noise_radius=0.06, **noisy))
    return arms


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a, "cola,sst2")
    a.add_argument("--seeds", default="0,1,2")
    o = a.parse_args()
    seeds = [int(s) for s in o.seeds.split(",")]
    experiment = Experiment(o)
    for task in o.tasks.split(","):
        batch, epochs, updates = TASKS[task]
        large, small = {"batch_size": batch, "epochs": epochs}, {"batch_size": 32, "epochs": epochs}
        sweeps = [sweep("adamw 32", ADAMW, **small), sweep("lamb", LAMB, **large)]
        metric = official_metrics(task)[0]
        if not o.table:
            experiment.prepare(task, task, task_folder(task, o.data))
            for arms in sweeps:
                experiment.run(task, COMMON, arms, [0])
        print(f"\n{task}, sweeps\n\n" + experiment.table(task, task, COMMON, sweeps[0] + sweeps[1], [0]), flush=True)
        adamw, lamb = (best(experiment, task, arms, metric) for arms in sweeps)
        if adamw is None or lamb is None:
            continue
        arms = final_arms(adamw, lamb, large, small, updates)
        if not o.table:
            experiment.run(task, COMMON, arms, seeds)
        print(f"\n{task}, batch {batch}\n\n" + experiment.table(task, task, COMMON, arms, seeds), flush=True)


main()
