"""torchvision's side of `loader`, which answers as runner/benches/loading.rs does.

    python torch_loader.py DIR SIZE WORKERS decode|evaluate|train
"""

import json
import sys
import time

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

BATCH = 32
NORMALIZE = transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Decoded(Dataset):
    """Decodes images and forgets them."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, place):
        datasets.folder.default_loader(self.samples[place][0])
        return 0


def main(folder, size, workers, mode):
    size = int(size)
    # Workers compute in one thread each, as is torch's default.
    ways = {
        "decode": [],
        "evaluate": [transforms.Resize(size), transforms.CenterCrop(size)],
        "train": [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()],
    }
    images = datasets.ImageFolder(folder, transforms.Compose([*ways[mode], transforms.ToTensor(), NORMALIZE]))
    if mode == "decode":
        images = Decoded(images.samples)
    torch.set_num_threads(1)
    loader = DataLoader(images, BATCH, shuffle=mode == "train", num_workers=int(workers), persistent_workers=True)
    print(json.dumps({"images": len(images)}), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            for _ in loader:
                pass
        print(json.dumps({"seconds": time.perf_counter() - started, "images": int(line) * len(images)}), flush=True)


main(*sys.argv[1:])
