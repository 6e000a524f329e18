#!/usr/bin/env python3
"""Compares the tool's logits with those of transformers in float32, on real sentence pairs, in both directions.

    compare_logits.py --store STORE --model FOLDER --pairs FILE [--pipeline BINARY] [--labels 3] [--count 200] [--tolerance 1e-4]

FOLDER is a Hugging Face model folder. A folder without a classification head gets one, drawn with seed 0. FILE has one pair a
line, the sentences separated by a tab (a line without a tab is a single sentence). First the folder is imported and `predict`
asked; then the imported model is exported, the export loaded by transformers, and its logits compared too.
Prints the largest differences; ends with 1 when one is over the tolerance.
"""
import argparse
import json
import os
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from tool import Tool, options


def logits_of(folder, lines, max_length):
    """[lines, labels] logits by transformers, one line at a time, so that no padding takes part."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    with torch.no_grad():
        for line in lines:
            x = tokenizer(*line.split("\t"), truncation=True, max_length=max_length, return_tensors="pt")
            rows.append(model(**x).logits[0])
    return torch.stack(rows)


def with_head(folder, labels, scratch):
    """The folder itself if it has a classification head, otherwise a copy in `scratch` with a new one."""
    config = AutoConfig.from_pretrained(folder)
    if any(name.endswith("ForSequenceClassification") for name in config.architectures or []):
        return folder
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(folder, num_labels=labels)
    model = AutoModelForSequenceClassification.from_pretrained(folder, config=config, dtype=torch.float32)
    with torch.no_grad():
        torch.nn.init.normal_(model.classifier.weight if hasattr(model.classifier, "weight") else model.classifier.out_proj.weight,
                              std=0.2)
    made = os.path.join(scratch, "model")
    model.save_pretrained(made)
    AutoTokenizer.from_pretrained(folder).save_pretrained(made)
    return made


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(a)
    a.add_argument("--model", required=True)
    a.add_argument("--pairs", required=True)
    a.add_argument("--labels", type=int, default=3)
    a.add_argument("--count", type=int, default=200)
    a.add_argument("--max-length", type=int, default=128)
    a.add_argument("--tolerance", type=float, default=1e-4)
    o = a.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with open(o.pairs, encoding="utf-8", newline="") as file:
        lines = [line.rstrip("\r") for line in file.read().split("\n") if line.strip()][:o.count]
    tool = Tool(o.pipeline, o.store)
    with tempfile.TemporaryDirectory() as scratch:
        folder = with_head(o.model, o.labels, scratch)
        expected = logits_of(folder, lines, o.max_length)
        tool.adopt(folder, "compare-logits")
        asked = os.path.join(scratch, "pairs.tsv")
        with open(asked, "w", encoding="utf-8", newline="") as file:
            file.write("".join(line + "\n" for line in lines))
        answer = tool("predict", "compare-logits", "--input", asked, "--max-length", o.max_length)
        ours = torch.tensor([p["logits"] for p in answer["predictions"]])
        exported = os.path.join(scratch, "exported")
        tool("export", "compare-logits", exported)
        back = logits_of(exported, lines, o.max_length)
    if ours.shape != expected.shape:
        sys.exit(f"expected logits of shape {tuple(expected.shape)}, found {tuple(ours.shape)}")
    result = {"lines": len(lines), "labels": expected.shape[1], "largest_logit": float(expected.abs().max()),
              "predict_difference": float((ours - expected).abs().max()),
              "export_difference": float((back - expected).abs().max()), "tolerance": o.tolerance}
    result["passed"] = max(result["predict_difference"], result["export_difference"]) <= o.tolerance
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


main()
