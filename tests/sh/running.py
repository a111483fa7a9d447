#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""handfast run as whoever starts it sees it: signals are its command's, which
none outlives; and what it does where standard descriptors are closed, as an
agent does. Real processes.
"""
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from agenting import Hall, WAIT, run, wait_for  # noqa: E402

HOW = ((), ("--unshared",))
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
ECHO = "echo hello; read x; echo \"got $x\" >&2"
# It says goodbye, and hears what comes of that.
POLITE = """
import signal, sys
def bye(*unused):
    print("bye", flush=True)
    sys.exit("heard %s" % sys.stdin.readline().strip())
signal.signal(signal.SIGTERM, bye)
sys.stderr.write("ready\\n")
sys.stderr.flush()
while True:
    signal.pause()
"""
# It counts what comes from the terminal.
COUNTS = """
import signal, sys, time
came = []
signal.signal(signal.SIGINT, lambda *unused: came.append(1))
for word in "ready", "one":
    sys.stderr.write(word + "\\n")
    sys.stderr.flush()
    while not came:
        time.sleep(0.01)
time.sleep(0.5)
sys.exit("came %d" % len(came))
"""


def start(h, how, *command, **more):
    return subprocess.Popen(
        [h.program, "run", "one", *how, "--", *command], cwd=h.dir,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(os.environ, HANDFAST_AGENT=h.path,
                 HANDFAST_PEERS=os.path.join(h.dir, "agent.conf")), **more)


def ended(pid):
    """Nobody may have waited for it."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def end_of(p, seconds=WAIT / 3):
    try:
        return p.wait(seconds)
    except subprocess.TimeoutExpired:
        p.kill()
        return p.wait()


def told():
    """What would end it ends its command, which nobody else would."""
    with Hall() as h:
        h.start()
        for how in HOW:
            for sig in SIGNALS:
                what = "told: %s %s" % (" ".join(how), sig.name)
                p = start(h, how, "sh", "-c", "echo $$ >&2; exec sleep 60")
                pid = int(p.stderr.readline())
                p.send_signal(sig)
                s.same(what, 128 + sig, end_of(p))
                s.check(what + ": its command", ended(pid))
                if not ended(pid):
                    os.kill(pid, signal.SIGKILL)
            p = start(h, how, sys.executable, "-c", POLITE)
            p.stderr.readline()
            p.send_signal(signal.SIGTERM)
            s.same("told: %s a command that ends by itself" % " ".join(how),
                   (1, b"heard bye\n"), (p.wait(WAIT), p.stderr.read()))
        h.stop()


# The other end of the channel: whether that was all.
HEARS = """#!/bin/sh
trap 'echo cut >>ends; exit' TERM
cat >/dev/null
sleep 1 &
wait $!
echo whole >>ends
"""


def killed():
    """Whoever's signal ends the command, the peer is not told that its output
    was whole; one that closes it and goes on has ended it."""
    with Hall(()) as h:
        os.chmod(h.house.write("hears", HEARS), 0o755)
        h.respond("one", sink=("--exec", "./hears"))
        h.peer("one", h.responder["one"].address)
        h.start()
        for how in HOW:
            for script, code, end in (
                    ("echo half; sleep 0.3; kill -9 $$", 137, "cut"),
                    ("echo half; sleep 0.3; kill -TERM $$", 143, "cut"),
                    ("sleep 0.3; exec >&-; sleep 0.05; kill -9 $$", 137,
                     "cut"),
                    ("echo all; exit 7", 7, "whole"),
                    ("echo all; exec >&-; sleep 0.5; kill -9 $$", 137,
                     "whole")):
                h.house.write("ends", "")
                h.responder["one"].skip()
                p = start(h, how, "sh", "-c", script)
                what = "killed: %s %s" % (" ".join(how), script)
                s.same(what, code, end_of(p))
                path = os.path.join(h.dir, "ends")
                wait_for(lambda: os.path.getsize(path) > 0, what)
                with open(path) as f:
                    s.same(what + ": the peer", end + "\n", f.read())
                if how:
                    s.same(what + ": the session", end == "whole",
                           " result=ok " in h.responder["one"].session())
        h.stop()


