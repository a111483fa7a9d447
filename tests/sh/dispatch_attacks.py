#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What is done to a dispatcher by those who mean it no good, and by servers
that fail: a slow drip, a first message too large, ids that are made up or
made to fall together, descriptors that run out, servers that die while a
session moves, ends of streams one way, questions of another user.
"""
import os
import pwd
import re
import resource
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
    c.connect(g.path("d.sock"))  # waits where the line is full
    c.settimeout(20)
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


CROWD = 5000


def crowd():
    """5,000 sockets that drip: honest clients are served in between, and all
    are closed in time."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 2 * CROWD + 100:
        s.note("a limit of %d descriptors: no crowd" % hard)
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Long enough for all of them to be there at once.
    g = Stage({"a": []}, **{"header-ms": 15000,
                            "source-connections": 2 * CROWD})
    some, began = [], time.monotonic()
    for n in range(CROWD):
        some.append(dial(g))
        if n % 2:
            some[-1].send(HELLO[:1])
    wait_for(lambda: g.status()["connections"] == CROWD, "all of them")
    took = time.monotonic()
    works(g, "5,000 that drip")
    took = time.monotonic() - took
    s.check("5,000 that drip: an honest client's time", took < 5, took)
    for c in some[1::2]:
        c.send(HELLO[1:2])
    s.same("5,000 that drip: still there", CROWD,
           g.status()["connections"])
    got = {all_of(c) for c in some}
    s.check("5,000 that drip: closed without a word",
            got <= {b"", b"(reset)"}, got)
    s.check("5,000 that drip: in time", time.monotonic() - began < 60)
    s.same("5,000 that drip: counted", CROWD, g.status()["late"])
    for c in some:
        c.close()
    works(g, "after 5,000 that dripped")
    g.close()


def slow_drip():
    """A byte a time, or none: closed when the header's time is over; others
    are served meanwhile."""
    g = Stage({"a": []}, **{"header-ms": 1500})
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
    g.close()


def share():
    """Of one source no more than its share."""
    g = Stage({"a": []}, **{"header-ms": 1500, "source-connections": 300})
    some = [dial(g) for _ in range(320)]
    wait_for(lambda: g.status()["refused_source"] >= 20, "those beyond")
    s.check("share: of one source", g.status()["connections"] <= 300)
    for c in some:
        c.close()
    wait_for(lambda: g.status()["connections"] == 0, "none left")
    works(g, "share, after it")
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
    s.same("first frame: counted", 8, g.status()["refused_first"])
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


class Mute(Fake):
    """One that answers a check of its health, and no resume."""

    def run(self):
        self.held = []
        while True:
            try:
                c, _ = self.sock.accept()
                data = c.recv(65536)
                if data[:2] == b"\x86\x00":
                    c.sendall(b"\x82\x02\x41\x00")
                elif data:
                    self.taken += 1
                self.held.append(c)
            except OSError:
                return


def mute():
    """The server that is to take a session over says nothing: when its time
    is up another has the resume, on the same connection."""
    g = Stage({"a": [], "b": []}, **{"server-ms": 700})
    client = g.client("--responder-cert", "a.cert")
    opened(g, client)
    say(client, b"first ")
    wait_for(lambda: g.owners() == ["a"] and g.received() == [b"first "],
             "a stored session")
    fake = Mute(g, "x")
    g.targets["x"] = []
    g.configure()
    done = g.log("d").count("event=reload")
    g.running["d"].send_signal(signal.SIGHUP)
    wait_for(lambda: g.log("d").count("event=reload") > done, "a reload")
    # b has one connection, x has none: x is chosen first.
    other = g.client("--responder-cert", "b.cert")
    opened(g, other)
    g.kill("a")
    wait_for(lambda: g.owners() == ["b"] * 2, "the other one")
    del g.targets["x"]
    now = g.status()
    s.same("mute: it was tried", (1, 1), (fake.taken, now["overdue"]))
    s.same("mute: connections", 2, now["accepted"])
    say(client, b"second")
    s.same("mute: exit codes", [0, 0], [ends(client), ends(other)])
    s.same("mute: what arrived", [b"first second"],
           [x for x in g.received() if x])
    s.same("mute: handshakes", 2, g.shaken())
    for c in fake.held:
        c.close()
    fake.sock.close()
    g.close()


def behind():
    """A server dies while a resume for another waits behind what is said to
    it: the resume is not lost with that."""
    g = Stage({"a": ["x"], "b": ["y"]})
    client = g.client("--target", "x", "--target", "y")
    opened(g, client)
    say(client, b"first ")
    wait_for(lambda: g.owners() == ["a"] and g.received() == [b"first "],
             "a stored session")
    g.running["d"].send_signal(signal.SIGSTOP)
    say(client, b"then ")
    time.sleep(0.3)
    client.send_signal(signal.SIGUSR1)
    wait_for(lambda: "sent resume" in g.words(client), "a resume")
    g.kill("a")
    g.running["d"].send_signal(signal.SIGCONT)
    wait_for(lambda: g.owners() == ["b"], "the other one")
    say(client, b"last")
    s.same("behind: exit code", 0, ends(client))
    s.same("behind: one connection", 1, g.status()["accepted"])
    s.same("behind: what arrived", [b"first then last"], g.received())
    s.same("behind: handshakes", 1, g.shaken())
    g.close()


def feed(client, data):
    """Says it in a process of its own, however long that takes."""
    pid = os.fork()
    if pid == 0:
        try:
            say(client, data)
        finally:
            os._exit(0)
    return pid


