#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Sessions that outlive their server, by real processes on one store: killed,
stopped and woken, sent home; a store that is emptied, brought back or
spoilt; members that are let go. What arrives is compared byte by byte. The
store is LMDB; of the cases that differ with it, all three.
"""
import glob
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import servers  # noqa: E402
import session as s  # noqa: E402

WAIT = 60 if s.SAN else 25


class Cluster:
    """A CA, a cluster, two servers a and b, and a client alice. The store is
    of a kind, or one that is there."""
    open = []
    env = None  # of servers and clients

    def __init__(self, kind="lmdb"):
        Cluster.open.append(self)
        self.dir = tempfile.mkdtemp(prefix="handfast-cluster.")
        self.server = None
        self.store = "lmdb:db"
        if kind != "lmdb":
            self.server = servers.KINDS[kind](s.PROGRAM) \
                if isinstance(kind, str) else kind
            self.store = self.server.uri
        self.servers, self.clients = {}, []
        self.do("ca", "init", "ca", "--name", "CA")
        self.do("cluster", "init", "--ca", "ca", "--name", "web", "--store",
                self.store, "-o", "web.cert")
        self.member("a")
        self.member("b")
        self.key("alice", "--usage", "initiator")
        os.mkdir(os.path.join(self.dir, "in"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def run(self, *words):
        return subprocess.run([s.PROGRAM, *words], cwd=self.dir,
                              capture_output=True, timeout=WAIT)

    def do(self, *words):
        done = self.run(*words)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (words, done.stderr.decode()))
        return done.stdout.decode()

    def key(self, name, *terms):
        self.do("keygen", "-o", name + ".key")
        self.do("cert", "request", "--identity", name + ".key", "--subject",
                name, "-o", name + ".req")
        self.do("cert", "issue", "--ca", "ca", "--request", name + ".req",
                *terms, "-o", name + ".cert")

    def member(self, name, *scope):
        self.key(name, "--usage", "responder,server", "--cluster", "web")
        self.change("admit", name, *scope)

    def change(self, word, name, *more):
        return self.run("cluster", word, "--key", "web.key", "--store",
                        self.store, "--cert", name + ".cert", *more)

    def at(self, name):
        """Where a server listens."""
        return "unix:%s.sock" % name

    def to(self, name):
        """Where its clients find it."""
        return self.at(name)

    def inside(self, name):
        """What a server is started by."""
        return []

    def listens(self, name):
        return os.path.exists(self.path(name + ".sock"))

    def serve(self, name, *more, does=("--receive", "in"), checkpoint="20"):
        log = open(self.path(name + ".log"), "ab")
        self.servers[name] = subprocess.Popen(
            [*self.inside(name), s.PROGRAM, "respond", "--listen",
             self.at(name), "--identity", name + ".key", "--cert",
             name + ".cert", "--trust", "ca/ca.cert", "--store", self.store,
             "--cluster", "web.cert",
             "--checkpoint", checkpoint, "--trace", *does, *more],
            cwd=self.dir, stderr=log, stdout=subprocess.DEVNULL, env=self.env)
        wait_for(lambda: self.listens(name) or
                 self.servers[name].poll() is not None, "a socket")
        return self.servers[name]

    def kill(self, name, how=signal.SIGKILL):
        self.servers[name].send_signal(how)
        code = self.servers[name].wait(timeout=WAIT)
        if os.path.exists(self.path(name + ".sock")):
            os.unlink(self.path(name + ".sock"))
        return code

    def pause(self, name):
        servers.pause(self.servers[name], self.path("db"))

    def client(self, *more, to=("a", "b"),
               token=("--identity", "alice.key", "--cert", "alice.cert")):
        words = []
        for name in to:
            words += ["--connect", self.to(name)]
        process = subprocess.Popen(
            [s.PROGRAM, "initiate", *words, "--trust", "ca/ca.cert",
             "--expect", "web", *token, "--trace", *more],
            cwd=self.dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=open(self.path("alice.err"), "wb"), env=self.env)
        self.clients.append(process)
        return process

    def words(self):
        with open(self.path("alice.err"), errors="replace") as f:
            return f.read()

    def log(self, name):
        with open(self.path(name + ".log"), errors="replace") as f:
            return f.read()

    def rows(self):
        return self.do("session", "list", "--store",
                       self.store).splitlines()

    def owner(self):
        rows = self.rows()
        return re.search(r"owner (\S+)", rows[0]).group(1) if rows else None

    def files(self):
        return sorted(glob.glob(self.path("in/*")))

    def received(self):
        return sum(os.path.getsize(f) for f in self.files())

    def close(self):
        Cluster.open.remove(self)
        for p in list(self.servers.values()) + self.clients:
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
            p.wait()
        if self.server is not None:
            self.server.stop()
        shutil.rmtree(self.dir)


def wait_for(true, what):
    s.wait_for(true, what, WAIT)


def say(client, data):
    client.stdin.write(data)
    client.stdin.flush()


def arrived(c, data):
    wait_for(lambda: c.received() >= len(data), "%d bytes" % len(data))


def ends(client):
    """Closes its input; its exit code and output."""
    out, _ = client.communicate(timeout=WAIT)
    return client.returncode, out


def ends_within(client, seconds):
    try:
        client.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        client.kill()
        client.communicate()
        return False
    return True


def whole(c, what, data):
    files = c.files()
    if s.same(what + ": one file", 1, len(files)):
        with open(files[0], "rb") as f:
            s.check(what + ": what was sent", f.read() == data)


def handshakes(c):
    return sum(len(re.findall("sent grant", c.log(n))) for n in "ab")


def begun(*more, serve=(), checkpoint="20", kind="lmdb"):
    """A session with a, in which some data has arrived and is stored."""
    c = Cluster(kind)
    c.serve("a", *serve, checkpoint=checkpoint)
    c.serve("b", *serve, checkpoint=checkpoint)
    client = c.client(*more)
    say(client, b"first ")
    arrived(c, b"first ")
    wait_for(lambda: c.owner() == "a", "a stored session")
    return c, client


# The tests ---------------------------------------------------------------------


def kinds():
    for kind, of in servers.KINDS.items():
        if of.here():
            yield kind
        else:
            s.note("no server for %s here" % kind)


def killed():
    """kill -9 of whoever has it, five times, in the middle of a stream."""
    for kind, how in [("lmdb", ()), ("lmdb", ("--takeover", "proved")),
                      *((kind, ()) for kind in kinds())]:
        c, client = begun(serve=how, checkpoint="record", kind=kind)
        data, moves = b"first ", 0
        for n in range(5):
            more = os.urandom(300000)
            say(client, more)
            data += more
            name = c.owner()
            c.kill(name)
            c.serve(name, *how, checkpoint="record")
            moves += 1
            wait_for(lambda: c.words().count("moved: epoch") >= moves,
                     "move %d" % moves)
        s.same("killed: exit code", 0, ends(client)[0])
        whole(c, "killed", data)
        s.same("killed: handshakes", 1, handshakes(c))
        s.same("killed: it stays in the store a little", 1, len(c.rows()))
        c.close()


def refreshed():
    """After a soft takeover both ends are proved, each time, in the session
    that goes on; or not, where that is not wanted."""
    c, client = begun(checkpoint="record")
    data = b"first "
    for epoch in (1, 3):
        name = c.owner()
        c.kill(name)
        c.serve(name, checkpoint="record")
        more = os.urandom(200000)
        say(client, more)
        data += more
        wait_for(lambda: "proved: epoch %d\n" % (epoch + 1) in c.words(),
                 "a proof")
        s.check("refreshed: soft first", re.search(
            r"moved: epoch %d at \S+, soft" % epoch, c.words()), c.words())
        arrived(c, data)
    s.same("refreshed: exit code", 0, ends(client)[0])
    whole(c, "refreshed", data)
    s.same("refreshed: handshakes", 1, handshakes(c))
    wait_for(lambda: any("epoch=4 takeover=proved" in c.log(name)
                         for name in "ab"), "a line of the log")
    s.same("refreshed: it stays in the store a little", 1, len(c.rows()))
    c.close()
    c, client = begun(serve=("--no-refresh",))
    c.kill("a")
    say(client, b"second")
    arrived(c, b"first second")
    s.same("refreshed: without", 0, ends(client)[0])
    wait_for(lambda: "takeover=" in c.log("b"), "a line of the log")
    s.check("refreshed: soft to the end", "takeover=soft" in c.log("b") and
            "proved" not in c.words(), c.log("b"))
    c.close()


def echoed():
    """What comes back is each byte once, though the echo had more under
    way than it had stored."""
    c = Cluster()
    for name in "ab":
        c.serve(name, does=("--echo",), checkpoint="record")
    client = c.client()
    data = os.urandom(1 << 20)
    pid = os.fork()
    if pid == 0:
        client.stdout.close()
        for at in range(0, len(data), 1 << 16):
            say(client, data[at:at + (1 << 16)])
            time.sleep(0.02)
        os._exit(0)
    client.stdin.close()
    got = client.stdout.read(100000)
    for n in range(3):
        wait_for(c.owner, "an owner")
        name = c.owner()
        c.kill(name)
        c.serve(name, does=("--echo",), checkpoint="record")
        got += client.stdout.read(200000)
    got += client.stdout.read()
    os.waitpid(pid, 0)
    s.same("echoed: exit code", 0, client.wait(timeout=WAIT))
    s.check("echoed: what was sent", got == data)
    c.close()


def drained(client, seconds):
    """What it has to say, until it is silent for so long."""
    fd, got = client.stdout.fileno(), b""
    while select.select([fd], [], [], seconds)[0]:
        data = os.read(fd, 1 << 16)
        if not data:
            break
        got += data
    return got


def read_meanwhile():
    """Who read nothing until the connection was lost, and all there was
    before there was another, gets the rest as well."""
    c = Cluster()
    for name in "ab":
        c.serve(name, does=("--echo",), checkpoint="record")
    client = c.client("--retry", "%ds" % WAIT)
    data = os.urandom(3 << 20)
    pid = os.fork()
    if pid == 0:
        client.stdout.close()
        say(client, data)
        os._exit(0)
    client.stdin.close()
    wait_for(c.owner, "an owner")
    time.sleep(2)  # until it waits for its reader
    for name in "ab":
        c.kill(name)
    wait_for(lambda: "broken" in c.words(), "a broken connection")
    got = drained(client, 1)
    for name in "ab":
        c.serve(name, does=("--echo",), checkpoint="record")
    s.check("read meanwhile: some of it", 0 < len(got) < len(data), len(got))
    got += drained(client, WAIT)
    s.check("read meanwhile: what was sent", got == data, len(got))
    s.same("read meanwhile: exit code", 0, client.wait(timeout=WAIT))
    os.waitpid(pid, 0)
    c.close()


def sent_home():
    """SIGTERM: the session goes on elsewhere, before anything breaks."""
    c, client = begun(checkpoint="handover")
    s.same("sent home: the server's exit code", 0,
           c.kill("a", signal.SIGTERM))
    say(client, b"second")
    arrived(c, b"first second")
    s.same("sent home: exit code", 0, ends(client)[0])
    whole(c, "sent home", b"first second")
    s.same("sent home: handshakes", 1, handshakes(c))
    s.check("sent home: it is logged", "result=moved" in c.log("a"))
    c.close()


def nowhere_to_go():
    """SIGTERM, when the session's entry is gone: it has moved nowhere."""
    c, client = begun("--no-fallback", "--retry", "3s")
    c.do("session", "evict", "--store", c.store, c.rows()[0].split()[0])
    s.same("nowhere to go: the server's exit code", 0,
           c.kill("a", signal.SIGTERM))
    s.same("nowhere to go: exit code", 4, client.wait(timeout=WAIT))
    s.check("nowhere to go: the cause", "HF_E_NO_SESSION" in c.words(),
            c.words())
    s.check("nowhere to go: it is logged", "result=lost" in c.log("a") and
            "result=moved" not in c.log("a"), c.log("a"))
    c.close()


