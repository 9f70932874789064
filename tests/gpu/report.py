"""What `check` compares: runs, and training steps with torch's.

report.py medical RUN OTHER      the same training, on two devices
report.py same RUN OTHER         the same run, to the last bit
report.py speed STEPS            a table of steps, beside torch where it is there
"""

import json
import subprocess
import sys
from pathlib import Path

# Of a step's time, beside torch's: more is a miss.
MOST = 1.5


def events(run, kind):
    lines = (json.loads(line) for line in open(f"{run}/events.jsonl"))
    return [line for line in lines if line["event"] == kind]


def medical(run, other):
    """Losses begin alike, and the test comes out alike."""
    started, other_started = events(run, "run_started")[0], events(other, "run_started")[0]
    first = [events(one, "epoch_finished")[0]["train_loss"] for one in (run, other)]
    scores = [json.load(open(f"{one}/metrics.json"))["test"]["accuracy"] for one in (run, other)]
    seconds = [sum(epoch["seconds"] for epoch in events(one, "epoch_finished")) for one in (run, other)]
    memory = max((end["device_memory"] for end in events(run, "phase_finished")), key=lambda one: one["peak"])
    said = (
        f"first loss {first[0]:.4f} and {first[1]:.4f}, test {scores[0]:.3f} and {scores[1]:.3f}, epochs "
        f"{seconds[0]:.1f} s on {started['device']} and {seconds[1]:.1f} s on {other_started['device']}; memory "
        f"{memory['peak'] >> 20} MiB, {memory['estimate'] >> 20} planned"
    )
    alike = abs(first[0] / first[1] - 1) < 0.02 and abs(scores[0] - scores[1]) < 0.05
    print(said if alike else f"MISS: {said}")
    return alike


def same(run, other):
    """The second was stopped and went on; losses, weights and scores are equal to the last bit."""
    losses = [[epoch["train_loss"] for epoch in events(one, "epoch_finished")] for one in (run, other)]
    files = ["checkpoints/last.safetensors", "checkpoints/best.safetensors", "metrics.json", "predictions.csv"]
    unequal = [file for file in files if weights(Path(run, file)) != weights(Path(other, file))]
    if losses[0] != losses[1]:
        unequal.append(f"losses {losses[0]} and {losses[1]}")
    resumed = [event["step"] for event in events(other, "run_resumed")]
    if not resumed:
        unequal.append("it was not stopped before its end")
    print(f"MISS: {', '.join(unequal)}" if unequal else f"went on after step {resumed[0]}; losses, weights, predictions are equal")
    return not unequal


def weights(path):
    """The values alone: what is written about them names the run."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :] if path.suffix == ".safetensors" else content


def ours(steps, net, mode, precision):
    answer = subprocess.run(
        [steps, net, "64", "224", mode, "5", "cuda", precision], input="10\n" * 7, capture_output=True, text=True
    )
    seconds = [json.loads(line)["seconds"] for line in answer.stdout.splitlines()[1:]]
    if len(seconds) != 7:
        raise SystemExit(f"error: steps {net} {mode} {precision}: {answer.stderr}")
    return sorted(seconds)[3] * 100


def torchs(net, mode, precision):
    """Milliseconds of the faster layout, and that layout; none without torch."""
    best = None
    for layout in ("channels_last", "nchw"):
        command = [sys.executable, str(Path(__file__).with_name("torch_steps.py")), net, "64", "224", mode, precision, layout]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            return None
        found = (json.loads(answer.stdout)["ms"], layout)
        best = min(best or found, found)
    return best


def speed(steps):
    """Steps over batches of 64 images of 224 pixels, that come from the host's memory."""
    print("| net | trains | precision | runner ms | torch ms | torch's layout | runner / torch |")
    print("|---|---|---|---|---|---|---|")
    worst = 0.0
    for net, mode, precision in [
        ("resnet18", "step", "tf32"),
        ("resnet18", "step", "f32"),
        ("resnet50", "step", "tf32"),
        ("resnet50", "step", "f32"),
        ("resnet50", "last", "tf32"),
        ("resnet50", "head", "tf32"),
    ]:
        own, peer = ours(steps, net, mode, precision), torchs(net, mode, precision)
        told = f"{peer[0]:.1f} | {peer[1]} | {own / peer[0]:.2f}" if peer else "- | - | -"
        worst = max(worst, own / peer[0] if peer else 0.0)
        what = {"step": "all", "last": "head and layer4", "head": "head"}[mode]
        print(f"| {net} | {what} | {precision} | {own:.1f} | {told} |", flush=True)
    print(f"{'MISS: ' if worst > MOST else ''}at most {worst:.2f} times torch's time" if worst else "no torch to compare with")
    return worst <= MOST


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    sys.exit(0 if {"medical": medical, "same": same, "speed": speed}[what](*arguments) else 1)
