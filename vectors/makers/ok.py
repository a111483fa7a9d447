# SPDX-License-Identifier: ISC
"""The vectors under ok/."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Sequence

from handfast1 import (
    cbor,
    certs,
    cookies,
    cose,
    files,
    kinds,
    play,
    records,
    tickets,
)

from . import world as w
from .world import Json, Stream

SEND = [
    {"from": "initiator", "type": 1, "data": b"hello".hex()},
    {"from": "responder", "type": 1, "data": b"hello, alice".hex()},
    {"from": "initiator", "type": 2, "data": ""},
    {"from": "responder", "type": 2, "data": ""},
]


def handshake(
    name: str, left: Json, right: Json, note: str = "", send: Any = None
) -> Json:
    """Plays once to learn the draws."""
    i_random, r_random = Stream(f"{name} I"), Stream(f"{name} R")
    send = SEND if send is None else send
    play.handshake(left, right, i_random, r_random, send)
    vector: Json = {"id": f"handshake-{name}", "kind": "handshake"}
    if note:
        vector["note"] = note
    vector.update(
        initiator=left,
        responder=right,
        initiator_random=i_random.draws,
        responder_random=r_random.draws,
        send=send,
    )
    return vector


def handshakes() -> Iterator[Json]:
    """Tokens, paths and suites."""
    known = [w.ECHO.hex()]
    for suite in (1, 2):
        for token in ("certificate", "password", "ticket"):
            yield handshake(
                f"{token}-known-suite{suite}",
                w.initiator(token, suites=[suite], responder_chain=known),
                w.responder(),
            )
        for token in ("certificate", "password", "plain", "ticket"):
            yield handshake(
                f"{token}-prekey-suite{suite}",
                w.initiator(token, suites=[suite]),
                w.responder(),
            )


def retries() -> Iterator[Json]:
    """Cookies, alone and with grease."""
    known = [w.ECHO.hex()]
    both = ["hello", "request"]
    for token in ("certificate", "ticket"):
        yield handshake(
            f"{token}-known-suite1-retry",
            w.initiator(token, responder_chain=known),
            w.responder(retry=both),
        )
    yield handshake(
        "password-prekey-suite2-retry",
        w.initiator("password", suites=[2]),
        w.responder(retry=both),
        "the cookie of the hello counts for the request too",
    )
    yield handshake(
        "certificate-prekey-suite1-retry-request",
        w.initiator("certificate"),
        w.responder(retry=["request"]),
        "the offer serves both requests",
    )
    for token, told in (
        ("certificate", {"responder_chain": known}),
        ("plain", {}),
    ):
        yield handshake(
            f"{token}-grease",
            w.initiator(token, grease=True, **told),
            w.responder(grease=True),
        )
    yield handshake(
        "ticket-grease-retry",
        w.initiator("ticket", grease=True, target="a service"),
        w.responder(grease=True, retry=["hello"]),
    )
    yield handshake(
        "certificate-grease-retry-request",
        w.initiator("certificate", grease=True),
        w.responder(grease=True, retry=["request"]),
    )


def choices() -> Iterator[Json]:
    """Suites, names, targets, costs."""
    known = [w.ECHO.hex()]
    yield handshake(
        "suite-best-of-both",
        w.initiator("certificate", suites=[2, 1], responder_chain=known),
        w.responder(),
        "the initiator's order counts",
    )
    yield handshake(
        "suite-of-leaf",
        w.initiator("ticket", suites=[1, 2]),
        w.responder(chain=[w.cert("echo", w.RESPONDER, suites=[2]).hex()]),
        "the leaf lists suite 2 alone",
    )
    for name, target in (
        ("target", "service/7"),
        ("target-long", "\u00e9" * 127 + "x"),
    ):
        yield handshake(
            name,
            w.initiator("certificate", target=target, responder_chain=known),
            w.responder(),
        )
        yield handshake(
            f"{name}-prekey",
            w.initiator("certificate", target=target),
            w.responder(),
        )
    yield handshake(
        "plain-known-chain",
        w.initiator("plain", responder_chain=known),
        w.responder(),
        "a plain password has a prekey, whatever is told",
    )
    yield handshake(
        "any-name",
        w.initiator("certificate", expect=None),
        w.responder(),
        "whoever the CA certified as a responder will do",
    )
    yield handshake(
        "other-name",
        w.initiator("certificate", expect="echo.example.org"),
        w.responder(),
        "a name beside the subject",
    )
    yield handshake(
        "realm-told",
        w.initiator("password", expect=None, realm=w.REALM),
        w.responder(),
    )
    cost = (65, 3)
    dear = w.cert("echo", w.RESPONDER, realm=w.REALM, cost=list(cost))
    users = [{"user": "alice", "verifier": w.verifier(cost=cost)}]
    yield handshake(
        "password-cost",
        w.initiator("password"),
        w.responder(chain=[dear.hex()], users=users),
        "the leaf tells memory and passes",
    )
    for size in (23, 24, 25, 64):
        user = "x" * size
        entry = [{"user": user, "verifier": w.verifier(user)}]
        config = w.initiator("password", responder_chain=known)
        config["token"] = {**config["token"], "user": user}
        yield handshake(
            f"padding-user{size}",
            config,
            w.responder(users=entry),
            "the padding near 25 bytes, which does not exist",
        )
    yield handshake(
        "clock-edge",
        w.initiator("certificate", now=w.NOW - 120),
        w.responder(lifetime=1),
        "a difference of just the tolerance; the shortest lifetime",
    )
    yield handshake(
        "lifetime-longest",
        w.initiator("ticket", now=w.NOW + 120),
        w.responder(lifetime=(1 << 32) - 1),
    )


def chains_and_lists() -> Iterator[Json]:
    """Chains of 2 to 4 on both sides, revocation lists, a cluster."""
    for size in (2, 3, 4):
        left, right = w.branch("alice", size), w.branch("echo", size)
        config = w.initiator("certificate", responder_chain=None)
        config["token"] = {
            "kind": "certificate",
            "seed": w.seed("alice").hex(),
            "chain": w.hexes(left),
        }
        yield handshake(
            f"chain-{size}", config, w.responder(chain=w.hexes(right))
        )
    lists = [w.revocations().hex()]
    yield handshake(
        "lists",
        w.initiator("certificate", lists=lists),
        w.responder(lists=lists),
        "a list is held; neither certificate is in it",
    )
    server = w.cert("echo-7", w.RESPONDER | 8, cluster="echo", realm="r")
    yield handshake(
        "cluster",
        w.initiator("ticket", expect=None),
        w.responder(chain=[server.hex()], seed=w.seed("echo-7").hex()),
        "the ticket's audience, the name that is expected, is the cluster",
    )
    once = w.ticket("once", single_use=1)
    config = w.initiator("ticket", responder_chain=[w.ECHO.hex()])
    config["token"] = {
        "kind": "ticket",
        "file": w.ticket_file(once, "once").hex(),
    }
    yield handshake("ticket-single-use", config, w.responder())
    for name, sub, refused, note in (
        ("password", f"alice@{w.REALM}", f"alice@{w.REALM}", "see alice"),
        (
            "password-at",
            f"alice@corp@{w.REALM}",
            f"alice@corp@{w.REALM}",
            "see alice@corp: no realm has an @",
        ),
        ("password-elsewhere", "alice@other", "alice", "see alice@other"),
    ):
        earned = w.ticket(name, method=2, sub=sub)
        config = w.initiator("ticket")
        config["token"] = {
            "kind": "ticket",
            "file": w.ticket_file(earned, name).hex(),
        }
        yield handshake(
            f"ticket-of-a-{name}",
            config,
            w.responder(refuse=[refused]),
            f"policies {note}",
        )
    for size in (1, 2, 4):
        earned = w.ticket("origins", method=1, origins=w.origins(size))
        config = w.initiator("ticket")
        config["token"] = {
            "kind": "ticket",
            "file": w.ticket_file(earned, "origins").hex(),
        }
        yield handshake(
            f"ticket-origins-{size}", config, w.responder(lists=lists)
        )
    older = w.ticket("older")
    config = w.initiator("ticket")
    config["token"] = {
        "kind": "ticket",
        "file": tickets.holder(
            older, tickets.seal_ticket(older, w.OLD_KEY, w.draw("old iv", 12))
        )
        .encode()
        .hex(),
    }
    yield handshake(
        "ticket-older-key",
        config,
        w.responder(ring=w.ring_json(w.RING_KEY, w.OLD_KEY)),
    )


def after() -> Iterator[Json]:
    """What goes on once a session is open."""
    file = w.ticket_file(w.ticket("issued", method=1), "issued")
    both = w.initiator("certificate")
    yield handshake(
        "ticket-record",
        both,
        w.responder(),
        "the responder issues a ticket",
        [{"from": "responder", "type": 5, "data": file.hex()}, *SEND],
    )
    yield handshake(
        "half-closed",
        both,
        w.responder(),
        "the other direction goes on after a close",
        [
            {"from": "initiator", "type": 2, "data": ""},
            {"from": "responder", "type": 1, "data": b"late".hex()},
            {"from": "responder", "type": 1, "data": b"later".hex()},
            {"from": "responder", "type": 2, "data": ""},
        ],
    )
    yield handshake("left-open", both, w.responder(), "", [])


def record_vectors() -> Iterator[Json]:
    edge = records.RATCHET
    for suite in (1, 2):
        stream = Stream(f"record suite {suite}")
        base: Json = {
            "suite": suite,
            "key": stream(32).hex(),
            "iv": stream(12).hex(),
            "digest": stream(32).hex(),
        }
        file = w.ticket_file(w.ticket("in a record"), "in a record")
        for name, sequence, plain in (
            ("first", 0, [(1, b"one"), (1, b"two"), (2, b"")]),
            ("ratchet", edge - 1, [(1, b"old key"), (1, b"new"), (1, b"x")]),
            ("ratchet-at-close", 2 * edge, [(2, b"")]),
            ("late", 7 * edge + 1, [(1, b"no ratchet here")]),
            ("last", records.SEQUENCE_MAX - 1, [(2, b"")]),
            ("ticket", 3, [(5, file)]),
            ("alert", 300, [(6, b"\1")]),
            ("empty", 0xFFFF, [(1, b"")]),
            ("long", 255, [(1, bytes(range(256)) * 4), (1, b"a")]),
        ):
            yield {
                "id": f"record-{name}-suite{suite}",
                "kind": "record",
                **base,
                "sequence": sequence,
                "plaintexts": [{"type": k, "data": d.hex()} for k, d in plain],
            }


def keys() -> Iterator[Json]:
    for suite in (1, 2):
        stream = Stream(f"schedule {suite}")
        yield {
            "id": f"schedule-suite{suite}",
            "kind": "schedule",
            "suite": suite,
            "session_key": stream(32).hex(),
            "chain": stream(32).hex(),
            "th2": stream(32).hex(),
        }


def exporters() -> Iterator[Json]:
    for name, label, context, length in (
        ("empty", "", b"", 1),
        ("channel", "EXPORTER-channel", b"context", 32),
        ("block", "one more than a block", b"", 33),
        ("longest", "x" * 255, bytes(1000), 8160),
        ("utf8", "\u00e9", "\u00e9".encode(), 255),
    ):
        yield {
            "id": f"exporter-{name}",
            "kind": "exporter",
            "exporter": w.draw("exporter secret").hex(),
            "label": label,
            "context": context.hex(),
            "length": length,
        }


# Objects --------------------------------------------------------------------


def identities() -> Iterator[Json]:
    for name in ("echo", "alice"):
        yield {
            "id": f"identity-{name}",
            "kind": "identity",
            "seed": w.seed(name).hex(),
        }
    for name, phrase, mib, passes in (
        ("small", "a", 8, 1),
        ("written", "a long passphrase", 64, 3),
    ):
        stream = Stream(f"identity {name}")
        yield {
            "id": f"identity-encrypted-{name}",
            "kind": "identity-encrypted",
            "seed": w.seed("alice").hex(),
            "passphrase": phrase,
            "mib": mib,
            "passes": passes,
            "random": [stream(16).hex(), stream(24).hex()],
        }
    text = files.armour("HANDFAST IDENTITY", files.identity(w.seed("echo")))
    other = files.armour("SOMETHING", bytes(50))
    for name, whole in (
        ("plain", text),
        ("crlf", text.replace("\n", "\r\n")),
        ("between", f"words\n{other}{text}\nmore words\n"),
        ("none", "no block at all\n"),
        ("two", text + text),
    ):
        yield {
            "id": f"text-{name}",
            "kind": "text-read",
            "label": "HANDFAST IDENTITY",
            "text": whole.encode().hex(),
        }
    for count in (0, 1, 4):
        ring = [
            tickets.RingKey(
                w.draw(f"ring {i} kid", 8), w.draw(f"ring {i} key"), w.NOW - i
            )
            for i in range(count)
        ]
        yield {
            "id": f"ring-{count}",
            "kind": "ring-read",
            "file": files.ring(ring).hex(),
        }


def requests() -> Iterator[Json]:
    for name, suites, names in (
        ("alice", [1, 2], []),
        ("echo", [2, 1], ["echo.example.org", "\u00e9cho"]),
        ("many", [1, 2, 3, 9, 10, 65280, 65534, 65535], list("abcdefgh")),
    ):
        yield {
            "id": f"request-{name}",
            "kind": "request",
            "seed": w.seed(name).hex(),
            "sub": name,
            "iat": w.NOW,
            "suites": suites,
            "names": names,
        }


def issue(
    name: str, who: str, issuer: str, issuer_cert: bytes | None, **terms: Any
) -> Json:
    whole: Json = dict.fromkeys(kinds.TERMS)
    whole.update(sub=who, nbf=w.NBF, exp=w.EXP, iat=w.NBF, suites=[1, 2])
    whole.update(terms)
    request = certs.make_request(w.seed(who), who, w.NBF, [1, 2])
    return {
        "id": f"certificate-{name}",
        "kind": "certificate",
        "issuer_seed": w.seed(issuer).hex(),
        "issuer": None if issuer_cert is None else issuer_cert.hex(),
        "request": request.hex(),
        "terms": whole,
        "random": [w.draw(f"cti {name}", 16).hex()],
    }


def certificates() -> Iterator[Json]:
    yield issue("anchor", w.CA_NAME, w.CA_NAME, None, usage=4, suites=None)
    yield issue(
        "responder",
        "echo",
        w.CA_NAME,
        w.ANCHOR,
        usage=1,
        realm=w.REALM,
        names=["echo.example.org"],
    )
    yield issue("initiator", "alice", w.CA_NAME, w.ANCHOR, usage=2)
    yield issue("both", "both", w.CA_NAME, w.ANCHOR, usage=3, suites=[2])
    yield issue(
        "server",
        "echo-7",
        w.CA_NAME,
        w.ANCHOR,
        usage=9,
        cluster="echo",
        cost=[1024, 10],
        realm="r",
    )
    yield issue("cluster", "echo", w.CA_NAME, w.ANCHOR, usage=16, suites=None)
    yield issue(
        "intermediate",
        "inner.example.org",
        w.CA_NAME,
        w.ANCHOR,
        usage=4,
        suites=None,
        path_length=0,
        suffixes=[".example.org"],
        realms=["example.org", "example.com"],
    )
    yield issue(
        "edges",
        "e",
        w.CA_NAME,
        w.ANCHOR,
        usage=2,
        nbf=0,
        exp=1 << 53,
        iat=1 << 53,
        names=["x" * 255, "y"],
        suites=[0, 65535],
    )
    claims = {
        1: w.CA_NAME,
        2: "extra",
        4: w.EXP,
        5: w.NBF,
        6: w.NBF,
        7: bytes(16),
        8: certs.x_cnf(w.identity("extra").public),
        9: [1, -1, "text", b"bytes", None, True, {"a": {1: []}}],
        65536: {-1: 0},
        cose.HANDFAST: {-1: 2, 2: [1], 6: "skipped", 1000: [[[[[b""]]]]]},
    }
    raw = cose.sign("certificate", w.seed(w.CA_NAME), claims)
    yield {
        "id": "certificate-unknown-claims",
        "kind": "certificate-read",
        "note": "claims that are not known are skipped",
        "bytes": raw.hex(),
    }
    yield {
        "id": "certificate-read-echo",
        "kind": "certificate-read",
        "bytes": w.ECHO.hex(),
    }


def chain(
    name: str,
    links: Sequence[bytes],
    usage: int = 1,
    expect: str | None = None,
    anchors: Sequence[bytes] = (w.ANCHOR,),
    lists: Sequence[bytes] = (),
    now: int = w.NOW,
) -> Json:
    return {
        "id": f"chain-{name}",
        "kind": "chain",
        "chain": w.hexes(links),
        "anchors": w.hexes(anchors),
        "lists": w.hexes(lists),
        "usage": usage,
        "name": expect,
        "now": now,
    }


def chains() -> Iterator[Json]:
    yield chain("leaf", [w.ECHO], expect="echo")
    yield chain("other-name", [w.ECHO], expect="echo.example.org")
    for size in (2, 3, 4):
        yield chain(f"of-{size}", w.branch("echo", size), expect="echo")
    both = w.cert("both", 3)
    yield chain("both-usages", [both], 3)
    yield chain("one-of-both", [both], 2)
    yield chain("no-usage-needed", [both], 0)
    yield chain("first-second", [w.ECHO], now=w.NBF)
    yield chain("last-second", [w.ECHO], now=w.EXP - 1)
    listed = w.revocations()
    yield chain("list", [w.ECHO], lists=[listed])
    newer = w.revocations(number=8)
    yield chain("newer-list", [w.ECHO], lists=[listed, newer])
    other = w.ca(key="second key", signer="second key")
    yield chain("two-anchors", [w.ECHO], anchors=[other, w.ANCHOR])
    old = w.ca(nbf=w.NBF - 9, exp=w.NOW)
    yield chain(
        "a-valid-anchor-is-preferred", [w.ECHO], anchors=[old, w.ANCHOR]
    )
    strange = w.revocations(key="second key")
    yield chain(
        "list-of-another-key",
        [w.ECHO],
        anchors=[other, w.ANCHOR],
        lists=[strange],
    )
    for name, suffix, subject in (
        ("equal", "echo", "echo"),
        ("dot", ".example.org", "a.example.org"),
        ("at", "@example.org", "alice@example.org"),
        ("slash", "/x", "a/x"),
        ("before", "example.org", "a.b.example.org"),
        ("before-at", "example.org", "alice@example.org"),
        ("whole", "example.org", "example.org"),
        ("dot-alone", ".example.org", ".example.org"),
    ):
        yield chain(
            f"suffix-{name}",
            [w.cert(subject, 1)],
            anchors=[w.ca(suffixes=["zzz", suffix])],
        )
    yield chain(
        "realm-permitted", [w.ECHO], anchors=[w.ca(realms=["a", w.REALM])]
    )
    yield chain("no-realm", [both], anchors=[w.ca(realms=["a"])])
    yield chain("path-length-0", [w.ECHO], anchors=[w.ca(path_length=0)])
    yield chain(
        "path-length-1",
        w.branch("echo", 2),
        anchors=[w.ca(path_length=1)],
    )
    cluster = w.cert("echo-7", 9, cluster="echo")
    yield chain("cluster-is-a-name", [cluster], expect="echo")
    yield chain(
        "suffix-cluster",
        [w.cert("a.b", 9, cluster="c.b")],
        anchors=[w.ca(suffixes=["b"])],
    )
    yield chain(
        "suffix-and-realm",
        [w.ECHO],
        anchors=[w.ca(suffixes=["echo", "org"], realms=[w.REALM])],
    )


def lists() -> Iterator[Json]:
    for name, revoked in (
        ("empty", []),
        ("one", [w.draw("revoked", 16)]),
        ("many", [w.draw(f"revoked {i}", 16) for i in range(30)]),
    ):
        yield {
            "id": f"list-{name}",
            "kind": "list",
            "seed": w.seed(w.CA_NAME).hex(),
            "iss": w.CA_NAME,
            "exp": w.EXP,
            "iat": w.NBF,
            "number": len(revoked),
            "revoked": [cti.hex() for cti in revoked],
        }
    inner = w.ca("CA 1", w.CA_NAME)
    low = w.revocations(ca="CA 1")
    for name, raw, intermediates, held in (
        ("first", w.revocations(), [], []),
        ("next", w.revocations(number=8), [], [w.revocations()]),
        ("the-same", w.revocations(), [], [w.revocations()]),
        ("intermediate", low, [inner], []),
        ("number-0", w.revocations(number=0), [], []),
        ("number-last", w.revocations(number=1 << 53), [], []),
    ):
        yield {
            "id": f"list-add-{name}",
            "kind": "list-add",
            "anchors": [w.ANCHOR.hex()],
            "intermediates": w.hexes(intermediates),
            "lists": w.hexes(held),
            "bytes": raw.hex(),
        }


def ticket_vectors() -> Iterator[Json]:
    for name, changes in (
        ("operator", {}),
        (
            "session",
            {
                "method": 1,
                "limit": w.NOW + 86400,
                "origins": w.origins(2),
            },
        ),
        ("of-a-password", {"method": 2, "sub": "alice@" + w.REALM}),
        ("single-use", {"single_use": 1, "method": 2}),
        ("long-names", {"sub": "s" * 255, "aud": "a" * 255, "method": 8}),
    ):
        stream = Stream(f"ticket vector {name}")
        made = w.ticket(**changes)
        terms = {k: getattr(made, k) for k in kinds.TICKET_TERMS}
        terms["origins"] = w.hexes(made.origins)
        yield {
            "id": f"ticket-{name}",
            "kind": "ticket",
            "ring_key": w.ring_json(w.RING_KEY)[0],
            "terms": terms,
            "random": [
                stream(16).hex(),
                stream(32).hex(),
                stream(12).hex(),
            ],
        }
    edge = w.ticket("edge", exp=w.NOW + 1, limit=w.NOW + 1, iat=w.NOW + 120)
    cluster = w.cert("echo-7", 9, cluster="echo")
    for name, made, leaf in (
        ("sub", w.ticket(), w.ECHO),
        ("name", w.ticket(aud="echo.example.org"), w.ECHO),
        ("cluster", w.ticket(), cluster),
        ("edge", edge, w.ECHO),
        ("origin", w.ticket(method=1, origins=w.origins(1)), w.ECHO),
        ("origins", w.ticket(method=1, origins=w.origins(4)), w.ECHO),
    ):
        yield {
            "id": f"ticket-accept-{name}",
            "kind": "ticket-accept",
            "ring": w.ring_json(w.OLD_KEY, w.RING_KEY),
            "leaf": leaf.hex(),
            "anchors": [w.ANCHOR.hex()],
            "lists": [w.revocations().hex()],
            "now": w.NOW,
            "tolerance": 120,
            "ticket": w.seal_ticket(made, name).hex(),
        }
    yield {
        "id": "ticket-file",
        "kind": "ticket-file-read",
        "file": w.ticket_file(w.ticket()).hex(),
    }


def password_vectors() -> Iterator[Json]:
    for name, realm, user, password, mib, passes in (
        ("default", w.REALM, "alice", w.PASSWORD, 64, 2),
        ("utf8", "caf\u00e9", "a.b_c@d+e-0", "p\u00e4ss w\u00f6rd", 64, 3),
        ("short", "r", "u", "p", 65, 2),
        ("long", "r" * 255, "u" * 64, "p" * 1024, 100, 2),
    ):
        yield {
            "id": f"password-{name}",
            "kind": "password",
            "realm": realm,
            "user": user,
            "password": password,
            "mib": mib,
            "passes": passes,
        }


def cookie_vectors() -> Iterator[Json]:
    key, source = w.draw("cookie key"), bytes.fromhex("c0000201")
    for name, kind, where in (
        ("hello", 0, source),
        ("request", 3, source),
        ("no-source", 3, b""),
        ("long-source", 0, bytes(range(64))),
    ):
        yield {
            "id": f"cookie-{name}",
            "kind": "cookie",
            "key": key.hex(),
            "type": kind,
            "time": w.NOW,
            "source": where.hex(),
        }
    good = cookies.make(key, 3, w.NOW, source)
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    for name, cookie, kind, now, where in (
        ("good", good, 3, w.NOW, source),
        ("oldest", good, 3, w.NOW + 60, source),
        ("too-old", good, 3, w.NOW + 61, source),
        ("early", good, 3, w.NOW - 1, source),
        ("other-type", good, 0, w.NOW, source),
        ("other-source", good, 3, w.NOW, b"\xc0\0\2\2"),
        ("flipped", flipped, 3, w.NOW, source),
        ("short", good[:-1], 3, w.NOW, source),
        ("long", good + b"\0", 3, w.NOW, source),
    ):
        yield {
            "id": f"cookie-judge-{name}",
            "kind": "cookie-judge",
            "cookie": cookie.hex(),
            "key": key.hex(),
            "type": kind,
            "now": now,
            "source": where.hex(),
        }


def hpke_vectors() -> Iterator[Json]:
    for name, mode in (("base", 0), ("psk", 1)):
        stream = Stream(f"hpke {name}")
        yield {
            "id": f"hpke-{name}",
            "kind": "hpke",
            "mode": mode,
            "recipient_private": stream(32).hex(),
            "ephemeral_private": stream(32).hex(),
            "psk_private": stream(32).hex() if mode else None,
            "info": b"handfast/1 request".hex(),
            "psk_id": b"handfast/1 prekey".hex() if mode else "",
            "aad": b"aad".hex(),
            "plaintext": b"plaintext".hex(),
        }


def cbor_vectors() -> Iterator[Json]:
    for name, raw in (
        ("integers", [0, 23, 24, 255, 256, 65535, 65536, (1 << 64) - 1]),
        ("negatives", [-1, -24, -25, -256, -257, -65537, -(1 << 64)]),
        ("strings", [b"", b"x" * 24, "", "\u00e9", "x" * 300]),
        ("text-edges", [" ", "~", "\u00a0", "\ud7ff", "\ue000", "\U0010ffff"]),
        ("simple", [False, True, None]),
        ("deep", [[[[[[[[]]]]]]]]),
        ("deep-maps", {1: {1: {1: {1: {1: {1: {1: {}}}}}}}}),
        ("map-order", {0: 0, 24: 0, 256: 0, -1: 0, b"": 0, "": 0, "a": 0}),
        ("map-order-bytewise", {"aa": 1, "b": 2, 1000: 3, -1: 4}),
        ("true-is-no-integer", {1: 0, True: 0}),
    ):
        yield {
            "id": f"cbor-{name}",
            "kind": "cbor",
            "bytes": cbor.encode(raw).hex(),
        }


def files_of_vectors() -> Iterator[tuple[str, Iterable[Json]]]:
    yield "handshake", handshakes()
    yield "handshake-retry", retries()
    yield "handshake-choice", choices()
    yield "handshake-chain", chains_and_lists()
    yield "handshake-after", after()
    yield "record", record_vectors()
    yield "schedule", [*keys(), *exporters()]
    yield "identity", identities()
    yield "certificate", [*requests(), *certificates()]
    yield "chain", chains()
    yield "list", lists()
    yield "ticket", ticket_vectors()
    yield "password", [*password_vectors(), *cookie_vectors()]
    yield "hpke", [*hpke_vectors(), *cbor_vectors()]
