#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An agent that starts again, with real processes: its sessions rest where its
file says, and go on by a resume; what was changed, exchanged or put back does
not, and costs a handshake.
"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from agenting import (App, DATA, END, INFO, OPEN, OVER, WAIT,  # noqa: E402
                      Hall, head, run, wait_for)

GONE, RESTARTED = 82, 130
NOBODY = 65534
DAY = 86400


def preloaded(name):
    """The environment of an agent with that in it; None where it is not."""
    path = os.path.join(s.BUILD, "tests", name)
    if os.path.exists(path):
        return s.preload(path)
    s.note("there is no %s: a test was left out" % path)
    return None


class Web(Hall):
    """A cluster of two servers, and an agent whose sessions rest."""

    def __init__(self, servers=("a", "b"), store="rest", **more):
        super().__init__(())
        house, self.store = self.house, store
        house.hf("cluster", "init", "--ca", "ca", "--name", "web", "--store",
                 "lmdb:db", "-o", "web.cert")
        for name in servers:
            self.join(name, **more)
        self.peer("web", [self.responder[n].address for n in servers],
                  expect="web")

    def join(self, name, mobility="soft", options=(), **more):
        house = self.house
        house.identity(name)
        house.certificate(name, "responder,server", "--cluster", "web")
        house.hf("cluster", "admit", "--key", "web.key", "--store", "lmdb:db",
                 "--cert", name + ".cert")
        self.respond(name, "--store", "lmdb:db", "--cluster", "web.cert",
                     "--takeover", mobility, *options, identity=name + ".key",
                     cert=name + ".cert", **more)

    def configure(self, path="agent.conf"):
        extra = "" if self.store is None else 'store = "%s"\n' % self.store
        return self.house.write(path, 'socket = "%s"\n%s' % (self.path, extra)
                                + "\n".join(self.sections) + "\n")

    def again(self, how=signal.SIGTERM):
        """The agent ends, and the next one begins."""
        code = self.stop(how)
        self.start()
        return code

    @property
    def file(self):
        return os.path.join(self.dir, "rest", "web.rest")

    @property
    def key(self):
        return self.path + ".key"

    def rests(self):
        return os.path.exists(self.file)

    def read(self):
        with open(self.file, "rb") as f:
            return f.read()

    def write(self, data):
        with open(self.file, "wb") as f:
            f.write(data)

    def begun(self):
        """Of the session with the peer: handshakes and resumes."""
        state = self.status()["web"]
        return state["handshakes"], state["resumes"]

    def goes_on(self, what, begun=(0, 1)):
        """One more application; while it is there nothing rests."""
        app = self.app("web").opened()
        s.same(what + ": it serves", True, app.echo(b"and on"))
        s.same(what + ": handshakes, resumes", begun, self.begun())
        return app

    def seen(self, name):
        """What a server was asked for: requests and resumes."""
        words = " ".join(self.responder[name].log())
        return (words.count("trace: received request "),
                words.count("trace: received resume "))

    def discarded(self):
        """The errors of what could not be waked, in order."""
        return [w.split("error=")[1].split()[0]
                for w in self.words().splitlines()
                if "result=discarded" in w]


def in_order():
    """SIGTERM, with a channel in use: it ends with a code of its own, and the
    session goes on in the next agent, whose responder sees no handshake."""
    for mobility in ("soft", "proved"):
        with Web(("a",), mobility=mobility) as h:
            what = "in order, %s" % mobility
            h.start()
            app, other = h.app("web").opened(), h.app("web").opened()
            s.same(what + ": before", (True, True),
                   (app.echo(b"x" * 50000), other.echo(b"y")))
            sid = h.status()["web"]["sid"]
            s.same(what + ": nothing rests", False, h.rests())
            s.same(what + ": the agent ends", 0, h.stop())
            s.same(what + ": its channels' end", [[OVER, GONE, RESTARTED]] * 2,
                   [app.next(), other.next()])
            s.same(what + ": it rests", True, h.rests())
            s.same(what + ": for its user alone", [0o600, 0o600, 0o700],
                   [os.stat(p).st_mode & 0o777 for p in
                    (h.file, h.key, os.path.dirname(h.file))])
            h.start()
            s.same(what + ": it does not begin by itself", "down",
                   h.status()["web"]["state"])
            s.same(what + ": it still rests", True, h.rests())
            app = h.goes_on(what)
            s.same(what + ": taken", False, h.rests())
            app.close()
            s.same(what + ": the same session", sid,
                   h.status()["web"]["sid"])
            s.same(what + ": at the responder", (1, 1), h.seen("a"))
            s.same(what + ": and again", 0, h.again())
            h.goes_on(what + ", again")
            h.stop()


