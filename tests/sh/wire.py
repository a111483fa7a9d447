#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program against whoever sits on the wire.

A relay stands between `initiate` and `respond --echo`. It records: nothing
that is to be secret passes in clear, with any token. It flips a bit of every
byte: refused within the deadline, nothing wrong reaches standard output. It
cuts the stream at every byte: said as such. It passes single bytes: nothing
changes. It reorders, drops, repeats and swaps records: refused.
"""
import base64
import collections
import concurrent.futures
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import *  # noqa: E402,F403
import session  # noqa: E402

# Every byte, unless this is slow: then every STRIDE-th, from a random one.
STRIDE = int(os.environ.get("HANDFAST_STRIDE") or (7 if SAN else 1))
START = os.getpid() % STRIDE
THREADS = 6
LINES = [b"one\n", b"two, longer\n", b"three\n"]
# What may have reached standard output when it ended early.
PREFIXES = [b"".join(LINES[:n]) for n in range(len(LINES) + 1)]
DEADLINE = ["--deadline", "1s"]
SLOW = 15 if SAN else 8  # seconds for the deadline and a busy machine
NAME, USER = "alice.Vb3wq81xTz", "bob.kq7zh52vmx"
SUBJECT, PASSWORD = "carol.Xr52pLq9Wd", "correct horse 9Qz4-Wm2k"

local = threading.local()
relays = []
pool = concurrent.futures.ThreadPoolExecutor(THREADS)


def relay():
    if not hasattr(local, "relay"):
        local.relay = Relay()
        relays.append(local.relay)
    return local.relay


def run(*args, **more):
    return relay().run(*args, **more)


# What passes in clear ------------------------------------------------------

def windows(secret, size=12):
    """Every part of some bytes: none of it may pass."""
    return {"from byte %d" % i: secret[i:i + size]
            for i in range(len(secret) - size + 1)}


def in_clear(streams, needles):
    return [(what, form) for what, found in needles.items()
            for form, bytes_ in found.items()
            for s in streams if bytes_ in s]


def recorded(house):
    data = b"attack at dawn! " + os.urandom(24).hex().encode()
    texts = {"data": data, "initiator's name": NAME.encode(),
             "user name": USER.encode(), "password": PASSWORD.encode(),
             "ticket's subject": SUBJECT.encode(),
             "half the password": PASSWORD.encode()[:12],
             "half the data": data[20:]}
    needles = {what: forms(text) for what, text in texts.items()}
    needles["verifier"] = windows(bytes.fromhex(
        open("users").read().split("\n")[1].split()[1]))
    needles["identity"] = windows(pem("alice.key")[-32:])
    needles["own certificate"] = windows(pem("alice.cert")[-64:])
    needles["ticket"] = windows(pem("carol.ticket"))

    # The search finds what is there: in every form, at every place.
    for what, text in texts.items():
        lost = []
        for i in range(6):
            hay = b"z" * i + text + b"y"
            for bad in (hay, base64.b64encode(hay), hay.hex().encode(),
                        base64.urlsafe_b64encode(hay),
                        hay.decode().encode("utf-16-le")):
                if not in_clear([bad], {what: needles[what]}):
                    lost.append((i, bad))
        check("the search finds the " + what, not lost, lost)
    check("the search finds what passes, too",
          in_clear([pem("alice.cert")], needles) != [])

    ask = house.write("ask", "#!/bin/sh\nread -r u; read -r p\n"
                      "[ \"$u $p\" = '%s %s' ]\n" % (USER, PASSWORD), 0o700)
    both = house.respond("clear", "--users", "users", "--ring", "ring",
                         "--issue-tickets", "1h")
    plain = house.respond("plain", "--password-command",
                          os.path.join(house.dir, ask))
    got = ["--ticket-out", "got.ticket"]
    for who, to, token in (
            ("certificate", both, house.certified),
            ("certificate, known", both, house.certified + house.known),
            ("password", both, house.user + got),
            ("password, known", both, house.user + house.known),
            ("password, no prekey", both,
             house.user + house.known + ["--no-prekey"]),
            ("plain password", plain, house.plain),
            ("ticket", both, house.ticketed),
            ("ticket, known", both, house.ticketed + house.known)):
        r = run(to, token, [data])
        if not check(who + ": works through the relay",
                     r.code == 0 and r.out == data, r):
            continue
        if os.path.exists("got.ticket"):
            needles["given ticket"] = windows(pem("got.ticket"))
            os.unlink("got.ticket")
        streams = [b"".join(r.sent(d)) for d in (UP, DOWN)]
        found = in_clear(streams, needles)
        check("%s: nothing in clear in %d + %d bytes" %
              (who, len(streams[0]), len(streams[1])), not found, found)
        line = to.session()
        same(who + ": the peer is known there",
             True, 'result=ok' in line and any(
                 x in line for x in (NAME, USER, SUBJECT)))
    both.stop()
    plain.stop()


# What is changed on the way ------------------------------------------------

class Flip:
    """Turns one bit of one byte of one direction."""

    def __init__(self, direction, at, bit):
        self.direction, self.at, self.bit = direction, at, bit
        self.kind = None

    def __call__(self, direction, k, offset, message):
        if direction != self.direction or \
                not offset <= self.at < offset + len(message):
            return [message]
        self.kind = kind(message)
        changed = bytearray(message)
        changed[self.at - offset] ^= 1 << self.bit
        return [bytes(changed)]


class Cut:
    """Ends one direction after so many bytes."""

    def __init__(self, direction, at):
        self.direction, self.at, self.kind = direction, at, None

    def __call__(self, direction, k, offset, message):
        if direction != self.direction or \
                not offset <= self.at < offset + len(message):
            return [message]
        self.kind = kind(message)
        part = message[:self.at - offset]
        return ([part] if part else []) + [END]


def plain_run(responder, token):
    """A session without grease, undisturbed: what the others are held to."""
    best = None
    for i in range(12):
        r = run(responder, token, LINES)
        if r.code != 0 or r.out != PREFIXES[-1]:
            fail("undisturbed", r)
            session.finish()
        if best is None or len(b"".join(r.sent(UP))) < len(
                b"".join(best.sent(UP))):
            best = r
    return best


def disturb(make, responder, token, base, judge):
    """One disturbed session; once more where grease had moved the bytes,
    which an initiator sends in all of its messages or in none."""
    met = 0  # connections
    for i in range(8):
        edit = make()
        r = run(responder, token, LINES, edit=edit,
                timeout=60 if SAN else 20)
        met += r.connections
        if edit.kind is None:
            return "the change had no place", r, met
        wrong = judge(edit, r)
        if wrong:
            return "%s: %s" % (edit.kind, wrong), r, met
        if len(r.sent(UP)[0]) == len(base.sent(UP)[0]):
            return None, r, met
    return "grease again and again", r, met


def judge_flip(edit, r):
    if r.code not in (3, 4, 6, 7):
        return "exit code %s" % r.code
    if r.out not in PREFIXES:
        return "wrong output"
    if edit.kind != "record" and r.out != b"":
        return "output from a changed handshake"
    if edit.kind == "record" and edit.direction == DOWN and \
            r.code not in (3, 6):
        return "exit code %s for a record that was judged here" % r.code
    if "(HF_E_" not in r.error:
        return "no error said"
    if r.seconds > SLOW:
        return "%.1f seconds" % r.seconds
    return None


def judge_cut(edit, r):
    if r.code != 3:
        return "exit code %s" % r.code
    if r.out not in PREFIXES:
        return "wrong output"
    if not any(e in r.error for e in ("(HF_E_GONE)", "(HF_E_TRUNCATED)")):
        return "neither gone nor truncated"
    if edit.kind == "record" and "(HF_E_TRUNCATED)" not in r.error:
        return "not truncated"
    if edit.direction == DOWN and edit.kind != "record" and r.out != b"":
        return "output from an unfinished handshake"
    if r.seconds > SLOW:
        return "%.1f seconds" % r.seconds
    return None


def sweep(what, responder, token, makers, judge, base):
    """Runs all of them, a few at a time."""
    begun = time.time()
    codes, errors, kinds = (collections.Counter() for i in range(3))
    wrong, connections = [], 0
    futures = [(m, pool.submit(disturb, m, responder, token, base, judge))
               for m in makers]
    for make, f in futures:
        bad, r, met = f.result()
        connections += met
        codes[r.code] += 1
        errors[r.error.rpartition("(")[2].rstrip(")")] += 1
        if bad:
            e = make()
            wrong.append("%s: byte %d: %s: %r" % (e.direction, e.at, bad, r))
    check("%s: %d connections, exit codes %s, %.1f s" %
          (what, connections, dict(sorted(codes.items())), time.time() - begun),
          not wrong, *wrong[:8])
    print("   ", ", ".join("%s %d" % x for x in errors.most_common()))
    check(what + ": the responder is alive", responder.alive())
    return connections


def flips(direction, length):
    return [lambda at=at: Flip(direction, at, at % 8)
            for at in range(START, length, STRIDE)]


def lines_of(responder, wanted, seconds=20):
    """The session lines of the log, once all are there."""
    end = time.time() + seconds
    while True:
        lines = [x for x in responder.log() if x.startswith("event=session")]
        if len(lines) >= wanted or time.time() > end:
            return lines
        time.sleep(0.05)


def flipped(house):
    """Each direction has a responder of its own: what it logs is told apart.
    The limits on failures are as they are by default: bytes that are merely
    wrong do not count, or the last session here would be refused."""
    for what, token, options in (
            ("certificate", house.certified, ()),
            ("ticket, known certificate", house.ticketed + house.known,
             ("--ring", "ring"))):
        for direction in (UP, DOWN):
            r = house.respond("flip-%s-%s" % (what[:4], direction), *options)
            base = plain_run(r, token)
            length = sum(map(len, base.sent(direction)))
            before = lines_of(r, 12)
            runs = sweep("flips %s, %s, %d bytes" % (direction, what, length),
                         r, token + DEADLINE, flips(direction, length),
                         judge_flip, base)
            lines = lines_of(r, len(before) + runs)[len(before):]
            same("flips %s, %s: a log line each" % (direction, what), runs,
                 len(lines))
            good = [x for x in lines if "result=ok" in x]
            if direction == UP:
                check("flips up, %s: none ended well there" % what,
                      not good, *good[:5])
            after = run(r, token, LINES)
            check("flips %s, %s: serves on" % (direction, what),
                  after.code == 0 and after.out == PREFIXES[-1], after)
            same("flips %s, %s: and stops" % (direction, what), 0, r.stop())


def masked(house):
    """The last bit of an X25519 key has no influence on the secret: it must
    count all the same. And the cookie, which is opaque to its bearer."""
    r = house.respond("masked", "--busy", "0", "--ring", "ring")
    for what, token in (("certificate", house.certified),
                        ("ticket", house.ticketed + house.known)):
        base = plain_run(r, token + DEADLINE)
        for direction, name, field_ in ((UP, "request", 6),
                                        (DOWN, "grant", 2),
                                        (DOWN, "offer", 4)):
            at = None
            for d, k, message in positions(base):
                if d == direction and kind(message) == name:
                    begin, end = items(message)[field_]
                    at = k + end - 1
            if at is None:
                continue
            for bit in range(8):
                bad, got, met = disturb(
                    lambda: Flip(direction, at, bit), r, token + DEADLINE,
                    base, judge_flip)
                check("%s: bit %d of the last byte of the %s's key" %
                      (what, bit, name), not bad, bad, got)
        retry = [m for m in base.sent(DOWN) if kind(m) == "retry"]
        same(what + ": a cookie was asked for", 1, len(retry))
        makers = [lambda at=at, bit=bit: Flip(DOWN, at, bit)
                  for at in range(len(retry[0])) for bit in (at % 8, 7)]
        sweep("flips of the cookie, " + what, r, token + DEADLINE, makers,
              judge_flip, base)
    r.stop()


def fallback(house):
    """Whoever spoils the key id once makes the initiator ask for the
    certificate, and gains nothing: it is verified as ever."""
    r = house.respond("fallback")
    seen = []

    def edit(direction, k, offset, message):
        if direction == UP and not seen:
            seen.append(message)
            begin, end = items(message)[3]
            return [message[:end - 1] + bytes([message[end - 1] ^ 1]) +
                    message[end:]]
        return [message]
    got = run(r, house.certified + house.known, LINES, edit=edit)
    check("a spoilt key id: asked for the certificate, once",
          got.code == 0 and got.out == PREFIXES[-1] and
          got.connections == 2 and len(got.lines) == 1 and
          got.first.startswith("handfast: warning: "), got)
    lines = lines_of(r, 2)
    check("a spoilt key id: in the log",
          field(lines[0], "error") == "HF_E_UNKNOWN_KEY" and
          "result=ok" in lines[1], lines)
    r.stop()


def positions(result):
    at = {UP: 0, DOWN: 0}
    for d, m in result.messages:
        yield d, at[d], m
        at[d] += len(m)


def truncated(house):
    for direction in (UP, DOWN):
        r = house.respond("cut-" + direction)
        base = plain_run(r, house.certified)
        length = sum(map(len, base.sent(direction)))
        sweep("cuts %s, %d bytes" % (direction, length), r,
              house.certified + DEADLINE,
              [lambda at=at: Cut(direction, at)
               for at in range(START, length, STRIDE)], judge_cut, base)
        after = run(r, house.certified, LINES)
        check("cuts %s: serves on" % direction,
              after.code == 0 and after.out == PREFIXES[-1], after)
        r.stop()


def one_by_one(house):
    def edit(direction, k, offset, message):
        return [message[i:i + 1] for i in range(len(message))]
    r = house.respond("bytes", "--users", "users", "--ring", "ring")
    jobs = [(who, pool.submit(run, r, token, LINES, edit=edit, gap=0.0003))
            for who, token in (("certificate", house.certified),
                               ("certificate, known",
                                house.certified + house.known),
                               ("password", house.user),
                               ("ticket", house.ticketed))]
    for who, job in jobs:
        got = job.result()
        check("byte by byte: " + who,
              got.code == 0 and got.out == PREFIXES[-1] and got.err == "",
              got)
    r.stop()


# Records in other places ---------------------------------------------------

class Records:
    """Treats the records of one direction; counts them from 0."""

    def __init__(self, direction, treat):
        self.direction, self.treat, self.n, self.kept = direction, treat, 0, {}

    def __call__(self, direction, k, offset, message):
        if direction != self.direction or kind(message) != "record":
            if direction != self.direction and kind(message) == "record":
                self.kept.setdefault("other", message)
            return [message]
        n, self.n = self.n, self.n + 1
        self.kept[n] = message
        return self.treat(n, message, self.kept)


def rearranged(house):
    """Four records each way: three lines and the close."""
    r = house.respond("records")
    # Another session of the same two, to take records from.
    other = run(r, house.certified, LINES)
    theirs = {d: [m for m in other.sent(d) if kind(m) == "record"]
              for d in (UP, DOWN)}

    def swap(a, b):
        return lambda n, m, kept: [] if n == a else \
            [m, kept[a]] if n == b else [m]

    def drop(which):
        return lambda n, m, kept: [] if n == which else [m]

    def double(which):
        return lambda n, m, kept: [m, m] if n == which else [m]

    def again(which, at):
        return lambda n, m, kept: [kept[which], m] if n == at else [m]

    def instead(at, message):
        return lambda n, m, kept: [message] if n == at else [m]

    for direction in (UP, DOWN):
        here = direction == DOWN
        cases = [("records %d and %d swapped" % (a, b), swap(a, b), a)
                 for a, b in ((0, 1), (1, 2), (2, 3), (0, 2))]
        cases += [("record %d dropped" % n, drop(n), n) for n in range(4)]
        cases += [("record %d twice" % n, double(n), n + 1)
                  for n in range(4)]
        cases += [("record %d again before %d" % (a, b), again(a, b), b)
                  for a, b in ((0, 2), (1, 3))]
        cases += [("record %d of another session" % n,
                   instead(n, theirs[direction][n]), n) for n in range(4)]
        cases += [("an empty record before %d" % n,
                   lambda k, m, kept, n=n: [b"\x82\x10\x51" + bytes(17), m]
                   if k == n else [m], n) for n in range(4)]
        cases += [("an alert in clear before %d" % n,
                   lambda k, m, kept, n=n: [b"\x82\x08\x01", m]
                   if k == n else [m], n) for n in (0, 3)]
        cases += [("the handshake's confirm before %d" % n,
                   lambda k, m, kept, n=n: [b"\x82\x05\x50" + bytes(16), m]
                   if k == n else [m], n) for n in (0, 3)]
        if here:
            cases += [("a record of the other direction as %d" % n,
                       lambda k, m, kept, n=n: [kept["other"]]
                       if k == n else [m], n) for n in range(4)]
        jobs = [(what, most, pool.submit(
            run, r, house.certified, LINES, edit=Records(direction, treat)))
            for what, treat, most in cases]
        for what, most, job in jobs:
            got = job.result()
            codes = (3, 6) if here else (3, 4)
            # What follows the last close of a session is read by nobody.
            if "3 twice" in what:
                codes += (0,)
            check("%s, %s" % (direction, what),
                  got.code in codes and got.out in PREFIXES[:most + 1] and
                  got.seconds < SLOW, got)
    got = run(r, house.certified, LINES)
    check("records: serves on", got.code == 0 and got.out == PREFIXES[-1],
          got)
    r.stop()


def replayed(house):
    """All that an initiator said, said again by somebody else."""
    import socket
    r = house.respond("replay")
    for what, token, error in (
            ("certificate", house.certified, "HF_E_BOX"),
            ("known certificate", house.certified + house.known,
             "HF_E_REPLAY")):
        first = run(r, token, LINES)
        same("replay, %s: the first" % what, 0, first.code)
        r.session()
        r.skip()
        s = socket.create_connection((r.host, r.port), timeout=15)
        s.sendall(b"".join(first.sent(UP)))
        got = b""
        try:
            while True:
                part = s.recv(65536)
                if not part:
                    break
                got += part
        except OSError:
            pass
        s.close()
        line = r.session()
        check("replay, %s: refused, nothing released" % what,
              "result=refused" in line and "bytes_in=0" in line and
              "name=" not in line, line)
        echo = b"".join(m for m in first.sent(DOWN) if kind(m) == "record")
        check("replay, %s: only an alert" % what,
              got.endswith(b"\x82\x08\x01") and echo not in got, got)
        same("replay, %s: why" % what, error, field(line, "error"))
    r.stop()


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "..", ".."))
    with House(NAME, USER, PASSWORD, SUBJECT) as house:
        if STRIDE > 1:
            note("every %dth byte, from %d" % (STRIDE, START))
        for part in (recorded, flipped, masked, fallback, truncated, one_by_one,
                     rearranged, replayed):
            begun = time.time()
            part(house)
            print("--- %s: %.1f s" % (part.__name__, time.time() - begun))
        for x in relays:
            x.close()
    finish()


main()
