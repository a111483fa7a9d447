#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What an agent refuses, and whom it does not let others disturb, with real
processes and a second user: rows D10 and D13 to D17 of spec/threats.md.
"""
import array
import ctypes as c
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from agenting import (App, CLOSE, CODES, DATA, END, INFO, OPEN,  # noqa: E402
                      OVER, PEER, STATUS, WAIT, Hall, frame, run,
                      wait_for)

NOBODY, NOGROUP = 65534, 65534
# More than a session has channels; some suffice where it is known to fail.
KILLED = int(os.environ.get("HANDFAST_TEST_KILLED",
                            200 if s.SAN else 1040))


def as_nobody(h, *words, **how):
    return h.run(*words, user=NOBODY, **how)


def heard_by_nobody(h, peer):
    """What another user's process hears of a peer, in its own words."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOGROUP)
            os.setuid(NOBODY)
            app = App(h.path, peer)
            os.write(w, repr((app.next(), app.next())).encode())
        finally:
            os._exit(0)
    os.close(w)
    os.waitpid(pid, 0)
    with os.fdopen(r) as f:
        return f.read()


def others():
    """Other users: those that a peer names, and no others, who learn nothing;
    a group; questions."""
    with Hall() as h:
        address = h.responder["one"].address
        h.peer("his", address, users=["nobody"])
        h.peer("group", address, groups=["nogroup"])
        h.peer("number", address, users=["65534"])
        h.peer("all", address, users=["*"])
        h.start()
        for peer, code in (("his", 0), ("group", 0), ("number", 0),
                           ("all", 0), ("one", 5), ("nothing", 5)):
            p = as_nobody(h, "initiate", "--shared", peer, data=b"x")
            s.same("others: %s" % peer, code, p.returncode)
            s.same("others: %s, what comes" % peer,
                   b"x" if code == 0 else b"", p.stdout)
            if code != 0:
                s.check("others: %s, why" % peer, b"HF_E_POLICY" in p.stderr,
                        p.stderr)
        s.same("others: no oracle", [repr(([OVER, 7, 2], None))] * 2,
               [heard_by_nobody(h, peer) for peer in ("one", "nix")])
        for words in (("status",), ("close", "his"), ("close", "nothing")):
            p = as_nobody(h, "agent", *words)
            s.check("others: agent %s" % words[0], p.returncode == 5 and
                    b"HF_E_POLICY" in p.stderr, p.stderr)
        s.same("others: still open", "open", h.status()["his"]["state"])
        h.stop()


def tells_processes_apart():
    """Whether this kernel has an inode for each process (pidfs)."""
    try:
        one, two = os.pidfd_open(os.getpid()), os.pidfd_open(os.getppid())
    except (AttributeError, OSError):
        return False
    apart = os.fstat(one).st_ino != os.fstat(two).st_ino
    os.close(one)
    os.close(two)
    return apart


def reused():
    """A pid that is used again is another process: what is left of the one
    before does not count as its."""
    last = "/proc/sys/kernel/ns_last_pid"
    if not os.access(last, os.W_OK):
        s.note("pids cannot be chosen here: reused was left out")
        return
    if not tells_processes_apart():
        s.note("this kernel has no pidfs, and tells processes apart by their "
               "pid alone: reused was left out")
        return
    with Hall() as h:
        h.peer("one", h.responder["one"].address, channels=1)
        h.start()

        def child(work):
            pid = os.fork()
            if pid == 0:
                try:
                    work()
                finally:
                    os._exit(1)
            return pid

        def leave():
            app = h.app().opened()
            try:
                h.app().opened()
                os._exit(2)  # the quota of one was not kept
            except RuntimeError:
                pass
            if os.fork() == 0:
                time.sleep(20)
            os._exit(0 if app else 3)
        before = child(leave)
        s.same("reused: the first", 0, os.waitpid(before, 0)[1])
        s.same("reused: what it left", 1, h.channels())
        for _ in range(200):
            with open(last, "w") as f:
                f.write(str(before - 1))

            def again():
                os._exit(0 if os.getpid() == before and
                         h.app().opened().echo(b"x") else 9)
            pid = child(again)
            code = os.waitpid(pid, 0)[1]
            if pid == before:
                s.same("reused: another of that pid", 0, code)
                break
        else:
            s.note("the pid was not to be had: reused was not shown")
        h.stop()


