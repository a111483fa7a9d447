# SPDX-License-Identifier: ISC
"""Kinds of vectors about what servers count in a store (spec section 18.3)."""

from __future__ import annotations

from typing import Sequence

from .crypto import blake2b, kdf
from .errors import need
from .play import Json, scopes, unhex
from .registry import kind
from .states import Generation, Scope

WHAT = ("user", "pair", "source")


def name_key(held: Sequence[Scope], now: int) -> bytes:
    """Of the scope whose name is the first in bytewise order, the oldest
    generation that is not cut off."""
    with_keys = [s for s in held if s.generations]
    need(bool(with_keys), "HF_E_EXPIRED", "no scope")
    first = min(with_keys, key=lambda s: s.name.encode())
    alive: list[Generation] = [
        g for g in first.generations if g.cut_off == 0 or now < g.cut_off
    ]
    need(bool(alive), "HF_E_EXPIRED", "no generation")
    oldest = min(alive, key=lambda g: g.number)
    return kdf(oldest.key, b"hfstate_", 3, 32)


@kind("counter", "scopes", "now", "what", "subject", "source")
def counter(v: Json) -> Json:
    what = WHAT.index(v["what"])
    name = bytes([what])
    if v["what"] != "source":
        name += v["subject"].encode() + b"\0"
    if v["what"] != "user":
        name += unhex(v["source"])
    key = name_key(scopes(v["scopes"]), v["now"])
    return {"key": (b"f/" + blake2b(key, name, 32)[:16]).hex()}
