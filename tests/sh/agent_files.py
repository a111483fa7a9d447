#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Where an agent does not start, which files it does not read, and where
applications do not connect, with real processes and a second user: rows D11,
D12 and D18 of spec/threats.md.
"""
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from agenting import WAIT, Hall, run, wait_for  # noqa: E402

NOBODY, NOGROUP = 65534, 65534


def places():
    """Where the agent does not start, and leaves what is there; where nobody
    connects to what could be another's."""
    with Hall() as h:
        run = os.path.join(h.dir, "run")

        def refused(what, code=5):
            got, words = h.fails()
            s.check("places: %s" % what, got == code and
                    ("HF_E_POLICY" in words or code != 5), got, words)
            # One that listens there is no reason: it may be the one.
            s.same("places: %s: --check" % what,
                   (5, words) if code == 5 else (0, ""), h.fails("--check"))
        os.mkdir(run)
        os.chmod(run, 0o777)
        refused("a directory that others can change")
        os.chmod(run, 0o1777)
        refused("one like /tmp")
        os.chmod(run, 0o700)
        os.chown(run, NOBODY, NOGROUP)
        refused("another user's")
        os.rmdir(run)
        os.mkdir(os.path.join(h.dir, "real"), 0o700)
        os.symlink("real", run)
        refused("a link")
        os.unlink(run)
        os.mkdir(run, 0o700)
        h.house.write(h.path, "what is this")
        refused("a file in the socket's place")
        s.same("places: the file", b"what is this", open(h.path, "rb").read())
        os.unlink(h.path)
        os.symlink(os.path.join(h.dir, "elsewhere"), h.path)
        refused("a link in the socket's place")
        s.check("places: the link", os.path.islink(h.path) and
                not os.path.exists(os.path.join(h.dir, "elsewhere")))
        os.unlink(h.path)
        squat = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        squat.bind(h.path)
        squat.listen(1)
        refused("a socket that somebody listens on", 3)
        queue = []
        try:
            while True:
                queue.append(socket.socket(socket.AF_UNIX,
                                           socket.SOCK_STREAM))
                queue[-1].setblocking(False)
                queue[-1].connect(h.path)
        except BlockingIOError:
            pass
        refused("one that answers nobody", 3)
        for waits in (*queue, squat):
            waits.close()
        h.start()
        s.same("places: a dead one is replaced", True,
               h.app().opened().echo(b"x"))
        h.stop()
        os.rmdir(run)
        h.start()
        h.status()  # it does what it does with signals, too
        s.same("places: modes", ["0o700", "0o600"],
               [oct(os.lstat(p).st_mode & 0o7777) for p in (run, h.path)])
        h.stop()
        os.rmdir(run)
        h.peer("his", h.responder["one"].address, users=["nobody"])
        h.start()
        s.same("places: modes for others", ["0o711", "0o666"],
               [oct(os.lstat(p).st_mode & 0o7777) for p in (run, h.path)])
        refused("where one runs already", 3)
        h.stop()


