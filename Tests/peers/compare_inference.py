#!/usr/bin/env python3
"""Times inference over a development set with the tool and with a peer, in turns, so that both meet the same machine.

    compare_inference.py --store STORE --model FOLDER --data GLUE_FOLDER [--task mrpc] [--precision bf16] [--rounds 5] [--batch 32]
                         [--engine transformers|openvino]

The peer runs batches sorted by length, padded to their longest, tokenized beforehand; the tool runs `pipeline eval` on a model that one
update has adapted. Real tokens a second of the forward passes alone. One JSON line with the ratio per round and its median.
--engine openvino converts the same model for OpenVINO, which is to be installed beside the environment's packages (pip install openvino).
"""
import argparse
import json
import os
import statistics
import sys
import time

from glue import TASKS, read, task_folder
from tool import Tool, options


def transformers_pass(o, model):
    """A function of one batch."""
    import torch

    def run(batch):
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.precision == "bf16"):
            model(**batch)
    return run


def openvino_pass(o, model):
    """A function of one batch; the model is converted once, for every shape."""
    import numpy as np
    import openvino
    import torch
    names = ["input_ids", "attention_mask", "token_type_ids"]
    model.config.return_dict = False
    with torch.inference_mode():
        converted = openvino.convert_model(model, example_input={name: torch.ones(2, 16, dtype=torch.long) for name in names})
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": o.threads, "INFERENCE_PRECISION_HINT":
                "bf16" if o.precision == "bf16" else "f32"}
    request = openvino.Core().compile_model(converted, "CPU", settings).create_infer_request()
    return lambda batch: request.infer({name: np.asarray(batch[name]) for name in names if name in batch})


def peer(run, batches, tokens):
    for batch in batches[:2]:
        run(batch)
    begin = time.perf_counter()
    for batch in batches:
        run(batch)
    return tokens / (time.perf_counter() - begin)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--task", default="mrpc", choices=TASKS)
    a.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    a.add_argument("--engine", default="transformers", choices=["transformers", "openvino"], help="of the peer")
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    o = a.parse_args()
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging
    logging.set_verbosity_error()
    torch.set_num_threads(o.threads)
    tokenizer = AutoTokenizer.from_pretrained(o.model)
    model = AutoModelForSequenceClassification.from_pretrained(o.model, num_labels=TASKS[o.task].outputs, dtype=torch.float32).eval()
    texts = list(zip(*(row[0] for row in read(o.task, o.data, "dev"))))
    encoded = tokenizer(*map(list, texts), truncation=True, max_length=128)["input_ids"]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    parts = [[t[i] for i in order] for t in texts]
    batches = [tokenizer(*[p[i:i + o.batch] for p in parts], truncation=True, max_length=128, padding=True, return_tensors="pt")
               for i in range(0, len(order), o.batch)]
    tokens = sum(map(len, encoded))
    run = (openvino_pass if o.engine == "openvino" else transformers_pass)(o, model)

    tool = Tool(o.pipeline, o.store)
    tool.adopt(o.model, "base")
    tool("prepare", "--task", o.task, "--data", task_folder(o.task, o.data), "--model", "base", "--name", o.task, "--max-length", 128,
         "--replace")
    pairs = []
    for round in range(o.rounds):
        # A model of its own each round, so that no evaluation is found in the store.
        tool("adapt", "--model", "base", "--data", o.task, "--name", "inference", "--replace", "--seed", f"{time.time_ns() % 2**32}",
             "--set", "steps=1", "--set", "evaluate=never", "--set", f"precision={o.precision}")
        sides = [lambda: peer(run, batches, tokens),
                 lambda: tool("eval", "inference", "--threads", o.threads, "--precision", o.precision)["tokens_per_second"]]
        rates = [side() for side in (sides if round % 2 == 0 else sides[::-1])]
        theirs, mine = rates if round % 2 == 0 else rates[::-1]
        pairs.append((mine, theirs))
        print(f"round {round + 1}: ours {mine:.0f} tokens/s, peer {theirs:.0f}", file=sys.stderr, flush=True)
    ratios = [mine / theirs for mine, theirs in pairs]
    print(json.dumps({"task": o.task, "engine": o.engine, "precision": o.precision, "tokens": tokens, "tokens_per_second": [p[0] for p in pairs],
                      "peer_tokens_per_second": [p[1] for p in pairs], "ratios": ratios, "ratio": statistics.median(ratios)}))


main()
