#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A store that lies or cannot, with real processes on it: full, its entries
flipped, exchanged, taken to another scope, put back; the file no store at all.
Each has its own error, in bounded time, and a live session goes on.
"""
import ctypes
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402

s = k.s
BOUND = 20 if not s.SAN else 60  # seconds from a kill to the client's end


# The store's file, as another process has it -----------------------------------------


class Val(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]


class Raw:
    """LMDB by hand: values are 8 bytes of expiry, then the entry."""

    def __init__(self, path):
        self.lib = ctypes.CDLL("liblmdb.so.0")
        self.env = ctypes.c_void_p()
        self.ok(self.lib.mdb_env_create(ctypes.byref(self.env)))
        self.ok(self.lib.mdb_env_set_maxdbs(self.env, 3))
        self.ok(self.lib.mdb_env_set_mapsize(self.env,
                                             ctypes.c_size_t(4 << 30)))
        self.ok(self.lib.mdb_env_open(self.env, path.encode(), 0, 0o600))

    def ok(self, r):
        if r != 0:
            self.lib.mdb_strerror.restype = ctypes.c_char_p
            raise OSError(self.lib.mdb_strerror(r).decode())

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.lib.mdb_env_close(self.env)

    def begin(self):
        txn, dbi = ctypes.c_void_p(), ctypes.c_uint()
        self.ok(self.lib.mdb_txn_begin(self.env, None, 0, ctypes.byref(txn)))
        self.ok(self.lib.mdb_dbi_open(txn, b"values", 0, ctypes.byref(dbi)))
        return txn, dbi

    def get(self, key):
        txn, dbi = self.begin()
        v = Val()
        r = self.lib.mdb_get(txn, dbi, ctypes.byref(val(key)),
                             ctypes.byref(v))
        data = ctypes.string_at(v.data, v.size) if r == 0 else None
        self.lib.mdb_txn_abort(txn)
        return data

    def put(self, key, value):
        txn, dbi = self.begin()
        r = self.lib.mdb_put(txn, dbi, ctypes.byref(val(key)),
                             ctypes.byref(val(value)), 0)
        if r != 0:
            self.lib.mdb_txn_abort(txn)
            self.ok(r)
        self.ok(self.lib.mdb_txn_commit(txn))


def val(data):
    kept = ctypes.create_string_buffer(data, len(data))
    v = Val(len(data), ctypes.cast(kept, ctypes.c_void_p))
    v.kept = kept
    return v


def sid_of(c, n=0):
    return b"s/" + bytes.fromhex(c.rows()[n].split()[0])


def changed(c, key, how):
    """Another process changes an entry while its owner is stopped."""
    with Raw(c.path("db")) as db:
        old = db.get(key)
        db.put(key, how(old))
    return old


# What follows --------------------------------------------------------------------------


def refused(what, c, client, code, cause):
    """Its owner is killed: the client ends, in time, with its own error."""
    began = time.monotonic()
    c.kill("a")
    got = client.wait(timeout=k.WAIT)
    s.same(what + ": exit code", code, got)
    s.check(what + ": the cause", cause in c.words(), c.words()[-1500:])
    s.check(what + ": in time", time.monotonic() - began < BOUND,
            time.monotonic() - began)


def told(what, c, error):
    k.wait_for(lambda: "event=session" in c.log("b"), "a line in the log")
    s.check(what + ": the server's log", "resume=%s " % error in c.log("b"),
            c.log("b"))


def goes_on(what, c, client, data, so_far):
    k.say(client, data)
    k.arrived(c, so_far + data)
    s.ok(what + ": a live session goes on")


def flip(at):
    return lambda old: old[:at] + bytes([old[at] ^ 1]) + old[at + 1:]


def spoilt():
    """A bit of an entry is flipped: in its box, its token, its expiry."""
    for name, at in (("box", -1), ("nonce", -100), ("head", 8 + 30)):
        c, client = k.begun("--no-fallback", "--retry", "3s")
        changed(c, sid_of(c), flip(at))
        goes_on("spoilt " + name, c, client, b"second", b"first ")
        refused("spoilt " + name, c, client, 4, "HF_E_NO_SESSION")
        told("spoilt " + name, c, "HF_E_ENTRY")
        c.close()


def spoilt_file():
    """The same, in the file itself, wherever the entry's bytes stand."""
    c, client = k.begun("--no-fallback", "--retry", "3s")
    with Raw(c.path("db")) as db:
        end = db.get(sid_of(c))[-64:]
    with open(c.path("db/data.mdb"), "r+b") as f:
        data, at = f.read(), -1
        while (at := data.find(end, at + 1)) >= 0:
            f.seek(at)
            f.write(bytes([end[0] ^ 1]))
    goes_on("spoilt file", c, client, b"second", b"first ")
    refused("spoilt file", c, client, 4, "HF_E_NO_SESSION")
    told("spoilt file", c, "HF_E_ENTRY")
    c.close()


