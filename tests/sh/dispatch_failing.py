#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Servers that fail a dispatcher: they go when they have heard a session's
resume, or have answered it, or want a hello anew; say nothing; stand still;
die while a resume waits behind what is said to them.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from doors import Door, join, reach  # noqa: E402
from dispatching import (HELLO, RETRY, TOLD, WAIT, Stage, all_of,  # noqa: E402
                         dial, ends, opened, play, reload, resume, say,
                         wait_for)


class Fake(Door):
    """A server that takes connections, hears a message and goes: it answers
    a check of its health."""

    def __init__(self, g, name):
        self.taken, self.held = 0, []
        super().__init__(g.path(name + ".sock"))

    def hear(self, near):
        data = near.recv(65536)
        if data[:2] == b"\x86\x00":
            near.sendall(RETRY)
        elif data:
            self.taken += 1

    def take(self, near):
        near.settimeout(2)
        with near:
            self.hear(near)


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
    fake.close()
    g.close()


class Halfway(Door):
    """A server's address: the first resume there is answered, and whoever
    answered goes before a word more; all others are served."""

    def __init__(self, g, name, of, client):
        self.to, self.cut, self.client = g.path(of + ".sock"), 0, client
        super().__init__(g.path(name + ".sock"))

    def take(self, near):
        far = reach(self.to)
        first = near.recv(65536)
        far.sendall(first)
        if first[:2] == b"\x8b\x06" and self.cut == 0:
            self.cut += 1
            answer = far.recv(65536)
            # So that it confirms nothing before that is seen.
            os.kill(self.client.pid, signal.SIGSTOP)
            with near, far:
                near.sendall(answer)
            time.sleep(0.2)
            os.kill(self.client.pid, signal.SIGCONT)
        else:
            join(near, far)


def answered_and_gone():
    """The server that takes a session over goes when it has answered, before
    the client has confirmed: the client goes on with another, under the same
    connection."""
    g = Stage({"a": [], "b": []})
    client = g.client("--responder-cert", "a.cert")
    opened(g, client)
    say(client, b"first ")
    wait_for(lambda: g.owners() == ["a"] and g.received() == [b"first "],
             "a stored session")
    half = Halfway(g, "x", "b", client)
    g.targets["x"] = []
    g.configure(only=["a", "x"])
    reload(g)
    g.do("dispatch", "drain", "a", "--control", "d.ctl")
    wait_for(lambda: g.owners() == ["b"] and
             g.words(client).count("moved: epoch") == 2, "two moves")
    now = g.status()
    s.same("answered and gone: once", 1, half.cut)
    s.same("answered and gone: connections", (1, 1),
           (now["accepted"], now["rescued"]))
    say(client, b"second")
    s.same("answered and gone: exit code", 0, ends(client))
    s.same("answered and gone: what arrived", [b"first second"],
           g.received())
    del g.targets["x"]
    s.same("answered and gone: handshakes", 1, g.shaken())
    half.close()
    g.close()


def asked_and_gone():
    """A server that wants a hello anew, with its cookie, and is gone before
    that comes, or when it does: another has it, on the same connection."""
    g = Stage({"a": []})
    g.targets["x"] = []
    fake = Fake(g, "x")
    g.configure(only=["x", "a"])
    reload(g)
    other = g.client("--responder-cert", "a.cert")
    opened(g, other)  # x has the fewest
    c = dial(g)
    c.sendall(HELLO)
    s.same("asked and gone: a retry", RETRY, c.recv(100))
    time.sleep(0.3)
    c.sendall(HELLO[:7] + b"\x41\x00" + HELLO[8:])
    s.same("asked and gone: an offer", b"\x86\x01", c.recv(65536)[:2])
    c.close()
    wait_for(lambda: g.status()["connections"] == 1, "its end")
    client = g.client()
    say(client, b"x")
    s.same("asked and gone: exit codes", [0, 0], [ends(client), ends(other)])
    s.same("asked and gone: connections", 3, g.status()["accepted"])
    s.check("asked and gone: it was asked",
            "received retry" in g.words(client), g.words(client))
    fake.close()
    g.close()


class Mute(Fake):
    """One that answers a check of its health, and no resume."""

    def take(self, near):
        self.held.append(near)
        self.hear(near)


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
    reload(g)
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
    fake.close()
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


