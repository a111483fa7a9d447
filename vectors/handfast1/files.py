# SPDX-License-Identifier: ISC
"""Textual blocks, identities and rings (spec section 14)."""

from __future__ import annotations

import base64

from . import cbor
from .crypto import xchacha_open, xchacha_seal
from .errors import HandfastError, need
from .passwords import argon2id
from .tickets import RingKey

OBJECT = "HF_E_OBJECT"


def armour(label: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(
        [f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]
    )


def blocks(text: str, label: str) -> list[bytes]:
    """The contents of the blocks of that label; all else is passed over.
    HF_E_OBJECT."""
    found: list[bytes] = []
    body: list[str] | None = None
    lines = text.split("\n")
    last = lines.pop()
    for line in lines + ([last] if last else []):
        line = line[:-1] if line.endswith("\r") else line
        if body is None:
            body = [] if line == f"-----BEGIN {label}-----" else None
        elif line == f"-----END {label}-----":
            found.append(_base64(body))
            body = None
        else:
            body.append(line)
    need(body is None, OBJECT, "a block does not end")
    return found


def _base64(lines: list[str]) -> bytes:
    need(all(len(line) == 64 for line in lines[:-1]), OBJECT, "line length")
    need(bool(lines) and 0 < len(lines[-1]) <= 64, OBJECT, "an empty line")
    text = "".join(lines)
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise HandfastError(OBJECT, "base64") from None
    need(base64.b64encode(data).decode() == text, OBJECT, "base64")
    return data


def identity(seed: bytes) -> bytes:
    return cbor.encode([1, seed])


def encrypted_identity(
    seed: bytes,
    passphrase: bytes,
    salt: bytes,
    mib: int,
    passes: int,
    nonce: bytes,
) -> bytes:
    key = argon2id(passphrase, salt, mib, passes)
    whole = cbor.encode([2, salt, mib, passes, nonce, bytes(48)])
    aad = whole[:-50]
    return aad + cbor.encode(xchacha_seal(key, nonce, aad, seed))


def read_identity(data: bytes, passphrase: bytes = b"") -> bytes:
    """The seed, of either form. HF_E_OBJECT, HF_E_PASSPHRASE."""
    reader = cbor.Reader(data, OBJECT)
    try:
        if reader.array(2, 6) == 2:
            reader.uint(1, 1)
            seed = reader.string(32)
            reader.end()
            return seed
        need(data[0] == 0x86, OBJECT, "items")
        reader.uint(2, 2)
        salt = reader.string(16)
        mib, passes = reader.uint(8, 1024), reader.uint(1, 10)
        nonce = reader.string(24)
        aad = data[: reader.pos]
        box = reader.string(48)
        reader.end()
    except HandfastError as fault:
        raise HandfastError(OBJECT, str(fault)) from None
    try:
        key = argon2id(passphrase, salt, mib, passes)
        return xchacha_open(key, nonce, aad, box)
    except HandfastError:
        raise HandfastError("HF_E_PASSPHRASE") from None


def ring(keys: list[RingKey]) -> bytes:
    return cbor.encode([[k.kid, k.key, k.created] for k in keys])


def read_ring(data: bytes) -> list[RingKey]:
    reader = cbor.Reader(data, OBJECT)
    found = []
    try:
        for _ in range(reader.array(0, 4)):
            reader.array(3)
            found.append(
                RingKey(
                    reader.string(8),
                    reader.string(32),
                    reader.uint(0, 1 << 53),
                )
            )
        reader.end()
    except HandfastError as fault:
        raise HandfastError(OBJECT, str(fault)) from None
    return found
