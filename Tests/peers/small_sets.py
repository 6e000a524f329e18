#!/usr/bin/env python3
"""The small-set experiment of the line-search paper (arXiv 2403.18506): the searches against Adam at one rate and swept.

    small_sets.py --model FOLDER --data GLUE_FOLDER --store STORE --work FOLDER [--only REGEX] [--jobs N] [--table]

The first 500 training examples of SST-2 and of MRPC, batches of 32, 5 epochs, no dropout, seeds 0 to 4 (order of examples and new head).
AdamW has the recipe's defaults beside its rate: linear schedule, warm-up of 10 %, decay 0.01, gradients clipped at 1. Its products
are in bfloat16 where that is the default, and in float32, which the searches have, at one rate. The searches have their defaults; two more arms
let the step size double over 500 steps, as the authors' runs do, in place of once an epoch (16 steps here), and two search the whole move of
PLASLS, too.
The development metric is that of the last weights. A pass a step of 1 is forward, back to inputs and to weights once.
Prints one Markdown table for each task, of the runs that are there. See experiment.py for what is kept.
"""
import argparse

from experiment import Arm, Experiment, first_examples, options

ARMS = ([Arm(f"adamw at {rate}", "adamw", learning_rate=rate) for rate in ("2e-5", "5e-5", "1e-4", "2e-4", "5e-4")]
        + [Arm("adamw at 1e-4, fp32", "adamw", learning_rate="1e-4", precision="fp32")]
        + [Arm(name, name) for name in ("sgdsls", "adamsls", "plasls", "salsa")]
        + [Arm(f"{name}, growth_period 500", name, growth_period=500) for name in ("adamsls", "plasls")]
        + [Arm("plasls, whole_move search", "plasls", whole_move="search"),
           Arm("plasls, whole_move search, growth_period 500", "plasls", whole_move="search", growth_period=500)])
COMMON = ["--set", "batch_size=32", "--set", "epochs=5", "--set", "dropout=0", "--set", "evaluate=end", "--set", "select=last"]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a, "sst2,mrpc")
    a.add_argument("--examples", type=int, default=500)
    a.add_argument("--seeds", default="0,1,2,3,4")
    o = a.parse_args()
    seeds = [int(s) for s in o.seeds.split(",")]
    experiment = Experiment(o)
    for task in o.tasks.split(","):
        data = f"{task}-{o.examples}"
        if not o.table:
            experiment.prepare(data, task, first_examples(task, o.data, o.examples, o.work))
            experiment.run(data, COMMON, ARMS, seeds)
        print(f"\n{task}, first {o.examples} examples\n\n" + experiment.table(data, task, COMMON, ARMS, seeds), flush=True)


main()
