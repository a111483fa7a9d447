#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What is done to a dispatcher by those who mean it no good, and by servers
that fail: a slow drip, a first message too large, ids that are made up or
made to fall together, descriptors that run out, servers that die while a
session moves, ends of streams one way, questions of another user.
"""
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from dispatching import Stage, ends, opened, play, say, wait_for  # noqa: E402

REFUSED = b"\x82\x08\x01"
HELLO = bytes([0x86, 0, 1, 0x82, 1, 2, 0x60, 0xf6, 0xa0])


def dial(g):
    c = socket.socket(socket.AF_UNIX)
    c.settimeout(20)
    c.connect(g.path("d.sock"))
    return c


def all_of(c):
    """All that comes until the end."""
    data = b""
    try:
        while True:
            more = c.recv(65536)
            if not more:
                return data
            data += more
    except ConnectionError:
        return data + b"(reset)"


def resume(sid, target=b""):
    return (b"\x8b\x06\x01\x50" + sid + b"\x00\x01" +
            bytes([0x60 + len(target)]) + target + b"\x58\x20" +
            os.urandom(32) + b"\xf6\xf6\xa0\x50" + os.urandom(16))


def works(g, what):
    """An honest client is served."""
    client = g.client()
    say(client, b"honest")
    s.same(what + ": an honest client", 0, ends(client))


def slow_drip():
    """A byte a time, or none: closed when the header's time is over, and no
    more of one source than its share; others are served meanwhile."""
    g = Stage({"a": []}, **{"header-ms": 1500, "source-connections": 300})
    some = [dial(g) for _ in range(290)]
    began = time.monotonic()
    works(g, "slow drip")
    for c in some[:100]:
        c.send(HELLO[:1])
    for at in range(1, 4):
        time.sleep(0.3)
        for c in some[:100]:
            c.send(HELLO[at:at + 1])
    got = {all_of(c) for c in some}
    s.check("slow drip: closed without a word", got <= {b"", b"(reset)"},
            got)
    s.check("slow drip: in time", time.monotonic() - began < 10)
    s.same("slow drip: counted", 290, g.status()["late"])
    some = [dial(g) for _ in range(320)]
    wait_for(lambda: g.status()["refused_source"] >= 20, "those beyond")
    s.check("slow drip: of one source", g.status()["connections"] <= 300)
    for c in some:
        c.close()
    wait_for(lambda: g.status()["connections"] == 0, "none left")
    works(g, "slow drip, after it")
    g.close()


def first_frame():
    """A first message that is too large, or none at all: an alert at the
    head that says so, and nothing of it is kept."""
    g = Stage({"a": []})
    for name, data, answer in (
            ("too large", b"\x86\x00\x01\x9a\x01\x00\x00\x00", REFUSED),
            ("a string", b"\x8a\x03\x01\x5a\x00\x01\x00\x00", REFUSED),
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n", REFUSED),
            ("TLS", bytes.fromhex("1603010200010001fc0303"), REFUSED),
            ("an offer", b"\x86\x01\x01\x01\x80\x40\xa0", REFUSED),
            ("a record", b"\x82\x10\x41\x00", REFUSED),
            ("a version", b"\x86\x00\x02\x82\x01\x02\x60\xf6\xa0", REFUSED),
            ("a critical one", b"\x86\x00\x01\x81\x01\x60\xf6\xa1\x20\x40",
             REFUSED)):
        c = dial(g)
        c.sendall(data)
        s.same("first frame: " + name, answer, all_of(c))
    with open("/proc/%d/statm" % g.running["d"].pid) as f:
        before = int(f.read().split()[1])
    some = [dial(g) for _ in range(200)]
    for c in some:
        c.sendall(b"\x86\x00\x01\x59\x3f\x00" + bytes(12000))
    time.sleep(0.5)
    with open("/proc/%d/statm" % g.running["d"].pid) as f:
        grown = (int(f.read().split()[1]) - before) * 4096
    s.check("first frame: memory", s.SAN or grown < 200 * 70000, grown)
    for c in some:
        c.close()
    works(g, "first frame")
    g.close()


class Fake:
    """A server that takes connections, hears a message and goes: it answers
    a check of its health."""

    def __init__(self, g, name):
        self.taken = 0
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(g.path(name + ".sock"))
        self.sock.listen(64)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            c.settimeout(2)
            try:
                data = c.recv(65536)
                if data[:2] == b"\x86\x00":
                    c.sendall(b"\x82\x02\x41\x00")
                elif data:
                    self.taken += 1
            except OSError:
                pass
            c.close()


def dies_in_transfer():
    """The server that is to take a session over goes when it has heard the
    resume: another takes it, and the client does not notice."""
    g = Stage({"a": [], "b": []})
    g.targets["x"] = []
    fake = Fake(g, "x")
    g.configure()
    g.kill("d")
    g.kill("b")
    g.dispatch()
    wait_for(lambda: [x["up"] for x in g.status()["servers"]] ==
             [True, False, True], "who is up")
    # Of three at the same time one finds that x has the fewest.
    clients = [g.client("--responder-cert", "a.cert") for _ in range(3)]
    opened(g, *clients)
    for client in clients:
        say(client, b"first ")
    wait_for(lambda: g.owners() == ["a"] * 3 and
             g.received() == [b"first "] * 3, "stored sessions")
    g.serve("b")
    wait_for(lambda: all(x["up"] for x in g.status()["servers"]), "all up")
    for name in "ab" * 3:
        other = "b" if name == "a" else "a"
        before = [g.words(c).count("moved: epoch") for c in clients]
        g.kill(name)
        for n, client in enumerate(clients):
            wait_for(lambda: g.words(client).count("moved: epoch") >
                     before[n], "a move")
        wait_for(lambda: g.owners() == [other] * 3, "the other one")
        g.serve(name)
        wait_for(lambda: all(x["up"] for x in g.status()["servers"]), "up")
    for client in clients:
        say(client, b"second")
        s.same("dies in transfer: exit code", 0, ends(client))
    s.same("dies in transfer: what arrived", [b"first second"] * 3,
           g.received())
    s.same("dies in transfer: handshakes", 3, g.shaken())
    s.check("dies in transfer: it was tried", fake.taken > 0)
    fake.sock.close()
    g.close()


def one_way():
    """An end one way, a reset, a server that is gone: both sides are freed,
    in bounded time."""
    g = Stage({"a": []}, **{"header-ms": 2000, "answer-ms": 1000})
    for n in range(30):
        c = dial(g)
        if n % 3 == 0:
            c.shutdown(socket.SHUT_WR)
        elif n % 3 == 1:
            c.sendall(HELLO)
            c.shutdown(socket.SHUT_WR)
        else:
            c.sendall(HELLO)
            c.close()
    wait_for(lambda: g.status()["connections"] == 0 and g.on("a") == 0,
             "none left", 15)
    s.ok("one way: before a session")
    told, untold = g.client(), g.client(told=False)
    opened(g, told, untold)
    g.running["a"].send_signal(signal.SIGSTOP)
    told.kill()
    untold.kill()
    wait_for(lambda: g.status()["connections"] <= 2, "ends", 15)
    g.running["a"].send_signal(signal.SIGCONT)
    wait_for(lambda: g.status()["connections"] == 0, "none left", 45)
    s.ok("one way: in a session")
    works(g, "one way")
    g.close()


def descriptors():
    """No descriptors are left: who is there goes on, who comes waits, and
    then comes in."""
    g = Stage({"a": []}, **{"header-ms": 3000})
    g.kill("d")
    d = subprocess.Popen(
        ["prlimit", "--nofile=64:64", s.PROGRAM, "dispatch", "--config",
         "d.conf"], cwd=g.dir, stderr=open(g.path("d.log"), "ab"))
    g.running["d"] = d
    wait_for(lambda: os.path.exists(g.path("d.ctl")), "a control socket")
    client = g.client()
    say(client, b"before ")
    wait_for(lambda: g.received() == [b"before "], "data")
    some = [dial(g) for _ in range(100)]
    time.sleep(0.3)
    say(client, b"meanwhile ")
    wait_for(lambda: g.received() == [b"before meanwhile "], "data")
    s.ok("descriptors: who is there goes on")
    wait_for(lambda: all_of(some[0]) is not None, "the first one's end")
    for c in some:
        c.close()
    say(client, b"after")
    s.same("descriptors: exit code", 0, ends(client))
    works(g, "descriptors")
    s.same("descriptors: it lives", None, d.poll())
    g.close()


def forged():
    """Ids that nobody has, and one that somebody has: one question to the
    store each, the same answer in the same bytes, nobody's session moved."""
    g = Stage({"a": [], "b": []})
    client = g.client()
    say(client, b"mine ")
    wait_for(lambda: g.received() == [b"mine "] and g.owners(), "a session")
    before = g.rows()
    sid = bytes.fromhex(before[0].split()[0])
    answers = set()
    for n in range(40):
        c = dial(g)
        c.sendall(resume(os.urandom(16)))
        answers.add(c.recv(100))
        c.close()
    s.same("forged: one answer", {b"\x82\x08\x04"}, answers)
    s.same("forged: one question each", 40, g.status()["lookups"])
    s.same("forged: found", 0, g.status()["lookups_found"])
    c = dial(g)
    c.sendall(resume(sid))
    s.same("forged: a real id, no secret", REFUSED, c.recv(100))
    c.close()
    s.same("forged: nothing has moved", before, g.rows())
    c = dial(g)
    c.sendall(resume(sid, b"elsewhere"))
    s.same("forged: for another target", REFUSED, c.recv(100))
    c.close()
    say(client, b"still")
    s.same("forged: exit code", 0, ends(client))
    s.same("forged: what arrived", [b"mine still"], g.received())
    g.close()


