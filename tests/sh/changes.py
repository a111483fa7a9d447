#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""handfast cluster, twice at the same time: an eviction beside a renewal, or
an admission, by the same key, or by a copy of it as on another machine. The
evicted one is out, all others are in; and who does not get the key in time
says so. And changes in another store than the cluster's.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402

s = k.s
ROUNDS = 20
SECONDS = 30  # as cli/stores.h says


def begin(c, key, word, *more):
    return subprocess.Popen(
        [s.PROGRAM, "cluster", word, "--key", key, "--store", c.store, *more],
        cwd=c.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(process):
    out, err = process.communicate(timeout=2 * k.WAIT + SECONDS)
    return process.returncode, (out + err).decode()


def serial(c, key):
    with open(c.path(key + ".serial"), encoding="ascii") as f:
        return int(f.readline())


def names(c):
    return sorted(line.split()[1] for line in c.do(
        "cluster", "members", "--store", c.store).splitlines())


def grants(c, key="web.key"):
    done = end(begin(c, key, "renew"))
    s.same("grants: exit code", 0, done[0])
    return done[1]


def raced(other_key):
    """Rounds on one store; x is put out in each, y let in in each second."""
    c = k.Cluster()
    for name in "xy":
        c.key(name, "--usage", "responder,server", "--cluster", "web")
    if other_key != "web.key":
        for end_of in (".key", ".cert", ".key.serial"):
            shutil.copy(c.path("web" + end_of), c.path("far" + end_of))
    for n in range(ROUNDS // 2):
        said = "raced: %s: round %d: " % (other_key, n)
        s.same(said + "x is in", 0, c.change("admit", "x").returncode)
        s.same(said + "three", "3 grants\n", grants(c))
        before = serial(c, "web.key")
        word, more, left = (("renew", (), 2),
                            ("admit", ("--cert", "y.cert"), 3))[n % 2]
        both = [begin(c, "web.key", "evict", "--cert", "x.cert"),
                begin(c, other_key, word, *more)]
        for process, what in zip(both, ("evict", word)):
            s.same(said + what, 0, end(process)[0])
        s.same(said + "members", left, len(names(c)))
        s.same(said + "grants", "%d grants\n" % left, grants(c))
        after = max(serial(c, "web.key"), serial(c, other_key))
        s.check(said + "the serial went on",
                after >= before + 1 + n % 2, "%d %d" % (before, after))
        s.same(said + "x is out", 2, c.change("evict", "x").returncode)
        s.same(said + "still", "%d grants\n" % left, grants(c, other_key))
        if n % 2:
            s.same(said + "y goes", 0, c.change("release", "y").returncode)
    c.close()


def one_machine():
    raced("web.key")


def two_machines():
    raced("far.key")


def waits():
    """Who has the key keeps the next one waiting, and not for ever; who only
    reads does not wait."""
    c = k.Cluster()
    with open(c.path("web.key"), "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        late = begin(c, "web.key", "evict", "--cert", "b.cert")
        s.same("waits: reads meanwhile", 2, len(names(c)))
        done = end(late)
        s.same("waits: exit code", 3, done[0])
        s.check("waits: words", "another command has it" in done[1], done[1])
        s.check("waits: so long", SECONDS <= time.monotonic() - began + 0.1,
                "%.1f s" % (time.monotonic() - began))
        s.same("waits: nothing was done", 2, len(names(c)))
        soon = begin(c, "web.key", "renew")
        time.sleep(0.5)
        s.check("waits: it is waiting", soon.poll() is None, "it ended")
    s.same("waits: then it is done", (0, "2 grants\n"), end(soon))
    c.close()


def elsewhere():
    """Another store than the cluster's, by mistake, or one that lost all: the
    command says so, and the right one is as good as before."""
    c = k.Cluster()
    right, c.store = c.store, "lmdb:" + c.path("wrong")
    before = serial(c, "web.key")
    for words in (("renew",), ("rotate",), ("admit", "--cert", "b.cert"),
                  ("evict", "--cert", "b.cert")):
        code, said = end(begin(c, "web.key", *words))
        s.same("elsewhere: %s: exit code" % words[0], 8, code)
        s.check("elsewhere: %s: words" % words[0], "HF_E_ROLLBACK" in said and
                "hint: the store has an older ring than web.key.serial says, "
                "or none: is it that one? See --anew in handfast(1)\n" in
                said, said)
    s.same("elsewhere: nothing is remembered", before, serial(c, "web.key"))
    s.same("elsewhere: --anew is for admit", 2,
           end(begin(c, "web.key", "renew", "--anew"))[0])
    c.store = right
    s.same("elsewhere: then in the right one", "2 grants\n", grants(c))
    # What a change was begun with is there before it is done.
    with open(c.path("web.key.serial"), encoding="ascii") as f:
        seen, used = map(int, f.read().split())
    s.same("elsewhere: the serial of a change", seen, used)
    with open(c.path("web.key.serial"), "w", encoding="ascii") as f:
        f.write("%d\n%d\n" % (seen, used + 5))
    s.same("elsewhere: a renewal ends what was begun", "2 grants\n",
           grants(c))
    s.same("elsewhere: above that", used + 6, serial(c, "web.key"))
    c.store = "lmdb:" + c.path("wrong")
    s.same("elsewhere: anew", 0, end(begin(
        c, "web.key", "admit", "--anew", "--cert", "b.cert"))[0])
    s.same("elsewhere: one", "1 grants\n", grants(c))
    s.same("elsewhere: above all", used + 7, serial(c, "web.key"))
    for bad in ("", "x\n", "1\nx\n", "1\n2\n3\n", "1 2\n"):
        with open(c.path("web.key.serial"), "w", encoding="ascii") as f:
            f.write(bad)
        s.same("elsewhere: %r" % bad,
               (6, "handfast: error: web.key.serial: not a number\n"),
               end(begin(c, "web.key", "renew")))
    c.close()


def main():
    for test in (one_machine, two_machines, waits, elsewhere):
        if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
            began = time.monotonic()
            try:
                test()
            except (TimeoutError, RuntimeError, OSError,
                    subprocess.SubprocessError) as e:
                s.fail("%s: %s" % (test.__name__, e))
                for c in list(k.Cluster.open):
                    c.close()
            s.note("%s: %.1f s" % (test.__name__, time.monotonic() - began))
    s.finish()


main()
