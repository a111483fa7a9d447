#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Another session in the place of one that could not go on: it begins at the
first byte that was not acked, and no byte arrives twice, wherever in what was
sent that is.
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402
import doors  # noqa: E402

s = k.s
DATA = b"".join(b"%07d\n" % n for n in range(8192))  # no part is as another
RECORD = 16384  # bytes of data in a full one
BIT = 8000  # of a connection, beside whole records: a handshake, and more
REFUSED = bytes([0x82, 8, 1])  # an alert in clear


class Way:
    """The one address that the initiator has. Where it leads, and how many
    bytes of the initiator's pass, is said for one connection after another;
    meanwhile there is none."""

    def __init__(self, c):
        self.c, self.steps, self.ends = c, [], []
        self.door = doors.Door(take=self.take)

    def take(self, near):
        if not self.steps:
            raise OSError("nobody is there")
        to, most = self.steps.pop(0)
        if to is None:
            near.sendall(REFUSED)
            raise OSError("refused")
        far = doors.reach(self.c.path(to + ".sock"))
        self.ends += [near, far]
        doors.begin(doors.pass_on, far, near)
        doors.begin(doors.pass_on, near, far, self.first(most))

    @staticmethod
    def first(most):
        left = [most]

        def change(data):
            data = data[:left[0]]
            left[0] -= len(data)
            return data
        return change

    def leads(self, to, most=1 << 40):
        self.steps.append((to, most))

    def cut(self):
        doors.cut(*self.ends)
        self.ends = []


class Led(k.Cluster):
    def __init__(self):
        super().__init__()
        self.way = Way(self)

    def to(self, name):
        return self.way.door.address

    def client(self, *more, **how):
        return super().client(*more, to=("a",), **how)

    def close(self):
        self.way.door.close()
        self.way.cut()
        super().close()

    def serve_alone(self, name):
        """A server that has no store."""
        self.servers[name] = subprocess.Popen(
            [s.PROGRAM, "respond", "--listen", self.at(name), "--identity",
             name + ".key", "--cert", name + ".cert", "--trust",
             "ca/ca.cert", "--receive", "in"], cwd=self.dir,
            stderr=open(self.path(name + ".log"), "ab"))
        k.wait_for(lambda: self.listens(name), "a socket")

    def forget(self):
        """The store has lost the session."""
        self.do("session", "evict", "--store", self.store,
                self.rows()[0].split()[0])

    def lost(self, n):
        k.wait_for(lambda: self.words().count("continuity lost") == n,
                   "session %d" % (n + 1))

    def parts(self):
        """Where in DATA each file begins, and how long it is."""
        found = []
        for path in self.files():
            with open(path, "rb") as f:
                data = f.read()
            at = DATA.find(data)
            found.append((at, len(data)))
        return sorted(found)


def acked(c, n):
    """So many bytes have arrived, and their ack has come."""
    k.wait_for(lambda: c.received() == n, "%d bytes" % n)
    time.sleep(0.5)


def in_part(records, *more):
    """A session of which so many records of four were acked, and which is
    lost."""
    c = Led()
    for name in "ab":
        c.serve(name, checkpoint="record")
    c.way.leads("a", records * RECORD + BIT)
    client = c.client(*more)
    k.say(client, DATA)
    acked(c, records * RECORD)
    c.way.cut()
    k.wait_for(lambda: "broken" in c.words(), "a broken connection")
    c.forget()
    return c, client


def no_byte_twice():
    c, client = in_part(1)
    c.way.leads("b")
    s.same("no byte twice: exit code", 3, k.ends(client)[0])
    s.check("no byte twice: it is said", "continuity lost "
            "(HF_E_NO_SESSION): of the session before, %d bytes in 1 records "
            "had arrived" % RECORD in c.words(), c.words())
    s.same("no byte twice: the parts",
           [(0, RECORD), (RECORD, len(DATA) - RECORD)], c.parts())
    c.close()


def memory(process):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) << 10


