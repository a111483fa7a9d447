#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The initiator with every read and write of its socket, streams and files
failing in turn, by every token and path: exit code 3 and its reason, on
stdout nothing but what was verified, whole lines of it, and the next session
of the same responder is as good as ever.
"""
import errno
import os
from concurrent.futures import ThreadPoolExecutor

from faults import *  # noqa: F403

DATA = b"hello\n"
HARD = [
    ("read", "socket", errno.ECONNRESET),
    ("read", "socket", errno.EIO),
    ("write", "socket", errno.EPIPE),
    ("write", "socket", errno.ECONNRESET),
]
SOFT = [
    ("read", "socket", errno.EINTR),
    ("read", "socket", errno.EAGAIN),
    ("read", "socket", SHORT),
    ("write", "socket", errno.EINTR),
    ("write", "socket", errno.EAGAIN),
    ("write", "socket", SHORT),
]
STREAMS = [
    ("read", "stdio", errno.EIO),
    ("read", "stdio", errno.EINTR),
    ("read", "stdio", SHORT),
    ("write", "stdio", errno.ENOSPC),
    ("write", "stdio", errno.EPIPE),
    ("write", "stdio", errno.EINTR),
    ("write", "stdio", SHORT),
    ("read", "file", errno.EIO),
    ("read", "file", SHORT),
    ("open", "any", errno.EMFILE),
    ("socket", "any", errno.EMFILE),
    ("connect", "any", errno.ECONNREFUSED),
]
# What the peer's going means, at each stage.
GONE = ("(HF_E_GONE)", "(HF_E_TRUNCATED)")


def says_why(err, kind, what):
    first = err.splitlines()[0] if err else ""
    if not first.startswith("handfast: error: "):
        return False
    if kind == "socket":
        return first.endswith(GONE)
    return os.strerror(what).lower() in first.lower()


def one(responder, token, faults, kind, what):
    """One session; what is wrong with it."""
    code, out, err = run(["initiate", "--connect", responder.address, *token],
                         faults.env, DATA)
    # Without a word of a session there was no connection.
    hit, line = faults.hit, responder.session(
        10 if code == 0 or "(HF_E_" in err else 0)
    soft = what in (errno.EINTR, errno.EAGAIN, SHORT)
    if not DATA.startswith(out) or (out and out[-1:] != b"\n" and
                                    what not in (errno.ENOSPC, errno.EPIPE)):
        return "stdout: %r" % out
    if code == 0:
        if out != DATA or "result=ok" not in line:
            return "exit 0 with %r; there %s" % (out, line)
        # At the very end everything was said already.
        return None
    if not hit or soft:
        return "exit %s: %s" % (code, err.strip())
    if code != 3 or not says_why(err, kind, what):
        return "exit %s: %s" % (code, err.strip())
    if "HF_E_GONE" in err and "result=ok" in line:
        return "it failed, and there: " + line
    return None


def tokens(house):
    return [
        ("certificate", house.certified),
        ("certificate-known", house.certified + house.known),
        ("password", house.user),
        ("password-known", house.user + house.known + ["--no-prekey"]),
        ("ticket", house.ticketed),
        ("ticket-known", house.ticketed + house.known),
        ("plain-password", house.plain),
    ]


def ticket_out(house, faults):
    """A ticket that cannot be kept leaves the old file as it was."""
    responder = house.respond("issues", "--ring", "ring",
                              "--issue-tickets", "1h")
    old = house.write("kept.ticket", open("carol.ticket").read())
    want = open(old).read()
    for call, kind, what in (("write", "file", errno.ENOSPC),
                             ("open", "any", errno.ENFILE),
                             ("fsync", "file", errno.EIO),
                             ("rename", "any", errno.EIO)):
        def attempt():
            code, out, err = run(
                ["initiate", "--connect", responder.address, *house.certified,
                 "--ticket-out", old], faults.env, DATA)
            hit, now = faults.hit, open(old).read()
            # What fails before there is a session leaves no line of one.
            responder.session(10 if code == 0 else 0)
            house.write("kept.ticket", want)
            if [x for x in os.listdir(".") if x.startswith("kept.ticket.")]:
                return "something was left behind"
            if not hit:
                return None if code == 0 and now != want else "exit %s" % code
            if code != 3 or now != want or os.strerror(what) not in err:
                return "exit %s: %s" % (code, err)
            return None

        wrong, n = each(faults, call, kind, what, attempt)
        case("ticket-out/%s-%s" % (call, word(what)), wrong,
             "n = 1..%d" % n)
    responder.stop()


def try_token(name, token, some, responder):
    """Some faults with one token; a write that fails makes the initiator wait
    for a second for a last word, so they are tried at once. The exit code of
    their responder."""
    faults = Faults()
    for call, kind, what in some:
        wrong, n = each(faults, call, kind, what, lambda: one(
            responder, token, faults, kind, what), what == errno.EMFILE)
        case("%s/%s-%s-%s" % (name, kind, call, word(what)),
             wrong if n else ["nothing was hit"], "n = 1..%d" % n)
    return responder.stop()


def main():
    need_shim()
    with House() as house:
        ask = house.write("ask", "#!/bin/sh\nread -r u; read -r p\n"
                          "[ \"$p\" = 'correct horse' ]\n", 0o700)
        with ThreadPoolExecutor(12) as pool:
            done = []
            for name, token in tokens(house):
                accept = ["--users", "users", "--ring", "ring"]
                if name == "plain-password":
                    accept = ["--password-command", os.path.join(house.dir,
                                                                 ask)]
                some = [HARD, SOFT] + [STREAMS] * (name == "certificate")
                done.append((name, [
                    pool.submit(try_token, name, token, faults, house.respond(
                        "%s-%d" % (name, n), *accept))
                    for n, faults in enumerate(some)]))
            for name, codes in done:
                codes = [d.result() for d in codes]
                case(name + "/responder-ends-well",
                     ["exit %s" % code for code in codes if code])
        ticket_out(house, Faults())
    finish()


if __name__ == "__main__":
    main()
