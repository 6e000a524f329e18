"""GLUE's official files as lists of rows, the metrics of each task, and the tool's own three-file layout."""
import os

import numpy as np
from scipy.stats import pearsonr, spearmanr


class Task:
    """Where a task's columns are: files, whether the first line is a header, text columns, label column, label names."""

    def __init__(self, train, dev, header, text, label, labels):
        self.train, self.dev, self.header, self.text, self.label, self.labels = train, dev, header, text, label, labels

    @property
    def outputs(self):
        return 1 if self.labels is None else len(self.labels)


BINARY = ["0", "1"]
ENTAILMENT = ["entailment", "not_entailment"]
TASKS = {
    "cola": Task("CoLA/train.tsv", "CoLA/dev.tsv", False, (3,), 1, BINARY),
    "sst2": Task("SST-2/train.tsv", "SST-2/dev.tsv", True, (0,), 1, BINARY),
    "mrpc": Task("MRPC/train.tsv", "MRPC/dev.tsv", True, (3, 4), 0, BINARY),
    "stsb": Task("STS-B/train.tsv", "STS-B/dev.tsv", True, (7, 8), 9, None),
    "qqp": Task("QQP/train.tsv", "QQP/dev.tsv", True, (3, 4), 5, BINARY),
    "mnli": Task("MNLI/train.tsv", "MNLI/dev_matched.tsv", True, (8, 9), -1, ["entailment", "neutral", "contradiction"]),
    "qnli": Task("QNLI/train.tsv", "QNLI/dev.tsv", True, (1, 2), 3, ENTAILMENT),
    "rte": Task("RTE/train.tsv", "RTE/dev.tsv", True, (1, 2), 3, ENTAILMENT),
    "wnli": Task("WNLI/train.tsv", "WNLI/dev.tsv", True, (1, 2), 3, BINARY),
    "sentiment": Task("train.tsv", "dev.tsv", True, (0,), 1, ["negative", "positive"]),
}


def read(task, folder, split):
    """[((text, ...), label)] of one split; quotation marks are text, a byte-order mark is not."""
    t = TASKS[task]
    with open(os.path.join(folder, getattr(t, split)), encoding="utf-8-sig", newline="") as file:
        lines = [line.rstrip("\r").split("\t") for line in file.read().split("\n") if line.strip()]
    lines = lines[1:] if t.header else lines
    value = float if t.labels is None else t.labels.index
    return [(tuple(line[i] for i in t.text), value(line[t.label])) for line in lines]


def task_folder(task, folder):
    """The folder of one task inside a GLUE folder, as `pipeline prepare --data` takes it."""
    return os.path.join(folder, os.path.dirname(TASKS[task].train)) if task != "sentiment" else folder


def metrics(task, logits, labels):
    """GLUE's metrics of [examples, outputs] logits against labels."""
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if TASKS[task].labels is None:
        return {"pearson": float(pearsonr(logits[:, 0], labels)[0]), "spearman": float(spearmanr(logits[:, 0], labels)[0])}
    guess = logits.argmax(1)
    accuracy = {"accuracy": float((guess == labels).mean())}
    if logits.shape[1] != 2:
        return accuracy
    hits = [int(((guess == g) & (labels == y)).sum()) for g in (0, 1) for y in (0, 1)]
    tn, fn, fp, tp = hits
    scale = (float(tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    return accuracy | {"f1": 2 * tp / max(1, 2 * tp + fp + fn), "matthews": (tp * tn - fp * fn) / scale if scale else 0.0}


def official_metrics(task):
    """The metrics that GLUE reports for a task."""
    if TASKS[task].labels is None:
        return ["pearson", "spearman"]
    return {"cola": ["matthews"], "mrpc": ["accuracy", "f1"], "qqp": ["accuracy", "f1"]}.get(task, ["accuracy"])