def stands_still():
    """A server whose process stands still, though its kernel takes
    connections: found out, and its sessions move, also where a resume waits
    behind what it does not read; and when it is drained."""
    more = {"server-ms": 700, "connect-ms": 700, "answer-ms": 1000}
    data = os.urandom(3 << 20)
    for what, top in (("found out", {"health-ms": 300}),
                      ("held up", {"health-ms": 3600000}),
                      ("drained", {"health-ms": 3600000,
                                   "server-ms": 3600000})):
        # Held up: nobody else has what it had last; it is not asked.
        on_b = ["y"] if what == "held up" else ["x", "y"]
        g = Stage({"a": ["x"], "b": on_b}, **{**more, **top})
        client = g.client("--responder-cert", "a.cert", "--target", "x",
                          "--target", "y")
        opened(g, client)
        say(client, b"first")
        wait_for(lambda: g.owners() == ["a"] and g.received() == [b"first"],
                 "a stored session")
        g.pause("a")
        pid = feed(client, data) if what != "found out" else None
        if what != "found out":
            time.sleep(0.5)
            client.send_signal(signal.SIGUSR1)
        if what == "drained":
            g.do("dispatch", "drain", "a", "--control", "d.ctl")
        wait_for(lambda: g.owners() == ["b"], what)
        s.check("stands still, %s: up" % what,
                g.status()["servers"][0]["up"] == (what == "drained"))
        now = g.status()
        s.same("stands still, %s: connections" % what, (1, 0),
               (now["accepted"], now["affinity"]))
        g.running["a"].send_signal(signal.SIGCONT)
        if pid is not None:
            os.waitpid(pid, 0)
        say(client, b"last")
        s.same("stands still, %s: exit code" % what, 0, ends(client))
        s.check("stands still, %s: what arrived" % what, g.received() ==
                [b"first" + (data if pid else b"") + b"last"])
        s.same("stands still, %s: handshakes" % what, 1, g.shaken())
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
    # A server that does not end its own half is not waited for.
    wait_for(lambda: g.status()["connections"] == 0, "none left", 45)
    g.running["a"].send_signal(signal.SIGCONT)
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
    # 48 of the 64 are its own, and each connection has two.
    s.check("descriptors: no more than fit", g.status()["connections"] <= 8)
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


def spread(g, port, n):
    """To which server each of n sources goes: with ids and addresses that
    were chosen, one after the other."""
    where = []

    def taken():
        return {x["name"]: x["taken"] for x in g.status()["servers"]}

    before = taken()
    for i in range(n):
        c = socket.create_connection(("127.0.0.1", port), timeout=20,
                                     source_address=("127.1.0.%d" % i, 0))
        c.sendall(resume(i.to_bytes(16, "big")))
        c.recv(100)
        c.close()
        now = taken()
        where += [x for x in now if now[x] > before[x]]
        before = now
    return where


def piled_up():
    """Ids, targets and addresses that were chosen fall on one server as
    little as others do; and they push nobody out who is known."""
    names = "abce"
    g = Stage({n: [] for n in names})
    some = []
    for n in range(80):
        c = dial(g)
        c.sendall(resume(n.to_bytes(16, "big")))
        c.recv(100)
        some.append(c)
    s.same("piled up: least", [20] * 4, [g.on(n) for n in names])
    for c in some:
        c.close()
    g.close()
    g = Stage({n: [] for n in names}, balance="hash",
              listen=["127.0.0.1:0", "unix:d.sock"])
    some = []
    for n in range(40):
        c = dial(g)
        c.sendall(resume(n.to_bytes(16, "big")))
        c.recv(100)
        some.append(c)
    # All are of one source and one target: one server, and that one is
    # nobody's to choose.
    s.same("piled up: by source", [0, 0, 0, 40],
           sorted(g.on(n) for n in names))
    for c in some:
        c.close()
    maps = []
    for turn in range(2):
        wait_for(lambda: g.log("d").count("listening on 127.") > turn,
                 "a port")
        port = int(re.findall(r"listening on 127.0.0.1:(\d+)",
                              g.log("d"))[-1])
        maps.append(spread(g, port, 32))
        most = max(maps[-1].count(n) for n in names)
        s.check("piled up: many sources", most < 24, maps[-1])
        g.kill("d")
        g.dispatch()
    s.check("piled up: another key, other servers",
            len(maps[0]) == 32 and maps[0] != maps[1], maps)
    g.close()


def known():
    """A session that was seen stays known, whatever ids are made up: for
    them nothing is kept."""
    g = Stage({"a": [], "b": []})
    client = g.client()
    opened(g, client)
    wait_for(g.owners, "an owner")
    owner = g.owners()[0]
    g.kill("d")
    g.dispatch()
    wait_for(lambda: "moved: epoch 1" in g.words(client), "a move")
    asked = g.status()["lookups"]
    answers = set()
    for n in range(2000):
        c = dial(g)
        c.sendall(resume(n.to_bytes(16, "big")))
        answers.add(c.recv(100))
        c.close()
    s.same("known: one answer", {b"\x82\x08\x04"}, answers)
    s.same("known: one question each", asked + 2000, g.status()["lookups"])
    g.do("dispatch", "drain", owner, "--control", "d.ctl")
    wait_for(lambda: g.owners() not in ([], [owner]), "a move")
    s.same("known: no question for it", asked + 2000,
           g.status()["lookups"])
    s.same("known: exit code", 0, ends(client))
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


play([slow_drip, crowd, share, first_frame, dies_in_transfer, mute, behind,
      stands_still, one_way, descriptors, forged, piled_up, known, questions])
