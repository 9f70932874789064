"""What torch's optimizers and schedulers do to a small net in 50 steps: numbers for the tests.

    python tests/peers/optimizers.py > tests/golden/optimizers.json

Needs torch 2 (the CPU is enough) and no network. The net is `sigmoid(x W1 + b1) W2 + b2` with mean cross-entropy over a
fixed batch, in float64, from weights that a formula gives; the test in Rust makes the same ones.
"""

import json
import math

import torch
from torch.optim import SGD, AdamW
from torch.optim import lr_scheduler as lrs

STEPS = 50
SAMPLES, INPUTS, HIDDEN, CLASSES = 12, 5, 7, 3


def values(count, seed):
    """sin(1.7 i + seed) / 2: the same in any language."""
    return torch.tensor([0.5 * math.sin(1.7 * i + seed) for i in range(count)], dtype=torch.float64)


def net():
    """Weights in the order in which the Rust test keeps them: (in, out) row by row, then the bias."""
    shapes = [(INPUTS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
    return [values(math.prod(s), seed).reshape(s).clone().requires_grad_() for seed, s in enumerate(shapes)]


def loss(params):
    w1, b1, w2, b2 = params
    x = values(SAMPLES * INPUTS, 10).reshape(SAMPLES, INPUTS)
    labels = torch.tensor([i % CLASSES for i in range(SAMPLES)])
    return torch.nn.functional.cross_entropy(torch.sigmoid(x @ w1 + b1) @ w2 + b2, labels)


def train(optimizer, scheduler=None, metrics=None):
    params = net()
    optimizer = optimizer(params)
    scheduler = scheduler(optimizer) if scheduler else None
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        loss(params).backward()
        optimizer.step()
        if metrics is not None:
            scheduler.step(metrics[step])
        elif scheduler:
            scheduler.step()
    return {
        "lr": [float(f"{rate:.12g}") for rate in rates],
        "params": [[float(f"{v:.9g}") for v in p.detach().flatten().tolist()] for p in params],
    }


def sgd(**settings):
    return lambda params: SGD(params, lr=0.1, **settings)


def adamw(**settings):
    return lambda params: AdamW(params, lr=0.01, **settings)


# The YAML of ours beside what torch is asked for.
OPTIMIZERS = [
    ("sgd: { momentum: 0 }", sgd()),
    ("sgd: { momentum: 0.9 }", sgd(momentum=0.9)),
    ("sgd: { momentum: 0.9, nesterov: true }", sgd(momentum=0.9, nesterov=True)),
    ("sgd: { momentum: 0.9, weight_decay: 0.05, decay_norm_and_bias: true }", sgd(momentum=0.9, weight_decay=0.05)),
    ("adamw: { weight_decay: 0 }", adamw(weight_decay=0)),
    ("adamw: { weight_decay: 0.1, decay_norm_and_bias: true }", adamw(weight_decay=0.1)),
    (
        "adamw: { betas: [0.8, 0.95], eps: 1e-4, decay_norm_and_bias: true }",
        adamw(betas=(0.8, 0.95), eps=1e-4, weight_decay=0.01),
    ),
]

MOMENTUM = "sgd: { momentum: 0.9 }"
BASE = sgd(momentum=0.9)


def warmed(optimizer):
    warm = lrs.LinearLR(optimizer, start_factor=0.1, total_iters=10)
    rest = lrs.CosineAnnealingLR(optimizer, T_max=STEPS - 10, eta_min=0.1 * 0.01)
    return lrs.SequentialLR(optimizer, [warm, rest], milestones=[10])


# An epoch is a step here.
SCHEDULERS = [
    ("constant", None, lambda o: lrs.ConstantLR(o, factor=1.0)),
    ("step: { every: 15, factor: 0.3 }", None, lambda o: lrs.StepLR(o, step_size=15, gamma=0.3)),
    ("cosine: { min: 0.01 }", None, lambda o: lrs.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.1 * 0.01)),
    ("cosine: { restarts: 1 }", None, lambda o: lrs.CosineAnnealingWarmRestarts(o, T_0=STEPS // 2)),
    ("one_cycle", None, lambda o: lrs.OneCycleLR(o, max_lr=0.1, total_steps=STEPS, cycle_momentum=False)),
    (
        "one_cycle: { rise: 0.6, start: 0.1, end: 0.001 }",
        None,
        lambda o: lrs.OneCycleLR(
            o, 0.1, total_steps=STEPS, pct_start=0.6, div_factor=10, final_div_factor=100, cycle_momentum=False
        ),
    ),
    ("exponential: { factor: 0.93 }", None, lambda o: lrs.ExponentialLR(o, gamma=0.93)),
    ("polynomial: { power: 2 }", None, lambda o: lrs.PolynomialLR(o, total_iters=STEPS, power=2)),
    ("polynomial: { end: 0.2 }", None, lambda o: lrs.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=STEPS)),
    ("cosine: { min: 0.01 }", "{ steps: 10, from: 0.1 }", warmed),
]

# Falls, then stays, falls, rises: several plateaus.
METRICS = [1 / (1 + min(i, 12)) + (0.05 if i > 30 else 0.0) - (0.06 if 18 <= i <= 20 else 0.0) for i in range(STEPS)]


def plateau(optimizer):
    # torch waits one epoch more than its patience.
    return lrs.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=4 - 1, threshold=0, threshold_mode="abs", min_lr=0.1 * 0.05, eps=0
    )


def main():
    cases = [{"optimizer": yaml, **train(make)} for yaml, make in OPTIMIZERS]
    for yaml, warm_up, make in SCHEDULERS:
        cases.append({"optimizer": MOMENTUM, "scheduler": yaml, "warm_up": warm_up, **train(BASE, make)})
    yaml = "reduce_on_plateau: { factor: 0.5, patience: 4, min: 0.05 }"
    cases.append({"optimizer": MOMENTUM, "scheduler": yaml, "metrics": METRICS, **train(BASE, plateau, METRICS)})
    print(f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [')
    print(",\n".join(json.dumps(case) for case in cases))
    print("]}")


main()