def elsewhere():
    """Its server died before the agent ended, or after: another one of the
    cluster goes on."""
    for first in ("server", "agent"):
        with Web() as h:
            what = "elsewhere, first the " + first
            h.start()
            app = h.app("web").opened()
            s.same(what + ": before", True, app.echo(b"x"))
            app.close()
            wait_for(h.rests, "rest")  # all that was said is stored
            if first == "server":
                h.responder["a"].kill()
                wait_for(lambda: h.status()["web"]["state"] == "broken",
                         "the break")
                h.stop()
            else:
                h.stop()
                h.responder["a"].kill()
            h.start()
            h.goes_on(what)
            s.same(what + ": no handshake there", (0, 1), h.seen("b"))
            h.stop()


def in_one_moment(h, what, first, happens):
    """An application asks for a channel in the moment in which something else
    happens, before ("application") or behind that; it gets one."""
    app = App(h.path)
    h.status()  # it was let in
    h.freeze()
    if first == "application":
        app.say(OPEN, 1, "web")
    happens()
    if first != "application":
        app.say(OPEN, 1, "web")
    h.agent.send_signal(signal.SIGCONT)
    s.same(what + ": opened", INFO, app.next()[0])
    s.same(what + ": it serves", True, app.echo(b"x"))


def asked_away():
    """Its server leaves, and an application asks for a channel in the same
    moment, before or behind that: it gets one, elsewhere."""
    for first in ("server", "application"):
        with Web() as h:
            def leaves():
                h.responder["a"].process.send_signal(signal.SIGTERM)
                time.sleep(0.5)  # until it has said that
            what = "asked away, first the " + first
            h.start()
            h.app("web").opened().close()
            wait_for(h.rests, "rest")  # nothing is on its way
            in_one_moment(h, what, first, leaves)
            s.same(what + ": one session", (1, 1), h.begun())
            h.stop()


def closed_then():
    """Its server closes a session that rests, and an application asks in the
    same moment: what rested is not waked, another session begins."""
    for first in ("server", "application"):
        with Web(("a",), options=("--idle", "2")) as h:
            what = "closed then, first the " + first
            h.start()
            h.app("web").opened().close()
            wait_for(h.rests, "rest")
            in_one_moment(h, what, first,
                          lambda: time.sleep(3))  # until it was closed
            s.same(what + ": another session", (1, 0), h.begun())
            s.same(what + ": at the responder", (2, 0), h.seen("a"))
            s.same(what + ": nothing rests", False, h.rests())
            h.stop()


def cut():
    """Its server dies in that moment: the same."""
    with Web() as h:
        h.start()
        h.app("web").opened().close()
        wait_for(lambda: h.channels("web") == 0, "quiet")
        in_one_moment(h, "cut", "application", h.responder["a"].kill)
        s.same("cut: one session", (1, 1), h.begun())
        h.stop()


def finished():
    """One that both had finished before, and who has not read all of it: what
    becomes of the session later is not told there."""
    with Web() as h:
        h.start()
        slow, beside = h.app("web").opened(), h.app("web").opened()
        slow.data(b"z" * 300000)
        slow.say(END)
        time.sleep(1)
        s.same("finished: the one beside", True, beside.echo(b"x" * 50000))
        h.responder["a"].kill()
        s.same("finished: the break", "60", str(beside.over()))
        other = h.app("web").opened()
        s.same("finished: the next one hears of a refresh", INFO,
               other.next()[0])
        got, f = 0, slow.next()
        while f is not None and f[0] == DATA:
            got += len(f[1])
            f = slow.next()
        s.same("finished: all of it, and then the end", (300000, [END], None),
               (got, f, slow.next()))
        h.stop()


