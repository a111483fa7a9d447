#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The models of spec/model: what each says of itself, what ProVerif or Spin
once said of it (results.tsv), and whether it says so again.

formal.py           run all, compare with what is recorded (make formal)
formal.py --record  run what results.tsv does not know, as the files are now,
                    and write it anew
formal.py WORD...   run only what has the words in its name, without comparing

A model's first comment holds a line `Load:` with the libraries, and lines
that each name what is left out (a file of weak/) and the verdict that every
query must have; `-` where it does not matter. In front of each query stands
its name, (* = so *).
"""
import collections
import concurrent.futures
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
import time

import formal_spin

ROOM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "spec",
                    "model")
RESULTS = "results.tsv"
SECONDS = 600
VERDICTS = ("true", "false", "unproved")
Run = collections.namedtuple("Run", "model left_out load names wanted")


def files(room):
    """Every file that a verdict depends on, from the room."""
    found = []
    for folder, _, names in os.walk(room):
        for name in names:
            if name.endswith((".pv", ".pvl", ".pml")):
                found.append(os.path.relpath(os.path.join(folder, name),
                                             room))
    return sorted(found)


def sha256(room, path):
    with open(os.path.join(room, path), "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def read_model(room, model):
    """The runs that a model asks for."""
    with open(os.path.join(room, model), encoding="ascii") as f:
        text = f.read()
    head = re.match(r"\(\*.*?\*\)", text, re.S).group()
    load = re.search(r"^ *Load: (.*)$", head, re.M).group(1).split()
    names = re.findall(r"\(\* = (\w+) \*\)", text)
    wanted = re.findall(
        r"^ *(\w+) +((?:(?:true|false|-) *)+?)(?: *\*\))?$", head, re.M)
    if not names or not wanted or len(set(names)) < len(names):
        raise ValueError("%s: no runs, or no names of queries" % model)
    for left_out, verdicts in wanted:
        verdicts = verdicts.split()
        if len(verdicts) != len(names):
            raise ValueError("%s, %s: %d verdicts for %d queries" % (
                model, left_out, len(verdicts), len(names)))
        yield Run(model, left_out, load, names, verdicts)


def runs(room=ROOM):
    return [run for path in files(room) if path.endswith(".pv")
            for run in read_model(room, path)] + [
        run for path in files(room) if path.endswith(".pml")
        for run in formal_spin.read_model(room, path)]


def recorded(room=ROOM):
    """results.tsv: (hashes by file, verdicts by model, left out, query)."""
    hashes, verdicts = {}, {}
    with open(os.path.join(room, RESULTS), encoding="ascii") as f:
        for line in f:
            what, *rest = line.rstrip("\n").split("\t")
            if what == "file":
                hashes[rest[0]] = rest[1]
            elif what == "verdict":
                if tuple(rest[:3]) in verdicts:
                    raise ValueError("twice in %s: %s" % (RESULTS, line))
                verdicts[tuple(rest[:3])] = rest[3]
            elif what not in ("proverif", "spin"):
                raise ValueError("not known in %s: %s" % (RESULTS, line))
    return hashes, verdicts


def faults(room=ROOM):
    """What is wrong with the record, without ProVerif."""
    hashes, verdicts = recorded(room)
    for path in sorted(set(files(room)) | set(hashes)):
        if path not in hashes:
            yield "%s is not recorded" % path
        elif not os.path.isfile(os.path.join(room, path)):
            yield "%s is recorded, but not there" % path
        elif sha256(room, path) != hashes[path]:
            yield "%s is not the file that was run" % path
    used = set()
    for run in runs(room):
        used.add(run.left_out)
        if run.left_out != "nothing" and "false" not in run.wanted and \
                "true" not in run.wanted:
            yield "%s without %s shows nothing" % run[:2]
        for name, wanted in zip(run.names, run.wanted):
            key = (run.model, run.left_out, name)
            got = verdicts.pop(key, None)
            if got is None:
                yield "%s, %s, %s is not recorded" % key
            elif wanted != "-" and got != wanted:
                yield "%s, %s, %s must be " % key + "%s, not %s" % (wanted,
                                                                   got)
    for key in verdicts:
        yield "%s, %s, %s is recorded, but not asked" % key
    for path in files(room):
        name, ending = os.path.splitext(os.path.basename(path))
        if path.startswith("weak" + os.sep) and name not in used:
            yield "%s is not run" % path


def verdicts_of(output):
    """ProVerif's own word for each query, in their order."""
    for line in output.splitlines():
        if line.startswith(("RESULT (even", "RESULT (but")):
            continue
        if re.match(r"RESULT .* is true\.$", line):
            yield "true"
        elif re.match(r"RESULT .* is false\.$", line):
            yield "false"
        elif line.startswith("RESULT "):
            yield "unproved"


