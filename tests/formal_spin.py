# SPDX-License-Identifier: ISC
"""The models of spec/model that Spin runs (.pml), for formal.py.

The first comment of such a model holds, from `Runs:` on, a line for each run:
the names that are defined for it (`nothing` where there are none), and the
verdict: true where no assertion fails in any state, false where one does. A
name may have a value. A run whose state space was not gone through to its end
has no verdict.
"""
import collections
import os
import re
import resource
import subprocess
import tempfile

QUERY = "assertions"
# What Spin may use: bytes of memory, steps of depth, seconds of processor time.
MEGABYTES, DEPTH, SECONDS = 4096, 100000, 600
SpinRun = collections.namedtuple("SpinRun",
                                 "model left_out load names wanted")


def read_model(room, model):
    """The runs that a model asks for."""
    with open(os.path.join(room, model), encoding="ascii") as f:
        text = f.read()
    head = re.match(r"/\*.*?\*/", text, re.S).group()
    lines = re.findall(r"^ \*   (\w[\w= ]*?)  +(true|false)$",
                       head.split("Runs:")[1], re.M)
    if not lines:
        raise ValueError("%s: no runs" % model)
    for names, wanted in lines:
        used = set(re.findall(r"#if(?:n?def| defined) ?\(?(\w+)", text))
        for name in names.split():
            if name != "nothing" and name.split("=")[0] not in used:
                raise ValueError("%s does not know %s" % (model, name))
        yield SpinRun(model, "+".join(names.split()), [], [QUERY], [wanted])


def few_resources():
    """For what runs Spin's verifier."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = SECONDS if hard == resource.RLIM_INFINITY else min(SECONDS, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def verdict_of(output):
    """Of a whole search, or of one that found what is wrong."""
    errors = re.search(r"errors: (\d+)$", output, re.M)
    if errors is None or "max search depth too small" in output or \
            "out of memory" in output:
        return "none"
    if errors.group(1) != "0":
        return "false" if "assertion violated" in output else "none"
    return "none" if "Search not completed" in output else "true"


def prove(run, room):
    """([verdict], seconds of processor, output) of one run."""
    said = ["-D" + x for x in run.left_out.split("+") if x != "nothing"]
    model = os.path.abspath(os.path.join(room, run.model))
    steps = (["spin", *said, "-a", model],
             ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE",
              "-DMEMLIM=%d" % MEGABYTES, "-o", "pan", "pan.c"],
             ["./pan", "-m%d" % DEPTH, "-w20"])
    took, output = 0.0, ""
    with tempfile.TemporaryDirectory() as scratch:
        for step in steps:
            child = subprocess.Popen(
                step, cwd=scratch, text=True, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, preexec_fn=few_resources)
            output = child.stdout.read()
            child.stdout.close()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            took += usage.ru_utime + usage.ru_stime
            if child.returncode != 0:
                return ["none"], took, output
    return [verdict_of(output)], took, output


def states_of(output):
    """How many states there were, as text."""
    found = re.search(r"^ *([\d.e+]+) states, stored", output, re.M)
    return found.group(1) if found else "?"


def version():
    out = subprocess.run(["spin", "-V"], stdout=subprocess.PIPE, text=True,
                         check=False).stdout
    return re.search(r"Version (\S+)", out).group(1)