def never_heard_of():
    """Entries that name a key which there never was: refused, and grants are
    not read for each of them."""
    c = k.Cluster()
    c.serve("a")
    c.serve("b")
    clients = [c.client("--no-fallback", "--retry", "3s") for _ in range(6)]
    for client in clients:
        k.say(client, b"first ")
    k.wait_for(lambda: len(c.rows()) == len(clients), "stored sessions")
    for n in range(len(clients)):
        changed(c, sid_of(c, n), lambda old: old.replace(
            b"\x67default\x01", b"\x67default\x09", 1))
    c.kill("a")
    s.same("never heard of: exit codes", [4] * len(clients),
           [client.wait(timeout=k.WAIT) for client in clients])
    told("never heard of", c, "HF_E_ENTRY")
    k.wait_for(lambda: c.log("b").count("HF_E_ENTRY") >= len(clients),
               "all of them")
    s.check("never heard of: not read for each", c.log("b").count(
        "event=reload") in (1, 2, 3), c.log("b"))
    c.close()


def exchanged():
    """The entries of two sessions change places."""
    c, client = k.begun("--no-fallback", "--retry", "3s")
    other = c.client()
    k.say(other, b"other")
    k.wait_for(lambda: len(c.rows()) == 2, "two sessions")
    one, two = sid_of(c, 0), sid_of(c, 1)
    with Raw(c.path("db")) as db:
        first, second = db.get(one), db.get(two)
        db.put(one, second)
        db.put(two, first)
    other.kill()
    refused("exchanged", c, client, 4, "HF_E_NO_SESSION")
    told("exchanged", c, "HF_E_ENTRY")
    c.close()


def other_scope():
    """An entry is said to be of another scope, which the server has too."""
    c = k.Cluster()
    for name in "ab":
        if c.change("admit", name, "--scope", "another=x").returncode != 0:
            raise RuntimeError("admit")
        c.serve(name)
    client = c.client("--no-fallback", "--retry", "3s")
    k.say(client, b"first ")
    k.arrived(c, b"first ")
    k.wait_for(lambda: c.owner() == "a", "a stored session")
    changed(c, sid_of(c), lambda old: old.replace(b"default", b"another"))
    refused("other scope", c, client, 4, "HF_E_NO_SESSION")
    told("other scope", c, "HF_E_ENTRY")
    c.close()


def put_back():
    """An older entry of the same epoch: HF_E_ROLLBACK, at the client."""
    c, client = k.begun("--no-fallback", checkpoint="record")
    with Raw(c.path("db")) as db:
        old = db.get(sid_of(c))
    k.say(client, b"acked, and gone")
    k.arrived(c, b"first acked, and gone")
    time.sleep(0.5)
    c.pause("a")
    changed(c, sid_of(c), lambda now: old)
    refused("put back", c, client, 8, "HF_E_ROLLBACK")
    c.close()


def old_epoch():
    """One of an epoch that is over: nobody can open it any more."""
    c, client = k.begun("--no-fallback", "--retry", "3s")
    with Raw(c.path("db")) as db:
        old = db.get(sid_of(c))
    c.kill("a")
    k.wait_for(lambda: "moved: epoch 1" in c.words(), "a move")
    k.say(client, b"second")
    k.arrived(c, b"first second")
    c.serve("a")
    c.pause("b")
    changed(c, sid_of(c), lambda now: old)
    c.kill("b")
    s.same("old epoch: exit code", 4, client.wait(timeout=k.WAIT))
    s.check("old epoch: the cause", "HF_E_NO_SESSION" in c.words(),
            c.words())
    c.close()


def no_store():
    """The file is no store: nobody starts on it."""
    c = k.Cluster()
    with open(c.path("db/data.mdb"), "r+b") as f:
        f.write(os.urandom(8192))
    began = time.monotonic()
    s.same("no store: exit code", 8, c.serve("a").wait(timeout=k.WAIT))
    s.check("no store: why", re.search("lmdb:db.*(MDB_|not an LMDB)",
                                       c.log("a")), c.log("a"))
    s.check("no store: in time", time.monotonic() - began < BOUND)
    c.close()


# Full ------------------------------------------------------------------------------------


class Small(k.Cluster):
    """Its store is in a file system of its own, of 1 MiB."""

    def do(self, *words):
        if words[:2] == ("cluster", "init"):
            os.mkdir(self.path("db"), 0o700)
            subprocess.run(["mount", "-t", "tmpfs", "-o",
                            "size=1m,mode=0700", "tmpfs", self.path("db")],
                           check=True)
            with open(self.path("db/ballast"), "wb") as f:
                f.write(bytes(128 << 10))
        return super().do(*words)

    def fill(self):
        """With keys that mean nothing, until not one more has room."""
        n = 0
        with Raw(self.path("db")) as db:
            for size in (2000, 1000, 200, 8):
                try:
                    while True:
                        db.put(b"x/%d" % n, bytes(8 + size))
                        n += 1
                except OSError as e:
                    why = str(e)
        return why

    def close(self):
        for p in list(self.servers.values()) + self.clients:
            p.kill()
            p.wait()
        subprocess.run(["umount", "-l", self.path("db")], check=False)
        super().close()


