#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The key that an initiator's next takeover shows is made beforehand, by
itself: once, however much is said meanwhile; when what was to be said has been
said; it is the one that the takeover uses; and nothing of it stays.
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402

s = k.s
SPARE = os.path.join(s.BUILD, "tests", "spare.so")
MOVES = 3
WHILE = 0.5  # seconds that data flows


def pairs(c):
    """How many key pairs it has made, of which the first is the request's."""
    return c.words().count("spare: pair")


def waited(c, n):
    """So many, in time, or what there are."""
    until = time.monotonic() + 5
    while pairs(c) < n and time.monotonic() < until:
        time.sleep(0.01)
    return pairs(c)


def flows(c, client):
    data, until = b"", time.monotonic() + WHILE
    while time.monotonic() < until:
        more = os.urandom(500)
        k.say(client, more)
        data += more
        time.sleep(0.001)
    return data


def begun(*more):
    """A session of an initiator that is watched."""
    c = k.Cluster()
    for name in "ab":
        c.serve(name, checkpoint="record")
    c.env = dict(os.environ, **s.preload(SPARE))
    client, c.env = c.client(*more), None
    return c, client


def nothing_stays(c, what):
    kept = re.search(r"spare: looked for (\d+), found (\d+)", c.words())
    s.check(what + ": nothing of it stays", kept and kept.group(2) == "0",
            c.words())


def spare():
    c, client = begun()
    s.same("spare: made beforehand", 2, waited(c, 2))
    data = flows(c, client)
    for n in range(1, MOVES + 1):
        s.same("spare: once, move %d" % n, n + 1, pairs(c))
        k.arrived(c, data)
        name = c.owner()
        c.kill(name)
        k.wait_for(lambda: c.words().count("moved: epoch") == n, "a move")
        c.serve(name, checkpoint="record")
        s.same("spare: made again, move %d" % n, n + 2, waited(c, n + 2))
        data += flows(c, client)
    s.same("spare: exit code", 0, k.ends(client)[0])
    k.whole(c, "spare", data)
    moves = re.findall(r"(?s)broken: .*?moved: epoch", c.words())
    s.same("spare: moves", MOVES, len(moves))
    s.same("spare: the takeover uses it", [],
           [m for m in moves if "spare: pair" in m])
    # A loop that was late has its timer before it waits: not each time.
    waits = [int(n) for n in re.findall(r"spare: pair \d+, waits (\d+)",
                                        c.words())]
    s.check("spare: nobody waits for it", any(waits[1:]), waits)
    nothing_stays(c, "spare")
    c.close()


def given_up():
    """A session that found nobody to go on with it."""
    c, client = begun("--retry", "1s")
    k.say(client, b"first")
    k.arrived(c, b"first")
    s.same("given up: made beforehand", 2, waited(c, 2))
    k.wait_for(c.owner, "a stored session")
    for name in sorted("ab", key=lambda name: name == c.owner()):
        c.kill(name)
    s.same("given up: exit code", 3, client.wait(timeout=k.WAIT))
    nothing_stays(c, "given up")
    c.close()


def main():
    for test in (spare, given_up):
        if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
            try:
                test()
            except (TimeoutError, RuntimeError, OSError,
                    subprocess.SubprocessError) as e:
                s.fail("%s: %s" % (test.__name__, e))
    s.finish()


main()
