#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Sockets and streams in the smallest pieces (threat B15): both programs get
and put one byte at a time, and before each byte they are interrupted once and
told once that nothing is there. The result is the same as ever.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import *  # noqa: E402,F403

PIECES = os.path.join(BUILD, "tests", "pieces.so")
DATA = bytes(range(256)) * 2 + b"\nthe end\n"


def env(report):
    """Of a process that counts into that file."""
    return preload(PIECES, HANDFAST_PIECES=os.path.abspath(report))


def counts(what, report, least_read, least_written):
    """As often as there were bytes it was interrupted and turned away."""
    found = {k: int(n) for k, n in (x.split() for x in open(report))}
    moved = found["read"] + found["written"]
    check("%s: %s" % (what, found),
          found["read"] >= least_read and found["written"] >= least_written
          and found["interrupted"] >= moved and
          found["blocked"] >= moved // 2, found)
    os.unlink(report)


def every_byte(house):
    """Every token and path: what is said comes back whole."""
    r = house.respond("pieces", "--users", "users", "--ring", "ring",
                      env=env("there"))
    whole = 0
    for what, token in (
            ("certificate", house.certified),
            ("certificate, known", house.certified + house.known),
            ("password", house.user),
            ("ticket", house.ticketed),
            ("ticket, known", house.ticketed + house.known)):
        got = house.initiate(r.address, *token, "--deadline", "60s",
                             data=DATA, env=env("here"))
        same("every byte: " + what, (0, DATA, ""),
             (got.code, got.out, got.err))
        # Its input, and at least as much in records both ways.
        counts("every byte, " + what, "here", 2 * len(DATA), 2 * len(DATA))
        line = r.session()
        same("every byte, %s: there" % what,
             ("ok", str(len(DATA)), str(len(DATA))),
             (field(line, "result"), field(line, "bytes_in"),
              field(line, "bytes_out")))
        whole += len(DATA)
    same("every byte: it stops", 0, r.stop())
    counts("every byte, the responder", "there", whole, whole)


def every_byte_refused(house):
    """A refusal, too, comes through: its alert is read, and its reason is
    the usual one."""
    house.write("wrong", "no such horse\n")
    r = house.respond("refuses", "--users", "users", env=env("there"))
    token = [("wrong" if x == "password" else x) for x in house.user]
    got = house.initiate(r.address, *token, env=env("here"))
    same("refused: exit code and output", (4, b""), (got.code, got.out))
    check("refused: said so", "(HF_E_REFUSED)" in got.first, got)
    same("refused: there", "HF_E_PASSWORD", field(r.session(), "error"))
    same("refused: it stops", 0, r.stop())
    counts("refused, the initiator", "here", 3, 100)


def main():
    if not os.path.exists(PIECES):
        skip("there is no " + PIECES)
    with House() as house:
        every_byte(house)
        every_byte_refused(house)
    finish()


main()
