# SPDX-License-Identifier: ISC
"""Bad vectors: what stands in boxes, tokens, the application's refusals,
confirm and records (spec 4.4 to 4.7, 6, 7, 9)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import cbor, messages, records

from . import forge, world as w
from .bad_wire import SMALL, extension_faults, text, to_responder
from .forge import Grant, Raw, Request, Target, hello, item, plaintext, reach
from .world import Json

VERIFIED = w.passwords.stretch(w.REALM, "alice", w.PASSWORD, w.COST)


def padded(raw: bytes) -> bytes:
    """Bytes left over after a plaintext, to a multiple of 128."""
    return raw + bytes(-len(raw) % 128)


# The request's plaintext (4.4, steps 9 to 11) -------------------------------


def plaintexts() -> Iterator[Json]:
    good = plaintext()
    raws: dict[str, tuple[bytes, str]] = {
        "cut": (good[:128], "HF_E_CBOR"),
        "left-over": (good + bytes(128), "HF_E_CBOR"),
        "no-array": (padded(cbor.encode(bytes(128))), "HF_E_SHAPE"),
        "4-items": (
            padded(item([bytes(32), [1, [w.ALICE]], 0, None])),
            "HF_E_SHAPE",
        ),
        "6-items": (padded(b"\x86" + good[1:]), "HF_E_SHAPE"),
        "long-head": (padded(b"\x98\5" + good[1:]), "HF_E_CBOR"),
        "indefinite": (padded(b"\x9f" + good[1:]), "HF_E_CBOR"),
        "zeros": (bytes(128), "HF_E_SHAPE"),
        "all-ones": (b"\xff" * 128, "HF_E_CBOR"),
        "tag": (b"\xc0" + good[1:], "HF_E_CBOR"),
        "no-padding": (plaintext(padding=b""), "HF_E_SHAPE"),
        "length": (plaintext(padding=bytes(5)), "HF_E_SHAPE"),
    }
    for name, (raw, error) in raws.items():
        if len(raw) < 128:
            raw = raw + bytes(128 - len(raw))
        yield to_responder(
            f"plaintext-{name}", Request().make(plain=raw), error
        )
    zeros = len(good) - len(good.rstrip(b"\0"))
    parts: list[tuple[str, Json, str]] = [
        ("transport-31", {"transport": bytes(31)}, "HF_E_SHAPE"),
        ("transport-33", {"transport": bytes(33)}, "HF_E_SHAPE"),
        ("transport-text", {"transport": "x" * 32}, "HF_E_SHAPE"),
        ("time-negative", {"time": -1}, "HF_E_SHAPE"),
        ("time-text", {"time": "0"}, "HF_E_SHAPE"),
        ("time-null", {"time": None}, "HF_E_SHAPE"),
        ("time-float", {"time": Raw(b"\xf9\0\0")}, "HF_E_CBOR"),
        (
            "time-long",
            {"time": Raw(b"\x1b\0\0\0\0" + w.NOW.to_bytes(4, "big"))},
            "HF_E_CBOR",
        ),
        ("reply-key", {"reply_key": bytes(32)}, "HF_E_SHAPE"),
        ("reply-key-empty", {"reply_key": b""}, "HF_E_SHAPE"),
        ("reply-key-false", {"reply_key": False}, "HF_E_SHAPE"),
        ("padding-text", {"padding": "\0"}, "HF_E_SHAPE"),
        ("padding-first", {"padding": b"\1" + bytes(zeros - 1)}, "HF_E_SHAPE"),
        (
            "padding-last",
            {"padding": bytes(zeros - 1) + b"\x80"},
            "HF_E_SHAPE",
        ),
        ("padding-257", {"padding": bytes(257)}, "HF_E_SHAPE"),
        ("time-0", {"time": 0}, "HF_E_TIME"),
        ("time-most", {"time": (1 << 64) - 1}, "HF_E_TIME"),
        ("time-early", {"time": w.NOW - 121}, "HF_E_TIME"),
        ("time-late", {"time": w.NOW + 121}, "HF_E_TIME"),
        ("padding-before-time", {"time": 0, "padding": b"\1"}, "HF_E_SHAPE"),
    ]
    for name, changes, error in parts:
        if error:
            yield to_responder(
                f"plaintext-{name}", Request().make(**changes), error
            )
    yield to_responder(
        "plaintext-time-tolerance",
        Request().make(time=w.NOW + 6),
        "HF_E_TIME",
        tolerance=5,
    )


# Tokens (4.4.1, 4.4 steps 12 to 14) -----------------------------------------


def tokens() -> Iterator[Json]:
    ok = w.seal_ticket(w.ticket())
    shapes: list[tuple[str, Any, str]] = [
        ("no-array", 1, "HF_E_SHAPE"),
        ("map", {}, "HF_E_SHAPE"),
        ("empty", [], "HF_E_SHAPE"),
        ("kind-negative", [-1, b""], "HF_E_SHAPE"),
        ("kind-text", ["1", b""], "HF_E_SHAPE"),
        ("kind-0", [0, b""], "HF_E_TOKEN"),
        ("kind-5", [5, b""], "HF_E_TOKEN"),
        ("kind-most", [(1 << 64) - 1], "HF_E_TOKEN"),
        ("kind-before-count", [9, 1, 2, 3, 4, 5], "HF_E_TOKEN"),
        ("certificate-1-item", [1], "HF_E_SHAPE"),
        ("certificate-3-items", [1, [w.ALICE], 0], "HF_E_SHAPE"),
        ("chain-no-array", [1, w.ALICE], "HF_E_SHAPE"),
        ("chain-empty", [1, []], "HF_E_SHAPE"),
        ("chain-5", [1, [w.ALICE] * 5], "HF_E_SHAPE"),
        ("certificate-empty", [1, [b""]], "HF_E_SHAPE"),
        ("certificate-2049", [1, [bytes(2049)]], "HF_E_SHAPE"),
        ("certificate-text", [1, ["x"]], "HF_E_SHAPE"),
        ("password-2-items", [2, "alice"], "HF_E_SHAPE"),
        ("password-4-items", [2, "alice", VERIFIED, 0], "HF_E_SHAPE"),
        ("user-empty", [2, "", VERIFIED], "HF_E_SHAPE"),
        ("user-65", [2, "x" * 65, VERIFIED], "HF_E_SHAPE"),
        ("user-upper", [2, "Alice", VERIFIED], "HF_E_SHAPE"),
        ("user-blank", [2, "al ice", VERIFIED], "HF_E_SHAPE"),
        ("user-utf8", [2, "\u00e4", VERIFIED], "HF_E_SHAPE"),
        ("user-bytes", [2, b"alice", VERIFIED], "HF_E_SHAPE"),
        ("user-slash", [2, "a/b", VERIFIED], "HF_E_SHAPE"),
        ("stretched-31", [2, "alice", VERIFIED[1:]], "HF_E_SHAPE"),
        ("stretched-33", [2, "alice", VERIFIED + b"x"], "HF_E_SHAPE"),
        ("stretched-text", [2, "alice", "x" * 32], "HF_E_SHAPE"),
        ("plain-2-items", [3, "alice"], "HF_E_SHAPE"),
        ("plain-user", [3, "Alice", w.PASSWORD], "HF_E_SHAPE"),
        ("plain-empty", [3, "alice", ""], "HF_E_SHAPE"),
        ("plain-1025", [3, "alice", "x" * 1025], "HF_E_SHAPE"),
        ("plain-bytes", [3, "alice", b"password"], "HF_E_SHAPE"),
        ("plain-control", [3, "alice", text(b"a\nb")], "HF_E_SHAPE"),
        ("plain-utf8", [3, "alice", text(b"\xc3\x28")], "HF_E_SHAPE"),
        ("plain-no-offer", [3, "alice", w.PASSWORD], "HF_E_TOKEN"),
        ("ticket-1-item", [4], "HF_E_SHAPE"),
        ("ticket-3-items", [4, ok, 0], "HF_E_SHAPE"),
        ("ticket-empty", [4, b""], "HF_E_SHAPE"),
        ("ticket-1025", [4, bytes(1025)], "HF_E_SHAPE"),
        ("ticket-text", [4, "ticket"], "HF_E_SHAPE"),
        ("user-unknown", [2, "bob", VERIFIED], "HF_E_PASSWORD"),
        ("password-wrong", [2, "alice", bytes(32)], "HF_E_PASSWORD"),
        ("ticket-no-cbor", [4, b"\xff"], "HF_E_CBOR"),
        ("ticket-no-object", [4, b"\0"], "HF_E_OBJECT"),
        ("chain-no-cbor", [1, [b"\xff"]], "HF_E_CBOR"),
        ("chain-no-object", [1, [b"\0"]], "HF_E_OBJECT"),
    ]
    for name, token, error in shapes:
        if error:
            yield to_responder(
                f"token-{name}", Request().make(token=token), error
            )
    for kind, token in (
        ("certificate", [1, [w.ALICE]]),
        ("password", [2, "alice", VERIFIED]),
        ("plain", [3, "alice", w.PASSWORD]),
        ("ticket", [4, ok]),
    ):
        others = [
            k
            for k in ("certificate", "password", "plain", "ticket")
            if k != kind
        ]
        yield to_responder(
            f"token-not-accepted-{kind}",
            Request().make(token=token),
            "HF_E_TOKEN",
            kinds=others,
        )
    yield to_responder(
        "token-time-before-kind",
        Request().make(token=[2, "alice", VERIFIED], time=0),
        "HF_E_TIME",
        kinds=["certificate"],
    )
    yield to_responder(
        "token-no-ring", Request().make(token=[4, ok]), "HF_E_TOKEN", ring=None
    )
    yield to_responder(
        "token-empty-ring",
        Request().make(token=[4, ok]),
        "HF_E_TICKET",
        ring=[],
    )
    bare = w.cert("echo", 1)
    for name, token in (
        ("password", [2, "alice", VERIFIED]),
        ("plain", [3, "alice", w.PASSWORD]),
    ):
        yield to_responder(
            f"token-no-realm-{name}",
            Request(bare).make(token=token),
            "HF_E_TOKEN",
            chain=[bare.hex()],
        )
    yield to_responder(
        "token-oneself",
        Request().make(token=[1, [w.cert("other", 3, key="echo")]]),
        "HF_E_POLICY",
    )
    yield to_responder(
        "token-user-limited",
        Request().make(token=[2, "alice", bytes(32)]),
        "HF_E_LIMITED",
        limited_users=["alice"],
    )
    yield to_responder(
        "token-user-refused",
        Request().make(token=[2, "alice", VERIFIED]),
        "HF_E_POLICY",
        refuse=["alice"],
    )
    yield to_responder(
        "token-subject-refused",
        Request().make(),
        "HF_E_POLICY",
        refuse=["alice"],
    )
    yield to_responder(
        "token-ticket-subject-refused",
        Request().make(token=[4, ok]),
        "HF_E_POLICY",
        refuse=["alice"],
    )
    weak = forge.certificate("alice", 2, key=bytes(32))
    yield to_responder(
        "token-key-small-order",
        Request().make(token=[1, [weak]]),
        "HF_E_PUBLIC_KEY",
    )
    name = "token-plain-wrong"
    target = Target("responder", w.responder(), name)
    sent = target.feed(hello())
    made = Request(w.ECHO, hello(), sent)
    target.feed(made.make(token=[3, "alice", "wrong"]))
    yield target.vector(name, "HF_E_PASSWORD")
    chains: dict[str, tuple[list[bytes], str]] = {
        "signature": (
            [w.ALICE[:-1] + bytes([w.ALICE[-1] ^ 1])],
            "HF_E_SIGNATURE",
        ),
        "usage": ([w.cert("alice", 1)], "HF_E_USAGE"),
        "usage-server": ([w.cert("alice", 8)], "HF_E_USAGE"),
        "usage-ca": ([w.ca("CA 1", w.CA_NAME)], "HF_E_USAGE"),
        "issuer": ([w.cert("alice", 2, "Nobody")], "HF_E_ISSUER"),
        "expired": ([w.cert("alice", 2, exp=w.NOW)], "HF_E_EXPIRED"),
        "not-yet": ([w.cert("alice", 2, nbf=w.NOW + 1)], "HF_E_NOT_YET"),
        "anchor-itself": ([w.ANCHOR], "HF_E_ISSUER"),
        "order": (w.branch("alice", 3)[::-1], "HF_E_ISSUER"),
        "cut": ([w.ALICE[:-1]], "HF_E_CBOR"),
    }
    for name, (links, error) in chains.items():
        yield to_responder(
            f"token-certificate-{name}",
            Request().make(token=[1, links]),
            error,
        )
    earned = w.seal_ticket(w.ticket(method=1, origins=w.origins(2)))
    inner = [w.cti(w.branch("alice", 2)[1])]
    for name, anchor, listed, error in (
        ("issuer", w.ca("Other CA"), None, "HF_E_ISSUER"),
        ("revoked", w.ANCHOR, w.revocations(7, inner), "HF_E_REVOKED"),
        ("stale", w.ANCHOR, w.revocations(exp=w.NOW), "HF_E_STALE_LIST"),
        (
            "revoked-before-stale",
            w.ANCHOR,
            w.revocations(7, inner, w.NOW),
            "HF_E_REVOKED",
        ),
    ):
        yield to_responder(
            f"token-ticket-origin-{name}",
            Request().make(token=[4, earned]),
            error,
            anchors=[anchor.hex()],
            lists=[listed.hex()] if listed else [],
        )
    yield to_responder(
        "token-ticket-user-refused",
        Request().make(
            token=[
                4,
                w.seal_ticket(w.ticket(method=2, sub=f"alice@{w.REALM}")),
            ]
        ),
        "HF_E_POLICY",
        refuse=["alice"],
    )
    for name, listed, error in (
        ("revoked", w.revocations(revoked=[w.cti(w.ALICE)]), "HF_E_REVOKED"),
        ("stale-list", w.revocations(exp=w.NOW), "HF_E_STALE_LIST"),
    ):
        yield to_responder(
            f"token-certificate-{name}",
            Request().make(),
            error,
            lists=[listed.hex()],
        )
    yield to_responder(
        "token-certificate-constraint",
        Request().make(),
        "HF_E_CONSTRAINT",
        anchors=[w.ca(suffixes=["bob"]).hex()],
    )
    expired = w.ticket(exp=w.NOW)
    for name, made_ticket, error in (
        ("audience", w.ticket(aud="other"), "HF_E_TICKET"),
        ("expired", expired, "HF_E_EXPIRED"),
        ("not-yet", w.ticket(iat=w.NOW + 121), "HF_E_NOT_YET"),
    ):
        yield to_responder(
            f"token-ticket-{name}",
            Request().make(token=[4, w.seal_ticket(made_ticket)]),
            error,
        )
    yield to_responder(
        "token-ticket-other-ring",
        Request().make(token=[4, ok]),
        "HF_E_TICKET",
        ring=w.ring_json(w.OLD_KEY),
    )
    flipped = ok[:-1] + bytes([ok[-1] ^ 1])
    yield to_responder(
        "token-ticket-flip", Request().make(token=[4, flipped]), "HF_E_TICKET"
    )


# grant (4.5) ----------------------------------------------------------------


def grants() -> Iterator[Json]:
    def one(
        name: str,
        error: str,
        token: str = "certificate",
        known: bool = False,
        **changes: Any,
    ) -> Json:
        """A forged grant to an initiator that has sent its request."""
        name = f"grant-{name}"
        told = {"responder_chain": [w.ECHO.hex()]} if known else {}
        left, right = w.initiator(token, **told), w.responder()
        target = Target("initiator", left, name)
        peer = forge.honest("responder", right, name)
        app = right["application"]
        out = target.start()
        while target.side.state != "request-sent":
            out = target.feed(forge.give(peer, out, app))
        forge.give(peer, out, app)
        target.feed(Grant(peer).make(**changes))
        return target.vector(name, error)

    faults: list[tuple[str, Json, str]] = [
        ("enc-31", {"enc": bytes(31)}, "HF_E_SHAPE"),
        ("enc-33", {"enc": bytes(33)}, "HF_E_SHAPE"),
        ("enc-text", {"enc": "x" * 32}, "HF_E_SHAPE"),
        ("cert-enc-null", {"cert_enc": None}, "HF_E_SHAPE"),
        ("cert-enc-32", {"cert_enc": bytes(32)}, "HF_E_SHAPE"),
        ("cert-enc-type", {"cert_enc": False}, "HF_E_SHAPE"),
        ("box-15", {"box": bytes(15)}, "HF_E_SHAPE"),
        ("box-81", {"box": bytes(81)}, "HF_E_SHAPE"),
        ("box-text", {"box": "x" * 40}, "HF_E_SHAPE"),
        ("box-random", {"box": w.draw("a grant", 74)}, "HF_E_BOX"),
        ("box-16", {"box": bytes(16)}, "HF_E_BOX"),
        ("binder-none", {"binder": b""}, "HF_E_BOX"),
        ("binder-other", {"binder": bytes(32)}, "HF_E_BOX"),
        ("transport", {"transport": bytes(32)}, "HF_E_BOX"),
        ("th1", {"th1": bytes(32)}, "HF_E_BOX"),
        ("nonce", {"nonce": b"\1" + bytes(11)}, "HF_E_BOX"),
        ("enc-other", {"enc": w.identity("echo").public}, "HF_E_BOX"),
        (
            "aad-extensions",
            {"sealed_as": {"extensions": {1: b""}}},
            "HF_E_BOX",
        ),
        ("plaintext-empty", {"plain": b""}, "HF_E_CBOR"),
        ("plaintext-no-array", {"plain": b"\0"}, "HF_E_SHAPE"),
        (
            "plaintext-3",
            {"plain": item([bytes(32), bytes(16), 1])},
            "HF_E_SHAPE",
        ),
        (
            "plaintext-5",
            {"plain": item([bytes(32), bytes(16), 1, 0, 0])},
            "HF_E_SHAPE",
        ),
        (
            "plaintext-cut",
            {"plain": item([bytes(32), bytes(16), 1, 0])[:-1]},
            "HF_E_CBOR",
        ),
        (
            "plaintext-left-over",
            {"plain": item([bytes(32), bytes(16), 1, 0]) + b"\0"},
            "HF_E_CBOR",
        ),
        (
            "plaintext-long",
            {"plain": item([bytes(32), bytes(16), 1, Raw(b"\x18\0")])},
            "HF_E_CBOR",
        ),
        ("session-key-31", {"session_key": bytes(31)}, "HF_E_SHAPE"),
        ("session-id-15", {"session_id": bytes(15)}, "HF_E_SHAPE"),
        ("session-id-17", {"session_id": bytes(17)}, "HF_E_SHAPE"),
        ("lifetime-0", {"lifetime": 0}, "HF_E_SHAPE"),
        ("lifetime-2-32", {"lifetime": 1 << 32}, "HF_E_SHAPE"),
        ("lifetime-negative", {"lifetime": -1}, "HF_E_SHAPE"),
        ("mobility-3", {"mobility": 3}, "HF_E_SHAPE"),
        ("mobility-null", {"mobility": None}, "HF_E_SHAPE"),
    ]
    for name, value, error in extension_faults():
        faults.append((f"extensions-{name}", {"extensions": value}, error))
    for name, changes, error in faults:
        yield one(name, error, **changes)
    for name, enc in SMALL.items():
        yield one(f"enc-small-{name}", "HF_E_PUBLIC_KEY", enc=enc)
    for token in ("password", "ticket"):
        yield one(f"{token}-cert-enc", "HF_E_SHAPE", token, cert_enc=b"")
        yield one(
            f"{token}-enc-small", "HF_E_PUBLIC_KEY", token, enc=bytes(32)
        )
        yield one(f"{token}-binder", "HF_E_BOX", token, binder=bytes(32))
    yield one("ticket-no-binder", "HF_E_BOX", "ticket", binder=b"")
    yield one("known-binder-none", "HF_E_BOX", known=True, binder=b"")
    yield one("known-cert-enc-null", "HF_E_SHAPE", known=True, cert_enc=None)
    name = "grant-of-another-request"
    left = w.initiator("certificate", responder_chain=[w.ECHO.hex()])
    target = Target("initiator", left, name)
    other = forge.honest("initiator", left, name)
    peer = forge.honest("responder", w.responder(), name)
    target.start()
    other.start()
    forge.play.settle(other, left["application"])
    target.feed(forge.give(peer, other.drain(), w.responder()["application"]))
    yield target.vector(name, "HF_E_BOX")


# confirm (4.6) --------------------------------------------------------------


def confirms() -> Iterator[Json]:
    for name, box, error in (
        ("15", bytes(15), "HF_E_SHAPE"),
        ("17", bytes(17), "HF_E_SHAPE"),
        ("empty", b"", "HF_E_SHAPE"),
        ("text", "x" * 16, "HF_E_SHAPE"),
        ("null", None, "HF_E_SHAPE"),
        ("zeros", bytes(16), "HF_E_BOX"),
    ):
        target, _ = reach("responder", "granted", f"confirm-{name}")
        target.feed(item([5, box]))
        yield target.vector(f"confirm-{name}", error)
    for token in ("certificate", "password", "ticket"):
        for suite in (1, 2):
            name = f"confirm-flip-{token}-suite{suite}"
            target, peer = reach(
                "responder",
                "granted",
                name,
                left=w.initiator(token, suites=[suite]),
            )
            sent = bytearray(peer.drain())
            sent[-1] ^= 1
            target.feed(bytes(sent))
            yield target.vector(name, "HF_E_BOX")
    name = "confirm-of-another-session"
    target, _ = reach("responder", "granted", name)
    _, peer = reach("responder", "granted", name + " 2")
    target.feed(peer.drain())
    yield target.vector(name, "HF_E_BOX")
    name = "confirm-under-a-traffic-key"
    target, peer = reach("responder", "granted", name)
    keys = peer.keys
    target.feed(
        item([5, forge.seal(1, keys.initiator_key, bytes(12), b"\x82\5", b"")])
    )
    yield target.vector(name, "HF_E_BOX")
    once = w.ticket("once", single_use=1)
    left = w.initiator("ticket")
    left["token"] = {
        "kind": "ticket",
        "file": w.ticket_file(once, "once").hex(),
    }
    for name, changes, error in (
        ("ticket-used", {"used": [once.cti.hex()]}, "HF_E_TICKET_USED"),
        ("ticket-store", {"store": False}, "HF_E_STORE"),
    ):
        target, peer = reach(
            "responder",
            "granted",
            name,
            left=left,
            right=w.responder(**changes),
        )
        target.feed(peer.drain())
        yield target.vector(f"confirm-{name}", error)


# Records (9) ----------------------------------------------------------------


def records_bad() -> Iterator[Json]:
    file = w.ticket_file(w.ticket("in a record"), "in a record")
    fields = [1, b"ticket", bytes(32), "s", "echo", 0, 1, 0, 1]
    target, peer = reach("initiator", "open", "a ticket that is taken")
    target.feed(forge.seal_raw(peer.sending, item(fields) + b"\5"))
    assert target.error is None
    other = w.ticket_file(w.ticket(aud="other"))

    def with_field(at: int, value: Any) -> bytes:
        return item(fields[:at] + [value] + fields[at + 1 :])

    kinds: list[tuple[str, str, bytes, str]] = [
        # name, receiver, plaintext, error
        ("data-empty", "both", b"\1", "HF_E_SHAPE"),
        ("close-with-data", "both", b"x\2", "HF_E_SHAPE"),
        ("type-0", "both", b"x\0", "HF_E_UNEXPECTED"),
        ("ack", "both", b"x\3", "HF_E_UNEXPECTED"),
        ("channel", "both", b"x\4", "HF_E_UNEXPECTED"),
        ("query", "both", b"x\7", "HF_E_UNEXPECTED"),
        ("refresh", "both", b"\x08", "HF_E_UNEXPECTED"),
        ("type-9", "both", b"x\x09", "HF_E_UNEXPECTED"),
        ("type-239", "both", b"x\xef", "HF_E_UNEXPECTED"),
        ("type-240", "both", b"x\xf0", "HF_E_UNEXPECTED"),
        ("type-255", "both", b"x\xff", "HF_E_UNEXPECTED"),
        (
            "ticket-from-initiator",
            "responder",
            file + b"\5",
            "HF_E_UNEXPECTED",
        ),
        ("ticket-empty", "initiator", b"\5", "HF_E_SHAPE"),
        ("ticket-cut", "initiator", file[:-1] + b"\5", "HF_E_SHAPE"),
        ("ticket-left-over", "initiator", file + b"\0\5", "HF_E_SHAPE"),
        (
            "ticket-version",
            "initiator",
            with_field(0, 2) + b"\5",
            "HF_E_SHAPE",
        ),
        ("ticket-none", "initiator", with_field(1, b"") + b"\5", "HF_E_SHAPE"),
        (
            "ticket-proof",
            "initiator",
            with_field(2, bytes(31)) + b"\5",
            "HF_E_SHAPE",
        ),
        ("ticket-sub", "initiator", with_field(3, "") + b"\5", "HF_E_SHAPE"),
        ("ticket-aud", "initiator", with_field(4, None) + b"\5", "HF_E_SHAPE"),
        ("ticket-of-another", "initiator", other + b"\5", "HF_E_SHAPE"),
        (
            "ticket-time",
            "initiator",
            with_field(6, (1 << 53) + 1) + b"\5",
            "HF_E_SHAPE",
        ),
        (
            "ticket-times",
            "initiator",
            with_field(5, 1) + b"\5",
            "HF_E_SHAPE",
        ),
        (
            "ticket-limit",
            "initiator",
            with_field(6, 2) + b"\5",
            "HF_E_SHAPE",
        ),
        (
            "ticket-single-use",
            "initiator",
            with_field(7, 2) + b"\5",
            "HF_E_SHAPE",
        ),
        ("alert-1", "both", b"\1\6", "HF_E_REFUSED"),
        ("alert-2", "both", b"\2\6", "HF_E_STORE"),
        ("alert-3", "both", b"\3\6", "HF_E_UNKNOWN_KEY"),
        ("alert-0", "both", b"\0\6", "HF_E_SHAPE"),
        ("alert-4", "both", b"\4\6", "HF_E_SHAPE"),
        ("alert-empty", "both", b"\6", "HF_E_SHAPE"),
        ("alert-2-bytes", "both", b"\1\1\6", "HF_E_SHAPE"),
    ]
    for name, who, plain, error in kinds:
        for role in ("initiator", "responder"):
            if who not in ("both", role):
                continue
            whole = f"record-{name}-{role}"
            target, peer = reach(role, "open", whole)
            target.feed(forge.seal_raw(peer.sending, plain))
            yield target.vector(whole, error)
    for role in ("initiator", "responder"):
        for suite in (1, 2):
            for at in (-1, -17, 4):
                name = f"record-flip{at}-{role}-suite{suite}"
                target, peer = reach(
                    role,
                    "open",
                    name,
                    left=w.initiator("certificate", suites=[suite]),
                )
                peer.send(1, b"some data")
                sent = bytearray(peer.drain())
                sent[at] ^= 1
                target.feed(bytes(sent))
                yield target.vector(name, "HF_E_BOX")
        name = f"record-twice-{role}"
        target, peer = reach(role, "open", name)
        peer.send(1, b"some data")
        sent = peer.drain()
        target.feed(sent)
        target.feed(sent)
        yield target.vector(name, "HF_E_BOX", "a replayed record")
        name = f"record-skipped-{role}"
        target, peer = reach(role, "open", name)
        peer.send(1, b"lost")
        peer.drain()
        peer.send(1, b"some data")
        target.feed(peer.drain())
        yield target.vector(name, "HF_E_BOX", "a lost record")
        name = f"record-reflected-{role}"
        target, peer = reach(role, "open", name)
        target.feed(target.send(1, b"some data"))
        yield target.vector(name, "HF_E_BOX", "the own record comes back")
        name = f"record-after-close-{role}"
        target, peer = reach(role, "open", name)
        peer.send(2, b"")
        target.feed(peer.drain())
        target.feed(forge.seal_raw(peer.sending, b"x\1"))
        yield target.vector(name, "HF_E_UNEXPECTED")
        name = f"record-head-after-close-{role}"
        target, peer = reach(role, "open", name)
        peer.send(2, b"")
        target.feed(peer.drain())
        target.feed(b"\x82\x10")
        yield target.vector(name, "HF_E_UNEXPECTED", "its type is enough")
        name = f"record-after-both-data-and-close-{role}"
        target, peer = reach(role, "open", name)
        peer.send(1, b"data")
        peer.send(2, b"")
        both = peer.drain() + forge.seal_raw(peer.sending, b"x\1")
        target.feed(both)
        yield target.vector(name, "HF_E_UNEXPECTED", "all in one feed")
        name = f"record-alert-after-own-close-{role}"
        target, peer = reach(role, "open", name)
        target.send(2)
        target.feed(forge.seal_raw(peer.sending, b"\1"))
        yield target.vector(
            name, "HF_E_SHAPE", "no alert after the own close record"
        )
        for size, error in (
            (16, "HF_E_SHAPE"),
            (0, "HF_E_SHAPE"),
            (17, "HF_E_BOX"),
        ):
            name = f"record-of-{size}-{role}"
            target, _ = reach(role, "open", name)
            target.feed(item([16, bytes(size)]))
            yield target.vector(name, error)
        for value, kind in (("x" * 20, "text"), (None, "null"), ([], "array")):
            name = f"record-{kind}-{role}"
            target, _ = reach(role, "open", name)
            target.feed(item([16, value]))
            yield target.vector(name, "HF_E_SHAPE")
        name = f"record-clear-alert-{role}"
        target, _ = reach(role, "open", name)
        target.feed(item([8, 1]))
        yield target.vector(name, "HF_E_UNEXPECTED")


def preset_records() -> Iterator[Json]:
    """Receivers at a sequence number, across a ratchet, at the end."""
    edge = records.RATCHET
    for suite in (1, 2):
        stream = w.Stream(f"bad record {suite}")
        key, iv, digest = stream(32), stream(12), stream(32)

        def sender(sequence: int) -> records.Direction:
            return records.Direction(suite, key, iv, digest, sequence)

        def vector(name: str, sequence: int, raw: bytes, error: str) -> Json:
            return {
                "id": f"record-open-{name}-suite{suite}",
                "kind": "record-open",
                "suite": suite,
                "key": key.hex(),
                "iv": iv.hex(),
                "digest": digest.hex(),
                "sequence": sequence,
                "from": "initiator",
                "bytes": raw.hex(),
                "expected": error,
            }

        stale = sender(edge)
        box = forge.seal(
            suite, key, stale.nonce(iv), messages.RECORD_AAD, b"x\1"
        )
        yield vector("old-key", edge, item([16, box]), "HF_E_BOX")
        early = sender(edge)
        yield vector(
            "early-ratchet", edge - 1, early.seal(1, b"x"), "HF_E_BOX"
        )
        yield vector("other-sequence", 5, sender(6).seal(1, b"x"), "HF_E_BOX")
        yield vector(
            "exhausted",
            records.SEQUENCE_MAX,
            item([16, bytes(17)]),
            "HF_E_EXHAUSTED",
        )
        last = sender(records.SEQUENCE_MAX - 1).seal(1, b"x")
        yield vector(
            "after-the-last",
            records.SEQUENCE_MAX - 1,
            last + item([16, bytes(17)]),
            "HF_E_EXHAUSTED",
        )
        swapped = sender(edge - 1)
        first, second = swapped.seal(1, b"a"), swapped.seal(1, b"b")
        yield vector("swapped", edge - 1, second + first, "HF_E_BOX")


def files_of_vectors() -> Iterator[tuple[str, Iterator[Json]]]:
    yield "request-plaintext", plaintexts()
    yield "request-token", tokens()
    yield "grant", grants()
    yield "confirm", confirms()
    yield "record", records_bad()
    yield "record-preset", preset_records()
