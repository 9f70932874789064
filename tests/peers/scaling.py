"""`scaling`: how an epoch's time grows with images, pixels, classes and threads; runner alone, drawn as an SVG."""

import os
import statistics
import tempfile
from math import log
from pathlib import Path

import images
from runs import backbone, seconds_of_epochs, trained
from sides import ENVIRONMENT, Ratio, Side, built, table

# What the rest stays at while one thing grows.
BASE = {"images": 64, "size": 64, "classes": 4, "threads": 2}
GROWS = {"images": (64, 256, 1024), "size": (32, 64, 128), "classes": (2, 8, 32), "threads": (1, 2)}
NAME, EPOCHS = "resnet18", 3
# An epoch of few steps is bound by what is written after it, which no thread shortens.
BESIDES = {"threads": {"images": 256}}
# What an epoch's time should grow with: proportional to the images, to the square of the side, not with classes,
# and inversely with threads.
IDEAL = {"images": lambda x: x, "size": lambda x: x * x, "classes": lambda x: 1, "threads": lambda x: 1 / x}


def spec(data, size):
    return (
        f"name: scaling\ndevice: cpu\n"
        f"data: {{ source: {{ folder: '{data}' }}, image: {{ size: {size} }}, batch: 16, workers: 2 }}\n"
        f"{backbone(NAME)}"
        "head: [global_avg_pool, linear: { out: classes }]\n"
        "schedule: { optimizer: { sgd: { momentum: 0.9 } }, "
        f"phases: [{{ name: all, epochs: {EPOCHS}, train: ['*'], lr: 1e-3 }}] }}\n"
    )


def compare(rounds, svg, only):
    grows = {what: values for what, values in GROWS.items() if not only or what in only}
    program = built("runner")
    products = Products(built("steps")) if "threads" in grows else None
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for number in range(rounds):
            for what, values in grows.items():
                for value in values:
                    case = BASE | BESIDES.get(what, {}) | {what: value}
                    seconds = epoch(program, folder, case, f"{what}{value}-{number}")
                    times.setdefault((what, value), []).append(seconds)
            if products:
                products.take()
    print(
        f"scaling: an epoch of {NAME}, all trains, {BASE}, least of {EPOCHS} epochs, median of {rounds} rounds "
        "(least to most)\n"
    )
    rows = []
    for what, values in grows.items():
        for value in values:
            ideal = IDEAL[what](value) / IDEAL[what](values[0])
            rows.append([what, value, *grown(times[what, value], times[what, values[0]]), f"{ideal:.2f}"])
    if products:
        first = products.times[GROWS["threads"][0]]
        for value, of in products.times.items():
            ideal = IDEAL["threads"](value) / IDEAL["threads"](GROWS["threads"][0])
            rows.append(["threads of a product", value, *grown(of, first), f"{ideal:.2f}"])
    table(["what grows", "to", "s", "times the first", "ideal"], rows)
    if svg:
        medians = {case: statistics.median(of) for case, of in times.items()}
        Path(svg).write_text(plot(medians, grows))
        print(f"drawn in {svg}")


def grown(times, first):
    """Seconds, and how many times those that were taken in the same rounds at the first value."""
    return f"{statistics.median(times):.2f}", Ratio(times, first)


class Products:
    """Large matrix products on as many threads as an epoch has: what threads are worth on this machine."""

    COUNT = 20

    def __init__(self, program):
        self.times = {threads: [] for threads in GROWS["threads"]}
        self.sides = {}
        for threads in self.times:
            ENVIRONMENT["RAYON_NUM_THREADS"] = str(threads)
            self.sides[threads] = Side(program, "peak")

    def take(self):
        # In small portions by turns, since the machine's clock is not its own.
        seconds = dict.fromkeys(self.times, 0.0)
        for _ in range(self.COUNT):
            for threads, side in self.sides.items():
                seconds[threads] += side.ask(1)["seconds"]
        for threads, of in seconds.items():
            self.times[threads].append(of)


def epoch(program, folder, case, name):
    data = folder / f"images{case['images']}-{case['size']}-{case['classes']}"
    if not data.exists():
        raw = images.generated(folder / f"raw-{data.name}", case["images"], case["size"], case["classes"])
        # Each class is in each split, so that the net has them all.
        for part, share in (("train", 1), ("val", 8), ("test", 8)):
            for label in raw.iterdir():
                to = data / part / label.name
                to.mkdir(parents=True)
                for file in sorted(label.iterdir())[:: share]:
                    os.link(file, to / file.name)
    ENVIRONMENT["RAYON_NUM_THREADS"] = str(case["threads"])
    _, events = trained(program, folder / "runs" / name, spec(data, case["size"]))
    return min(seconds_of_epochs(events))


def plot(medians, grows):
    """Four small plots side by side: measured as dots and a line, the ideal dashed; both axes logarithmic."""
    side, gap = 180, 60
    parts = []
    for column, (what, values) in enumerate(grows.items()):
        measured = [medians[what, value] for value in values]
        ideal = [measured[0] * IDEAL[what](value) / IDEAL[what](values[0]) for value in values]
        low, high = min(measured + ideal) / 1.3, max(measured + ideal) * 1.3
        place = lambda value, seconds: (  # noqa: E731
            round(side * log(value / values[0]) / log(values[-1] / values[0]), 1),
            round(side - side * log(seconds / low) / log(high / low), 1),
        )
        line = lambda of: " ".join(f"{x},{y}" for x, y in map(place, values, of))  # noqa: E731
        marks = "".join(
            f'<circle cx="{x}" cy="{y}" r="3"/><text x="{x}" y="{side + 16}" text-anchor="middle">{value}</text>'
            f'<text x="{x}" y="{y - 7}" text-anchor="middle">{seconds:.2g}</text>'
            for value, seconds in zip(values, measured)
            for x, y in [place(value, seconds)]
        )
        parts.append(
            f'<g transform="translate({gap / 2 + column * (side + gap)}, 30)">'
            f'<rect width="{side}" height="{side}" fill="none" stroke="#ccc"/>'
            f'<polyline points="{line(ideal)}" fill="none" stroke="#999" stroke-dasharray="4 4"/>'
            f'<polyline points="{line(measured)}" fill="none" stroke="#06c" stroke-width="2"/>{marks}'
            f'<text x="{side / 2}" y="{side + 34}" text-anchor="middle">{what}</text></g>'
        )
    width = len(grows) * (side + gap)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {side + 80}" '
        'font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<text x="{gap / 2}" y="16">Seconds an epoch (blue), and what they would be at best (dashed)</text>'
        + "".join(parts)
        + "</svg>\n"
    )
