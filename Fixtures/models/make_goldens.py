#!/usr/bin/env python3
"""Makes the model goldens in this folder: tiny random BERT and RoBERTa classifiers with what PyTorch says about them.

    PYTHON=$(bash Tests/peers/environment.sh | tail -n 1)
    "$PYTHON" Fixtures/models/make_goldens.py [NAME ...]

Each golden is a folder:
    config.json, model.safetensors   as `transformers` saves them (float32)
    batch.json                       input_ids and token_type_ids, one list per sequence, without padding; labels
    golden.json                      versions, seed, losses, how it was made
    expected.safetensors             float64 results stored as float32, dropout off:
        logits [B, labels]           logits_float32: the same computed in float32
        loss [1]                     mean over the batch (`loss_float32` likewise)
        pooled [B, hidden]           input of the last dense layer (BERT: pooler output; RoBERTa: tanh of the head's dense)
        hidden.N [tokens, hidden]    N = 0: output of the embeddings; N = k: output of layer k; sequences end to end, no padding
        input_grad [tokens, hidden]  gradient with respect to the output of the word-embedding lookup
        grad.NAME                    gradient with respect to parameter NAME
The folder `bert-adamw` holds 50 AdamW steps instead: training.json has the batches, learning rates, losses, gradient norms
(before clipping) and distances; expected.safetensors has `final.NAME` for two parameters.
"""
import json
import math
import os
import re
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from safetensors.torch import save_file
from transformers import (BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification,
                          get_linear_schedule_with_warmup)

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 20240607
MAX_TOKENS = 20
LENGTHS = [7, 2, 20, 3, 12]
COMMON = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}

# name: (family, settings, problem)
GOLDENS = {
    "bert-four-heads": ("bert", dict(hidden_size=24, num_attention_heads=4, num_hidden_layers=2, intermediate_size=34,
                                     vocab_size=24, num_labels=2, hidden_act="gelu"), "single_label_classification"),
    "bert-three-heads": ("bert", dict(hidden_size=18, num_attention_heads=3, num_hidden_layers=1, intermediate_size=28,
                                      vocab_size=24, num_labels=3, hidden_act="gelu_new"), "single_label_classification"),
    "bert-one-head": ("bert", dict(hidden_size=19, num_attention_heads=1, num_hidden_layers=1, intermediate_size=27,
                                   vocab_size=24, num_labels=1, hidden_act="relu", layer_norm_eps=1e-5), "regression"),
    "bert-five-heads": ("bert", dict(hidden_size=20, num_attention_heads=5, num_hidden_layers=1, intermediate_size=24,
                                     vocab_size=24, num_labels=4, hidden_act="gelu"), "multi_label_classification"),
    "roberta-four-heads": ("roberta", dict(hidden_size=16, num_attention_heads=4, num_hidden_layers=2, intermediate_size=22,
                                           vocab_size=24, num_labels=3, hidden_act="gelu", layer_norm_eps=1e-5),
                           "single_label_classification"),
    "roberta-regression": ("roberta", dict(hidden_size=15, num_attention_heads=3, num_hidden_layers=1, intermediate_size=22,
                                           vocab_size=24, num_labels=1, hidden_act="gelu", layer_norm_eps=1e-6), "regression"),
}
TRAINING = ("bert", dict(hidden_size=16, num_attention_heads=2, num_hidden_layers=2, intermediate_size=24, vocab_size=24,
                         num_labels=2, hidden_act="gelu"), "single_label_classification")


