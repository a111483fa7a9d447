# SPDX-License-Identifier: ISC
"""Vectors of channels (spec section 20): one end, its application's steps and
the peer's frames; and frames that are refused."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import channels

from . import ok, world as w
from .forge import Raw, item, reach
from .world import Json

R = channels


def frames(*made: Any) -> bytes:
    return b"".join(item(list(f)) for f in made)


def feed(*made: Any) -> Json:
    return {"do": "feed", "bytes": frames(*made).hex()}


def do(what: str, channel: int, **more: Any) -> Json:
    return {"do": what, "channel": channel, **more}


def send(channel: int, size: int) -> Json:
    return do("send", channel, byte=0x61 + channel, size=size)


def opening(label: str) -> Json:
    return {"do": "open", "label": label}


def end(name: str, *steps: Json, expected: str | None = None, **told: Any) -> Json:
    limits = {"own": 4, "peers": 4, "window": 65536, "send": 4096, **told}
    vector: Json = {"id": f"channel-{name}", "kind": "channel"}
    vector["role"] = limits.pop("role", "responder")
    vector |= {**limits, "steps": [*steps]}
    if expected:
        vector["expected"] = expected
    return vector


I = {"role": "initiator"}


def good() -> Iterator[Json]:
    yield end(
        "echo",
        opening("echo"),
        send(0, 5),
        do("finish", 0),
        feed((R.DATA, 0, b"hel"), (R.DATA, 0, b"lo"), (R.FIN, 0)),
        do("take", 0, size=5),
        do("free", 0),
        **I,
    )
    yield end(
        "accepted",
        feed((R.OPEN, 0, "a"), (R.DATA, 0, b"xy"), (R.OPEN, 2, "é"), (R.FIN, 2)),
        send(0, 4),
        do("take", 0, size=1),
        send(1, 7),
        feed((R.RESET, 0, 5)),
        do("finish", 1),
    )
    yield end(
        "numbers",
        opening("first"),
        opening("never said"),
        do("free", 1),
        opening("third"),
        feed((R.OPEN, 1, ""), (R.OPEN, 3, "")),
        **I,
    )
    yield end(
        "late",
        feed((R.OPEN, 0, "")),
        do("reset", 0, reason=3),
        feed((R.DATA, 0, b"on its way"), (R.CREDIT, 0, 1), (R.FIN, 0)),
        feed((R.CREDIT, 0, 1 << 24), (R.RESET, 0, 192), (R.RESET, 0, 127)),
    )
    yield end(
        "refused",
        feed((R.OPEN, 0, ""), (R.OPEN, 2, ""), (R.DATA, 2, b"lost")),
        feed((R.RESET, 2, 4), (R.OPEN, 4, "")),
        do("free", 0),
        feed((R.FIN, 0), (R.OPEN, 6, "taken")),
        peers=1,
    )
    yield end(
        "unsent",
        feed((R.OPEN, 0, ""), (R.FIN, 0)),
        send(0, 70000),
        do("finish", 0),
        do("free", 0),
        feed((R.OPEN, 2, "refused"), (R.FIN, 2)),
        feed((R.CREDIT, 0, 70000)),
        feed((R.OPEN, 4, "taken")),
        peers=1,
        send=70000,
    )
    yield end("none-taken", feed((R.OPEN, 0, "")), peers=0)
    yield end(
        "credit",
        feed((R.OPEN, 0, ""), (R.DATA, 0, bytes(32767)), (R.DATA, 0, b"\1")),
        do("take", 0, size=32767),
        do("take", 0, size=1),
        feed((R.DATA, 0, bytes(9))),
        do("take", 0, size=9),
    )
    yield end(
        "window",
        feed((R.OPEN, 0, ""), (R.DATA, 0, b"1")),
        do("take", 0, size=1),
        window=1 << 24,
    )
    yield end(
        "blocked",
        opening(""),
        *[send(0, 30000) for _ in range(3)],
        feed((R.CREDIT, 0, 1)),
        do("finish", 0),
        feed((R.CREDIT, 0, (1 << 24) - 1)),
        **I,
        send=30000,
    )
    yield end(
        "turns",
        opening("a"),
        opening("b"),
        opening("c"),
        *[send(i, 20000) for i in (0, 1)],
        feed((R.CREDIT, 0, 70000), (R.CREDIT, 2, 70000)),
        send(2, 5),
        **I,
        send=40000,
    )
    yield end(
        "words",
        *[opening(x) for x in "abc"],
        *[send(i, 65536) for i in range(3)],
        *[send(i, size) for i, size in enumerate((40000, 40000, 2000))],
        feed(*[(R.CREDIT, 2 * i, size) for i, size in enumerate((35000, 9, 1500))]),
        do("finish", 2),
        feed(*[(R.CREDIT, 2 * i, 35000) for i in range(3)]),
        **I,
        send=70000,
    )
    yield end(
        "hangup",
        opening(""),
        send(0, 9),
        do("finish", 0),
        do("free", 0),
        feed((R.DATA, 0, b"too late"), (R.RESET, 0, 1)),
        **I,
    )
    yield end(
        "cut",
        feed((R.OPEN, 0, "")),
        send(0, 6),
        do("cut", 0, reason=3),
        do("free", 0),
        feed((R.FIN, 0)),
    )
    yield end(
        "moved",
        feed((R.OPEN, 0, "a"), (R.DATA, 0, b"read")),
        opening("b"),
        send(1, 4),
        {"do": "restart", "reason": 128},
        feed((R.OPEN, 0, "anew")),
        opening("anew"),
    )
    yield end(
        "largest",
        feed((R.OPEN, 0, "x" * 64)),
        opening("ü" * 32),
        do("reset", 0, reason=255),
        do("reset", 1, reason=192),
    )


def bad_forms() -> Iterator[tuple[str, str, bytes]]:
    yield "no-array", "HF_E_SHAPE", b"\0"
    yield "one-item", "HF_E_SHAPE", b"\x81\0"
    yield "four-items", "HF_E_SHAPE", frames((0, 0, "", 0))
    yield "cut", "HF_E_CBOR", frames((0, 0, "label"))[:-1]
    yield "indefinite", "HF_E_CBOR", b"\x9f\0\0\x60\xff"
    yield "long-type", "HF_E_CBOR", b"\x83\x18\0\0\x60"
    yield "long-number", "HF_E_CBOR", b"\x83\0\x18\0\x60"
    yield "long-length", "HF_E_CBOR", b"\x83\0\0\x78\0"
    yield "tag", "HF_E_CBOR", b"\xc1" + frames((0, 0, ""))
    yield "left-over", "HF_E_CBOR", frames((0, 0, "")) + b"\x83"
    yield "second", "HF_E_SHAPE", frames((0, 0, "")) + b"\0"
    yield "type-5", "HF_E_UNEXPECTED", frames((5, 0, 0))
    yield "type-large", "HF_E_UNEXPECTED", frames(((1 << 64) - 1, 0))
    yield "type-negative", "HF_E_SHAPE", frames((-1, 0))
    yield "type-bytes", "HF_E_SHAPE", frames((b"", 0))
    yield "open-two", "HF_E_SHAPE", frames((0, 0))
    yield "fin-three", "HF_E_SHAPE", frames((3, 0, 0))
    yield "number-large", "HF_E_SHAPE", frames((0, 1 << 32, ""))
    yield "number-negative", "HF_E_SHAPE", frames((0, -1, ""))
    yield "label-65", "HF_E_SHAPE", frames((0, 0, "x" * 65))
    yield "label-bytes", "HF_E_SHAPE", frames((0, 0, b"x"))
    yield "label-control", "HF_E_SHAPE", frames((0, 0, "\n"))
    yield "label-utf8", "HF_E_SHAPE", frames((0, 0, Raw(b"\x61\xff")))


def bad_values() -> Iterator[tuple[str, str, bytes]]:
    """Of channel 0, which is open."""
    yield "data-empty", "HF_E_SHAPE", frames((1, 0, b""))
    yield "data-text", "HF_E_SHAPE", frames((1, 0, "x"))
    yield "data-past", "HF_E_TOO_BIG", frames((1, 0, bytes(65520)), (1, 0, bytes(17)))
    yield "credit-0", "HF_E_SHAPE", frames((2, 0, 0))
    yield "credit-large", "HF_E_SHAPE", frames((2, 0, (1 << 24) + 1))
    yield "credit-sum", "HF_E_SHAPE", frames((2, 0, (1 << 24) - 65535))
    yield "fin-twice", "HF_E_UNEXPECTED", frames((3, 0), (3, 0))
    yield "data-after-fin", "HF_E_UNEXPECTED", frames((3, 0), (1, 0, b"x"))
    yield "data-after-reset", "HF_E_UNEXPECTED", frames((4, 0, 1), (1, 0, b"x"))
    yield "fin-after-reset", "HF_E_UNEXPECTED", frames((4, 0, 1), (3, 0))
    for reason in (0, 128, 129, 191, 256):
        yield f"reason-{reason}", "HF_E_SHAPE", frames((4, 0, reason))
    yield "open-twice", "HF_E_UNEXPECTED", frames((0, 0, ""))
    yield "open-gap", "HF_E_UNEXPECTED", frames((0, 4, ""))
    yield "open-parity", "HF_E_UNEXPECTED", frames((0, 1, ""))
    for kind, value in ((1, b"x"), (2, 1), (4, 1)):
        yield f"unused-{kind}", "HF_E_UNEXPECTED", frames((kind, 2, value))
        yield f"unused-own-{kind}", "HF_E_UNEXPECTED", frames((kind, 1, value))
    yield "unused-3", "HF_E_UNEXPECTED", frames((3, 2))


def bad_ends() -> Iterator[Json]:
    for name, error, data in bad_forms():
        fed = {"do": "feed", "bytes": data.hex()}
        yield end(f"bad-{name}", fed, expected=error)
    for name, error, data in bad_values():
        fed = {"do": "feed", "bytes": data.hex()}
        yield end(f"bad-{name}", feed((0, 0, "")), fed, expected=error)
    yield end(
        "bad-many",
        feed(*[(0, 2 * i, "") for i in range(1024)]),
        feed((4, 0, 1), (0, 2048, "")),
        feed((0, 2050, "")),
        peers=0,
        expected="HF_E_TOO_BIG",
    )
    yield end(
        "bad-reset-credit",
        feed((0, 0, "")),
        do("reset", 0, reason=1),
        feed((1, 0, bytes(65500)), (1, 0, bytes(37))),
        expected="HF_E_TOO_BIG",
    )
    yield end(
        "bad-moved",
        feed((0, 0, "")),
        {"do": "restart", "reason": 128},
        feed((1, 0, b"x")),
        expected="HF_E_UNEXPECTED",
    )
    yield end(
        "bad-numbers-initiator",
        feed((0, 0, "")),
        expected="HF_E_UNEXPECTED",
        **I,
    )


CARRIED = [
    {"from": "initiator", "type": 4, "data": frames((0, 0, "echo")).hex()},
    {"from": "responder", "type": 4, "data": frames((2, 0, 1)).hex()},
    {"from": "initiator", "type": 2, "data": ""},
    {"from": "responder", "type": 2, "data": ""},
]


def handshakes() -> Iterator[Json]:
    known = [w.ECHO.hex()]
    asks, gives = {"channels": True}, {"channels": True}
    for name, left, right, send in (
        ("channels", asks, gives, CARRIED),
        ("channels-not-served", asks, {}, None),
        ("channels-not-asked", {}, gives, None),
        ("channels-grease", {**asks, "grease": True}, {**gives, "grease": True}, CARRIED),
    ):
        yield ok.handshake(
            name,
            w.initiator("certificate", responder_chain=known, **left),
            w.responder(**right),
            send=send,
        )
    yield ok.handshake(
        "channels-offer",
        w.initiator("ticket", dispatched=True, **asks),
        w.responder(**gives),
        send=CARRIED,
    )


def bad_records() -> Iterator[Json]:
    left = w.initiator("certificate", channels=True)
    right = w.responder(channels=True)
    for role in ("initiator", "responder"):
        for name, kind, data, error in (
            ("data", 1, b"data", "HF_E_UNEXPECTED"),
            ("nothing", 4, b"", "HF_E_SHAPE"),
        ):
            name = f"channels-{name}-{role}"
            target, peer = reach(role, "open", name, left=left, right=right)
            peer.send(kind, data)
            target.feed(peer.drain())
            yield target.vector(f"session-{name}", error)


def files_of_vectors() -> Iterator[tuple[str, Any]]:
    yield "channel", [*good()]
    yield "handshake-channels", [*handshakes()]


class bad:
    """The same under bad/."""

    @staticmethod
    def files_of_vectors() -> Iterator[tuple[str, Any]]:
        yield "channel", [*bad_ends()]
        yield "channel-record", [*bad_records()]
