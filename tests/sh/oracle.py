#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""No oracle (threat A49), through the program: whatever a responder refuses a
request for, its peer and whoever sits on the wire see the same bytes, the same
end of the stream, the same words and exit code, in the same time. The two
refusals with codes of their own say what they are meant to say.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import *  # noqa: E402,F403

CLOCK = os.path.join(BUILD, "tests", "clock.so")
QUICK = os.path.join(BUILD, "tests", "quick.so")
TRIES, SAMPLES = 4, 5
# What the least times may differ by; one Argon2id takes ten times that.
APART = 0.02 if SAN else 0.005


def change(field_, to=None):
    """An edit of the request: of a field the last byte, or the whole."""
    def edit(direction, k, offset, message):
        if direction != UP or kind(message) != "request":
            return [message]
        begin, end = items(message)[field_]
        new = to if to is not None else \
            message[begin:end - 1] + bytes([message[end - 1] ^ 1])
        return [message[:begin] + new + message[end:]]
    return edit


def cases(h):
    """What is refused, by the error in the log: options, environment and
    edit of the initiator."""
    quick = preload(QUICK)
    alike = ["--no-prekey"] + h.known
    user = h.to + ["--passphrase-file", "password"] + alike

    def cert(name):
        return h.to + ["--identity", name + ".key", "--cert",
                       name + ".cert"] + h.known
    return [
        ("unknown user", "HF_E_PASSWORD", user + ["--user", "nobody"],
         quick, None),
        ("wrong password", "HF_E_PASSWORD",
         h.to + ["--user", "bob", "--passphrase-file", "wrong"] + alike,
         quick, None),
        ("authority", "HF_E_ISSUER", cert("strange"), {}, None),
        ("revoked", "HF_E_REVOKED", cert("mallory"), {}, None),
        ("policy", "HF_E_POLICY", cert("dave"), {}, None),
        ("audience", "HF_E_TICKET", h.to + h.known +
         ["--ticket", "elsewhere.ticket"], {}, None),
        ("ring", "HF_E_TICKET", h.to + h.known +
         ["--ticket", "foreign.ticket"], {}, None),
        ("time", "HF_E_TIME", cert("alice"),
         preload(CLOCK, HANDFAST_CLOCK="-250"), None),
        ("box", "HF_E_BOX", cert("alice"), {}, change(9)),
        ("enc", "HF_E_BOX", cert("alice"), {}, change(6)),
        ("small order", "HF_E_PUBLIC_KEY", cert("alice"), {},
         change(6, b"\x58\x20" + bytes(32))),
        ("shape", "HF_E_SHAPE", cert("alice"), {}, change(7, b"\x40")),
        ("encoding", "HF_E_CBOR", cert("alice"), {}, change(5, b"\xf7")),
        ("suite", "HF_E_SUITE", cert("alice"), {}, change(2, b"\x09")),
        ("version", "HF_E_VERSION", cert("alice"), {}, change(1, b"\x07")),
        ("extension", "HF_E_EXTENSION", cert("alice"), {},
         change(8, b"\xa1\x20\x40")),
    ]


def prepare(h):
    h.write("wrong", "no such horse\n")
    now = int(time.time())
    for name in ("strange", "mallory", "dave", "alice", "server"):
        if name not in ("alice", "server"):
            h.identity(name)
        else:
            os.unlink(name + ".cert")
        if name != "strange":
            h.certificate(name, "responder" if name == "server" else
                          "initiator", "--realm", "example", "--not-before",
                          str(now - 3600), "--not-after", str(now + 3600))
    h.hf("ca", "init", "other", "--name", "Other CA")
    h.certificate("strange", "initiator", ca="other")
    h.hf("ca", "revoke", "ca", "mallory.cert", "-o", "list")
    h.hf("ticket", "ring", "foreign.ring")
    h.ticket("foreign", ring="foreign.ring")
    h.ticket("elsewhere", "--audience", "elsewhere")
    return h.respond("oracle", "--users", "users", "--ring", "ring",
                     "--revoked", "list", "--max-failures", "100000",
                     "--max-source-failures", "100000",
                     *[x for n in ("alice", "bob", "carol", "mallory",
                                   "nobody") for x in ("--allow", n)])


def one_answer(relay, r, case):
    """What the wire and the peer see of one refusal; and its time."""
    what, error, options, env, edit = case
    got = relay.run(r, options, edit=edit, env=env)
    line = r.session()
    if field(line, "error") != error:
        fail("%s: refused for" % what, line, got)
    seen = (b"".join(got.sent(DOWN)), stream(got, DOWN), got.code, got.out,
            got.err.replace(relay.address, "there"), got.connections)
    return seen, latency(got)


def same_answers(relay, r, all_):
    """One refusal for all, in bytes and words."""
    usual = (b"\x82\x08\x01", (3, True, 1), 4, b"",
             "handfast: error: there: the other side refused (HF_E_REFUSED)\n"
             "handfast: hint: the other side does not say why; its log "
             "does\n", 1)
    for case in all_:
        same("answer: " + case[0], usual, one_answer(relay, r, case)[0])


def same_times(relay, r, all_):
    """The least of several times each: what is added by a busy machine is
    not in it, what a refusal costs is."""
    least = {c[0]: 3600.0 for c in all_}
    for i in range(TRIES):
        for c in all_ * SAMPLES:
            least[c[0]] = min(least[c[0]], one_answer(relay, r, c)[1])
        first, last = min(least.values()), max(least.values())
        if last - first <= APART:
            break
    note("from request to alert: %.2f to %.2f ms" % (first * 1e3,
                                                     last * 1e3))
    check("times: within %d ms" % (APART * 1e3), last - first <= APART,
          least)


def other_codes(relay, r, house):
    """An unknown key id, which costs nobody a secret."""
    got = relay.run(r, house.certified + house.known, edit=change(3))
    same("unknown key: its code, first",
         b"\x82\x08\x03", got.sent(DOWN)[0])
    same("unknown key: in the log", "HF_E_UNKNOWN_KEY",
         field(r.session(), "error"))


def main():
    if not os.path.exists(CLOCK):
        skip("there is no " + CLOCK)
    with House() as house:
        r = prepare(house)
        relay = Relay()
        all_ = cases(house)
        same_answers(relay, r, all_)
        same_times(relay, r, all_)
        other_codes(relay, r, house)
        relay.close()
    finish()


main()