def killed():
    """Applications that are killed in the middle of it: each channel is
    freed, the peer is told, and who is beside is not disturbed."""
    with Hall() as h:
        h.peer("one", h.responder["one"].address,
               **{"user-channels": 1024})
        h.start()
        beside = h.app().opened()
        h.app().opened().close()
        wait_for(lambda: h.channels() == 1, "quiet")
        files = h.files()
        ready_r, ready_w = os.pipe()

        def victim(n):
            app = App(h.path, "one")
            app.data(b"k" * (n % 7 * 10000 + 1))
            if n % 2 == 0:
                app.opened().receive(1)
            os.write(ready_w, b".")
            while True:
                app.data(b"k" * 16384)
        most = 20
        for first in range(0, KILLED, most):
            pids = []
            for n in range(first, first + most):
                pid = os.fork()
                if pid == 0:
                    try:
                        victim(n)
                    finally:
                        os.write(ready_w, b"!")
                        os._exit(1)
                pids.append(pid)
            if b"!" in [os.read(ready_r, 1) for _ in pids]:
                s.fail("killed: one had no channel, from %d" % first)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if not beside.echo(b"%d" % first):
                s.fail("killed: the one beside, at %d" % first)
        wait_for(lambda: h.channels() == 1, "all channels freed")
        state = h.status()["one"]
        s.same("killed: opened", KILLED + 2, state["opened"])
        s.same("killed: one session", 1, state["handshakes"])
        wait_for(lambda: h.files() == files, "all descriptors closed")
        s.same("killed: the one beside", True, beside.echo(b"z" * 100000))
        gone = h.words().count("error=HF_E_RESET reason=gone")
        s.same("killed: each is told", KILLED + 1, gone)
        beside.say(END)
        s.same("killed: its end", [END], beside.next())
        h.stop()


def said_last():
    """An application that says why it goes is heard, whatever it has not read
    and however much it had said; who says nothing is gone."""
    with Hall() as h:
        h.start()
        beside = h.app().opened()

        def ends(what, reason, *app_says, before=b"", read=0, at_once=False):
            ended = h.words().count("event=channel")
            app = App(h.path) if at_once else h.app().opened()
            app.data(before)
            if read:
                app.receive(read)
            elif not h.still and not at_once:
                select.select([app.s], [], [], WAIT)
            # It hears of all at once; or it takes nothing anyway.
            if not h.still:
                h.freeze()
            for said in app_says:
                app.say(*said)
            app.close()
            h.agent.send_signal(signal.SIGCONT)
            wait_for(lambda: h.words().count("event=channel") > ended,
                     "its end")
            line = [w for w in h.words().splitlines()
                    if "event=channel" in w][-1]
            s.check("said last: %s" % what, "error=HF_E_RESET reason=%s " %
                    reason in line, line)
        h.still = False
        ends("all read", "cancelled", (OVER, 84, 1), before=b"x", read=1)
        ends("not read", "cancelled", (OVER, 84, 1), before=b"x" * 30000)
        ends("for another reason", "failed", (OVER, 84, 3),
             before=b"x" * 30000)
        ends("behind an end", "cancelled", (END,), (OVER, 84, 1),
             before=b"x" * 30000)
        ends("nothing", "gone", before=b"x" * 30000)
        for what, behind in (("alone", []), ("behind data",
                                             [(DATA, b"x" * 3000)])):
            ends("at once, " + what, "failed", (OPEN, 1, "one"), *behind,
                 (OVER, 84, 3), at_once=True)
        s.same("said last: the one beside", True, beside.echo(b"y"))
        h.responder["one"].freeze()
        h.still = True
        ends("an end alone", "gone", (END,), before=b"x")
        ends("behind what nobody takes", "cancelled", (OVER, 84, 1),
             before=b"x" * 200000)
        os.kill(h.responder["one"].process.pid, signal.SIGCONT)
        s.same("said last: again", True, beside.echo(b"y"))
        h.stop()


