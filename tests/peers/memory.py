"""`memory`: the most memory that a whole process has, image loading and all."""

import json
import tempfile
from pathlib import Path

import images
from runs import backbone, trained
from sides import built, mebibytes, python, run, table

IMAGES, SIZE, BATCH, NAME = 96, 224, 16, "resnet18"
WHAT = ("all", "head")


def spec(data, what, more=""):
    train = {"all": "['*']", "head": "[head]"}[what]
    return (
        f"name: memory\ndevice: cpu\n"
        f"data: {{ source: {{ folder: {json.dumps(str(data))} }}, image: {{ size: {SIZE} }}, "
        f"batch: {BATCH}, workers: 2{more} }}\n"
        f"{backbone(NAME)}"
        "head: [global_avg_pool, linear: { out: classes }]\n"
        "schedule: { optimizer: { sgd: { momentum: 0.9 } }, "
        f"phases: [{{ name: a, epochs: 2, train: {train}, lr: 1e-3 }}] }}\n"
    )


def compare(rounds):
    program = built("runner")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        raw = images.generated(folder / "raw", IMAGES, SIZE)
        data = images.split(raw, folder / "images", IMAGES, SIZE)
        for what in WHAT:
            peaks = {"runner": [], "without cache": [], "torch": [], "torch, channels_last": []}
            for number in range(rounds):
                for side, more in (("runner", ""), ("without cache", ", cache: off")):
                    done, _ = trained(program, folder / f"{what}{side}{number}", spec(data, what, more))
                    peaks[side].append(done.peak)
                for side, layout in (("torch", "nchw"), ("torch, channels_last", "channels_last")):
                    done = run(*python("torch_memory.py", data, NAME, what, layout, SIZE, BATCH))
                    peaks[side].append(done.peak)
            medians = {side: sorted(of)[len(of) // 2] for side, of in peaks.items()}
            least = min(medians["torch"], medians["torch, channels_last"])
            rows.append([what, f"{medians['runner'] / least:.2f}", *(mebibytes(median) for median in medians.values())])
        imported = run(*python("torch_memory.py", "import")).peak
    print(
        f"memory: peak of whole processes, {NAME}, batch {BATCH}, {SIZE} px, two epochs; torch alone takes "
        f"{mebibytes(imported)} once imported\n"
    )
    table(["trains", "runner / torch", "runner", "runner, no cache", "torch", "torch, channels_last"], rows)
