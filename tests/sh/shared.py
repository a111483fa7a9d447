#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What servers of a cluster share beside sessions, by real processes on one
store: used tickets, wrong passwords, keys that change while sessions live. And
what they do not share: a users file, a cache of replays.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster import (HOLD, WAIT, Cluster, arrived, begun, ends, handshakes,
                     s, say, servers, wait_for, whole)  # noqa: E402
from doors import Door, join, reach  # noqa: E402


class Pair(Cluster):
    """Both servers take tickets of one ring; bob and ann have passwords."""

    def __init__(self):
        Cluster.__init__(self)
        self.do("ticket", "ring", "ring")
        for name, text in (("right", "correct horse"), ("wrong", "wrong")):
            with open(self.path(name), "w", opener=private) as f:
                f.write(text + "\n")
        for user in ("bob", "ann"):
            self.do("user", "add", "--db", "users", "--realm", "example",
                    "--passphrase-file", "right", user)

    def member(self, name, *scope):
        self.key(name, "--usage", "responder,server", "--cluster", "web",
                 "--realm", "example")
        self.change("admit", name, *scope)

    def both(self, *more):
        for name in "ab":
            self.serve(name, "--ring", "ring", "--users", "users", *more,
                       does=("--echo",))

    def start(self, to, *token):
        p = subprocess.Popen(
            [s.PROGRAM, "initiate", "--connect", "unix:%s.sock" % to,
             "--trust", "ca/ca.cert", "--expect", "web", *token],
            cwd=self.dir, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.clients.append(p)
        return p

    def comes(self, to, *token):
        p = self.start(to, *token)
        p.communicate(timeout=WAIT)
        return p.returncode

    def ticket(self, name):
        self.do("ticket", "issue", "--ring", "ring", "--subject", "carol",
                "--audience", "web", "--ttl", "1h", "--single-use", "-o",
                name)
        return "--ticket", name

    def said(self, name, word, n=1):
        """How often it is in a log: waits until it is there so often, since
        a session is logged a little after its peer has gone."""
        until = time.monotonic() + 5
        while self.log(name).count(word) < n and time.monotonic() < until:
            time.sleep(0.02)
        return self.log(name).count(word)

    def hold(self):
        """Somebody who stopped while he wrote to the store."""
        p = subprocess.Popen(["/usr/bin/python3", "-c", HOLD,
                              self.path("db")], stdout=subprocess.PIPE)
        p.stdout.read(1)
        self.clients.append(p)
        return p


def private(path, flags):
    return os.open(path, flags, 0o600)


def as_user(user, password="right"):
    return "--user", user, "--passphrase-file", password


# Tickets -------------------------------------------------------------------------


def ticket_once():
    """A single-use ticket is good at one server, whichever is first: one
    after another, both at once, and after they were started again."""
    c = Pair()
    c.both()
    one = c.ticket("once")
    s.same("ticket once: at one", 0, c.comes("a", *one))
    s.same("ticket once: at the other", 4, c.comes("b", *one))
    s.same("ticket once: why", 1, c.said("b", "HF_E_TICKET_USED"))
    won = []
    for n in range(10):
        one = c.ticket("race%d" % n)
        both = [c.start(name, *one) for name in "ab"]
        for p in both:
            p.communicate(timeout=WAIT)
        won.append(sorted(p.returncode for p in both))
    s.same("ticket once: ten races", [[0, 4]] * 10, won)
    for name in "ab":
        s.same("ticket once: %s ends" % name, 0,
               c.kill(name, how=s.signal.SIGTERM))
    c.both()
    s.same("ticket once: later", 4, c.comes("b", *c_ticket("once")))
    s.same("ticket once: and at the first", 4, c.comes("a", *c_ticket("once")))
    c.close()


def c_ticket(name):
    return "--ticket", name


def ticket_store_hangs():
    """A store that does not answer: refused, in time, and other tokens are
    not; what it may have written meanwhile is burnt."""
    c = Pair()
    c.both()
    one = c.ticket("once")
    holder = c.hold()
    began = time.monotonic()
    s.same("ticket, hanging store: refused", 8, c.comes("a", *one))
    s.check("ticket, hanging store: in time", time.monotonic() - began < 15,
            time.monotonic() - began)
    s.same("ticket, hanging store: why", 1, c.said("a", "HF_E_STORE"))
    s.same("ticket, hanging store: a certificate is good", 0,
           c.comes("a", "--identity", "alice.key", "--cert", "alice.cert"))
    holder.kill()
    holder.wait()
    s.same("ticket, hanging store: it was burnt after all", 4,
           c.comes("b", *one))
    s.same("ticket, hanging store: it is used", 1,
           c.said("b", "HF_E_TICKET_USED"))
    s.same("ticket, hanging store: another is good", 0,
           c.comes("b", *c.ticket("another")))
    c.close()


# Passwords -----------------------------------------------------------------------


def failures_add_up():
    """One wrong password here and one there are two; the store shows no
    names; and a store that hangs neither stops a login nor forgets."""
    c = Pair()
    c.both("--max-failures", "2")
    s.same("failures: a wrong one", 4, c.comes("a", *as_user("bob", "wrong")))
    s.same("failures: one there", 4, c.comes("b", *as_user("bob", "wrong")))
    s.same("failures: judged", [1, 1], [c.said(n, "HF_E_PASSWORD")
                                        for n in "ab"])
    s.same("failures: no more here", 4, c.comes("a", *as_user("bob")))
    s.same("failures: nor there", 4, c.comes("b", *as_user("bob")))
    s.same("failures: limited", [1, 1], [c.said(n, "HF_E_LIMITED")
                                         for n in "ab"])
    s.same("failures: another", 0, c.comes("a", *as_user("ann")))
    with open(c.path("db/data.mdb"), "rb") as f:
        data = f.read()
    s.check("failures: no names in the store", b"bob" not in data and
            b"ann" not in data.replace(b"change", b""))
    holder = c.hold()
    s.same("failures, hanging store: still limited", 4,
           c.comes("b", *as_user("bob")))
    s.same("failures, hanging store: limited", 2,
           c.said("b", "HF_E_LIMITED", 2))
    s.same("failures, hanging store: another", 0,
           c.comes("b", *as_user("ann")))
    holder.kill()
    holder.wait()
    c.close()


def heard_of():
    """A server that has seen no failure of a user has heard of it."""
    c = Pair()
    c.both("--max-failures", "2")
    for n in range(2):
        c.comes("a", *as_user("bob", "wrong"))
    s.same("heard of: judged", 2, c.said("a", "HF_E_PASSWORD", 2))
    time.sleep(0.6)  # it looks five times a second
    s.same("heard of: refused", 4, c.comes("b", *as_user("bob")))
    s.same("heard of: limited", [1, 0], [c.said("b", "HF_E_LIMITED"),
                                         c.said("b", "HF_E_PASSWORD", 0)])
    c.close()


def guessing():
    """Guessing at a user's password does not stop his session: it moves to
    a server that lets nobody try any more."""
    c = Pair()
    for name in "ab":
        c.serve(name, "--users", "users", "--max-failures", "1")
    client = c.client(*as_user("bob"), token=())
    say(client, b"first ")
    arrived(c, b"first ")
    wait_for(lambda: c.owner() == "a", "a stored session")
    c.comes("b", *as_user("bob", "wrong"))
    s.same("guessing: no more", 4, c.comes("b", *as_user("bob")))
    s.same("guessing: why", 1, c.said("b", "HF_E_LIMITED"))
    c.kill("a")
    say(client, b"second")
    s.same("guessing: exit code", 0, ends(client)[0])
    whole(c, "guessing", b"first second")
    c.close()


def user_gone():
    """A user whom one server no longer has: his sessions are not taken over
    there, whether a password or a ticket began them, nor are his tickets
    taken; at the other they go on."""
    c = Pair()
    c.do("user", "add", "--db", "fewer", "--realm", "example",
         "--passphrase-file", "right", "ann")
    c.serve("a", "--ring", "ring", "--users", "users", "--issue-tickets",
            "1h")
    c.serve("b", "--ring", "ring", "--users", "fewer")
    client = c.client("--retry", "3s", "--ticket-out", "bob.ticket",
                      *as_user("bob"), token=())
    say(client, b"first ")
    arrived(c, b"first ")
    other = c.client("--retry", "3s", token=c_ticket("bob.ticket"))
    say(other, b"second")
    arrived(c, b"first second")
    wait_for(lambda: sum("owner a" in row for row in c.rows()) == 2,
             "two stored sessions")
    c.kill("a")
    for what, one in ("password", client), ("ticket", other):
        s.same("user gone, by %s: exit code" % what, 4, ends(one)[0])
    # A log line that has a session's id is of a takeover.
    s.same("user gone: refused at takeover", ["password", "ticket"],
           sorted(set(re.findall(r"result=refused .*method=(\w+) .*sid=\w+ "
                                 "error=HF_E_PASSWORD", c.log("b")))))
    s.check("user gone: neither was taken over", "epoch=" not in c.log("b"),
            c.log("b"))
    s.same("user gone: his ticket", 4, c.comes("b", *c_ticket("bob.ticket")))
    s.same("user gone: it is refused, as in place of the session", 2,
           c.said("b", "HF_E_TICKET", 2))
    c.serve("a", "--ring", "ring", "--users", "users")
    s.same("user gone: not at the other", 0,
           c.comes("a", *c_ticket("bob.ticket")))
    c.close()


# Replays -------------------------------------------------------------------------


def replayed_elsewhere():
    """All that an initiator said, said again to a second server with the same
    key, which has seen nothing of it: it answers, and nothing comes of it. A
    ticket that was never confirmed is not burnt by it."""
    with s.House() as house:
        house.ticket("once", "--single-use")
        one, two = [house.respond(name, "--ring", "ring")
                    for name in ("one", "two")]
        relay = s.Relay()
        for what, token, keep in (
                ("certificate", house.certified + house.known, None),
                ("ticket", house.to + house.known + [
                    "--ticket", "once.ticket"], "confirm")):
            def edit(direction, k, offset, message):
                return [] if s.kind(message) == keep and \
                    direction == s.UP else [message]
            first = relay.run(one, token + ["--deadline", "3s"], edit=edit)
            s.check("replayed elsewhere, %s: the first" % what,
                    first.code == 0 or keep is not None, first)
            got = b""
            with socket.create_connection((two.host, two.port),
                                          timeout=15) as there:
                there.sendall(b"".join(first.sent(s.UP)))
                while True:
                    try:
                        part = there.recv(65536)
                    except OSError:
                        break
                    if not part:
                        break
                    got += part
            line = two.session()
            s.check("replayed elsewhere, %s: it is granted" % what,
                    got[:2] == b"\x86\x04", got[:8])
            s.same("replayed elsewhere, %s: and cannot be confirmed" % what,
                   ("refused", "HF_E_BOX", "0"),
                   tuple(s.field(line, x) for x in ("result", "error",
                                                    "bytes_in")))
            rest = got[s.item_end(got):]
            s.check("replayed elsewhere, %s: nothing but an alert" % what,
                    rest[:3] == b"\x82\x10\x52" and len(rest) == 21, rest)
        good = house.initiate(two.address, *house.to, "--ticket",
                              "once.ticket")
        s.same("replayed elsewhere: the ticket is still its holder's", 0,
               good.code)
        relay.close()


# Keys that change -----------------------------------------------------------------


def generation(c):
    rows = c.rows()
    if not rows:
        return 0
    text = c.do("session", "show", "--store", "lmdb:db", rows[0].split()[0])
    return int(text.split("generation ")[1].split()[0])


def serial(c, name):
    """Of the newest grants that a server has read."""
    with open(c.path(name + ".key.serial"), encoding="ascii") as f:
        return int(f.read())


def rotated():
    """A session on which nothing moves is stored under the new key, and goes
    on elsewhere."""
    c, client = begun()
    s.same("rotated: the first key", 1, generation(c))
    s.same("rotated: done", 0,
           c.run("cluster", "rotate", "--key", "web.key", "--store",
                 "lmdb:db", "--scope", "default").returncode)
    wait_for(lambda: generation(c) == 2, "the new key")
    wait_for(lambda: serial(c, "b") == serial(c, "a"), "the other to know")
    c.kill("a")
    say(client, b"second")
    s.same("rotated: exit code", 0, ends(client)[0])
    whole(c, "rotated", b"first second")
    s.same("rotated: handshakes", 1, handshakes(c))
    c.close()


def not_heard_of_yet():
    """A server that slept while the key changed takes over what is sealed
    under the new one: it reads its grants before it refuses."""
    c, client = begun()
    c.pause("b")
    s.same("not heard of: done", 0,
           c.run("cluster", "rotate", "--key", "web.key", "--store",
                 "lmdb:db", "--scope", "default").returncode)
    wait_for(lambda: generation(c) == 2, "the new key")
    c.kill("a")
    say(client, b"second")
    time.sleep(0.3)
    c.servers["b"].send_signal(signal.SIGCONT)
    s.same("not heard of: exit code", 0, ends(client)[0])
    whole(c, "not heard of", b"first second")
    s.same("not heard of: handshakes", 1, handshakes(c))
    c.close()


class NoLists(Door):
    """Passes on what a Redis is asked for; the next `left` listings are not
    answered."""

    def __init__(self, there):
        self.there, self.left, self.at = there, 0, []
        self.path = there + ".no-lists"
        super().__init__(self.path)

    def take(self, near):
        join(near, reach(self.there), self.judge)

    def judge(self, data):
        if b"\r\nSCAN\r\n" in data and self.left > 0:
            self.left -= 1
            self.at.append(time.monotonic())
            raise OSError("hung up")
        return data


def not_to_be_read():
    """A store that fails just when the keys that it told of are read: they
    are read again by and by, without any further word."""
    if not servers.KINDS["redis"].here():
        s.note("no server for redis here")
        return
    c = Cluster("redis")
    right, scheme = c.store, "redis://"
    door = NoLists(right[len(scheme):])
    c.store = scheme + door.path
    c.serve("a")
    before, door.left = serial(c, "a"), 2
    s.same("not to be read: done", 0,
           c.run("cluster", "rotate", "--key", "web.key", "--store", right,
                 "--scope", "default").returncode)
    wait_for(lambda: "event=reload result=ok" in c.log("a"), "the new key")
    s.same("not to be read: the new key", before + 1, serial(c, "a"))
    s.same("not to be read: twice", ["failed", "failed", "ok"],
           re.findall("event=reload result=(.*)", c.log("a")))
    s.same("not to be read: as the store's fault", 2,
           c.log("a").count("(HF_E_STORE)"))
    first, second = door.at
    now = time.monotonic()
    s.check("not to be read: a second later", 0.9 < second - first,
            second - first)
    s.check("not to be read: then two", 1.9 < now - second, now - second)
    door.close()
    os.unlink(door.path)
    c.close()


def not_renewed():
    """Grants that nobody renews are warned of while there is time; when they
    are over that is an error, and nothing moves; fresh ones end both."""
    c = Cluster()
    c.env = dict(os.environ, **s.clock(c.path("a.clock")))
    c.serve("a")
    s.same("not renewed: no word at first", 0, c.log("a").count("grants"))
    for hours, warned, failed in ((11, 0, 0), (13, 1, 0), (25, 1, 1)):
        s.jump(c.path("a.clock"), hours * s.HOUR)
        n = c.log("a").count("event=reload")
        c.servers["a"].send_signal(signal.SIGHUP)
        wait_for(lambda: c.log("a").count("event=reload") > n, "a reload")
        s.same("not renewed: warned after %d hours" % hours, warned, len(
            re.findall("warning: the key grants of a.cert end on .*Z: "
                       "no session moves from then", c.log("a"))))
        s.same("not renewed: over after %d hours" % hours, failed,
               c.log("a").count("(HF_E_EXPIRED)"))
    s.same("not renewed: each with its hint", 2, c.log("a").count(
        "hint: handfast cluster renew --key X.key --store lmdb:db"))
    c.close()


def another_evicted():
    """What an evicted member could open is refused; but a live session is
    sealed anew, and outlives its owner all the same."""
    c, client = begun()
    c.member("d")
    s.same("another evicted: done", 0, c.change("evict", "b").returncode)
    wait_for(lambda: generation(c) == 2, "the new key")
    c.kill("b")
    os.rename(c.path("d.key"), c.path("b.key"))
    os.rename(c.path("d.cert"), c.path("b.cert"))
    os.unlink(c.path("b.key.serial"))
    c.serve("b")
    c.kill("a")
    say(client, b"second")
    s.same("another evicted: exit code", 0, ends(client)[0])
    whole(c, "another evicted", b"first second")
    s.same("another evicted: handshakes", 1, handshakes(c))
    c.close()


def owner_evicted():
    """An evicted member that lives on stores nothing more and sends its
    sessions away; those that begin with it stay with it."""
    c, client = begun(serve=("--checkpoint", "record"))
    s.same("owner evicted: done", 0, c.change("evict", "a").returncode)
    wait_for(lambda: "continuity lost" in c.words(), "another session")
    say(client, b"second")
    wait_for(lambda: c.owner() == "b" or any(
        "owner b" in row for row in c.rows()), "b's session")
    s.same("owner evicted: exit code", 3, ends(client)[0])
    s.check("owner evicted: it lives", c.servers["a"].poll() is None)
    s.check("owner evicted: it is said", "not admitted" in c.log("a"),
            c.log("a"))
    s.check("owner evicted: what was before is refused",
            "received resume" in c.log("b") and "moved: epoch" not in
            c.words(), c.log("b"))
    before = c.rows()
    lone = c.client(to=("a",))
    say(lone, b"third")
    wait_for(lambda: c.received() >= len(b"first second" + b"third"),
             "the third")
    time.sleep(0.5)
    s.same("owner evicted: nothing new in the store", before, c.rows())
    s.same("owner evicted: a session with it", 0, ends(lone)[0])
    c.close()


def owner_released():
    """A member that is let go sends its sessions to those who stay, whole."""
    c, client = begun()
    s.same("owner released: done", 0, c.change("release", "a").returncode)
    wait_for(lambda: "moved: epoch" in c.words(), "a move")
    say(client, b"second")
    s.same("owner released: exit code", 0, ends(client)[0])
    whole(c, "owner released", b"first second")
    s.same("owner released: handshakes", 1, handshakes(c))
    c.close()


def two_scopes():
    """A member of two scopes starts again after one of them has changed."""
    c = Cluster()
    for scope in ("y=t", "z=u"):
        c.change("admit", "a", "--scope", scope)
    for n in range(2):
        c.do("cluster", "rotate", "--key", "web.key", "--store", "lmdb:db",
             "--scope", "y")
        for k in range(2):
            c.serve("a")
            s.same("two scopes: it runs", None, c.servers["a"].poll())
            c.kill("a")
    c.close()


def main():
    names = sys.argv[1:]
    for test in (ticket_once, ticket_store_hangs, failures_add_up, heard_of,
                 guessing, user_gone, replayed_elsewhere, rotated,
                 not_heard_of_yet, not_to_be_read, not_renewed, another_evicted,
                 owner_evicted, owner_released, two_scopes):
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


main()
