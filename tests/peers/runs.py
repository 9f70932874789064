"""Runs of the runner binary: a spec in, what it took out."""

import json
from pathlib import Path

from sides import run

WEIGHTS = Path(__file__).resolve().parent.parent.parent / "pipelines" / "assets"
# What efficientnet_lite0 begins with on both sides; the other nets begin with random weights.
LITE0 = WEIGHTS / "efficientnet_lite0.safetensors"


def backbone(name):
    """The part of a spec that is about the net."""
    if name != "efficientnet_lite0":
        return f"backbone: {{ arch: {name} }}\n"
    return f"backbone: {{ arch: {name}, weights: {json.dumps(str(LITE0))}, allow: {{ unexpected: ['_fc.*'] }} }}\n"


def trained(program, folder, spec):
    """Trains as a spec says, in a folder; gives the process, and the run's events by name."""
    folder.mkdir(parents=True)
    file = folder / "spec.yaml"
    file.write_text(spec)
    done = run(program, "run", file, "--run-dir", folder / "run", "--no-watch")
    events = [json.loads(line) for line in (folder / "run" / "events.jsonl").read_text().splitlines()]
    return done, events


def seconds_of_epochs(events):
    return [event["seconds"] for event in events if event["event"] == "epoch_finished"]
