"""`head`: ten epochs of a head on a frozen backbone."""

import json
import tempfile
from pathlib import Path

import images
from runs import LITE0, backbone, seconds_of_epochs, trained
from sides import Ratio, built, mebibytes, python, run, table

EPOCHS, IMAGES, SIZE, BATCH = 10, 800, 96, 32
BACKBONES = ("resnet18", "efficientnet_lite0")
# torch by a plain loop, and by features that are computed once, by hand.
WAYS = ("plain", "features")


def spec(data, name):
    return (
        f"name: head\ndevice: cpu\n"
        f"data: {{ source: {{ folder: {json.dumps(str(data))} }}, image: {{ size: {SIZE} }}, "
        f"batch: {BATCH}, workers: 2 }}\n"
        f"{backbone(name)}"
        "head: [global_avg_pool, linear: { out: classes }]\n"
        "schedule: { optimizer: { adamw: {} }, "
        f"phases: [{{ name: head, epochs: {EPOCHS}, train: [head], lr: 1e-3 }}] }}\n"
    )


def compare(data, rounds):
    program = built("runner")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepared = images.split(data, folder / "images", IMAGES, SIZE)
        for name in BACKBONES:
            ours, whole, theirs, peaks = [], [], {way: [] for way in WAYS}, {}
            for number in range(rounds):
                done, events = trained(program, folder / f"{name}{number}", spec(prepared, name))
                ours.append(sum(seconds_of_epochs(events)))
                whole.append(done.seconds)
                peaks["runner"] = done.peak
                for way in WAYS:
                    weights = LITE0 if name == "efficientnet_lite0" else ""
                    done = run(*python("torch_head.py", prepared, name, way, EPOCHS, SIZE, BATCH, weights))
                    theirs[way].append(json.loads(done.output.splitlines()[-1])["seconds"])
                    peaks[way] = done.peak
            for way in WAYS:
                rows.append([
                    name, way, Ratio(ours, theirs[way]), Ratio(whole, theirs[way]),
                    *(f"{sorted(of)[len(of) // 2]:.1f}" for of in (ours, whole, theirs[way])),
                    mebibytes(peaks["runner"]), mebibytes(peaks[way]),
                ])  # fmt: skip
    print(
        f"head: {EPOCHS} epochs on a frozen backbone, {IMAGES} images of {SIZE} px (70 % train), median of {rounds} "
        "rounds (least to most)\n"
    )
    head = ["net", "torch's way", "epochs / torch's", "whole run / torch's epochs"]
    table([*head, "runner s", "whole run s", "torch s", "runner peak", "torch peak"], rows)