def inside(test):
    """Whether this is where file systems can be mounted that nobody else
    sees; where it is not, the test is run there."""
    if "HANDFAST_INSIDE" in os.environ:
        return True
    if subprocess.run(["unshare", "-m", "true"]).returncode != 0:
        s.note(test + " skipped: no file systems can be mounted here")
        return False
    done = subprocess.run(
        ["unshare", "-m", sys.executable, sys.argv[0], test],
        env=dict(os.environ, HANDFAST_INSIDE="1"), capture_output=True)
    sys.stdout.write(done.stdout.decode())
    s.same(test + ": done", 0, done.returncode)
    return False


def full():
    """No room: live sessions go on, a takeover is refused, and when there
    is room again all is well."""
    if not inside("full"):
        return
    c = Small()
    for name in "ab":
        c.serve(name)
    client = c.client("--no-fallback", "--retry", "3s")
    k.say(client, b"first ")
    k.arrived(c, b"first ")
    k.wait_for(lambda: c.owner() == "a", "a stored session")
    s.note("full: the store says: " + c.fill())
    goes_on("full", c, client, b"second", b"first ")
    stored = c.rows()
    time.sleep(0.5)
    s.same("full: nothing was stored", stored, c.rows())
    refused("full", c, client, 8, "HF_E_STORE")
    s.check("full: the session is there still, as it was", stored ==
            c.rows())
    os.unlink(c.path("db/ballast"))
    c.serve("a")
    client = c.client("--no-fallback")
    k.say(client, b"again")
    k.wait_for(lambda: len(c.rows()) == 2, "room again")
    s.same("full: room again", 0, k.ends(client)[0])
    c.close()


def leave(path, pages):
    """Fills a file system but for so many pages."""
    page = os.sysconf("SC_PAGESIZE")
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(page))
        except OSError:
            f.truncate(f.tell() // page * page - pages * page)


def full_from_the_start():
    """No room for a store that nobody has used before, or not enough: all say
    so, and when there is room it is one as any other."""
    if not inside("full_from_the_start"):
        return
    c = k.Cluster()
    c.store = "lmdb:small/db"
    os.mkdir(c.path("small"), 0o700)
    size = 32 * os.sysconf("SC_PAGESIZE")
    begun = 0
    for pages in range(14):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size,
                        "tmpfs", c.path("small")], check=True)
        leave(c.path("small/ballast"), pages)
        what = "full from the start: %d pages" % pages
        done = c.run("store", "init", "--store", c.store)
        begun += done.returncode == 0
        if begun == 0:
            none(what, done)
        else:
            s.same(what, (0, b""), (done.returncode, done.stderr))
            locks = os.stat(c.path("small/db/lock.mdb"))
            s.check(what + ": the locks have theirs",
                    locks.st_blocks * 512 >= locks.st_size, locks)
        if pages == 0:
            others(c)
        os.unlink(c.path("small/ballast"))
        done = c.run("store", "init", "--store", c.store)
        s.same(what + ": room", (0, b""), (done.returncode, done.stderr))
        c.do("cluster", "init", "--ca", "ca", "--name", "w%d" % pages,
              "--store", c.store, "-o", "w%d.cert" % pages)
        s.same(what + ": sessions", [], c.rows())
        subprocess.run(["umount", c.path("small")], check=True)
    s.check("full from the start: there was room in the end, and not at "
            "first", 0 < begun < 14, str(begun))
    c.close()


def none(what, done, why=b"the store is full"):
    s.same(what + ": exit code", 8, done.returncode)
    s.check(what + ": why", re.fullmatch(
        rb"handfast: error: lmdb:small/db: " + why + rb".*\n",
        done.stderr), done.stderr)


def others(c):
    """The other ways to a store."""
    what = "full from the start: "
    none(what + "cluster init", c.run(
        "cluster", "init", "--ca", "ca", "--name", "w", "--store", c.store,
        "-o", "w.cert"))
    s.check(what + "no key is left", not os.path.exists(c.path("w.key")))
    for words in ("session", "list"), ("cluster", "members"):
        none(what + " ".join(words), c.run(*words, "--store", c.store),
             b"there is no store")
    none(what + "respond", c.run(
        "respond", "--listen", "unix:a.sock", "--identity", "a.key",
        "--cert", "a.cert", "--trust", "ca/ca.cert", "--store", c.store,
        "--cluster", "web.cert", "--echo"))


def main():
    tests = [spoilt, never_heard_of, spoilt_file, exchanged, other_scope,
             put_back, old_epoch, no_store, full,
             full_from_the_start]
    names = sys.argv[1:]
    for test in tests:
        if names and test.__name__ not in names:
            continue
        began = time.monotonic()
        try:
            test()
        except (TimeoutError, RuntimeError, OSError,
                subprocess.SubprocessError) as e:
            s.fail("%s: %s" % (test.__name__, e))
        s.note("%s: %.1f s" % (test.__name__, time.monotonic() - began))
    s.finish()


main()