def busy():
    """SIGTERM while data is under way, both ways: it is lost, the session is
    not. A responder that stands still holds nobody up."""
    with Web(("a",)) as h:
        h.start()
        apps = [h.app("web").opened() for _ in range(3)]
        for app in apps:
            app.data(b"z" * 50000)
        s.same("busy: the agent ends", 0, h.stop())
        s.same("busy: channels", ["HF_E_AGENT_GONE"] * 3, [app.over() for app in apps])
        s.same("busy: it rests", True, h.rests())
        h.start()
        h.goes_on("busy")
        h.responder["a"].freeze()
        app = h.app("web").opened()
        app.data(b"z" * 1000)
        begun = time.monotonic()
        s.same("busy: frozen, the agent ends", 0, h.stop())
        s.check("busy: frozen, soon", time.monotonic() - begun < 10)
        os.kill(h.responder["a"].process.pid, signal.SIGCONT)
        h.start()
        s.same("busy: frozen: it serves", True,
               h.app("web").opened().echo(b"and on"))
        # What it had stored when it was cut decides: all of it, or nothing.
        s.same("busy: frozen: one session", 1, sum(h.begun()))
        h.stop()


def outstanding():
    """The agent ends while its resume waits for an answer, or is killed then:
    it was taken; it rests again, and its next resume has another serial."""
    with Web(("a",)) as h:
        for how in (signal.SIGTERM, signal.SIGKILL):
            h.start()
            app = h.app("web").opened()
            s.same("outstanding: before", True, app.echo(b"x"))
            app.close()
            wait_for(h.rests, "rest")
            h.stop()
            h.responder["a"].freeze()
            h.start()
            app = h.app("web")
            wait_for(lambda: not h.rests(), "the resume")
            time.sleep(0.3)
            s.same("outstanding: it waits", "opening",
                   h.status()["web"]["state"])
            h.stop(how)
            s.same("outstanding: it rests", how == signal.SIGTERM, h.rests())
            os.kill(h.responder["a"].process.pid, signal.SIGCONT)
            h.start()
            h.goes_on("outstanding", (0, 1) if how == signal.SIGTERM else
                      (1, 0))
            h.stop()


def idle():
    """kill -9 while nobody uses it: nothing is lost. In use it begins anew."""
    with Web(("a",)) as h:
        h.start()
        app = h.app("web").opened()
        s.same("idle: before", True, app.echo(b"x"))
        time.sleep(0.8)
        s.same("idle: in use", False, h.rests())
        app.close()
        wait_for(h.rests, "rest")
        h.again(signal.SIGKILL)
        h.goes_on("idle")
        wait_for(h.rests, "rest")
        first = h.read()
        app = h.app("web").opened()
        s.same("idle: not while it is used", False, h.rests())
        s.same("idle: the same session", (0, 1), h.begun())
        app.echo(b"y")
        h.again(signal.SIGKILL)
        s.same("idle: the channel's end", None, app.next())
        h.goes_on("idle, killed in use", (1, 0))
        wait_for(h.rests, "rest")
        s.check("idle: another object", first != h.read())
        h.stop()


def closed():
    """A session that is closed leaves nothing: by a question, after idle, for
    a file that has it otherwise."""
    with Web(("a",)) as h:
        h.start()
        h.app("web").opened().close()
        wait_for(h.rests, "rest")
        s.same("closed: by a question", 0,
               h.run("agent", "close", "web").returncode)
        s.same("closed: nothing rests", False, h.rests())
        line = h.responder["a"].session()
        s.check("closed: in order", "result=ok" in line, line)
        h.app("web").opened().close()
        wait_for(h.rests, "rest")
        h.again()
        s.same("closed: of no session, by a question", 0,
               h.run("agent", "close", "web").returncode)
        s.same("closed: nothing of it rests", False, h.rests())
        h.goes_on("closed: of no session", (1, 0))
        wait_for(h.rests, "rest")
        h.configure()
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: not h.rests(), "a reload")
        h.peer("web", h.responder["a"].address, expect="web", idle=1)
        h.configure()
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: h.words().count("event=reload") == 2, "a reload")
        h.app("web").opened().close()
        wait_for(h.rests, "rest")
        wait_for(lambda: h.status()["web"]["state"] == "down", "its end")
        s.same("closed: nothing rests after idle", False, h.rests())
        h.app("web").opened().close()
        wait_for(h.rests, "rest")
        h.responder["a"].kill()
        wait_for(lambda: h.status()["web"]["state"] == "down", "its end")
        s.same("closed: nothing rests of a broken one", False, h.rests())
        h.stop()
        s.same("closed: nor at the end", False, h.rests())


