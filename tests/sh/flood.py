#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a flood of requests with passwords costs its responder (threat A37),
counted in public-key operations and Argon2id runs, not in time: nothing that
a stranger can ask for without paying for it first. Those who come from
elsewhere are served meanwhile.
"""
import os
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import *  # noqa: E402,F403

COUNT = os.path.join(BUILD, "tests", "count.so")
QUICK = os.path.join(BUILD, "tests", "quick.so")
FLOOD = 300 if SAN else 1000


def counted(house, name, *options):
    return house.respond(name, "--users", "users", "--ring", "ring",
                         "--max-unopened", "1000000", *options,
                         env=preload(COUNT, HANDFAST_COUNT=os.path.abspath(
                             name + ".count")))


def counts(r, name):
    same(name + ": it stops", 0, r.stop())
    return {k: int(n) for k, n in
            (x.split() for x in open(name + ".count"))}


def recorded(house, options):
    """The request that an initiator makes, and no responder answers."""
    seen = []

    def edit(direction, k, offset, message):
        if direction == UP:
            seen.append(message)
            return [END]
        return [message]
    r = house.respond("nobody", "--users", "users")
    relay = Relay()
    relay.run(r, options, edit=edit, env=preload(QUICK))
    relay.close()
    r.stop()
    same("recorded", "request", kind(seen[0]))
    return seen[0]


def flood(r, message, n):
    """That many connections from the crowd: what each was answered."""
    found = {}
    for i in range(n):
        s = socket.create_connection((r.host, r.port), timeout=20,
                                     source_address=(CROWD, 0))
        s.sendall(message)
        got = b""
        try:
            while kind_of(got) is None:
                part = s.recv(4096)
                if not part:
                    break
                got += part
        except OSError:
            pass
        s.close()
        found[kind_of(got)] = found.get(kind_of(got), 0) + 1
    return found


def kind_of(got):
    return kind(got) if len(got) > 1 and item_end(got) else None


def good(house, r, n):
    """Certificates and tickets, a known certificate each: 3 and 2
    Diffie-Hellmans there."""
    for i in range(n):
        for token in (house.certified, house.ticketed):
            x = house.initiate(r.address, *token, *house.known)
            same("another is served", (0, b"hello\n"), (x.code, x.out))
    return 5 * n


def nothing_is_stretched(house):
    """Each password costs its responder a hash: right, wrong, unknown."""
    r = counted(house, "stretched")
    house.write("wrong", "no such horse\n")
    wrong = [("wrong" if x == "password" else x) for x in house.user]
    nobody = [("nobody" if x == "bob" else x) for x in house.user]
    for token, code in ((house.user, 0), (wrong, 4), (nobody, 4)):
        x = house.initiate(r.address, *token)
        same("stretched: exit code", code, x.code)
    c = counts(r, "stretched")
    same("stretched: Argon2id at the responder", 0, c["stretch"])
    # Opening: the certified key and the prekey; and one for the grant.
    same("stretched: Diffie-Hellmans", 3 + 2 + 2, c["dh"])


def strangers_show_a_cookie(house, request):
    """Under load a request without one is not opened."""
    r = counted(house, "cookie", "--busy", "0")
    found = flood(r, request, FLOOD)
    same("cookie: all are sent a retry", {"retry": FLOOD}, found)
    expected = good(house, r, 3)
    c = counts(r, "cookie")
    same("cookie: Diffie-Hellmans, those of others",
         expected, c["dh"])
    same("cookie: stretched", 0, c["stretch"])


def logged(r, n):
    """The errors of n sessions: their lines may come after their answers."""
    end = time.time() + 10
    while True:
        errors = [field(x, "error") for x in r.log() if "event=session" in x]
        if len(errors) >= n or time.time() > end:
            return errors
        time.sleep(0.05)


def replays_are_not_opened(house, request):
    r = counted(house, "replays")
    found = flood(r, request, FLOOD)
    same("replays: all are refused", {"alert": FLOOD}, found)
    errors = logged(r, FLOOD)
    same("replays: one was opened", (1, FLOOD - 1),
         (errors.count("HF_E_PASSWORD"), errors.count("HF_E_REPLAY")))
    expected = good(house, r, 3)
    same("replays: Diffie-Hellmans", expected + 1, counts(r, "replays")["dh"])


def a_source_has_its_share(house):
    """New requests, each for another user: opened until the source has had
    its share of refusals, and no more."""
    share, n = 20, 60
    r = counted(house, "share", "--max-source-failures", str(share))
    relay = forward(r.address)
    address = relay.address
    crowd = [subprocess.Popen(
        [PROGRAM, "initiate", "--connect", address, *house.to, "--user",
         "user%d" % i, "--passphrase-file", "wrong", *house.known,
         "--no-prekey"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=dict(os.environ, **preload(QUICK)))
        for i in range(n)]
    expected = good(house, r, 3)
    same("share: all are refused", {4}, {p.wait() for p in crowd})
    relay.close()
    errors = logged(r, n + 6)
    opened = errors.count("HF_E_PASSWORD")
    # An allowance flows back, one in three seconds.
    check("share: %d were opened" % opened, share <= opened <= share + 10)
    same("share: the others were not", n - opened,
         errors.count("HF_E_LIMITED"))
    same("share: Diffie-Hellmans", expected + opened,
         counts(r, "share")["dh"])


def main():
    if not os.path.exists(COUNT):
        skip("there is no " + COUNT)
    with House() as house:
        nothing_is_stretched(house)
        wrong = [("wrong" if x == "password" else x) for x in house.user]
        request = recorded(house, wrong + house.known + ["--no-prekey"])
        strangers_show_a_cookie(house, request)
        replays_are_not_opened(house, request)
        a_source_has_its_share(house)
    finish()


main()
