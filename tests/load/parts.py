# SPDX-License-Identifier: ISC
"""A real responder under load and abuse, in parts: each takes a house and how
much there shall be of everything, asserts what must hold, prints the figures
and returns them. tests/load/load.py runs them in full, tests/sh/load.py a
little of each. Good peers come from 127.0.0.2 to .5, a flood from 127.0.0.77,
crowds of strangers from 250 addresses from 127.0.1.0 on.
"""
import collections
import resource
import socket
import statistics
import time

from session import SAN, check, field, note, same
from crowds import (BAD, FLOODER, FRIENDS, GOOD, MANY, Crowd, busy,
                    descriptors, files, rss, served, sessions, sorts, total,
                    until)

TOKENS = ("--users", "users", "--ring", "ring")
SERVED = ["serve:" + x for x in GOOD]
HELD = ["hold:" + x for x in GOOD]
SECOND = 1e6


def good(responder, seconds, rate, **options):
    return Crowd(responder, FRIENDS, *SERVED, sources=4, seconds=seconds,
                 rate=rate, **options)


def nobody_refused(what, result):
    """Every good peer was served, with each kind of token."""
    if not check(what + ": good peers told how it went", result is not None):
        return False
    begun = sorts(result, "begun")
    return check("%s: no good peer refused, %s" % (what, begun),
                 sorts(result, "good") == begun and min(begun.values()) > 0,
                 result)


def latencies(result):
    """Milliseconds from connecting to the echo, by token."""
    return {token: {"p50": p50 / 1000, "p99": p99 / 1000}
            for (token, p50), p99 in zip(sorts(result, "p50_us").items(),
                                         sorts(result, "p99_us").values())}


def shown(figures):
    return ", ".join("%s %.2f and %.2f ms" % (t, f["p50"], f["p99"])
                     for t, f in figures.items())


# --- idle and slow peers --------------------------------------------------------

def closed_at(what, lines, error, least, most):
    """How long the responder heard strangers, by its own log."""
    ms = sorted(int(field(x, "ms")) for x in lines
                if field(x, "error") == error)
    return check("idle, %s: %d closed by the responder after %s to %s ms" %
                 (what, len(ms), ms[0] if ms else "-",
                  ms[-1] if ms else "-"),
                 ms and least <= ms[0] and ms[-1] <= most, ms[:3], ms[-3:])


def most_of(r, seconds):
    """The most descriptors in that time, and the memory then."""
    end, most = time.time() + seconds, (0, 0)
    while time.time() < end:
        most = max(most, (files(r), rss(r)))
        time.sleep(0.1)
    return most


