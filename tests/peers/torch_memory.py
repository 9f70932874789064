"""torch's side of `memory`: two epochs, images read by the process itself.

    python torch_memory.py DATA BACKBONE all|head nchw|channels_last SIZE BATCH
"""

import os
import sys

import torch
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from nets import net


def main(data, name, what, layout, size, batch):
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    layout = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    prepare = transforms.Compose([transforms.Resize(int(size)), transforms.CenterCrop(int(size)), transforms.ToTensor()])
    train = datasets.ImageFolder(f"{data}/train", prepare)
    model = net(name, len(train.classes)).to(memory_format=layout)
    if what == "head":
        model[0].requires_grad_(False).eval()
    trains = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trains, lr=1e-3, momentum=0.9)
    for _ in range(2):
        for x, y in DataLoader(train, int(batch), shuffle=True):
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(model(x.to(memory_format=layout)), y)
            loss.backward()
            optimizer.step()


if sys.argv[1] != "import":
    main(*sys.argv[1:])
