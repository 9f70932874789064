#!/usr/bin/env python3
"""runner beside PyTorch: what each takes on the same work, by turns.

    tests/peers/setup                      # once
    tests/peers/compare.py step            # or: forward

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

    def command(name, rounds, help):
        command = commands.add_parser(name, help=help)
        command.add_argument("--rounds", type=int, default=rounds)
        return command

    for mode in ("step", "forward"):
        whole = command(mode, 7, f"{mode}s of whole nets, batch 16")
        whole.add_argument("--net", action="append", help="only this net")
        whole.add_argument("--size", action="append", type=int, help="only this size")
    return parser.parse_args()


def main():
    given = arguments()
    if Path(sys.prefix) != VENV.parent.parent:
        if not VENV.exists():
            sys.exit("run tests/peers/setup first")
        os.execv(VENV, [str(VENV), *sys.argv])

    import steps

    rounds = given.rounds
    nets, sizes = getattr(given, "net", None) or steps.NAMES, getattr(given, "size", None) or steps.SIZES
    ways = {
        "step": lambda: steps.compare("step", rounds, nets, sizes),
        "forward": lambda: steps.compare("forward", rounds, nets, sizes),
    }
    ways[given.command]()


main()
