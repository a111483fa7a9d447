# SPDX-License-Identifier: ISC
"""The schedule of a takeover, and resume and resumed as bytes (spec sections
17.2 and 17.4)."""

from __future__ import annotations

from dataclasses import dataclass

from . import cbor, messages
from .crypto import H, blake2b
from .errors import need
from .states import Mark, U32, read_mark

INITIATOR_CLOSED, RESPONDER_CLOSED = 1, 2


def resume_key(secret: bytes, nonce: bytes) -> bytes:
    return blake2b(secret, b"handfast/1 resume" + nonce, 32)


def resumed_key(
    secret: bytes, th3: bytes, nonce: bytes, shared: bytes
) -> bytes:
    return blake2b(secret, b"handfast/1 resumed" + th3 + nonce + shared, 32)


def master(secret: bytes, th4: bytes, shared: bytes) -> bytes:
    return blake2b(secret, b"handfast/1 takeover" + th4 + shared, 32)


def make_nonce(
    secret: bytes, draw: bytes, now: int, number: int, plain: bytes
) -> bytes:
    """`number` is the serial of a resume, the epoch of a resumed."""
    both = now.to_bytes(8, "big") + number.to_bytes(8, "big")
    return blake2b(secret, b"handfast/1 nonce" + draw + both + plain, 32)


def rebase(epoch: int, direction: int, base: Mark) -> Mark:
    """The base as the first mark of that epoch; direction 1: I's records."""
    digest = H(
        b"handfast/1 epoch"
        + epoch.to_bytes(8, "big")
        + bytes([direction])
        + base.count.to_bytes(8, "big")
        + base.bytes.to_bytes(8, "big")
        + base.digest
    )
    return Mark(base.count, base.bytes, digest)


# resume ---------------------------------------------------------------------


def resume_head(
    session_id: bytes,
    epoch: int,
    serial: int,
    target: str,
    nonce: bytes,
    cookie: bytes | None,
    reply_key: bytes | None,
    extensions: messages.Extensions,
) -> bytes:
    """The AAD of its box."""
    whole = [messages.RESUME, 1, session_id, epoch, serial, target, nonce]
    return cbor.encode([*whole, cookie, reply_key, extensions, 0])[:-1]


@dataclass(frozen=True)
class Told:
    """Plaintext of a resume: the initiator's direction as sent, the
    responder's as released, and the closes in them."""

    sent: Mark
    received: Mark
    closed: int

    def encode(self) -> bytes:
        return cbor.encode(
            [self.sent.item(), self.received.item(), self.closed]
        )


def read_told(plain: bytes) -> Told:
    reader = cbor.Reader(plain)
    reader.array(3)
    found = Told(read_mark(reader), read_mark(reader), reader.uint(0, 3))
    reader.end()
    return found


# resumed --------------------------------------------------------------------


def resumed_head(
    nonce: bytes, enc: bytes | None, chain: tuple[bytes, ...] | None
) -> bytes:
    return cbor.encode([messages.RESUMED, nonce, enc, chain, 0])[:-1]


@dataclass(frozen=True)
class Resumed:
    nonce: bytes
    enc: bytes | None
    chain: tuple[bytes, ...] | None
    box: bytes
    aad: bytes


def read_resumed(reader: cbor.Reader, proved: bool) -> Resumed:
    """Section 17.4, the initiator's step 1; `proved`: of mobility 2."""
    nonce = reader.string(32)
    enc = None if reader.is_null() else reader.string(messages.KEM_SIZE)
    chain = None if reader.is_null() else messages.read_chain(reader)
    aad = reader.data[: reader.pos]
    box = reader.string(16, 272)
    reader.end()
    both = (enc is not None) == proved and (chain is not None) == proved
    need(both, "HF_E_SHAPE", "enc and chain")
    return Resumed(nonce, enc, chain, box, aad)


@dataclass(frozen=True)
class Answer:
    """Plaintext of a resumed."""

    epoch: int
    received: Mark
    sent: Mark
    closed: int

    def encode(self) -> bytes:
        return cbor.encode(
            [self.epoch, self.received.item(), self.sent.item(), self.closed]
        )


def read_answer(plain: bytes) -> Answer:
    reader = cbor.Reader(plain)
    reader.array(4)
    found = Answer(
        reader.uint(1, U32),
        read_mark(reader),
        read_mark(reader),
        reader.uint(0, 3),
    )
    reader.end()
    return found
