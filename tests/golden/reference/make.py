"""Makes the JSON files beside this one, by torch and torchvision in float64.

    python make.py ARCH...

Weights and images are pseudo-random numbers that Rust can repeat (see `uniform`), so no weight file
travels. The same training in float32 must give nearly the same losses: where it does not, rounding
alone decides the numbers; they would be no reference, and are left out.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
import torchvision
from torch import nn

CLASSES, SAMPLES, STEPS = 10, 4, 4
SGD = {"momentum": 0.9, "weight_decay": 1e-4}
# Where 1e-4 is so much that rounding decides.
RATES = {"mobilenet_v2": 1e-5, "efficientnet_lite0": 1e-5, "inception_v3": 1e-5, "resnet50": 1e-6}
SIZES = {"inception_v3": 107, "resnet50": 96, "alexnet": 63, "vgg11_bn": 32}


def uniform(t, count):
    """`count` numbers in [-1, 1): murmur3's finalizer over (t, i). Tensors count from 1, images are 0."""
    x = np.arange(count, dtype=np.uint32) + np.uint32((t * 0x9E3779B9) % 2**32)
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    x ^= x >> np.uint32(16)
    return torch.from_numpy(x.astype(np.float64) / 2**31 - 1)


def fill(net):
    state, t = net.state_dict(), 0
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        t += 1
        layer, kind = name.rsplit(".", 1)
        u = uniform(t, tensor.numel())
        if isinstance(net.get_submodule(layer), nn.BatchNorm2d):
            base, factor = {"weight": (1, 0.1), "running_var": (1, 0.2)}.get(kind, (0, 0.1))
            u = base + factor * u
        else:
            u = u * (math.sqrt(6 / tensor[0].numel()) if kind == "weight" else 0.1)
        state[name] = u.reshape(tensor.shape).float()
    net.load_state_dict(state)


def build(arch, dtype):
    options = {"aux_logits": False, "transform_input": False, "init_weights": False} if "inception" in arch else {}
    if arch == "efficientnet_lite0":
        from efficientnet_lite_pytorch import EfficientNet

        net = EfficientNet.from_name("efficientnet-lite0", num_classes=CLASSES)
    else:
        net = getattr(torchvision.models, arch)(num_classes=CLASSES, **options)
    fill(net)
    return net.to(dtype)


def train_mode(net, frozen):
    """Batch norm by the batch, nothing at random."""
    net.train()
    for module in net.modules():
        if isinstance(module, (nn.Dropout, torchvision.ops.StochasticDepth)):
            module.eval()
        if hasattr(module, "_global_params"):
            module._global_params = module._global_params._replace(drop_connect_rate=0.0)
    for module in frozen:
        module.eval()


def logits(net, images):
    net.eval()
    with torch.no_grad():
        return net(images).tolist()


def train(arch, images, labels, top):
    net = build(arch, images.dtype)
    frozen = [net.bn1, net.layer1, net.layer2, net.layer3] if top else []
    for name, parameter in net.named_parameters():
        parameter.requires_grad = not top or name.startswith(("layer4.", "fc."))
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=RATES.get(arch, 1e-4), **SGD)
    losses = []
    for _ in range(STEPS):
        train_mode(net, frozen)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return {"losses": losses, "eval_logits_after": logits(net, images)}


def reference(arch):
    size = SIZES.get(arch, 64)
    images = uniform(0, SAMPLES * 3 * size * size).reshape(SAMPLES, 3, size, size).float()
    labels = torch.arange(SAMPLES) % CLASSES
    file = {
        "arch": arch,
        "made_with": f"torch {torch.__version__}, torchvision {torchvision.__version__}, float64",
        "values": "uniform",
        "num_classes": CLASSES,
        "input": list(images.shape),
        "eval_logits": logits(build(arch, torch.float64), images.double()),
        "labels": labels.tolist(),
        "lr": RATES.get(arch, 1e-4),
    }
    for key, top in [("train_all", False), ("train_layer4_fc", True)]:
        if top and not arch.startswith("resnet"):
            continue
        exact, rounded = (train(arch, images.to(dtype), labels, top) for dtype in (torch.float64, torch.float32))
        spread = max(abs(a - b) / a for a, b in zip(exact["losses"], rounded["losses"]))
        print(arch, key, exact["losses"], f"float32 is off by {spread:.1e}", flush=True)
        if spread < 3e-3:
            file[key] = exact
        else:
            print("rounding decides this training: it is left out", flush=True)
    path = pathlib.Path(__file__).parent / f"{arch}.json"
    path.write_text(json.dumps(file, indent=1) + "\n")


for name in sys.argv[1:]:
    reference(name)