def idle(house, n, seconds, slack, crawl=True):
    """Sessions on which nothing moves, strangers who say nothing and others
    who speak a byte a second, n of each at once; a place that becomes free is
    taken again. Those who crawl after a hello have all of the deadline."""
    n = min(n, (descriptors() - 2000) * 2 // 7)
    r = house.respond("idle", *TOKENS, "--max-sessions", str(n))
    at_rest, empty = served(r)
    open_ones = Crowd(r, FRIENDS, *HELD, sources=200, count=n, at_once=n,
                      rate=400, seconds=seconds + 180, stay=True)
    same("idle: sessions open at once", n, open_ones.event("held", 120))
    with_sessions = rss(r)
    kinds = [("silent", n), ("drip", n // 2), ("crawl", n - n // 2)]
    crowds = [Crowd(r, MANY + 256 * i, kind, sources=250, at_once=k,
                    seconds=seconds, background=True)
              for i, (kind, k) in enumerate(kinds[:3 if crawl else 2])]
    friends = good(r, seconds - 2, 90)
    held, with_all = most_of(r, seconds)
    held -= at_rest + n
    check("idle: %d strangers at once, besides" % held, held > n, held)
    result = friends.end()
    nobody_refused("idle", result)
    ends = [c.end() for c in crowds]
    note("idle: strangers that could not connect: %s" %
         [total(e, "unconnected") for e in ends])
    for i, (kind, first, last) in enumerate((
            ("silent", 2990, 3000), ("drip", 2990, 3000),
            ("crawl", 9990, 10000))[:len(crowds)]):
        lines = [x for x in sessions(r)
                 if field(x, "from").startswith("127.0.%d." % (i + 1))]
        closed_at(kind, lines, "HF_E_DEADLINE", first, last + 1000 * slack)
    open_ones.again()
    same("idle: sessions that answer still", n, open_ones.event("again", 60))
    ended = open_ones.end()
    same("idle: sessions closed in order", n, total(ended, "good"))
    check("idle: all descriptors come back",
          until(lambda: files(r) <= at_rest, 20), files(r), at_rest)
    figures = {"sessions": n, "strangers": held,
               "kib_a_session": (with_sessions - empty) / n,
               "kib_a_stranger": (with_all - with_sessions) / max(1, held),
               "good_ms": latencies(result)}
    note("idle: %.1f KiB a silent session, %.1f KiB a stranger" %
         (figures["kib_a_session"], figures["kib_a_stranger"]))
    note("idle: good peers meanwhile, p50 and p99: " +
         shown(figures["good_ms"]))
    if not SAN:
        check("idle: memory of each bounded",
              max(figures["kib_a_session"], figures["kib_a_stranger"]) < 24,
              figures)
    same("idle: it stops", 0, r.stop())
    return figures


def oversized(house, n):
    """First frames that claim more than a message may have, and the largest
    that may be: no more is kept than was sent, and not that for long."""
    r = house.respond("oversized", "--max-pending", "60000")
    at_rest, before = served(r)
    heads = {"a string of 2^31": b"\x8a\x03\x01\x01\x5a\x80\0\0\0",
             "a string of 2^63": b"\x8a\x03\x01\x01\x5b\x80" + bytes(7),
             "an array of 2^32": b"\x8a\x03\x01\x9a\xff\xff\xff\xff",
             "16,385 bytes": b"\x8a\x03\x01\x59\x40\0"}
    for what, head in heads.items():
        r.skip()
        s = socket.create_connection((r.host, r.port), timeout=10)
        s.sendall(head)
        heard = b""
        while part := s.recv(100):
            heard += part
        s.close()
        same("oversized, %s: the alert" % what, b"\x82\x08\x01", heard)
        same("oversized, %s: the error" % what, "HF_E_TOO_BIG",
             field(r.session(), "error"))
    # As much as may be, and one byte is missing.
    most = b"\x8a\x03\x01\x59\x3f\xf0" + bytes(16369)
    held = []
    for i in range(n):
        held.append(socket.create_connection(
            (r.host, r.port), timeout=10,
            source_address=("127.0.1.%d" % (i % 250), 0)))
        held[-1].sendall(most)
    until(lambda: files(r) >= at_rest + n)
    time.sleep(0.2)
    each = (rss(r) - before) / n
    note("oversized: %.1f KiB for a message of 16,375 bytes" % each)
    if not SAN:
        check("oversized: one message is kept, at most", each < 64, each)
    check("oversized: and not for long",
          until(lambda: files(r) <= at_rest, 20))
    for s in held:
        s.close()
    same("oversized: it stops", 0, r.stop())
    return {"kib_a_largest_message": each}


# --- a flood --------------------------------------------------------------------

FLOOD = ["bare:" + x for x in BAD] + ["hello", "box", "garbage", "touch"]
REFUSED = {"HF_E_PASSWORD", "HF_E_TICKET", "HF_E_SIGNATURE", "HF_E_BOX",
           "HF_E_SHAPE", "HF_E_GONE"}


def flood_round(r, seconds, rate, at_once, judge):
    """Good peers while one address floods."""
    flood = Crowd(r, FLOODER, *FLOOD, seconds=seconds + 30, rate=rate,
                  at_once=at_once, background=judge, stay=True)
    flood.event("ready")
    result = good(r, seconds, 300).end()
    return result, flood.end()


def flood_trial(house, number, rounds, *how):
    """Rounds in quiet and under the flood, in turns: the median of the p99 of
    each, by token, and how many times one is the other."""
    r = house.respond("flood%d" % number, *TOKENS)
    served(r)
    seconds = how[0]
    quiet, flooded, rates = [], [], []
    made, begun = 0, time.time()
    for _ in range(rounds):
        result = good(r, seconds, 300).end()
        nobody_refused("flood %d, quiet" % number, result)
        quiet.append(latencies(result))
        made += total(result, "begun")
        result, flood = flood_round(r, *how)
        nobody_refused("flood %d, under it" % number, result)
        flooded.append(latencies(result))
        made += total(result, "begun")
        rates.append(total(flood, "begun") / flood["seconds"])
    errors = collections.Counter(field(x, "error")
                                 for x in sessions(r, "127.0.0.77"))
    check("flood %d: every kind of it was judged, %s" %
          (number, dict(errors)), REFUSED <= set(errors), errors)
    check("flood %d: nobody of it got in" % number, None not in errors,
          errors)
    # One begins every 2 ms, of those that wait in line; and no more lines.
    check("flood %d: %d of it were judged" % (number, sum(errors.values())),
          sum(errors.values()) <= 1000 + 500 * (time.time() - begun), errors)
    unheard = [int(field(x, "connections")) for x in r.log()
               if x.startswith("event=turned-away ")]
    check("flood %d: %d were closed unheard" % (number, sum(unheard)),
          len(unheard) <= time.time() - begun + 1, unheard)
    lines = len([x for x in sessions(r) if field(x, "result") == "ok"])
    same("flood %d: every good session in the log" % number, made + 30,
         lines)
    same("flood %d: it stops" % number, 0, r.stop())
    figures = {}
    for token in quiet[0]:
        q = statistics.median(x[token]["p99"] for x in quiet)
        f = statistics.median(x[token]["p99"] for x in flooded)
        figures[token] = {"quiet_ms": q, "flood_ms": f, "ratio": f / q}
    return figures, statistics.median(rates)


def flood(house, trials, rounds, seconds, rate, at_once, judge):
    """Bad tokens, bare handshakes and garbage from one address: those who
    come from others are served, and as fast as before."""
    found = []
    for number in range(1, trials + 1):
        figures, reached = flood_trial(house, number, rounds, seconds, rate,
                                       at_once, judge)
        note("flood %d: %d connections a second; p99 quiet and under it: %s" %
             (number, reached, ", ".join(
                 "%s %.2f and %.2f ms (%.2f times)" %
                 (t, f["quiet_ms"], f["flood_ms"], f["ratio"])
                 for t, f in figures.items())))
        found.append({"rate": reached, "p99": figures, "worst": max(
            f["ratio"] for f in figures.values())})
    if judge:
        # A trial in which this machine had no time for a flood tells nothing.
        told = [x["worst"] for x in found if x["rate"] > rate / 2]
        check("flood: p99 of all within twice the quiet one, best of %d: %s"
              % (trials, ["%.2f" % x for x in told]),
              told and min(told) <= 2, found)
    return found


# --- descriptors ----------------------------------------------------------------

def starved(what, r, n, squeeze, relieve):
    """The responder has no descriptor left: who is in goes on, who knocks
    waits, and nothing spins; then there are some again."""
    inside = Crowd(r, FRIENDS, *HELD, sources=4, count=n, at_once=n,
                   stay=True)
    same(what + ": sessions", n, inside.event("held"))
    squeeze()
    waiting = Crowd(r, FRIENDS, *HELD, sources=4, count=n + 5, at_once=n + 5,
                    stay=True)
    time.sleep(0.5)
    part = busy(r)
    check("%s: %.1f %% of a processor while others wait" %
          (what, 100 * part), part < 0.05, part)
    inside.again()
    same(what + ": sessions go on", n, inside.event("again"))
    relieve(inside)
    same(what + ": who waited is served", n + 5, waiting.event("held", 40))
    waiting.again()
    same(what + ": and goes on", n + 5, waiting.event("again"))
    for crowd, k in ((waiting, n + 5), (inside, n)):
        same("%s: %d close in order" % (what, k), k,
             total(crowd.end(), "good"))
    return part


def limit(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def exhausted(house):
    """Few descriptors from the beginning; then a limit that falls below what
    is open, so that accepting itself fails."""
    r = house.respond("few", *TOKENS, "--max-sessions", "64",
                      "--max-pending", "64", preexec_fn=limit(64, 64))
    at_rest, _ = served(r, 6)
    figures = {"few": starved("few descriptors", r, 18, lambda: None,
                              lambda inside: inside.end())}
    check("few descriptors: all come back",
          until(lambda: files(r) <= at_rest), files(r), at_rest)
    same("few descriptors: it stops", 0, r.stop())

    # Several workers compete for the last one.
    r = house.respond("none", *TOKENS, "--workers", "2")
    at_rest, _ = served(r, 6)
    pid, which = r.process.pid, resource.RLIMIT_NOFILE
    usual = resource.prlimit(pid, which)
    figures["none"] = starved(
        "no descriptors", r, 10,
        lambda: resource.prlimit(pid, which, (8, usual[1])),
        lambda inside: resource.prlimit(pid, which, usual))
    check("no descriptors: all come back",
          until(lambda: files(r) <= at_rest), files(r), at_rest)
    nobody_refused("no descriptors, later", good(r, 1, 60).end())
    same("no descriptors: it stops", 0, r.stop())
    return figures


# --- very many -------------------------------------------------------------------

# Nobody guesses the good user's password: from 250 addresses it would be
# shut out.
MIX = SERVED + ["bare:" + x for x in BAD if "bob" not in x] + [
    "hello", "box", "touch", "garbage", "reset", "finish"]


def churn(house, n, kib):
    """Connections of all sorts, good and bad, one after the other and some at
    once: memory and descriptors stay what they were."""
    r = house.respond("churn", *TOKENS)
    served(r)
    # What is remembered on purpose (requests, sources) has its room by then.
    warm = Crowd(r, MANY, *MIX, sources=250, count=n // 5, at_once=100).end()
    settled(r)
    begun, files_before, before = time.time(), files(r), rss(r)
    crowd = Crowd(r, MANY, *MIX, sources=250, count=n - n // 5, at_once=100,
                  seconds=240)
    result = crowd.end()
    took = time.time() - begun
    settled(r)
    after, files_after = rss(r), files(r)
    if not check("churn: it ended", result is not None and warm is not None):
        return {}
    made = total(result, "begun") + total(warm, "begun")
    same("churn: connections", n, made)
    for name in SERVED:
        k = result["kinds"][name]
        same("churn: %s, all served" % name, k["begun"], k["good"])
    same("churn: descriptors before and after", files_before, files_after)
    slope = 1024 * (after - before) / total(result, "begun")
    note("churn: %d connections in %.1f s, %d KiB before, %d KiB after: "
         "%.1f bytes a connection" % (made, took, before, after, slope))
    if not SAN:
        check("churn: memory grows by less than %d KiB" % kib,
              after - before < kib, before, after)
    same("churn: it stops", 0, r.stop())
    log = "\n".join(x for x in r.log() if "event=" not in x)
    check("churn: nothing else in the log",
          "Sanitizer" not in log and "runtime error" not in log, log)
    return {"connections": made, "seconds": took, "kib_before": before,
            "kib_after": after, "bytes_a_connection": slope,
            "files_before": files_before, "files_after": files_after}


def settled(r, seconds=15):
    """All that is under way has ended."""
    last = [-1, 0]

    def quiet():
        now = files(r)
        last[1] = last[1] + 1 if now == last[0] else 0
        last[0] = now
        return last[1] > 10
    until(quiet, seconds)