def twice():
    """Two agents and one socket: those that start at the same time take turns,
    and none takes away what is another's."""
    with Hall() as h:
        h.start()
        code, words = h.fails()
        s.check("twice: the second", code == 3 and
                "agent: Address already in use" in words and
                "hint: does an agent run there?" in words, code, words)
        first = h.agent
        os.unlink(h.path)
        h.start()
        app = h.app().opened()
        first.send_signal(signal.SIGTERM)
        s.same("twice: the first ends", 0, first.wait(WAIT))
        s.same("twice: the socket of the second", True,
               os.path.exists(h.path) and h.app().opened().echo(b"x"))
        s.same("twice: and who was there", True, app.echo(b"y"))
        app.close()
        # Its place is free before it has ended.
        h.responder["one"].freeze()
        app = h.app().opened()
        app.data(b"z")
        h.agent.send_signal(signal.SIGTERM)
        wait_for(lambda: not os.path.exists(h.path), "a free place")
        first = h.agent
        os.kill(h.responder["one"].process.pid, signal.SIGCONT)
        s.same("twice: it ends", 0, first.wait(WAIT))
        run = os.path.dirname(h.path)
        for seconds in (0.8, 60):
            fd = os.open(run, os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            h.configure()
            p = subprocess.Popen([h.program, "agent", "--config",
                                  "agent.conf"], cwd=h.dir,
                                 stderr=subprocess.DEVNULL)
            time.sleep(0.8)
            s.same("twice: not while another one is at it", False,
                   os.path.exists(h.path))
            if seconds < 1:
                os.close(fd)
            wait_for(h.answers, "its turn")
            h.status()  # it does what it does with signals, too
            p.terminate()
            s.same("twice: in turn", 0, p.wait(WAIT))
            if seconds > 1:
                os.close(fd)


def squatted():
    """Applications do not connect to what another user could have put
    there."""
    with Hall() as h:
        h.start()
        run = os.path.join(h.dir, "run")

        def refused(what, path=h.path):
            p = h.run("initiate", "--shared", "one", "--agent", path)
            s.check("squatted: %s" % what, p.returncode == 5 and
                    b"HF_E_POLICY" in p.stderr, p.returncode, p.stderr)
        os.chmod(run, 0o777)
        refused("a directory that others can change")
        os.chmod(run, 0o700)
        os.symlink("run", os.path.join(h.dir, "link"))
        refused("by a link", os.path.join(h.dir, "link", "agent"))
        os.symlink("agent", os.path.join(run, "other"))
        refused("a link in the socket's place", os.path.join(run, "other"))
        h.house.write(os.path.join(run, "file"), "")
        refused("a file in the socket's place", os.path.join(run, "file"))
        # Somebody else's directory under one that anybody can write to.
        open_to_all = os.path.join(h.dir, "tmp")
        os.mkdir(open_to_all)
        os.chmod(open_to_all, 0o1777)
        his = os.path.join(open_to_all, "handfast")
        script = ("import os, socket, time\nos.mkdir(%r, 0o755)\n"
                  "l = socket.socket(socket.AF_UNIX)\nl.bind(%r)\n"
                  "l.listen(8)\nos.chmod(%r, 0o666)\ntime.sleep(60)\n" %
                  (his, his + "/agent", his + "/agent"))
        p = subprocess.Popen(["/usr/bin/python3", "-c", script], user=NOBODY,
                             group=NOGROUP, extra_groups=[])
        wait_for(lambda: os.path.exists(his + "/agent") and
                 os.lstat(his + "/agent").st_mode & 0o6 == 0o6, "a squatter")
        refused("another user's, where anybody could", his + "/agent")
        # In root's own directory, but the socket is another's.
        os.chmod(run, 0o755)
        os.rename(his + "/agent", os.path.join(run, "moved"))
        refused("another user's socket", os.path.join(run, "moved"))
        p.kill()
        p.wait()
        # Each of the two alone: whose socket it is, and who listens there.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(run, "given"))
            listener.listen(8)
            os.chown(os.path.join(run, "given"), NOBODY, NOGROUP)
            refused("root's, whose file is another's",
                    os.path.join(run, "given"))
        script = ("import os, socket, time\nl = socket.socket("
                  "socket.AF_UNIX)\nl.bind(%r)\nos.setuid(%d)\n"
                  "l.listen(8)\nprint('.', flush=True)\ntime.sleep(60)\n" %
                  (os.path.join(run, "left"), NOBODY))
        p = subprocess.Popen(["/usr/bin/python3", "-c", script],
                             stdout=subprocess.PIPE)
        p.stdout.read(1)
        refused("another's, whose file is root's", os.path.join(run, "left"))
        p.kill()
        p.wait()
        p.stdout.close()
        h.stop()


def linked():
    """Keys by a link: what was opened is judged."""
    with Hall() as h:
        os.mkdir(os.path.join(h.dir, "keys"))
        h.house.write("keys/open.key", open("alice.key").read(), 0o644)
        h.house.write("keys/shut.key", open("alice.key").read(), 0o600)
        os.symlink("keys/open.key", "open.key")
        os.symlink("keys/shut.key", "shut.key")
        address = h.responder["one"].address
        h.peer("one", address, identity="open.key")
        code, words = h.fails()
        s.check("linked: one that others can read", code == 5 and
                "open.key: a secret that others can read (mode 0644)" in words,
                code, words)
        h.peer("one", address, identity="shut.key")
        h.start()
        s.same("linked: one that is shut", True,
               h.app().opened().echo(b"x"))
        h.stop()


def keys():
    """Files that the agent refuses, at the start and when read anew, and why
    it says so."""
    with Hall() as h:
        address = h.responder["one"].address
        secret = open("alice.key").read()
        h.house.identity("other")
        h.house.write("readable.key", secret, 0o640)
        h.house.write("his.key", secret, 0o600)
        os.chown("his.key", NOBODY, NOGROUP)
        h.house.write("pass", "correct horse\n", 0o604)
        h.house.write("ca.cert", open("ca/ca.cert").read(), 0o666)
        h.house.write("his.cert", open("ca/ca.cert").read(), 0o644)
        os.chown("his.cert", NOBODY, NOGROUP)
        os.mkfifo("pipe", 0o600)
        h.house.write("long", "x" * 65537, 0o644)
        h.house.write("good", "correct horse\n", 0o600)
        h.house.write("empty", "\n", 0o600)
        user = dict(identity=None, certificate=None, user="bob")
        for what, code, word, change in (
                ("readable", 5, "others can read (mode 0640)",
                 dict(identity="readable.key")),
                ("another user's", 5, "belongs to another user (uid 65534)",
                 dict(identity="his.key")),
                ("missing", 3, "none.key: No such file",
                 dict(identity="none.key")),
                ("no key", 6, "HF_E_OBJECT", dict(identity="alice.cert")),
                ("exchanged", 5, "HF_E_OWN_CERT", dict(identity="other.key")),
                ("a password", 5, "others can read (mode 0604)",
                 dict(user, **{"password-file": "pass"})),
                ("a ticket", 3, "none.ticket: No such file",
                 dict(identity=None, certificate=None,
                      ticket="none.ticket")),
                ("trust that others can change", 5, "others can change it",
                 dict(trust=["ca.cert"])),
                ("nothing to trust", 6, "no trust", dict(trust=[])),
                ("two tokens", 6, "one of identity with certificate",
                 dict(ticket="carol.ticket")),
                ("another user's trust", 5, "belongs to another user",
                 dict(trust=["his.cert"])),
                ("no file", 5, "not a file", dict(trust=["pipe"])),
                ("a long file", 6, "longer than 65536 bytes",
                 dict(trust=["long"])),
                ("a password for anybody", 6, "only to one who was named",
                 dict(user, expect=None, **{"password-file": "good"})),
                ("a realm with an @", 6, "peer one: a realm has no @",
                 dict(user, realm="b@x", **{"password-file": "good"})),
                ("no password", 6, "not 1 to", dict(
                    user, **{"password-file": "empty"})),
                ("no address", 6, "no address", dict(address=[])),
                ("no such address", 6, "address h: not HOST:PORT",
                 dict(address=["h:1", "h"])),
                ("many addresses", 6, "address: more than",
                 dict(address=["unix:x"] * 65)),
                ("many users", 6, "more than 64 users",
                 dict(users=["1"] * 65)),
                ("no such user", 6, "there is no user",
                 dict(users=["nobody-of-that-name"])),
                ("no channels", 6, "channels: not 1 to 1024",
                 dict(channels=0))):
            os.chmod("alice.cert", 0o600)
            h.peer("one", **{"address": address, **change})
            got, words = h.fails()
            s.check("keys: %s" % what, got == code and word in words, got,
                    words)
        h.peer("one", address)
        for what, word, more in (
                ("another's name", "a name is 1 to 64", ["../one"]),
                ("many peers", "more than 64 peers", range(64))):
            before = h.sections
            for name in more:
                h.peer(str(name), address)
            got, words = h.fails()
            s.check("keys: %s" % what, got == 6 and word in words, got, words)
            h.sections = before
        good = h.configure()
        for what, line, code, word in (
                ("no such user", 'user = "nobody-of-that-name"\n', 5,
                 "there is none"),
                ("no place to rest", 'store = "no/rest"\n', 0,
                 "warning: store: there is no ./no: "),
                ("to rest in a file", 'store = "good"\n', 5,
                 "good: not this user's directory, or others can change it "
                 "(HF_E_POLICY)"),
                ("no place for its socket", 'socket = "%s/no/no/agent"\n' %
                 h.dir, 0, "warning: socket: there is no "),
                ("no place for its key", 'store = "rest"\nstore-key = "no/k"'
                 "\n", 0, "warning: store-key: there is no ./no: ")):
            whole = open(good).read()
            h.house.write("more.conf", line + (
                whole.partition("\n")[2] if "socket" in line else whole))
            p = h.run("agent", "--config", "./more.conf", "--check")
            s.check("keys: check: %s" % what, p.returncode == code and
                    word in p.stderr.decode(), p.returncode, p.stderr)
        s.check("keys: check: nothing was made",
                not os.path.exists("no") and not os.path.exists("rest"))
        h.house.write("nul.conf", open(good).read() + "\0peer x {}\n")
        p = h.run("agent", "--config", "nul.conf", "--check")
        s.check("keys: a NUL", p.returncode == 6 and b"a NUL" in p.stderr,
                p.stderr)
        os.chmod(good, 0o666)
        p = h.run("agent", "--config", "agent.conf")
        s.check("keys: the file itself", p.returncode == 5 and
                b"agent.conf: others can change it" in p.stderr, p.stderr)
        h.start()
        s.same("keys: all well", True, h.app().opened().echo(b"x"))
        os.chmod("alice.key", 0o644)
        h.agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "result=failed" in h.words(), "a failed reload")
        s.check("keys: when read anew", "(mode 0644)" in h.words(), h.words())
        s.same("keys: the old ones hold", True,
               h.app().opened().echo(b"y"))
        h.stop()


def cut():
    """A file that was cut is refused, wherever that was, but between what
    stands at its top: a peer could be anybody then."""
    with Hall() as h:
        whole = open(h.configure()).read()
        end = whole.index("}\n", whole.index("certificate"))
        bad = []
        for n in range(len(whole)):
            h.house.write("agent.conf", whole[:n])
            p = h.run("agent", "--config", "agent.conf", "--check")
            if p.returncode != (0 if n > end else 6):
                bad.append((n, whole[:n], p.returncode, p.stderr))
        s.same("cut: not as it should be", [], bad[:2])
        h.house.write("agent.conf", whole[:whole.index("  expect")])
        p = h.run("agent", "--config", "agent.conf", "--check")
        s.same("cut: words", b"handfast: error: agent.conf: line 4: the file "
               b"ends inside a block or a comment: is all of it there?\n", p.stderr)


TESTS = (places, twice, squatted, linked, keys, cut)

if __name__ == "__main__":
    if os.geteuid() != 0:
        s.skip("not root: there is no second user")
    run(TESTS)
