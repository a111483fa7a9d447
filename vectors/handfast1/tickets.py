# SPDX-License-Identifier: ISC
"""Rings, sealed tickets and ticket files (spec section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

from . import cbor, cose
from .certs import Certificate, Trust
from .cose import HANDFAST, complete
from .crypto import seal, unseal
from .errors import HandfastError, need

TICKET_MAX = 1024
METHODS = (0, 1, 2, 4, 8)
TICKET = "HF_E_TICKET"


@dataclass(frozen=True)
class RingKey:
    kid: bytes
    key: bytes
    created: int


@dataclass(frozen=True)
class Ticket:
    """What is sealed (7.2)."""

    sub: str
    aud: str
    exp: int
    iat: int
    cti: bytes
    proof: bytes
    single_use: int
    method: int
    first: int
    limit: int
    origins: tuple[bytes, ...] = ()

    def claims(self) -> bytes:
        handfast: dict[int, Any] = {
            -1: self.single_use,
            -2: self.method,
            -3: self.first,
            -4: self.limit,
        }
        if self.origins:
            handfast[-5] = self.origins
        return cbor.encode(
            {
                2: self.sub,
                3: self.aud,
                4: self.exp,
                6: self.iat,
                7: self.cti,
                8: {1: {1: 4, -1: self.proof}},
                HANDFAST: handfast,
            }
        )


def aad(protected: bytes) -> bytes:
    return cbor.encode(["Encrypt0", protected, cose.LABELS["ticket"]])


def seal_claims(claims: bytes, key: RingKey, iv: bytes) -> bytes:
    protected = cbor.encode({1: 24, 4: key.kid, 5: iv})
    box = seal(1, key.key, iv, aad(protected), claims)
    return cbor.encode([protected, {}, box])


def seal_ticket(ticket: Ticket, key: RingKey, iv: bytes) -> bytes:
    return seal_claims(ticket.claims(), key, iv)


def read_envelope(raw: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """(protected, kid, IV, ciphertext). HF_E_CBOR, HF_E_OBJECT (7.2, 1)."""
    reader = cbor.Reader(raw, cose.OBJECT)
    reader.array(3)
    protected = reader.string(0, cbor.ANY)
    kid, iv = protected[6:14], protected[16:]
    form = cbor.encode({1: 24, 4: kid, 5: iv})
    need(len(iv) == 12 and protected == form, cose.OBJECT, "protected header")
    reader.map(0)
    box = reader.string(16, cbor.ANY)
    reader.end()
    return protected, kid, iv, box


def _parse(reader: cbor.Reader) -> Ticket:
    def proof() -> bytes:
        def key() -> list[Any]:
            return reader.exact(
                (1, lambda: reader.uint(4, 4)),
                (-1, lambda: reader.string(32)),
            )

        ((_, found),) = reader.exact((1, key))
        return found

    def method() -> int:
        value = reader.uint()
        need(value in METHODS, TICKET, "method")
        return value

    def origins() -> tuple[bytes, ...]:
        return tuple(reader.string(32) for _ in range(reader.array(1, 4)))

    def handfast() -> dict[int, Any]:
        return cose.read_claims(
            reader,
            {
                -1: lambda: reader.uint(0, 1),
                -2: method,
                -3: lambda: cose.time(reader),
                -4: lambda: cose.time(reader),
                -5: origins,
            },
            depth=2,
        )

    claims = cose.read_claims(
        reader,
        {
            2: lambda: cose.name(reader),
            3: lambda: cose.name(reader),
            4: lambda: cose.time(reader),
            6: lambda: cose.time(reader),
            7: lambda: reader.string(16),
            8: proof,
            HANDFAST: handfast,
        },
    )
    reader.end()
    complete(claims, 2, 3, 4, 6, 7, 8, HANDFAST)
    more = claims[HANDFAST]
    complete(more, -1, -2, -3, -4)
    return Ticket(
        claims[2],
        claims[3],
        claims[4],
        claims[6],
        claims[7],
        claims[8],
        more[-1],
        more[-2],
        more[-3],
        more[-4],
        more.get(-5, ()),
    )


def read_claims(raw: bytes) -> Ticket:
    """Section 7.2, step 3: every fault is HF_E_TICKET."""
    try:
        ticket = _parse(cbor.Reader(raw, TICKET))
    except HandfastError as fault:
        raise HandfastError(TICKET, str(fault)) from None
    need(ticket.exp <= ticket.limit, TICKET, "exp is above limit")
    return ticket


def open_ticket(raw: bytes, ring: Sequence[RingKey]) -> Ticket:
    """Section 7.2, steps 1 to 3."""
    protected, kid, iv, box = read_envelope(raw)
    keys = [k.key for k in ring if k.kid == kid]
    need(bool(keys), TICKET, "kid is not in the ring")
    try:
        claims = unseal(1, keys[0], iv, aad(protected), box)
    except HandfastError:
        raise HandfastError(TICKET, "does not open") from None
    return read_claims(claims)


def accept(
    raw: bytes,
    ring: Sequence[RingKey],
    leaf: Certificate,
    trust: Trust,
    now: int,
    tolerance: int,
) -> Ticket:
    """Section 7.2, steps 1 to 5."""
    ticket = open_ticket(raw, ring)
    need(leaf.goes_by(ticket.aud), TICKET, "for another audience")
    need(now < ticket.exp and now < ticket.limit, "HF_E_EXPIRED", "ticket")
    need(ticket.iat <= now + tolerance, "HF_E_NOT_YET", "ticket")
    trust.judge_origins(ticket.origins, now)
    return ticket


def policy_name(ticket: Ticket, realm: str | None) -> str:
    """The name that policies see (7.3)."""
    if ticket.method in (2, 4) and realm is not None:
        return ticket.sub.removesuffix(f"@{realm}")
    return ticket.sub


@dataclass(frozen=True)
class TicketFile:
    """What the holder keeps (7.3)."""

    ticket: bytes
    proof: bytes
    sub: str
    aud: str
    iat: int
    exp: int
    single_use: int
    limit: int

    def encode(self) -> bytes:
        return cbor.encode(
            [
                1,
                self.ticket,
                self.proof,
                self.sub,
                self.aud,
                self.iat,
                self.exp,
                self.single_use,
                self.limit,
            ]
        )


def holder(ticket: Ticket, sealed: bytes) -> TicketFile:
    return TicketFile(
        sealed,
        ticket.proof,
        ticket.sub,
        ticket.aud,
        ticket.iat,
        ticket.exp,
        ticket.single_use,
        ticket.limit,
    )


def read_file(raw: bytes) -> TicketFile:
    """HF_E_CBOR or HF_E_OBJECT."""
    reader = cbor.Reader(raw, cose.OBJECT)
    reader.array(9)
    reader.uint(1, 1)
    found = TicketFile(
        reader.string(1, TICKET_MAX),
        reader.string(32),
        cose.name(reader),
        cose.name(reader),
        cose.time(reader),
        cose.time(reader),
        reader.uint(0, 1),
        cose.time(reader),
    )
    reader.end()
    need(found.iat < found.exp <= found.limit, cose.OBJECT, "its times")
    return found
