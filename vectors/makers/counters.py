# SPDX-License-Identifier: ISC
"""Keys of the counters of failures (spec section 18.3)."""

from __future__ import annotations

from typing import Any, Iterator

from . import world as w
from .world import Json

IPV4 = bytes([192, 0, 2, 1])
IPV6 = bytes.fromhex("20010db800010002")


def scope(name: str, *generations: tuple[int, int]) -> Json:
    return {
        "name": name,
        "targets": [],
        "generations": [
            {
                "number": number,
                "key": w.draw(f"{name} generation {number}").hex(),
                "cut_off": cut_off,
            }
            for number, cut_off in generations
        ],
    }


ONE = [scope("default", (1, 0))]
# The oldest in force is 2; other names come later in bytewise order.
MANY = [
    scope("b", (9, 0)),
    scope("a", (3, 0), (2, w.NOW + 1), (1, w.NOW)),
    scope("\u00e4", (1, 0)),
]


def counter(name: str, what: str, **changes: Any) -> Json:
    return {
        "id": f"counter-{name}",
        "kind": "counter",
        "scopes": ONE,
        "now": w.NOW,
        "what": what,
        "subject": "" if what == "source" else "bob@example",
        "source": "" if what == "user" else IPV4.hex(),
        **changes,
    }


def goods() -> Iterator[Json]:
    yield counter("user", "user")
    yield counter("pair", "pair")
    yield counter("source", "source")
    for what in ("pair", "source"):
        yield counter(f"ipv6-{what}", what, source=IPV6.hex())
        yield counter(f"local-{what}", what, source=bytes(4).hex())
    for what in ("user", "pair"):
        yield counter(f"long-{what}", what, subject="u" * 64 + "@" + "r" * 255)
    for what in ("user", "pair", "source"):
        yield counter(f"scopes-{what}", what, scopes=MANY)
        yield counter(
            f"no-keys-first-{what}", what, scopes=[scope("A"), *MANY]
        )


def bads() -> Iterator[Json]:
    gone = [scope("a", (2, w.NOW), (1, w.NOW)), scope("b", (1, 0))]
    for name, held in (
        ("no-scope", []),
        ("no-key", [scope("default")]),
        ("cut-off", [scope("default", (1, w.NOW))]),
        ("first-cut-off", gone),
    ):
        yield counter(
            f"bad-{name}", "user", scopes=held, expected="HF_E_EXPIRED"
        )


def files_of_vectors() -> Iterator[tuple[str, Any]]:
    yield "counter", [*goods()]


class bad:
    """The same under bad/."""

    @staticmethod
    def files_of_vectors() -> Iterator[tuple[str, Any]]:
        yield "counter", [*bads()]
