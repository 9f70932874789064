"""torch's side of `step` and `forward`, which answers as runner/benches/steps.rs does.

    python torch_steps.py BACKBONE BATCH SIZE step|forward nchw|channels_last [WARM_UP]
"""

import json
import os
import sys
import time

import torch
from torch.nn import functional

from nets import net

CLASSES = 10


def main(backbone, batch, size, mode, layout, warm_up="2"):
    batch, size = int(batch), int(size)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    model, images = net(backbone, CLASSES), torch.randn(batch, 3, size, size)
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        logits = model(images)
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        # What a training loop reports.
        return loss.item(), int((logits.argmax(1) == labels).sum())

    def forward():
        with torch.inference_mode():
            return model(images)

    model.train(mode == "step")
    once = {"step": step, "forward": forward}[mode]
    for _ in range(int(warm_up)):
        once()
    print(json.dumps({"values": sum(p.numel() for p in model.parameters())}), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            once()
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


main(*sys.argv[1:])
