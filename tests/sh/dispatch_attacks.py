#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What is done to a dispatcher by those who mean it no good: a slow drip, a
first message too large, ids that are made up or made to fall together,
descriptors that run out, ends of streams one way, questions of another user.
"""
import ctypes
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
import servers  # noqa: E402
import session as s  # noqa: E402
from dispatching import (HELLO, REFUSED, TOLD, Stage, all_of, dial, ends,  # noqa: E402
                         opened, play, reload, resume, say, wait_for, works)

CROWD = 5000
LOOKUPS = 256  # at the store at once


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
    """A byte a time, or none: closed when the header's time is over, which no
    byte makes longer; others are served meanwhile."""
    g = Stage({"a": []}, **{"header-ms": 1500})
    some = [dial(g) for _ in range(290)]
    works(g, "slow drip")
    message, at, drips = resume(os.urandom(16)), 0, some[:100]
    while drips and at < len(message) // 2:
        for c in drips[:]:
            try:
                c.send(message[at:at + 1])
            except OSError:
                drips.remove(c)
        at += 1
        time.sleep(0.2)
    # On a machine that has much to do a drip is slow, too.
    s.check("slow drip: while it drips", at < len(message) // 2, at)
    got = {all_of(c) for c in some}
    s.check("slow drip: closed without a word", got <= {b"", b"(reset)"},
            got)
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
    for n, (name, data, error) in enumerate((
            ("too large", b"\x86\x00\x01\x9a\x01\x00\x00\x00", "TOO_BIG"),
            ("a string", b"\x8a\x03\x01\x5a\x00\x01\x00\x00", "TOO_BIG"),
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n", "SHAPE"),
            ("TLS", bytes.fromhex("1603010200010001fc0303"), "SHAPE"),
            ("an offer", b"\x86\x01\x01\x01\x80\x40\xa0", "UNEXPECTED"),
            ("a record", b"\x82\x10\x41\x00", "UNEXPECTED"),
            ("a version", b"\x86\x00\x02\x82\x01\x02\x60\xf6\xa0",
             "VERSION"),
            ("a critical one", b"\x86\x00\x01\x81\x01\x60\xf6\xa1\x20\x40",
             "EXTENSION")), 1):
        c = dial(g)
        c.sendall(data)
        s.same("first frame: " + name, REFUSED, all_of(c))
        wait_for(lambda: g.log("d").count("how=malformed") == n, "its line")
        s.same("first frame: %s: the cause" % name, "HF_E_" + error,
               re.findall(r"how=malformed error=(\S+)", g.log("d"))[-1])
    s.same("first frame: counted", 8, g.status()["refused_first"])
    before = rss(g.running["d"].pid)
    some = [dial(g) for _ in range(200)]
    for c in some:
        c.sendall(b"\x86\x00\x01\x59\x3f\x00" + bytes(12000))
    time.sleep(0.5)
    grown = rss(g.running["d"].pid) - before
    s.check("first frame: memory", s.SAN or grown < 200 * 70000, grown)
    for c in some:
        c.close()
    works(g, "first frame")
    g.close()


def rss(pid):
    """Bytes of memory that it has."""
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pressed():
    """What a server does not take is not read either: a little of it is kept,
    however much comes."""
    g = Stage({"a": []})
    some = []
    for _ in range(20):
        some.append(dial(g))
        some[-1].sendall(HELLO)
        s.same("pressed: an offer", b"\x86\x01", some[-1].recv(65536)[:2])
    g.pause("a")
    before, sent = rss(g.running["d"].pid), []
    much = memoryview((b"\x82\x10\x59\xff\x00" + bytes(0xff00)) * 64)
    for c in some:
        c.settimeout(0.2)
        sent.append(0)
        try:
            while sent[-1] < len(much):
                sent[-1] += c.send(much[sent[-1]:])
        except socket.timeout:
            pass
    grown = rss(g.running["d"].pid) - before
    s.check("pressed: it stops", 0 < max(sent) < 1 << 20, sent)
    s.check("pressed: memory", s.SAN or grown < 20 * 200000, grown)
    for c in some:
        c.close()
    g.running["a"].send_signal(signal.SIGCONT)
    works(g, "pressed")
    g.close()


def half_quiet(job):
    """A session of which one half is closed while nothing moves in the other,
    for longer than one whose server is gone is waited for."""
    g = Stage({"a": []}, does=("--exec", "sh job"))
    with open(g.path("job"), "w") as f:
        f.write(job)
    client = g.client(told=False)
    opened(g, client)
    return g, client, time.monotonic()


def one_way():
    """An end one way, a reset, a server that is gone: both sides are freed,
    in bounded time. A server that is there may take its time."""
    thinks = half_quiet("cat >/dev/null; sleep 33; echo late")
    thinks[1].stdin.close()
    listens = half_quiet("exec >&-; cat >late")
    g = Stage({"a": []}, **{"header-ms": 2000, "answer-ms": 1000})
    some = []  # whose other half stays open
    for n in range(30):
        c = dial(g)
        some.append(c)
        if n % 3 == 0:
            c.shutdown(socket.SHUT_WR)
        elif n % 3 == 1:
            c.sendall(HELLO)
            c.shutdown(socket.SHUT_WR)
        else:
            c.sendall(HELLO)
            c.close()
    # Long before the server's own ten seconds.
    wait_for(lambda: g.status()["connections"] == 0 and g.on("a") == 0,
             "none left", 8)
    s.ok("one way: before a session")
    for c in some:
        c.close()
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
    g, client, _ = thinks
    s.same("one way: an answer that took its time", (b"late\n", 0),
           (client.stdout.read(), client.wait(timeout=s.WAIT)))
    g.close()
    g, client, began = listens
    time.sleep(max(0, began + 33 - time.monotonic()))
    say(client, b"late")
    s.same("one way: a question that took its time: exit code", 0,
           ends(client))
    with open(g.path("late"), "rb") as f:
        s.same("one way: what arrived of it", b"late", f.read())
    g.close()


def watched_by_kernel(port, side):
    """The timers of connections with that port at this side (1: local, 2:
    remote): kind 2 looks whether the other end is still there; and how soon,
    s."""
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return [(int(r[5][:2], 16), int(r[5][3:], 16) / os.sysconf("SC_CLK_TCK"))
            for r in rows if int(r[side][9:], 16) == port and r[3] == "01"]


def deserted():
    """A peer whose network is gone says nothing: the kernel looks for it, at
    both sides."""
    g = Stage({"a": []}, more=("--listen", "127.0.0.1:0"),
              listen=["127.0.0.1:0", "unix:d.sock"])
    port = {}
    for name in "ad":
        wait_for(lambda: "listening on 127." in g.log(name), "a port")
        port[name] = int(re.findall(r"listening on 127.0.0.1:(\d+)",
                                    g.log(name))[0])
    with open(g.path("d.conf")) as f:
        text = f.read()
    with open(g.path("d.conf"), "w") as f:
        f.write(text.replace("unix:a.sock", "127.0.0.1:%d" % port["a"]))
    reload(g)
    c = socket.create_connection(("127.0.0.1", port["d"]), timeout=20)
    c.sendall(HELLO)
    s.same("deserted: an offer", b"\x86\x01", c.recv(65536)[:2])
    for what, name, side in (("client", "d", 1), ("server", "a", 2)):
        wait_for(lambda: [t for t, _ in watched_by_kernel(port[name], side)]
                 == [2], "a timer for the " + what)
        when = watched_by_kernel(port[name], side)[0][1]
        s.check("deserted: %s: within a minute" % what, 0 < when <= 60, when)
    c.close()
    g.close()


def wanted(pid):
    """Seconds for which its threads had a processor, or waited for one."""
    ns = 0
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, tid)) as f:
            ns += sum(map(int, f.read().split()[:2]))
    return ns / 1e9


def waits(g, what, seconds=1):
    """It does not turn about what it cannot do."""
    before = wanted(g.running["d"].pid)
    time.sleep(seconds)
    used = wanted(g.running["d"].pid) - before
    s.check(what + ": without spinning", used < seconds / 2, used)


def no_more():
    """The last descriptor is gone, whatever was reckoned with: the same; and
    that says nothing of the servers, which cannot be reached meanwhile."""
    g = Stage({"a": [], "b": []}, **{"header-ms": 60000})
    pid = g.running["d"].pid
    client, early = g.client(), dial(g)
    say(client, b"before ")
    wait_for(lambda: g.received() == [b"before "] and
             g.status()["connections"] == 2, "data")
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    last = max(map(int, os.listdir("/proc/%d/fd" % pid)))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (last + 1, hard))
    some = [dial(g) for _ in range(50)]
    waits(g, "no more")
    early.sendall(HELLO)
    s.same("no more: no server for it", b"", all_of(early))
    early.close()
    say(client, b"meanwhile")
    wait_for(lambda: g.received() == [b"before meanwhile"], "data")
    s.check("no more: no server is down", "state=down" not in g.log("d"),
            g.log("d"))
    for c in some[1:]:
        c.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    some[0].sendall(HELLO)
    s.same("no more: who waited", b"\x86\x01", some[0].recv(65536)[:2])
    s.same("no more: nobody was asked to leave", (0, 0),
           tuple(g.status()[k] for k in ("queries", "moves")))
    some[0].close()
    s.same("no more: exit code", 0, ends(client))
    works(g, "no more")
    g.close()


class Narrow:
    """A network of this process and those it starts, with few ports."""
    NEW = 0x40000000

    def __init__(self, n):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        if self.libc.unshare(self.NEW) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
                f.write("40000 %d" % (40000 + n - 1))
        except (OSError, subprocess.CalledProcessError) as e:
            self.close()
            raise OSError(str(e)) from e

    def close(self):
        self.libc.setns(self.home, self.NEW)
        os.close(self.home)


def ports():
    """A stranger who comes and leaves until no port is left for connections
    to servers: that says nothing of them, and sessions stay."""
    try:
        net = Narrow(40)
    except OSError as e:
        s.note("no network of its own: %s" % e)
        return
    try:
        g = Stage({"a": [], "b": []}, more=("--listen", "127.0.0.1:0"))
        for name in "ab":
            wait_for(lambda: "listening on 127." in g.log(name), "a port")
            g.addresses[name] = re.findall(r"listening on (127\S+)",
                                           g.log(name))[0]
        g.configure()
        reload(g)
        client = g.client()
        say(client, b"before ")
        wait_for(lambda: g.received() == [b"before "], "data")
        before = g.status()
        for _ in range(300):
            c = dial(g)
            c.sendall(HELLO)
            c.recv(100)
            c.close()
        time.sleep(1)
        now = g.status()
        s.check("ports: none are left",
                now["no_server"] > before["no_server"], now)
        s.same("ports: all are up", [True] * 2,
               [x["up"] for x in now["servers"]])
        s.check("ports: none was down", "state=down" not in g.log("d"),
                g.log("d"))
        s.same("ports: nobody was asked to leave", 0, now["queries"])
        say(client, b"after")
        s.same("ports: exit code", 0, ends(client))
        s.same("ports: what arrived", [b"before after"], g.received())
        g.close()
    finally:
        net.close()


def descriptors():
    """No descriptors are left: who is there goes on, who comes waits, and
    then comes in."""
    few(64)
    few(112, "--workers", "3")


def few(limit, *more):
    g = Stage({"a": []}, **{"header-ms": 3000})
    g.kill("d")
    d = subprocess.Popen(
        ["prlimit", "--nofile=%d:%d" % (limit, limit), s.PROGRAM, "dispatch",
         "--config", "d.conf", *more], cwd=g.dir,
        stderr=open(g.path("d.log"), "ab"))
    g.running["d"] = d
    wait_for(lambda: os.path.exists(g.path("d.ctl")), "a control socket")
    client = g.client()
    say(client, b"before ")
    wait_for(lambda: g.received() == [b"before "], "data")
    some = [dial(g) for _ in range(100)]
    time.sleep(0.3)
    # 48 are its own, 24 each further worker's; each connection has two, and
    # each worker may take one at the same moment.
    n = g.status()["connections"]
    s.check("descriptors: no more than fit", n <= (10 if more else 8), n)
    waits(g, "descriptors")
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


def seen():
    """Who saw the id of a session, and says it, makes nobody forget whose it
    is where no store would say so."""
    both = ["x", "y"]
    g = Stage({"a": both, "b": both}, {"a": "one=x,y", "b": "two=x,y"},
              store="")
    g.kill("b")
    wait_for(lambda: [x["up"] for x in g.status()["servers"]] ==
             [True, False], "who is up")
    client = g.client("--target", "x", "--target", "y")
    opened(g, client)
    say(client, b"first ")
    wait_for(lambda: g.rows() and g.received() == [b"first "], "a session")
    sid = bytes.fromhex(g.rows()[0].split()[0])
    client.send_signal(signal.SIGUSR1)
    wait_for(lambda: "moved: epoch 1" in g.words(client), "a resume")
    # Now b has the fewest connections.
    other = g.client("--target", "x")
    opened(g, other)
    g.serve("b")
    wait_for(lambda: g.status()["servers"][1]["up"], "b")
    c = dial(g)
    c.sendall(resume(sid, b"x"))
    s.same("seen: no secret", REFUSED, c.recv(100))
    c.close()
    client.send_signal(signal.SIGUSR1)
    wait_for(lambda: g.words(client).count("sent resume") == 2 and
             g.words(client).count("sent confirm") >= 3, "a resume")
    say(client, b"last")
    s.same("seen: exit codes", [0, 0], [ends(client), ends(other)])
    s.same("seen: what arrived", [b"", b"first last"], g.received())
    s.same("seen: handshakes", 2, g.shaken())
    g.close()


def shut_out():
    """Without the PROXY protocol all who come are one source to a server:
    who is refused there until it refuses all takes no session from it. New
    ones go to others, as long as it does."""
    g = Stage({"a": [], "b": []}, more=("--max-source-failures", "2"))
    g.do("ca", "init", "ca2", "--name", "Other")
    g.key("mallory", "--usage", "initiator", ca="ca2")
    client = g.client("--responder-cert", "a.cert")
    others = [g.client("--responder-cert", "b.cert") for _ in range(3)]
    opened(g, client, *others)
    say(client, b"before ")
    wait_for(lambda: "a" in g.owners() and b"before " in g.received(),
             "a stored session")
    for _ in range(3):
        s.same("shut out: a stranger", 4, g.run(
            "initiate", "--connect", "unix:d.sock", "--trust", "ca/ca.cert",
            "--expect", "web", "--identity", "mallory.key", "--cert",
            "mallory.cert", "--responder-cert", "a.cert").returncode)
    time.sleep(1)  # some looks
    now = g.status()
    s.same("shut out: up", [True] * 2, [x["up"] for x in now["servers"]])
    s.check("shut out: no server was down", "state=down" not in g.log("d"),
            g.log("d"))
    s.same("shut out: nobody was asked to leave", (0, 0, 1),
           (now["queries"], now["moves"], g.on("a")))
    works(g, "shut out: b, where there are more")
    works(g, "shut out: b, for a's key",
          "--responder-cert", "a.cert")
    say(client, b"after")
    s.same("shut out: exit codes", [0] * 4,
           [ends(c) for c in (client, *others)])
    s.check("shut out: what arrived", b"before after" in g.received())
    g.close()


def lets_in_again():
    """A server that refused because of a stranger, and does not any more, is
    found to offer again, though others ask it all the time."""
    g = Stage({"a": []}, more=("--max-source-failures", "6"),
              **{"health-ms": 1000})
    g.do("ca", "init", "ca2", "--name", "Other")
    g.key("mallory", "--usage", "initiator", ca="ca2")
    for _ in range(8):
        g.run("initiate", "--connect", "unix:d.sock", "--trust", "ca/ca.cert",
              "--expect", "web", "--identity", "mallory.key", "--cert",
              "mallory.cert")
    time.sleep(2)  # a look, while it refuses
    over = threading.Event()

    def ask():
        while not over.is_set():
            c = dial(g)
            c.sendall(HELLO)
            c.recv(100)
            c.close()
            time.sleep(0.2)
    asking = threading.Thread(target=ask)
    asking.start()
    until, tries = time.monotonic() + 25, []
    while time.monotonic() < until and tries[-1:] != [True]:
        client = g.client("--responder-cert", "a.cert")
        say(client, b"honest")
        tries.append(ends(client) == 0 and "another" not in g.words(client))
        time.sleep(0.5)
    over.set()
    asking.join()
    s.same("lets in again", [False, True], sorted(set(tries)))
    g.close()


CONFIRM = b"\x82\x05\x50" + bytes(16)


def untimely():
    """A confirm that no grant and no resumed came before opens nothing: no
    time is passed by with it, and no server after the other is had."""
    g = Stage({"a": []})
    n = 0
    for what, words, answer in (
            ("a resume", resume(bytes(16), more=TOLD), b""),
            ("a hello", HELLO, b""),
            ("an alert", resume(bytes(16), more=TOLD), b"\x82\x08\x04"),
            ("an offer", HELLO, b"\x86\x01")):
        c = dial(g)
        if answer:
            c.sendall(words)
            s.same("untimely: %s: its answer" % what, answer,
                   c.recv(65536)[:len(answer)])
            words = b""
        c.sendall((words + CONFIRM) * 20)
        c.settimeout(5)
        all_of(c)
        c.close()
        n += 1
        wait_for(lambda: g.status()["connections"] == 0, "its end")
        now = g.status()
        s.same("untimely: %s: servers" % what, (n, 0),
               (now["servers"][0]["taken"], now["moves"]))
    s.same("untimely: the cause", ["HF_E_UNEXPECTED"] * 4,
           re.findall(r"error=(\S+)", g.log("d")))
    works(g, "untimely")
    g.close()


def unanswered():
    """Ids that are made up while the store stands still: so many questions
    at once and no more, none for longer than its time; sessions go on."""
    if not servers.Redis.here():
        s.note("no redis-server: no store that stands still")
        return
    store = servers.Redis(s.PROGRAM)
    try:
        g = Stage({"a": [], "b": []}, db=store.uri, **{"lookup-ms": 500})
        client = g.client()
        opened(g, client)
        say(client, b"first ")
        wait_for(lambda: g.owners() and g.received() == [b"first "], "data")
        asked = g.status()["lookups"]
        store.signal(signal.SIGSTOP)
        some = [dial(g) for _ in range(LOOKUPS + 44)]
        for n, c in enumerate(some):
            c.sendall(resume(n.to_bytes(16, "big")))
        wait_for(lambda: g.on("a") + g.on("b") == len(some) + 1,
                 "all of them to be sent somewhere", 4)
        now = g.status()
        s.same("unanswered: questions", (LOOKUPS, 44),
               (now["lookups"] - asked, now["lookups_skipped"]))
        say(client, b"then")
        wait_for(lambda: g.received() == [b"first then"], "data")
        store.signal(signal.SIGCONT)
        for c in some:
            c.close()
        s.same("unanswered: exit code", 0, ends(client))
        works(g, "unanswered")
        g.close()
    finally:
        store.stop()


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


play([slow_drip, crowd, share, first_frame, pressed, one_way, deserted,
      descriptors, no_more, ports, forged, seen, shut_out,
      lets_in_again, untimely, unanswered, piled_up, known, questions])
