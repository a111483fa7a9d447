# SPDX-License-Identifier: ISC
"""Sessions as sealed entries of a store, and who can open them (spec
section 18)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

from . import cbor, cose
from .crypto import blake2b, kdf, xchacha_open, xchacha_seal
from .errors import HandfastError, need

ENTRY = "HF_E_ENTRY"
LABEL = "handfast/1 state"
ENTRY_MAX = 4096
U32 = (1 << 32) - 1
COUNT_MAX = 1 << 48
BYTES_MAX = (1 << 63) - 1
SOFT, PROVED = 1, 2
METHODS = (1, 2, 4, 8)
FIRST_METHODS = (0, 1, 2, 4, 8)


@dataclass(frozen=True)
class Mark:
    """So many records, so many bytes of data in them, and the digest."""

    count: int
    bytes: int
    digest: bytes

    def item(self) -> list[Any]:
        return [self.count, self.bytes, self.digest]


def read_mark(reader: cbor.Reader) -> Mark:
    reader.array(3)
    return Mark(
        reader.uint(0, COUNT_MAX),
        reader.uint(0, BYTES_MAX),
        reader.string(32),
    )


@dataclass(frozen=True)
class Peer:
    """Whom a session is with, as its handshake found it."""

    method: int
    name: str
    subject: str
    authenticated: int
    key: bytes | None
    origins: tuple[bytes, ...] = ()
    not_after: int = 0
    ticket: tuple[int, int, int, int] | None = None

    def item(self) -> list[Any]:
        return [
            self.method,
            self.name,
            self.subject,
            self.authenticated,
            self.key,
            self.origins,
            self.not_after,
            self.ticket or (),
        ]


@dataclass(frozen=True)
class State:
    """What is sealed (18.2). previous is (epoch, secret) or None."""

    suite: int
    mobility: int
    secret: bytes
    previous: tuple[int, bytes] | None
    serial: int
    received: Mark
    sent: Mark
    closed: int
    target: str
    peer: Peer

    def encode(self) -> bytes:
        return cbor.encode(
            [
                self.suite,
                self.mobility,
                self.secret,
                self.previous,
                self.serial,
                self.received.item(),
                self.sent.item(),
                self.closed,
                self.target,
                self.peer.item(),
            ]
        )


@dataclass(frozen=True)
class Clear:
    """What of an entry is in clear, but for nonce and box (18.1)."""

    cluster: str
    scope: str
    generation: int
    session_id: bytes
    epoch: int
    owner: str
    token: bytes
    expires: int

    def items(self) -> list[Any]:
        return [
            1,
            self.cluster,
            self.scope,
            self.generation,
            self.session_id,
            self.epoch,
            self.owner,
            self.token,
            self.expires,
        ]

    def aad(self) -> bytes:
        return cbor.encode([LABEL, *self.items()])


@dataclass(frozen=True)
class Generation:
    number: int
    key: bytes
    cut_off: int = 0


@dataclass(frozen=True)
class Scope:
    """Targets (none: every one) and keys, the newest first."""

    name: str
    targets: tuple[str, ...]
    generations: tuple[Generation, ...]

    def serves(self, target: str) -> bool:
        return not self.targets or target in self.targets


@dataclass(frozen=True)
class Vault:
    """What a server holds of its cluster."""

    cluster: str
    owner: str
    mobility: int = SOFT
    scopes: tuple[Scope, ...] = field(default_factory=tuple)

    def scope(self, name: str) -> Scope | None:
        return next((s for s in self.scopes if s.name == name), None)

    def scope_of(self, target: str) -> Scope | None:
        return next((s for s in self.scopes if s.serves(target)), None)


def keys(generation: bytes) -> tuple[bytes, bytes]:
    """Of the box and of its nonce."""
    return (
        kdf(generation, b"hfstate_", 1, 32),
        kdf(generation, b"hfstate_", 2, 32),
    )


def seal_plain(
    clear: Clear, key: bytes, draw: bytes, plain: bytes, **other: bytes
) -> bytes:
    """An entry over any plaintext; `nonce` and `aad` may be others."""
    box_key, nonce_key = keys(key)
    aad = other.get("aad", clear.aad())
    nonce = blake2b(nonce_key, draw + aad + plain, 24)
    nonce = other.get("nonce", nonce)
    box = xchacha_seal(box_key, nonce, aad, plain)
    return cbor.encode([*clear.items(), nonce, box])


def seal(clear: Clear, key: bytes, draw: bytes, state: State) -> bytes:
    return seal_plain(clear, key, draw, state.encode())


def _read_peer(reader: cbor.Reader) -> Peer:
    reader.array(8)
    method = reader.uint()
    need(method in METHODS, ENTRY, "method")
    name, subject = cose.name(reader), reader.text(1, 320)
    authenticated = cose.time(reader)
    key = None if reader.is_null() else reader.string(32)
    origins = tuple(reader.string(32) for _ in range(reader.array(0, 4)))
    not_after = cose.time(reader)
    ticket = None
    items = reader.array(0, 4)
    need(items in (0, 4), ENTRY, "of the ticket")
    if items:
        first = reader.uint()
        need(first in FIRST_METHODS, ENTRY, "first method")
        ticket = (
            first,
            cose.time(reader),
            cose.time(reader),
            reader.uint(0, 1),
        )
    return Peer(
        method, name, subject, authenticated, key, origins, not_after, ticket
    )


def _read_state(plain: bytes) -> State:
    reader = cbor.Reader(plain, ENTRY)
    reader.array(10)
    suite, mobility = reader.uint(0, 65535), reader.uint(SOFT, PROVED)
    secret = reader.string(32)
    previous = None
    if not reader.is_null():
        reader.array(2)
        previous = reader.uint(0, U32), reader.string(32)
    serial = reader.uint(0, U32)
    found = State(
        suite,
        mobility,
        secret,
        previous,
        serial,
        read_mark(reader),
        read_mark(reader),
        reader.uint(0, 3),
        reader.text(0, 255),
        _read_peer(reader),
    )
    reader.end()
    need(previous is not None or serial == 0, ENTRY, "serial")
    return found


def _read(raw: bytes) -> tuple[Clear, bytes, bytes]:
    need(len(raw) <= ENTRY_MAX, ENTRY, "size")
    reader = cbor.Reader(raw, ENTRY)
    reader.array(11)
    reader.uint(1, 1)
    clear = Clear(
        cose.name(reader),
        cose.name(reader),
        reader.uint(1, U32),
        reader.string(16),
        reader.uint(0, U32),
        cose.name(reader),
        reader.string(16),
        cose.time(reader),
    )
    nonce, box = reader.string(24), reader.string(16, cbor.ANY)
    reader.end()
    return clear, nonce, box


def _as_entry(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except HandfastError as fault:
        raise HandfastError(ENTRY, str(fault)) from None


def open_entry(
    raw: bytes, cluster: str, scopes: Sequence[Scope], now: int
) -> tuple[Clear, State]:
    """Every fault is HF_E_ENTRY (18.1)."""

    def go() -> tuple[Clear, State]:
        clear, nonce, box = _read(raw)
        need(clear.cluster == cluster, ENTRY, "cluster")
        held = [
            generation
            for scope in scopes
            if scope.name == clear.scope
            for generation in scope.generations
            if generation.number == clear.generation
        ]
        need(bool(held), ENTRY, "scope or generation")
        cut_off = held[0].cut_off
        need(not cut_off or now < cut_off, ENTRY, "cut off")
        box_key, _ = keys(held[0].key)
        return clear, _read_state(
            xchacha_open(box_key, nonce, clear.aad(), box)
        )

    return _as_entry(go)
