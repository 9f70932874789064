"""Folders of images to compare on."""

import random
import shutil
from pathlib import Path

import numpy
from PIL import Image

EXTENSIONS = {".jpg", ".jpeg", ".png"}


def found(folder):
    """The images of a folder that holds a folder a class: [(class, path)]."""
    paths = sorted(path for path in Path(folder).glob("*/*") if path.suffix.lower() in EXTENSIONS)
    if not paths:
        raise SystemExit(f"{folder} holds no folders of images")
    return [(path.parent.name, path) for path in paths]


def generated(folder, count, size, classes=4, seed=0, quality=90):
    """JPEGs with the spectrum of photographs: amplitudes fall as the frequency rises. Of 1024 pixels a side they have about
    a quarter of a byte a pixel in quality 75, and nearly half of one in quality 90."""
    random_numbers = numpy.random.default_rng(seed)
    frequency = numpy.hypot(*numpy.meshgrid(numpy.fft.rfftfreq(size), numpy.fft.fftfreq(size)))
    falling = 1 / numpy.maximum(frequency, 1 / size) ** 1.2
    for number in range(count):
        planes = []
        for strength in (50, 15, 15):
            noise = numpy.fft.irfft2(numpy.fft.rfft2(random_numbers.standard_normal((size, size))) * falling)
            planes.append(128 + strength * noise / noise.std())
        # Something to tell classes apart by.
        planes[1] += 12 * (number % classes) - 6 * classes
        pixels = numpy.stack(planes, axis=-1).clip(0, 255).astype(numpy.uint8)
        path = Path(folder) / f"class{number % classes}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels, "YCbCr").save(path, quality=quality)
    return Path(folder)


def copied(source, folder, size, count, seed=0):
    """`count` of a folder's images, drawn at random, as JPEGs of `size` pixels a side."""
    images = found(source)
    random.Random(seed).shuffle(images)
    for number in range(count):
        name, path = images[number % len(images)]
        to = Path(folder) / name / f"{number:05}.jpg"
        to.parent.mkdir(parents=True, exist_ok=True)
        if size is None and path.suffix.lower() != ".png":
            shutil.copyfile(path, to)
        else:
            with Image.open(path) as image:
                image.convert("RGB").resize((size, size), Image.BILINEAR).save(to, quality=95)
    return Path(folder)


def split(source, folder, count, size, seed=0):
    """`count` images of a folder in `train`, `val` and `test` (70, 15 and 15 %), as JPEGs of `size` pixels a side."""
    images = found(source)
    random.Random(seed).shuffle(images)
    for number in range(count):
        name, path = images[number % len(images)]
        share = number / count
        part = "train" if share < 0.7 else "val" if share < 0.85 else "test"
        to = Path(folder) / part / name / f"{number:05}.jpg"
        to.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.convert("RGB").resize((size, size), Image.BILINEAR).save(to, quality=95)
    return Path(folder)
