"""LAMB and LARS as formulas, one tensor at a time, in the precision of the parameters. Used by make_goldens.py."""
import torch


class Layerwise(torch.optim.Optimizer):
    """Groups of one parameter each, with "lr", "weight_decay" and "adapts": whether the tensor has a trust ratio."""

    def __init__(self, groups, lr):
        super().__init__(groups, {"lr": lr})
        self.updates = 0

    @torch.no_grad()
    def step(self):
        self.updates += 1
        for group in self.param_groups:
            x, = group["params"]
            x -= group["lr"] * self.direction(x, x.grad, group, self.state[x])


class LAMB(Layerwise):
    def __init__(self, groups, lr, betas, epsilon, bounds):
        super().__init__(groups, lr)
        self.betas, self.epsilon, self.bounds = betas, epsilon, bounds

    def direction(self, x, g, group, state):
        beta1, beta2 = self.betas
        state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
        state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g ** 2
        m = state["m"] / (1 - beta1 ** self.updates)
        v = state["v"] / (1 - beta2 ** self.updates)
        u = m / (v.sqrt() + self.epsilon) + group["weight_decay"] * x
        if not group["adapts"] or x.norm() == 0 or u.norm() == 0:
            return u
        ratio = x.norm() / u.norm()
        return (ratio.clamp(*self.bounds) if self.bounds else ratio) * u


class LARS(Layerwise):
    def __init__(self, groups, lr, coefficient, momentum, epsilon):
        super().__init__(groups, lr)
        self.coefficient, self.momentum, self.epsilon = coefficient, momentum, epsilon

    def direction(self, x, g, group, state):
        decay = group["weight_decay"]
        quotient = 1.0
        if group["adapts"] and x.norm() > 0 and g.norm() > 0:
            quotient = x.norm() / (g.norm() + decay * x.norm() + self.epsilon)
        state["b"] = self.momentum * state.get("b", 0) + self.coefficient * quotient * (g + decay * x)
        return state["b"]
