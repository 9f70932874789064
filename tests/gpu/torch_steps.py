"""Training steps of torch on the GPU: torch_steps.py NET BATCH SIZE MODE PRECISION LAYOUT

MODE is `step` (all trains), `head`, or `last` (the head and the last stage); what is frozen runs in evaluation and without
gradients. A batch comes from the host's memory, as runner's does, and the next one travels while this one trains: from pinned
memory, where a DataLoader with `pin_memory` would have put it, on a stream of its own. Prints the median milliseconds of a
step.
"""

import json
import sys
import time

import torch
import torchvision


def build(name, mode):
    net = getattr(torchvision.models, name)(num_classes=10)
    trained = {"step": None, "last": ("layer4", "fc"), "head": ("fc",)}[mode]
    parts = dict(net.named_children())
    frozen = [] if trained is None else [part for key, part in parts.items() if key not in trained and key != "avgpool"]
    for part in frozen:
        part.eval().requires_grad_(False)
    return net, [(key, part, part in frozen) for key, part in parts.items()]


def forward(parts, x):
    for key, part, frozen in parts:
        x = torch.flatten(x, 1) if key == "fc" else x
        with torch.set_grad_enabled(not frozen):
            x = part(x)
    return x


def main(name, batch, size, mode, precision, layout):
    batch, size = int(batch), int(size)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    net, parts = build(name, mode)
    net = net.cuda().to(memory_format=form)
    images = torch.randn(batch, 3, size, size).to(memory_format=form).pin_memory()
    labels = (torch.arange(batch) % 10).pin_memory()
    copies = torch.cuda.Stream()

    def send():
        with torch.cuda.stream(copies):
            return images.to("cuda", non_blocking=True), labels.to("cuda", non_blocking=True)

    ahead = send()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-3, momentum=0.9)

    def step():
        nonlocal ahead
        here = torch.cuda.current_stream()
        here.wait_stream(copies)
        x, y = ahead
        # Their memory is the copies' stream's: it goes back once this one is done with it.
        x.record_stream(here)
        y.record_stream(here)
        ahead = send()
        loss = torch.nn.functional.cross_entropy(forward(parts, x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        # The loss is looked at after each step, as a run does.
        return loss.item()

    for _ in range(5):
        step()
    times = []
    for _ in range(7):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(10):
            step()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - begun) * 100)
    print(json.dumps({"ms": sorted(times)[3], "card": torch.cuda.get_device_name()}))


main(*sys.argv[1:])
