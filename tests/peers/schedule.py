"""`schedule`: the gradual unfreezing of pipelines/medical.yaml, also under Lightning with finetuning-scheduler."""

import json
import statistics
import tempfile
from pathlib import Path

import images
from runs import LITE0, trained
from sides import ROOT, Ratio, built, mebibytes, python, run, table

SIZE = 96


def spec(data, seed):
    """The pipeline as it is, on these images, with this seed, to the end of all phases."""
    text = (ROOT / "pipelines" / "medical.yaml").read_text()
    left_out = ("fallback:", "split:", "early_stopping:")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith(left_out))
    text = text.replace("source: { dataset: blood_cells }", f"source: {{ folder: {json.dumps(str(data))} }}")
    text = text.replace("assets/efficientnet_lite0.safetensors", str(LITE0)).replace("device: auto", "device: cpu")
    return text.replace("seed: 7", f"seed: {seed}")


def compare(data, seeds):
    program = built("runner")
    ours, theirs, accuracies, peaks = [], [], ([], []), {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepared = images.split(data, folder / "images", len(images.found(data)), SIZE)
        for seed in range(1, seeds + 1):
            done, events = trained(program, folder / str(seed), spec(prepared, seed))
            end = events[-1]
            ours.append(end["seconds"])
            accuracies[0].append(end["test"]["accuracy"])
            peaks["runner"] = done.peak
            done = run(*python("torch_schedule.py", prepared, LITE0, seed, folder / f"lightning{seed}"))
            found = json.loads(done.output.splitlines()[-1])
            theirs.append(found["seconds"])
            accuracies[1].append(found["accuracy"])
            peaks["torch"] = done.peak
            print(f"seed {seed}: {ours[-1]:.1f} s and {theirs[-1]:.1f} s", flush=True)
    told = [f"{statistics.mean(of):.3f} ± {statistics.stdev(of) if len(of) > 1 else 0:.3f}" for of in accuracies]
    print(f"\nschedule: pipelines/medical.yaml, {seeds} seeds\n")
    medians = [f"{statistics.median(of):.1f}" for of in (ours, theirs)]
    of_sides = [f"{side} {what}" for what in ("s", "accuracy", "peak") for side in ("runner", "Lightning")]
    table(
        ["runner / Lightning, seconds", *of_sides],
        [[Ratio(ours, theirs), *medians, *told, *(mebibytes(peaks[side]) for side in ("runner", "torch"))]],
    )
