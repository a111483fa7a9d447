#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the world does to sessions that move: packets that are lost, a network
that cuts every connection again and again, an owner that was stopped for a
while and then speaks. Real processes; whoever has no right to make a network
is told so.

    outages.py [--long] [TEST...]
"""
import hashlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402
from doors import Door, cut, reach  # noqa: E402

s = k.s
LONG = "--long" in sys.argv
STOP = 30 if LONG else 3  # seconds that an owner sleeps
UPLOAD = (16 if LONG else 2) << 20
CUT = 2  # seconds from cut to cut
LOSS = 5  # of 100 packets


# Uploads -----------------------------------------------------------------------


def upload(c, client, size, seconds=0.0, during=lambda at: None):
    """Writes a stream, in so many seconds at least; its hash."""
    digest, began, sent = hashlib.sha256(), time.monotonic(), 0
    while sent < size:
        data = os.urandom(min(1 << 14, size - sent))
        k.say(client, data)
        digest.update(data)
        sent += len(data)
        during(sent)
        ahead = seconds * sent / size - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
    return digest.digest()


def whole(c, what, client, digest):
    client.stdin.close()
    s.check(what + ": exit code", client.wait(timeout=300) == 0,
            "%d: %s" % (client.returncode, c.words()[-2000:]))
    files = c.files()
    if s.same(what + ": one file", 1, len(files)):
        with open(files[0], "rb") as f:
            s.same(what + ": SHA-256", digest.hex(),
                   hashlib.sha256(f.read()).hexdigest())
    s.same(what + ": handshakes", 1, k.handshakes(c))


# Lost packets -------------------------------------------------------------------


class Far(k.Cluster):
    """Its servers are in another network, and packets are lost both ways."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "900"])
        own = os.readlink("/proc/self/ns/net")
        k.wait_for(lambda: os.readlink("/proc/%d/ns/net" % self.holder.pid)
                   != own, "a network")
        self.there = ["nsenter", "-t", str(self.holder.pid), "-n"]
        must("ip", "link", "add", "hfa", "type", "veth", "peer", "name",
             "hfb", "netns", str(self.holder.pid))
        for there, name, address in (([], "hfa", "10.77.0.1/24"),
                                     (self.there, "hfb", "10.77.0.2/24")):
            must(*there, "ip", "addr", "add", address, "dev", name)
            # Packets as they are on a wire, not 64 KiB of them in one.
            must(*there, "ip", "link", "set", name, "gso_max_segs", "1")
            must(*there, "ip", "link", "set", name, "up")
            must(*there, "nft", "add table inet handfast; "
                 "add chain inet handfast in "
                 "{ type filter hook input priority 0; }; add rule inet "
                 "handfast in meta l4proto tcp numgen random mod 100 < %d "
                 "counter drop" % LOSS)
        super().__init__()

    def at(self, name):
        return "10.77.0.2:%d" % (7000 + ord(name))

    def inside(self, name):
        return self.there

    def listens(self, name):
        return "listening on" in self.log(name)

    def lost(self):
        out = must("nft", "list ruleset") + must(*self.there, "nft",
                                                 "list ruleset")
        return sum(int(n) for n in re.findall(r"packets (\d+)", out))

    def close(self):
        super().close()
        self.holder.kill()
        self.holder.wait()


def must(*words):
    done = subprocess.run(words, capture_output=True, timeout=k.WAIT)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(words),
                                       done.stderr.decode().strip()))
    return done.stdout.decode()


def why_no_network():
    for tool in ("unshare", "nsenter", "ip", "nft"):
        if shutil.which(tool) is None:
            return "there is no " + tool
    done = subprocess.run(["unshare", "-n", "sh", "-ec",
                           "ip link add hfa type veth peer name hfb; "
                           "nft 'add table inet handfast'"],
                          capture_output=True)
    return done.stderr.decode().strip() if done.returncode else None


