# SPDX-License-Identifier: ISC
"""COSE_Sign1 and the claims that handfast's objects share (spec 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, TypeVar

from . import cbor
from .crypto import ed25519_sign, ed25519_verify
from .errors import HandfastError, need

OBJECT = "HF_E_OBJECT"
HEADER = bytes.fromhex("a10127")
TIME_MAX = 1 << 53
HANDFAST = -65537
SUITES_MAX = NAMES_MAX = 8

LABELS = {
    "certificate": b"handfast/1 certificate",
    "request": b"handfast/1 request",
    "list": b"handfast/1 list",
    "ticket": b"handfast/1 ticket",
    "key grant": b"handfast/1 key grant",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Signed:
    """An object as it was read: its bytes, what is signed, and by what."""

    raw: bytes
    signed: bytes
    signature: bytes

    def verify(self, public: bytes) -> bool:
        return ed25519_verify(public, self.signed, self.signature)


def signed_bytes(label: str, protected: bytes, payload: bytes) -> bytes:
    return cbor.encode(["Signature1", protected, LABELS[label], payload])


def sign(label: str, seed: bytes, claims: dict[int, Any]) -> bytes:
    """The object of these claims, signed by the identity of `seed`."""
    payload = cbor.encode(claims)
    signature = ed25519_sign(seed, signed_bytes(label, HEADER, payload))
    return cbor.encode([HEADER, {}, payload, signature])


def read(
    label: str, raw: bytes, parse: Callable[[cbor.Reader], T]
) -> tuple[T, Signed]:
    """One pass over an object (2.3, 5.2): `parse` reads the claims where
    they stand."""
    reader = cbor.Reader(raw, OBJECT)
    reader.array(4)
    protected = reader.string(0, cbor.ANY)
    need(protected == HEADER, OBJECT, "protected header")
    reader.map(0)
    payload = reader.string(0, cbor.ANY)
    inner = cbor.Reader(payload, OBJECT)
    claims = parse(inner)
    inner.end()
    signature = reader.string(64)
    reader.end()
    return claims, Signed(
        raw, signed_bytes(label, protected, payload), signature
    )


def read_claims(
    reader: cbor.Reader,
    fields: dict[int, Callable[[], Any]],
    depth: int = 1,
) -> dict[int, Any]:
    """A map of claims: `fields` reads the values of the keys that are
    known. Others are skipped from 0 up, refused below (5.2)."""
    found: dict[int, Any] = {}

    def entry(key: int) -> None:
        if key in fields:
            found[key] = fields[key]()
        elif key < 0:
            raise HandfastError(reader.shape, f"critical claim {key}")
        else:
            reader.skip(depth)

    reader.keys(reader.map(0, cbor.ANY), entry)
    return found


def forbidden(reader: cbor.Reader) -> Callable[[], Any]:
    """A claim that must not be there."""

    def refuse() -> Any:
        raise reader.fail("a forbidden claim")

    return refuse


def name(reader: cbor.Reader) -> str:
    return reader.text(1, 255)


def names(reader: cbor.Reader) -> tuple[str, ...]:
    return tuple(name(reader) for _ in range(reader.array(1, NAMES_MAX)))


def suites(reader: cbor.Reader) -> tuple[int, ...]:
    count = reader.array(1, SUITES_MAX)
    return tuple(reader.uint(0, 65535) for _ in range(count))


def time(reader: cbor.Reader) -> int:
    return reader.uint(0, TIME_MAX)


def key_map(reader: cbor.Reader) -> tuple[int, bytes]:
    """cnf with an OKP COSE_Key: (curve, key). Whether the curve fits is
    judged with the usage."""

    def key() -> list[Any]:
        return reader.exact(
            (1, lambda: reader.uint(1, 1)),
            (-1, reader.integer),
            (-2, lambda: reader.string(32)),
        )

    ((_, found, raw),) = reader.exact((1, key))
    return found, raw


def complete(found: dict[int, Any], *keys: int) -> None:
    for key in keys:
        need(key in found, OBJECT, f"claim {key} is missing")
