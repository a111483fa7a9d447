#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A responder as a daemon: peers that vanish in every way (threat D4), files
read anew while sessions come and go (D9), links where it and the program write
or listen (D12), places that are somebody else's (D11), and keys that are not
what they should be (D18).
"""
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import *  # noqa: E402,F403


def open_files(r):
    return len(os.listdir("/proc/%d/fd" % r.process.pid))


def until(what, seconds=10):
    end = time.time() + seconds
    while not what():
        if time.time() > end:
            return False
        time.sleep(0.02)
    return True


class Between:
    """A session whose two halves of the stream the test holds."""

    def __init__(self, r, options):
        listener = socket.create_server(("127.0.0.1", 0))
        self.p = subprocess.Popen(
            [PROGRAM, "initiate", "--connect", "127.0.0.1:%d" %
             listener.getsockname()[1], *options], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.near = listener.accept()[0]
        listener.close()
        self.far = socket.create_connection((r.host, r.port))
        doors.join(self.near, self.far)

    def opens(self):
        self.p.stdin.write(b"one\n")
        return self.p.stdout.readline()

    def reset(self):
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        # Only with the last reference to it is the connection reset.
        self.far.shutdown(socket.SHUT_RD)
        self.far.close()

    def end(self):
        self.p.kill()
        self.p.wait()
        for s in (self.near, self.far):
            s.close()


def given_back(r, what, at_rest):
    check("vanishing, %s: given back" % what,
          until(lambda: open_files(r) == at_rest), open_files(r))


def vanishing(house):
    """Whatever the peer's end does, the responder learns it, says it, and
    has its descriptor back."""
    r = house.respond("vanishing")
    at_rest = open_files(r)
    for what, act in (
            ("killed", lambda s: s.p.kill()),
            ("FIN one way", lambda s: s.far.shutdown(socket.SHUT_WR)),
            ("RST", lambda s: s.reset())):
        s = Between(r, house.certified)
        same("vanishing, %s: open" % what, b"one\n", s.opens())
        check("vanishing, %s: held" % what, open_files(r) > at_rest)
        act(s)
        line = r.session(10)
        same("vanishing, %s: no end in order" % what,
             ("lost", "HF_E_TRUNCATED"),
             (field(line, "result"), field(line, "error")))
        s.end()
        given_back(r, what, at_rest)
    for what, said in (("silent", b""), ("half a hello", b"\x86\x00\x01")):
        s = socket.create_connection((r.host, r.port))
        s.sendall(said)
        s.shutdown(socket.SHUT_WR)
        same("vanishing, %s: in the log" % what, "HF_E_GONE",
             field(r.session(), "error"))
        s.close()
        given_back(r, what, at_rest)
    same("vanishing: it stops", 0, r.stop())
    # One that says nothing more is there, for all that is known of it.
    r = house.respond("frozen", "--idle", "1s")
    at_rest = open_files(r)
    s = Between(r, house.certified)
    same("vanishing, frozen: open", b"one\n", s.opens())
    s.p.send_signal(signal.SIGSTOP)
    begun = time.time()
    check("vanishing, frozen: ended", r.session(20) != "")
    took = time.time() - begun
    check("vanishing, frozen: in bounded time, %.1f s" % took,
          0.7 < took < 12, took)
    s.end()
    given_back(r, "frozen", at_rest)
    same("vanishing, frozen: it stops", 0, r.stop())


def reloading(house):
    """Reading its files anew, ten times a second: no session is lost."""
    r = house.respond("reloading", "--users", "users", "--ring", "ring")
    held = [Between(r, house.certified) for i in range(3)]
    same("reloading: sessions that stay", [b"one\n"] * 3,
         [s.opens() for s in held])
    ended, results = threading.Event(), []

    def come_and_go(token):
        while not ended.is_set():
            x = house.initiate(r.address, *token)
            results.append((x.code, x.out, x.err))
    crowd = [threading.Thread(target=come_and_go, args=(t,))
             for t in (house.certified, house.ticketed,
                       house.certified + house.known)]
    for t in crowd:
        t.start()
    for i in range(20):
        time.sleep(0.1)
        r.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    ended.set()
    for t in crowd:
        t.join()
    bad = [x for x in results if x != (0, b"hello\n", "")]
    check("reloading: %d sessions, all well" % len(results),
          len(results) >= 12 and not bad, bad[:3])
    reloads = [x for x in r.log() if "event=reload" in x]
    check("reloading: read anew %d times" % len(reloads), len(reloads) >= 5
          and all("result=ok" in x for x in reloads), reloads[:3])
    for s in held:
        s.p.stdin.write(b"two\n")
        same("reloading: one that stays goes on", b"two\n",
             s.p.stdout.readline())
        s.p.stdin.close()
        same("reloading: and ends well", 0, s.p.wait(20))
        s.end()
    same("reloading: it stops", 0, r.stop())


def linked(house):
    """Where a link lies in the way of what is written, what it points to is
    left alone."""
    victim = house.write("victim", "precious\n")
    h = os.getcwd() + "/"

    def lies(path):
        os.symlink(h + "victim", path)
        return path

    def untouched(what):
        same(what + ": left alone", ("precious\n", 0o600),
             (open(victim).read(), os.stat(victim).st_mode & 0o7777))
    for what, words in (
            ("key", ["keygen", "-o", lies("new.key")]),
            ("ring", ["ticket", "ring", lies("new.ring")]),
            ("ticket", ["ticket", "issue", "--ring", "ring", "--subject",
                        "x", "--audience", "server", "--ttl", "1h", "-o",
                        lies("new.ticket")])):
        p = subprocess.run([PROGRAM] + words, capture_output=True)
        check("linked %s: refused or replaced" % what, p.returncode == 5 or
              not os.path.islink(words[-1]), p)
        untouched("linked " + what)
    os.mkdir("run", 0o700)
    for what, options, code in (
            ("socket", ["--listen", "unix:" + lies(h + "run/sock")], 5),
            ("port file", ["--port-file", lies("at")], 5),
            ("used tickets", ["--ring", "ring", "--used-tickets",
                              lies("used")], 3)):
        x = house.refuse(*options)
        same("linked %s: does not start" % what, code, x.code)
        untouched("linked " + what)
    os.unlink("at")
    former = house.write("former", "1\n")
    os.symlink(former, "at")
    p = subprocess.Popen(
        [PROGRAM, "respond", "--listen", "127.0.0.1:0", "--port-file",
         "at", "--identity", "server.key", "--cert", "server.cert",
         "--trust", "ca/ca.cert", "--echo"], stderr=subprocess.DEVNULL)
    check("linked to another port file: written, and no link any more",
          until(lambda: not os.path.islink("at")) and
          open("at").read().strip().isdigit())
    same("linked to another port file: left alone", "1\n",
         open(former).read())
    p.terminate()
    same("linked port file: it stops", 0, p.wait(20))
    r = house.respond("linked")
    # A lock that would be taken on, or made of, another's file.
    lies(h + "ca/.ca.list.lock")
    p = subprocess.run([PROGRAM, "ca", "revoke", "ca", "alice.cert", "-o",
                        "list"], capture_output=True)
    check("linked lock: refused", p.returncode == 3, p)
    untouched("linked lock")
    # A key is judged by what is read, not by the name that led there.
    os.symlink("alice.key", "alice.link")
    token = [("alice.link" if x == "alice.key" else x)
             for x in house.certified]
    same("linked own key: followed", 0, house.initiate(r.address,
                                                       *token).code)
    os.chmod("alice.key", 0o640)
    same("linked own key: its own mode counts", 5,
         house.initiate(r.address, *token).code)
    os.chmod("alice.key", 0o600)
    same("linked: it stops", 0, r.stop())


def squatted(house):
    """A socket's place that is not one's own: it does not start there, and
    leaves what is there. What a dead one left behind it replaces."""
    h = os.getcwd() + "/"

    def refused(what, path, code):
        x = house.refuse("--listen", "unix:" + path)
        same("squatted, %s: does not start" % what, code, x.code)
    os.mkdir("place", 0o700)
    house.write("place/file", "keep\n")
    refused("a file", h + "place/file", 5)
    same("squatted, a file: kept", "keep\n", open("place/file").read())
    os.mkdir("place/dir")
    refused("a directory", h + "place/dir", 5)
    live = socket.socket(socket.AF_UNIX)
    live.bind("place/live")
    live.listen()
    refused("a live socket", h + "place/live", 3)
    check("squatted, a live socket: kept", os.path.exists("place/live"))
    live.close()
    for mode in (0o777, 0o770):
        os.chmod("place", mode)
        refused("a directory of mode %o" % mode, h + "place/new", 5)
        check("squatted, a directory of mode %o: nothing made" % mode,
              not os.path.exists("place/new"))
    os.chmod("place", 0o700)
    # live is dead now; nothing but its name is left.
    p = subprocess.Popen(
        [PROGRAM, "respond", "--listen", "unix:" + h + "place/live",
         "--identity", "server.key", "--cert", "server.cert", "--trust",
         "ca/ca.cert", "--echo"], stderr=subprocess.PIPE)
    p.stderr.readline()
    x = house.initiate("unix:" + h + "place/live", *house.certified)
    same("squatted, a dead socket: replaced", (0, b"hello\n"),
         (x.code, x.out))
    same("squatted, a dead socket: nobody else's", 0o600,
         os.stat("place/live").st_mode & 0o7777)
    p.terminate()
    p.communicate()
    same("squatted: it stops", 0, p.returncode)


def keys(house):
    """Read by others, missing, not the certificate's, and no key at all: at
    the start and when read anew."""
    house.identity("other")
    r = house.respond("keys")

    def reload(what, error):
        n = len([x for x in r.log() if "event=reload" in x])
        r.process.send_signal(signal.SIGHUP)
        until(lambda: len([x for x in r.log() if "event=reload" in x]) > n)
        last = [x for x in r.log() if "event=reload" in x][-1]
        check("keys, %s: reload" % what, ("result=ok" in last) ==
              (error is None) and (error or "") in "\n".join(r.log()[-3:]), last)
        x = house.initiate(r.address, *house.certified)
        same("keys, %s: serves on with the old" % what, 0, x.code)
    os.rename("server.key", "good.key")
    good = open("good.key").read()
    for what, make, code, error in (
            ("missing", lambda: None, 3, "No such file"),
            ("of another", lambda: house.write(
                "server.key", open("other.key").read()), 5,
             "HF_E_OWN_CERT"),
            ("cut", lambda: house.write("server.key", good[:-30]), 6,
             "HF_E_OBJECT"),
            ("a certificate", lambda: house.write(
                "server.key", open("server.cert").read()), 6,
             "HF_E_OBJECT"),
            ("a directory", lambda: os.mkdir("server.key"), 3, ""),
            ("of mode 0640", lambda: house.write("server.key", good, 0o640),
             5, "others can read"),
            ("of mode 0604", lambda: house.write("server.key", good, 0o604),
             5, "others can read"),
            ("good", lambda: house.write("server.key", good), 0, None)):
        if os.path.isdir("server.key"):
            os.rmdir("server.key")
        elif os.path.exists("server.key"):
            os.unlink("server.key")
        make()
        if code:
            x = house.refuse()
            same("keys, %s: does not start" % what, code, x.code)
            check("keys, %s: says why" % what, error in x.err, x)
        reload(what, error)
    same("keys: it stops", 0, r.stop())


def older_list(house):
    """A revocation list that is older than the one in use, put in its place:
    what it does not name stays revoked. Its own number is no older one."""
    house.hf("ca", "revoke", "ca", "-o", "first.list")
    house.hf("ca", "revoke", "ca", "alice.cert", "-o", "second.list")
    first, second = open("first.list").read(), open("second.list").read()
    house.write("now.list", first)
    r = house.respond("older list", "--revoked", "now.list")

    def reload(text, result, code):
        def said():
            return [x for x in r.log() if x.startswith("event=reload ")]
        n = len(said())
        house.write("now.list", text)
        r.process.send_signal(signal.SIGHUP)
        check("older list: read", until(lambda: len(said()) > n))
        same("older list: in the log", result, field(said()[-1], "result"))
        got = house.initiate(r.address, *house.certified)
        same("older list: alice", code, got.code)
    reload(first, "ok", 0)
    reload(second, "ok", 4)
    reload(first, "failed", 4)
    reload(second, "ok", 4)
    check("older list: it is said", "error: --revoked: an older list than the "
          "one in use (HF_E_STALE_LIST)" in "\n".join(r.log()), r.log())
    same("older list: it stops", 0, r.stop())
    os.unlink("ca/.ca.list.lock")


def main():
    with House() as house:
        for part in (vanishing, reloading, older_list, linked, squatted,
                     keys):
            if sys.argv[1:] and part.__name__ not in sys.argv[1:]:
                continue
            begun = time.time()
            part(house)
            print("--- %s: %.1f s" % (part.__name__, time.time() - begun))
    finish()


main()
