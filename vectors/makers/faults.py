# SPDX-License-Identifier: ISC
"""Faults that several kinds of objects can have: around the claims of a
COSE_Sign1 (spec 2.2, 5.1), in any map of claims, of signatures and of keys."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import cose, crypto
from handfast1.crypto import P, compress, decompress

from . import world as w
from .bad_wire import text
from .forge import Pairs, Raw, item, merged, sign1
from .world import Json


def bad(name: str, kind: str, error: str, **fields: Any) -> Json:
    return {"id": name, "kind": kind, **fields, "expected": error}


def envelopes(
    label: str, seed: bytes, payload: bytes
) -> Iterator[tuple[str, bytes, str]]:
    """Faults around the claims."""
    good = sign1(label, seed, payload)
    signature = bytes(64)

    def made(**changes: Any) -> bytes:
        return sign1(label, seed, payload, **changes)

    yield "empty", b"", "HF_E_CBOR"
    yield "no-array", b"\0", "HF_E_OBJECT"
    yield "map", b"\xa0", "HF_E_OBJECT"
    yield "tagged", b"\xd2" + good, "HF_E_CBOR"
    yield "indefinite", b"\x9f" + good[1:] + b"\xff", "HF_E_CBOR"
    yield "long-head", b"\x98\4" + good[1:], "HF_E_CBOR"
    yield "3-items", item([cose.HEADER, {}, payload]), "HF_E_OBJECT"
    yield "5-items", item(
        [cose.HEADER, {}, payload, signature, 0]
    ), "HF_E_OBJECT"
    yield "left-over", good + b"\0", "HF_E_CBOR"
    yield "cut", good[:-1], "HF_E_CBOR"
    yield "cut-payload", good[:40], "HF_E_CBOR"
    yield "protected-text", made(protected_item="\u00a1"), "HF_E_OBJECT"
    yield "protected-map", made(protected_item={1: -8}), "HF_E_OBJECT"
    yield "protected-other", made(protected=item({1: -7})), "HF_E_OBJECT"
    yield "protected-more", made(
        protected=item({1: -8, 4: b"k"})
    ), "HF_E_OBJECT"
    yield "protected-none", made(protected=b"\xa0"), "HF_E_OBJECT"
    yield "protected-no-cbor", made(protected=b"\xff"), "HF_E_OBJECT"
    yield "protected-left-over", made(
        protected=cose.HEADER + b"\0"
    ), "HF_E_OBJECT"
    yield "protected-key", made(protected=item({2: -8})), "HF_E_OBJECT"
    yield "unprotected", made(unprotected={4: b"kid"}), "HF_E_OBJECT"
    yield "unprotected-null", made(unprotected=None), "HF_E_OBJECT"
    yield "detached", made(payload_item=None), "HF_E_OBJECT"
    yield "payload-map", made(payload_item=Raw(payload)), "HF_E_OBJECT"
    yield "payload-cut", sign1(label, seed, payload[:-1]), "HF_E_CBOR"
    yield "payload-left-over", sign1(label, seed, payload + b"\0"), "HF_E_CBOR"
    yield "payload-array", sign1(label, seed, b"\x80"), "HF_E_OBJECT"
    yield "payload-indefinite", sign1(label, seed, b"\xbf\xff"), "HF_E_CBOR"
    yield "signature-63", made(signature=bytes(63)), "HF_E_OBJECT"
    yield "signature-65", made(signature=bytes(65)), "HF_E_OBJECT"
    yield "signature-null", made(signature=None), "HF_E_OBJECT"
    yield "no-claims", sign1(label, seed, b"\xa0"), "HF_E_OBJECT"
    # The first fault in the order of bytes, wherever the second is.
    yield "unprotected-and-cut", made(unprotected={4: b"k"})[
        :-1
    ], "HF_E_OBJECT"
    yield "payload-array-and-cut", sign1(label, seed, b"\x80")[
        :-1
    ], "HF_E_OBJECT"
    yield "payload-cut-and-signature", sign1(
        label, seed, payload[:-1], signature=bytes(63)
    ), "HF_E_CBOR"
    yield "payload-left-over-and-signature", sign1(
        label, seed, payload + b"\0", signature=bytes(63)
    ), "HF_E_CBOR"
    yield "no-claims-and-cut", sign1(label, seed, b"\xa0")[:-1], "HF_E_CBOR"


def map_faults(good: dict[Any, Any]) -> Iterator[tuple[str, Any, str]]:
    """Faults of any map of claims."""
    pairs = list(merged(good, {}).pairs)
    deep: Any = []
    for _ in range(8):
        deep = [deep]
    yield "order", Pairs(*pairs[1:], pairs[0]), "HF_E_CBOR"
    yield "twice", Pairs(pairs[0], *pairs), "HF_E_CBOR"
    yield "key-text", Pairs(*pairs, ("a", 0)), "HF_E_OBJECT"
    yield "key-bytes", Pairs(*pairs, (b"a", 0)), "HF_E_OBJECT"
    yield "key-below", Pairs(*pairs, (-(1 << 63) - 1, 0)), "HF_E_OBJECT"
    yield "key-above", merged(good, {1 << 63: 0}), "HF_E_OBJECT"
    yield "critical", merged(good, {-70000: 0}), "HF_E_OBJECT"
    yield "skipped-tag", merged(good, {1000: Raw(b"\xc0\0")}), "HF_E_CBOR"
    yield "skipped-float", merged(good, {1000: Raw(b"\xf9\0\0")}), "HF_E_CBOR"
    yield "skipped-long", merged(good, {1000: Raw(b"\x18\0")}), "HF_E_CBOR"
    yield "skipped-utf8", merged(good, {1000: text(b"\xff")}), "HF_E_CBOR"
    yield "skipped-control", merged(good, {1000: text(b"\0")}), "HF_E_CBOR"
    yield "skipped-order", merged(
        good, {1000: Pairs((2, 0), (1, 0))}
    ), "HF_E_CBOR"
    yield "skipped-twice", merged(
        good, {1000: Pairs(("a", 0), ("a", 1))}
    ), "HF_E_CBOR"
    yield "skipped-deep", merged(good, {1000: deep}), "HF_E_CBOR"
    yield "skipped-indefinite", merged(
        good, {1000: Raw(b"\x9f\xff")}
    ), "HF_E_CBOR"
    yield "none-and-left-over", Raw(b"\xa0\0"), "HF_E_CBOR"


def torsion(point: bytes) -> bytes:
    """The point and one of order 8: outside the prime-order group."""
    eight = decompress(SMALL_ED["order-8"])
    start = decompress(point)
    assert eight and start
    return compress(crypto.add(start, eight))


SMALL_ED = {
    "identity": b"\1" + bytes(31),
    "order-2": (P - 1).to_bytes(32, "little"),
    "order-4": bytes(32),
    "order-8": bytes.fromhex(
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    ),
}


def flip(raw: bytes, at: int = -1) -> bytes:
    changed = bytearray(raw)
    changed[at] ^= 1
    return bytes(changed)


def mixed_signature(seed: bytes, public: bytes, signed: bytes) -> bytes:
    """A signature under a key of mixed order that verifies without the
    cofactor as well: by trying nonces until 8 divides the challenge."""
    import hashlib

    secret = int.from_bytes(w.certs.Identity(seed).private, "little")
    base = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    assert base
    count = 0
    while True:
        count += 1
        draw = w.draw(f"mixed nonce {count}", 64)
        nonce = int.from_bytes(draw, "little") % crypto.ORDER
        big_r = compress(crypto.multiply(nonce, base))
        digest = hashlib.sha512(big_r + public + signed).digest()
        challenge = int.from_bytes(digest, "little") % crypto.ORDER
        if challenge % 8 == 0:
            big_s = (nonce + challenge * secret) % crypto.ORDER
            return big_r + big_s.to_bytes(32, "little")