def refused():
    """What is not as it was: each is removed, and costs a handshake."""
    with Web(("a",)) as h:
        h.start()

        def leave():
            h.app("web").opened().close()
            wait_for(h.rests, "rest")
            h.stop()

        def change():
            raw = bytearray(h.read())
            raw[-1] ^= 1
            h.write(bytes(raw))

        def exchange():
            with open(h.key, "wb") as f:
                f.write(os.urandom(32))

        def link():
            os.rename(h.file, h.file + ".x")
            os.symlink("web.rest.x", h.file)
        for what, how, error in (
                ("changed", change, "HF_E_ENTRY"),
                ("cut", lambda: h.write(h.read()[:-1]), "HF_E_ENTRY"),
                ("empty", lambda: h.write(b""), "HF_E_ENTRY"),
                ("too long", lambda: h.write(bytes(5000)), "HF_E_ENTRY"),
                ("another key", exchange, "HF_E_ENTRY"),
                ("no key", lambda: os.unlink(h.key), "HF_E_ENTRY"),
                ("a link", link, "HF_E_IO"),
                ("another name", lambda: h.peer(
                    "web", h.responder["a"].address, expect="a"),
                 "HF_E_ENTRY")):
            leave()
            how()
            before = len(h.discarded())
            h.start()
            app = h.goes_on("refused: " + what, (1, 0))
            s.same("refused: %s: why" % what, [error],
                   h.discarded()[before:])
            s.same("refused: %s: it is gone" % what, False,
                   os.path.lexists(h.file))
            app.close()
        h.stop()


def put_back():
    """An old copy, after it was used: the responder refuses it. A handshake
    follows, be there time to try again or not."""
    for retry in (10000, 0):
        with Web(("a",)) as h:
            what = "put back, %d ms" % retry
            h.peer("web", h.responder["a"].address, expect="web",
                   **{"retry-ms": retry})
            h.start()
            h.app("web").opened().close()
            wait_for(h.rests, "rest")
            h.stop()
            old = h.read()
            h.start()
            h.goes_on(what + ": once")
            h.stop()
            h.write(old)
            h.start()
            h.goes_on(what + ": twice", (1, 0))
            s.same(what + ": it was whole", [], h.discarded())
            words = "\n".join(h.responder["a"].log())
            s.check(what + ": the responder's word", "HF_E_REPLAY" in words,
                    words)
            h.stop()


def expired():
    """Nobody asked until the session was over, by all clocks."""
    if not os.path.exists(s.CLOCK):
        s.note("there is no %s: expired was left out" % s.CLOCK)
        return
    with Web(()) as h:
        clock = os.path.join(h.dir, "clock")
        env = s.clock(clock)
        h.join("a", env=env)
        h.peer("web", h.responder["a"].address, expect="web")
        for late in (DAY - 60, DAY + 1):
            s.jump(clock, 0)
            h.start(env=env)
            h.app("web").opened().close()
            h.stop()
            s.same("expired: it rests", True, h.rests())
            s.jump(clock, late)
            h.start(env=env)
            h.status()
            said = [w for w in h.words().splitlines()
                    if "result=expired" in w]
            s.same("expired: said at the start, %d s later" % late,
                   [] if late < DAY else ["web"],
                   [w.split("peer=")[1].split()[0] for w in said])
            s.check("expired: since when", all(
                0 <= time.time() + late -
                int(w.split("expires=")[1].split()[0]) < 60
                for w in said), said)
            h.goes_on("expired: %d s later" % late,
                      (0, 1) if late < DAY else (1, 0))
            h.run("agent", "close", "web")
            h.stop()
        s.same("expired: why", ["HF_E_EXPIRED"], h.discarded())


