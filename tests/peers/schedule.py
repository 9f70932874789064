"""`schedule`: the gradual unfreezing of pipelines/medical.yaml, also under Lightning with finetuning-scheduler."""

import json
import statistics
import tempfile
from pathlib import Path

import images
from runs import LITE0, trained
from sides import ROOT, Ratio, built, mebibytes, python, run, table

SIZE = 96

# As the file has it: what the frozen part makes of four draws of each image is kept. And as it is without that line.
CACHES = {"runner": None, "runner, each epoch drawn anew": "cache: { views: exact }"}
# As Lightning does it, frozen batch norm normalizes by the batch; and as runner does it, by its running statistics.
NORMS = {"Lightning": "batch", "Lightning, frozen batch norm": "frozen"}


def spec(data, seed, cache):
    """The pipeline as it is, on these images, with this seed, to the end of all phases."""
    text = (ROOT / "pipelines" / "medical.yaml").read_text()
    left_out = ("fallback:", "split:", "early_stopping:")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith(left_out))
    if cache:
        text = "\n".join(cache if line.startswith("cache:") else line for line in text.splitlines())
    text = text.replace("source: { dataset: blood_cells }", f"source: {{ folder: {json.dumps(str(data))} }}")
    text = text.replace("assets/efficientnet_lite0.safetensors", str(LITE0)).replace("device: auto", "device: cpu")
    return text.replace("seed: 7", f"seed: {seed}")


def compare(data, seeds):
    program = built("runner")
    found = {side: [] for side in (*CACHES, *NORMS)}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepared = images.split(data, folder / "images", len(images.found(data)), SIZE)
        for seed in range(1, seeds + 1):
            for side, cache in CACHES.items():
                done, events = trained(program, folder / f"{side} {seed}", spec(prepared, seed, cache))
                end = events[-1]
                found[side].append((end["seconds"], end["test"]["accuracy"], done.peak))
            for side, norm in NORMS.items():
                done = run(*python("torch_schedule.py", prepared, LITE0, seed, folder / f"{side} {seed}", norm))
                end = json.loads(done.output.splitlines()[-1])
                found[side].append((end["seconds"], end["accuracy"], done.peak))
            print(f"seed {seed}: " + ", ".join(f"{side} {of[-1][0]:.1f} s" for side, of in found.items()), flush=True)
    print(f"\nschedule: pipelines/medical.yaml, {seeds} seeds\n")
    seconds = {side: [took for took, _, _ in of] for side, of in found.items()}
    rows = []
    for side, of in found.items():
        accuracies = [accuracy for _, accuracy, _ in of]
        spread = statistics.stdev(accuracies) if seeds > 1 else 0
        accuracy = f"{statistics.mean(accuracies):.3f} ± {spread:.3f}"
        taken = f"{statistics.median(seconds[side]):.1f}"
        rows.append([side, Ratio(seconds[side], seconds["Lightning"]), taken, accuracy, mebibytes(of[-1][2])])
    table(["", "over Lightning, seconds", "s", "accuracy", "peak"], rows)
