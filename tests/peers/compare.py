#!/usr/bin/env python3
"""runner beside PyTorch: what each takes on the same work, by turns.

    tests/peers/setup                      # once
    tests/peers/compare.py step            # or: forward, head, schedule, memory, loader, scaling, all
    tests/peers/compare.py head --data DIR # a folder of images, one folder a class

The sides run by turns on two threads each, and what is printed are ratios of rounds that ran one after the other:
a machine that others use as well makes both slower. docs/src/performance.md says what is compared.
"""

import argparse
import os
import sys
from pathlib import Path

VENV = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, rounds, help, data=False):
        command = commands.add_parser(name, help=help)
        command.add_argument("--rounds", type=int, default=rounds)
        if data:
            command.add_argument("--data", required=True, help="a folder of images, one folder a class")
        return command

    for mode in ("step", "forward"):
        whole = command(mode, 7, f"{mode}s of whole nets, batch 16")
        whole.add_argument("--net", action="append", help="only this net")
        whole.add_argument("--size", action="append", type=int, help="only this size")
    command("head", 5, "ten epochs of a head on a frozen backbone", data=True)
    command("schedule", 5, "pipelines/medical.yaml under Lightning; a round is a seed", data=True)
    command("memory", 5, "peak memory of whole processes")
    loading = command("loader", 7, "images a second at two workers", data=True)
    loading.add_argument("--large", type=int, default=500, help="how many images of 1024 px")
    scaling = command("scaling", 3, "an epoch's time against images, size, classes, threads")
    scaling.add_argument("--only", action="append", help="images, size, classes or threads alone")
    scaling.add_argument("--svg", help="where to draw it")
    everything = command("all", 5, "all of these", data=True)
    everything.add_argument("--svg", help="where to draw scaling")
    return parser.parse_args()


def main():
    given = arguments()
    if Path(sys.prefix) != VENV.parent.parent:
        if not VENV.exists():
            sys.exit("run tests/peers/setup first")
        os.execv(VENV, [str(VENV), *sys.argv])

    # Only the venv has what these need. None of them imports torch: a child's peak of memory begins with its parent's.
    import head
    import loader
    import memory
    import scaling
    import schedule
    import steps

    rounds = given.rounds
    nets, sizes = getattr(given, "net", None) or steps.NAMES, getattr(given, "size", None) or steps.SIZES
    ways = {
        "step": lambda: steps.compare("step", rounds, nets, sizes),
        "forward": lambda: steps.compare("forward", rounds, nets, sizes),
        "head": lambda: head.compare(given.data, rounds),
        "schedule": lambda: schedule.compare(given.data, rounds),
        "memory": lambda: memory.compare(rounds),
        "loader": lambda: loader.compare(given.data, rounds, getattr(given, "large", 500)),
        "scaling": lambda: scaling.compare(rounds, given.svg, getattr(given, "only", None)),
    }
    for command in ways if given.command == "all" else [given.command]:
        ways[command]()


main()
