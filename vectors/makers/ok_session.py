# SPDX-License-Identifier: ISC
"""Sessions of one side that do not fail: what is allowed at the edges."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import cbor, hpke, messages, schedule
from handfast1.crypto import x25519, x25519_public

from . import forge, world as w
from .forge import Grant, Request, Target, hello, item, offer, reach
from .world import Json


def done(target: Target, name: str, state: str, note: str = "") -> Json:
    assert target.error is None, (name, target.error)
    assert target.side.state == state, (name, target.side.state)
    return target.vector(f"session-{name}", None, note)


def hellos() -> Iterator[Json]:
    cases: tuple[tuple[str, Json, str], ...] = (
        ("suites-unknown", {"suites": [9, 65280, 0, 2, 1]}, "skipped"),
        ("suites-8", {"suites": [65535, 9, 8, 7, 6, 5, 2, 1]}, ""),
        ("target-255", {"target": "x" * 255}, ""),
        ("cookie-unknown", {"cookie": bytes(24)}, "counts as none"),
        ("cookie-64", {"cookie": bytes(64)}, "counts as none"),
        ("extensions", {"extensions": {0: b"", 65535: bytes(256)}}, ""),
        (
            "extensions-16",
            {"extensions": {1000 + i: bytes([i]) for i in range(16)}},
            "",
        ),
        ("extension-most", {"extensions": {(1 << 63) - 1: b""}}, ""),
    )
    for name, changes, note in cases:
        target = Target("responder", w.responder(), name)
        target.feed(hello(**changes))
        yield done(target, f"hello-{name}", "offered", note)
    target = Target("responder", w.responder(), "hello byte by byte")
    for byte in hello():
        target.feed(bytes([byte]))
    yield done(target, "hello-byte-by-byte", "offered")
    target = Target("initiator", w.initiator("certificate"), "late offer")
    target.start()
    target.wait(9)
    target.feed(offer())
    yield done(target, "offer-before-the-deadline", "request-sent")
    private = {65536: b"", 131072: b"", (1 << 63) - 1: b""}
    target = Target("initiator", w.initiator("certificate"), "offer ext")
    target.start()
    target.feed(offer(extensions=private))
    yield done(target, "offer-extensions", "request-sent")
    target = Target("initiator", w.initiator("certificate"), "offer bit")
    target.start()
    prekey = x25519_public(w.draw("a prekey"))
    target.feed(offer(prekey=top_bit(prekey)))
    yield done(
        target,
        "offer-prekey-top-bit",
        "request-sent",
        "masked for X25519, as it is in kem_context",
    )


def top_bit(key: bytes) -> bytes:
    return key[:-1] + bytes([key[-1] | 0x80])


def requests() -> Iterator[Json]:
    forged = Request()
    for name, changes in (
        ("plain", {}),
        ("extensions", {"extensions": {65536: b"", 131072: bytes(256)}}),
        ("cookie-unknown", {"cookie": b"?"}),
        ("early", {"time": w.NOW - 120}),
        ("late", {"time": w.NOW + 120}),
    ):
        target = Target("responder", w.responder(), f"request {name}")
        target.feed(forged.make(**changes))
        yield done(target, f"request-{name}", "granted")
    enc = top_bit(x25519_public(forge.EPHEMERAL))
    recipient = w.identity("echo").public
    secret = hpke._extract_and_expand(
        x25519(forge.EPHEMERAL, recipient), enc + recipient
    )
    key, nonce = schedule.request_keys(forged.th0, secret, None)
    head = messages.request_head(
        1, schedule.key_id(w.ECHO), "", None, enc, None, {}
    )
    box = hpke.box_seal(key, nonce, head, forge.plaintext())
    target = Target("responder", w.responder(), "request top bit")
    target.feed(head + cbor.encode(box))
    yield done(target, "request-enc-top-bit", "granted", "masked, as above")


def grants() -> Iterator[Json]:
    def granted(name: str, **changes: Any) -> Json:
        left, right = w.initiator("certificate"), w.responder()
        target = Target("initiator", left, f"grant {name}")
        peer = forge.honest("responder", right, f"grant {name}")
        app = right["application"]
        out = target.start()
        while target.side.state != "request-sent":
            out = target.feed(forge.give(peer, out, app))
        forge.give(peer, out, app)
        target.feed(Grant(peer).make(**changes))
        return done(target, f"grant-{name}", "open")

    yield granted("mobility-1", mobility=1)
    yield granted("mobility-2", mobility=2)
    yield granted("lifetime-1", lifetime=1)
    yield granted("lifetime-most", lifetime=(1 << 32) - 1)
    yield granted("extensions", extensions={1: b"", 65540: bytes(256)})


def opened() -> Iterator[Json]:
    name = "confirm-and-records"
    target, peer = reach("responder", "granted", name)
    sent = peer.drain()
    peer.send(1, b"at once")
    peer.send(2, b"")
    target.feed(sent + peer.drain())
    yield done(target, name, "open", "all in one feed")
    for role in ("initiator", "responder"):
        name = f"closed-{role}"
        target, peer = reach(role, "open", name)
        target.send(1, b"some data")
        target.send(2)
        peer.send(1, b"more")
        peer.send(2, b"")
        target.feed(peer.drain())
        target.end()
        yield done(target, name, "closed")
        name = f"ended-after-close-{role}"
        target, peer = reach(role, "open", name)
        peer.send(2, b"")
        target.feed(peer.drain())
        target.end()
        target.send(1, b"still open this way")
        target.send(2)
        yield done(target, name, "closed")
        name = f"record-in-pieces-{role}"
        target, peer = reach(role, "open", name)
        peer.send(1, b"in pieces")
        raw = peer.drain()
        for i in range(0, len(raw), 7):
            target.feed(raw[i : i + 7])
        yield done(target, name, "open")
        name = f"before-the-end-of-life-{role}"
        target, peer = reach(role, "open", name, right=w.responder(lifetime=5))
        target.wait(4)
        yield done(target, name, "open")
    retry = item([2, b"a cookie"])
    target = Target("initiator", w.initiator("certificate"), "retries")
    target.start()
    target.feed(retry)
    target.feed(offer())
    yield done(target, "retry-then-offer", "request-sent")
    target = Target("initiator", w.initiator("certificate"), "retries 2")
    target.start()
    target.feed(offer())
    target.feed(item([2, bytes(64)]))
    yield done(target, "offer-then-retry", "request-sent")


def files_of_vectors() -> Iterator[tuple[str, list[Json]]]:
    yield "session", [*hellos(), *requests(), *grants(), *opened()]