def lost_packets():
    """5 of 100 packets are lost, and the owner is killed in the middle."""
    why = why_no_network()
    if why is not None:
        s.note("lost_packets skipped: " + why)
        return
    if "HANDFAST_INSIDE" not in os.environ:
        done = subprocess.run(
            ["unshare", "-n", sys.executable, *sys.argv[:1], "lost_packets",
             *(["--long"] if LONG else [])],
            env=dict(os.environ, HANDFAST_INSIDE="1"), capture_output=True)
        sys.stdout.write(done.stdout.decode())
        s.same("lost packets: done", 0, done.returncode)
        return
    c = Far()
    c.serve("a")
    c.serve("b")
    client = c.client()
    killed = []

    def during(sent):
        if sent > UPLOAD // 2 and not killed:
            killed.append(c.owner())
            c.servers[killed[0]].kill()
            c.servers[killed[0]].wait()
            c.serve(killed[0])

    digest = upload(c, client, UPLOAD, during=during)
    whole(c, "lost packets", client, digest)
    s.check("lost packets: it moved", "moved: epoch" in c.words(), c.words())
    lost = c.lost()
    s.check("lost packets: some were", lost > UPLOAD / 1500 / 100, lost)
    s.note("lost packets: %d MiB, %d packets lost" % (UPLOAD >> 20, lost))
    c.close()


# A relay ------------------------------------------------------------------------


class Relay(Door):
    """Stands in front of a server, passes bytes on and can cut what passes,
    keep what the server says, or put in words of its own."""

    def __init__(self, path):
        # A socket's path is short, that of its directory may not be.
        self.place = os.open(os.path.dirname(path), os.O_PATH)
        self.path = "/proc/self/fd/%d/%s" % (self.place,
                                             os.path.basename(path))
        self.pairs, self.refuses, self.cuts = [], False, 0
        super().__init__()

    def take(self, near):
        if self.refuses:
            raise OSError("refused")
        pair = Pair(near, reach(self.path))
        self.pairs.append(pair)
        pair.run()

    def live(self):
        return [p for p in self.pairs if not p.over]

    def cut(self):
        for pair in self.live():
            self.cuts += 1
            pair.cut()

    def close(self):
        super().close()
        self.cut()
        os.close(self.place)


class Pair:
    """near: the client's connection; far: the server's."""

    def __init__(self, near, far):
        self.near, self.far, self.over = near, far, False
        self.kept = None  # what the server says, from keep() on

    def withhold(self):
        """Keeps what the server says; the client is heard."""
        self.kept = b""

    def run(self):
        way = {self.near: self.far, self.far: self.near}
        reading = list(way)
        try:
            while True:
                for one in select.select(reading, [], [], 1)[0]:
                    data = one.recv(1 << 16)
                    if one is self.far and self.kept is not None:
                        self.kept += data
                    elif data:
                        way[one].sendall(data)
                    if not data and one is self.near and \
                            self.kept is not None:
                        reading.remove(one)
                    elif not data:
                        return
        except (OSError, ValueError):
            pass
        finally:
            self.cut()

    def leave(self):
        """Cuts the client off; the server hears nothing of that, and what
        it says is kept."""
        self.kept = b""
        cut(self.near)

    def cut(self):
        self.over = True
        cut(self.near, self.far)


class Relayed(k.Cluster):
    def __init__(self):
        super().__init__()
        self.relays = {n: Relay(self.path(n + ".sock")) for n in "ab"}

    def to(self, name):
        return self.relays[name].address

    def close(self):
        for relay in self.relays.values():
            relay.close()
        super().close()


