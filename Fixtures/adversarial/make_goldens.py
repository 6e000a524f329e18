#!/usr/bin/env python3
"""Makes the goldens of the adversarial objectives: what PyTorch's autograd says about ScaLA, FreeLB, SMART and R3F on tiny models.

    PYTHON=$(bash Tests/peers/environment.sh | tail -n 1)
    "$PYTHON" Fixtures/adversarial/make_goldens.py

Each folder is a model with its batch, as in Fixtures/models:
    config.json, model.safetensors, batch.json
    cases.json              settings of every case, loss, and for divergences the divergence; versions and seed
    expected.safetensors    float64 results stored as float32, dropout off, sequences end to end without padding:
        CASE.noise [tokens, hidden]   the last noise
        CASE.grad.NAME                gradient of the case's objective by a few parameters
        CASE.norm [parameters]        2-norm of the gradient of every parameter, in the order of the names in cases.json
Initial noise is drawn by the same counter generator as in the product, written here a second time from its definition.
"""
import json
import math
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "models"))
sys.dont_write_bytecode = True
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification

SEED = 20241121
NOISE_SEED, NOISE_STEP = 11, 4
LENGTHS = [5, 2, 8, 3]
MASK = (1 << 64) - 1
KEPT = ["bert.embeddings.word_embeddings.weight", "bert.embeddings.LayerNorm.weight",
        "bert.encoder.layer.0.attention.self.query.weight", "bert.encoder.layer.1.output.dense.weight", "classifier.weight"]

PROBLEMS = {"classes": ("single_label_classification", 3), "labels": ("multi_label_classification", 3), "values": ("regression", 1)}


def mixed(x):
    """The finaliser of splitmix64."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def key(seed, step, site):
    x = mixed((seed + 0x9E3779B97F4A7C15) & MASK)
    x = mixed((x + (step + 1) * 0x9E3779B97F4A7C15) & MASK)
    return mixed((x + (site + 1) * 0x9E3779B97F4A7C15) & MASK)


def lanes(x):
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def uniform(site, example, position, feature):
    """In (0, 1), from 32 bits of (seed, step, site, example, position, feature)."""
    row = mixed(((example << 32 | position) * 0x9E3779B97F4A7C15 + key(NOISE_SEED, NOISE_STEP, site)) & MASK)
    x = lanes((feature * 0x9E3779B9 + (row & 0xFFFFFFFF)) & 0xFFFFFFFF)
    return (lanes((x + (row >> 32)) & 0xFFFFFFFF) + 0.5) / 2.0 ** 32


def initial(kind, size, width):
    """One [length, width] array for each sequence."""
    site = 8 << 32

    def element(length, *place):
        if kind == "scaled":
            return size / math.sqrt(length * width) * (2 * uniform(site, *place) - 1)
        if kind == "uniform":
            return size * (2 * uniform(site, *place) - 1)
        if kind == "normal":
            radius = math.sqrt(-2 * math.log(uniform(site, *place)))
            return size * radius * math.cos(2 * math.pi * uniform(site + 1, *place))
        return 0.0

    return [torch.tensor([[element(n, example, t, i) for i in range(width)] for t in range(n)])
            for example, n in enumerate(LENGTHS)]


def projected(delta, norm, radius):
    if radius is None:
        return delta
    if norm == "linf":
        return delta.clamp(-radius, radius)
    size = delta.norm()
    return delta * (radius / size) if size > radius else delta


def climbed(delta, g, norm, step, radius):
    if norm == "linf":
        size = g.abs().max(dim=1, keepdim=True).values
    else:
        size = g.norm().expand(1, 1)
    move = torch.where((size > 0) & size.isfinite(), step * g / size, torch.zeros_like(g))
    return projected(delta + move, norm, radius)


class Runner:
    """The model's outputs at given noise, one sequence at a time, so that nothing is padded."""

    def __init__(self, model, batch, problem):
        self.model, self.batch, self.problem = model, batch, problem
        self.labels = torch.tensor(batch["labels"])
        if problem != "single_label_classification":
            self.labels = self.labels.float().double().reshape(len(LENGTHS), -1)

    def outputs(self, noise=None, place="word"):
        rows = []
        embeddings = self.model.bert.embeddings
        for i, ids in enumerate(self.batch["input_ids"]):
            hooks = []
            if noise is not None:
                module = embeddings.word_embeddings if place == "word" else embeddings.LayerNorm
                hooks.append(module.register_forward_hook(lambda _, __, out: out + noise[i]))
            out = self.model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([self.batch["token_type_ids"][i]]))
            for hook in hooks:
                hook.remove()
            rows.append(out.logits[0])
        return torch.stack(rows)

    def loss(self, outputs):
        """The task's mean loss."""
        if self.problem == "single_label_classification":
            return torch.nn.functional.cross_entropy(outputs, self.labels)
        if self.problem == "regression":
            return torch.nn.functional.mse_loss(outputs, self.labels)
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs, self.labels)

    def kl(self, a, b):
        """KL(a ‖ b), the mean over the batch (and over the outputs where the task's loss averages over them)."""
        if self.problem == "single_label_classification":
            p, q = a.log_softmax(-1), b.log_softmax(-1)
            return (p.exp() * (p - q)).sum(-1).mean()
        if self.problem == "regression":
            return (a - b).square().mean()
        p, q = torch.nn.functional.logsigmoid, torch.sigmoid
        return (q(a) * (p(a) - p(b)) + q(-a) * (p(-a) - p(-b))).mean()


