#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""handfast session evict, of a session whose entry its owner writes all the
time: whoever loses that race reads it anew, so often and not more, and says
what came of it. Somebody stands before a Redis and writes, removes or hangs up
between what was read and what was to be removed.
"""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402
from doors import Door, begin, pass_on, reach  # noqa: E402

s = k.s
TRIES = 100  # as cli/session.c says
SESSIONS = 5


def evict(c, sid, store):
    done = c.run("session", "evict", "--store", store, sid)
    return done.returncode, done.stderr.decode()


def busy():
    """Sessions that are written record by record, as fast as it goes."""
    c = k.Cluster()
    c.serve("a", checkpoint="record")
    with open("/dev/zero", "rb") as zeros:
        for _ in range(SESSIONS):
            c.clients.append(subprocess.Popen(
                [s.PROGRAM, "initiate", "--connect", c.to("a"), "--trust",
                 "ca/ca.cert", "--expect", "web", "--identity", "alice.key",
                 "--cert", "alice.cert"], cwd=c.dir, stdin=zeros,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    k.wait_for(lambda: len(c.rows()) == SESSIONS, "sessions")
    for row in c.rows():
        before = c.received()
        k.wait_for(lambda: c.received() > before, "data that arrives")
        s.same("busy: evicted", (0, ""), evict(c, row.split()[0], c.store))
    s.same("busy: none is there", [], c.rows())
    c.close()


class Between(Door):
    """Passes on what a Redis is asked for; before each compare-and-set,
    `work` is called, and what it returns is passed on in its place."""

    def __init__(self, path, work):
        self.there, self.work, self.asked = path, work, 0
        self.path = path + ".between"
        self.uri = "redis://" + self.path
        super().__init__(self.path)

    def take(self, near):
        far = reach(self.there)
        begin(pass_on, far, near)
        pass_on(near, far, self.judge)

    def judge(self, data):
        if b"EVALSHA" in data:
            self.asked += 1
            data = self.work(data, self.asked)
        if not data:
            raise OSError("hung up")
        return data

    def close(self):
        super().close()
        os.unlink(self.path)


def tell(path, *words):
    """A Redis, in its own words."""
    with reach(path) as to:
        to.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return to.recv(1 << 16)


def between():
    """The entry is another one by the time that it is to be removed."""
    if not k.servers.KINDS["redis"].here():
        s.note("no server for redis here")
        return
    c = k.Cluster("redis")
    c.serve("a")
    client = c.client()
    k.say(client, b"first ")
    k.arrived(c, b"first ")
    k.wait_for(lambda: c.owner() == "a", "a stored session")
    c.servers["a"].send_signal(signal.SIGSTOP)
    sid = c.rows()[0].split()[0]
    path = c.store[len("redis://"):]
    key = b"handfast:e:s/" + bytes.fromhex(sid)
    size = int(tell(path, b"STRLEN", key)[1:])

    def written(data, n, until=TRIES):
        if n <= until:
            tell(path, b"SETRANGE", key, b"%d" % (size - 4), b"%04d" % n)
        return data

    def case(what, work, code, words, asked, left):
        there = Between(path, work)
        got, said = evict(c, sid, there.uri)
        there.close()
        s.same("between: %s: exit code" % what, code, got)
        s.check("between: %s: words" % what, words in said and
                (words or not said), said)
        s.same("between: %s: tries" % what, asked, there.asked)
        s.same("between: %s: left" % what, left, len(c.rows()))

    kept = tell(path, b"GET", key).split(b"\r\n", 1)[1][:size]
    case("written each time", written, 8,
         "changed again and again meanwhile", TRIES, 1)
    case("hung up", lambda data, n: written(data, n) if n < 3 else b"", 8,
         "HF_E_STORE", 3, 1)
    case("written three times", lambda data, n: written(data, n, 3), 0, "", 4,
         0)
    tell(path, b"SET", key, kept)

    def removed(data, n):
        tell(path, b"DEL", key)
        return data
    case("removed", removed, 0, "", 1, 0)
    c.close()


def main():
    for test in (busy, between):
        if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
            try:
                test()
            except (TimeoutError, RuntimeError, OSError,
                    subprocess.SubprocessError) as e:
                s.fail("%s: %s" % (test.__name__, e))
    s.finish()


main()
