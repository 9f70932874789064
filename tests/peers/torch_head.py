"""torch's side of `head`: a plain loop, or a loop over features that were computed once.

    python torch_head.py DATA BACKBONE plain|features EPOCHS SIZE BATCH [WEIGHTS]
"""

import json
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms

from nets import BACKBONES, load, normalization


def main(data, name, way, epochs, size, batch, weights=""):
    epochs, size, batch = int(epochs), int(size), int(batch)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    make, channels = BACKBONES[name]
    backbone = make()
    if weights:
        load(backbone, weights)
    backbone = backbone.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    prepare = transforms.Compose([
        transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor(),
        transforms.Normalize(*normalization(name)),
    ])  # fmt: skip
    parts = {part: datasets.ImageFolder(f"{data}/{part}", prepare) for part in ("train", "val", "test")}
    pooled = nn.Sequential(backbone, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Linear(channels, len(parts["train"].classes))
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.01)

    started = time.perf_counter()

    def loader(part, **more):
        return DataLoader(parts[part], batch, shuffle=part == "train", num_workers=2, persistent_workers=True, **more)

    loaders = {part: loader(part) for part in ("train", "val")}

    def features(x):
        with torch.no_grad():
            return pooled(x.to(memory_format=torch.channels_last))

    if way == "features":
        kept = {}
        for part in loaders:
            whole = [(features(x), y) for x, y in loaders[part]]
            kept[part] = TensorDataset(torch.cat([x for x, _ in whole]), torch.cat([y for _, y in whole]))
        loaders = {part: DataLoader(kept[part], batch, shuffle=part == "train") for part in kept}
        features = lambda x: x  # noqa: E731
    for _ in range(epochs):
        for x, y in loaders["train"]:
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(head(features(x)), y)
            loss.backward()
            optimizer.step()
            loss.item()
        correct = count = 0
        with torch.no_grad():
            for x, y in loaders["val"]:
                correct += int((head(features(x)).argmax(1) == y).sum())
                count += len(y)
    print(json.dumps({"seconds": time.perf_counter() - started, "accuracy": correct / count}))


main(*sys.argv[1:])
