# SPDX-License-Identifier: ISC
"""HPKE (RFC 9180) as section 3.2 uses it, with the KEM split as in 3.3."""

from __future__ import annotations

from .crypto import (
    hkdf_expand,
    hmac_sha256,
    seal,
    unseal,
    x25519,
    x25519_public,
)

BASE, PSK = 0, 1
_KEM_ID = b"KEM" + bytes.fromhex("0020")
_HPKE_ID = b"HPKE" + bytes.fromhex("002000010003")


def _extract(suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac_sha256(salt or bytes(32), b"HPKE-v1" + suite_id + label + ikm)


def _expand(
    suite_id: bytes, prk: bytes, label: bytes, info: bytes, size: int
) -> bytes:
    head = size.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label
    return hkdf_expand(prk, head + info, size)


def _extract_and_expand(dh: bytes, context: bytes) -> bytes:
    prk = _extract(_KEM_ID, b"", b"eae_prk", dh)
    return _expand(_KEM_ID, prk, b"shared_secret", context, 32)


def encap(public: bytes, ephemeral: bytes) -> bytes:
    """Encap(pkR) with (skE, pkE) (3.3): the shared secret."""
    dh = x25519(ephemeral, public)
    return _extract_and_expand(dh, x25519_public(ephemeral) + public)


def decap(enc: bytes, private: bytes) -> bytes:
    """Decap(enc) with (skR, pkR) (3.3): the shared secret."""
    dh = x25519(private, enc)
    return _extract_and_expand(dh, enc + x25519_public(private))


def key_schedule(
    mode: int, secret: bytes, info: bytes, psk: bytes, psk_id: bytes
) -> tuple[bytes, bytes]:
    """RFC 9180, section 5.1: the key and the base nonce."""
    context = (
        bytes([mode])
        + _extract(_HPKE_ID, b"", b"psk_id_hash", psk_id)
        + _extract(_HPKE_ID, b"", b"info_hash", info)
    )
    prk = _extract(_HPKE_ID, secret, b"secret", psk)
    return (
        _expand(_HPKE_ID, prk, b"key", context, 32),
        _expand(_HPKE_ID, prk, b"base_nonce", context, 12),
    )


def box_seal(key: bytes, nonce: bytes, aad: bytes, data: bytes) -> bytes:
    """The one box of a context: sequence number 0."""
    return seal(1, key, nonce, aad, data)


def box_open(key: bytes, nonce: bytes, aad: bytes, box: bytes) -> bytes:
    return unseal(1, key, nonce, aad, box)
