# SPDX-License-Identifier: ISC
"""Frames of the agent's own protocol, good and bad (spec section 21.3)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import cbor
from handfast1.cbor import encode_head

from . import world as w
from .forge import Raw, item
from .world import Json

CBOR, SHAPE, TOO_BIG = "HF_E_CBOR", "HF_E_SHAPE", "HF_E_TOO_BIG"
UNEXPECTED, VERSION = "HF_E_UNEXPECTED", "HF_E_VERSION"
U8, U16, U32, U64 = 1 << 8, 1 << 16, 1 << 32, 1 << 64
SID = w.draw("moving session id", 16)

OPEN: tuple[Any, ...] = (0, 1, "echo")
DATA, END, OVER = (1, b"hello"), (2,), (3, 84, 5)
STATUS, CLOSE = (4, 1), (5, 1, "echo")
INFO = (16, SID, 1, 3, 2, b"echo", 0)
PEER = (17, "echo", 2, SID, 3, 1, 2, 1, 1, 300, 70000, 0)
DONE = (18, 0)
NONE = (17, "none", 0, b"", 0, 0, 0, 0, 0, 0, 0, 0)


def frames(*made: tuple[Any, ...]) -> bytes:
    return b"".join(item(list(f)) for f in made)


def told(name: str, side: str, raw: bytes) -> Json:
    return {
        "id": f"agent-frames-{name}",
        "kind": "agent-frames",
        "side": side,
        "bytes": raw.hex(),
        "at": None,
    }


# Good ones ------------------------------------------------------------------


def by_applications() -> Iterator[tuple[str, bytes]]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    yield "open-least", frames((0, 1, "a"))
    yield "open-letters", frames((0, 1, letters + letters.upper()))
    yield "open-others", frames((0, 1, "0123456789.-_"))
    yield "open-most", frames((0, 1, "_" * 64))
    for size in (1, 23, 24, 255, 256, 16383, 16384):
        yield f"data-{size}", frames(OPEN, (1, b"d" * size))
    yield "end", frames(OPEN, END)
    yield "end-over", frames(OPEN, DATA, END, OVER)
    yield "over-least", frames(OPEN, (3, 1, 0))
    yield "over-most", frames(OPEN, DATA, DATA, (3, 95, 255))
    for error in (23, 24, 79, 81):
        yield f"over-{error}", frames(OPEN, (3, error, 23))
    yield "over-reason-24", frames(OPEN, (3, 84, 24))
    yield "status", frames(STATUS)
    yield "close-least", frames((5, 1, "-"))
    yield "close-most", frames((5, 1, "9" * 64))
    for last, made in (("over", (OPEN, OVER)), ("status", (STATUS,))):
        yield f"behind-{last}", frames(*made) + b"\xffnothing"


def by_agents() -> Iterator[tuple[str, bytes]]:
    yield "info-least", frames((16, bytes(16), 0, 0, 0, b"", 0))
    yield "info-most", frames(
        (16, b"\xff" * 16, 65535, U64 - 1, 2, b"r" * 255, 1)
    )
    yield "info-again", frames(INFO, DATA, INFO, END, INFO, OVER)
    for number in (23, 24, U8 - 1, U8, U16 - 1, U16, U32 - 1, U32, U64 // 2):
        yield f"info-epoch-{number}", frames(
            (16, SID, 1, number, 1, b"echo", 0)
        )
    yield "info-responder-any", frames((16, SID, 1, 0, 1, b"\0\xff\n", 0))
    yield "data", frames(INFO, DATA, (1, b"d" * 300), DATA)
    yield "end", frames(INFO, DATA, END)
    yield "over-first", frames((3, 7, 2))
    yield "over-least", frames(INFO, (3, 1, 0))
    yield "over-most", frames(INFO, (3, 95, 255))
    yield "over-after-end", frames(INFO, END, OVER)
    yield "peer-least", frames((17, "a", *NONE[2:]))
    yield "peer-most", frames(
        (17, "Z" * 64, 3, b"\xff" * 16, *[U64 - 1] * 7, 95)
    )
    yield "peer-none", frames(NONE, DONE)
    yield "peers", frames(PEER, NONE, (17, "x", 1, *NONE[3:]), DONE)
    yield "peer-over", frames(PEER, OVER)
    for error in (0, 79, 81, 95):
        yield f"done-{error}", frames((18, error))
    yield "behind-done", frames(DONE) + frames(DONE)


def parts() -> Iterator[Json]:
    """What has not all arrived is left over."""
    yield told("part-nothing", "application", b"")
    for name, side, before, last in (
        ("open", "application", (), OPEN),
        ("data", "application", (OPEN, DATA), (1, b"d" * 300)),
        ("info", "agent", (), INFO),
        ("peer", "agent", (PEER,), PEER),
    ):
        raw, good = frames(*before), item(list(last))
        for cut in (1, 2, 3, 4, 5, len(good) - 1):
            yield told(f"part-{name}-{cut}", side, raw + good[:cut])
    name = item("n" * 64)
    yield told("part-name", "application", b"\x83\0\1" + name[:2])


def goods() -> Iterator[Json]:
    for name, raw in by_applications():
        yield told(f"application-{name}", "application", raw)
    for name, raw in by_agents():
        yield told(f"agent-{name}", "agent", raw)
    yield from parts()


# Bad ones -------------------------------------------------------------------


def wrong(
    name: str,
    side: str,
    before: bytes,
    shown: bytes,
    error: str,
    rest: bytes = b"",
) -> Json:
    """The fault is seen with the last byte of `shown`."""
    vector = told(name, side, before + shown + rest)
    vector["at"] = len(before + shown)
    vector["expected"] = error
    return vector


# An item, to the byte that shows that it is none, and the rest of it.
NEVER: tuple[tuple[str, bytes, bytes], ...] = (
    ("reserved-28", b"\x1c", b""),
    ("reserved-30", b"\x5e", b""),
    ("indefinite-bytes", b"\x5f", b"\x41a\xff"),
    ("indefinite-text", b"\x7f", b"\x61a\xff"),
    ("indefinite-array", b"\x9f", b"\xff"),
    ("indefinite-map", b"\xbf", b"\xff"),
    ("tag", b"\xc1", b"\0"),
    ("tag-of-one-byte", b"\xd8", b"\x18\0"),
    ("simple", b"\xe0", b""),
    ("undefined", b"\xf7", b""),
    ("simple-of-one-byte", b"\xf8", b"\x20"),
    ("float", b"\xf9", b"\0\0"),
    ("double", b"\xfb", bytes(8)),
    ("break", b"\xff", b""),
)
OTHERS: tuple[tuple[str, int, bytes, bytes], ...] = (
    ("number", 0, b"\0", b""),
    ("long-number", 0, b"\x18", b"\0"),
    ("negative", 1, b"\x20", b""),
    ("bytes", 2, b"\x41", b"a"),
    ("text", 3, b"\x61", b"a"),
    ("array", 4, b"\x80", b""),
    ("map", 5, b"\xa0", b""),
    ("false", 7, b"\xf4", b""),
    ("null", 7, b"\xf6", b""),
)


def long_heads(major: int, most: int) -> Iterator[tuple[str, bytes]]:
    """Each longer than it need be."""
    for size, value in ((1, 0), (1, 1), (1, 23), (2, 24), (2, 255)):
        if value <= most:
            info = bytes([major << 5 | 23 + size])
            yield f"{size}-{value}", info + value.to_bytes(size, "big")
    for size, value in ((4, U16 - 1), (8, U32 - 1)):
        info = bytes([major << 5 | (26 if size == 4 else 27)])
        yield f"{size}-{value}", info + value.to_bytes(size, "big")


def items_of(
    major: int, name: str, side: str, before: bytes, rest: bytes
) -> Iterator[Json]:
    """Whatever else than an item of that type stands there."""
    for what, first, more in NEVER:
        yield wrong(f"{name}-{what}", side, before, first, CBOR, more + rest)
    for what, other, first, more in OTHERS:
        if other != major:
            yield wrong(
                f"{name}-{what}", side, before, first, SHAPE, more + rest
            )


def arrays() -> Iterator[Json]:
    """What a frame begins with."""
    yield from items_of(cbor.ARRAY, "array", "application", b"", b"")
    yield wrong("array-none", "application", b"", b"\x80", SHAPE)
    yield wrong("array-none-agent", "agent", b"", b"\x80", SHAPE)
    yield wrong("array-second", "application", frames(OPEN), b"\x40", SHAPE)
    for count in (13, 23, 24, U8, U16, U32, U64 - 1):
        shown = encode_head(cbor.ARRAY, count)
        rest = item(0) * count if count < 25 else b""
        yield wrong(f"array-{count}", "application", b"", shown, SHAPE, rest)
    for name, head in long_heads(cbor.ARRAY, 255):
        yield wrong(f"array-long-{name}", "agent", b"", head, CBOR)


def types() -> Iterator[Json]:
    yield from items_of(
        cbor.UINT, "type", "application", b"\x83", frames(OPEN)[2:]
    )
    for name, head in long_heads(cbor.UINT, 255):
        yield wrong(
            f"type-long-{name}", "application", b"\x83", head, CBOR,
            frames(OPEN)[2:],
        )
    numbers = (*range(6, 16), 19, 23, 24, 32, U8, U16, U32, U32 + 17, U64 - 1)
    for side, others in (("application", (16, 17, 18)), ("agent", (0, 4, 5))):
        for number in (*numbers, *others):
            yield wrong(
                f"type-{side}-{number}", side, b"\x83", item(number),
                UNEXPECTED, b"\1\x61a",
            )


ORDER: tuple[tuple[str, str, tuple[Any, ...], tuple[Any, ...]], ...] = (
    ("application", "nothing", (), (DATA, END, OVER)),
    ("application", "open", (OPEN,), (OPEN, STATUS, CLOSE)),
    ("application", "data", (OPEN, DATA), (OPEN, STATUS, CLOSE)),
    (
        "application",
        "end",
        (OPEN, END),
        (OPEN, DATA, END, STATUS, CLOSE),
    ),
    ("agent", "nothing", (), (DATA, END)),
    ("agent", "info", (INFO,), (PEER, DONE)),
    ("agent", "data", (INFO, DATA), (PEER, DONE)),
    ("agent", "end", (INFO, END), (DATA, END, PEER, DONE)),
    ("agent", "info-end", (INFO, END, INFO), (DATA, END)),
    ("agent", "peer", (PEER,), (DATA, END, INFO)),
)


def orders() -> Iterator[Json]:
    """Types that have no place there, at their first two bytes."""
    for side, after, before, nexts in ORDER:
        for made in nexts:
            raw = item(list(made))
            at = 2 if made[0] < 24 else 3
            yield wrong(
                f"order-{side}-{after}-then-{made[0]}", side,
                frames(*before), raw[:at], UNEXPECTED, raw[at:],
            )


def versions() -> Iterator[Json]:
    for made in (OPEN, STATUS, CLOSE):
        name, rest = f"version-{made[0]}", frames(made)[3:]
        before = encode_head(4, len(made)) + item(made[0])
        for other in (0, 2, 23, 24, U8 + 1, U16 + 1, U32 + 1, U64 - 1):
            yield wrong(
                f"{name}-{other}", "application", before, item(other),
                VERSION, rest,
            )
        yield from items_of(cbor.UINT, name, "application", before, rest)
        for what, head in long_heads(cbor.UINT, 255):
            yield wrong(
                f"{name}-long-{what}", "application", before, head, CBOR, rest
            )
        for count in (2, 3, 4, 12):
            if count != len(made):
                yield wrong(
                    f"{name}-before-{count}-items", "application",
                    encode_head(4, count) + item(made[0]), item(2), VERSION,
                    item(0) * (count - 2),
                )


def counts() -> Iterator[Json]:
    """Too many items of a type, or too few: after the version, where there
    is one, else with the type."""
    for made, side, before in (
        (OPEN, "application", b""),
        (STATUS, "application", b""),
        (CLOSE, "application", b""),
        (DATA, "application", frames(OPEN)),
        (END, "application", frames(OPEN)),
        (OVER, "agent", b""),
        (INFO, "agent", b""),
        (PEER, "agent", b""),
        (DONE, "agent", b""),
    ):
        versioned = made[0] in (0, 4, 5)
        for n in sorted({1, len(made) - 1, len(made) + 1, 12}):
            if n in (0, len(made), 13):
                continue
            fields = [*made, *[0] * n][:n]
            known = 2 if versioned and n > 1 else 1
            shown = encode_head(4, n) + b"".join(map(item, fields[:known]))
            rest = b"".join(map(item, fields[known:]))
            yield wrong(
                f"count-{made[0]}-{n}", side, before, shown, SHAPE, rest
            )


NAME, NUMBER, BYTES = cbor.TEXT, cbor.UINT, cbor.BYTES
BIG = (U32 + 1, U64 - 1)
ERROR = (("again", item(80)), ("96", item(96)), ("high", item(U32 + 1)))
SIZE_OF_ID = (("17", encode_head(2, 17)), ("high", encode_head(2, U32 + 16)))
# Of each frame the fields after a version: name, type, what is too much for
# HF_E_TOO_BIG, what is else too little or too much.
FIELDS: tuple[tuple[str, Any, Any, Any], ...] = (
    ("open", (), OPEN, (("peer", NAME, (), ()),)),
    (
        "data",
        (OPEN,),
        DATA,
        (
            (
                "data",
                BYTES,
                tuple(
                    (str(n), encode_head(2, n)) for n in (16385, U16, *BIG)
                ),
                (("0", b"\x40"),),
            ),
        ),
    ),
    (
        "over",
        (),
        OVER,
        (
            ("error", NUMBER, (), (("0", b"\0"), *ERROR)),
            (
                "reason",
                NUMBER,
                (),
                tuple((str(n), item(n)) for n in (256, U16, U32, U64 - 1)),
            ),
        ),
    ),
    ("close", (), CLOSE, (("peer", NAME, (), ()),)),
    (
        "info",
        (),
        INFO,
        (
            (
                "session_id",
                BYTES,
                SIZE_OF_ID,
                (("0", b"\x40"), ("15", b"\x4f")),
            ),
            ("suite", NUMBER, (), (("65536", item(U16)),)),
            ("epoch", NUMBER, (), ()),
            ("strength", NUMBER, (), (("3", b"\3"), ("high", item(U32)))),
            ("responder", BYTES, (("256", b"\x59\1\0"),), ()),
            ("broken", NUMBER, (), (("2", b"\2"), ("high", item(U32)))),
        ),
    ),
    (
        "peer",
        (),
        PEER,
        (
            ("name", NAME, (), ()),
            ("state", NUMBER, (), (("4", b"\4"), ("high", item(U32)))),
            (
                "session_id",
                BYTES,
                SIZE_OF_ID,
                (("1", b"\x41"), ("15", b"\x4f")),
            ),
            ("epoch", NUMBER, (), ()),
            ("channels", NUMBER, (), ()),
            ("opened", NUMBER, (), ()),
            ("handshakes", NUMBER, (), ()),
            ("resumes", NUMBER, (), ()),
            ("received", NUMBER, (), ()),
            ("sent", NUMBER, (), ()),
            ("error", NUMBER, (), ERROR),
        ),
    ),
    ("done", (), DONE, (("error", NUMBER, (), ERROR),)),
)
BAD_IN_NAMES = b"/ @[`{:,\0\x7f\x80\xc3\xff"


def names(name: str, side: str, before: bytes, rest: bytes) -> Iterator[Json]:
    yield wrong(f"{name}-empty", side, before, b"\x60", SHAPE, rest)
    for size in (65, 256, U32 + 4):
        shown = encode_head(3, size)
        yield wrong(
            f"{name}-{size}", side, before, shown, TOO_BIG,
            b"n" * size + rest if size < U16 else b"",
        )
    for byte in BAD_IN_NAMES:
        yield wrong(
            f"{name}-byte-{byte:02x}", side, before,
            bytes([0x61, byte]), SHAPE, rest,
        )
    yield wrong(
        f"{name}-first-of-two", side, before, b"\x62/", SHAPE, b"a" + rest
    )
    yield wrong(
        f"{name}-last-of-64", side, before,
        b"\x78\x40" + b"n" * 63 + b"\n", SHAPE, rest,
    )


def filling(shown: bytes) -> bytes:
    """The bytes that its head promises, if they are not too many."""
    major, value, _ = cbor.read_head(shown, 0)
    return bytes(value) if major == BYTES and value < U16 else b""


def fields() -> Iterator[Json]:
    for kind, earlier, made, places in FIELDS:
        side = "application" if kind in ("open", "data", "close") else "agent"
        for i, (field, major, too_big, out) in enumerate(places):
            at = len(made) - len(places) + i
            before = frames(*earlier) + encode_head(4, len(made))
            before += b"".join(map(item, made[:at]))
            rest = b"".join(map(item, made[at + 1 :]))
            name = f"{kind}-{field}"
            yield from items_of(major, name, side, before, rest)
            for what, head in long_heads(major, 16):
                yield wrong(
                    f"{name}-long-{what}", side, before, head, CBOR
                )
            for error, found in ((TOO_BIG, too_big), (SHAPE, out)):
                for what, shown in found:
                    yield wrong(
                        f"{name}-{what}", side, before, shown, error,
                        filling(shown) + rest,
                    )
            if major == NAME:
                yield from names(name, side, before, rest)


def bads() -> Iterator[Json]:
    yield from arrays()
    yield from types()
    yield from orders()
    yield from versions()
    yield from counts()
    yield from fields()


def files_of_vectors() -> Iterator[tuple[str, list[Json]]]:
    yield "agent-frames", [*goods()]


class bad:
    """The same under bad/."""

    @staticmethod
    def files_of_vectors() -> Iterator[tuple[str, list[Json]]]:
        yield "agent-frames", [*bads()]
