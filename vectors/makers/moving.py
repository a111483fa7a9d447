# SPDX-License-Identifier: ISC
"""Stored entries, good and bad (spec section 18)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import certs, kinds_move, states
from handfast1.cbor import encode_head

from . import world as w
from .forge import Raw, item
from .world import Json

SERVER = certs.RESPONDER | certs.SERVER
FIRST = w.cert("echo", SERVER, realm=w.REALM, cluster="cluster")
OTHER = w.cert("other", SERVER, realm=w.REALM, cluster="cluster")
KEY = w.draw("generation 3")
SCOPES: list[Json] = [
    {
        "name": "default",
        "targets": [],
        "generations": [
            {"number": 3, "key": KEY.hex(), "cut_off": 0},
            {
                "number": 2,
                "key": w.draw("generation 2").hex(),
                "cut_off": w.NOW + 60,
            },
        ],
    }
]
CLEAR = states.Clear(
    "cluster",
    "default",
    3,
    w.draw("moving session id", 16),
    0,
    "echo",
    w.draw("moving owner token", 16),
    w.NOW + 86400,
)


def server(name: str, mobility: int = 1, **changes: Any) -> Json:
    raw = FIRST if name == "echo" else OTHER
    return w.responder(
        cluster={
            "name": "cluster",
            "owner": name,
            "mobility": mobility,
            "scopes": changes.pop("scopes", SCOPES),
        },
        seed=w.seed(name).hex(),
        chain=[raw.hex()],
        **changes,
    )


def mark(name: str, count: int = 3, size: int = 1000) -> states.Mark:
    return states.Mark(count, size, w.draw(f"digest {name}"))


def peer(**changes: Any) -> states.Peer:
    fields: Json = {
        "method": 1,
        "name": "alice",
        "subject": "alice",
        "authenticated": w.NOW - 60,
        "key": w.identity("alice").public,
        "origins": w.origins(1),
        "not_after": w.EXP,
        "ticket": None,
    }
    return states.Peer(**{**fields, **changes})


PASSWORD = {
    "method": 2,
    "subject": f"alice@{w.REALM}",
    "key": None,
    "origins": (),
    "not_after": 0,
}
TICKET = {
    "method": 8,
    "key": None,
    "origins": w.origins(2),
    "not_after": 0,
    "ticket": (1, w.NOW - 3600, w.NOW + 3600, 1),
}


def state(**changes: Any) -> states.State:
    fields: Json = {
        "suite": 1,
        "mobility": 1,
        "secret": w.draw("resumption secret"),
        "previous": None,
        "serial": 0,
        "received": mark("received"),
        "sent": mark("sent", 2, 500),
        "closed": 0,
        "target": "",
        "peer": peer(),
    }
    return states.State(**{**fields, **changes})


def clear(**changes: Any) -> states.Clear:
    return states.Clear(**{**vars(CLEAR), **changes})


UNCONFIRMED = {"previous": (0, w.draw("previous secret")), "serial": 1}
MOST = {
    "suite": 65535,
    "mobility": 2,
    "previous": ((1 << 32) - 2, w.draw("previous secret")),
    "serial": (1 << 32) - 1,
    "received": mark("received", 1 << 48, (1 << 63) - 1),
    "sent": mark("sent", 1 << 48, (1 << 63) - 1),
    "closed": 3,
    "target": "t" * 255,
}


def goods() -> Iterator[tuple[str, states.Clear, states.State]]:
    yield "certificate", CLEAR, state()
    yield "password", CLEAR, state(peer=peer(**PASSWORD))
    yield "plain", CLEAR, state(peer=peer(**{**PASSWORD, "method": 4}))
    yield "ticket", CLEAR, state(peer=peer(**TICKET))
    yield "chain-4", CLEAR, state(peer=peer(origins=w.origins(4)))
    yield "unconfirmed", clear(epoch=1), state(**UNCONFIRMED)
    half = (1, w.draw("previous secret"))
    yield "refresh-unconfirmed", clear(epoch=2), state(previous=half)
    yield "suite-2-proved", CLEAR, state(suite=2, mobility=2)
    yield "closed", clear(epoch=7), state(closed=1, target="files")
    yield (
        "most",
        clear(generation=(1 << 32) - 1, epoch=(1 << 32) - 1, owner="o" * 255),
        state(**MOST),
    )
    yield "names", clear(cluster="c" * 255, scope="s" * 255), state()


def seals() -> Iterator[Json]:
    for name, outside, inside in goods():
        yield {
            "id": f"entry-{name}",
            "kind": "entry",
            **kinds_move.clear_json(outside),
            "key": KEY.hex(),
            "state": kinds_move.state_json(inside),
            "random": [w.draw(f"entry {name}").hex()],
        }


def opens(
    name: str, raw: bytes, error: str | None = None, **changes: Any
) -> Json:
    vector: Json = {
        "id": f"entry-open-{name}",
        "kind": "entry-open",
        "cluster": "cluster",
        "scopes": SCOPES,
        "now": w.NOW,
        "bytes": raw.hex(),
    }
    vector.update(changes)
    if error:
        vector["expected"] = error
    return vector


def sealed(
    plain: bytes | None = None,
    outside: states.Clear = CLEAR,
    key: bytes = KEY,
    **other: bytes,
) -> bytes:
    if plain is None:
        plain = state().encode()
    return states.seal_plain(outside, key, w.draw("a draw"), plain, **other)


def older() -> bytes:
    return sealed(outside=clear(generation=2), key=w.draw("generation 2"))


def good_opens() -> Iterator[Json]:
    yield opens("newest", sealed())
    yield opens("older-generation", older())
    yield opens("cut-off-in-a-second", older(), now=w.NOW + 59)
    yield opens("owner-is-another", sealed(outside=clear(owner="other")))
    yield opens("expired", sealed(outside=clear(expires=0)))
    yield opens("any-nonce", sealed(nonce=bytes(24)))
    yield opens("all-there", sealed(plain_with((), None)))


# Bad ones -------------------------------------------------------------------

U32, U48, TIME = 1 << 32, 1 << 48, (1 << 53) + 1
WRONG = {  # of a field, by its form
    "text": (b"x", 1, None, [], "", "x" * 256, Raw(b"\x61\xff"), "\n"),
    "id": ("x" * 16, 1, None, bytes(15), bytes(17), bytes(0)),
}
OUTSIDE: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("version", (0, 2, -1, b"\1", None, "1", Raw(b"\x18\1"))),
    ("cluster", WRONG["text"]),
    ("scope", WRONG["text"]),
    ("generation", (0, U32, -1, b"\3", None, "3", Raw(b"\x18\3"))),
    ("session_id", WRONG["id"]),
    ("epoch", (U32, -1, b"", None, "0", Raw(b"\x18\0"))),
    ("owner", WRONG["text"]),
    ("token", WRONG["id"]),
    ("expires", (TIME, -1, None, b"", "0")),
    ("nonce", ("x" * 24, 1, None, bytes(23), bytes(25), b"")),
    ("box", ("x" * 40, 1, None, bytes(15), b"", [])),
)


def outsides() -> Iterator[Json]:
    """Each field of an entry is something else; what is sealed agrees."""
    names = [name for name, _ in OUTSIDE]
    for place, (name, wrongs) in enumerate(OUTSIDE):
        for number, wrong in enumerate(wrongs):
            fields = [1, *CLEAR.items()[1:]]
            if place < 9:
                fields[place] = wrong
            aad = item([states.LABEL, *fields])
            box_key, _ = states.keys(KEY)
            nonce = bytes(24)
            box: Any = states.xchacha_seal(
                box_key, nonce, aad, state().encode()
            )
            whole = [*fields, nonce, box]
            whole[place] = wrong
            yield opens(
                f"bad-{names[place]}-{number}", item(whole), "HF_E_ENTRY"
            )


def wholes() -> Iterator[Json]:
    raw = sealed()
    fields = [*CLEAR.items(), bytes(24), bytes(40)]
    cases: Json = {
        "empty": b"",
        "cut": raw[:-1],
        "longer": raw + b"\0",
        "indefinite": b"\x9f" + raw[1:] + b"\xff",
        "ten-items": item(fields[:-1]),
        "twelve-items": item([*fields, 0]),
        "no-array": item(b"x"),
        "tag": b"\xc0" + raw,
        "above-4096": item([*fields[:-1], bytes(4096)]),
        "flip-in-the-box": raw[:-1] + bytes([raw[-1] ^ 1]),
        "tag-cut": sealed()[:-16] + bytes(16),
        "other-cluster": sealed(outside=clear(cluster="other")),
        "other-scope": sealed(outside=clear(scope="other")),
        "other-generation": sealed(outside=clear(generation=4)),
        "key-of-another-generation": sealed(outside=clear(generation=2)),
        "aad-empty": sealed(aad=b""),
    }
    for name, wrong in cases.items():
        yield opens(name, wrong, "HF_E_ENTRY")
    for name, value in (
        ("session_id", bytes(16)),
        ("epoch", 1),
        ("owner", "other"),
        ("token", bytes(16)),
        ("expires", w.NOW + 86401),
    ):
        yield opens(
            f"not-sealed-with-{name}",
            sealed(outside=clear(**{name: value}), aad=CLEAR.aad()),
            "HF_E_ENTRY",
        )
    cut = w.NOW + 60
    yield opens("cut-off", older(), "HF_E_ENTRY", now=cut)
    yield opens("no-scopes", raw, "HF_E_ENTRY", scopes=[])


def plain_with(path: tuple[int, ...], value: Any) -> bytes:
    """A state with another item at that place."""
    whole = [
        1,
        1,
        w.draw("resumption secret"),
        [0, w.draw("previous secret")],
        1,
        mark("received").item(),
        mark("sent").item(),
        0,
        "",
        [*peer().item()[:-1], [1, 1, 1, 0]],
    ]
    if path:
        inner: Any = whole
        for step in path[:-1]:
            inner[step] = list(inner[step])
            inner = inner[step]
        inner[path[-1]] = value
    return item(whole)


MARK: tuple[tuple[str, int, tuple[Any, ...]], ...] = (
    ("count", 0, (U48 + 1, -1, None, b"")),
    ("bytes", 1, (1 << 63, -1, None, b"")),
    ("digest", 2, (bytes(31), bytes(33), None, "x" * 32)),
)
SHORT, LONG, NONE, NUMBER = bytes(31), bytes(33), None, 1
INSIDE: tuple[tuple[str, tuple[int, ...], tuple[Any, ...]], ...] = (
    ("suite", (0,), (65536, -1, None, b"", "1")),
    ("mobility", (1,), (0, 3, -1, None, b"\1", True)),
    ("secret", (2,), (SHORT, LONG, NONE, NUMBER, "x" * 32)),
    ("previous", (3,), ([], [0], [0, bytes(32), 0], b"", {}, 0, False)),
    ("previous-epoch", (3, 0), (U32, -1, None, b"")),
    ("previous-secret", (3, 1), (SHORT, LONG, NONE, NUMBER)),
    ("serial", (4,), (U32, -1, None, b"")),
    ("received", (5,), ([], [1, 1], [1, 1, bytes(32), 0], None, 1, b"")),
    ("sent", (6,), ([], [1, 1], [1, 1, bytes(32), 0], None, 1, b"")),
    *(
        (f"{which}-{name}", (place, i), wrongs)
        for which, place in (("received", 5), ("sent", 6))
        for name, i, wrongs in MARK
    ),
    ("closed", (7,), (4, -1, None, b"", False)),
    ("target", (8,), ("x" * 256, b"", None, 1, "\x7f", Raw(b"\x61\xff"))),
    ("peer", (9,), ([], None, {}, list(range(9)))),
    ("method", (9, 0), (0, 3, 5, 16, -1, None, b"\1")),
    ("name", (9, 1), WRONG["text"]),
    ("subject", (9, 2), ("", "x" * 321, b"x", None, 1, "\n")),
    ("authenticated", (9, 3), (TIME, -1, None, b"")),
    ("key", (9, 4), (SHORT, LONG, NUMBER, "x" * 32, [], False)),
    ("origins", (9, 5), ([bytes(32)] * 5, [SHORT], [LONG], [1], None, b"")),
    ("not_after", (9, 6), (TIME, -1, None, b"")),
    ("ticket", (9, 7), ([1], [1, 1, 1], [1, 1, 1, 0, 0], None, {}, b"")),
    ("ticket-method", (9, 7, 0), (3, 5, 16, -1, None)),
    ("ticket-first", (9, 7, 1), (TIME, -1, None)),
    ("ticket-limit", (9, 7, 2), (TIME, -1, None)),
    ("ticket-single-use", (9, 7, 3), (2, -1, None, False)),
)


def insides() -> Iterator[Json]:
    """Each field of a state is something else; all seals are right."""
    for name, path, wrongs in INSIDE:
        for number, wrong in enumerate(wrongs):
            yield opens(
                f"state-{name}-{number}",
                sealed(plain_with(path, wrong)),
                "HF_E_ENTRY",
            )
    plain = state().encode()
    for name, raw in (
        ("empty", b""),
        ("cut", plain[:-1]),
        ("longer", plain + b"\0"),
        ("nine-items", item(list(range(9)))),
        ("long-head", encode_head(4, 10) + b"\x18\1" + plain[2:]),
        ("serial-without-previous", state(serial=1).encode()),
    ):
        yield opens(f"state-{name}", sealed(raw), "HF_E_ENTRY")


def bads() -> Iterator[Json]:
    yield from outsides()
    yield from wholes()
    yield from insides()


def files_of_vectors() -> Iterator[tuple[str, list[Json]]]:
    yield "entry", [*seals(), *good_opens()]
