#!/usr/bin/env python3
"""The peer's training step on the CPU: forward, backward, clip and AdamW on one dense batch, by transformers as it comes.

    step.py --shape bert-base|minilm-l6|roberta-large [--precision fp32|bf16] [--batch 32] [--length 128] [--steps 4] [--threads N]
            [--dropout 0.1] [--dump FOLDER] [--engine eager|fast-bert]

One JSON line: `step_seconds` (every step but the first), their median, examples and tokens per second, `losses` (of every step, the
first included), and `peak_MiB`, the largest resident memory. GFLOP/s count 6 · (encoder weights) · tokens and the attention products.
--dump writes the model with its head and the batch (batch.json) before the first step: `pipeline bench step --weights FOLDER` takes
the same steps from there.
--engine fast-bert replaces the blocks by those of Intel's extension, fused and in bfloat16; clipping is left out, which it does not take.
It needs an environment of its own: pip install torch==2.8.0 intel-extension-for-pytorch==2.8.0 transformers==4.51.3
"""
import argparse
import json
import os
import resource
import statistics
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from transformers import BertConfig, BertForSequenceClassification

SHAPES = {  # hidden, layers, heads, intermediate, vocabulary
    "minilm-l6": (384, 6, 12, 1536, 30522),
    "bert-base": (768, 12, 12, 3072, 30522),
    "roberta-large": (1024, 24, 16, 4096, 50265),
}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shape", default="bert-base", choices=SHAPES)
    a.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--length", type=int, default=128)
    a.add_argument("--steps", type=int, default=4)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    a.add_argument("--dropout", type=float, default=0.1, help="rate of all dropout")
    a.add_argument("--engine", default="eager", choices=["eager", "fast-bert"])
    a.add_argument("--dump", help="a folder to write the model and the batch to")
    o = a.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    hidden, layers, heads, intermediate, vocabulary = SHAPES[o.shape]
    extra = {"attn_implementation": "eager"} if o.engine == "fast-bert" else {}
    model = BertForSequenceClassification(BertConfig(
        **extra,
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=intermediate,
        vocab_size=vocabulary, hidden_dropout_prob=o.dropout, attention_probs_dropout_prob=o.dropout)).train()
    if o.engine == "fast-bert":
        import intel_extension_for_pytorch as ipex
        model = ipex.fast_bert(model, dtype=torch.bfloat16, unpad=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    ids = torch.randint(5, vocabulary, (o.batch, o.length))
    mask = torch.ones_like(ids)
    labels = torch.randint(0, 2, (o.batch,))
    if o.dump:
        model.save_pretrained(o.dump)
        with open(os.path.join(o.dump, "batch.json"), "w") as file:
            json.dump({"input_ids": ids.tolist(), "labels": labels.tolist()}, file)
    seconds, losses = [], []
    for _ in range(o.steps + 1):
        begin = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.precision == "bf16"):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        if o.engine == "eager":
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - begin)
        losses.append(loss.item())
    seconds = seconds[1:]
    median, tokens = statistics.median(seconds), o.batch * o.length
    work = 6 * layers * (4 * hidden ** 2 + 2 * hidden * intermediate) * tokens + 12 * layers * o.batch * o.length ** 2 * hidden
    print(json.dumps({
        "shape": o.shape, "precision": o.precision, "batch": o.batch, "length": o.length, "threads": o.threads,
        "step_seconds": [round(s, 4) for s in seconds], "median": round(median, 4), "losses": losses,
        "examples_per_second": round(o.batch / median, 2), "tokens_per_second": round(tokens / median),
        "gflops": round(work / median / 1e9, 1), "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


main()