def places():
    """A place or a key that is not the agent's alone: it does not start."""
    with Web(("a",)) as h:
        h.start()
        h.status()
        h.stop()
        key = h.key

        def refused(what, code, name):
            try:
                got, words = h.fails()
            except subprocess.TimeoutExpired:
                got, words = None, "it started"
            s.check("places: " + what, got == code and name in words, got,
                    words)
            s.same("places: %s: --check" % what, (got, words),
                   h.fails("--check"))
        os.chmod(key, 0o640)
        refused("a key that others can read", 5, "HF_E_POLICY")
        os.chmod(key, 0o600)
        os.chown(key, 65534, -1)
        refused("another's key", 5, "HF_E_POLICY")
        os.chown(key, os.geteuid(), -1)
        with open(key, "wb") as f:
            f.write(bytes(31))
        refused("half a key", 6, "HF_E_OBJECT")
        with open(key, "wb") as f:
            f.write(bytes(33))
        refused("a long key", 6, "HF_E_TOO_BIG")
        os.unlink(key)
        rest = os.path.join(h.dir, "rest")
        os.chmod(rest, 0o777)
        refused("a directory that others can change", 5, "HF_E_POLICY")
        os.unlink(os.path.join(rest, "agent.lock"))
        os.rmdir(rest)
        os.symlink("db", rest)
        refused("a link", 5, "HF_E_POLICY")
        os.unlink(rest)
        h.start()
        h.status()
        s.same("places: made anew", True, os.path.isdir(rest))
        h.stop()
        s.check("places: no socket is left", not os.path.exists(h.path))


def swept():
    """What nobody takes any more is removed by an agent that starts, and by one
    that reads its file anew; what is not of that kind stays."""
    with Web(("a",)) as h:
        rest = os.path.join(h.dir, "rest")

        def put(name, data, mode=0o600):
            with open(os.path.join(rest, name), "wb") as f:
                f.write(data)
            os.chmod(os.path.join(rest, name), mode)

        def made_for(peer):
            """As one for that peer begins, and goes on somehow."""
            return b"\x86\x01" + head(3, len(peer)) + peer.encode() + bytes(90)

        def lies():
            return set(os.listdir(rest)) - {"agent.lock"}

        def forget(name):
            h.sections = [x for x in h.sections
                          if not x.startswith("peer %s {" % name)]
        h.peer("old", h.responder["a"].address, expect="web")
        h.start()
        h.app("old").opened().close()
        h.app("web").opened().close()
        wait_for(lambda: lies() == {"old.rest", "web.rest"}, "rest")
        h.stop()
        with open(os.path.join(rest, "old.rest"), "rb") as f:
            real = f.read()
        s.same("swept: how one begins", made_for("old")[:6], real[:6])
        outside = h.house.write("outside.rest", "")
        with open(outside, "wb") as f:
            f.write(made_for("link"))
        goes = {"a" * 64 + ".rest": made_for("a" * 64),
                "a.rest.rest": made_for("a.rest"),
                "web.rest.new": made_for("web")[:50],
                "old.rest.new": b"", "x.rest.new": made_for("x")[:3]}
        stays = {"notes.rest": b"what I must not forget",
                 "notes.rest.new": b"what I must not forget",
                 "other.rest": real, "empty.rest": b"",
                 "cut.rest": made_for("cut")[:5],
                 "long.rest": made_for("long") + bytes(4096),
                 "of a blank.rest": made_for("of a blank"),
                 "old.rest.bak": real, ".rest": real,
                 "his.rest": made_for("his")}
        for name, data in {**goes, **stays}.items():
            put(name, data)
        os.chown(os.path.join(rest, "his.rest"), NOBODY, -1)
        os.mkdir(os.path.join(rest, "dir.rest"))
        os.mkfifo(os.path.join(rest, "pipe.rest"))
        os.symlink("../outside.rest", os.path.join(rest, "link.rest"))
        stays = set(stays) | {"dir.rest", "pipe.rest", "link.rest",
                              "web.rest", "old.rest"}
        h.start()
        h.status()
        s.same("swept: at the start", stays, lies())
        h.stop()
        put("late.rest.new", b"")
        forget("old")
        h.start()
        h.status()
        s.same("swept: of a peer that is not there", stays - {"old.rest"},
               lies())
        s.check("swept: nothing outside", os.path.exists(outside))
        words = [w for w in h.words().splitlines() if "discarded" in w]
        s.same("swept: said", ["a.rest", "a" * 64, "old"], sorted(
            w.split("peer=")[1].split()[0] for w in words))
        s.same("swept: why", ["HF_E_POLICY"] * 3, h.discarded())
        h.stop()
        put("old.rest", real)
        h.peer("old", h.responder["a"].address, expect="web")
        h.start()
        h.status()
        s.same("swept: one that is there again", stays, lies())
        forget("old")
        h.configure()
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=reload" in h.words(), "a reload")
        s.same("swept: when read anew", stays - {"old.rest"}, lies())
        h.goes_on("swept")
        h.stop()


