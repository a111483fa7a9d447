#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An agent before responders, with real processes: sessions that are shared,
how they begin, go on and end, and the same application shared and unshared,
in C and in Python.
"""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from agenting import (Agent, App, CODES, DATA, END, Hall,  # noqa: E402
                      INFO, OPEN, OVER, WAIT, frame, run, wait_for)

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED, UNSHARED = 1, 2


def applications():
    """One suite of an application, in C and in Python, by either mode."""
    with Hall() as h:
        h.peer("wrong", h.responder["one"].address, expect="nobody")
        h.peer("down", "127.0.0.1:1")
        h.start()
        library = os.path.join(s.BUILD, "libhandfast-fleet.so")
        env = dict(os.environ, LD_LIBRARY_PATH=s.BUILD,
                   HANDFAST_AGENT=h.path,
                   HANDFAST_PEERS=os.path.join(h.dir, "agent.conf"))
        for mode, where in ((SHARED, h.path), (UNSHARED, "agent.conf")):
            for word, app in (
                    ("C", [os.path.join(s.BUILD, "agent-app")]),
                    ("Python", [sys.executable, os.path.join(
                        HERE, "..", "agent", "app.py"), library])):
                if s.SAN and word == "Python":
                    continue  # it is not built for that
                p = subprocess.run(app + [str(mode), where, "one", "wrong",
                                          "down"], cwd=h.dir, env=env,
                                   capture_output=True, timeout=4 * WAIT)
                s.check("applications: %s, mode %d" % (word, mode),
                        p.returncode == 0, p.stdout.decode(),
                        p.stderr.decode())
        state = h.status()
        s.same("applications: handshakes", (1, 0),
               (state["one"]["handshakes"], state["wrong"]["handshakes"]))
        s.same("applications: nobody is left", 0, state["one"]["channels"])


def shared():
    """Many processes, one session with each peer."""
    with Hall(("one", "two")) as h:
        h.start()
        todo = [("one", n) for n in range(30)] + [("two", n)
                                                  for n in range(5)]
        got = {}

        def one(peer, n):
            data = b"%d " % n * 20000
            got[peer, n] = h.run("initiate", "--shared", peer,
                                 data=data).stdout == data
        threads = [threading.Thread(target=one, args=t) for t in todo]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        s.same("shared: every process's bytes", {t: True for t in todo}, got)
        state = h.status()
        s.same("shared: channels", [30, 5],
               [state[p]["opened"] for p in ("one", "two")])
        s.same("shared: handshakes", [1, 1],
               [state[p]["handshakes"] for p in ("one", "two")])
        s.same("shared: the agent ends", 0, h.stop())
        for name in ("one", "two"):
            line = h.responder[name].session()
            s.check("shared: one session at %s" % name,
                    "result=ok" in line and "name=alice" in line, line)
            s.same("shared: no other at %s" % name, "",
                   h.responder[name].session(0.3))
        s.check("shared: its socket is gone", not os.path.exists(h.path))


def idle():
    """A session that nobody uses is closed; the next one begins anew."""
    with Hall() as h:
        h.peer("one", h.responder["one"].address, idle=1)
        h.start()
        app = h.app().opened()
        time.sleep(1.6)
        s.same("idle: in use", "open", h.status()["one"]["state"])
        app.close()
        line = h.responder["one"].session()
        s.check("idle: closed", "result=ok" in line, line)
        wait_for(lambda: h.status()["one"]["state"] == "down", "its end")
        s.same("idle: again", True, h.app().opened().echo(b"again"))
        h.stop()


def asked():
    """status and close; files that are read anew."""
    with Hall() as h:
        h.start()
        app = h.app().opened()
        p = h.run("agent", "status")
        s.check("asked: a table", p.returncode == 0 and
                b"one " in p.stdout and b" open " in p.stdout, p.stdout)
        p = h.run("agent", "close", "nobody")
        s.same("asked: close of nobody", 2, p.returncode)
        p = h.run("agent", "close", "one")
        s.same("asked: close", 0, p.returncode)
        s.same("asked: the channel's end", "HF_E_RESET", app.over())
        line = h.responder["one"].session()
        s.check("asked: the session's end", "result=ok" in line, line)
        s.same("asked: and on", True, h.app().opened().echo(b"x"))
        old = h.app().opened()
        h.peer("new", h.responder["one"].address)
        h.configure()
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "result=ok" in h.words(), "a reload")
        s.same("asked: a new peer", True, h.app("new").opened().echo(b"y"))
        s.same("asked: an old channel", True, old.echo(b"z"))
        h.house.write("agent.conf", "peer one { nonsense = 1 }\n")
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "result=failed" in h.words(), "a failed reload")
        s.check("asked: with its line", "agent.conf: line 1:" in h.words(),
                h.words())
        s.same("asked: as before", True, h.app("new").opened().echo(b"y"))
        h.stop()


def closed_old():
    """status counts channels from before the file was read anew, and close
    ends them, be their peer in it or not."""
    with Hall() as h:
        h.peer("gone", h.responder["one"].address)
        h.start()
        old, gone = h.app().opened(), h.app("gone").opened()
        h.sections.pop()
        h.configure()
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "result=ok" in h.words(), "a reload")
        wait_for(lambda: h.channels() == 1, "the old channel", 5)
        new = h.app().opened()
        s.same("closed old: with a new one", 2, h.channels())
        s.same("closed old: both are used", [True, True],
               [x.echo(b"x") for x in (old, new)])
        s.same("closed old: close", 0, h.run("agent", "close", "one").returncode)
        s.same("closed old: the channel's end", ["HF_E_RESET"] * 2,
               [x.over() for x in (old, new)])
        wait_for(lambda: h.channels() == 0, "the end of both")
        s.same("closed old: the other peer's", True, gone.echo(b"y"))
        s.same("closed old: a peer that is gone", 0,
               h.run("agent", "close", "gone").returncode)
        s.same("closed old: its channel's end", "HF_E_RESET", gone.over())
        s.same("closed old: and that was all", 2,
               h.run("agent", "close", "gone").returncode)
        h.stop()


def worded():
    """With --json log lines too are JSON."""
    with Hall() as h:
        h.start("--json")
        h.app().opened().close()
        wait_for(lambda: '"event":"channel"' in h.words(), "a line of JSON")
        h.stop()


def programs():
    """handfast run and initiate --shared, as programs see them."""
    with Hall() as h:
        h.start()
        p = h.run("agent", "status")
        s.same("programs: a table", ["PEER", "one"],
               [x.split()[0] for x in p.stdout.decode().splitlines()])
        peers = {"HANDFAST_PEERS": os.path.join(h.dir, "agent.conf")}
        script = 'echo "$HANDFAST_PEER $HANDFAST_NAME"; read x; echo "$x" >&2'
        for more in ((), ("--unshared",), ("--fallback",)):
            p = h.run("run", "one", *more, "--", "sh", "-c", script,
                      env=peers)
            s.same("programs: run %s" % " ".join(more),
                   (0, "one server\n"), (p.returncode, p.stderr.decode()))
        secret = {"HANDFAST_STORE_PASSWORD": "of Redis",
                  "PGPASSWORD": "of PostgreSQL"}
        p = h.run("run", "one", "--", "sh", "-c", "env >&2",
                  env={**peers, **secret, "PGUSER": "kept"})
        names = [x.split("=")[0] for x in p.stderr.decode().split("\n")]
        s.same("programs: no secret of a store", [],
               [x for x in names if x in secret])
        s.same("programs: the rest", ["HANDFAST_PEERS", "PGUSER"],
               sorted(x for x in names if x in (*peers, "PGUSER")))
        p = h.run("run", "one", "--", "sh", "-c",
                  "exec >&-; cat >&2; exit 7")
        s.same("programs: its exit code", 7, p.returncode)
        p = h.run("run", "one", "--", "sh", "-c", "kill -TERM $$")
        s.same("programs: its signal", 143, p.returncode)
        p = h.run("run", "one", "--", "./nothing")
        s.same("programs: none", 127, p.returncode)
        none = os.path.join(h.dir, "none", "agent")
        for words in (("initiate", "--shared", "one", "--agent", none),
                      ("run", "one", "--agent", none, "--", "cat"),
                      ("agent", "status", "--agent", none)):
            p = h.run(*words)
            s.check("programs: no agent, %s" % words[0], p.returncode == 3 and
                    b"HF_E_NO_AGENT" in p.stderr, p.stderr)
            s.same("programs: no agent, %s: no output" % words[0], b"",
                   p.stdout)
        missing = os.path.join(h.dir, "missing.conf")
        for more, env in ((("--peers", missing), {}),
                          ((), {"HANDFAST_PEERS": missing})):
            p = h.run("run", "one", "--unshared", *more, "--", "cat", env=env)
            s.same("programs: no file of peers", (
                3, "handfast: error: %s: No such file or directory\n" %
                missing), (p.returncode, p.stderr.decode()))
        p = h.run("run", "one", "--agent", none, "--fallback", "--", "cat",
                  env={"HANDFAST_PEERS": missing})
        s.same("programs: neither an agent nor a file of peers", (
            3, "handfast: error: one: input or output failed (HF_E_IO)\n"
            "handfast: hint: without an agent a session needs %s, which "
            "cannot be read\n" % missing), (p.returncode, p.stderr.decode()))
        p = h.run("run", "one", "--agent", none, "--fallback", "--", "sh",
                  "-c", script, env=peers)
        s.check("programs: it says that it fell back", p.returncode == 0 and
                b"there is no agent" in p.stderr and
                b"one server" in p.stderr, p.stderr)
        h.stop()


def paused():
    """initiate --shared: input that pauses has not ended, though the other
    side has."""
    with Hall(()) as h:
        h.respond("one", sink=("--exec", "head -c 3"))
        h.peer("one", h.responder["one"].address)
        h.start()
        p = subprocess.Popen([s.PROGRAM, "initiate", "--shared", "one",
                              "--agent", h.path], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(b"line 1\n")
        p.stdin.flush()
        s.same("paused: exit code", 3, p.wait(WAIT))
        s.same("paused: what came", b"lin", p.stdout.read())
        words = p.stderr.read()
        s.check("paused: words", b"one: the peer has finished, and standard "
                b"input had not ended: 7 bytes of it were read" in words,
                words)
        p.stdin.close()
        h.stop()


@contextlib.contextmanager
def place():
    """Where an agent that is none listens."""
    with Hall(()) as h, socket.socket(socket.AF_UNIX) as listener:
        os.mkdir(os.path.join(h.dir, "run"), 0o700)
        listener.bind(h.path)
        listener.listen(1)
        yield listener


def joined(listener):
    """initiate --shared before an agent that is none, and what it reads: each
    message that is sent there is read at once."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    p = subprocess.Popen([s.PROGRAM, "initiate", "--shared", "one", "--agent",
                          listener.getsockname()], stdin=its,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    its.close()
    return p, Agent(listener), ours


