#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""check.py [--program PATH] [DIR...]: recomputes every field of every vector
(ok and bad beside this file, unless told otherwise). Exit 0: all agree."""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from typing import Any, Iterator

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from handfast1 import kinds  # noqa: E402
from handfast1.play import Mismatch  # noqa: E402


def differences(told: Any, found: Any, path: str = "") -> Iterator[str]:
    """Where two values differ."""
    if type(told) is not type(found):
        yield path
    elif isinstance(told, dict):
        for key in sorted(told.keys() | found.keys()):
            inner = f"{path}.{key}" if path else key
            if key not in told or key not in found:
                yield inner
            else:
                yield from differences(told[key], found[key], inner)
    elif isinstance(told, list):
        if len(told) != len(found):
            yield f"{path} (length)"
        for i, (a, b) in enumerate(zip(told, found)):
            yield from differences(a, b, f"{path}[{i}]")
    elif told != found:
        yield path


def check_vector(vector: dict[str, Any]) -> list[str]:
    """The faults of one vector."""
    try:
        again = kinds.compute(vector)
    except Mismatch as fault:
        return [str(fault)]
    except Exception as fault:  # a changed digit may do anything
        return [f"{type(fault).__name__}: {fault}"]
    return list(differences(vector, again))


def check_file(
    path: pathlib.Path, seen: set[str]
) -> Iterator[tuple[str, list[str]]]:
    """The id and the faults of each vector of a file."""
    try:
        whole = json.loads(path.read_text())
        vectors = whole["vectors"]
        if list(whole) != ["vectors"] or not vectors:
            raise ValueError("other members, or no vectors")
    except (ValueError, KeyError, TypeError) as fault:
        yield path.name, [f"not readable: {fault}"]
        return
    for vector in vectors:
        name = str(vector.get("id"))
        faults = check_vector(vector)
        if name in seen:
            faults.append("id (stands twice)")
        seen.add(name)
        if path.parent.name in ("ok", "bad"):
            if ("error" in vector) != (path.parent.name == "bad"):
                faults.append("error")
        yield name, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", help="also run its 'vectors verify'")
    parser.add_argument("dirs", nargs="*", metavar="DIR")
    args = parser.parse_args()
    dirs = args.dirs or [HERE / "ok", HERE / "bad"]
    count = bad = 0
    seen: set[str] = set()
    for folder in map(pathlib.Path, dirs):
        paths = sorted(folder.glob("*.json"))
        if not paths:
            print(f"{folder}: no vectors", file=sys.stderr)
            bad += 1
        for path in paths:
            for name, faults in check_file(path, seen):
                count += 1
                bad += bool(faults)
                for fault in faults:
                    print(f"{path.name}: {name}: {fault}", file=sys.stderr)
    if args.program:
        for folder in dirs:
            command = [args.program, "vectors", "verify", str(folder)]
            if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
                print(f"{args.program} refuses {folder}", file=sys.stderr)
                bad += 1
    print(f"{count} vectors, {bad} faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