def gradients(value, variables):
    return torch.autograd.grad(value, variables, allow_unused=True)


def evaluate(runner, case):
    """Loss, last noise and gradient by every parameter, by the formulas of the methods."""
    width = runner.model.config.hidden_size
    parameters = dict(runner.model.named_parameters())
    place, norm, radius = case["place"], case["norm"], case["radius"]
    delta = [projected(d, norm, radius) for d in initial(case["init"], case["size"], width)]
    method, steps = case["method"], case["steps"]
    divergent = method in ("clean-kl", "smart", "r3f")
    clean = runner.outputs() if divergent else None

    def climb(delta, weights):
        """One ascent; with `weights` also the gradient of that pass."""
        leaves = [d.detach().requires_grad_() for d in delta]
        out = runner.outputs(leaves, place)
        if method == "clean-kl":
            value = runner.kl(clean.detach(), out)
        elif method == "smart":
            value = runner.kl(clean.detach(), out) + runner.kl(out, clean.detach())
        else:
            value = runner.loss(out)
        g = gradients(value, leaves + (list(parameters.values()) if weights else []))
        moved = [climbed(d.detach(), x, norm, case["rho"], radius) for d, x in zip(leaves, g)]
        return moved, float(value.detach()), g[len(leaves):]

    losses, total = [], [torch.zeros_like(p) for p in parameters.values()]
    for _ in range(steps):
        delta, value, g = climb(delta, method == "freelb")
        losses.append(value)
        if method == "freelb":
            total = [a + b for a, b in zip(total, g)]
    noisy = runner.outputs(delta, place)
    if divergent:
        value = runner.loss(clean) + case["weight"] * (runner.kl(noisy, clean) + runner.kl(clean, noisy))
    else:
        value = runner.loss(noisy)
    g = gradients(value, list(parameters.values()))
    g = [torch.zeros_like(p) if x is None else x for p, x in zip(parameters.values(), g)]
    loss = float(value.detach())
    if method == "freelb":
        g = [(a + b) / (steps + 1) for a, b in zip(total, g)]
        loss = (sum(losses) + loss) / (steps + 1)
    return loss, delta, dict(zip(parameters, g))


