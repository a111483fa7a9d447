#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What synchronous_commit = off gives and takes, by a PostgreSQL that is killed
with all its processes while somebody writes, and comes back: with "on" nothing
that was answered is lost; with "off" the last moments are, at most three times
wal_writer_delay, and never more than the end. Prints what a write takes.

commits.py [KILLS]: make commits kills more often than make check, and measures
with a disk that is waited for: that is slow, and processes that die need none.
"""
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import failing  # noqa: E402
import linear  # noqa: E402
import servers  # noqa: E402
import session as s  # noqa: E402

HISTORY = os.path.join(s.BUILD, "history")
WRITER_MS = 200  # wal_writer_delay, as it is by itself
KILLS, FSYNC = (int(sys.argv[1]), "on") if len(sys.argv) > 1 else (2, "off")
FULL = 4000  # bytes of a history, about 60 operations


# What is judged ------------------------------------------------------------------------


def lost(ops, value):
    """The writes of one process to one key that were answered and are gone,
    where `value` is there. Of those that were not answered each may be there,
    also one that removed the key: so much the judge of histories knows."""
    at = 1 + max([op.begin for op in ops] +
                 [op.end for op in ops if op.end != linear.OPEN])
    seen = linear.Op(("", ""), ops[0].key, "get", at, at + 1, linear.NOTHING,
                     value, "ok")
    if linear.judge_key([*ops, seen]) is None:
        return []
    wrote = [op.begin for op in ops if op.kind == "swap" and
             op.value == value and op.result != "fenced"]
    return [op for op in ops if op.kind == "swap" and op.result == "ok" and
            op.begin > max(wrote, default=-1)]


# Writes, each of what the one before left, "?" after one that was not
# answered; what is there; how many are lost.
PLANTED = (("1 2 3", "3", 0), ("1 2 3", "2", 1), ("1 2 3", "-", 3),
           ("1 2 3?", "2", 0), ("1 2 3?", "3", 0), ("1 2 3?", "1", 1),
           ("1 - 2 3 -?", "3", 0), ("1 - 2 3 -?", "-", 0),
           ("1 - 2 3 -?", "2", 1), ("1 - 2 3 4?", "-", 2),
           ("1 2 3 4 -", "-", 0))


def planted():
    for writes, value, n in PLANTED:
        lines, before = [], linear.NOTHING
        for at, word in enumerate(writes.split()):
            lines.append("0 %d i %d swap k %s %s" %
                         (at, 2 * at, before, word.rstrip("?")))
            if "?" not in word:
                lines.append("0 %d r %d HF_OK" % (at, 2 * at + 1))
            before = word
        s.same("planted: %s; then there is %s" % (writes, value), n,
               len(lost(linear.parse(lines)[0], value)))


# Real ones ----------------------------------------------------------------------------


def there(server):
    """The value that is there."""
    value = server.ask("SELECT coalesce(max(encode(value, 'escape')), '-') "
                       "FROM handfast.entry")
    if value == "":
        raise RuntimeError("what is there is not said")
    return value


def written(server, during):
    """What one process did to one key, until `during` had been."""
    if server.ask("TRUNCATE handfast.entry; SELECT 1") != "1":
        raise RuntimeError("it was not emptied")
    with tempfile.TemporaryFile("w+") as f:
        process = subprocess.Popen(
            [HISTORY, server.uri, "1", "1", str(1000 * failing.WAIT), "keep"],
            stdout=f)
        try:
            failing.until(lambda: os.fstat(f.fileno()).st_size > FULL,
                          "a history")
            during()
            end = time.monotonic_ns()
        finally:
            for pid in servers.children(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait(timeout=30)
        f.seek(0)
        # What began when there was no server did not happen.
        return [op for op in linear.parse(f)[0] if op.begin < end]


def kill(server):
    """Which answered writes are gone, and of how many milliseconds."""
    def crash():
        time.sleep(random.uniform(0, 0.2))
        server.crash()

    ops = written(server, crash)
    s.same("what it saw before is one after the other", None,
           linear.judge_key(ops))
    server.start()
    gone = lost(ops, there(server))
    return len(gone), (gone[-1].end - gone[0].begin) / 1e6 if gone else 0.0


def measured(commit):
    server = failing.Postgres(s.PROGRAM, "synchronous_commit=" + commit,
                              "fsync=" + FSYNC)
    try:
        us = statistics.median(
            (op.end - op.begin) / 1000 for op in written(server, lambda: None)
            if op.kind == "swap" and op.result == "ok")
        gone = [kill(server) for _ in range(KILLS)]
    finally:
        server.stop()
    s.note("synchronous_commit=%s, fsync=%s: a write takes %.0f us; %d kills "
           "lost %s answered writes, of the last %s ms" %
           (commit, FSYNC, us, KILLS, "/".join(str(n) for n, _ in gone),
            "/".join("%.0f" % ms for _, ms in gone)))
    return gone


def on():
    s.same("on: nothing is lost", [0] * KILLS,
           [n for n, _ in measured("on")])


def off():
    gone = measured("off")
    # On a machine that is not in a hurry: the writer may come late.
    s.check("off: the last moments alone", all(
        ms < 3 * WRITER_MS + 300 for _, ms in gone), gone)


def main():
    planted()
    if not servers.Postgres.here():
        s.note("no PostgreSQL here")
        s.finish()
    try:
        on()
        off()
    finally:
        failing.Postgres.forget()
    s.finish()


main()
