# SPDX-License-Identifier: ISC
"""refresh: the next epoch in the open session (spec section 17.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import cbor, hpke, messages, records, schedule, takeover
from .certs import Certificate
from .crypto import H, blake2b, kdf, seal, unseal, x25519_public
from .states import Mark

INITIATOR, RESPONDER = 1, 2


@dataclass
class Next:
    """The next epoch, while one end is not in it yet. `changed`: the mark
    at which the responder's direction went on."""

    keys: schedule.Keys
    proof: bytes
    head: bytes
    inside: dict[str, Any]
    sent: bool = False
    changed: Mark | None = None


def _next(suite: int, secret: bytes, head: bytes, shared: bytes) -> Next:
    th5 = H(cbor.encode([head]))
    data = b"handfast/1 refresh" + th5 + shared
    master = blake2b(secret, data, 32)
    keys = schedule.from_master(suite, master)
    proof = kdf(master, b"handfast", 7, 32)
    inside = {
        "head": head,
        "shared": shared,
        "th5": th5,
        "master": master,
        "proof": proof,
    }
    return Next(keys, proof, head, inside)


def make(
    suite: int,
    secret: bytes,
    ephemeral: bytes,
    reply: bytes,
    own: bytes,
    peer: bytes | None,
    chain: tuple[bytes, ...],
) -> Next:
    """The responder's; `own` is its certified private key, `peer` the
    initiator's certified key."""
    shared = hpke.encap(reply, ephemeral) + hpke.decap(reply, own)
    if peer is not None:
        shared += hpke.encap(peer, ephemeral)
    whole = cbor.encode([x25519_public(ephemeral), chain, 0])
    return _next(suite, secret, whole[:-1], shared)


@dataclass(frozen=True)
class Shown:
    enc: bytes
    chain: tuple[bytes, ...]
    head: bytes
    box: bytes


def read(data: bytes) -> Shown:
    reader = cbor.Reader(data)
    reader.array(3)
    enc = reader.string(messages.KEM_SIZE)
    chain = messages.read_chain(reader)
    head = data[: reader.pos]
    box = reader.string(16)
    reader.end()
    return Shown(enc, chain, head, box)


def verify(
    shown: Shown,
    suite: int,
    secret: bytes,
    reply: bytes,
    server: Certificate,
    own: bytes | None,
    before: Mark,
) -> Next:
    """The initiator's; `reply` and `own` are private keys."""
    shared = hpke.decap(shown.enc, reply) + hpke.encap(server.key, reply)
    if own is not None:
        shared += hpke.decap(shown.enc, own)
    found = _next(suite, secret, shown.head, shared)
    aad = shown.head + cbor.encode(before.item())
    unseal(1, found.proof, bytes(12), aad, shown.box)
    return found


def question(next_: Next, before: Mark) -> bytes:
    """The responder's data; `before`: the mark of its own direction."""
    aad = next_.head + cbor.encode(before.item())
    return next_.head + cbor.encode(
        seal(1, next_.proof, bytes(12), aad, b"")
    )


def _answer_aad(changed: Mark, before: Mark) -> bytes:
    return cbor.encode(changed.item()) + cbor.encode(before.item())


def answer(keys: schedule.Keys, changed: Mark, before: Mark) -> bytes:
    """The initiator's data; `before`: the mark of its own direction."""
    aad = _answer_aad(changed, before)
    return seal(1, keys.confirmation, bytes(12), aad, b"")


def check(keys: schedule.Keys, changed: Mark, before: Mark, box: bytes) -> None:
    aad = _answer_aad(changed, before)
    unseal(1, keys.confirmation, bytes(12), aad, box)


def change(
    direction: records.Direction, keys: schedule.Keys, epoch: int, sender: int
) -> Mark:
    """A direction changes keys, after its sender's refresh."""
    both = (
        (keys.initiator_key, keys.initiator_iv)
        if sender == INITIATOR
        else (keys.responder_key, keys.responder_iv)
    )
    direction.key, direction.iv = both
    direction.sequence = 0
    mark = takeover.rebase(epoch, sender, direction.mark())
    direction.digest = mark.digest
    direction.marks[mark.count] = mark
    return mark
