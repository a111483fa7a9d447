# SPDX-License-Identifier: ISC
"""What the parts of tests/load share: crowds as processes (crowd.c), what a
responder's process takes of this machine, and the tokens, good and spoilt,
that a crowd shows. It judges nothing.
"""
import base64
import ctypes
import json
import os
import resource
import select
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session  # noqa: E402
from session import House, field, items, pem  # noqa: E402

CROWD = os.path.join(session.BUILD, "crowd")
GOOD = ("certificate:alice", "password:bob:password", "ticket:carol.ticket")
BAD = ("password:eve:wrong", "password:bob:wrong", "ticket:forged.ticket",
       "certificate:spoilt")
FLOODER, FRIENDS, MANY = 77, 2, 256  # 127.0.0.77, .2 to .5, and 127.0.1.x


def block(label, data):
    text = base64.b64encode(data).decode()
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n" % (
        label, "\n".join(text[i:i + 64] for i in range(0, len(text), 64)),
        label)


def spoil(house):
    """Tokens that no responder takes: a wrong password, a ticket with another
    tag, a certificate with another signature."""
    house.write("wrong", "no such horse\n")
    ticket = bytearray(pem("carol.ticket"))
    ticket[items(ticket)[1][1] - 1] ^= 1
    house.write("forged.ticket", block("HANDFAST TICKET", bytes(ticket)))
    cert = bytearray(pem("alice.cert"))
    cert[-1] ^= 1
    house.write("spoilt.cert", block("HANDFAST CERTIFICATE", bytes(cert)))
    house.write("spoilt.key", open("alice.key").read())


class Crowd:
    """Peers of these kinds at a responder, from one address on. Some are in
    the background: they stand for machines elsewhere."""

    def __init__(self, responder, source, *kinds, sources=1, seconds=60,
                 stay=False, background=False, **options):
        words = [CROWD, "--port", str(responder.port), "--from", str(source),
                 "--sources", str(sources), "--seconds", str(seconds)]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        words += ["--stay"] * stay + ["--background"] * background
        self.seconds = seconds
        self.events = []
        self.p = subprocess.Popen(
            words + list(kinds), stdout=subprocess.PIPE, bufsize=0,
            stdin=subprocess.PIPE if stay else subprocess.DEVNULL)
        self.text, self.result = b"", None

    def read(self, until):
        """The next line, or None when there was none in time."""
        while b"\n" not in self.text:
            left = until - time.time()
            if left <= 0 or not select.select([self.p.stdout], [], [],
                                              left)[0]:
                return None
            part = self.p.stdout.read(65536)
            if not part:
                return None
            self.text += part
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)

    def event(self, name, seconds=30):
        """Waits for what it tells: how many, or None."""
        until = time.time() + seconds
        while (e := self.read(until)) is not None:
            if e["event"] == name:
                return e["n"]
        return None

    def again(self):
        self.p.stdin.write(b"again\n")

    def end(self):
        """What became of them, by kind; None when it did not say so."""
        if self.p.stdin:
            self.p.stdin.close()
        until = time.time() + self.seconds + 40
        while self.result is None and (e := self.read(until)) is not None:
            self.result = e if e["event"] == "end" else None
        if self.result is None:
            self.p.kill()
        self.p.wait()
        return self.result


def total(result, what):
    return sum(k[what] for k in result["kinds"].values())


def sorts(result, what):
    """By the kind's token, or its name."""
    return {name.split(":")[1] if ":" in name else name: k[what]
            for name, k in result["kinds"].items()}


def rss(responder):
    """Kilobytes."""
    with open("/proc/%d/status" % responder.process.pid) as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmRSS:"))


def files(responder):
    return len(os.listdir("/proc/%d/fd" % responder.process.pid))


def cpu(responder):
    """Seconds of processor time, so far."""
    with open("/proc/%d/stat" % responder.process.pid) as f:
        part = f.read().rpartition(")")[2].split()
    return (int(part[11]) + int(part[12])) / os.sysconf("SC_CLK_TCK")


def busy(responder, seconds=1.5):
    """The part of a processor that it takes, over so long."""
    before, begun = cpu(responder), time.time()
    time.sleep(seconds)
    return (cpu(responder) - before) / (time.time() - begun)


def until(what, seconds=10):
    end = time.time() + seconds
    while not what():
        if time.time() > end:
            return False
        time.sleep(0.02)
    return True


def descriptors():
    """How many one process may have open here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def small_pages():
    """What is measured is memory that is written to: a kernel that gives pages
    of 2 MiB to everybody must not, here or to what is started from here."""
    disable = 41  # PR_SET_THP_DISABLE
    if ctypes.CDLL(None, use_errno=True).prctl(disable, 1, 0, 0, 0) != 0:
        session.note("no say in the size of pages: %s" %
                     os.strerror(ctypes.get_errno()))


def prepared():
    """A house with all tokens."""
    small_pages()
    if not os.access(CROWD, os.X_OK):
        session.skip("no program at " + CROWD)
    house = House()
    spoil(house)
    return house


def sessions(responder, source=None):
    """Its log lines of sessions, all or those from one address."""
    return [x for x in responder.log() if x.startswith("event=session ") and
            (source is None or field(x, "from").startswith(source + ":"))]


def served(responder, n=30):
    """A few good peers, so that all is there that stays. Descriptors and
    memory at rest."""
    Crowd(responder, FRIENDS, *["serve:" + x for x in GOOD], sources=4,
          count=n, at_once=10).end()
    until(lambda: len(sessions(responder)) >= n)
    return files(responder), rss(responder)


def whole(part):
    """What a part returns. One that does not come to its end has failed."""
    try:
        return part()
    except Exception:
        session.fail("a part ended early", traceback.format_exc())
        return None
