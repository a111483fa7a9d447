#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Wall clocks that are set forth and back around what must outlive them
(threat A45): used tickets stay used, whatever the clock was when the responder
began again; waiting is measured by the clock that never goes back. What a
jump does to open sessions and to requests is in tests/sh/clocks.py.
"""
import os
import socket
import time

from faults import *  # noqa: F403

CLOCK = os.path.join(BUILD, "tests", "clock.so")
HOUR, DAY = 3600, 86400
DATA = b"hello\n"


class Clock:
    """The wall clock of one process; the monotonic one stays right."""

    def __init__(self, name):
        self.path = os.path.abspath(name)
        self.jump(0)
        self.env = {"LD_PRELOAD": CLOCK + ":" + QUICK,
                    "HANDFAST_CLOCK": self.path}

    def jump(self, seconds):
        with open(self.path + ".new", "w") as f:
            f.write("%d\n" % seconds)
        os.rename(self.path + ".new", self.path)


def used(house):
    """A ticket of an hour is used; then the responder begins again with its
    clock elsewhere, and once more with a right one."""
    for name, path in (("forth-and-back", [2 * DAY, 0]),
                       ("forth-twice-and-back", [2 * DAY, 9 * DAY, 0]),
                       ("back-and-right", [-2 * DAY, 0]),
                       ("right", [0])):
        ticket = house.ticket(name, "--single-use", "--ttl", "1h")
        other = house.ticket("other-" + name, "--single-use", "--ttl", "8h")
        wrong = []
        clock = Clock("there-" + name)
        options = ("--ring", "ring", "--used-tickets", "used-" + name)
        r = house.respond(name, *options, env=clock.env)
        got = house.initiate(r.address, *house.to, "--ticket", ticket)
        if got.code != 0:
            wrong.append("at first: %r" % got)
        if r.stop() != 0:
            wrong.append("the responder does not end well")
        for off in path:
            clock.jump(off)
            r = house.respond(name, *options, env=clock.env)
            got = house.initiate(r.address, *house.to, "--ticket", ticket)
            if got.code == 0 or got.out:
                wrong.append("with %+d s: %r" % (off, got))
            if off == 0:
                last = house.initiate(r.address, *house.to, "--ticket", other)
                if last.code != 0:
                    wrong.append("another ticket: %r" % last)
            r.stop()
        case("used-tickets/" + name, wrong)


def waiting(house):
    """The handshake's deadline, with a peer that says nothing."""
    for off in (30 * DAY, -30 * DAY):
        clock = Clock("here")
        silent = socket.create_server(("127.0.0.1", 0))
        p = subprocess.Popen(
            [PROGRAM, "initiate", "--connect", "127.0.0.1:%d" %
             silent.getsockname()[1], *house.certified, "--deadline", "2s"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, **clock.env))
        peer = silent.accept()[0]
        began = time.time()
        peer.recv(1)
        clock.jump(off)
        out, err = p.communicate(timeout=30)
        took = time.time() - began
        wrong = []
        if p.returncode != 3 or out or b"(HF_E_DEADLINE)" not in err:
            wrong.append("exit %s: %s" % (p.returncode, err))
        if not 1.5 < took < 6:
            wrong.append("after %.1f s" % took)
        case("deadline/%+d-days" % (off // DAY), wrong)
        peer.close()
        silent.close()


def idling(house):
    """--idle, with a wall clock that jumps meanwhile."""
    for off in (20 * HOUR, -30 * DAY):
        clock = Clock("there-idle")
        r = house.respond("idle", "--idle", "2s", env=clock.env)
        p = subprocess.Popen(
            [PROGRAM, "initiate", "--connect", r.address, *house.certified],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0)
        p.stdin.write(DATA)
        wrong = [] if p.stdout.readline() == DATA else ["no session"]
        began = time.time()
        clock.jump(off)
        rest = p.stdout.read()
        took = time.time() - began
        p.stdin.close()
        if p.wait(30) != 3 or rest:  # its input had not ended
            wrong.append("exit %s" % p.returncode)
        if not 1.2 < took < 8:
            wrong.append("after %.1f s" % took)
        if r.stop() != 0:
            wrong.append("the responder does not end well")
        case("idle/%+d-hours" % (off // HOUR), wrong)


def own_files(house):
    """What is refused for its time is taken when the clock is right again."""
    r = house.respond("own", "--ring", "ring")
    clock = Clock("here-own")
    for name, token in (("certificate", house.certified),
                        ("ticket", house.ticketed)):
        codes = []
        for off in (0, 500 * DAY, 0):
            clock.jump(off)
            codes.append(house.initiate(r.address, *token, data=DATA,
                                        env=clock.env).code)
        case("own-files/" + name, [] if codes == [0, 7, 0] else
             ["exit %s" % codes])
    r.stop()


def main():
    need_shim()
    if not os.path.exists(CLOCK):
        skip("there is no " + CLOCK)
    with House() as house:
        now = int(time.time())
        for name, usage in (("server", "responder"), ("alice", "initiator")):
            os.unlink(name + ".cert")
            house.certificate(name, usage, "--realm", "example",
                              "--not-before", str(now - 90 * DAY),
                              "--not-after", str(now + 90 * DAY))
        used(house)
        waiting(house)
        idling(house)
        own_files(house)
    finish()


if __name__ == "__main__":
    main()