def tired():
    """A session that may move is closed when nothing was said for so long: it
    would come back if it were cut. Input that pauses has not ended."""
    c = Cluster()
    c.serve("a", "--idle", "1s")
    client = c.client(to=("a",))
    say(client, b"first")
    arrived(c, b"first")
    s.same("tired: exit code", 3, client.wait(timeout=WAIT))
    s.check("tired: words", "the responder closed the session, and standard "
            "input had not ended: 5 bytes of it were read" in c.words(),
            c.words())
    wait_for(lambda: "event=session" in c.log("a"), "a line of the log")
    s.check("tired: log", "result=lost" in c.log("a") and
            "result=ok" not in c.log("a"), c.log("a"))
    whole(c, "tired", b"first")
    s.same("tired: it did not come back", 1,
           c.log("a").count("event=session"))
    c.close()


def stopped_owner():
    """An owner that slept while another took over wakes: it is fenced, and
    what it would have said is refused."""
    c, client = begun()
    c.pause("a")
    say(client, b"second ")
    os.rename(c.path("a.sock"), c.path("a.away"))
    cut(c, client)
    wait_for(lambda: "moved: epoch" in c.words(), "a move")
    say(client, b"third")
    arrived(c, b"first second third")
    c.servers["a"].send_signal(signal.SIGCONT)
    time.sleep(1)
    s.same("stopped owner: exit code", 0, ends(client)[0])
    whole(c, "stopped owner", b"first second third")
    wait_for(lambda: "HF_E_FENCED" in c.log("a") or
             "result=lost" in c.log("a"), "the end of the old owner's")
    s.same("stopped owner: handshakes", 1, handshakes(c))
    c.close()


