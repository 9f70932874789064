"""What `check` compares: runs, and training steps with torch's.

report.py medical RUN OTHER      the same training, on two devices
report.py same RUN OTHER         the same run, to the last bit
report.py plugin FOLDER          runs, plans and logs of a net with a plugin's layer
report.py speed STEPS            a table of steps, beside torch where it is there
"""

import json
import struct
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


def plugin(folder):
    """On the GPU's memory nothing is copied, two runs are equal to the last bit, and the others come out alike."""
    folder, wrong = Path(folder), []
    plans = {name: (folder / f"{name}.plan").read_text() for name in ("in_place", "on_host")}
    if "takes tensors on the GPU: swish" not in plans["in_place"] or "run on the host" in plans["in_place"]:
        wrong.append("the plan counts copies")
    if "layers of plugins run on the host (layers.2, layers.5)" not in plans["on_host"]:
        wrong.append("the plan counts no copies under guard")
    given = "layer `swish` of plugin `swish` is given tensors of GPU 0"
    for run, there in (("in_place", True), ("on_host", False), ("on_cpu", False)):
        if (given in (folder / f"{run}.log").read_text()) != there:
            wrong.append(f"the log of {run} {'lacks' if there else 'has'}: {given}")
    losses, slopes = {}, {}
    for run in ("in_place", "in_place_again", "on_host", "on_cpu"):
        losses[run] = [epoch["train_loss"] for epoch in events(folder / run, "epoch_finished")]
        slopes[run] = floats(folder / run / "checkpoints/last.safetensors", ("layers.2.beta", "layers.5.beta"))
    first = weights(folder / "in_place/checkpoints/last.safetensors")
    if first != weights(folder / "in_place_again/checkpoints/last.safetensors") or losses["in_place"] != losses["in_place_again"]:
        wrong.append("two runs on the GPU are not equal")
    # The slopes begin at 0.5 and 1.
    own = slopes["in_place"]
    moved = [max(abs(value - begun) for value in values) for values, begun in zip(own, (0.5, 1.0))]
    if min(moved) < 1e-3:
        wrong.append(f"slopes do not learn: {moved}")
    for run in ("on_host", "on_cpu"):
        apart = max(abs(a / b - 1) for a, b in zip(losses["in_place"], losses[run]))
        of_slopes = max(abs(a - b) for ours, others in zip(own, slopes[run]) for a, b in zip(ours, others))
        if apart > 1e-5 or of_slopes > 1e-5:
            wrong.append(f"beside {run} losses are {apart:.1e} apart, slopes {of_slopes:.1e}")
        print(f"beside {run}: losses {apart:.1e} apart, slopes {of_slopes:.1e} after they moved by {min(moved):.1e} and more")
    told = ", ".join(f"{loss:.4f}" for loss in losses["in_place"])
    print(f"MISS: {'; '.join(wrong)}" if wrong else f"no copies in plan and log; twice the same bits; losses {told}, as on host and CPU")
    return not wrong


def floats(path, names):
    """The values of tensors of a checkpoint."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    def values(name):
        if header[name]["dtype"] != "F32":
            raise SystemExit(f"error: {name} is of {header[name]['dtype']}")
        start, end = header[name]["data_offsets"]
        return [value for (value,) in struct.iter_unpack("<f", content[begin + start : begin + end])]
    return [values(name) for name in names]


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
    sys.exit(0 if {"medical": medical, "same": same, "plugin": plugin, "speed": speed}[what](*arguments) else 1)
