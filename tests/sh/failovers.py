#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Failovers of a store, under real sessions: a Redis whose replica lags is
killed and the replica promoted; a PostgreSQL is killed and its standby, which
follows it asynchronously, promoted; a PostgreSQL that does not wait for its
disk crashes and comes back. A session goes on, with each byte once, or the
client notices, and says so, and begins anew at the first byte that was not
acked. Of all that every process seals it is noted under which key and nonce:
no key is used twice with one nonce for other bytes.

    failovers.py [--runs N] [KIND...]     KIND: redis, postgres, crash
"""
import collections
import os
import random
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402
import failing  # noqa: E402

s = k.s
SEALED = os.path.join(s.BUILD, "tests", "sealed.so")


class Failing(k.Cluster):
    """A cluster on such a store, and a note of all that is sealed."""

    def __init__(self, store):
        super().__init__(store)
        self.env = dict(os.environ, **s.preload(
            SEALED, HANDFAST_SEALED=self.path("sealed")))

    def run(self, *words):
        """A store that has just begun may be slow."""
        for _ in range(5):
            done = super().run(*words)
            if done.returncode != 8:
                break
        return done

    def begin(self):
        for name in "ab":
            self.serve(name, checkpoint="record")
        self.alice = self.client("--retry", "30s")
        self.data = b""
        self.say()
        k.wait_for(lambda: self.owner() == "a", "a stored session")

    def say(self):
        """Some more, that arrives, and is acked if the store lives."""
        self.alice_says(os.urandom(2000))
        k.wait_for(lambda: self.received() >= len(self.data), "data")
        time.sleep(0.4)

    def alice_says(self, more):
        self.data += more
        k.say(self.alice, more)

    def moves(self):
        return self.words().count("moved: epoch")

    def moved(self, n):
        k.wait_for(lambda: self.moves() >= n or self.lost(), "move %d" % n)

    def lost(self):
        return re.findall(r"continuity lost \((\w+)\)", self.words())


# The oracle --------------------------------------------------------------------------


def used_twice(path):
    """How much was sealed, and what under a key and nonce that had been used
    for something else."""
    seen, wrong = {}, []
    with open(path, encoding="ascii") as f:
        for line in f:
            key, nonce, what = line.split()
            if seen.setdefault((key, nonce), what) != what:
                wrong.append(line)
    return len(seen), wrong


def planted():
    """The oracle notices one that is used twice; not one that says the same
    twice."""
    for lines, n in (("a 1 x\na 2 y\nb 1 z\na 1 x\n", 0),
                     ("a 1 x\nb 1 y\na 1 z\n", 1)):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(lines)
            f.flush()
            s.same("planted: %d used twice" % n, n,
                   len(used_twice(f.name)[1]))


# What happens -------------------------------------------------------------------------


def takes_over(c, store):
    """The owner and the store die together; the other server begins, and
    takes the session over, when there is a store again."""
    c.kill("b")
    c.kill("a")
    store.fail()
    c.serve("b", checkpoint="record")
    c.moved(1)


def lagging(c, store):
    """What was acked last never reached the one that is promoted."""
    store.synced()
    store.link.held = True
    c.say()
    takes_over(c, store)


def in_time(c, store):
    """All has reached it."""
    c.say()
    store.synced()
    takes_over(c, store)


def owner_lives(c, store):
    """The owner finds an older state of its own, and writes again; then it is
    killed after all."""
    store.synced()
    store.link.held = True
    c.say()
    store.fail()
    old = store.entry()
    c.say()
    k.wait_for(lambda: store.entry() != old, "a state that is written again")
    time.sleep(0.5)
    c.kill("a")
    c.moved(1)


def moved_since(c, store):
    """The session had moved, and that is not known any more: what is there is
    of an epoch that is over."""
    store.synced()
    store.link.held = True
    c.kill("a")
    c.moved(1)
    c.say()
    c.kill("b")
    store.fail()
    c.serve("a", checkpoint="record")
    k.wait_for(lambda: c.lost() or c.moves() > 1, "an end")


def at_any_time(c, store):
    """The store dies in the middle of a takeover, with some lag."""
    store.link.lag = random.choice((0, 0.002, 0.02, 0.2))
    c.say()
    c.alice_says(os.urandom(20000))
    time.sleep(random.uniform(0, 0.1))
    c.kill("a")
    time.sleep(random.uniform(0, 0.03))
    store.fail()
    c.moved(1)


ON, BACK, OVER = "goes on", "HF_E_ROLLBACK", "HF_E_NO_SESSION"
AWAY = "HF_E_STORE"
# What happens, and what may come of it.
CASES = ((lagging, (BACK,)), (in_time, (ON,)), (owner_lives, (ON,)),
         (moved_since, (OVER,)), (at_any_time, (ON, BACK, OVER, AWAY)))


def crashes(c, store):
    """It crashes with what it had not written, and comes back."""
    time.sleep(0.5)
    c.kill("b")
    c.alice_says(os.urandom(2000))
    k.wait_for(lambda: c.received() >= len(c.data), "data")
    time.sleep(random.choice((0, 0.15, 1.5)))
    c.kill("a")
    store.crash()
    store.start()
    c.serve("b", checkpoint="record")
    c.moved(1)


# Each run ------------------------------------------------------------------------------


def judge(c, what, may):
    """What came of it, when all is said."""
    c.alice_says(os.urandom(3000))
    code, _ = k.ends(c.alice)
    lost = c.lost()
    verdict = lost[0] if lost else ON
    s.check(what + ": may be", verdict in may, verdict, c.words()[-1500:])
    s.same(what + ": exit code", 3 if lost else 0, code)
    s.same(what + ": handshakes", 1 + len(lost), k.handshakes(c))
    parts = [open(f, "rb").read() for f in c.files()]
    parts.sort(key=lambda part: not c.data.startswith(part))
    s.same(what + ": files", 1 + len(lost), len(parts))
    s.check(what + ": the first is what was sent",
            c.data.startswith(parts[0]), len(parts[0]))
    if lost:
        s.check(what + ": the second is the rest", c.data.endswith(parts[-1])
                and len(parts[0]) + len(parts[-1]) >= len(c.data),
                [len(part) for part in parts], len(c.data))
        s.same(what + ": from where it says", len(c.data) - len(parts[-1]),
               int(re.search(r"(\d+) bytes in \d+ records had arrived",
                             c.words()).group(1)))
    else:
        s.same(what + ": each byte once", len(c.data), len(parts[0]))
    return verdict


def run(what, store, happens, may, total):
    try:
        c = Failing(store)
    except RuntimeError:
        for c in list(k.Cluster.open):
            c.close()
        raise
    try:
        c.begin()
        happens(c, store)
        verdict = judge(c, what, may)
        n, wrong = used_twice(c.path("sealed"))
        s.check(what + ": something was sealed", n >= 10, n)
        s.same(what + ": no key and nonce twice", [], wrong)
        total["sealed"] += n
        total[verdict] += 1
        print("%s: %s" % (what, verdict))
    finally:
        c.close()


def crash_store():
    return failing.Postgres(s.PROGRAM, "synchronous_commit=off",
                            "wal_writer_delay=400ms")


MAKE = {"redis": failing.RedisPair,
        "postgres": lambda: failing.PostgresPair(s.PROGRAM),
        "crash": crash_store}
HERE = {"redis": failing.RedisPair, "postgres": failing.PostgresPair,
        "crash": failing.PostgresPair}


def runs(kind, n):
    if not HERE[kind].here():
        s.note("%s: no server here" % kind)
        return
    total, began = collections.Counter(), time.monotonic()
    for i in range(n):
        happens, may = (crashes, (ON, BACK)) if kind == "crash" else \
            CASES[i % len(CASES)]
        what = "%s %d, %s" % (kind, i + 1, happens.__name__)
        try:
            run(what, MAKE[kind](), happens, may, total)
        except (TimeoutError, RuntimeError, OSError) as e:
            s.fail("%s: %s" % (what, e))
    sealed = total.pop("sealed", 0)
    s.note("%s: %d failovers: %s; %d times sealed, no key and nonce twice; "
           "%.0f s" % (kind, n, ", ".join(
               "%d %s%s" % (count, v, "" if v == ON else
                            " and a handshake")
               for v, count in sorted(total.items())), sealed,
               time.monotonic() - began))


def main():
    words, n = sys.argv[1:], 2
    if "--runs" in words:
        at = words.index("--runs")
        n = int(words[at + 1])
        del words[at:at + 2]
    try:
        planted()
        for kind in words or MAKE:
            runs(kind, n)
    finally:
        failing.Postgres.forget()
    s.finish()


main()