def cut(c, client):
    """Breaks the client's connection, without anybody's help: shuts its
    socket from outside."""
    for fd in os.listdir("/proc/%d/fd" % client.pid):
        try:
            if os.readlink("/proc/%d/fd/%s" % (client.pid, fd)) \
                    .startswith("socket:"):
                subprocess.run(
                    ["gdb", "-p", str(client.pid), "-batch", "-ex",
                     "call (int)shutdown(%s, 2)" % fd],
                    capture_output=True, timeout=WAIT)
        except OSError:
            pass


def emptied():
    """The store has lost the session: another one goes on from the first
    byte that was not acked, and says so; or none, where that is wanted."""
    c, client = begun()
    time.sleep(0.5)  # until the ack has come
    c.pause("b")
    sid = c.rows()[0].split()[0]
    s.same("emptied: evict", 0, c.run("session", "evict", "--store",
                                      "lmdb:db", sid[:8]).returncode)
    c.kill("a")
    c.servers["b"].send_signal(signal.SIGCONT)
    say(client, b"second")
    code, _ = ends(client)
    s.same("emptied: exit code", 3, code)
    s.check("emptied: it is said", "continuity lost (HF_E_NO_SESSION)" in
            c.words(), c.words())
    s.same("emptied: two files", 2, len(c.files()))
    both = [open(f, "rb").read() for f in c.files()]
    s.check("emptied: nothing is missing", sorted(both) ==
            sorted([b"first ", b"second"]), both)
    c.close()
    c, client = begun("--no-fallback")
    time.sleep(0.5)
    s.same("emptied: evicted again", 0, c.run(
        "session", "evict", "--store", "lmdb:db",
        c.rows()[0].split()[0]).returncode)
    c.kill("a")
    s.same("emptied: without fallback", 4, ends(client)[0])
    s.check("emptied: the cause", "HF_E_NO_SESSION" in c.words(), c.words())
    c.close()


