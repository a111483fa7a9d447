# SPDX-License-Identifier: ISC
"""Sessions at rest, good and bad (spec section 21.5)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import kinds_rest, states
from handfast1 import resting as r
from handfast1.cbor import encode_head

from . import moving, world as w
from .forge import Raw, item
from .world import Json

KEY = w.draw("key of rest")
CLEAR = r.Clear("echo", w.draw("moving session id", 16), w.NOW + 86400)
U32, U48 = 1 << 32, 1 << 48


def clear(**changes: Any) -> r.Clear:
    return r.Clear(**{**vars(CLEAR), **changes})


def rested(**changes: Any) -> r.Rested:
    fields: Json = {
        "suite": 1,
        "mobility": 1,
        "channels": 1,
        "epoch": 0,
        "secret": w.draw("resumption secret"),
        "serial": 0,
        "sent": moving.mark("sent", 5, 700),
        "acked": moving.mark("acked", 4, 700),
        "received": moving.mark("received", 3, 900),
        "covered": 3,
        "closed": 0,
        "settings": w.draw("settings"),
        "target": "",
        "leaf": moving.FIRST,
        "origins": w.origins(1),
    }
    return r.Rested(**{**fields, **changes})


SETTLED = {
    "sent": moving.mark("sent", 4, 700),
    "acked": moving.mark("sent", 4, 700),
}
MOST = {
    "suite": 65535,
    "mobility": 2,
    "epoch": U32 - 1,
    "serial": U32 - 1,
    "sent": moving.mark("sent", U48, (1 << 63) - 1),
    "acked": moving.mark("acked", U48 - 1, (1 << 63) - 1),
    "received": moving.mark("received", U48, (1 << 63) - 1),
    "covered": U48,
    "closed": 3,
    "target": "t" * 255,
    "leaf": bytes(2048),
    "origins": w.origins(4),
}


def seals() -> Iterator[Json]:
    for name, outside, inside in (
        ("soft", CLEAR, rested()),
        ("proved", CLEAR, rested(mobility=2, suite=2, epoch=3, serial=7)),
        ("all-acked", CLEAR, rested(**SETTLED)),
        ("no-channels", CLEAR, rested(channels=0, target="files")),
        ("closed", CLEAR, rested(closed=1)),
        ("nothing-received", CLEAR, rested(covered=0)),
        ("most", clear(peer="p" * 255, expires=1 << 53), rested(**MOST)),
    ):
        yield {
            "id": f"rest-{name}",
            "kind": "rest",
            "peer": outside.peer,
            "session_id": outside.session_id.hex(),
            "expires": outside.expires,
            "key": KEY.hex(),
            "state": kinds_rest.rested_json(inside),
            "random": [w.draw(f"rest {name}").hex()],
        }


def opens(
    name: str, raw: bytes, error: str | None = None, **changes: Any
) -> Json:
    vector: Json = {
        "id": f"rest-open-{name}",
        "kind": "rest-open",
        "peer": "echo",
        "key": KEY.hex(),
        "bytes": raw.hex(),
        **changes,
    }
    if error:
        vector["expected"] = error
    return vector


def sealed(
    plain: bytes | None = None,
    outside: r.Clear = CLEAR,
    key: bytes = KEY,
    **other: bytes,
) -> bytes:
    plain = rested().encode() if plain is None else plain
    return r.seal_plain(outside, key, w.draw("a draw"), plain, **other)


def good_opens() -> Iterator[Json]:
    yield opens("good", sealed())
    yield opens("expired", sealed(outside=clear(expires=0)))
    yield opens("any-nonce", sealed(nonce=bytes(24)))


# Bad ones -------------------------------------------------------------------

OUTSIDE: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("version", (0, 2, -1, b"\1", None, "1", Raw(b"\x18\1"))),
    ("peer", moving.WRONG["text"]),
    ("session_id", moving.WRONG["id"]),
    ("expires", (moving.TIME, -1, None, b"", "0")),
    ("nonce", ("x" * 24, 1, None, bytes(23), bytes(25), b"")),
    ("box", ("x" * 40, 1, None, bytes(15), b"", [])),
)


def outsides() -> Iterator[Json]:
    """Each field is something else; what is sealed agrees."""
    box_key, _ = r.keys(KEY)
    for place, (name, wrongs) in enumerate(OUTSIDE):
        for number, wrong in enumerate(wrongs):
            fields = CLEAR.items()
            if place < 4:
                fields[place] = wrong
            nonce = bytes(24)
            box: Any = states.xchacha_seal(
                box_key, nonce, item([r.LABEL, *fields]), rested().encode()
            )
            whole = [*fields, nonce, box]
            whole[place] = wrong
            yield opens(f"bad-{name}-{number}", item(whole), "HF_E_ENTRY")


def wholes() -> Iterator[Json]:
    raw = sealed()
    fields = [*CLEAR.items(), bytes(24), bytes(40)]
    cases: Json = {
        "empty": b"",
        "cut": raw[:-1],
        "longer": raw + b"\0",
        "indefinite": b"\x9f" + raw[1:] + b"\xff",
        "five-items": item(fields[:-1]),
        "seven-items": item([*fields, 0]),
        "no-array": item(b"x"),
        "tag": b"\xc0" + raw,
        "above-4096": item([*fields[:-1], bytes(4096)]),
        "flip-in-the-box": raw[:-1] + bytes([raw[-1] ^ 1]),
        "other-key": sealed(key=bytes(32)),
        "aad-empty": sealed(aad=b""),
        "aad-of-a-state": sealed(
            aad=item(["handfast/1 state", *CLEAR.items()])
        ),
    }
    for name, wrong in cases.items():
        yield opens(name, wrong, "HF_E_ENTRY")
    yield opens("other-peer", raw, "HF_E_ENTRY", peer="other")
    for name, value in (
        ("peer", "other"),
        ("session_id", bytes(16)),
        ("expires", w.NOW + 86401),
    ):
        other = {"peer": value} if name == "peer" else {}
        yield opens(
            f"not-sealed-with-{name}",
            sealed(outside=clear(**{name: value}), aad=CLEAR.aad()),
            "HF_E_ENTRY",
            **other,
        )


def plain_with(path: tuple[int, ...], value: Any) -> bytes:
    whole = rested().items()
    inner: Any = whole
    for step in path[:-1]:
        inner[step] = list(inner[step])
        inner = inner[step]
    inner[path[-1]] = value
    return item(whole)


SHORT, LONG, NONE, NUMBER = bytes(31), bytes(33), None, 1
INSIDE: tuple[tuple[str, tuple[int, ...], tuple[Any, ...]], ...] = (
    ("suite", (0,), (65536, -1, None, b"", "1")),
    ("mobility", (1,), (0, 3, -1, None, b"\1", True)),
    ("channels", (2,), (2, -1, None, b"", True)),
    ("epoch", (3,), (U32, -1, None, b"")),
    ("secret", (4,), (SHORT, LONG, NONE, NUMBER, "x" * 32)),
    ("serial", (5,), (U32, -1, None, b"")),
    *(
        (name, (place,), ([], [1, 1], [1, 1, bytes(32), 0], None, 1, b""))
        for name, place in (("sent", 6), ("acked", 7), ("received", 8))
    ),
    *(
        (f"{which}-{name}", (place, i), wrongs)
        for which, place in (("sent", 6), ("acked", 7), ("received", 8))
        for name, i, wrongs in moving.MARK
    ),
    ("covered", (9,), (4, U48 + 1, -1, None, b"")),
    ("closed", (10,), (4, -1, None, b"", False)),
    ("settings", (11,), (SHORT, LONG, NONE, NUMBER, "x" * 32)),
    ("target", (12,), ("x" * 256, b"", None, 1, "\x7f", Raw(b"\x61\xff"))),
    ("leaf", (13,), (b"", bytes(2049), None, 1, "x")),
    (
        "origins",
        (14,),
        ([], [bytes(32)] * 5, [SHORT], [LONG], [1], None, b""),
    ),
)


def insides() -> Iterator[Json]:
    """Each field is something else; all seals are right."""
    for name, path, wrongs in INSIDE:
        for number, wrong in enumerate(wrongs):
            yield opens(
                f"state-{name}-{number}",
                sealed(plain_with(path, wrong)),
                "HF_E_ENTRY",
            )
    plain = rested().encode()
    sent = moving.mark("sent", 5, 700)
    for name, raw in (
        ("empty", b""),
        ("cut", plain[:-1]),
        ("longer", plain + b"\0"),
        ("fourteen-items", item(list(range(14)))),
        ("long-head", encode_head(4, 15) + b"\x18\1" + plain[2:]),
    ):
        yield opens(f"state-{name}", sealed(raw), "HF_E_ENTRY")
    for name, acked in (
        ("past", moving.mark("acked", 6, 700)),
        ("more-bytes", moving.mark("acked", 4, 701)),
        ("other-bytes", states.Mark(5, 699, sent.digest)),
        ("other-digest", moving.mark("acked", 5, 700)),
    ):
        yield opens(
            f"state-acked-is-{name}",
            sealed(rested(acked=acked).encode()),
            "HF_E_ENTRY",
        )


def files_of_vectors() -> Iterator[tuple[str, list[Json]]]:
    yield "rest", [*seals(), *good_opens()]


class bad:
    """The same under bad/."""

    @staticmethod
    def files_of_vectors() -> Iterator[tuple[str, list[Json]]]:
        yield "rest", [*outsides(), *wholes(), *insides()]