def left():
    """Channels that were given up count until the responder knows: who opens
    and leaves in turn has no more of them than who stays."""
    with Hall() as h:
        h.peer("one", h.responder["one"].address, channels=4)
        h.start()
        beside = h.app().opened()
        s.same("left: before", True, beside.echo(b"x"))
        files = h.files()
        for _ in range(20):
            h.app().opened().close()
            wait_for(lambda: h.channels() == 1, "its end")
        h.responder["one"].freeze()
        for _ in range(3):
            h.app().opened().close()
        wait_for(lambda: h.words().count("event=channel") == 23, "their end")
        wait_for(lambda: h.files() == files, "their descriptors")
        s.same("left: one more", [OVER, 83, 4], h.app().next())
        s.same("left: they are counted", 4, h.channels())
        os.kill(h.responder["one"].process.pid, signal.SIGCONT)
        wait_for(lambda: h.channels() == 1, "the answers")
        s.same("left: and again", True, h.app().opened().echo(b"y"))
        s.same("left: who was there", True, beside.echo(b"z"))
        h.responder["one"].freeze()
        h.app().opened().close()
        h.responder["one"].kill()
        s.same("left: the connection breaks", "60", str(beside.over()))
        wait_for(lambda: h.channels() == 0, "all freed")
        h.stop()


def sink(h, listener, **more):
    """A responder whose target is that: it may finish, and read nothing."""
    listener.bind(("127.0.0.1", 0))
    listener.listen(4)
    listener.settimeout(WAIT)
    h.respond("one", sink=("--forward", "127.0.0.1:%d" %
                           listener.getsockname()[1]))
    h.peer("one", h.responder["one"].address, **more)


def ends_first(listener):
    conn = listener.accept()[0]
    conn.settimeout(WAIT)
    conn.shutdown(socket.SHUT_WR)
    return conn


def finished():
    """So does one that both have finished, until all that was said in it is
    sent."""
    with Hall(()) as h, socket.socket() as listener:
        sink(h, listener, channels=1)
        h.start()
        app = h.app().opened()
        conn = ends_first(listener)
        s.same("finished: there", [END], app.next())
        h.responder["one"].freeze()
        app.data(b"x" * 150000)
        app.say(END)
        app.close()
        wait_for(lambda: "event=channel" in h.words(), "its end")
        line = [w for w in h.words().splitlines() if "event=channel" in w][0]
        s.check("finished: in order", " reason=none " in line and
                "error=" not in line, line)
        s.same("finished: one more", [OVER, 83, 4], h.app().next())
        os.kill(h.responder["one"].process.pid, signal.SIGCONT)
        got = 0
        while got < 150000:
            got += len(conn.recv(1 << 16))
        conn.close()
        wait_for(lambda: h.channels() == 0, "the end of it")
        h.app().opened().close()
        h.stop()


def finished_unshared():
    """With a session of its own a program waits for that, and ends then."""
    with Hall(()) as h, socket.socket() as listener:
        sink(h, listener)
        p = subprocess.Popen(
            [h.program, "run", "one", "--unshared", "--peers", h.configure(),
             "--", "sh", "-c", "cat; touch ended; "
             "while test -e ended; do sleep 0.01; done; "
             "head -c 150000 /dev/zero"], cwd=h.dir, stderr=subprocess.PIPE)
        conn = ends_first(listener)
        ended = os.path.join(h.dir, "ended")
        wait_for(lambda: os.path.exists(ended), "its peer's end")
        h.responder["one"].freeze()
        os.unlink(ended)
        time.sleep(3)
        s.same("finished unshared: it waits", None, p.poll())
        os.kill(h.responder["one"].process.pid, signal.SIGCONT)
        got, more = 0, conn.recv(1 << 16)
        while more:
            got, more = got + len(more), conn.recv(1 << 16)
        s.same("finished unshared: all", (150000, 0, b""),
               (got, p.wait(WAIT), p.stderr.read()))
        p.stderr.close()
        conn.close()