def no_hole():
    """What one server took is not where the other looks. It leaves no hole in
    its place, and who is let in and cut off each time comes to an end."""
    c = Cluster()
    os.mkdir(c.path("in2"))
    c.serve("a", checkpoint="record")
    c.serve("b", does=("--receive", "in2"), checkpoint="record")
    client = c.client("--retry", "1s")
    say(client, b"first ")
    arrived(c, b"first ")
    time.sleep(0.5)  # until that is stored
    c.kill("a")
    s.check("no hole: in time", ends_within(client, 10))
    s.same("no hole: exit code", 3, client.returncode)
    s.same("no hole: at the other", [], os.listdir(c.path("in2")))
    s.check("no hole: said", "the 6 bytes that another server took are not "
            "there" in c.log("b"))
    times = c.log("b").count("event=session")
    s.check("no hole: a few times", 1 < times < 20, times)
    whole(c, "no hole", b"first ")
    c.close()
    c, client = begun("--retry", "1s")
    time.sleep(0.5)
    for f in c.files():
        os.truncate(f, 5)
    c.kill("a")
    s.same("shorter: exit code", 3, ends(client)[0])
    s.same("shorter: what is there", b"first", open(c.files()[0], "rb").read())
    c.close()


def no_directory():
    """A server that takes nobody's data lets all in."""
    c = Cluster()
    c.serve("a")
    os.rmdir(c.path("in"))
    client = c.client("--retry", "1s", to=("a",))
    s.check("no directory: in time", ends_within(client, 10))
    s.same("no directory: exit code", 3, client.returncode)
    times = c.log("a").count("event=session")
    s.check("no directory: a few times", 0 < times < 40, times)
    c.close()


def quiet():
    """Who has nothing to say is let in all the same, each time for --retry."""
    c, client = begun("--retry", "3s")
    c.kill("a")
    wait_for(lambda: "moved: epoch 1" in c.words(), "a move")
    c.serve("a")
    time.sleep(5.5)
    c.kill("b")
    s.same("quiet: exit code", 0, ends(client)[0])
    s.same("quiet: moves", 2, c.words().count("moved: epoch"))
    whole(c, "quiet", b"first ")
    c.close()


def brought_back():
    """The store brings back what was before the last ack: the client
    notices."""
    c, client = begun("--no-fallback", checkpoint="record")
    c.pause("a")
    shutil.copytree(c.path("db"), c.path("old"))
    c.servers["a"].send_signal(signal.SIGCONT)
    say(client, b"acked, and gone")
    arrived(c, b"first acked, and gone")
    time.sleep(0.5)
    c.kill("b")  # so that nobody takes it over meanwhile
    c.kill("a")
    shutil.rmtree(c.path("db"))
    os.rename(c.path("old"), c.path("db"))
    c.serve("b")
    code, _ = ends(client)
    s.same("brought back: exit code", 8, code)
    s.check("brought back: the cause", "HF_E_ROLLBACK" in c.words(),
            c.words())
    c.close()


