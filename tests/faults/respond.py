#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A responder with every call of the system failing in turn, while it begins
and while it serves: it ends with the exact code and a reason, or it goes on;
one session is lost at most, nobody is let in who did not confirm, and the
next is as good as ever.
"""
import errno
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from faults import *  # noqa: F403

DATA = b"hello\n"
SOFT = (errno.EINTR, errno.EAGAIN, SHORT)
SOCKET = [
    ("read", "socket", errno.ECONNRESET),
    ("read", "socket", errno.EINTR),
    ("read", "socket", errno.EAGAIN),
    ("read", "socket", SHORT),
    ("write", "socket", errno.EPIPE),
    ("write", "socket", errno.EINTR),
    ("write", "socket", errno.EAGAIN),
    ("write", "socket", SHORT),
]
LOST = ("HF_E_GONE", "HF_E_TRUNCATED", "HF_E_IO")


class Served:
    """A responder whose calls can be made to fail."""

    def __init__(self, house, name, token, *options, sink=("--echo",)):
        self.house, self.name, self.token = house, name, token
        self.faults = Faults()
        self.r = house.respond(name, *options, sink=sink,
                               env=self.faults.env)

    def session(self, token=None):
        self.r.skip()
        got = run(["initiate", "--connect", self.r.address,
                   *(token or self.token)], {}, DATA)
        # One that was turned away at the door leaves no line.
        return got, self.r.session(10 if got[0] == 0 else 2)

    def wrong(self, soft, codes):
        """What is wrong with one session."""
        (code, out, err), line = self.session()
        if not self.r.alive():
            return "the responder is gone: %s" % self.r.log()[-1:]
        if out not in (b"", DATA):
            return "stdout: %r" % out
        if code == 0:
            return None if out == DATA and "result=ok" in line else \
                "exit 0 with %r; there %s" % (out, line)
        if soft or not self.faults.hit or code not in codes:
            return "exit %s: %s; there %s" % (code, err.strip(), line)
        error = field(line, "error")
        if line and error not in LOST + ("HF_E_STORE", "HF_E_PASSWORD",
                                         "HF_E_LIMITED"):
            return "there: " + line
        return None

    def good(self):
        (code, out, err), line = self.session()
        return None if (code, out) == (0, DATA) and "result=ok" in line else \
            "afterwards: exit %s: %s; there %s" % (code, err.strip(), line)

    def tried(self, name, call, kind, what, codes=(3,), soft=None):
        if soft is None:
            soft = what in SOFT
        bad, n = each(self.faults, call, kind, what,
                      lambda: self.wrong(soft, codes))
        after = self.good()
        case("%s/%s" % (self.name, name), bad + ([after] if after else []) +
             ([] if n else ["nothing was hit"]), "n = 1..%d" % n)

    def stop(self):
        code = self.r.stop()
        case(self.name + "/ends-well", [] if code == 0 else
             ["exit %s: %s" % (code, self.r.log()[-1:])])


def by_token(house, name, token, *options):
    s = Served(house, name, token, *options)
    # The password command is written to by a socket, too.
    codes = (3, 8) if name == "plain-password" else (3,)
    for call, kind, what in SOCKET:
        s.tried("%s-%s-%s" % (kind, call, word(what)), call, kind, what,
                codes)
    if name == "certificate":
        # A moment later it is taken.
        for what in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED,
                     errno.EINTR, errno.ENOBUFS, errno.ENOMEM):
            s.tried("accept-" + word(what), "accept", "any", what,
                    soft=True)
        # The log is on the full disk: nobody suffers.
        s.faults.set("write", "stderr", errno.ENOSPC, 1, ALWAYS)
        got, _ = run(["initiate", "--connect", s.r.address, *token], {},
                     DATA)[:2], None
        hit = s.faults.hit
        s.faults.off()
        s.r.skip()
        case("certificate/log-ENOSPC", [] if got == (0, DATA) and hit else
             ["%r, %d" % (got, hit)])
    s.stop()


# Where a session's data goes --------------------------------------------------

def sinks(house, ask):
    execs = Served(house, "exec", house.certified, sink=("--exec", "cat"))
    execs.tried("fork-EAGAIN", "fork", "any", errno.EAGAIN, soft=False)
    execs.tried("pipe-ENFILE", "pipe", "any", errno.ENFILE)
    execs.stop()
    echo = house.respond("behind")
    forward = Served(house, "forward", house.certified,
                     sink=("--forward", echo.address))
    # What is behind is an echo in handfast: it refuses this, and so the
    # session ends; that it is reached at all is what fails here.
    for call, what in (("socket", errno.ENFILE),
                       ("connect", errno.ECONNREFUSED)):
        forward.faults.set(call, "any", what)
        (code, out, _), line = forward.session()
        hit = forward.faults.hit
        forward.faults.off()
        case("forward/%s-%s" % (call, word(what)),
             [] if hit and code == 3 and out == b"" and
             "result=lost" in line and forward.r.alive() else
             ["exit %s, %d; there %s" % (code, hit, line)])
    forward.stop()
    echo.stop()
    command = Served(house, "password-command", house.plain,
                     "--password-command", ask)
    command.tried("fork-EAGAIN", "fork", "any", errno.EAGAIN, codes=(8,),
                  soft=False)
    command.tried("pipe-ENFILE", "pipe", "any", errno.ENFILE, codes=(8,))
    command.stop()


def printing(house):
    """What arrives cannot be printed: the responder ends, and says why."""
    for what in (errno.ENOSPC, errno.EPIPE, errno.EIO):
        s = Served(house, "print-" + word(what), house.certified, sink=())
        s.faults.set("write", "any", what, 1, ALWAYS)
        # Its standard output is /dev/null there.
        s.faults.set("write", "stdio", what, 1, ALWAYS)
        (code, _, _), line = s.session()
        ended = s.r.process.wait(30)
        house.responders.remove(s.r)
        case("print/stdout-" + word(what),
             [] if ended == 3 and code == 3 and "result=ok" not in line and
             any("standard output: " + os.strerror(what) in x
                 for x in s.r.log()) else
             ["exit %s, there %s: %s" % (code, ended, s.r.log()[-2:])])


# Single-use tickets -----------------------------------------------------------

def tickets(house):
    """What cannot be written down is not burnt, and not let in; and what was
    let in stays burnt after a restart."""
    for call, what, admitted in (("write", errno.ENOSPC, False),
                                 ("write", errno.EIO, False),
                                 ("write", SHORT, False),
                                 ("write", errno.EINTR, True),
                                 ("fsync", errno.EIO, False)):
        name = "%s-%s" % (call, word(what))
        used = "used-" + name
        first = house.to + ["--ticket", house.ticket("1" + name,
                                                     "--single-use")]
        other = house.to + ["--ticket", house.ticket("2" + name,
                                                     "--single-use")]
        options = ("--ring", "ring", "--used-tickets", used)
        s = Served(house, "tickets-" + name, first, *options)
        s.faults.set(call, "file", what)
        wrong = []
        (code, out, err), line = s.session()
        if (code, out) != ((0, DATA) if admitted else (8, b"")):
            wrong.append("exit %s, %r: %s; there %s" % (code, out, err, line))
        if not s.faults.hit:
            wrong.append("nothing was hit")
        s.faults.off()
        # After that nothing is known of the file's end: none goes.
        (code, out, _), line = s.session(other)
        if code != (0 if admitted else 8):
            wrong.append("the next: exit %s; there %s" % (code, line))
        (code, _, _), line = s.session(house.certified)
        if code != 0:
            wrong.append("a certificate: exit %s; there %s" % (code, line))
        s.r.stop()
        again = Served(house, "tickets-again-" + name, first, *options)
        codes = [again.session(t)[0][0] for t in (first, other, first, other)]
        allowed = [[4, 4, 4, 4]] if admitted else [[0, 0, 4, 4], [4, 0, 4, 4]]
        if codes not in allowed:
            wrong.append("after a restart: %s" % codes)
        again.r.stop()
        case("tickets/" + name, wrong)


# Beginning, and reading anew ----------------------------------------------------

BEGINS = [
    ("open", "any", errno.EMFILE), ("open", "any", errno.EIO),
    ("read", "file", errno.EIO), ("read", "file", errno.EINTR),
    ("read", "file", SHORT),
    ("socket", "any", errno.EMFILE), ("bind", "any", errno.EADDRINUSE),
    ("listen", "any", errno.EADDRINUSE), ("write", "file", errno.ENOSPC),
    ("write", "file", SHORT), ("fsync", "file", errno.EIO),
    ("rename", "any", errno.EIO),
]


# Used tickets that nobody has here.
BURNT = b"".join(bytes([i + 1] * 16) + (1 << 40).to_bytes(8, "big")
                 for i in range(5))


def begin(house, faults, soft, began=None):
    """A responder that begins, serves one and ends; or does not begin. Where
    it did, that is noted in began."""
    words = ["respond", "--listen", "127.0.0.1:0", "--port-file", "port",
             "--identity", "server.key", "--cert", "server.cert", "--trust",
             "ca/ca.cert", "--users", "users", "--ring", "ring",
             "--used-tickets", "burnt", "--echo"]
    house.write("burnt", BURNT)
    with open("begin.log", "wb") as log:
        p = subprocess.Popen([PROGRAM] + words, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=log,
                             env=dict(os.environ, **faults.env))
    end = time.time() + 20
    while p.poll() is None and time.time() < end and not (
            os.path.exists("port") and os.path.getsize("port")):
        time.sleep(0.002)
    hit = faults.hit
    faults.off()
    if p.poll() is None:
        if began is not None:
            began.append(p.pid)
        at = "127.0.0.1:" + open("port").read().strip()
        got = run(["initiate", "--connect", at, *house.user], {}, DATA)
        p.terminate()
    out = p.communicate(timeout=20)[0]
    said = open("begin.log").read()
    left = [x for x in os.listdir(".") if x.startswith("port.")]
    has_port = os.path.exists("port")
    for x in left + (["port"] if has_port else []):
        os.unlink(x)
    if left or out:
        return "left behind: %s, %r" % (left, out)
    if open("burnt", "rb").read() != BURNT:
        return "used tickets are forgotten"
    if p.returncode == 0:
        return None if got[:2] == (0, DATA) else "it served: %r" % (got,)
    if not hit or soft or p.returncode != 3 or has_port or \
            "handfast: error: " not in said:
        return "exit %s: %s" % (p.returncode, said)
    return None


def begins(house):
    faults = Faults()
    for call, kind, what in BEGINS:
        wrong, n = each(faults, call, kind, what,
                        lambda: begin(house, faults, what in SOFT),
                        what == errno.EMFILE)
        case("begins/%s-%s" % (call, word(what)), wrong if n else
             ["nothing was hit"], "n = 1..%d" % n)


def reloads(house):
    """SIGHUP, and a file that cannot be read: the old ones are used."""
    s = Served(house, "reloads", house.user, "--users", "users", "--ring",
               "ring")
    for call, kind, what in (("open", "any", errno.EMFILE),
                             ("read", "file", errno.EIO),
                             ("read", "file", errno.EINTR),
                             ("read", "file", SHORT)):
        def attempt():
            lines = len(s.r.log())
            s.r.process.send_signal(signal.SIGHUP)
            end = time.time() + 10
            while time.time() < end:
                done = [x for x in s.r.log()[lines:]
                        if x.startswith("event=reload ")]
                if done:
                    break
                time.sleep(0.005)
            hit = s.faults.hit
            if not done:
                return "no reload"
            want = "ok" if not hit or what in SOFT else "failed"
            if field(done[0], "result") != want:
                return done[0]
            return s.good()

        wrong, n = each(s.faults, call, kind, what, attempt)
        case("reloads/%s-%s" % (call, word(what)), wrong if n else
             ["nothing was hit"], "n = 1..%d" % n)
    s.stop()


def main():
    need_shim()
    with House() as house:
        accept = ["--users", "users", "--ring", "ring"]
        ask = house.write("ask", "#!/bin/sh\nread -r u; read -r p\n"
                          "[ \"$p\" = 'correct horse' ]\n", 0o700)
        ask = os.path.join(house.dir, ask)
        plain = ["--password-command", ask]
        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(by_token, house, name, token, *options)
                    for name, token, options in (
                        ("certificate", house.certified, accept),
                        ("certificate-known", house.certified + house.known,
                         accept),
                        ("password", house.user, accept),
                        ("plain-password", house.plain, plain),
                        ("ticket", house.ticketed, accept),
                        ("ticket-known", house.ticketed + house.known,
                         accept))]
            done += [pool.submit(sinks, house, ask),
                     pool.submit(printing, house)]
            for d in done:
                d.result()
        tickets(house)
        begins(house)
        reloads(house)
    finish()


if __name__ == "__main__":
    main()