def cut_again_and_again():
    """Every connection is cut every 2 s, whoever has it."""
    c = Relayed()
    c.serve("a")
    c.serve("b")
    client = c.client()
    over = threading.Event()

    def cutter():
        while not over.wait(CUT):
            for relay in c.relays.values():
                relay.cut()

    thread = threading.Thread(target=cutter)
    thread.start()
    try:
        digest = upload(c, client, UPLOAD, 20 if LONG else 7)
        whole(c, "cut", client, digest)
    finally:
        over.set()
        thread.join()
    cuts = sum(relay.cuts for relay in c.relays.values())
    s.check("cut: again and again", cuts >= (8 if LONG else 3), cuts)
    s.note("cut: %d MiB, %d cuts" % (UPLOAD >> 20, cuts))
    c.close()


def cut_at_the_close():
    """The server has taken the client's close and said its own, which is lost
    with the connection: it is said again, by whoever is asked."""
    for does, out in (("--receive", "in"), b""), (("--echo",), b"all of it"):
        c = Relayed()
        c.serve("a", does=does)
        c.serve("b", does=does)
        client = c.client()
        k.say(client, b"all of it")
        k.wait_for(lambda: c.owner() is not None, "a stored session")
        if out:
            got = client.stdout.read(len(out))
        else:
            k.arrived(c, b"all of it")
            got = b""
        name = c.owner()
        pair = c.relays[name].live()[0]
        pair.withhold()
        client.stdin.close()
        k.wait_for(lambda: "result=ok" in c.log(name), "its end there")
        pair.cut()
        what = "cut at the close, %s: " % does[0]
        k.wait_for(lambda: client.poll() is not None, what + "the end")
        got += client.stdout.read()
        s.check(what + "exit code", client.returncode == 0, c.words())
        s.same(what + "each byte once", out, got)
        s.same(what + "moves", 1, c.words().count("moved: epoch"))
        s.same(what + "handshakes", 1, k.handshakes(c))
        if not out:
            k.whole(c, what[:-2], b"all of it")
        c.close()


def what_cannot_move():
    """What --exec began is not begun a second time: where the connection
    breaks the client says so, and a session of another kind finds nobody who
    could go on with it."""
    c = Relayed()
    for name in "ab":
        c.serve(name, does=("--exec", "cat"))
    client = c.client()
    k.say(client, b"first")
    s.same("cannot move: it runs", b"first", client.stdout.read(5))
    for relay in c.relays.values():
        relay.cut()
    code, rest = k.ends(client)
    s.same("cannot move: exit code", 3, code)
    s.same("cannot move: nothing more", b"", rest)
    s.check("cannot move: it is said", "HF_E_TRUNCATED" in c.words() or
            "without its close" in c.words(), c.words())
    s.same("cannot move: nothing is stored", [], c.rows())
    s.same("cannot move: handshakes", 1, k.handshakes(c))
    c.close()
    c = k.Cluster()
    c.serve("a")
    c.serve("b", does=("--exec", "cat"))
    client = c.client("--no-fallback")
    k.say(client, b"first")
    k.wait_for(lambda: c.owner() is not None, "a stored session")
    c.kill("a")
    k.wait_for(lambda: client.poll() is not None, "the client's end")
    s.check("cannot move: refused", client.returncode == 4 and
            "no such session" in c.words(), c.words())
    client.stdin.close()
    c.close()


# Nobody there ----------------------------------------------------------------------

PATIENCE = 3  # seconds without a server
ROUNDS = 3, 9  # within these, by the pauses that there may be