# Holds LMDB's one lock of writers: a process that stopped while it wrote.
HOLD = """
import ctypes, sys, time
lmdb = ctypes.CDLL("liblmdb.so.0")
env, txn = ctypes.c_void_p(), ctypes.c_void_p()
assert lmdb.mdb_env_create(ctypes.byref(env)) == 0
assert lmdb.mdb_env_set_maxdbs(env, 3) == 0
assert lmdb.mdb_env_open(env, sys.argv[1].encode(), 0, 0o600) == 0
assert lmdb.mdb_txn_begin(env, None, 0, ctypes.byref(txn)) == 0
sys.stdout.write("x")
sys.stdout.flush()
time.sleep(600)
"""


def members():
    """Who is not in, or was let go, opens nothing; and a scope is no wider
    than it says."""
    c = Cluster()
    c.key("x", "--usage", "responder,server", "--cluster", "web")
    done = c.serve("x").wait(timeout=WAIT)
    s.same("members: not admitted", 5, done)
    s.check("members: why", "not admitted" in c.log("x"), c.log("x"))
    c.key("y", "--usage", "responder", "--cluster", "web")
    s.same("members: no server's certificate", 4,
           c.change("admit", "y").returncode)
    c.key("z", "--usage", "responder,server", "--cluster", "other")
    s.same("members: another cluster's", 4,
           c.change("admit", "z").returncode)
    s.same("members: two", 2, len(c.do("cluster", "members", "--store",
                                       "lmdb:db").splitlines()))
    s.same("members: scope", 0, c.change("admit", "x", "--scope",
                                         "files=f,g").returncode)
    s.same("members: another scope's targets", 2,
           c.change("admit", "a", "--scope", "files=h").returncode)
    done = c.run("cluster", "rotate", "--key", "web.key", "--store",
                 c.store, "--scope", "nope")
    s.same("members: no such scope",
           (2, b"", b"handfast: error: there is no scope 'nope'\n"),
           (done.returncode, done.stdout, done.stderr))
    s.same("members: renew", "3 grants\n",
           c.do("cluster", "renew", "--key", "web.key", "--store",
                "lmdb:db"))
    c.close()


def evicted():
    """What an evicted server could open is refused: the session begins
    anew, with those who are left."""
    c, client = begun()
    s.same("evicted: done", 0, c.change("evict", "a").returncode)
    s.same("evicted: no member twice", 2,
           c.change("evict", "a").returncode)
    c.kill("b", signal.SIGTERM)
    c.serve("b")
    c.kill("a")
    s.same("evicted: it does not start again", 5,
           c.serve("a").wait(timeout=WAIT))
    say(client, b"second")
    wait_for(lambda: any("owner b" in row for row in c.rows()),
             "evicted: the new session in the store, beside the old one")
    s.same("evicted: exit code", 3, ends(client)[0])
    s.check("evicted: it is said", "continuity lost" in c.words(), c.words())
    c.close()


def released():
    """A server that leaves: its sessions go on with the others, under keys
    that it never had."""
    c, client = begun()
    s.same("released: done", 0, c.change("release", "a").returncode)
    c.kill("b", signal.SIGTERM)
    c.serve("b")
    c.kill("a")
    say(client, b"second")
    s.same("released: exit code", 0, ends(client)[0])
    whole(c, "released", b"first second")
    c.close()


def main():
    if shutil.which("gdb") is None:
        s.note("no gdb: the stopped owner was not tested")
    tests = [killed, refreshed, echoed, read_meanwhile, sent_home, tired,
             nowhere_to_go, emptied, no_hole, no_directory,
             quiet, brought_back, members, evicted, released]
    if shutil.which("gdb") is not None:
        tests.append(stopped_owner)
    names = sys.argv[1:]
    for test in tests:
        if names and test.__name__ not in names:
            continue
        began = time.monotonic()
        try:
            test()
        except (TimeoutError, RuntimeError, OSError,
                subprocess.TimeoutExpired) as e:
            s.fail("%s: %s" % (test.__name__, e))
            for c in list(Cluster.open):
                c.close()
        s.note("%s: %.1f s" % (test.__name__, time.monotonic() - began))
    s.finish()


if __name__ == "__main__":
    main()