def closed_unshared():
    """Where it does not wait it has two seconds for that, and two for its
    session's end; where it has not finished, those alone."""
    if s.SAN:
        return  # the library is not built for that
    c.CDLL(os.path.join(s.BUILD, "libhandfast.so"))
    lib = c.CDLL(os.path.join(s.BUILD, "libhandfast-fleet.so"))
    with Hall(()) as h, socket.socket() as listener:
        sink(h, listener)
        where = h.configure().encode()
        for what, n, least, code in (("finished", 150000, 2, "DEADLINE"),
                                     ("not finished", 1 << 20, 0, "RESET")):
            p, got = c.c_void_p(), c.c_size_t()
            s.same("closed unshared: open", 0, lib.hf_conn_open_at(
                c.byref(p), b"one", 2, where))
            conn = ends_first(listener)
            s.same("closed unshared: its peer's end", (0, 0), (
                lib.hf_conn_recv(p, c.byref(got), c.create_string_buffer(1),
                                 c.c_size_t(1)), got.value))
            h.responder["one"].freeze()
            lib.hf_conn_wait(p, 0)
            s.same("closed unshared: sent", 0, lib.hf_conn_send(
                p, c.byref(got), b"x" * n, c.c_size_t(n)))
            if code == "DEADLINE":
                s.same("closed unshared: all", (0, n), (
                    lib.hf_conn_finish(p), got.value))
            begun = time.monotonic()
            s.same("closed unshared: " + what, CODES["HF_E_" + code],
                   lib.hf_conn_close(p))
            took = time.monotonic() - begun
            s.check("closed unshared: %s, soon" % what,
                    least <= took < least + 4, took)
            os.kill(h.responder["one"].process.pid, signal.SIGCONT)
            conn.close()


def waits(h, *how):
    """Microseconds, p50 and p99, that a program waits for the answer to 100
    bytes, of a channel of the agent's session or of a session of its own."""
    script = (
        "import os, sys, time\ntook = []\n"
        "for _ in range(700):\n"
        " began, n = time.perf_counter(), os.write(1, b'p' * 100)\n"
        " while n > 0:\n  n -= len(os.read(0, n))\n"
        " took.append(time.perf_counter() - began)\n"
        "took = sorted(took[100:])\n"
        "print(took[300] * 1e6, took[594] * 1e6, file=sys.stderr)\n")
    p = h.run("run", "one", *how, "--", sys.executable, "-c", script, env={
        "HANDFAST_PEERS": os.path.join(h.dir, "agent.conf")})
    if p.returncode != 0:
        raise RuntimeError(p.stderr.decode())
    return [float(x) for x in p.stderr.split()]


def flood(h, channels):
    """A process that sends all it can, over so many channels, and reads it
    again."""
    script = (
        "import select, sys\nsys.path.insert(0, %r)\nfrom agenting import *\n"
        "apps = [App(%r, 'one').opened() for _ in range(%d)]\n"
        "for a in apps:\n a.s.setblocking(False)\n"
        "block = frame(DATA, bytes(16384)) * 4\nleft = {a: b'' for a in apps}\n"
        "print('flood', flush=True)\n"
        "while True:\n"
        " r, w, _ = select.select([a.s for a in apps],\n"
        "                         [a.s for a in apps], [])\n"
        " for a in apps:\n"
        "  if a.s in r:\n   a.s.recv(1 << 20)\n"
        "  if a.s in w:\n"
        "   left[a] = left[a] or block\n"
        "   left[a] = left[a][a.s.send(left[a]):]\n" %
        (os.path.dirname(os.path.abspath(s.__file__)), h.path, channels))
    p = subprocess.Popen([sys.executable, "-c", script],
                         stdout=subprocess.PIPE)
    if p.stdout.readline() != b"flood\n":
        s.fail("flooded: there is no flood")
    time.sleep(0.3)
    return p


def flooded():
    """One that sends as much as it can over all channels that it may have:
    what others ask is answered while it goes on, and soon. How long half of them
    and the last hundredth take is said, beside what it takes without a flood,
    and in it with sessions of their own."""
    with Hall() as h:
        h.peer("one", h.responder["one"].address, channels=8)
        h.start()
        h.app().opened().close()
        best = half = own_best = 999
        for _ in range(3):
            quiet = waits(h)
            p = flood(h, 8)
            shared, own = waits(h), waits(h, "--unshared")
            s.same("flooded: it goes on", None, p.poll())
            p.kill()
            p.wait()
            p.stdout.close()
            wait_for(lambda: h.channels() == 0, "the flood's end")
            print("p50 and p99, us: %s; beside a flood %s; there with a "
                  "session of its own %s" % tuple(
                      "%.0f %.0f" % tuple(x) for x in (quiet, shared, own)))
            best = min(best, shared[1] / quiet[1])
            half = min(half, shared[0] / quiet[0])
            own_best = min(own_best, shared[1] / own[1])
        s.note("flooded: best of 3: p99 %.1f times that without a flood, p50 "
               "%.1f times; p99 %.1f times that of a session of its own" %
               (best, half, own_best))
        # Processors that are all at work have turns of their own, longer than
        # all that is said here: times are figures, which bench-agent judges.
        # That a flood rests, that words go before turns, and how much is on
        # its way, tests/unit/fleet_pace.c and channel_words.c show.
        s.check("flooded: it went through", h.status()["one"]["bytes_out"] >
                10000000, h.status())
        h.stop()


