#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# alone: it compares times
"""Nobody learns which users there are: an unknown user and a wrong password
look the same on the wire, at the initiator and in the shape of the log; so
they do over the limit on failures; and the responder takes the same time.

The time is measured at a relay, from the request to the alert. The clients'
Argon2id, which says nothing of the responder, is taken away for that, so that
many can be asked.
"""
import os
import random
import re
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import *  # noqa: E402,F403

QUICK = os.path.join(BUILD, "tests", "quick.so")
KNOWN, UNKNOWN = "u0377", "nobody.else"
USERS = 700
# The two medians may differ by this part, and by what a clock and a kernel
# with something else to do are good for.
PART, FLOOR = 0.10, 20e-6
TRIES = 3


def users(house):
    """Many users, so that finding one is work."""
    head = open("users").readline()
    names = sorted(["bob"] + ["u%04d" % i for i in range(USERS)])
    house.write("users", head + "".join(
        "%s %s\n" % (n, os.urandom(32).hex()) for n in names))


def asks(house, name, *more):
    return house.to + ["--user", name, "--passphrase-file", "password",
                       *more]


def usual(relay, responder, options):
    """A session without grease, which comes and goes by chance."""
    while True:
        r = relay.run(responder, options)
        if len(r.sent(UP)[0]) < 16:
            return r
        responder.session()


def clear(result):
    """Direction, name and length of all messages; the bytes of those that
    are not sealed and not random."""
    return [(d, kind(m), len(m), m if kind(m) == "alert" else None)
            for d, m in result.messages]


def shape(line):
    """A log line without what must differ."""
    return re.sub(r"\b(name|subject|from|ms|sid)=\S+", r"\1=", line)


def alike(what, house, relay, responder, *more):
    """One of each: what can be seen of them is the same."""
    seen = []
    for name in (KNOWN, UNKNOWN):
        r = usual(relay, responder, asks(house, name, *more))
        line = responder.session()
        same("%s: %s in the log" % (what, name), name, field(line, "name"))
        seen.append((r, line))
    (a, log_a), (b, log_b) = seen
    same(what + ": refused", (4, b""), (a.code, a.out))
    same(what + ": the same exit code and output", (a.code, a.out),
         (b.code, b.out))
    same(what + ": the same words", a.err, b.err)
    same(what + ": the same messages", clear(a), clear(b))
    for d in (UP, DOWN):
        same("%s: the same stream %s" % (what, d), stream(a, d),
             stream(b, d))
    same(what + ": the alert is the last, and says nothing",
         (DOWN, "alert", 3, b"\x82\x08\x01"), clear(a)[-1])
    same(what + ": the same log line but for who and when", shape(log_a),
         shape(log_b))
    return field(log_a, "error")


def timed(house, relay, responder, n, env):
    """Medians and spreads of n of each, in a random order."""
    times = {KNOWN: [], UNKNOWN: []}
    order = [KNOWN, UNKNOWN] * n
    random.shuffle(order)
    for name in order:
        r = relay.run(responder, asks(house, name), env=env)
        if r.code != 4:
            fail("refused", r)
            return None
        times[name].append(latency(r))
    return {name: (statistics.median(t),
                   statistics.quantiles(t, n=4)[2] -
                   statistics.quantiles(t, n=4)[0])
            for name, t in times.items()}


def compare_times(house, relay, responder):
    if os.path.exists(QUICK):
        env = preload(QUICK)
        n = 60 if SAN else 500
    else:
        env, n = None, 60
    for i in range(TRIES):
        figures = timed(house, relay, responder, n, env)
        if figures is None:
            return
        (a, spread_a), (b, spread_b) = figures[KNOWN], figures[UNKNOWN]
        good = abs(a - b) <= PART * min(a, b) + FLOOR
        note("from request to alert, medians of %d: wrong password %.1f us "
             "(quartiles %.1f apart), unknown user %.1f us (%.1f), "
             "difference %+.1f %%" % (n, a * 1e6, spread_a * 1e6, b * 1e6,
                                      spread_b * 1e6, 100 * (b - a) / a))
        if good:
            break
    check("the same time, within %d %% and %d us" %
          (100 * PART, FLOOR * 1e6), good, figures)


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "..", ".."))
    with House() as house:
        users(house)
        relay = Relay()
        responder = house.respond("all", "--users", "users",
                                  "--max-failures", "1000000",
                                  "--max-source-failures", "1000000",
                                  "--max-unopened", "1000000")
        same("refused for", "HF_E_PASSWORD",
             alike("asked", house, relay, responder))
        compare_times(house, relay, responder)
        responder.stop()

        # Unknown users have a limit as well.
        few = house.respond("few", "--users", "users", "--max-failures", "1")
        for name in (KNOWN, UNKNOWN):
            relay.run(few, asks(house, name))
            same("the first of %s" % name, "HF_E_PASSWORD",
                 field(few.session(), "error"))
        same("refused for", "HF_E_LIMITED",
             alike("over the limit", house, relay, few))
        few.stop()

        # And with another judge than the users file.
        ask = house.write("ask", "#!/bin/sh\nread -r user; read -r password\n"
                          "case $user in u0377) exit 1;; *) exit 3;; esac\n",
                          0o700)
        other = house.respond("command", "--password-command",
                              os.path.join(house.dir, ask))
        same("refused for", "HF_E_PASSWORD",
             alike("a command", house, relay, other, "--plain-password"))
        other.stop()
        relay.close()
    finish()


main()