def stubborn():
    """Where the channel was cut, a command that does not want to end is made
    to, and the exit code is that of the channel."""
    with Hall() as h:
        h.start()
        p = start(h, (), "sh", "-c", "echo >&2; exec sleep 60")
        p.stderr.readline()
        h.agent.kill()
        h.agent.wait()
        s.same("stubborn: one that is not", 3, end_of(p))
        h.start()
        p = start(h, (), "sh", "-c", "trap '' TERM; echo >&2; cat; exit 0")
        p.stderr.readline()
        h.agent.kill()
        h.agent.wait()
        began = time.monotonic()
        s.same("stubborn: one that waits for its end", (3, True),
               (end_of(p), time.monotonic() - began < 4))
        h.start()
        p = start(h, (), "sh", "-c", "trap '' TERM; echo $$ >&2; "
                  "while :; do sleep 1; done")
        pid = int(p.stderr.readline())
        h.agent.kill()
        time.sleep(1)
        p.send_signal(signal.SIGTERM)
        s.same("stubborn: the end", 3, end_of(p, WAIT))
        s.check("stubborn: its command", ended(pid))
        if not ended(pid):
            os.kill(pid, signal.SIGKILL)


def told_first():
    """A channel that was cut: the command is told before its input ends, so
    that it takes no part for the whole."""
    with Hall() as h:
        heard = set()
        for _ in range(12):
            h.start()
            p = start(h, (), "sh", "-c", "trap 'echo told >&2; exit 1' TERM; "
                      "echo >&2; read x; echo \"ended $?\" >&2")
            p.stderr.readline()
            h.agent.kill()
            h.agent.wait()
            end_of(p)
            heard.add(tuple(line for line in p.stderr.read().splitlines()
                            if line[:8] != b"handfast"))
        s.same("told first", {(b"told",)}, heard)


def cut_while_full():
    """A program that writes all before it reads, its channel cut while what
    came waits for it: nothing stands still."""
    with Hall(responders=()) as h:
        h.respond("one", sink=("--exec", "head -c 1000000 /dev/zero"))
        h.peer("one", h.responder["one"].address)
        h.start()
        p = start(h, (), "sh", "-c", "sleep 1; echo >&2; sleep 0.5; "
                  "head -c 1000000 /dev/zero; cat >/dev/null; exit 0")
        p.stderr.readline()
        h.agent.kill()
        h.agent.wait()
        s.same("cut while full", 3, end_of(p))


def held():
    """Another program that has the command's output holds nothing up; behind
    a command that ended by itself it may go on, until the next signal."""
    with Hall() as h:
        h.start()
        p = start(h, (), "sh", "-c", "sleep 60 & echo $! >&2; kill -9 $$")
        sleep = int(p.stderr.readline())
        s.same("held: by a signal of its own: the end", 137, end_of(p))
        os.kill(sleep, signal.SIGKILL)
        for trap, what in (("", "by the signal"),
                           ("trap 'exit 5' TERM; ", "by itself")):
            p = start(h, (), "sh", "-c", trap +
                      "sleep 60 & echo $$ $! >&2; wait; wait")
            sh, sleep = map(int, p.stderr.readline().split())
            p.send_signal(signal.SIGTERM)
            wait_for(lambda: ended(sh), "the command's end")
            if trap:
                time.sleep(0.2)
                s.same("held: %s: goes on" % what, None, p.poll())
                p.send_signal(signal.SIGTERM)
            s.same("held: %s: the end" % what, 143, end_of(p))
            os.kill(sleep, signal.SIGKILL)
        h.stop()


