"""Programs that are compared: started side by side, asked by turns."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

NAMES = ["resnet18", "resnet50", "efficientnet_lite0", "mobilenet_v2", "vgg11_bn"]
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
THREADS = 2
ENVIRONMENT = os.environ | {
    name: str(THREADS) for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RUNNER_THREADS")
}


# In one go, so that cargo compiles the library once: benches want features of dependencies that the binary does not.
PROGRAMS = ("--bin", "runner", "--bench", "steps", "--bench", "loading")


def built(name):
    """Builds runner's side with cargo; gives the path of one of its programs."""
    command = ["cargo", "build", "--release", "-p", "runner", *PROGRAMS, "--message-format", "json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    messages = (json.loads(line) for line in done.stdout.splitlines())
    programs = (message for message in messages if message.get("executable"))
    return next(made["executable"] for made in programs if made["target"]["name"] == name)


class Side:
    """A program that prints a line of JSON when it is ready, and one for each line that it is sent."""

    def __init__(self, *command):
        command = [str(part) for part in command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE, env=ENVIRONMENT
        )
        self.told = self._line()

    def ask(self, question):
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} ended: {self.process.wait()}")
        return json.loads(line)

    def peak(self):
        """The most memory that the process has had, in bytes."""
        return peak(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def peak(pid):
    """The most memory that a process has had so far, in bytes; what a file backs is not counted."""
    fields = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        fields[name] = value.split()
    return int(fields["VmHWM"][0]) * 1024


def python(script, *arguments):
    return [sys.executable, HERE / script, *arguments]


def run(*command, cwd=ROOT):
    """Runs a program to its end: seconds, its output, and the most memory that it and its children had."""
    started = time.perf_counter()
    command = [str(part) for part in command]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=cwd, env=ENVIRONMENT)
    # In two threads, since a full pipe would stop the program.
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    reader.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{output}\n{errors[0]}")
    return Run(time.perf_counter() - started, output, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)


class Run:
    """What a program that ran to its end took."""

    def __init__(self, seconds, output, peak, cpu):
        self.seconds, self.output, self.peak, self.cpu = seconds, output, peak, cpu


class Ratio:
    """Ratios of rounds that ran side by side."""

    def __init__(self, ours, theirs):
        self.all = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        self.median = statistics.median(self.all)

    def __str__(self):
        return f"{self.median:.2f} ({self.all[0]:.2f} to {self.all[-1]:.2f})"


def table(head, rows):
    """Prints a table as Markdown has it."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    line = lambda cells: "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"  # noqa: E731
    print(line(rows[0]))
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in rows[1:]:
        print(line(row), flush=True)
    print()


def mebibytes(count):
    return f"{count / 2**20:.0f} MiB"
