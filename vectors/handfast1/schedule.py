# SPDX-License-Identifier: ISC
"""Transcript, key schedule and exporter (spec section 8)."""

from __future__ import annotations

from dataclasses import dataclass

from . import cbor, hpke
from .crypto import H, blake2b, hkdf_expand, kdf
from .errors import need

IV_SIZE = {1: 12, 2: 12}
TAG_SIZE = {1: 16, 2: 16}
SUITES = (1, 2)


def th0(hello: bytes, offer: bytes, leaf: bytes) -> bytes:
    return H(cbor.encode([hello, offer, leaf]))


def th_next(before: bytes, message: bytes) -> bytes:
    """th1 from th0 and the request, th2 from th1 and the grant (8.1)."""
    return H(cbor.encode([before, message]))


def th3(resume: bytes) -> bytes:
    """Section 17.2."""
    return H(cbor.encode([resume]))


def key_id(leaf: bytes) -> bytes:
    """Section 4.4: the first 16 bytes of H(leaf)."""
    return H(leaf)[:16]


def request_keys(
    hash0: bytes, secret: bytes, psk: bytes | None
) -> tuple[bytes, bytes]:
    """Key and nonce of the request's box (8.2); psk is None without an
    offer."""
    info = b"handfast/1 request" + hash0
    if psk is None:
        return hpke.key_schedule(hpke.BASE, secret, info, b"", b"")
    return hpke.key_schedule(hpke.PSK, secret, info, psk, b"handfast/1 prekey")


def grant_keys(
    transport_key: bytes, th1: bytes, ss: bytes, binder: bytes
) -> tuple[bytes, bytes]:
    """Box key and chain of the grant (8.2)."""
    both = blake2b(transport_key, b"handfast/1 grant" + th1 + ss + binder, 64)
    return both[:32], both[32:]


@dataclass(frozen=True)
class Keys:
    """All that is derived from the master secret (8.3). Each direction is
    named by its sender."""

    suite: int
    master: bytes
    initiator_key: bytes
    initiator_iv: bytes
    responder_key: bytes
    responder_iv: bytes
    confirmation: bytes
    resumption: bytes
    exporter: bytes
    initiator_digest: bytes
    responder_digest: bytes


def derive(suite: int, session_key: bytes, chain: bytes, th2: bytes) -> Keys:
    master = blake2b(session_key + chain, b"handfast/1 master" + th2, 32)
    return from_master(suite, master)


def from_master(suite: int, master: bytes) -> Keys:
    size = 32 + IV_SIZE[suite]
    initiator = kdf(master, b"handfast", 1, size)
    responder = kdf(master, b"handfast", 2, size)
    digests = kdf(master, b"handfast", 6, 64)
    return Keys(
        suite,
        master,
        initiator[:32],
        initiator[32:],
        responder[:32],
        responder[32:],
        kdf(master, b"handfast", 3, 32),
        kdf(master, b"handfast", 4, 32),
        kdf(master, b"handfast", 5, 32),
        digests[:32],
        digests[32:],
    )


def exporter_info(label: str, context: bytes, length: int) -> bytes:
    return cbor.encode(["handfast/1 export", label, H(context), length])


def export(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """Section 8.4."""
    need(1 <= length <= 8160, "HF_E_ARG", "length")
    need(len(label.encode()) <= 255, "HF_E_ARG", "label")
    return hkdf_expand(secret, exporter_info(label, context, length), length)
