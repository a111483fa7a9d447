# SPDX-License-Identifier: ISC
"""Cookies (spec section 10.2)."""

from .crypto import blake2b

AGE = 60


def make(key: bytes, kind: int, time: int, source: bytes) -> bytes:
    """`kind` is the type of the message that the retry answers."""
    stamp = time.to_bytes(8, "big")
    return stamp + blake2b(key, bytes([kind]) + stamp + source, 16)


def valid(
    cookie: bytes, key: bytes, kind: int, now: int, source: bytes
) -> bool:
    if len(cookie) != 24:
        return False
    time = int.from_bytes(cookie[:8], "big")
    return (
        cookie == make(key, kind, time, source)
        and time <= now
        and now - time <= AGE
    )
