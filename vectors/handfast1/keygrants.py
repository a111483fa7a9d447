# SPDX-License-Identifier: ISC
"""Key grants: the keys of a scope for one member of a cluster (spec section
19.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import cbor, cose, hpke
from .certs import CLUSTER, Certificate
from .crypto import H, ed25519_sign, ed_to_x, x25519_public
from .errors import HandfastError, need
from .states import U32, Generation

LABEL = b"handfast/1 key grant"
SERIAL_MAX = TIME_MAX = 1 << 53
DAY = 24 * 3600
OBJECT = cose.OBJECT


@dataclass(frozen=True)
class Grant:
    """What is signed in clear. The keys of generations, once opened, are in
    them; before they are empty."""

    cluster: str
    serial: int
    member: bytes
    scope: str
    targets: tuple[str, ...]
    generations: tuple[Generation, ...]
    not_after: int

    def items(self) -> list[Any]:
        return [
            1,
            self.cluster,
            self.serial,
            self.member,
            self.scope,
            self.targets,
            [[g.number, g.cut_off] for g in self.generations],
            self.not_after,
        ]

    def info(self) -> bytes:
        return LABEL + cbor.encode(self.items())

    def keys(self) -> bytes:
        return cbor.encode([g.key for g in self.generations])


def sealed_to(cert: Certificate) -> bytes:
    """The key a grant for this certificate is sealed to."""
    return ed_to_x(cert.key) if cert.usage == CLUSTER else cert.key


def signed_bytes(payload: bytes) -> bytes:
    return cbor.encode(["Signature1", cose.HEADER, LABEL, payload])


def sign(seed: bytes, payload: bytes) -> bytes:
    signature = ed25519_sign(seed, signed_bytes(payload))
    return cbor.encode([cose.HEADER, {}, payload, signature])


def box(grant: Grant, public: bytes, ephemeral: bytes, plain: bytes) -> bytes:
    secret = hpke.encap(public, ephemeral)
    key, nonce = hpke.key_schedule(hpke.BASE, secret, grant.info(), b"", b"")
    return hpke.box_seal(key, nonce, b"", plain)


def make(
    seed: bytes, grant: Grant, member: Certificate, ephemeral: bytes
) -> bytes:
    sealed = box(grant, sealed_to(member), ephemeral, grant.keys())
    enc = x25519_public(ephemeral)
    return sign(seed, cbor.encode([*grant.items(), enc, sealed]))


def _parse(reader: cbor.Reader) -> tuple[Grant, bytes, bytes]:
    reader.array(10)
    reader.uint(1, 1)
    cluster = cose.name(reader)
    serial, member = reader.uint(1, SERIAL_MAX), reader.string(32)
    scope = cose.name(reader)
    targets = tuple(reader.text(0, 255) for _ in range(reader.array(0, 16)))
    generations = []
    for _ in range(reader.array(1, 8)):
        reader.array(2)
        number, cut_off = reader.uint(1, U32), cose.time(reader)
        last = generations[-1].number if generations else U32 + 1
        need(number < last, OBJECT, "numbers do not fall")
        generations.append(Generation(number, b"", cut_off))
    not_after = cose.time(reader)
    enc, sealed = reader.string(32), reader.string(16, cbor.ANY)
    grant = Grant(
        cluster, serial, member, scope, targets, tuple(generations), not_after
    )
    return grant, enc, sealed


def read(raw: bytes) -> tuple[Grant, bytes, bytes, cose.Signed]:
    """Step 1, under the label of key grants."""
    (grant, enc, sealed), signed = cose.read("key grant", raw, _parse)
    return grant, enc, sealed, signed


def _opened(grant: Grant, plain: bytes) -> tuple[Generation, ...]:
    """Whatever is wrong with the keys is HF_E_OBJECT."""
    reader = cbor.Reader(plain, OBJECT)
    try:
        reader.array(len(grant.generations))
        keys = [reader.string(32) for _ in grant.generations]
        reader.end()
    except HandfastError as fault:
        raise HandfastError(OBJECT, str(fault)) from None
    return tuple(
        Generation(g.number, key, g.cut_off)
        for g, key in zip(grant.generations, keys)
    )


def accept(
    raw: bytes,
    leaf: Certificate,
    cluster: Certificate,
    private: bytes,
    now: int,
    serial: int,
    tolerance: int,
) -> Grant:
    """19.2, steps 1 to 7; the chain of the cluster's certificate was
    verified before."""
    grant, enc, sealed, signed = read(raw)
    need(cluster.usage == CLUSTER, "HF_E_USAGE", "the cluster's")
    ours = cluster.sub == grant.cluster == leaf.cluster
    need(ours, "HF_E_NAME", "cluster")
    need(signed.verify(cluster.key), "HF_E_SIGNATURE")
    need(grant.member == H(leaf.raw), "HF_E_UNKNOWN_KEY", "member")
    need(now < grant.not_after, "HF_E_EXPIRED", "void")
    late = grant.not_after <= now + DAY + tolerance
    need(late, "HF_E_NOT_YET", "lasts too long")
    need(grant.serial >= serial, "HF_E_ROLLBACK", "serial")
    secret = hpke.decap(enc, private)
    key, nonce = hpke.key_schedule(hpke.BASE, secret, grant.info(), b"", b"")
    plain = hpke.box_open(key, nonce, b"", sealed)
    return Grant(**{**vars(grant), "generations": _opened(grant, plain)})