def passed_over():
    """A session that cannot move passes a query over, and the drain ends: a
    server that then takes its time is waited for. The next drain asks anew."""
    g = Stage({"a": [], "b": []}, does=("--exec", "sh job"),
              **{"answer-ms": 1000})
    with open(g.path("job"), "w") as f:
        f.write("until test -e go; do sleep 0.1; done; cat >got")
    client = g.client("--responder-cert", "a.cert")
    opened(g, client)

    def asked(times):
        g.do("dispatch", "drain", "a", "--control", "d.ctl")
        wait_for(lambda: g.status()["queries"] == times, "a query")
        g.do("dispatch", "undrain", "a", "--control", "d.ctl")
        time.sleep(0.3)

    asked(1)
    data = os.urandom(3 << 20)
    pid = feed(client, data)
    time.sleep(2.5)
    s.same("passed over: still there", 1, g.on("a"))
    open(g.path("go"), "w").close()
    os.waitpid(pid, 0)
    asked(2)
    s.same("passed over: exit code", 0, ends(client))
    with open(g.path("got"), "rb") as f:
        s.check("passed over: what arrived", f.read() == data)
    g.close()


def deaf():
    """An address where nobody is ever taken, and whom to hold on to for it."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    at = full.getsockname()
    waits = []
    for _ in range(4):
        waits.append(socket.socket())
        waits[-1].setblocking(False)
        waits[-1].connect_ex(at)
    return "127.0.0.1:%d" % at[1], [full, *waits]


def nobody_left():
    """The one server cannot be asked, at once, soon, or in time, or goes when
    it has heard the resume, which came in pieces: it is wanted anew once, and
    who then has nobody is told so."""
    g = Stage({"a": []}, store="")
    g.targets["x"] = []
    fake = Fake(g, "x")
    at, held = deaf()
    for what, address in (("at once", "224.0.0.1:9"),  # for many: no route
                          ("soon", "127.0.0.1:1"), ("in time", at),
                          ("heard", "unix:x.sock")):
        g.addresses["x"] = address
        g.configure(only=["x"], **{"header-ms": 10000, "health-ms": 3600000,
                                   "connect-ms": 200})
        reload(g)
        before = g.status()
        size = len(resume(bytes(16)))
        for cut in (1, 2, size // 2, size - 1, size):
            c, first = dial(g), resume(os.urandom(16))
            c.sendall(first[:cut])
            time.sleep(0.02)
            c.sendall(first[cut:])
            c.settimeout(5)
            s.same("nobody left, %s: a retry" % what, RETRY, c.recv(100))
            c.sendall(resume(os.urandom(16)))
            s.same("nobody left, %s: an end" % what, b"", all_of(c))
            c.close()
        now = g.status()
        s.same("nobody left, %s: counted" % what, (5, 5, 0),
               tuple(now[k] - before[k]
                     for k in ("renewed", "no_server", "late")))
    s.same("nobody left: heard", 10, fake.taken)
    for end in held:
        end.close()
    fake.close()
    g.close()


OFFER = b"\x86\x01\x01\x01\x81\x41\x00\x40\xa0"
GRANT = b"\x86\x04\x01\x40\xf6\xa0\x50" + bytes(16)
CONFIRM = b"\x82\x05\x50" + bytes(16)
RESUMED = b"\x85\x07\x58\x20" + bytes(32) + b"\xf6\xf6\x50" + bytes(16)
RECORD = b"\x82\x10\x59\x10\x00" + bytes(4096)
QUERY = b"\x82\x09\xa0"


class Liar(Fake):
    """A server that says what its test has it say, and then does nothing."""

    def __init__(self, g, name, talk):
        self.talk = talk
        super().__init__(g, name)

    def hear(self, near):
        data = near.recv(65536)
        if data[:2] == b"\x86\x00" and not data.endswith(TOLD):
            near.sendall(RETRY)
        elif data:
            self.taken += 1
            self.talk(near)


def before_liar(talk):
    """A dispatcher before that, which dies when it uses what it freed."""
    g = Stage({"a": []}, store="")
    g.targets["x"] = []
    liar = Liar(g, "x", talk)
    g.configure(only=["x"])
    g.kill("d")
    # What is as large as a server, and freed, is unmapped.
    words = {"MALLOC_MMAP_THRESHOLD_": "8192", "MALLOC_TOP_PAD_": "0"}
    os.environ.update(words)
    try:
        g.dispatch()
    finally:
        for word in words:
            del os.environ[word]
    return g, liar


def blocked(c, data):
    """Says that again and again, until it is not taken any more."""
    c.settimeout(0.5)
    try:
        while True:
            c.sendall(data)
    except TimeoutError:
        return


def has(g, what, connections):
    """So many are left in the end; where it died, what of is told."""
    d = g.running["d"]
    for _ in range(100 * s.WAIT):
        done = g.run("dispatch", "status", "--control", "d.ctl", "--json")
        if done.returncode != 0:
            s.same(what + ": the dispatcher", None, d.wait(timeout=s.WAIT))
            return
        if json.loads(done.stdout)["connections"] == connections:
            s.same(what + ": the dispatcher", None, d.poll())
            return
        time.sleep(0.01)
    raise TimeoutError(what)


def nobodys_word():
    """A server says more than its answer to a resume, behind which nothing
    has a place, and goes while the client does not listen: what waits of that
    is of no server any more."""
    def talk(near):
        near.sendall(RESUMED)
        blocked(near, 64 * (RECORD + OFFER))

    g, liar = before_liar(talk)
    some = [dial(g) for _ in range(3)]
    for c in some:
        c.sendall(resume(os.urandom(16), more=TOLD))
    wait_for(lambda: liar.taken == 3, "resumes")
    time.sleep(1.5)  # now they have gone
    for c in some:
        c.sendall(b"\x82\x10\x41\x00")
    time.sleep(0.3)
    for c in some:
        c.settimeout(0.5)
        try:
            while c.recv(65536):
                pass
        except (TimeoutError, ConnectionError):
            pass
    for c in some:
        c.close()
    has(g, "nobody's word", 0)
    liar.close()
    g.close()


def last_of_its_server():
    """A server leaves the file, and the last that it has is asked to go on
    elsewhere, but has left without a word while he was not listened to."""
    held = []

    def talk(near):
        near.sendall(GRANT)
        held.append(near.dup())  # nothing of it is read

    g, liar = before_liar(talk)
    c = dial(g)
    c.sendall(HELLO[:-1] + TOLD)
    s.same("last of its server: a grant", GRANT, c.recv(100))
    c.sendall(CONFIRM)
    blocked(c, RECORD)
    c.close()
    g.configure(only=["a"])
    reload(g)
    has(g, "last of its server", 0)
    for near in held:
        near.close()
    liar.close()
    g.close()


def resumed_and_unsaid():
    """A server answers a resume and then wants it anew, and goes when it has
    it: the answer was to another message, so nobody waits for its confirm."""
    def talk(near):
        near.sendall(RESUMED + RETRY)
        near.recv(1000)

    g, liar = before_liar(talk)
    g.configure(only=["x"], **{"answer-ms": 200})
    reload(g)
    c, data = dial(g), b""
    c.sendall(resume(os.urandom(16), more=TOLD))
    while not data.endswith(RETRY):
        data += c.recv(1000)
    c.sendall(resume(os.urandom(16), more=TOLD) + b"\x8b")  # and half of one
    s.same("resumed and unsaid: an end", b"", all_of(c))
    has(g, "resumed and unsaid", 0)
    c.close()
    liar.close()
    g.close()


def let_in_once():
    """Who was let in is not for the message after that one: neither at that
    server, nor at the next."""
    held = []

    def talk(near):
        if len(held) != 2:
            near.sendall(RESUMED)
        held.append(near.dup())

    g, liar = before_liar(talk)
    for what, first in (("there", b""), ("elsewhere", CONFIRM)):
        c, again = dial(g), resume(os.urandom(16), more=TOLD)
        c.sendall(again)
        s.same("let in once, %s: resumed" % what, RESUMED, c.recv(100))
        c.sendall(first + again + CONFIRM)
        c.settimeout(5)
        s.check("let in once, %s: an end" % what,
                all_of(c) in (b"", b"(reset)"))
        c.close()
    has(g, "let in once", 0)
    wait_for(lambda: liar.taken == 3, "resumes")
    for near in held:
        near.close()
    liar.close()
    g.close()


def half_said():
    """A server goes within its first message, or does not end it in time:
    the next one's word does not follow upon that."""
    said = [0]

    def talk(near):
        said[0] += 1
        if said[0] % 2 == 0:
            near.sendall(OFFER)
            return
        near.sendall(OFFER[:3])
        if said[0] % 4 == 3:
            near.recv(1)  # until it is left

    g, liar = before_liar(talk)
    g.targets["y"] = []
    other = Liar(g, "y", talk)
    g.configure(only=["x", "y"], **{"server-ms": 200})
    reload(g)
    for what in ("it goes", "it waits"):
        c = dial(g)
        c.sendall(HELLO[:-1] + TOLD)
        s.same("half said, %s: an offer" % what, OFFER, c.recv(100))
        c.close()
    s.same("half said: asked", 4, liar.taken + other.taken)
    # One alone: the client says it anew.
    g.configure(only=["x"])
    reload(g)
    c = dial(g)
    c.sendall(resume(os.urandom(16)))
    s.same("half said, no other: a retry", RETRY, c.recv(100))
    g.configure(only=["x", "y"])
    reload(g)
    c.sendall(resume(os.urandom(16)))
    s.same("half said, no other: an answer", OFFER, c.recv(100))
    c.close()
    other.close()
    liar.close()
    g.close()