class Nobody:
    """In the place of servers: notes when somebody comes, and hangs up."""

    def __init__(self, c, names):
        self.when, self.doors = [], []
        for name in names:
            door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            door.bind(c.path(name + ".sock"))
            door.listen(1000)
            self.doors.append(door)

    def watch(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for door in select.select(self.doors, [], [], left)[0]:
                door.accept()[0].close()
                self.when.append(time.monotonic())

    def close(self, c, names):
        for name, door in zip(names, self.doors):
            door.close()
            os.unlink(c.path(name + ".sock"))


def nobody_there():
    """While no server takes it a client asks all of them, and pauses: longer
    each time. It goes on when there is one."""
    c, client = k.begun("--retry", "60s")
    for name in "ab":
        c.kill(name)
    nobody = Nobody(c, "ab")
    nobody.watch(PATIENCE)
    n = len(nobody.when)
    s.check("nobody there: asked %d times, both each time" % n,
            2 * ROUNDS[0] - 1 <= n <= 2 * ROUNDS[1], n)
    # From the first of a round to the first of the next one.
    pauses = [b - a for a, b in zip(nobody.when[::2], nobody.when[2::2])]
    s.check("nobody there: longer each time", len(pauses) > 2 and
            pauses[-1] > 2 * pauses[0], pauses)
    nobody.close(c, "ab")
    c.serve("b")
    k.say(client, b"second")
    s.same("nobody there: exit code", 0, k.ends(client)[0])
    k.whole(c, "nobody there", b"first second")
    s.same("nobody there: one handshake", 1, k.handshakes(c))
    c.close()


# An owner that sleeps --------------------------------------------------------------


def sleeping_owner():
    """It is stopped, another takes over, it wakes and answers what it had
    been told: all of that is captured, nothing of it is taken by the client,
    and it is fenced. One that hears first that it is none any more says
    nothing: then once more."""
    s.check("sleeping owner: it spoke", any(slept() for _ in range(8)))


def slept():
    # With a store in memory whoever wakes hears what became of his session
    # before he says a word.
    tempfile.tempdir = "/var/tmp"
    c = Relayed()
    tempfile.tempdir = None
    for name in "ab":
        c.serve(name, does=("--echo",))
    client = c.client()
    k.say(client, b"first ")
    got = client.stdout.read(6)
    k.wait_for(lambda: c.owner() is not None, "a stored session")
    a, b = (c.owner(), "b" if c.owner() == "a" else "a")
    old = c.relays[a].live()[0]
    c.pause(a)
    stopped = time.monotonic()
    k.say(client, b"second ")
    time.sleep(0.3)  # it lies before the sleeper's door
    c.relays[a].refuses = True
    old.leave()
    k.wait_for(lambda: "moved: epoch" in c.words(), "a move")
    got += client.stdout.read(7)
    time.sleep(max(0, STOP - (time.monotonic() - stopped)))
    c.servers[a].send_signal(signal.SIGCONT)
    k.wait_for(lambda: "error=HF_E_FENCED" in c.log(a),
               "the end of the sleeper's session")
    k.wait_for(lambda: old.over, "its last words")
    kept = old.kept
    if not kept:
        c.close()
        return False
    s.note("sleeping owner: stopped for %d s, then said %d bytes" %
           (STOP, len(kept)))
    # Its words in the middle of the new owner's.
    new = c.relays[b].live()[0]
    new.near.sendall(kept)
    k.wait_for(lambda: c.words().count("moved: epoch") == 2,
               "a new connection")
    s.check("sleeping owner: its words are refused", "broken: HF_E_BOX"
            in c.words(), c.words())
    k.say(client, b"third")
    got += client.stdout.read(5)
    code, rest = k.ends(client)
    s.same("sleeping owner: exit code", 0, code)
    s.same("sleeping owner: each byte once", b"first second third",
           got + rest)
    s.same("sleeping owner: handshakes", 1, k.handshakes(c))
    c.close()
    return True


def main():
    tests = [lost_packets, cut_again_and_again, cut_at_the_close,
             what_cannot_move, nobody_there, sleeping_owner]
    names = [a for a in sys.argv[1:] if not a.startswith("--")]
    for test in tests:
        if names and test.__name__ not in names:
            continue
        began = time.monotonic()
        try:
            test()
        except (TimeoutError, RuntimeError, OSError,
                subprocess.TimeoutExpired) as e:
            s.fail("%s: %s" % (test.__name__, e))
        s.note("%s: %.1f s" % (test.__name__, time.monotonic() - began))
    s.finish()


main()
