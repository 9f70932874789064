"""Lets torch's wheel from PyPI be imported without the gigabytes of GPU libraries that it links to.

    python tests/peers/gpu_stubs.py SITE_PACKAGES

torch for Linux on PyPI is built for CUDA, and its libraries name cuBLAS, cuDNN, NCCL and others, which must be
found for `import torch` although nothing of them runs without a GPU. For each one that is not installed this
makes, in `torch/lib`, a library of that name whose functions stop the process. What computes on the CPU
is not touched. Needs gcc and binutils.
"""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(library):
    """Names of the libraries that one links to."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", library))


def undefined(library):
    """(name, version) of the symbols that a library expects of others; the version may be empty."""
    for line in output("objdump", "-T", library).splitlines():
        if "*UND*" in line:
            *_, version, name = line.split()
            yield name, version.strip("()").replace("Base", "")


def wanted_versions(library):
    """By library that one links to: the versions that it must define."""
    versions, file = defaultdict(set), None
    for line in output("readelf", "-V", "-W", library).splitlines():
        if found := re.search(r"File: (\S+)", line):
            file = found[1]
        elif file and (found := re.search(r"Name: (\S+)\s+Flags", line)):
            versions[file].add(found[1])
    return versions


def build(folder, name, symbols):
    """A library of this name with symbols {version: {name}}."""
    source, script = folder / f"{name}.s", folder / f"{name}.map"
    lines = []
    for symbol in sorted(set().union(*symbols.values())):
        lines += [f".globl {symbol}", f".type {symbol}, @function", f"{symbol}: ud2"]
    source.write_text("\n".join([".text", *lines, '.section .note.GNU-stack,"",@progbits', ""]))
    listed = {version: " ".join(f"{symbol};" for symbol in sorted(of)) for version, of in symbols.items() if version}
    nodes = (f"{version} {{ global: {names} }};" for version, names in listed.items())
    script.write_text("\n".join(nodes) + "\n")
    versioned = [f"-Wl,--version-script={script}"] if any(symbols) else []
    subprocess.run(
        ["gcc", "-shared", "-nostdlib", f"-Wl,-soname,{name}", *versioned, "-o", folder / name, source], check=True
    )
    source.unlink()
    script.unlink()


def main(site):
    folder = site / "torch" / "lib"
    libraries = sorted(folder.glob("*.so"))
    there = {path.name for path in [*folder.iterdir(), *site.glob("nvidia/*/lib/*.so*")]}
    system = output("ldconfig", "-p")
    wanted = {name for library in libraries for name in needed(library)}
    missing = {name for name in wanted - there if f"\t{name} " not in system}
    symbols = {name: defaultdict(set) for name in missing}
    for library in libraries:
        owner = {version: file for file, versions in wanted_versions(library).items() for version in versions}
        for file, versions in wanted_versions(library).items():
            for version in versions if file in missing else ():
                symbols[file][version]
        for symbol, version in undefined(library):
            if version:
                name = owner.get(version)
            else:
                # cuFile, cuSPARSELt and NCCL: functions begin with the library's name.
                of = (name for name in missing if symbol.lower().startswith(name[3:].split(".")[0].lower()))
                name = max(of, key=len, default=None)
            if name in missing:
                symbols[name][version].add(symbol)
    for name, of in symbols.items():
        build(folder, name, of)
        print(f"{name}: stands in for {sum(map(len, of.values()))} functions")


main(Path(sys.argv[1]))