def few_seconds():
    """Of processor time, for what runs ProVerif."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = SECONDS if hard == resource.RLIM_INFINITY else min(SECONDS, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def prove(run, room=ROOM):
    """(verdicts, seconds of processor, output) of one run."""
    if run.model.endswith(".pml"):
        return formal_spin.prove(run, room)
    command = ["proverif"]
    for library in libraries(run)[:-1]:
        command += ["-lib", library]
    child = subprocess.Popen(command + [run.model], cwd=room, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             preexec_fn=few_seconds)
    output = child.stdout.read()
    child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    got = list(verdicts_of(output))
    if child.returncode != 0 or len(got) != len(run.names):
        got = ["none"] * len(run.names)
    return got, usage.ru_utime + usage.ru_stime, output


def version():
    if shutil.which("spin") is None:
        sys.exit("formal: error: there is no spin in PATH\n"
                 "formal: hint: make formal installs Debian's package")
    if shutil.which("proverif") is None:
        sys.exit("formal: error: there is no proverif in PATH\n"
                 "formal: hint: its source is public (ProVerif 2.05); its "
                 "./build needs no more than Debian's ocaml-nox; without it, "
                 "tests/sh/formal.py still checks the recorded verdicts")
    out = subprocess.run(["proverif", "-help"], stdout=subprocess.PIPE,
                         text=True, check=False).stdout
    return re.search(r"(?i)proverif (\d+\.\S*?)\.? ", out).group(1)


def about(run):
    return ("with " if run.model.endswith(".pml") else "without ") + \
        run.left_out


def report(run, got, known):
    """One line a query: as it must be, and as it is recorded."""
    good = 0
    for name, wanted, verdict in zip(run.names, run.wanted, got):
        said = verdict if known is None else known.get(
            (run.model, run.left_out, name), "nothing")
        right = verdict in VERDICTS and verdict == said and \
            wanted in ("-", verdict)
        good += right
        print("%s %s %s, %s: %s%s" % (
            "PASS" if right else "FAIL", run.model, about(run), name, verdict, "" if right else ", recorded %s, must be %s" % (
                said, wanted)))
    return good, len(run.names) - good


def record(told, which):
    """Of each run its verdicts, and of the files what they depend on."""
    with open(os.path.join(ROOM, RESULTS), "w", encoding="ascii") as f:
        print("proverif", which, sep="\t", file=f)
        print("spin", formal_spin.version(), sep="\t", file=f)
        for path in files(ROOM):
            print("file", path, sha256(ROOM, path), sep="\t", file=f)
        for run, got in told:
            for name, verdict in zip(run.names, got):
                print("verdict", run.model, run.left_out, name, verdict,
                      sep="\t", file=f)


def libraries(run):
    """The files that a run loads, the model last."""
    return [os.path.join("weak", run.left_out) + ".pvl" if x == "weak"
            else x + ".pvl" for x in run.load] + [run.model]


def unchanged(run, hashes, known):
    """What is recorded of a run, where it still is of these files."""
    got = [known.get((run.model, run.left_out, name)) for name in run.names]
    same = all(hashes.get(path) == sha256(ROOM, path)
               for path in libraries(run))
    return got if same and None not in got else None


def proved(todo):
    """(run, verdicts) of each, told as they come."""
    workers = concurrent.futures.ThreadPoolExecutor(
        int(os.environ.get("WORKERS", os.cpu_count())))
    for run, (got, took, output) in zip(todo, workers.map(prove, todo)):
        if "none" in got:
            print("\n".join("    " + x for x in output.splitlines()[-12:]))
        states = ", %s states" % formal_spin.states_of(output) \
            if run.model.endswith(".pml") else ""
        print("note: %s %s: %.1f s of processor time%s" % (
            run.model, about(run), took, states))
        yield run, got


def main(words):
    which, start = version(), time.monotonic()
    writing = words[:1] == ["--record"]
    words = words[writing:]
    todo = [run for run in runs() if all(w in "%s:%s" % run[:2]
                                         for w in words)]
    hashes, known = recorded() if not writing or os.path.exists(
        os.path.join(ROOM, RESULTS)) else ({}, {})
    kept = []
    if writing:
        kept = [(run, got) for run in runs()
                for got in [unchanged(run, hashes, known)] if got]
        todo = [run for run in todo if run not in [x for x, _ in kept]]
    passed = failed = 0
    told = []
    for run, got in proved(todo):
        good, bad = report(run, got, None if words or writing else known)
        passed, failed = passed + good, failed + bad
        told.append((run, got))
        if writing and not bad:
            kept.append((run, got))
            record(sorted(kept), which)
        sys.stdout.flush()
    wrong = [] if words or writing else list(faults())
    for fault in wrong:
        print("FAIL", fault)
    print("note: ProVerif %s, %d runs, %.0f s" % (which, len(todo),
                                                  time.monotonic() - start))
    print("%d passed, %d failed" % (passed, failed + len(wrong)))
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
