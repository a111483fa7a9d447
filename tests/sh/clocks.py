#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Wall clocks that jump while the program runs (threat A45): open sessions go
on, deadlines and limits do not notice, a session ends where its lifetime
does, and what is refused for its time is refused until the clock is right.
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



class Session:
    """An initiator with an open session, a line at a time."""

    def __init__(self, responder, options, env):
        self.p = subprocess.Popen(
            [PROGRAM, "initiate", "--connect", responder.address, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0, env=dict(os.environ, **env))

    def says(self, line):
        try:
            self.p.stdin.write(line)
            return self.p.stdout.readline()
        except BrokenPipeError:
            return b""

    def ends(self):
        out, err = self.p.communicate(timeout=30)
        return self.p.returncode, err.decode()


def jumps_in_a_session(house):
    r = house.respond("session", env=clock("there"))
    s = Session(r, house.certified, clock("here"))
    same("session: begins", b"one\n", s.says(b"one\n"))
    for who in ("there", "here"):
        for off in (HOUR, -HOUR, -30 * DAY, 0):
            jump(who, off)
            word = b"%d\n" % off
            same("session: goes on with %d s %s" % (off, who), word,
                 s.says(word))
    same("session: ends well", (0, ""), s.ends())
    check("session: there, too", "result=ok" in r.session())
    # Its lifetime is of a day, by the clock of either end.
    for who, code in (("there", 3), ("here", 7)):
        s = Session(r, house.certified, clock("here"))
        same("lifetime %s: begins" % who, b"one\n", s.says(b"one\n"))
        jump(who, 2 * DAY)
        s.says(b"two\n")
        got, err = s.ends()
        check("lifetime %s: over" % who, got in (3, 4, 7) and
              (who == "there" or "(HF_E_EXPIRED)" in err), (got, err))
        line = r.session()
        check("lifetime %s: in the log" % who, "result=ok" not in line and
              (who == "here" or field(line, "error") == "HF_E_EXPIRED"), line)
        jump(who, 0)
    same("session: it stops", 0, r.stop())


def jumps_in_a_handshake(house):
    """A connection that says half a message has three seconds."""
    r = house.respond("handshake", env=clock("there"))
    for off in (30 * DAY, -30 * DAY):
        jump("there", 0)
        s = socket.create_connection((r.host, r.port), timeout=20)
        s.sendall(b"\x86")
        time.sleep(0.3)
        begun = time.time()
        jump("there", off)
        # Somebody else makes it look at its clocks.
        other = socket.create_connection((r.host, r.port))
        other.sendall(b"GET /")
        try:
            while s.recv(100):
                pass
        except ConnectionResetError:
            pass
        took = time.time() - begun
        other.close()
        s.close()
        check("handshake: a jump of %d s changes no deadline: %.1f s" %
              (off, took), 1.5 < took < 8, took)
    same("handshake: it stops", 0, r.stop())


def jumps_and_requests(house):
    """Refused while the clocks differ, as soon as they do; a limit is not
    over because a clock says so; nothing is taken twice afterwards."""
    house.write("wrong", "no such horse\n")
    wrong = [("wrong" if x == "password" else x) for x in house.user]
    there, here = clock("there"), clock("here")
    r = house.respond("requests", "--users", "users", "--max-failures", "2",
                      env=there)
    relay = Relay()
    first = relay.run(r, house.certified + house.known, env=here)
    same("requests: the first", (0, "ok"),
         (first.code, field(r.session(), "result")))
    for off in (HOUR, -HOUR, 0):
        jump("there", off)
        got = house.initiate(r.address, *house.certified, *house.known,
                             env=here)
        same("requests: with %d s there" % off, 4 if off else 0, got.code)
        same("requests: with %d s there: why" % off,
             "HF_E_TIME" if off else None, field(r.session(), "error"))
        if off == HOUR:
            same("requests: with %d s at both" % off, 0, both(
                house, r, off, house.certified + house.known, here))
    replay(r, first, "HF_E_REPLAY")
    jump("there", 300)
    replay(r, first, "HF_E_TIME")
    jump("there", 0)
    replay(r, first, "HF_E_REPLAY")
    for i in range(2):
        house.initiate(r.address, *wrong, env=here)
        same("limit: counted", "HF_E_PASSWORD", field(r.session(), "error"))
    for off in (0, HOUR):
        same("limit: with %d s at both" % off, 4,
             both(house, r, off, house.user, here))
        same("limit: with %d s at both: why" % off, "HF_E_LIMITED",
             field(r.last, "error"))
    relay.close()
    same("requests: it stops", 0, r.stop())


def both(house, r, off, token, env):
    """One session with both clocks off alike: its exit code."""
    jump("there", off)
    jump("here", off)
    got = house.initiate(r.address, *token, env=env)
    r.last = r.session()
    jump("here", 0)
    return got.code


def replay(r, recorded, error):
    """All that an initiator once said, again."""
    s = socket.create_connection((r.host, r.port), timeout=15)
    s.sendall(b"".join(recorded.sent(UP)))
    try:
        while s.recv(65536):
            pass
    except ConnectionResetError:
        pass
    s.close()
    line = r.session()
    check("replayed: %s, nothing released" % error,
          field(line, "error") == error and "bytes_in=0" in line, line)


def main():
    if not os.path.exists(CLOCK):
        skip("there is no " + CLOCK)
    with House() as house:
        now = int(time.time())
        for name, usage in (("server", "responder"), ("alice", "initiator")):
            os.unlink(name + ".cert")
            house.certificate(name, usage, "--realm", "example",
                              "--not-before", str(now - 90 * DAY),
                              "--not-after", str(now + 90 * DAY))
        for part in (jumps_in_a_session, jumps_in_a_handshake,
                     jumps_and_requests):
            part(house)
    finish()


main()
