"""`step` and `forward`: the same net on the same shapes, runner and torch by turns."""

import statistics
import sys

from sides import NAMES, Ratio, Side, built, mebibytes, python, table

BATCH = 16
SIZES = (224, 64)
LAYOUTS = ("nchw", "channels_last")
# A round of the slowest side takes about so many seconds.
ROUND = 1.0


def compare(mode, rounds, backbones=NAMES, sizes=SIZES):
    program = built("steps")
    floor = Floor(program)
    rows = []
    for size in sizes:
        for backbone in backbones:
            rows.append(row(program, floor, mode, backbone, size, rounds))
            print(*rows[-1][:3], file=sys.stderr, flush=True)
    print(f"{mode}, batch {BATCH}: seconds of runner over seconds of torch, median of {rounds} rounds (least to most)\n")
    head = ["net", "px", "runner / torch", "torch's faster layout", "runner ms", "torch ms", "products ms", "bytes ms"]
    table([*head, "runner peak", "torch peak"], rows)


def row(program, floor, mode, backbone, size, rounds):
    arguments = (backbone, BATCH, size, mode)
    with (
        Side(program, *arguments) as ours,
        Side(*python("torch_steps.py", *arguments, LAYOUTS[0])) as nchw,
        Side(*python("torch_steps.py", *arguments, LAYOUTS[1])) as last,
    ):
        sides = [ours, nchw, last]
        count = max(1, round(ROUND / max(side.ask(1)["seconds"] for side in sides)))
        times = [[] for _ in sides]
        for number in range(rounds):
            # Whoever comes first may find the machine quieter.
            for place in range(3):
                place = (place + number) % 3
                times[place].append(sides[place].ask(count)["seconds"] / count)
        peaks = [side.peak() for side in sides]
        passes = 3 if mode == "step" else 1
        products, moves = (passes * ours.told[what] / floor.a_second[what] for what in ("multiply_adds", "bytes"))
    medians = [statistics.median(of) for of in times]
    best = min((1, 2), key=lambda place: medians[place])
    milli = lambda seconds: f"{seconds * 1e3:.1f}"  # noqa: E731
    return [
        backbone, size, Ratio(times[0], times[best]), LAYOUTS[best - 1], milli(medians[0]), milli(medians[best]),
        milli(products), milli(moves), mebibytes(peaks[0]), mebibytes(peaks[best]),
    ]  # fmt: skip


class Floor:
    """What the machine can do: multiply-adds a second of a large matrix product, bytes a second of a copy; the best of
    forty."""

    def __init__(self, program):
        self.a_second = {}
        for mode, what in (("peak", "multiply_adds"), ("copy", "bytes")):
            with Side(program, mode) as side:
                self.a_second[what] = side.told[what] / min(side.ask(1)["seconds"] for _ in range(40))