def quotas():
    """So many channels of a process, of a user, and so many connections: who
    is beyond that is told, and nobody else is."""
    with Hall() as h:
        h.peer("one", h.responder["one"].address, channels=3,
               users=["nobody"], **{"user-channels": 4})
        h.start()
        mine = [h.app().opened() for _ in range(3)]
        s.same("quotas: a process's fourth", "HF_E_QUOTA", h.app().over())
        other = subprocess.Popen(
            [h.program, "initiate", "--shared", "one", "--agent", h.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        other.stdin.write(b"x")
        other.stdin.flush()
        s.same("quotas: another process", b"x", other.stdout.read(1))
        p = h.run("initiate", "--shared", "one")
        s.check("quotas: a user's fifth", p.returncode == 5 and
                b"HF_E_QUOTA" in p.stderr, p.returncode, p.stderr)
        s.same("quotas: another user", 0,
               as_nobody(h, "initiate", "--shared", "one").returncode)
        other.communicate(timeout=30)
        mine.pop().close()
        wait_for(lambda: h.channels() == 2, "room")
        s.same("quotas: and again", True, h.app().opened().echo(b"x"))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4096:
            s.note("no descriptors: a user's connections were not counted")
        else:
            resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
            many = [App(h.path) for _ in range(1030)]
            s.same("quotas: a user's connections", "HF_E_QUOTA",
                   many[-1].over())
            s.same("quotas: another user's", 0,
                   as_nobody(h, "initiate", "--shared", "one").returncode)
            s.same("quotas: who was there", True, mine[0].echo(b"y"))
            for app in many:
                app.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        h.stop()


def strangers():
    """Frames that have no place, of the other side, of no shape: the
    connection ends with the error, and nobody else's; there is no way to
    name another's channel."""
    with Hall() as h:
        h.start()
        beside = h.app().opened()
        sid = bytes(16)
        for what, error, first in (
                ("data first", "HF_E_UNEXPECTED", frame(DATA, b"x")),
                ("a part of data first", "HF_E_UNEXPECTED",
                 frame(DATA, b"x" * 1000)[:600]),
                ("an end first", "HF_E_UNEXPECTED", frame(END)),
                ("info", "HF_E_UNEXPECTED", frame(INFO, sid, 1, 0, 0, b"",
                                                  0)),
                ("a peer", "HF_E_UNEXPECTED", frame(PEER)),
                ("another version", "HF_E_VERSION", frame(OPEN, 2, "one")),
                ("a number behind it", "HF_E_SHAPE",
                 frame(OPEN, 1, "one", 0)),
                ("no CBOR", "HF_E_SHAPE", b"GET / HTTP/1.1\r\n"),
                ("a long head", "HF_E_CBOR", b"\x98\x03\x00\x01\x63one"),
                ("a name that cannot be", "HF_E_SHAPE",
                 frame(OPEN, 1, "../one")),
                ("a name too long", "HF_E_TOO_BIG",
                 frame(OPEN, 1, "a" * 65))):
            app = App(h.path)
            app.s.sendall(first)
            s.same("strangers: %s" % what, error, app.over())
            app.close()
        for what, error, more in (
                ("open again", "HF_E_UNEXPECTED", frame(OPEN, 1, "one")),
                ("status", "HF_E_UNEXPECTED", frame(STATUS, 1)),
                ("close", "HF_E_UNEXPECTED", frame(CLOSE, 1, "one")),
                ("data of a channel", "HF_E_SHAPE", frame(DATA, 0, b"x")),
                ("data of nothing", "HF_E_SHAPE", frame(DATA, b"")),
                ("too much data", "HF_E_TOO_BIG", frame(DATA, b"x" * 16385)),
                ("credit", "HF_E_UNEXPECTED", frame(6, 1000000))):
            app = h.app().opened()
            app.s.sendall(more)
            s.same("strangers: then %s" % what, error, app.over())
            app.close()
        app = h.app().opened()
        app.s.sendall(frame(END) + frame(DATA, b"x"))
        s.same("strangers: data behind the end", "HF_E_UNEXPECTED",
               app.over())
        app = h.app().opened()
        app.s.sendall(frame(END) + frame(DATA, b"x")[:2])
        s.same("strangers: its first bytes", "HF_E_UNEXPECTED", app.over())
        app = h.app().opened()
        app.s.sendall(frame(END) + frame(OVER, 84, 1))
        wait_for(lambda: "error=HF_E_RESET reason=cancelled" in h.words(),
                 "what is said behind the end")
        app.close()
        s.same("strangers: the one beside", True, beside.echo(b"still"))
        wait_for(lambda: h.channels() == 1, "all channels freed")
        h.stop()


def descriptors():
    """Descriptors that are passed: none stays open, and who passes one is cut
    off."""
    with Hall() as h:
        h.start()
        beside = h.app().opened()
        wait_for(lambda: h.channels() == 1, "quiet")
        files = h.files()
        r, w = os.pipe()
        for n in (1, 2, 100, 253):
            for say in (frame(OPEN, 1, "one"), frame(DATA, b"x")):
                app = App(h.path)
                if say[1] == DATA:
                    app.say(OPEN, 1, "one")
                    app.opened()
                app.s.sendmsg([say], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                       array.array("i", [w] * n))])
                s.same("descriptors: %d with %d" % (n, say[1]),
                       "HF_E_UNEXPECTED", app.over())
                app.close()
        os.close(w)
        wait_for(lambda: h.files() == files, "the same descriptors")
        os.set_blocking(r, False)
        s.same("descriptors: all closed", b"", os.read(r, 1))
        s.same("descriptors: the one beside", True, beside.echo(b"still"))
        h.stop()


