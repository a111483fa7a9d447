# SPDX-License-Identifier: ISC
"""An initiator's sessions at rest (spec section 21.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import cbor, cose
from .crypto import blake2b, kdf, xchacha_open, xchacha_seal
from .errors import HandfastError, need
from .states import COUNT_MAX, ENTRY, PROVED, SOFT, U32, Mark, read_mark

LABEL = "handfast/1 rest"
REST_MAX = 4096


@dataclass(frozen=True)
class Clear:
    """What is in clear, but for nonce and box."""

    peer: str
    session_id: bytes
    expires: int

    def items(self) -> list[Any]:
        return [1, self.peer, self.session_id, self.expires]

    def aad(self) -> bytes:
        return cbor.encode([LABEL, *self.items()])


@dataclass(frozen=True)
class Rested:
    """What is sealed."""

    suite: int
    mobility: int
    channels: int
    epoch: int
    secret: bytes
    serial: int
    sent: Mark
    acked: Mark
    received: Mark
    covered: int
    closed: int
    settings: bytes
    target: str
    leaf: bytes
    origins: tuple[bytes, ...]

    def items(self) -> list[Any]:
        return [
            self.suite,
            self.mobility,
            self.channels,
            self.epoch,
            self.secret,
            self.serial,
            self.sent.item(),
            self.acked.item(),
            self.received.item(),
            self.covered,
            self.closed,
            self.settings,
            self.target,
            self.leaf,
            self.origins,
        ]

    def encode(self) -> bytes:
        return cbor.encode(self.items())


def keys(key: bytes) -> tuple[bytes, bytes]:
    """Of the box and of its nonce."""
    return kdf(key, b"hfrest__", 1, 32), kdf(key, b"hfrest__", 2, 32)


def seal_plain(
    clear: Clear, key: bytes, draw: bytes, plain: bytes, **other: bytes
) -> bytes:
    """Over any plaintext; `nonce` and `aad` may be others."""
    box_key, nonce_key = keys(key)
    aad = other.get("aad", clear.aad())
    nonce = other.get("nonce", blake2b(nonce_key, draw + aad + plain, 24))
    box = xchacha_seal(box_key, nonce, aad, plain)
    return cbor.encode([*clear.items(), nonce, box])


def _read(plain: bytes) -> Rested:
    reader = cbor.Reader(plain, ENTRY)
    reader.array(15)
    found = Rested(
        reader.uint(0, 65535),
        reader.uint(SOFT, PROVED),
        reader.uint(0, 1),
        reader.uint(0, U32),
        reader.string(32),
        reader.uint(0, U32),
        read_mark(reader),
        read_mark(reader),
        read_mark(reader),
        reader.uint(0, COUNT_MAX),
        reader.uint(0, 3),
        reader.string(32),
        reader.text(0, 255),
        reader.string(1, 2048),
        tuple(reader.string(32) for _ in range(reader.array(1, 4))),
    )
    reader.end()
    sent, acked = found.sent, found.acked
    if sent.count == acked.count:
        need(sent == acked, ENTRY, "two marks at one count")
    else:
        need(acked.count < sent.count, ENTRY, "acked before it was sent")
        need(acked.bytes <= sent.bytes, ENTRY, "more bytes acked than sent")
    need(found.covered <= found.received.count, ENTRY, "covered")
    return found


def wake(raw: bytes, peer: str, key: bytes) -> tuple[Clear, Rested]:
    """Every fault is HF_E_ENTRY."""
    try:
        need(len(raw) <= REST_MAX, ENTRY, "size")
        reader = cbor.Reader(raw, ENTRY)
        reader.array(6)
        reader.uint(1, 1)
        clear = Clear(
            cose.name(reader), reader.string(16), cose.time(reader)
        )
        nonce, box = reader.string(24), reader.string(16, cbor.ANY)
        reader.end()
        need(clear.peer == peer, ENTRY, "of another peer")
        box_key, _ = keys(key)
        return clear, _read(xchacha_open(box_key, nonce, clear.aad(), box))
    except HandfastError as fault:
        raise HandfastError(ENTRY, str(fault)) from None