def alone():
    """Where one agent's sessions rest another one does not start; one that was
    killed is in nobody's way."""
    with Web(("a",)) as h:
        h.start()
        app = h.app("web").opened()
        first, h.path = h.path, os.path.join(h.dir, "second", "agent")
        s.same("alone: --check of the second", (0, ""), h.fails("--check"))
        code, words = h.fails()
        s.same("alone: the second", 3, code)
        s.check("alone: why", "another agent's sessions rest there "
                "(HF_E_AGAIN)" in words and "hint: end the other agent" in
                words, words)
        s.check("alone: it leaves no socket, and makes no key",
                os.listdir(os.path.dirname(h.path)) == [])
        h.path = first
        s.same("alone: the first", True, app.echo(b"x"))
        h.again(signal.SIGKILL)
        s.same("alone: after one that was killed", True,
               h.app("web").opened().echo(b"y"))
        # It waits for one that is about to end.
        h.responder["a"].freeze()
        last = h.app("web").opened()
        last.data(b"z")
        ending = h.agent
        ending.send_signal(signal.SIGTERM)
        h.start()
        s.same("alone: the one before ends", 0, ending.wait(WAIT))
        s.same("alone: the next one waits", None, h.agent.poll())
        os.kill(h.responder["a"].process.pid, signal.SIGCONT)
        s.same("alone: and on", True, h.app("web").opened().echo(b"y"))
        h.stop()
        lock = os.path.join(h.dir, "rest", "agent.lock")
        s.same("alone: the lock's mode", 0o600,
               os.stat(lock).st_mode & 0o777)
        os.chmod(lock, 0o644)
        code, words = h.fails()
        s.check("alone: a lock that others can take", code == 5 and
                "agent.lock: not a file of this user's alone "
                "(HF_E_POLICY)" in words, code, words)
        s.same("alone: a lock that others can take: --check", (code, words),
               h.fails("--check"))
        os.unlink(lock)
        os.symlink("../alice.key", lock)
        code, words = h.fails()
        s.check("alone: a link", code == 3 and "agent.lock: " in words, code,
                words)
        s.same("alone: a link: --check", (code, words), h.fails("--check"))
        os.unlink(lock)
        key = h.path + ".key"
        os.link(key, key + ".new-0badcafe")
        h.start()
        h.status()
        s.same("alone: the key has one name", 1, os.stat(key).st_nlink)
        h.stop()
        os.link(key, h.path + ".copy")
        h.house.write(key + ".new-1badcafe", "another's")
        left = [".new-2badcafe", ".new-3badcafe"]  # by who was killed
        kept = [".new-2badcafe0", ".new-2BADCAFE", ".new", ".old-2badcafe"]
        for name in left + kept:
            h.house.write(key + name, "")
        if os.geteuid() == 0:
            kept.append(".new-4badcafe")
            h.house.write(key + kept[-1], "")
            os.chown(key + kept[-1], 65534, 65534)
        kept += [".new-5badcafe", ".new-6badcafe"]
        os.mkdir(key + kept[-1])
        os.symlink("../alice.key", key + kept[-2])
        for name in left + kept:
            os.utime(key + name, (1, 1), follow_symlinks=False)
        h.start()
        h.status()
        s.check("alone: other names, and other files, stay", os.path.exists(
            key + ".new-1badcafe") and os.path.exists(h.path + ".copy"))
        s.same("alone: no old draft", [], [n for n in left
                                           if os.path.lexists(key + n)])
        s.same("alone: of what is none, or another's, all", kept, [
            n for n in kept if os.path.lexists(key + n)])
        h.stop()