def piled_up():
    """Ids and targets that were chosen fall on one server as little as
    others do."""
    for balance in ("least", "hash"):
        names = "abce"
        g = Stage({n: [] for n in names}, balance=balance)
        some = []
        for n in range(80):
            c = dial(g)
            c.sendall(resume(n.to_bytes(16, "big")))
            c.recv(100)
            some.append(c)
        on = [g.on(n) for n in names]
        if balance == "least":
            s.same("piled up: least", [20] * 4, on)
        else:
            # All are of one source and one target: one server, and that one
            # is nobody's to choose.
            s.same("piled up: by source", [0, 0, 0, 80], sorted(on))
        for c in some:
            c.close()
        g.close()


def questions():
    """Who is not this user neither learns anything nor drains a server."""
    g = Stage({"a": []})
    path = g.path("d.ctl")
    s.same("questions: mode", 0o600, os.stat(path).st_mode & 0o777)
    if os.geteuid() != 0:
        s.note("not root: nobody else asked")
        g.close()
        return
    os.chmod(g.dir, 0o711)
    nobody = pwd.getpwnam("nobody")
    ask = [sys.executable, "-c", """
import socket, sys
c = socket.socket(socket.AF_UNIX)
try:
    c.connect(sys.argv[1])
    c.sendall(sys.argv[2].encode() + b"\\n")
    got = c.recv(100)
except OSError as e:
    got = e.strerror.encode()
sys.stdout.write(got.decode())
"""]
    for mode, answers in ((0o600, {"Permission denied"}),
                          (0o666, {"", "Broken pipe",
                                   "Connection reset by peer"})):
        os.chmod(path, mode)
        for word in ("status", "drain a"):
            done = subprocess.run(
                [*ask, path, word], user=nobody.pw_uid, group=nobody.pw_gid,
                extra_groups=[], capture_output=True, timeout=30)
            s.check("questions: %o %s" % (mode, word),
                    done.stdout.decode() in answers, done)
    s.same("questions: nobody drained", False,
           g.status()["servers"][0]["draining"])
    for line in (b"x" * 5000, b"\n", b"drain\n", b"status" * 100 + b"\n"):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(20)
        c.connect(path)
        c.sendall(line)
        got = all_of(c)
        s.check("questions: nonsense", b"{" not in got, got)
    some = []
    for _ in range(20):
        c = socket.socket(socket.AF_UNIX)
        c.connect(path)
        some.append(c)
    time.sleep(2.5)
    for c in some:
        c.close()
    s.same("questions: after those who say nothing", True,
           g.status()["servers"][0]["up"])
    g.close()


play([slow_drip, first_frame, dies_in_transfer, one_way, descriptors, forged,
      piled_up, questions])
