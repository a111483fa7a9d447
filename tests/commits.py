#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What synchronous_commit = off gives and takes, by a PostgreSQL that is killed
with all its processes while somebody writes, and comes back: with "on" nothing
that was answered is lost; with "off" the last moments are, at most three times
wal_writer_delay, and never more than the end. Prints what a write takes.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import failing  # noqa: E402
import linear  # noqa: E402
import servers  # noqa: E402
import session as s  # noqa: E402

HISTORY = os.path.join(s.BUILD, "history")
WRITER_MS = 200  # wal_writer_delay, as it is by itself
MS, KILLS = 1200, 3


def written(server, kill):
    """The writes of one process to one key that were answered, in order;
    the server may be killed in the middle."""
    server.ask("TRUNCATE handfast.entry")
    with tempfile.TemporaryFile("w+") as f:
        process = subprocess.Popen([HISTORY, server.uri, "1", "1", str(MS)],
                                   stdout=f)
        try:
            if kill:
                time.sleep(MS / 2000)
                server.crash()
        finally:
            process.wait(timeout=30)
        f.seek(0)
        ops = [op for op in linear.parse(f)[0]
               if op.kind == "swap" and op.result == "ok"]
    ops.sort(key=lambda op: op.end)
    return ops


def there(server):
    """The value that is there, in hexadecimal; "" for none."""
    return server.ask("SELECT encode(value, 'escape') FROM handfast.entry")


def lost(server):
    """The server is killed: how many writes are gone, and of how long."""
    ops = written(server, True)
    server.start()
    value = there(server) or linear.NOTHING
    for n, op in enumerate(reversed(ops)):
        if op.value == value:
            break
    else:
        n = len(ops)
    # One that was not answered may be there.
    if n == len(ops) and value != linear.NOTHING and int(
            value.split(".")[1]) > int(ops[-1].id[1]):
        n = 0
    return n, (ops[-1].end - ops[len(ops) - n].begin) / 1e6 if n else 0.0


def measured(commit):
    server = failing.Postgres(s.PROGRAM, "synchronous_commit=" + commit,
                              "fsync=on")
    try:
        ops = written(server, False)
        us = statistics.median((op.end - op.begin) / 1000 for op in ops)
        gone = [lost(server) for _ in range(KILLS)]
    finally:
        server.stop()
    s.note("synchronous_commit=%s: a write takes %.0f us; %d kills lost %s "
           "answered writes, of the last %s ms" %
           (commit, us, KILLS, "/".join(str(n) for n, _ in gone),
            "/".join("%.0f" % ms for _, ms in gone)))
    return us, gone


def on():
    s.same("on: nothing is lost", [0] * KILLS,
           [n for n, _ in measured("on")[1]])


def off():
    _, gone = measured("off")
    # On a machine that is not in a hurry: the writer may come late.
    s.check("off: the last moments alone", all(
        ms < 3 * WRITER_MS + 300 for _, ms in gone), gone)


def main():
    if not servers.Postgres.here():
        s.skip("no PostgreSQL here")
    try:
        on()
        off()
    finally:
        failing.Postgres.forget()
    s.finish()


main()