def ignored():
    """What was ignored stays so, also when nobody else is left to hear it; and
    where no child was to be waited for this one's end is known."""
    with Hall() as h:
        h.start()
        p = start(h, (), "sh", "-c", "sleep 60 & echo $$ $! >&2",
                  preexec_fn=lambda:
                  signal.signal(signal.SIGHUP, signal.SIG_IGN))
        sh, sleep = map(int, p.stderr.readline().split())
        wait_for(lambda: ended(sh), "the command's end")
        time.sleep(0.2)
        p.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        s.same("ignored: goes on", None, p.poll())
        os.kill(sleep, signal.SIGKILL)
        s.same("ignored: the end", 0, end_of(p))
        p = start(h, (), "sh", "-c", "exit 5", preexec_fn=lambda:
                  signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        s.same("ignored: an exit code", 5, end_of(p))
        h.stop()


def terminal():
    """A terminal's signal is for all of its foreground: none gets it twice."""
    with Hall() as h:
        h.start()
        ours, theirs = pty.openpty()
        p = start(h, (), sys.executable, "-c", COUNTS, start_new_session=True,
                  preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0))
        p.stderr.readline()
        # One that came at the same time could not be told from it.
        p.send_signal(signal.SIGSTOP)
        os.write(ours, b"\x03")
        p.stderr.readline()
        p.send_signal(signal.SIGCONT)
        s.same("terminal: once", (1, b"came 1\n"),
               (p.wait(WAIT), p.stderr.read()))
        os.close(ours)
        os.close(theirs)
        h.stop()


def in_terminal(h, *command):
    """run as the leader of a terminal's session; and the terminal."""
    ours, theirs = pty.openpty()
    p = start(h, (), *command, start_new_session=True,
              preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0))
    os.close(theirs)
    return p, ours


def hangup():
    """A terminal that goes tells who leads its session, and nobody else; and
    its keys are not heard in another session."""
    with Hall() as h:
        h.start()
        for command, end, what in (
                ("exec sleep 60", lambda at: os.close(at), "hangup"),
                ("exec setsid sh -c 'echo $$ >&2; exec sleep 60'",
                 lambda at: os.write(at, b"\x03"), "hangup: setsid")):
            p, at = in_terminal(h, "sh", "-c", "echo $$ >&2; " + command)
            pid = int(p.stderr.readline())
            if "setsid" in what:
                pid = int(p.stderr.readline())
            end(at)
            s.same(what, 130 if "setsid" in what else 129, end_of(p))
            s.check(what + ": its command", ended(pid))
            if not ended(pid):
                os.kill(pid, signal.SIGKILL)
            if "setsid" in what:
                os.close(at)
        h.stop()


def without(h, closed, *words, **more):
    """The program, with such descriptors of its own closed."""
    return subprocess.Popen(
        ["sh", "-c", 'exec "$@" ' + closed, "sh", h.program, *words],
        cwd=h.dir, env=dict(os.environ, HANDFAST_AGENT=h.path,
                            HANDFAST_PEERS=os.path.join(h.dir, "agent.conf")),
        **more)


def closed():
    """Standard descriptors that are closed at the start: a command is joined
    to its peer all the same, and an agent serves and ends."""
    with Hall() as h:
        h.configure()
        h.agent = without(h, "<&- >&- 2>&-", "agent", "--config",
                          "agent.conf")
        wait_for(h.answers, "an agent")
        for how in HOW:
            for fds in ("<&-", ">&-", "<&- >&-"):
                what = "closed: run %s %s" % (" ".join(how), fds)
                p = without(h, fds, "run", "one", *how, "--", "sh", "-c",
                            ECHO, stderr=subprocess.PIPE)
                s.same(what, (b"got hello\n", 0),
                       (p.communicate(timeout=WAIT)[1], p.returncode))
            p = without(h, "<&- >&- 2>&-", "run", "one", *how, "--", "sh",
                        "-c", "echo hello; read x; [ \"$x\" = hello ] && "
                        "exit 7")
            s.same("closed: run %s: without any" % " ".join(how), 7,
                   p.wait(WAIT))
        p = without(h, ">&-", "agent", "status", stderr=subprocess.PIPE)
        s.same("closed: a table", (
            b"handfast: error: standard output: Bad file descriptor\n", 3),
            (p.communicate(timeout=WAIT)[1], p.returncode))
        s.same("closed: the agent ends", 0, h.stop())


TESTS = (told, killed, stubborn, told_first, cut_while_full, held, ignored,
         terminal, hangup, closed)

if __name__ == "__main__":
    # Whoever began this in the background may have them ignored.
    for sig in SIGNALS:
        if signal.getsignal(sig) == signal.SIG_IGN:
            signal.signal(sig, signal.SIG_DFL)
    run(TESTS)
