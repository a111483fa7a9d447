#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What is refused, and how it is said: every way in which a session or a
responder must fail for what its peer shows or its own files hold, through the
program. Each case asserts the exit code, the first line on stderr, the hint
where there is one, that nothing reached standard output, and what the
responder's log says of it. Peers that are none: rude.py.
"""
import base64
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from refusing import *  # noqa: E402,F403

RENEW = "a certificate there needs renewal, or the clock here is wrong"


def clock(seconds):
    """The environment of a process whose clock is off."""
    return preload(CLOCK, HANDFAST_CLOCK=str(seconds))


def judged_here(what, r, responder, code, text, hint=None):
    """The initiator refuses: the responder is told no reason."""
    ends(what, r, code, re.escape(responder.address) + ": " +
         re.escape(text), hint and re.escape(hint))
    logged(what, responder, "refused", "HF_E_REFUSED")


def judged_there(what, r, responder, error, text=REFUSED, code=4,
                 hint=ASK_LOG, **fields):
    """The responder refuses: the initiator is told no reason."""
    ends(what, r, code, re.escape(responder.address) + ": " +
         re.escape(text), hint and re.escape(hint))
    logged(what, responder, "refused", error, **fields)


def before_sending(what, r, code, text, hint=None):
    """Own files: nobody was spoken to."""
    ends(what, r, code, text, hint and re.escape(hint))


# Certificates --------------------------------------------------------------

ISSUER = "no trusted authority issued the certificate (HF_E_ISSUER)"
ISSUER_HINT = "trust the certificate of the CA at the top of the chain"


def authorities(h, r):
    h.hf("ca", "init", "other", "--name", "Other CA")
    h.hf("ca", "init", "twin", "--name", "Test CA")
    own = ["--identity", "alice.key", "--cert", "alice.cert"]
    expect = ["--expect", "server"]
    for known in ([], h.known):
        how = " (known)" if known else ""
        x = h.initiate(r.address, "--trust", "other/ca.cert", *expect, *own,
                       *known)
        if known:
            before_or_here("wrong CA" + how, x, r, 4, ISSUER, ISSUER_HINT)
        else:
            judged_here("wrong CA", x, r, 4, ISSUER, ISSUER_HINT)
    x = h.initiate(r.address, "--trust", "twin/ca.cert", *expect, *own)
    judged_here("a CA of the same name", x, r, 4,
                "a signature is wrong (HF_E_SIGNATURE)",
                "another CA of the same name, or a changed file")
    h.certificate("alice", "initiator", ca="other", out="stranger.cert")
    x = h.initiate(r.address, *h.to, "--identity", "alice.key", "--cert",
                   "stranger.cert")
    judged_there("the initiator's CA is unknown there", x, r, "HF_E_ISSUER")
    h.certificate("alice", "initiator", ca="twin", out="twin.cert")
    x = h.initiate(r.address, *h.to, "--identity", "alice.key", "--cert",
                   "twin.cert")
    judged_there("the initiator's CA is another of that name", x, r,
                 "HF_E_SIGNATURE")


def before_or_here(what, x, r, code, text, hint=None):
    """A known certificate is judged once connected, nothing was said yet."""
    ends(what, x, code, re.escape(r.address) + ": " + re.escape(text),
         hint and re.escape(hint))
    line = r.session()
    check(what + ": log", "result=refused" in line and
          "error=HF_E_GONE" in line, line)


def names(h, r):
    own = ["--identity", "alice.key", "--cert", "alice.cert"]
    text = "the peer has another name than expected (HF_E_NAME)"
    hint = "the certificate there is not for 'nobody'"
    x = h.initiate(r.address, "--trust", "ca/ca.cert", "--expect", "nobody",
                   *own)
    judged_here("wrong name", x, r, 4, text, hint)
    x = h.initiate(r.address, "--trust", "ca/ca.cert", "--expect", "nobody",
                   *own, *h.known)
    before_or_here("wrong name, known certificate", x, r, 4, text, hint)
    # No case is folded, no star, no part of a name.
    for name in ("Server", "serve", "server.", "*", "server\u00a0"):
        x = h.initiate(r.address, "--trust", "ca/ca.cert", "--expect", name,
                       *own)
        same("name %r: exit code, output" % name, (4, b""), (x.code, x.out))
        r.session()
    x = h.initiate(r.address, *h.to, "--realm", "elsewhere", "--user", "bob",
                   "--passphrase-file", "password")
    ends("wrong realm", x, 4, re.escape(r.address + ": " + text),
         r"the certificate there is not for .*")
    logged("wrong realm", r, "refused", "HF_E_REFUSED")


def wait_until(moment):
    time.sleep(max(0, moment + 0.1 - time.time()))


def times(h, r):
    now = int(time.time())
    h.certificate("alice", "initiator", "--not-before", str(now - 3600),
                  "--not-after", str(now - 60), out="old.cert")
    h.certificate("alice", "initiator", "--not-before", str(now + 3600),
                  "--not-after", str(now + 7200), out="new.cert")
    own = "the own certificate or ticket is not valid now (HF_E_OWN_EXPIRED)"
    hint = "ask its issuer for a new one; check the clock"
    for which in ("old", "new"):
        x = h.initiate(r.address, *h.to, "--identity", "alice.key", "--cert",
                       which + ".cert")
        before_sending("own certificate, %s" % which, x, 7,
                       re.escape("%s.cert: %s" % (which, own)), hint)
    h.certificate("server", "responder", "--not-before", str(now - 3600),
                  "--not-after", str(now - 60), out="server.old.cert")
    h.certificate("server", "responder", "--not-before", str(now + 3600),
                  "--not-after", str(now + 7200), out="server.new.cert")
    for which in ("old", "new"):
        x = h.refuse(cert="server.%s.cert" % which)
        before_sending("responder's own certificate, %s" % which, x, 7,
                       re.escape("server.%s.cert: %s" % (which, own)), hint)
    # A known certificate is judged before anything is sent.
    for which, text, hint in (
            ("old", "expired (HF_E_EXPIRED)", RENEW),
            ("new", "not yet valid (HF_E_NOT_YET)",
             "check the clocks of this machine and the issuer")):
        x = h.initiate(r.address, *h.certified, "--responder-cert",
                       "server.%s.cert" % which)
        before_or_here("known certificate, %s" % which, x, r, 7, text, hint)
    # A responder whose certificate runs out while it serves.
    soon = int(time.time()) + 4
    h.certificate("server", "responder", "--not-before", str(now - 60),
                  "--not-after", str(soon), out="brief.cert")
    s = h.respond("brief", cert="brief.cert")
    x = h.initiate(s.address, *h.certified)
    ends("a certificate that soon expires", x, 0, None, out=b"hello\n")
    logged("a certificate that soon expires", s, "ok", None)
    wait_until(soon)
    x = h.initiate(s.address, *h.certified)
    judged_here("... and has expired", x, s, 7, "expired (HF_E_EXPIRED)",
                RENEW)
    x = h.initiate(s.address, *h.certified, "--responder-cert", "brief.cert")
    before_or_here("... and is known", x, s, 7, "expired (HF_E_EXPIRED)",
                   RENEW)
    check("... is warned of", any(
        re.fullmatch("handfast: warning: brief.cert expires on .*", line)
        for line in s.log()), s.log()[:3])
    s.stop()


def clocks(h):
    """What a wrong clock makes of certificates, tickets and requests."""
    if not os.path.exists(CLOCK):
        note("clocks: skipped, there is no " + os.path.basename(CLOCK))
        return
    now = int(time.time())
    fine = ["--not-before", str(now - 10 * DAY), "--not-after",
            str(now + 300 * DAY)]
    h.certificate("alice", "initiator", *fine, out="wide.cert")
    wide = h.to + ["--identity", "alice.key", "--cert", "wide.cert"]
    h.certificate("server", "responder", "--realm", "example",
                  "--not-before", str(now - 3 * DAY), "--not-after",
                  str(now - DAY), out="past.cert")
    h.certificate("server", "responder", "--realm", "example",
                  "--not-before", str(now + DAY), "--not-after",
                  str(now + 3 * DAY), out="future.cert")
    h.certificate("server", "responder", "--realm", "example", *fine,
                  out="server.wide.cert")
    past = h.respond("past", cert="past.cert", env=clock(-2 * DAY))
    future = h.respond("future", cert="future.cert", env=clock(2 * DAY))
    x = h.initiate(past.address, *wide)
    judged_here("the responder's certificate is expired", x, past, 7,
                "expired (HF_E_EXPIRED)", RENEW)
    x = h.initiate(future.address, *wide)
    judged_here("the responder's certificate is not yet valid", x, future, 7,
                "not yet valid (HF_E_NOT_YET)",
                "check the clocks of this machine and the issuer")
    past.stop()
    future.stop()

    # The initiator's clock is off.
    r = h.respond("now", "--ring", "ring", cert="server.wide.cert")
    for name, off in (("late", -250), ("early", 250)):
        x = h.initiate(r.address, *wide, env=clock(off))
        judged_there("clock %s by 250 s" % name, x, r, "HF_E_TIME")
    for off in (100, -100):
        x = h.initiate(r.address, *wide, env=clock(off))
        ends("clock off by %d s, within the tolerance" % off, x, 0, None,
             out=b"hello\n")
        logged("clock off by %d s" % off, r, "ok", None, name="alice")
    # Within the tolerance its certificate may be good by its clock alone.
    edge = 60
    h.certificate("alice", "initiator", "--not-before", str(now - DAY),
                  "--not-after", str(int(time.time()) - edge),
                  out="ended.cert")
    x = h.initiate(r.address, *h.to, "--identity", "alice.key", "--cert",
                   "ended.cert", env=clock(-100))
    judged_there("the initiator's certificate is expired", x, r,
                 "HF_E_EXPIRED")
    h.certificate("alice", "initiator", "--not-before",
                  str(int(time.time()) + edge), "--not-after",
                  str(now + DAY), out="begins.cert")
    x = h.initiate(r.address, *h.to, "--identity", "alice.key", "--cert",
                   "begins.cert", env=clock(100))
    judged_there("the initiator's certificate is not yet valid", x, r,
                 "HF_E_NOT_YET")
    h.ticket("brief", "--ttl", "1s")
    time.sleep(2.1)
    x = h.initiate(r.address, *h.to, "--ticket", "brief.ticket",
                   env=clock(-60))
    judged_there("the ticket is expired there", x, r, "HF_E_EXPIRED")
    r.stop()


def revoked(h, r):
    text = "the certificate is revoked (HF_E_REVOKED)"
    h.identity("mallory")
    h.certificate("mallory", "initiator")
    h.hf("ca", "revoke", "ca", "server.cert", "mallory.cert", "-o", "list")
    x = h.initiate(r.address, *h.certified, "--revoked", "list")
    judged_here("the responder is revoked", x, r, 4, text)
    x = h.initiate(r.address, *h.certified, *h.known, "--revoked", "list")
    before_or_here("the responder is revoked, known", x, r, 4, text)
    s = h.respond("revoked", "--revoked", "list")
    x = h.initiate(s.address, *h.to, "--identity", "mallory.key", "--cert",
                   "mallory.cert")
    judged_there("the initiator is revoked", x, s, "HF_E_REVOKED")
    x = h.initiate(s.address, *h.certified)
    ends("another is not", x, 0, None, out=b"hello\n")
    logged("another is not", s, "ok", None, name="alice")
    s.stop()

    soon = int(time.time()) + 3
    h.hf("ca", "revoke", "ca", "-o", "stale", "--next-update", str(soon))
    wait_until(soon)
    text = "the revocation list is out of date (HF_E_STALE_LIST)"
    hint = "get a new list from the CA: handfast ca revoke DIR -o LIST"
    h.identity("other", "other-server")
    h.certificate("other-server", "responder", "--name", "server")
    fresh = h.respond("fresh", identity="other-server.key",
                      cert="other-server.cert")
    x = h.initiate(fresh.address, *h.certified, "--revoked", "stale")
    judged_here("a stale list", x, fresh, 4, text, hint)
    fresh.stop()
    s = h.respond("stale", "--revoked", "stale")
    x = h.initiate(s.address, *h.certified)
    judged_there("a stale list there", x, s, "HF_E_STALE_LIST")
    s.stop()
    x = h.initiate(r.address, *h.certified, "--revoked", "stale",
                   "--revoked", "list")
    before_sending("an older list after a newer", x, 4,
                   r"list: an older list than another one given for the same "
                   r"CA \(HF_E_STALE_LIST\)")


def usage(h, r):
    own = "the own certificate does not fit its key or its use " \
        "(HF_E_OWN_CERT)"
    hint = "is the certificate for this identity, and issued with the " \
        "usage it needs?"
    h.certificate("alice", "responder", out="alice.wrong.cert")
    h.certificate("server", "initiator", out="server.wrong.cert")
    x = h.initiate(r.address, *h.to, "--identity", "alice.key", "--cert",
                   "alice.wrong.cert")
    before_sending("own certificate of the wrong usage", x, 5,
                   re.escape("alice.wrong.cert: " + own), hint)
    x = h.initiate(r.address, *h.to, "--identity", "alice.key", "--cert",
                   "server.cert")
    before_sending("own certificate of another key", x, 5,
                   re.escape("server.cert: " + own), hint)
    x = h.refuse(cert="server.wrong.cert")
    before_sending("responder's own certificate of the wrong usage", x, 5,
                   re.escape("server.wrong.cert: " + own), hint)
    x = h.refuse(cert="alice.cert")
    before_sending("responder's own certificate of another key", x, 5,
                   re.escape("alice.cert: " + own), hint)
    x = h.initiate(r.address, *h.certified, "--responder-cert",
                   "server.wrong.cert")
    before_or_here("a known certificate of the wrong usage", x, r, 4,
                   "the certificate is not for this use (HF_E_USAGE)",
                   "see --usage in 'handfast help cert'")
    # The other way round needs a peer that does not look at its own first.
    x = h.initiate(r.address, "--trust", "server.cert", *h.certified[2:])
    ends("a leaf is no CA", x, 4, r"server.cert: .*\(HF_E_[A-Z]+\)", ".*")
    h.certificate("server", "responder,initiator", out="server.both.cert")
    s = h.respond("self", cert="server.both.cert")
    x = h.initiate(s.address, *h.to, "--identity", "server.key", "--cert",
                   "server.both.cert")
    judged_here("nobody talks to himself", x, s, 5,
                "refused by local policy (HF_E_POLICY)")
    s.stop()


# Passwords, tickets --------------------------------------------------------

def passwords(h, r):
    h.write("wrong", "incorrect horse\n")
    as_user = h.to + ["--user", "bob", "--passphrase-file", "wrong"]
    x = h.initiate(r.address, *as_user)
    judged_there("wrong password", x, r, "HF_E_PASSWORD", name="bob",
                 subject="bob@example", method="password")
    y = h.initiate(r.address, *h.to, "--user", "eve", "--passphrase-file",
                   "wrong")
    judged_there("unknown user", y, r, "HF_E_PASSWORD", name="eve",
                 subject="eve@example", method="password")
    same("wrong password and unknown user: the same words", x.err, y.err)
    x = h.initiate(r.address, *h.user, "--plain-password")
    judged_there("no plain passwords here", x, r, "HF_E_TOKEN")

    s = h.respond("no-users")
    x = h.initiate(s.address, *h.user)
    judged_there("no passwords here", x, s, "HF_E_TOKEN")
    x = h.initiate(s.address, *h.ticketed)
    judged_there("no tickets here", x, s, "HF_E_TOKEN")
    s.stop()

    h.certificate("server", "responder", out="realmless.cert")
    s = h.respond("no-realm", cert="realmless.cert")
    x = h.initiate(s.address, *h.user)
    judged_here("no realm there", x, s, 4,
                "this kind of token is not accepted here (HF_E_TOKEN)",
                "the certificate there names no realm: it takes no passwords")
    s.stop()
    x = h.refuse("--users", "users", cert="realmless.cert")
    ends("users without a realm", x, 5,
         "realmless.cert: the certificate has no realm, so nobody can use a "
         "password here")
    h.certificate("server", "responder", "--realm", "elsewhere",
                  out="elsewhere.cert")
    x = h.refuse("--users", "users", cert="elsewhere.cert")
    ends("users of another realm", x, 5,
         "users is for realm example, the certificate for elsewhere")
    h.hf("user", "add", "--db", "costly", "--realm", "example",
         "--password-cost", "65:2", "--passphrase-file", "password", "bob")
    x = h.refuse("--users", "costly")
    ends("users at another cost", x, 5,
         "costly has password cost 65:2, the certificate 64:2")
    h.certificate("server", "responder", "--realm", "example",
                  "--password-cost", "65:2", out="costly.cert")
    x = h.refuse("--users", "users", cert="costly.cert")
    ends("a certificate of another cost", x, 5,
         "users has password cost 64:2, the certificate 65:2")
    x = h.initiate(r.address, "--trust", "ca/ca.cert", "--user", "bob",
                   "--passphrase-file", "password")
    ends("a password for nobody in particular", x, 2,
         "a password is sent only to one who was named: --expect NAME or "
         "--realm R", "see 'handfast help initiate'")


def limits(h):
    h.write("wrong", "incorrect horse\n")
    r = h.respond("limits", "--users", "users", "--max-failures", "2")
    for who in ("bob", "eve"):
        for i in range(3):
            x = h.initiate(r.address, *h.to, "--user", who,
                           "--passphrase-file", "wrong")
            judged_there("%s, failure %d" % (who, i + 1), x, r,
                         "HF_E_PASSWORD" if i < 2 else "HF_E_LIMITED",
                         name=who)
    x = h.initiate(r.address, *h.user)
    judged_there("even the right password", x, r, "HF_E_LIMITED", name="bob")
    x = h.initiate(r.address, *h.certified)
    ends("a certificate is no password", x, 0, None, out=b"hello\n")
    logged("a certificate is no password", r, "ok", None, name="alice")
    r.stop()

    h.hf("ticket", "ring", "ring3")
    h.ticket("foreign", ring="ring3")
    r = h.respond("sources", "--ring", "ring", "--max-source-failures", "2")
    for i in range(3):
        x = h.initiate(r.address, *h.to, "--ticket", "foreign.ticket")
        judged_there("an address, failure %d" % (i + 1), x, r,
                     "HF_E_TICKET" if i < 2 else "HF_E_LIMITED")
    x = h.initiate(r.address, *h.certified)
    judged_there("whoever comes from there", x, r, "HF_E_LIMITED")
    r.stop()


def block(label, data):
    text = base64.b64encode(data).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n" % (
        label, "\n".join(lines), label)


def tickets(h, r):
    h.hf("ticket", "ring", "ring2")
    h.ticket("forged", "--subject", "carol", ring="ring2")
    x = h.initiate(r.address, *h.to, "--ticket", "forged.ticket")
    judged_there("a ticket under another ring", x, r, "HF_E_TICKET")
    # [1, ticket, key, sub, aud, iat, exp, single use, limit]
    whole = pem("carol.ticket")
    parts = items(whole)
    for what, at in (("its claims changed", -20), ("its tag changed", -1)):
        changed = bytearray(whole)
        changed[parts[1][1] + at] ^= 1
        h.write("changed.ticket", block("HANDFAST TICKET", bytes(changed)))
        x = h.initiate(r.address, *h.to, "--ticket", "changed.ticket")
        judged_there("a ticket, " + what, x, r, "HF_E_TICKET")
    # A stolen ticket without its key: the grant does not open.
    changed = bytearray(whole)
    changed[parts[2][1] - 1] ^= 1
    h.write("stolen.ticket", block("HANDFAST TICKET", bytes(changed)))
    x = h.initiate(r.address, *h.to, "--ticket", "stolen.ticket")
    judged_here("a stolen ticket without its key", x, r, 6,
                "a sealed part does not open (HF_E_BOX)")
    # What its file says beside is for its holder only.
    changed = bytearray(whole)
    changed[parts[3][1] - 1] ^= 1
    h.write("renamed.ticket", block("HANDFAST TICKET", bytes(changed)))
    x = h.initiate(r.address, *h.to, "--ticket", "renamed.ticket")
    ends("a ticket whose file says another subject", x, 0, None,
         out=b"hello\n")
    logged("and is named by what is sealed", r, "ok", None, name="carol")
    h.ticket("afar", "--audience", "elsewhere")
    x = h.initiate(r.address, *h.to, "--ticket", "afar.ticket")
    judged_there("a ticket for another audience", x, r, "HF_E_TICKET")
    x = h.initiate(r.address, "--trust", "ca/ca.cert", "--ticket",
                   "afar.ticket")
    ends("... which is then the name expected", x, 4,
         re.escape(r.address) + r": the peer has another name than expected "
         r"\(HF_E_NAME\)")
    logged("... which is then the name expected", r, "refused",
           "HF_E_REFUSED")
    h.write("broken.ticket", block("HANDFAST TICKET", whole[:-1]))
    x = h.initiate(r.address, *h.to, "--ticket", "broken.ticket")
    check("a broken ticket file: 6, before connecting",
          x.code == 6 and x.out == b"" and
          x.first.startswith("handfast: error: broken.ticket: "), x)
    h.ticket("short", "--ttl", "1s")
    time.sleep(2.1)
    x = h.initiate(r.address, *h.to, "--ticket", "short.ticket")
    before_sending("an expired ticket", x, 7, re.escape(
        "short.ticket: the own certificate or ticket is not valid now "
        "(HF_E_OWN_EXPIRED)"), "ask its issuer for a new one; check the clock")
    h.ticket("once", "--single-use")
    once = h.to + ["--ticket", "once.ticket"]
    x = h.initiate(r.address, *once)
    ends("a single-use ticket", x, 0, None, out=b"hello\n")
    logged("a single-use ticket", r, "ok", None, name="once",
           method="ticket")
    for i in range(2):
        x = h.initiate(r.address, *once)
        # The initiator is open when the responder looks: it learns by a
        # record, and what it has said is thrown away.
        judged_there("used again", x, r, "HF_E_TICKET_USED", name="once")
    h.ticket("twins", "--single-use")
    got = [None] * 8

    def use(i):
        got[i] = h.initiate(r.address, *h.to, "--ticket", "twins.ticket")
    threads = [threading.Thread(target=use, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same("used by eight at once: one gets in", [0] + [4] * 7,
         sorted(x.code for x in got))
    same("... and the others nothing", [b""] * 7 + [b"hello\n"],
         sorted(x.out for x in got))
    lines = [r.session() for i in range(8)]
    same("... says the log", 7,
         sum("error=HF_E_TICKET_USED" in x for x in lines))
    for i in range(4):
        h.hf("ticket", "ring", "ring2", "--rotate")
    s = h.respond("rotated", "--ring", "ring2")
    x = h.initiate(s.address, *h.to, "--ticket", "forged.ticket")
    judged_there("a key that fell out of the ring", x, s, "HF_E_TICKET")
    s.stop()


# Policy, files -------------------------------------------------------------

def policy(h):
    r = h.respond("policy", "--allow", "bob", "--allow", "car*", "--target",
                  "files", "--ring", "ring")
    to = ["--target", "files"]
    x = h.initiate(r.address, *h.certified, *to)
    judged_there("--allow", x, r, "HF_E_POLICY", name="alice",
                 method="certificate", target="files")
    x = h.initiate(r.address, *h.ticketed, *to)
    ends("--allow by a pattern", x, 0, None, out=b"hello\n")
    logged("--allow by a pattern", r, "ok", None, name="carol")
    for target in ([], ["--target", "file"], ["--target", "files2"]):
        x = h.initiate(r.address, *h.ticketed, *target)
        judged_there("another target %s" % target[1:], x, r, "HF_E_POLICY",
                     name="carol")
    r.stop()

    # A user's store that fails is no refusal.
    h.write("killed", "#!/bin/sh\nkill -9 $$\n", 0o700)
    h.write("says-no", "#!/bin/sh\nexit 1\n", 0o700)
    for command, error, code, text, hint in (
            ("killed", "HF_E_STORE", 8,
             "the store failed, here or at the other side (HF_E_STORE)",
             None),
            ("says-no", "HF_E_PASSWORD", 4, REFUSED, ASK_LOG)):
        r = h.respond("command-" + command, "--password-command",
                      os.path.join(h.dir, command))
        x = h.initiate(r.address, *h.plain)
        judged_there("a password command that is %s" % command, x, r, error,
                     text, code, hint, name="bob", method="plain-password")
        r.stop()


def outdated(h, r):
    """The responder has a new certificate: the known one is outdated."""
    h.certificate("server", "responder", "--realm", "example",
                  out="former.cert")
    x = h.initiate(r.address, *h.certified, "--responder-cert",
                   "former.cert")
    ends("an outdated --responder-cert", x, 0, None, out=b"hello\n",
         before=re.escape(r.address + ": the responder has another "
                          "certificate than former.cert; asking for it"))
    logged("an outdated --responder-cert: first", r, "refused",
           "HF_E_UNKNOWN_KEY")
    logged("an outdated --responder-cert: then", r, "ok", None, name="alice")
    # What it then gets is judged as ever.
    h.identity("elsewhere")
    h.certificate("elsewhere", "responder", "--realm", "example",
                  out="elsewhere.cert2")
    x = h.initiate(r.address, "--trust", "ca/ca.cert", "--expect",
                   "elsewhere", "--identity", "alice.key", "--cert",
                   "alice.cert", "--responder-cert", "elsewhere.cert2")
    ends("... and the new one is for another name", x, 4,
         re.escape(r.address) +
         r": the peer has another name than expected \(HF_E_NAME\)",
         "the certificate there is not for 'elsewhere'",
         before=re.escape(r.address + ": the responder has another "
                          "certificate than elsewhere.cert2; asking for it"))
    logged("... first", r, "refused", "HF_E_UNKNOWN_KEY")
    logged("... then", r, "refused", "HF_E_REFUSED")


def files(h, r):
    hint = "chmod 600 and chown it, or give --allow-readable-key"

    def said(path, mode):
        return re.escape("%s: a secret that others can read (mode %s)" %
                         (path, mode))
    for mode in (0o644, 0o640, 0o604, 0o660):
        os.chmod("alice.key", mode)
        x = h.initiate(r.address, *h.certified)
        ends("a key of mode %o" % mode, x, 5,
             said("alice.key", "%04o" % mode), re.escape(hint))
    x = h.initiate(r.address, *h.certified, "--allow-readable-key")
    ends("... is taken when told so", x, 0, None, out=b"hello\n")
    r.session()
    os.chmod("alice.key", 0o600)
    os.chmod("carol.ticket", 0o644)
    x = h.initiate(r.address, *h.ticketed)
    ends("a readable ticket", x, 5, said("carol.ticket", "0644"),
         re.escape(hint))
    os.chmod("carol.ticket", 0o600)
    for path, options in (("server.key", ()), ("ring", ("--ring", "ring")),
                          ("users", ("--users", "users"))):
        os.chmod(path, 0o644)
        x = h.refuse(*options)
        ends("respond: a readable %s" % path, x, 5, said(path, "0644"),
             re.escape(hint))
        os.chmod(path, 0o600)
    if os.geteuid() == 0:
        os.chown("alice.key", 65534, -1)
        x = h.initiate(r.address, *h.certified)
        ends("a key of somebody else", x, 5, re.escape(
            "alice.key: a secret that belongs to another user (uid 65534)"),
            re.escape(hint))
        os.chown("alice.key", 0, -1)
    h.write("empty.key", "")
    x = h.initiate(r.address, *h.to, "--identity", "empty.key", "--cert",
                   "alice.cert")
    check("an empty key: 6", x.code == 6 and x.out == b"" and
          x.first.startswith("handfast: error: empty.key: ") and
          "(HF_E_OBJECT)" in x.first, x)
    x = h.initiate(r.address, *h.to, "--identity", "missing.key", "--cert",
                   "alice.cert")
    ends("no key", x, 3, "missing.key: No such file or directory")
    h.write("pass", "a passphrase\n")
    h.hf("keygen", "-o", "sealed.key", "--passphrase-file", "pass")
    h.write("wrong", "incorrect horse\n")
    x = h.initiate(r.address, *h.to, "--identity", "sealed.key", "--cert",
                   "alice.cert", "--passphrase-file", "wrong")
    ends("a wrong passphrase", x, 5, re.escape(
        "sealed.key: the passphrase does not open the key "
        "(HF_E_PASSPHRASE)"))
    not_formed = "a certificate, request, list or ticket is not well formed " \
        "(HF_E_OBJECT)"
    for user in ("Bob", "", "bob example", "b" * 65):
        x = h.initiate(r.address, *h.to, "--user", user, "--passphrase-file",
                       "password")
        ends("the user name %r" % user, x, 2, re.escape(
            "'%s' is no user name: 1 to 64 of a-z 0-9 . _ @ + -" % user),
            "see 'handfast help initiate'")
    for option, value, text in (
            ("--expect", "", "a name has 1 to 255 bytes"),
            ("--realm", "r" * 256, "a name has 1 to 255 bytes"),
            ("--target", "t" * 256, "a name has 1 to 255 bytes"),
            ("--target", "a\nb", "a name has no control characters")):
        x = h.initiate(r.address, *h.certified, option, value)
        ends("%s %r" % (option, value[:3]), x, 2, option + ": " + text)
    x = h.initiate(r.address, *h.certified, "--realm", "a@b")
    ends("--realm 'a@b'", x, 2, "--realm: a realm has no @",
         "of user@realm the realm is what stands behind the last @; a user's "
         "name may hold more")
    h.write("letter", "Dear Alice,\n")
    for option, path, want, found in (
            ("--cert", "alice.key", "CERTIFICATE", "IDENTITY"),
            ("--cert", "letter", "CERTIFICATE", None),
            ("--identity", "ring", "IDENTITY", "TICKET RING"),
            ("--ticket", "ring", "TICKET", "TICKET RING"),
            ("--trust", "ca/ca.key", "CERTIFICATE", "IDENTITY"),
            ("--revoked", "ca/ca.cert", "REVOCATION LIST", "CERTIFICATE")):
        own = {"--identity": "alice.key", "--cert": "alice.cert",
               "--trust": "ca/ca.cert"}
        if option == "--ticket":
            own = {"--trust": "ca/ca.cert"}
        own[option] = path
        x = h.initiate(r.address, "--expect", "server",
                       *[word for pair in own.items() for word in pair])
        hint = "there is no HANDFAST %s in it" % want
        if found:
            hint += ", but a HANDFAST " + found
        ends("%s %s" % (option, path), x, 6,
             re.escape("%s: %s" % (path, not_formed)), re.escape(hint))
    x = h.initiate(r.address, "--json", *h.to, "--identity", "missing.key",
                   "--cert", "alice.cert")
    same("the same as JSON", {"error": {
        "name": "io", "exit": 3,
        "text": "missing.key: No such file or directory"}},
        json.loads(x.err))


READ_ONLY = ("unshare", "-m", "sh", "-c",
             "mount -t tmpfs -o ro none received && exec \"$@\"", "sh")


def receiving(h):
    """Where the data is to go is looked at before anybody is served."""
    h.write("a-file", "")
    os.mkdir("received")
    for path, why, by in (
            ("nowhere", "No such file or directory", ()),
            ("a-file", "Not a directory", ()),
            ("received", "Read-only file system", READ_ONLY)):
        if by and subprocess.run([*by, "true"],
                                 capture_output=True).returncode != 0:
            print("note: no file systems can be mounted here")
            continue
        x = h.refuse(does=("--receive", path), by=by)
        ends("--receive %s" % path, x, 3,
             re.escape("--receive %s: %s" % (path, why)))
    x = h.refuse("--json", does=("--receive", "nowhere"))
    same("--receive, as JSON", {"error": {
        "name": "io", "exit": 3,
        "text": "--receive nowhere: No such file or directory"}},
        json.loads(x.err))


def wanted(*parts):
    """Those that the command line names: all, where it names none."""
    return [x for x in parts
            if len(sys.argv) == 1 or x.__name__ in sys.argv[1:]]


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "..", ".."))
    with House() as h:
        r = h.respond("main", "--users", "users", "--ring", "ring")
        for part in wanted(authorities, names, times, revoked, usage,
                           passwords, tickets, outdated, files):
            begun = time.time()
            r.skip()
            part(h, r)
            print("--- %s: %.1f s" % (part.__name__, time.time() - begun))
        x = h.initiate(r.address, *h.certified)
        ends("after all that it serves", x, 0, None, out=b"hello\n")
        same("and stops", 0, r.stop())
        for part in wanted(clocks, limits, policy, receiving):
            begun = time.time()
            part(h)
            print("--- %s: %.1f s" % (part.__name__, time.time() - begun))
    finish()


main()
