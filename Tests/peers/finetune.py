#!/usr/bin/env python3
"""The peer: fine-tunes a BERT or RoBERTa encoder with PyTorch and transformers, the way their GLUE example does.

    finetune.py --model FOLDER --data GLUE_FOLDER --task mrpc [--batch 32 --lr 1e-4 --epochs 3 --seeds 0,1,2]
                [--max-steps N] [--max-length 128] [--precision fp32|bf16] [--pad longest|max] [--no-dropout] [--dump FOLDER] [--threads N]

AdamW (0.9, 0.999, 1e-8; decay 0.01 but for biases and LayerNorm), linear warm-up over 10 % of the steps, then linear decay to 0,
clipping at 1.0, a new shuffle per epoch, batches padded to their longest or to --max-length. --task sentiment reads train.tsv and dev.tsv with the
header `sentence<TAB>label` and the labels negative and positive.

One JSON line per seed: mean training loss, dev metrics and training seconds per epoch, examples per second.
--dump writes, per seed, FOLDER/seed-S: the starting model with its new head (a model folder), order.json (epochs of lists of
training row numbers), dev-E.tsv (dev outputs after epoch E), result.json (the line above with the loss of every step), and
with --max-steps the model after the last step in seed-S/end.
"""
import argparse
import json
import os
import random
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

from glue import TASKS, metrics, read


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--model", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--task", required=True, choices=TASKS)
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--lr", type=float, default=1e-4)
    a.add_argument("--epochs", type=int, default=3)
    a.add_argument("--max-steps", type=int, default=0)
    a.add_argument("--seeds", default="0")
    a.add_argument("--max-length", type=int, default=128)
    a.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    a.add_argument("--pad", default="longest", choices=["longest", "max"])
    a.add_argument("--no-dropout", action="store_true")
    a.add_argument("--dump")
    a.add_argument("--threads", type=int, default=os.cpu_count())
    return a.parse_args()


def identity(o):
    """The arguments that decide what is computed."""
    names = ["model", "data", "task", "batch", "lr", "epochs", "max_steps", "max_length", "precision", "no_dropout"]
    return {name: getattr(o, name) for name in names}


def encode(tokenizer, rows, max_length, **how):
    texts = list(zip(*(row[0] for row in rows)))
    return tokenizer(*map(list, texts), truncation=True, max_length=max_length, **how)


def start_model(o, task, seed):
    """The encoder with a new head drawn from the seed; labels carry their names."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    settings = {"num_labels": task.outputs}
    if task.labels is not None:
        settings |= {"id2label": dict(enumerate(task.labels)), "label2id": {n: i for i, n in enumerate(task.labels)}}
    if o.no_dropout:
        settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}
    config = AutoConfig.from_pretrained(o.model, **settings)
    return AutoModelForSequenceClassification.from_pretrained(o.model, config=config, dtype=torch.float32)


def optimizer_for(model, lr):
    plain = lambda name: name.endswith("bias") or "LayerNorm" in name
    named = list(model.named_parameters())
    return torch.optim.AdamW([{"params": [p for n, p in named if not plain(n)], "weight_decay": 0.01},
                              {"params": [p for n, p in named if plain(n)], "weight_decay": 0.0}], lr=lr)


def train(o, seed, rows, dev, tokenizer, real_tokens):
    task = TASKS[o.task]
    model = start_model(o, task, seed)
    per_epoch = -(-len(rows) // o.batch)
    steps = o.max_steps or o.epochs * per_epoch
    optimizer = optimizer_for(model, o.lr)
    schedule = get_linear_schedule_with_warmup(optimizer, int(0.1 * steps), steps)
    autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.precision == "bf16")
    dump = o.dump and os.path.join(o.dump, f"seed-{seed}")
    if dump:
        model.save_pretrained(dump)
        tokenizer.save_pretrained(dump)
    result = {"task": o.task, "seed": seed, "batch": o.batch, "lr": o.lr, "steps": steps, "precision": o.precision,
              "threads": o.threads, "max_length": o.max_length, "arguments": identity(o), "loss": [], "dev": [], "seconds": []}
    orders, losses, last_logits, y = [], [], None, [row[1] for row in dev]
    while len(losses) < steps:
        shuffled = np.random.permutation(len(rows))
        batches = [shuffled[i:i + o.batch].tolist() for i in range(0, len(rows), o.batch)][:steps - len(losses)]
        orders.append(batches)
        model.train()
        begin, total = time.perf_counter(), 0.0
        for batch in batches:
            chosen = [rows[i] for i in batch]
            x = encode(tokenizer, chosen, o.max_length, padding="max_length" if o.pad == "max" else True, return_tensors="pt")
            labels = torch.tensor([row[1] for row in chosen], dtype=torch.float if task.labels is None else torch.long)
            with autocast():
                loss = model(**x, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            total += losses[-1] * len(batch)
        result["seconds"].append(round(time.perf_counter() - begin, 2))
        result["loss"].append(total / sum(map(len, batches)))
        model.eval()
        with torch.no_grad(), autocast():
            parts = [model(**encode(tokenizer, dev[i:i + 64], o.max_length, padding=True, return_tensors="pt")).logits.float()
                     for i in range(0, len(dev), 64)]
        last_logits = torch.cat(parts).numpy()
        result["dev"].append({k: round(v, 5) for k, v in metrics(o.task, last_logits, y).items()})
        if dump:
            np.savetxt(os.path.join(dump, f"dev-{len(orders)}.tsv"), last_logits, delimiter="\t")
    full = [s for s, order in zip(result["seconds"], orders) if len(order) == per_epoch]
    if full:
        result |= {"examples_per_second": round(len(rows) / min(full), 1), "tokens_per_second": round(real_tokens / min(full))}
    print(json.dumps(result), flush=True)
    if dump:
        json.dump(orders, open(os.path.join(dump, "order.json"), "w"))
        json.dump(result | {"step_losses": losses}, open(os.path.join(dump, "result.json"), "w"))
        if o.max_steps:
            model.save_pretrained(os.path.join(dump, "end"))


def main():
    o = arguments()
    torch.set_num_threads(o.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    rows, dev = read(o.task, o.data, "train"), read(o.task, o.data, "dev")
    tokenizer = AutoTokenizer.from_pretrained(o.model)
    real_tokens = sum(map(len, encode(tokenizer, rows, o.max_length)["input_ids"]))
    for seed in map(int, o.seeds.split(",")):
        train(o, seed, rows, dev, tokenizer, real_tokens)


main()