def make_model(family, settings, problem):
    """The model with weights drawn so that every part of it matters and logits are of order one."""
    if family == "bert":
        config = BertConfig(max_position_embeddings=MAX_TOKENS, type_vocab_size=2, pad_token_id=0, problem_type=problem,
                            **COMMON, **settings)
        model = BertForSequenceClassification(config)
    else:
        config = RobertaConfig(max_position_embeddings=MAX_TOKENS + 2, type_vocab_size=1, pad_token_id=1, bos_token_id=0,
                               eos_token_id=2, problem_type=problem, **COMMON, **settings)
        model = RobertaForSequenceClassification(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape)
            if "LayerNorm" in name:
                parameter.copy_(1 + 0.2 * noise if name.endswith("weight") else 0.2 * noise)
            elif "embeddings" in name:
                parameter.copy_(0.6 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_(1.4 * noise / math.sqrt(parameter.shape[1]))
    return model.eval()


def make_batch(config, family, problem, lengths):
    """Sequences of the given lengths, first and last token as the tokenizer would put them; ids never name padding."""
    batch = {"input_ids": [], "token_type_ids": [], "labels": []}
    low = 3
    for length in lengths:
        ids = torch.randint(low, config.vocab_size, (length,)).tolist()
        ids[0], ids[-1] = (1, 2) if family == "bert" else (0, 2)
        split = int(torch.randint(1, length, ()))
        types = [0] * split + [1] * (length - split) if family == "bert" and length > 3 else [0] * length
        batch["input_ids"].append(ids)
        batch["token_type_ids"].append(types)
        if problem == "regression":
            batch["labels"].append(round(float(torch.randn(())) * 1.5, 3))
        elif problem == "multi_label_classification":
            batch["labels"].append(torch.randint(0, 2, (config.num_labels,)).tolist())
        else:
            batch["labels"].append(int(torch.randint(0, config.num_labels, ())))
    return batch


def padded(batch, rows, config, problem):
    """The rows as `transformers` takes them: padded to the longest, with an attention mask."""
    longest = max(len(batch["input_ids"][r]) for r in rows)
    ids = torch.full((len(rows), longest), config.pad_token_id)
    types = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        n = len(batch["input_ids"][row])
        ids[i, :n] = torch.tensor(batch["input_ids"][row])
        types[i, :n] = torch.tensor(batch["token_type_ids"][row])
        mask[i, :n] = 1
    labels = torch.tensor([batch["labels"][r] for r in rows])
    if problem != "single_label_classification":
        labels = labels.to(torch.get_default_dtype())
    return dict(input_ids=ids, token_type_ids=types, attention_mask=mask), labels


def run(model, batch, config, problem, dtype):
    """Logits, loss, activations and gradients in the given precision."""
    torch.set_default_dtype(dtype)
    model = model.to(dtype)
    model.zero_grad()
    kept = {}
    base = getattr(model, config.model_type)
    words = base.embeddings.word_embeddings
    hooks = [words.register_forward_hook(lambda _, __, out: (out.retain_grad(), kept.__setitem__("words", out))[-1])]
    last = model.classifier if config.model_type == "bert" else model.classifier.out_proj
    hooks.append(last.register_forward_pre_hook(lambda _, args: kept.__setitem__("pooled", args[0])))
    inputs, labels = padded(batch, range(len(batch["labels"])), config, problem)
    out = model(**inputs, labels=labels, output_hidden_states=True)
    out.loss.backward()
    for hook in hooks:
        hook.remove()
    torch.set_default_dtype(torch.float32)
    real = inputs["attention_mask"].bool()
    result = {"logits": out.logits, "loss": out.loss.reshape(1), "pooled": kept["pooled"], "input_grad": kept["words"].grad[real]}
    result |= {f"hidden.{i}": h[real] for i, h in enumerate(out.hidden_states)}
    result |= {f"grad.{n}": p.grad for n, p in model.named_parameters()}
    return {n: t.detach().clone() for n, t in result.items()}


def versions():
    return {"torch": torch.__version__, "transformers": transformers.__version__, "seed": SEED}


def write_json(path, value):
    """JSON with one line per row of a list of lists."""
    text = json.dumps(value, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s*\n\s*", " ", m.group(1)) + "]", text)
    with open(path, "w") as file:
        file.write(text + "\n")


def save(model, folder):
    model.save_pretrained(folder)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)


def store(tensors, path):
    save_file({n: t.to(torch.float32).contiguous() for n, t in tensors.items()}, path)
    os.chmod(path, 0o644)


def make(name):
    family, settings, problem = GOLDENS[name]
    torch.manual_seed(SEED + list(GOLDENS).index(name))
    model = make_model(family, settings, problem)
    config = model.config
    folder = os.path.join(HERE, name)
    save(model, folder)
    batch = make_batch(config, family, problem, LENGTHS)
    write_json(os.path.join(folder, "batch.json"), batch)
    single = run(model, batch, config, problem, torch.float32)
    double = run(model, batch, config, problem, torch.float64)
    expected = dict(double, logits_float32=single["logits"], loss_float32=single["loss"])
    store(expected, os.path.join(folder, "expected.safetensors"))
    spread = {n: float((double[n] - single[n]).abs().max()) for n in ("logits", "loss", "pooled", "input_grad")}
    squares = lambda r: math.sqrt(sum(float(t.double().pow(2).sum()) for n, t in r.items() if n.startswith("grad.")))
    write_json(os.path.join(folder, "golden.json"), versions() | {
        "problem": problem, "loss": float(double["loss"]), "gradient_norm": squares(double),
        "largest_difference_float32_float64": spread})
    print(f"{name}: loss {float(double['loss']):.6f}, logits within {float(double['logits'].abs().max()):.2f}, "
          f"|g| {squares(double):.4f}, float32 - float64 logits {spread['logits']:.1e}")