def moves_no_more():
    """The one in its place does not move: nothing is kept for another one, and
    when it is cut off that is the end."""
    c, client = in_part(1)
    c.kill("b")
    c.serve_alone("b")
    c.way.leads("b")
    c.lost(1)
    k.wait_for(lambda: c.received() == len(DATA), "the rest")
    s.same("moves no more: the parts",
           [(0, RECORD), (RECORD, len(DATA) - RECORD)], c.parts())
    before, more = memory(client), bytes(32 << 20)
    k.say(client, more)
    k.wait_for(lambda: c.received() == len(DATA) + len(more), "all of it")
    grown = memory(client) - before
    s.check("moves no more: nothing is kept", s.SAN or grown < len(more) // 2,
            grown)
    c.way.leads("b")
    c.way.cut()
    s.same("moves no more: exit code", 3, k.ends(client)[0])
    s.check("moves no more: the cause", "HF_E_TRUNCATED" in c.words(),
            c.words())
    s.same("moves no more: one was lost", 1,
           c.words().count("continuity lost"))
    s.same("moves no more: nothing came after it", 2, len(c.files()))
    c.close()


def another_certificate():
    """The certificate that is known is that of another server: it is asked
    for, at once, and judged."""
    c, client = in_part(1, "--responder-cert", "a.cert", "--retry",
                        "%ds" % (2 * k.WAIT))
    s.check("another certificate: it was known", "sent hello" not in
            c.words(), c.words())
    for _ in range(2):
        c.way.leads("b")
    c.lost(1)
    s.check("another certificate: it is said", "the responder has another "
            "certificate than a.cert; asking for it" in c.words(), c.words())
    s.same("another certificate: exit code", 3, k.ends(client)[0])
    s.same("another certificate: the parts",
           [(0, RECORD), (RECORD, len(DATA) - RECORD)], c.parts())
    c.close()


def another_name():
    """But nothing is said to one who is not whom it expects."""
    c, client = in_part(1, "--responder-cert", "a.cert", "--retry", "2s")
    c.key("x", "--usage", "responder", "--cluster", "other")
    c.serve_alone("x")
    for _ in range(100):
        c.way.leads("x")
    s.same("another name: exit code", 4, client.wait(timeout=k.WAIT))
    s.check("another name: the cause", "HF_E_NAME" in c.words(), c.words())
    s.check("another name: it was asked for", "asking for it" in c.words(),
            c.words())
    s.same("another name: the parts", [(0, RECORD)], c.parts())
    c.close()


def lost_again():
    """Of a session that was itself in the place of another, it counts what
    was acked of it, not of the one before."""
    c, client = in_part(2)
    c.way.leads("b", RECORD + BIT)
    c.lost(1)
    acked(c, 3 * RECORD)
    c.way.leads(None)
    c.way.leads(None)
    c.way.leads("b")
    c.way.cut()
    s.same("lost again: exit code", 3, k.ends(client)[0])
    s.check("lost again: it is said", "continuity lost (HF_E_REFUSED): of "
            "the session before, %d bytes in 1 records had arrived" %
            RECORD in c.words(), c.words())
    s.same("lost again: the parts",
           [(0, 2 * RECORD), (2 * RECORD, RECORD), (3 * RECORD, RECORD)],
           c.parts())
    c.close()


def over_meanwhile():
    """The session's time ends while it has no connection: who answers then is
    not asked to go on with it, again and again for the rest of --retry."""
    if not os.path.exists(s.CLOCK):
        s.note("over meanwhile: there is no " + s.CLOCK)
        return
    c = k.Cluster()
    c.serve("a", checkpoint="record")
    c.env = dict(os.environ, **s.clock(c.path("here")))
    client = c.client("--no-fallback", "--retry", "%ds" % (2 * k.WAIT))
    k.say(client, b"first")
    acked(c, 5)
    c.kill("a")
    k.wait_for(lambda: "broken" in c.words(), "a broken connection")
    s.jump(c.path("here"), 2 * s.DAY)
    c.env = None
    c.serve("b")
    began = time.monotonic()
    s.same("over meanwhile: exit code", 7, client.wait(timeout=4 * k.WAIT))
    s.check("over meanwhile: at once", time.monotonic() - began < k.WAIT / 2)
    s.same("over meanwhile: words", [
        "handfast: error: unix:b.sock: expired (HF_E_EXPIRED)",
        "handfast: hint: the responder grants a session only so much time"],
        c.words().splitlines()[-2:])
    c.close()


def main():
    for test in (no_byte_twice, lost_again, moves_no_more,
                 another_certificate, another_name, over_meanwhile):
        if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
            try:
                test()
            except (TimeoutError, RuntimeError, OSError,
                    subprocess.SubprocessError) as e:
                s.fail("%s: %s" % (test.__name__, e))
                for c in list(k.Cluster.open):
                    c.close()
    s.finish()


main()
