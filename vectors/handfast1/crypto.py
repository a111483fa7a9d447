# SPDX-License-Identifier: ISC
"""The primitives, under the names of spec section 2.1, and what the spec
asks of X25519 and Ed25519 beyond a library's calls (3.4, 5.1)."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import (
    AESGCM,
    ChaCha20Poly1305,
)

from .errors import HandfastError, need

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)

_RAW = serialization.Encoding.Raw
_RAW_PUBLIC = serialization.PublicFormat.Raw


# Hashes ---------------------------------------------------------------------


def H(data: bytes) -> bytes:
    """BLAKE2b, 32 bytes of output (2.1)."""
    return hashlib.blake2b(data, digest_size=32).digest()


def blake2b(key: bytes, data: bytes, size: int) -> bytes:
    """BLAKE2b-n(key, data), n = 8 * size (2.1)."""
    return hashlib.blake2b(data, key=key, digest_size=size).digest()


def kdf(key: bytes, context: bytes, number: int, size: int) -> bytes:
    """KDF(key, context, id, L) of section 8.3."""
    return hashlib.blake2b(
        b"",
        key=key,
        salt=number.to_bytes(8, "little") + bytes(8),
        person=context + bytes(8),
        digest_size=size,
    ).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf_expand(prk: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand (RFC 5869) with SHA-256."""
    out, block, count = b"", b"", 1
    while len(out) < size:
        block = hmac_sha256(prk, block + info + bytes([count]))
        out += block
        count += 1
    return out[:size]


# AEADs ----------------------------------------------------------------------


def _aead(suite: int, key: bytes) -> ChaCha20Poly1305 | AESGCM:
    return AESGCM(key) if suite == 2 else ChaCha20Poly1305(key)


def seal(
    suite: int, key: bytes, nonce: bytes, aad: bytes, data: bytes
) -> bytes:
    """The record AEAD of a suite (3.1); 1 also serves all other boxes."""
    cipher = _aead(suite, key)
    return cipher.encrypt(nonce, data, aad)


def unseal(
    suite: int, key: bytes, nonce: bytes, aad: bytes, box: bytes
) -> bytes:
    """HF_E_BOX when it does not open."""
    need(len(box) >= 16, "HF_E_BOX", "no room for a tag")
    cipher = _aead(suite, key)
    try:
        return cipher.decrypt(nonce, box, aad)
    except InvalidTag:
        raise HandfastError("HF_E_BOX", "does not open") from None


def _hchacha20(key: bytes, nonce: bytes) -> bytes:
    state = [
        int.from_bytes(
            (b"expand 32-byte k" + key + nonce)[i : i + 4], "little"
        )
        for i in range(0, 64, 4)
    ]

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for x, y, z, turn in (
            (a, b, d, 16),
            (c, d, b, 12),
            (a, b, d, 8),
            (c, d, b, 7),
        ):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return b"".join(x.to_bytes(4, "little") for x in state[:4] + state[12:])


def xchacha_seal(key: bytes, nonce: bytes, aad: bytes, data: bytes) -> bytes:
    """XChaCha20-Poly1305 (section 14)."""
    return seal(
        1, _hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], aad, data
    )


def xchacha_open(key: bytes, nonce: bytes, aad: bytes, box: bytes) -> bytes:
    return unseal(
        1, _hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], aad, box
    )


# X25519 ---------------------------------------------------------------------


def x25519_public(private: bytes) -> bytes:
    key = X25519PrivateKey.from_private_bytes(private)
    return key.public_key().public_bytes(_RAW, _RAW_PUBLIC)


def x25519(private: bytes, public: bytes) -> bytes:
    """Section 3.4. HF_E_PUBLIC_KEY when the result is all zero."""
    key = X25519PrivateKey.from_private_bytes(private)
    try:
        shared = key.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        shared = bytes(32)
    need(any(shared), "HF_E_PUBLIC_KEY", "small order")
    return shared


# Ed25519 --------------------------------------------------------------------

Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, P - 2, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, P - 2, P) % P
    return x, y


def multiply(scalar: int, point: Point) -> Point:
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def decompress(raw: bytes) -> Point | None:
    """The point of RFC 8032, section 5.1.3; None where there is none or its
    encoding is not the canonical one."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x), y


def compress(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


@lru_cache(maxsize=4096)
def small_order(raw: bytes) -> bool:
    """Small order, in whatever encoding."""
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    point = decompress((y % P).to_bytes(32, "little"))
    return point is not None and multiply(8, point) == (0, 1)


@lru_cache(maxsize=4096)
def prime_order(raw: bytes) -> bool:
    """A canonical point of the prime-order group, not the identity."""
    point = decompress(raw)
    return (
        point is not None
        and point != (0, 1)
        and multiply(ORDER, point) == (0, 1)
    )


def ed25519_public(seed: bytes) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.public_key().public_bytes(_RAW, _RAW_PUBLIC)


def ed25519_sign(seed: bytes, data: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


@lru_cache(maxsize=4096)
def ed25519_verify(public: bytes, data: bytes, signature: bytes) -> bool:
    """Section 5.1, "Signatures"."""
    if int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    if decompress(public) is None or small_order(public):
        return False
    if small_order(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def x_private(seed: bytes) -> bytes:
    """The X25519 private key of an identity (5.1, 2)."""
    raw = bytearray(hashlib.sha512(seed).digest()[:32])
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return bytes(raw)


def ed_to_x(public: bytes) -> bytes:
    """The conversion of a public key (5.1, 3)."""
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    return ((1 + y) * pow(1 - y, P - 2, P) % P).to_bytes(32, "little")
