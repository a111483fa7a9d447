#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The recorded verdicts of spec/model, without ProVerif and Spin: they are of these
very files, each query has one, and each is what the model says it must be.
Then that a changed file, verdict or line is noticed."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from formal import RESULTS, ROOM, faults, files, recorded, runs  # noqa: E402
from session import check, finish, note, same  # noqa: E402


def as_recorded():
    same("every file and verdict is as recorded", [], list(faults()))
    whole = [run for run in runs() if run.left_out == "nothing"]
    weak = [run for run in runs() if run.left_out != "nothing"]
    check("every model is run with nothing left out",
          sorted(run.model for run in whole) ==
          [path for path in files(ROOM) if path.endswith((".pv", ".pml"))])
    note("%d models, %d weakened variants, %d verdicts" % (
        len(whole), len(weak), len(recorded()[1])))


def noticed(what, change, wanted):
    """A copy of the room with one change has the fault that is named."""
    with tempfile.TemporaryDirectory() as scratch:
        room = os.path.join(scratch, "model")
        shutil.copytree(ROOM, room)
        change(room)
        found = list(faults(room))
        check("noticed: " + what, any(wanted in x for x in found), found)


def edit(room, path, change):
    path = os.path.join(room, path)
    with open(path, encoding="ascii") as f:
        text = f.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(change(text))


def one_line(text, old, new):
    """The first verdict of a whole model that ends so is changed, or taken
    away."""
    lines = text.splitlines(True)
    i = next(i for i, x in enumerate(lines)
             if x.startswith("verdict") and "\tnothing\t" in x and
             x.endswith(old))
    return "".join(lines[:i] + [lines[i].replace(old, new)][:new != ""] +
                   lines[i + 1:])


def changes():
    noticed("a space in a model",
            lambda room: edit(room, "agreement.pv", lambda t: t + " "),
            "agreement.pv is not the file that was run")
    noticed("a run that Spin was not asked for",
            lambda room: edit(room, "fence.pml", lambda t: t.replace(
                " *   NO_SERIAL ", " *   NO_SERIAL ROLLBACK ")),
            "fence.pml, NO_SERIAL+ROLLBACK, assertions is not recorded")
    noticed("a library that was not run",
            lambda room: edit(room, "agreement.pv", str) or
            shutil.copy(os.path.join(room, "roles.pvl"),
                        os.path.join(room, "more.pvl")),
            "more.pvl is not recorded")
    noticed("a model that is gone",
            lambda room: os.remove(os.path.join(room, "kci.pv")),
            "kci.pv is recorded, but not there")
    noticed("a proof that failed",
            lambda room: edit(room, RESULTS, lambda t: one_line(
                t, "\ttrue\n", "\tunproved\n")), "must be true, not unproved")
    noticed("an attack that was not found",
            lambda room: edit(room, RESULTS, lambda t: one_line(
                t, "\tfalse\n", "\ttrue\n")), "must be false, not true")
    noticed("a verdict that is missing",
            lambda room: edit(room, RESULTS, lambda t: one_line(
                t, "\ttrue\n", "")), "is not recorded")


as_recorded()
changes()
finish()