def still():
    """Nobody answers what an address means: the agent ends all the same, in
    order, and the next one has its place and what rests there."""
    env = preloaded("still.so")
    if env is None:
        return
    with Web(("a",)) as h:
        h.peer("still", "still.invalid:7")
        h.start(env=env)
        app, waits = h.app("web").opened(), h.app("still")
        s.same("still: before", True, app.echo(b"x"))
        wait_for(lambda: h.status()["still"]["state"] == "opening",
                 "who waits")
        begun = time.monotonic()
        s.same("still: the agent ends", 0, h.stop())
        s.check("still: soon", time.monotonic() - begun < 4,
                time.monotonic() - begun)
        s.same("still: both are told", ["HF_E_AGENT_GONE"] * 2,
               [app.over(), waits.over()])
        s.same("still: it rests", True, h.rests())
        s.check("still: no socket is left", not os.path.exists(h.path))
        h.start()
        h.goes_on("still")
        h.stop()


def stalled():
    """The agent ends, and is held up until all its time is over: it is late,
    and its session rests all the same."""
    with Web(("a",)) as h:
        h.start()
        app = h.app("web").opened()
        s.same("stalled: before", True, app.echo(b"x"))
        h.responder["a"].freeze()
        app.data(b"z" * 1000)
        h.status()  # it was taken
        h.agent.send_signal(signal.SIGTERM)
        s.same("stalled: its channel's end", "HF_E_AGENT_GONE", app.over())
        h.freeze()
        time.sleep(3)
        s.same("stalled: nothing rests", False, h.rests())
        h.agent.send_signal(signal.SIGCONT)
        s.same("stalled: the agent ends", 0, h.agent.wait(WAIT))
        s.same("stalled: it rests", True, h.rests())
        os.kill(h.responder["a"].process.pid, signal.SIGCONT)


def held_up():
    """It stands still between the word that it is to end and its sessions' end,
    for longer than that may take: its session has its time all the same."""
    env = preloaded("slow.so")
    if env is None:
        return
    with Web(("a",)) as h:
        h.start(env=env)
        app = h.app("web").opened()
        s.same("held up: before", True, app.echo(b"x"))
        h.responder["a"].freeze()
        app.data(b"z" * 1000)
        h.status()  # it was taken
        s.same("held up: the agent ends", 0, h.stop())
        s.same("held up: it rests", True, h.rests())
        os.kill(h.responder["a"].process.pid, signal.SIGCONT)


def without():
    """No place is named, or the session does not move: it ends in order."""
    with Web(("a",), store=None) as h:
        h.start()
        h.app("web").opened().close()
        s.same("without: the agent ends", 0, h.stop())
        line = h.responder["a"].session()
        s.check("without: in order", "result=ok" in line, line)
        s.same("without: nothing is made", [False, False],
               [os.path.exists(p) for p in (h.file, h.key)])
        h.start()
        h.goes_on("without", (1, 0))
        h.stop()
    with Web(("a",)) as h:
        h.respond("one")
        h.peer("one", h.responder["one"].address)
        h.start()
        h.app("one").opened().close()
        h.stop()
        line = h.responder["one"].session()
        s.check("without: one that does not move", "result=ok" in line, line)
        s.same("without: nothing rests", ["agent.lock"], os.listdir(
            os.path.join(h.dir, "rest")))


TESTS = (in_order, elsewhere, asked_away, closed_then, cut, finished, busy,
         outstanding, idle, closed, refused, put_back, expired, places, swept,
         alone, still, stalled, held_up, without)

if __name__ == "__main__":
    run(TESTS)
