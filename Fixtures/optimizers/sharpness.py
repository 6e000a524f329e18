"""Sharpness-aware descent of a tiny network by autograd in float64. Used by make_goldens.py.

Loss: mean over the rows of softplus(-target * z), z = head.weight . tanh(hidden.weight input + hidden.bias) + head.bias.
Step: x <- x - rate * gradient at x + radius * g / |g|, g and |g| over the trained tensors.
"""
import numpy as np
import torch

WIDTH, INPUTS, ROWS, STEPS, RATE = 5, 3, 9, 25, 0.5
SHAPES = {"hidden.weight": [WIDTH, INPUTS], "hidden.bias": [WIDTH], "head.weight": [1, WIDTH], "head.bias": [1]}


def loss(x, inputs, targets):
    hidden = torch.tanh(inputs @ x["hidden.weight"].T + x["hidden.bias"])
    z = (hidden @ x["head.weight"].T + x["head.bias"]).squeeze(1)
    return torch.nn.functional.softplus(-targets * z).mean()


def gradient(x, trained, inputs, targets):
    x = {name: value.clone().requires_grad_(name in trained) for name, value in x.items()}
    value = loss(x, inputs, targets)
    return value.item(), dict(zip(trained, torch.autograd.grad(value, [x[name] for name in trained])))


def run(start, inputs, targets, radius, trained):
    x, losses, norms = dict(start), [], []
    for _ in range(STEPS):
        value, g = gradient(x, trained, inputs, targets)
        norm = torch.cat([g[name].flatten() for name in trained]).norm()
        displaced = {name: x[name] + radius * g[name] / norm if name in trained else x[name] for name in x}
        _, sharp = gradient(displaced, trained, inputs, targets)
        losses.append(value)
        norms.append(torch.cat([sharp[name].flatten() for name in trained]).norm().item())
        x = {name: x[name] - RATE * sharp[name] if name in trained else x[name] for name in x}
    return {"radius": radius, "losses": losses, "gradientNorms": norms,
            "end": [v for name in SHAPES for v in x[name].flatten().tolist()]}


def golden(seed):
    random = np.random.default_rng(seed)

    def draw(shape):  # float32 values, so that both sides start from the same numbers
        return torch.tensor(random.standard_normal(shape).astype(np.float32), dtype=torch.float64)

    start = {name: draw(shape) for name, shape in SHAPES.items()}
    inputs = draw([ROWS, INPUTS])
    targets = torch.tensor([1.0 if i % 2 else -1.0 for i in range(ROWS)], dtype=torch.float64)
    names = list(SHAPES)
    return {
        "rate": RATE, "steps": STEPS,
        "tensors": [{"name": name, "shape": shape} for name, shape in SHAPES.items()],
        "start": [v for name in names for v in start[name].flatten().tolist()],
        "inputs": inputs.tolist(), "targets": targets.tolist(),
        "runs": [
            {"frozen": "", **run(start, inputs, targets, 0.05, names)},
            {"frozen": "", **run(start, inputs, targets, 1.0, names)},
            {"frozen": "hidden", **run(start, inputs, targets, 0.5, ["head.weight", "head.bias"])},
        ],
    }