def cases(problem):
    """name: settings"""
    base = {"method": "label", "place": "word", "norm": "l2", "init": "scaled", "size": 0.1, "steps": 1, "rho": 0.1,
            "radius": 0.3, "weight": 1.0}
    made = {}

    def add(name, **changes):
        made[name] = base | changes

    if problem != "single_label_classification":
        add("label", steps=2)
        add("clean-kl", method="clean-kl")
        add("smart-large", method="smart", norm="linf", init="normal", size=1e-2, rho=0.03, radius=None, weight=2.0)
        return made
    for place in ("word", "normalized"):
        for norm in ("l2", "linf"):
            sizes = {} if norm == "l2" else {"rho": 0.02, "radius": 0.05}
            for steps in (0, 1, 3):
                add(f"label-{place}-{norm}-{steps}", place=place, norm=norm, steps=steps, **sizes)
            add(f"clean-kl-{place}-{norm}", method="clean-kl", place=place, norm=norm, **sizes)
    add("label-bound-l2", steps=3, radius=0.05)
    add("label-bound-linf", steps=3, norm="linf", rho=0.02, radius=0.005)
    add("label-zero", init="zero", size=0.0)
    add("label-normal", init="normal", size=1e-2)
    add("clean-kl-3", method="clean-kl", steps=3, weight=0.5)
    add("freelb", method="freelb", steps=2)
    add("freelb-normalized", method="freelb", steps=2, place="normalized", radius=0.15)
    add("smart", method="smart", norm="linf", init="normal", size=1e-5, rho=1e-3, radius=None)
    add("smart-large", method="smart", norm="linf", init="normal", size=1e-2, rho=0.03, radius=None, weight=2.0)
    add("r3f", method="r3f", steps=0, init="uniform", size=1e-5, radius=None)
    add("r3f-large", method="r3f", steps=0, init="uniform", size=0.05, radius=None, weight=2.0)
    return made


def make(name):
    from make_goldens import make_batch, save, store, write_json
    problem, outputs = PROBLEMS[name]
    torch.manual_seed(SEED + list(PROBLEMS).index(name))
    config = BertConfig(hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=10, vocab_size=10,
                        num_labels=outputs, hidden_act="gelu", max_position_embeddings=8, type_vocab_size=2, pad_token_id=0,
                        problem_type=problem, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            draw = torch.randn(parameter.shape)
            if "LayerNorm" in parameter_name:
                parameter.copy_(1 + 0.2 * draw if parameter_name.endswith("weight") else 0.2 * draw)
            elif "embeddings" in parameter_name:
                parameter.copy_(0.6 * draw)
            elif parameter_name.endswith("bias"):
                parameter.copy_(0.2 * draw)
            else:
                parameter.copy_(1.4 * draw / math.sqrt(parameter.shape[1]))
    folder = os.path.join(HERE, name)
    save(model, folder)
    batch = make_batch(config, "bert", problem, LENGTHS)
    write_json(os.path.join(folder, "batch.json"), batch)
    torch.set_default_dtype(torch.float64)
    runner = Runner(model.double(), batch, problem)
    expected, settings = {}, cases(problem)
    for case, values in settings.items():
        loss, delta, g = evaluate(runner, values)
        values["loss"] = loss
        expected[f"{case}.noise"] = torch.cat(delta)
        expected[f"{case}.norm"] = torch.stack([x.norm() for x in g.values()])
        expected |= {f"{case}.grad.{n}": g[n] for n in KEPT}
        print(f"{name} {case}: loss {loss:.6f}, largest |noise| {float(torch.cat(delta).abs().max()):.4g}")
    torch.set_default_dtype(torch.float32)
    store(expected, os.path.join(folder, "expected.safetensors"))
    with open(os.path.join(folder, "cases.json"), "w") as file:
        json.dump({"torch": torch.__version__, "transformers": transformers.__version__, "seed": SEED,
                   "noise_seed": NOISE_SEED, "noise_step": NOISE_STEP, "names": [n for n, _ in model.named_parameters()],
                   "cases": settings}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for golden in PROBLEMS:
        make(golden)
