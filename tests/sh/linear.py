#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Each store does one thing after the other: the history of several processes
that get, compare and set is recorded, and judged by tests/linear.py. Also
while the store is stopped, its connections are cut, and a process is killed in
the middle of what it does. What the judge must notice is planted: by hand, and
by a replica that is promoted without what it had not heard of.
"""
import collections
import os
import random
import shutil
import signal
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
PROCESSES, KEYS, MS = 5, 3, 2500


# What must be noticed --------------------------------------------------------------


def ops(text):
    """BEGIN END PROCESS OPERATION, a line each; an END of "-" never came."""
    lines = []
    for n, line in enumerate(text.strip().splitlines()):
        begin, end, who, what = line.split(None, 3)
        op, _, result = what.partition(" = ")
        lines.append("%s %d i %s %s" % (who, n, begin, op))
        if end != "-":
            lines.append("%s %d r %s %s" % (who, n, end, result))
    return linear.parse(lines)[0]


BEGUN = "0 1 a swap k - 1 = HF_OK\n"
RIGHT = {
    "a get while it changes": """
        2 6 a swap k 1 2 = HF_OK
        3 4 b get k = HF_OK 1
        4 5 b get k = HF_OK 2""",
    "a refused one while it changes": """
        2 6 a swap k 1 2 = HF_OK
        3 4 b swap k 2 3 = HF_E_FENCED
        5 7 b swap k 2 3 = HF_OK
        8 9 a get k = HF_OK 3""",
    "one that fails, and did happen later": """
        2 3 a swap k 1 2 = HF_E_STORE
        4 5 b get k = HF_OK 1
        6 7 b get k = HF_OK 2""",
    "one that fails, and never happened": """
        2 3 a swap k 1 2 = HF_E_STORE
        4 5 b swap k 1 3 = HF_OK
        6 7 b get k = HF_OK 3""",
    "one that never ended": """
        2 - a swap k 1 2
        4 5 b swap k 1 3 = HF_E_FENCED
        6 7 b get k = HF_OK 2""",
    "a get that fails tells nothing": """
        2 3 a swap k 1 - = HF_OK
        4 5 b get k = HF_E_STORE -
        6 7 b get k = HF_E_NO_SESSION -
        8 9 b swap k - 2 = HF_OK""",
}
WRONG = {
    "a stale read": """
        2 3 a swap k 1 2 = HF_OK
        4 5 b get k = HF_OK 1""",
    "two reads that go back": """
        2 9 a swap k 1 2 = HF_OK
        3 4 b get k = HF_OK 2
        5 6 c get k = HF_OK 1""",
    "a write that is lost": """
        2 3 a swap k 1 2 = HF_OK
        4 5 b swap k 1 3 = HF_OK""",
    "two that win at once": """
        2 5 a swap k 1 2 = HF_OK
        3 4 b swap k 1 3 = HF_OK""",
    "a refused one that happened": """
        2 3 a swap k 1 2 = HF_E_FENCED
        4 5 b get k = HF_OK 2""",
    "one that is refused for nothing": """
        2 3 a swap k 1 2 = HF_E_FENCED
        4 5 a swap k 1 2 = HF_OK""",
    "a value that nobody wrote": """
        2 3 a get k = HF_OK 7""",
    "a failed one that happens before it begins": """
        2 3 b get k = HF_OK 2
        4 5 a swap k 1 2 = HF_E_STORE""",
    "a failed one that happens twice": """
        2 3 a swap k 1 2 = HF_E_STORE
        4 5 b swap k 2 1 = HF_OK
        6 7 b get k = HF_OK 1
        8 9 b get k = HF_OK 2""",
    "an entry that was removed": """
        2 3 a swap k 1 - = HF_OK
        4 5 b get k = HF_OK 1""",
    "a session that is lost": """
        2 3 b get k = HF_E_NO_SESSION -""",
}


def planted():
    for name, text in RIGHT.items():
        s.same("planted: right: " + name, [],
               linear.judge(ops(BEGUN + text.lstrip())))
    for name, text in WRONG.items():
        s.same("planted: wrong: " + name, 1,
               len(linear.judge(ops(BEGUN + text.lstrip()))))
        # Among others, on another key, it is noticed too.
        other = (BEGUN + text.lstrip()).replace(" k ", " k2 ")
        s.same("planted: among others: " + name, ["k2"], [
            op.key for op in linear.judge(ops(BEGUN + other))])


# Real ones ----------------------------------------------------------------------------


def record(uri, during=lambda process: None, ms=MS):
    """A history, while something happens."""
    with tempfile.TemporaryFile("w+") as f:
        process = subprocess.Popen(
            [HISTORY, uri, str(PROCESSES), str(KEYS), str(ms)], stdout=f)
        try:
            time.sleep(0.5)
            during(process)
        finally:
            code = process.wait(timeout=60)
        f.seek(0)
        found, counts = linear.parse(f)
    s.same("its exit code", 0, code)
    return found, counts


def judged(what, uri, during=lambda process: None, unknown=0, ms=MS):
    found, counts = record(uri, during, ms)
    bad = linear.judge(found)
    s.same(what + ": one after the other", [], bad)
    total = collections.Counter(op.result for op in found)
    s.check(what + ": enough", total["ok"] > 50 and total["fenced"] > 10,
            counts)
    s.check(what + ": some failed", total["unknown"] >= unknown, counts)
    s.note("%s: %d operations, %d refused, %d of which nobody knows" %
           (what, len(found), total["fenced"], total["unknown"]))


def lmdb():
    folder = tempfile.mkdtemp(prefix="handfast-linear.")
    try:
        judged("lmdb", "lmdb:" + folder + "/db")

        def kill(process):
            for pid in servers.children(process.pid)[:2]:
                time.sleep(random.uniform(0, 0.1))
                os.kill(pid, signal.SIGKILL)
        judged("lmdb, killed", "lmdb:" + folder + "/db2", kill)

        def stop(process):
            pid = servers.children(process.pid)[0]
            for _ in range(2):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.7)
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.2)
        judged("lmdb, stopped", "lmdb:" + folder + "/db3", stop)
    finally:
        shutil.rmtree(folder)


def engine(name, cut, sweep):
    server = servers.KINDS[name](s.PROGRAM)
    try:
        judged(name, server.uri)
        sweep(server)

        def stop(_):
            for _ in range(2):
                server.signal(signal.SIGSTOP)
                time.sleep(0.6)
                server.signal(signal.SIGCONT)
                time.sleep(0.2)
        # Whoever was stopped goes on slowly, beside others.
        judged(name + ", stopped", server.uri, stop, unknown=2, ms=2 * MS)
        sweep(server)

        def cuts(_):
            for _ in range(6):
                cut(server)
                time.sleep(0.2)
        judged(name + ", cut", server.uri, cuts)
    finally:
        server.stop()


def redis():
    def tell(server, *words):
        subprocess.run(["redis-cli", "-s", server.uri[len("redis://"):],
                        *words], check=True, stdout=subprocess.DEVNULL)
    engine("redis", lambda server: tell(server, "client", "kill", "type",
                                        "normal"),
           lambda server: tell(server, "flushall"))


def postgres():
    def ask(server, words):
        server.sql(server.uri.replace("user=server", "user=postgres"), words)
    engine("postgres", lambda server: ask(
        server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = 'server'"),
        lambda server: ask(server, "TRUNCATE handfast.entry"))


def failover():
    """What a lagging replica had not heard of is lost: that is no store that
    does one thing after the other, and the judge says so."""
    pair = failing.RedisPair()
    try:
        def fail(_):
            pair.link.held = True
            time.sleep(0.5)
            pair.fail()
        found, counts = record(pair.uri, fail)
        s.check("failover: it is noticed", linear.judge(found) != [], counts)
    finally:
        pair.stop()


def main():
    names = sys.argv[1:]
    for test in (planted, lmdb, redis, postgres, failover):
        if names and test.__name__ not in names:
            continue
        of = servers.KINDS.get("redis" if test is failover else
                               test.__name__)
        if of is not None and not of.here():
            s.note("no server for %s here" % test.__name__)
            continue
        try:
            test()
        except (TimeoutError, RuntimeError, OSError,
                subprocess.SubprocessError) as e:
            s.fail("%s: %s" % (test.__name__, e))
    s.finish()


main()