def fits(*frames):
    """How many bytes of the frames a socket takes that nobody reads."""
    a, b = socket.socketpair()
    a.setblocking(False)
    n = 0
    with a, b:
        try:
            for n_bytes in frames:
                n += a.send(bytes(n_bytes))
        except BlockingIOError:
            pass
    return n


def unread():
    """initiate --shared before an agent that does not read for a while: what
    the socket did not take goes when it does, with nothing behind it."""
    with place() as listener:
        asked, small, large = 7, 3, 3 + 16384
        # The socket takes all but the end.
        p, agent, there = joined(listener)
        n = (fits(asked, *[small] * 10000) - asked) // small
        for _ in range(n):
            there.send(b"x")
        there.close()
        time.sleep(0.3)
        s.same("unread: what was asked", [OPEN, 1, "one"], agent.next())
        s.check("unread: all of it", agent.receive(n) == b"x" * n)
        s.same("unread: and its end", [END], agent.next())
        agent.say(END)
        s.same("unread: exit code", 0, p.wait(WAIT))
        # The socket takes the last frame in part, and the input goes on.
        p, agent, there = joined(listener)
        n, of_last = 0, 4 * large
        while of_last == 4 * large:
            n += 1
            of_last = fits(asked, *[4 * large] * n) - asked - \
                4 * large * (n - 1)
        last = 16384 * (of_last // large + 1)
        for _ in range(n - 1):
            there.send(bytes(4 * 16384))
        there.send(bytes(last))
        # It has more to write than is taken, too.
        agent.s.sendall(5 * frame(DATA, bytes(16384)))
        time.sleep(0.3)
        agent.next()
        n = 4 * 16384 * (n - 1) + last
        s.same("unread: the rest of a frame", n, len(agent.receive(n)))
        agent.close()
        out, words = p.communicate(timeout=WAIT)
        s.check("unread: the agent is gone", len(out) == 5 * 16384 and
                b"HF_E_AGENT_GONE" in words, len(out), words)
        there.close()


def cut_short():
    """initiate --shared: what came before an end is written before that is
    told, though there was more to send."""
    with place() as listener:
        for what, end in (("more", b""), ("all", frame(END))):
            p, agent, there = joined(listener)
            for _ in range(4):
                there.send(bytes(65536))
            time.sleep(0.3)
            p.send_signal(signal.SIGSTOP)
            data = bytes(range(256)) * 64
            agent.s.sendall(3 * frame(DATA, data) + end +
                            frame(OVER, CODES["HF_E_QUOTA"], 5))
            agent.close()
            p.send_signal(signal.SIGCONT)
            out, words = p.communicate(timeout=WAIT)
            s.check("cut short: %s: what came before" % what, out == 3 * data,
                    len(out))
            s.check("cut short: %s: why" % what, b" (HF_E_QUOTA)\n" in words,
                    words)
            there.close()


def broken():
    """The responder dies under its channels: they end with the error; who
    comes next gets another session, or none while there is none."""
    with Hall() as h:
        h.start()
        app = h.app().opened()
        s.same("broken: before", True, app.echo(b"x"))
        port = h.responder["one"].address
        h.responder["one"].kill()
        f = app.next()
        s.same("broken: the channel's end", [OVER, 60, 129], f)
        p = h.run("initiate", "--shared", "one")
        s.check("broken: nobody there", p.returncode == 3 and
                b"HF_E_IO" in p.stderr, p.stderr)
        h.respond("one")
        h.peer("one", h.responder["one"].address)
        h.configure()
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=reload" in h.words(), "a reload")
        s.same("broken: again", True, h.app().opened().echo(b"y"))
        s.check("broken: elsewhere", port != h.responder["one"].address)
        h.stop()


def moment():
    """The connection ends, by itself or in order, in the moment in which an
    application asks: it gets a channel, elsewhere."""
    for what, how, end in (("broken", signal.SIGKILL, "60"),
                           ("closed", signal.SIGTERM, "HF_E_RESET")):
        with Hall(("one", "two")) as h:
            one = h.responder["one"]
            h.peer("both", [one.address, h.responder["two"].address])
            h.start()
            beside, app = h.app("both").opened(), App(h.path)
            h.status()  # it was let in
            h.freeze()
            app.say(OPEN, 1, "both")
            app.data(b"at once")
            one.process.send_signal(how)
            one.process.wait(WAIT)
            h.agent.send_signal(signal.SIGCONT)
            s.same("moment: %s: opened" % what, INFO, app.next()[0])
            s.same("moment: %s: what it said" % what, b"at once",
                   app.receive(7))
            s.same("moment: %s: who was there" % what, end,
                   str(beside.over()))
            s.same("moment: %s: one more beside" % what, True,
                   h.app("both").opened().echo(b"x"))
            line = h.responder["two"].log()
            s.same("moment: %s: one session" % what, 1,
                   " ".join(line).count("trace: received request "))
            h.stop()


def heard():
    """The responder dies: what had come before is heard before that, however
    slowly, and not waited for for ever."""
    with Hall() as h:
        h.start()
        slow, still, beside = [h.app().opened() for _ in range(3)]
        data = bytes(range(256)) * 1200
        for app in (slow, still):
            app.data(data)
        time.sleep(1)
        s.same("heard: the one beside", True, beside.echo(b"x" * 50000))
        h.responder["one"].kill()
        s.same("heard: who waits is told", "60", str(beside.over()))
        began, got = time.monotonic(), b""
        while len(got) < len(data):
            got += slow.receive(1)
            time.sleep(0.4)
        wait_for(lambda: h.channels() == 0, "the end of one that is still")
        s.check("heard: who reads nothing had five seconds",
                time.monotonic() - began > 4, time.monotonic() - began)
        s.check("heard: all that came", got == data, len(got))
        s.same("heard: and then the end", [OVER, 60, 129], slow.next())
        h.stop()


def counted():
    """The log and the status mean the same by what came in and went out."""
    with Hall(()) as h:
        script = h.house.write("three.sh", "#!/bin/sh\nwc -c >/dev/null\n"
                               "printf abc\n", 0o700)
        h.respond("one", sink=("--exec", os.path.abspath(script)))
        h.peer("one", h.responder["one"].address)
        h.start()
        app = h.app().opened()
        app.data(b"x" * 1000)
        app.say(END)
        s.same("counted: the answer", b"abc", app.receive(3))
        s.same("counted: its end", [END], app.next())
        app.close()
        wait_for(lambda: "event=channel" in h.words(), "the channel's end")
        line = [w for w in h.words().splitlines() if "event=channel" in w][0]
        state = h.status()["one"]
        s.same("counted: in the status", (3, 1000),
               (state["bytes_in"], state["bytes_out"]))
        s.check("counted: in the log", " bytes_in=3 bytes_out=1000 " in line,
                line)
        h.stop()


def resumed():
    """In a cluster the session goes on, by a resume, when it is next wanted;
    its channels were over."""
    with Hall(()) as h:
        house = h.house
        house.hf("cluster", "init", "--ca", "ca", "--name", "web", "--store",
                 "lmdb:db", "-o", "web.cert")
        addresses = []
        for name in ("a", "b"):
            house.identity(name)
            house.certificate(name, "responder,server", "--cluster", "web")
            house.hf("cluster", "admit", "--key", "web.key", "--store",
                     "lmdb:db", "--cert", name + ".cert")
            h.respond(name, "--store", "lmdb:db", "--cluster", "web.cert",
                      "--checkpoint", "record", identity=name + ".key",
                      cert=name + ".cert")
            addresses.append(h.responder[name].address)
        h.peer("web", addresses, expect="web")
        h.start()
        app = h.app("web").opened()
        s.same("resumed: before", True, app.echo(b"x" * 1000))
        sid = h.status()["web"]["sid"]
        # A server answers before it has stored the session for the first time.
        wait_for(lambda: sid.encode() in house.hf("session", "list", "--store",
                                                  "lmdb:db"), "it stored")
        h.responder["a"].kill()
        s.same("resumed: its channel is over", "60",
               str(app.over()))
        s.same("resumed: broken", "broken", h.status()["web"]["state"])
        s.same("resumed: and on", True, h.app("web").opened().echo(b"y"))
        state = h.status()["web"]
        s.same("resumed: one handshake, one resume, one session",
               (1, 1, sid), (state["handshakes"], state["resumes"],
                             state["sid"]))
        h.stop()


def inherited():
    """A socket that systemd listens at."""
    with Hall() as h:
        os.mkdir(os.path.join(h.dir, "run"), 0o755)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(h.path)
            listener.listen(8)
            h.configure()
            script = "exec env LISTEN_PID=$$ LISTEN_FDS=1 %s agent " \
                "--config agent.conf 3<&%d" % (h.program, listener.fileno())
            h.log = os.path.join(h.dir, "agent.log")
            with open(h.log, "ab") as f:
                h.agent = subprocess.Popen(
                    ["sh", "-c", script], cwd=h.dir, stderr=f,
                    pass_fds=[listener.fileno()])
            s.same("inherited: served", True, h.app().opened().echo(b"x"))
            s.same("inherited: the agent ends", 0, h.stop())
        s.check("inherited: the socket stays", os.path.exists(h.path))
        with open(os.path.join(h.dir, "agent.conf"), "a") as f:
            f.write('store = "rest"\n')
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(h.path + "2")
            listener.listen(8)
            for more in ("", " --check"):
                p = subprocess.run(["sh", "-c", script.rpartition("&")[0] +
                                    "&%d" % listener.fileno() + more],
                                   cwd=h.dir, stderr=subprocess.PIPE,
                                   pass_fds=[listener.fileno()], timeout=60)
                s.same("inherited: no place for a key" + more, (
                    6, b"handfast: error: agent.conf: store: no store-key, and"
                    b" the socket is not of the agent's making\n"),
                    (p.returncode, p.stderr))


TESTS = (applications, shared, idle, asked, closed_old, worded, programs,
         paused, unread, cut_short, broken, moment, heard, counted, resumed, inherited)

if __name__ == "__main__":
    run(TESTS)