def goes_on(g):
    """A session, as a client that was told has it."""
    c = dial(g)
    c.sendall(resume(os.urandom(16), more=TOLD))
    got = b""
    while len(got) < len(RESUMED):
        got += c.recv(len(RESUMED) - len(got))
    c.sendall(CONFIRM)
    return c


def unfinished():
    """A server is to be left and stands still within a record: the client
    cannot be asked. It waits for one that is up, and hears of an end where
    that is down."""
    held = []

    def talk(near):
        near.sendall(RESUMED)
        near.recv(len(CONFIRM))
        near.sendall(RECORD[:2000])
        held.append(near.dup())

    g, liar = before_liar(talk)
    c, got = goes_on(g), 0
    while got < 2000:
        got += len(c.recv(2000))
    g.configure(only=["x", "a"], **{"server-ms": 700})
    reload(g)
    g.do("dispatch", "drain", "x", "--control", "d.ctl")
    time.sleep(1.2)
    s.same("unfinished: one that is up", 1, g.status()["connections"])
    liar.hear = lambda near: None
    c.settimeout(5)
    s.same("unfinished: an end", b"", all_of(c))
    s.same("unfinished: not asked", (0, 1),
           tuple(g.status()[k] for k in ("queries", "overdue")))
    for end in (c, *held):
        end.close()
    liar.close()
    g.close()