def make_training():
    """50 steps: AdamW 1e-3 (0.9, 0.999, 1e-8), decay 0.01 except biases and LayerNorm, linear warm-up over 5 steps, clip 1.0."""
    family, settings, problem = TRAINING
    folder = os.path.join(HERE, "bert-adamw")
    torch.manual_seed(SEED + 100)
    model = make_model(family, settings, problem)
    config = model.config
    save(model, folder)
    batch = make_batch(config, family, problem, [int(n) for n in torch.randint(2, MAX_TOKENS + 1, (16,))])
    write_json(os.path.join(folder, "batch.json"), batch)
    steps, size = 50, 4
    order = []
    while len(order) < steps:
        rows = torch.randperm(16).tolist()
        order += [rows[i:i + size] for i in range(0, 16, size)]
    order = order[:steps]
    start = {n: p.detach().clone().double() for n, p in model.named_parameters()}
    records = {}
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        with torch.no_grad():
            for n, p in model.named_parameters():
                p.data = start[n].to(dtype, copy=True)
        plain = lambda n: n.endswith("bias") or "LayerNorm" in n
        groups = [{"params": [p for n, p in model.named_parameters() if not plain(n)], "weight_decay": 0.01},
                  {"params": [p for n, p in model.named_parameters() if plain(n)], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
        schedule = get_linear_schedule_with_warmup(optimizer, 5, steps)
        record = {"losses": [], "learning_rates": [], "gradient_norms": []}
        for rows in order:
            inputs, labels = padded(batch, rows, config, problem)
            loss = model(**inputs, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            record["learning_rates"].append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
            record["losses"].append(float(loss.detach()))
            record["gradient_norms"].append(float(norm))
        record["final"] = {n: p.detach().clone().double() for n, p in model.named_parameters()}
        records[dtype] = record
        torch.set_default_dtype(torch.float32)
    best, single = records[torch.float64], records[torch.float32]
    kept = [n for n in start if not n.endswith("key.bias")]
    norm = lambda a, b: math.sqrt(sum(float((a[n] - b[n]).pow(2).sum()) for n in kept))
    shown = ["bert.encoder.layer.1.attention.self.query.weight", "bert.encoder.layer.0.output.LayerNorm.weight"]
    store({f"final.{n}": best["final"][n] for n in shown}, os.path.join(folder, "expected.safetensors"))
    moved = norm(best["final"], start)
    write_json(os.path.join(folder, "training.json"), {
        "recipe": {"optimizer": "adamw", "learning_rate": 1e-3, "betas": [0.9, 0.999], "epsilon": 1e-8, "weight_decay": 0.01,
                   "undecayed": "biases and LayerNorm", "warmup_steps": 5, "steps": steps, "max_grad_norm": 1.0,
                   "schedule": "linear", "dropout": 0},
        "order": order, "learning_rates": best["learning_rates"], "losses": best["losses"],
        "gradient_norms": best["gradient_norms"],
        "distance": moved, "distance_note": "2-norm of final minus start over all parameters but key biases",
        "distances": {n: float((best["final"][n] - start[n]).norm()) for n in start},
        "float32": {"losses": single["losses"], "relative_distance_to_float64": norm(single["final"], best["final"]) / moved}})
    write_json(os.path.join(folder, "golden.json"), versions() | {"problem": problem})
    relative = max(abs(a - b) / abs(b) for a, b in zip(single["losses"], best["losses"]))
    print(f"bert-adamw: loss {best['losses'][0]:.4f} to {best['losses'][-1]:.4f}, moved {moved:.4f}, float32 losses within "
          f"{relative:.1e}, float32 end within {norm(single['final'], best['final']) / moved:.1e}")


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    wanted = sys.argv[1:] or list(GOLDENS) + ["bert-adamw"]
    for name in wanted:
        make_training() if name == "bert-adamw" else make(name)


if __name__ == "__main__":
    main()