def partial():
    """Frames that come byte by byte, or not to their end."""
    with Hall() as h:
        h.start()
        app = App(h.path)
        for byte in frame(OPEN, 1, "one") + frame(DATA, b"hello"):
            app.s.sendall(bytes([byte]))
        app.opened()
        s.same("partial: byte by byte", b"hello", app.receive(5))
        late = App(h.path)
        late.s.sendall(frame(OPEN, 1, "one")[:3])
        silent = App(h.path)
        begun = time.monotonic()
        s.same("partial: never whole", "HF_E_DEADLINE", late.over())
        s.same("partial: nothing at all", "HF_E_DEADLINE", silent.over())
        s.check("partial: after five seconds",
                3 < time.monotonic() - begun < 15)
        cut = h.app().opened()
        cut.s.sendall(frame(DATA, b"x" * 1000)[:500])
        cut.close()
        wait_for(lambda: h.channels() == 1, "the cut one gone")
        s.same("partial: the one beside", True, app.echo(b"still"))
        h.stop()


def restarted():
    """The agent ends under its applications, by a signal or killed: an error
    of its own; the next one serves at once."""
    with Hall() as h:
        for how in (signal.SIGTERM, signal.SIGKILL):
            h.start()
            app = h.app().opened()
            s.same("restarted: before", True, app.echo(b"x"))
            p = subprocess.Popen(
                [h.program, "initiate", "--shared", "one", "--agent", h.path],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
            p.stdin.write(b"first")
            p.stdin.flush()
            s.same("restarted: heard", b"first", p.stdout.read(5))
            h.stop(how)
            end = app.next()
            s.same("restarted: what is said",
                   [OVER, 82, 130] if how == signal.SIGTERM else None, end)
            err = p.communicate(timeout=30)[1]
            s.check("restarted: the error", p.returncode == 3 and
                    b"HF_E_AGENT_GONE" in err, p.returncode, err)
        h.start()
        s.same("restarted: and on", True, h.app().opened().echo(b"y"))
        h.stop()


TESTS = (others, reused, killed, said_last, left, finished,
         finished_unshared, closed_unshared, flooded, quotas, strangers, descriptors, partial,
         restarted)

if __name__ == "__main__":
    if os.geteuid() != 0:
        s.skip("not root: there is no second user")
    run(TESTS)