def asked_between():
    """A server that says more than its client takes is drained: the query
    comes at the end of the record that was on its way, and the next ones
    after it."""
    def talk(near):
        near.sendall(RESUMED)
        near.settimeout(20)
        near.sendall(2048 * RECORD)

    g, liar = before_liar(talk)
    c = goes_on(g)
    time.sleep(0.5)  # all that lies between is full
    g.do("dispatch", "drain", "x", "--control", "d.ctl")
    wait_for(lambda: g.status()["servers"][0]["draining"], "a drain")
    time.sleep(0.5)
    data = b""
    while len(data) < 2 << 20:
        data += c.recv(65536)
    at = data.find(QUERY)
    s.check("asked between: at once", 0 < at < 1 << 20, at)
    s.same("asked between: at a record's end", 0, at % len(RECORD))
    data = data[:at] + data[at + len(QUERY):]
    s.check("asked between: the records", data ==
            (RECORD * (len(data) // len(RECORD) + 1))[:len(data)])
    c.close()
    liar.close()
    g.close()


def closed():
    """Its standard descriptors are closed at the start: it serves and ends in
    order, and nothing is written over what it opened."""
    g = Stage({"a": []})
    g.kill("d")
    before = g.do("cluster", "members", "--store", g.db)
    g.running["d"] = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", s.PROGRAM, "dispatch",
         "--config", "d.conf"], cwd=g.dir)
    wait_for(lambda: os.path.exists(g.path("d.ctl")), "a control socket")
    client = g.client("--responder-cert", "a.cert")
    opened(g, client)
    say(client, b"first")
    s.same("closed: exit code", 0, ends(client))
    s.same("closed: what arrived", [b"first"], g.received())
    s.same("closed: the end", 0, g.kill("d", how=signal.SIGTERM))
    s.same("closed: the store", before,
           g.do("cluster", "members", "--store", g.db))
    g.close()


def gave_up():
    """No server of its target comes back within --retry: the initiator says
    what became of its session, and its cause."""
    g = Stage({"a": []})
    client = g.client("--retry", "1s", "--no-fallback")
    opened(g, client)
    say(client, b"one")
    wait_for(lambda: g.received() == [b"one"], "what was said")
    g.kill("a")
    s.same("gave up: exit code", 3, client.wait(timeout=WAIT))
    s.same("gave up: words", [
        "handfast: error: unix:d.sock: the other side went away during the "
        "handshake (HF_E_GONE)",
        "handfast: hint: the session broke, and could not go on within "
        "--retry: the output is not complete"],
        g.words(client).splitlines()[-2:])
    g.close()


play([dies_in_transfer, answered_and_gone, asked_and_gone, mute, behind,
      stands_still, passed_over, nobody_left, gave_up, nobodys_word,
      last_of_its_server, half_said, resumed_and_unsaid, let_in_once,
      unfinished, asked_between, closed])
