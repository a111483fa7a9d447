#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What takes a while is said on a terminal, and only there: a password that is
stretched, a session whose connection broke. The line goes away by itself. And
where somebody sits there, the end of a program elsewhere is the end.
"""
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402

s = k.s
GONE = "\r\033[K"
STRETCHING = "handfast: stretching the password"
BROKE = "handfast: the connection broke; going on where it can, for 1 s at most ..."


class Words:
    """Where a process says its words: a terminal, or a pipe."""

    def __init__(self, terminal):
        self.end, self.fd = pty.openpty() if terminal else os.pipe()
        self.text = b""

    def read(self):
        """All that was said, when nobody can say more."""
        os.close(self.fd)
        while True:
            try:
                more = os.read(self.end, 4096)
            except OSError:  # a terminal's end
                break
            if not more:
                break
            self.text += more
        os.close(self.end)
        return self.text.decode().replace("\r\n", "\n")


def run(c, terminal, *words, env=None, data=b""):
    w = Words(terminal)
    done = subprocess.run([s.PROGRAM, *words], cwd=c.dir, input=data,
                          stdout=subprocess.PIPE, stderr=w.fd, timeout=k.WAIT,
                          env={**os.environ, "TERM": "vt100", **(env or {})})
    return done.returncode, w.read()


def added(c):
    def add(name, terminal, *more, env=None):
        return run(c, terminal, "user", "add", "--db", "users", "--realm",
                   "r", "--passphrase-file", "-", *more, name, env=env,
                   data=b"correct horse\n")

    line = STRETCHING + ": 64 MiB, 2 passes ..." + GONE
    s.same("user add, on a terminal", (0, line), add("a", True))
    s.same("user add, without colours", (0, line),
           add("b", True, env={"NO_COLOR": "1"}))
    s.same("user add, in a pipe", (0, ""), add("c", False))
    s.same("user add, as JSON", (0, ""), add("d", True, "--json"))
    s.same("user add, at a terminal that can nothing", (0, ""),
           add("e", True, env={"TERM": "dumb"}))


def logged_in(c):
    c.key("r", "--usage", "responder", "--realm", "r")
    server = subprocess.Popen(
        [s.PROGRAM, "respond", "--listen", "unix:r.sock", "--identity",
         "r.key", "--cert", "r.cert", "--trust", "ca/ca.cert", "--users",
         "users", "--echo"], cwd=c.dir, stderr=subprocess.DEVNULL)
    c.clients.append(server)
    k.wait_for(lambda: os.path.exists(c.path("r.sock")), "a socket")
    with open(c.path("pass"), "w", opener=lambda p, f: os.open(p, f, 0o600)) \
            as f:
        f.write("correct horse\n")
    words = ("initiate", "--connect", "unix:r.sock", "--trust", "ca/ca.cert",
             "--realm", "r", "--user", "a", "--passphrase-file", "pass")
    s.same("initiate, on a terminal", (0, STRETCHING + " ..." + GONE),
           run(c, True, *words))
    s.same("initiate, in a pipe", (0, ""), run(c, False, *words))


def broken(c, terminal):
    """The only server is killed: what is said while it is looked for."""
    c.serve("a")
    w = Words(terminal)
    client = subprocess.Popen(
        [s.PROGRAM, "initiate", "--connect", "unix:a.sock", "--trust",
         "ca/ca.cert", "--expect", "web", "--identity", "alice.key", "--cert",
         "alice.cert", "--retry", "1s"], cwd=c.dir, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=w.fd,
        env=dict(os.environ, TERM="vt100", NO_COLOR="1"))
    c.clients.append(client)
    k.say(client, b"hello\n")
    k.wait_for(lambda: c.received() > 0, "what was said")
    c.servers["a"].kill()
    c.servers["a"].wait()
    what = "broken, %s: " % ("on a terminal" if terminal else "in a pipe")
    s.same(what + "exit code", 3, client.wait(timeout=k.WAIT))
    s.same(what + "words", (BROKE + GONE if terminal else "") +
           "handfast: error: cannot connect to unix:a.sock: "
           "Connection refused\n"
           "handfast: hint: the session broke, and could not go on within "
           "--retry: the output is not complete\n", w.read())
    for f in c.files() + [c.path("a.sock")]:
        os.unlink(f)


def remote_ends(c):
    """A program there has ended: nobody need end a terminal's input for that,
    as one that pauses must (3)."""
    server = subprocess.Popen(
        [s.PROGRAM, "respond", "--listen", "unix:e.sock", "--identity",
         "r.key", "--cert", "r.cert", "--trust", "ca/ca.cert", "--exec",
         "echo bye"], cwd=c.dir, stderr=subprocess.DEVNULL)
    c.clients.append(server)
    k.wait_for(lambda: os.path.exists(c.path("e.sock")), "a socket")
    for what, code, (there, here) in (("a terminal", 0, pty.openpty()),
                                      ("a pipe", 3, os.pipe()[::-1])):
        done = subprocess.run(
            [s.PROGRAM, "initiate", "--connect", "unix:e.sock", "--trust",
             "ca/ca.cert", "--expect", "r", "--identity", "alice.key",
             "--cert", "alice.cert"], cwd=c.dir, stdin=here,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=k.WAIT)
        s.same("it ends there, %s: exit code" % what, (code, b"bye\n"),
               (done.returncode, done.stdout))
        os.close(there)
        os.close(here)


def main():
    c = k.Cluster()
    try:
        added(c)
        logged_in(c)
        remote_ends(c)
        broken(c, True)
        broken(c, False)
    finally:
        c.close()
    s.finish()


if __name__ == "__main__":
    main()
