"""`loader`: images a second at two workers, and of the decoder alone."""

import statistics
import tempfile
from pathlib import Path

import images
from sides import THREADS, Ratio, Side, built, python, table

# Pixels of the files, pixels of the net's input.
SMALL, LARGE = (96, 96), (1024, 224)
# Of the large ones: what PIL and libjpeg write unless told otherwise, and finer. The finer, the more of the time is the
# decoder's.
QUALITIES = (75, 90)
# What runner keeps in the second of its columns: all of any folder.
CACHE = "4GiB"
MODES = ("decode", "evaluate", "train")
# Of a run whose first epoch decodes all images and keeps them.
EPOCHS = 10


def compare(data, rounds, count):
    program = built("loading")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        small = images.copied(data, folder / "small", SMALL[0], len(images.found(data)))
        cases = [(f"small, {SMALL[0]} px", small, SMALL[1])]
        for quality in QUALITIES:
            large = images.generated(folder / f"large{quality}", count, LARGE[0], quality=quality)
            cases.append((f"{LARGE[0]} px, quality {quality}", large, LARGE[1]))
        for name, where, size in cases:
            for mode in MODES:
                rows.append([name, size, mode, *row(program, where, size, mode, rounds)])
    print(
        f"loader: images a second of runner over torchvision's, {THREADS} workers, median of {rounds} rounds "
        "(least to most)\n"
    )
    head = ["images", "input", "what", "runner / torch", "kept / torch", f"{EPOCHS} epochs / torch"]
    table([*head, "runner images/s", "kept images/s", "torch images/s", "kept MiB"], rows)


def row(program, folder, size, mode, rounds):
    arguments = (folder, size, THREADS, mode)
    with (
        Side(program, *arguments, "off") as ours,
        Side(program, *arguments, CACHE) as kept,
        Side(*python("torch_loader.py", *arguments)) as theirs,
    ):
        sides = [ours, kept, theirs]
        # Files are in the system's memory then, workers are there, and images are kept.
        first = [side.ask(1)["seconds"] for side in sides]
        images = ours.told["images"]
        count = max(1, round(1 / first[2]))
        seconds = [[] for _ in sides]
        for number in range(rounds):
            for place in range(3):
                place = (place + number) % 3
                answer = sides[place].ask(count)
                seconds[place].append(answer["seconds"] / answer["images"])
        bytes_kept = kept.ask(0)["kept"]
    rates = [f"{1 / statistics.median(of):.0f}" for of in seconds]
    # Seconds of torch over seconds of runner are images a second of runner over those of torch.
    without, with_cache = Ratio(seconds[2], seconds[0]), Ratio(seconds[2], seconds[1])
    if mode == "decode":
        return [without, "-", "-", rates[0], "-", rates[2], "-"]
    filled = first[1] / images
    run = Ratio([EPOCHS * of for of in seconds[2]], [filled + (EPOCHS - 1) * of for of in seconds[1]])
    return [without, with_cache, run, *rates, f"{bytes_kept / 2**20:.0f}"]
