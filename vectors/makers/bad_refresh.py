# SPDX-License-Identifier: ISC
"""The vectors under bad/ of a refresh that is wrong, at either end (spec
section 17.8)."""

from __future__ import annotations

import copy
from typing import Any, Iterator

from handfast1 import certs, refresh, session
from handfast1.crypto import x25519_public

from . import bad_moving, bad_resumed, moving, world as w
from .bad_resumed import Resumed
from .forge import Raw, Target, item
from .world import Json

EPHEMERAL = w.draw("forged refresh ephemeral")


# At the initiator -----------------------------------------------------------


def soft(name: str, mobility: int = 1, **config: Any) -> Target:
    """An initiator that was taken over."""
    config = {"refresh": True, **config}
    target = bad_resumed.left(name, mobility, **config)
    target.feed(Resumed(target).make())
    return target


def record(direction: Any, data: bytes) -> bytes:
    return copy.deepcopy(direction).seal(8, data)


def data_of(target: Target, **changes: Any) -> bytes:
    """What a server of the forger's says. Changes: enc, chain, box: fields;
    server, secret, alice, before: what it is made from."""
    side = target.side
    server = w.identity(changes.pop("server", "other"))
    made = refresh.make(
        side.suite,
        changes.pop("secret", side.keys.resumption),
        EPHEMERAL,
        x25519_public(side.move.reply),
        server.private,
        changes.pop("alice", w.identity("alice").public),
        tuple(changes.get("chain", [moving.OTHER])),
    )
    before = changes.pop("before", side.receiving.mark())
    good = refresh.question(made, before)
    if not changes:
        return good
    fields: Json = {
        "enc": x25519_public(EPHEMERAL),
        "chain": [moving.OTHER],
        "box": good[-16:],
    }
    fields.update(changes)
    return item(list(fields.values()))


def one(name: str, error: str, note: str = "", **changes: Any) -> Json:
    target = soft(f"refresh {name}")
    whole = changes.pop("whole", None)
    data = data_of(target, **changes) if whole is None else whole
    target.feed(record(target.side.receiving, data))
    return target.vector(f"refresh-{name}", error, note)


CHAIN = [moving.OTHER]
NULL = Raw(b"\xf6")
SHAPES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("enc", (NULL, bytes(31), bytes(33), b"", "x" * 32, 1)),
    ("chain", (NULL, Raw(b"\x80"), Raw(b"\x85" + b"\x41\1" * 5), b"", 1)),
    ("box", (NULL, bytes(15), bytes(17), b"", "x" * 16, 1)),
)


def field(name: str, wrong: Any) -> bytes:
    fields: Json = {"enc": bytes(32), "chain": CHAIN, "box": bytes(16)}
    fields[name] = wrong
    return item(list(fields.values()))


def shapes() -> Iterator[Json]:
    for name, wrongs in SHAPES:
        for number, wrong in enumerate(wrongs):
            yield one(
                f"{name}-{number}", "HF_E_SHAPE", whole=field(name, wrong)
            )
    good = item([bytes(32), CHAIN, bytes(16)])
    for name, error, whole in (
        ("empty", "HF_E_CBOR", b""),
        ("cut", "HF_E_CBOR", good[:-1]),
        ("longer", "HF_E_CBOR", good + b"\0"),
        ("two-items", "HF_E_SHAPE", item([bytes(32), CHAIN])),
        ("four-items", "HF_E_SHAPE", item([bytes(32), CHAIN, bytes(16), 0])),
        ("long-head", "HF_E_CBOR", b"\x98\3" + good[1:]),
        ("an-answer", "HF_E_SHAPE", bytes(16)),
    ):
        yield one(name, error, whole=whole)


def proofs() -> Iterator[Json]:
    yield one("enc-small-order", "HF_E_PUBLIC_KEY", enc=bytes(32))
    yield one("box-empty", "HF_E_BOX", box=bytes(16))
    yield one(
        "of-another",
        "HF_E_BOX",
        "who has the secret, and not the key of the certificate",
        server="somebody",
    )
    yield one("other-secret", "HF_E_BOX", secret=bytes(32))
    yield one("without-ss3", "HF_E_BOX", alice=None)
    yield one("other-ss3", "HF_E_BOX", alice=w.identity("echo").public)
    yield one(
        "other-history",
        "HF_E_BOX",
        "of the responder's direction",
        before=moving.mark("other"),
    )


def chains() -> Iterator[Json]:
    both = moving.SERVER

    def named(usage: int = both, **more: Any) -> bytes:
        return w.cert("other", usage, **{"cluster": "cluster", **more})

    flipped = moving.OTHER[:-1] + bytes([moving.OTHER[-1] ^ 1])
    for name, error, chain in (
        ("signature", "HF_E_SIGNATURE", [flipped]),
        ("issuer", "HF_E_ISSUER", [named(issuer="Nobody")]),
        ("expired", "HF_E_EXPIRED", [named(exp=w.NOW)]),
        ("not-yet", "HF_E_NOT_YET", [named(nbf=w.NOW + 1)]),
        ("usage-responder", "HF_E_USAGE", [named(certs.RESPONDER)]),
        ("usage-server", "HF_E_USAGE", [named(certs.SERVER)]),
        ("other-cluster", "HF_E_NAME", [named(cluster="other")]),
        ("no-cluster", "HF_E_NAME", [w.cert("other", both)]),
        ("cut", "HF_E_CBOR", [moving.OTHER[:-1]]),
    ):
        yield one(f"chain-is-{name}", error, chain=chain)


def misplaced() -> Iterator[Json]:
    target = soft("refresh without reply key", refresh=False)
    data = item([bytes(32), CHAIN, bytes(16)])
    target.feed(record(target.side.receiving, data))
    yield target.vector("refresh-without-reply-key", "HF_E_UNEXPECTED")
    target = soft("refresh of a proved epoch", 2)
    target.feed(record(target.side.receiving, data))
    yield target.vector("refresh-of-a-proved-epoch", "HF_E_UNEXPECTED")
    target = soft("refresh twice")
    good = data_of(target)
    target.feed(record(target.side.receiving, good))
    target.feed(record(target.side.receiving, good))
    yield target.vector("refresh-twice", "HF_E_UNEXPECTED")
    target = soft("refresh and old keys")
    old = copy.deepcopy(target.side.receiving)
    target.feed(old.seal(8, data_of(target)))
    target.feed(old.seal(1, b"as the former owner would"))
    yield target.vector(
        "refresh-and-old-keys",
        "HF_E_BOX",
        "the responder's direction has changed keys",
    )


# At the responder -----------------------------------------------------------


def asked(name: str, ask: bool = True, **config: Any) -> Target:
    """A responder that has taken over and, if it was to ask, waits."""
    config = {"refresh": True, **config}
    server = bad_moving.server(bad_moving.stored(), **config)
    target = Target("responder", server, name)
    public = x25519_public(w.draw("reply key"))
    target.feed(bad_moving.resume(reply_key=public))
    target.feed(session.confirm(target.side.keys))
    if ask:
        target.step(do="checkpoint")
    return target


def answers() -> Iterator[Json]:
    for size in (0, 1, 15, 17):
        target = asked(f"answer of {size}")
        target.feed(record(target.side.receiving, bytes(size)))
        yield target.vector(f"refresh-answer-of-{size}", "HF_E_SHAPE")

    def right(target: Target, **changes: Any) -> bytes:
        side = target.side
        parts = {
            "keys": side.move.next.keys,
            "changed": side.move.next.changed,
            "before": side.receiving.mark(),
        }
        return refresh.answer(**{**parts, **changes})

    for name, note, make in (
        ("empty", "", lambda t: bytes(16)),
        (
            "under-old-keys",
            "as the former owner would",
            lambda t: right(t, keys=t.side.keys),
        ),
        (
            "other-history",
            "of the initiator's direction",
            lambda t: right(t, before=moving.mark("other")),
        ),
        (
            "other-history-of-the-responder",
            "",
            lambda t: right(t, changed=moving.mark("other")),
        ),
    ):
        target = asked(f"answer {name}")
        target.feed(record(target.side.receiving, make(target)))
        yield target.vector(f"refresh-answer-{name}", "HF_E_BOX", note)
    target = asked("answer and nobody asked", ask=False)
    target.feed(record(target.side.receiving, bytes(16)))
    yield target.vector("refresh-answer-not-asked", "HF_E_UNEXPECTED")
    target = asked("answer twice")
    answer = right(target)
    target.feed(record(target.side.receiving, answer))
    target.feed(record(target.side.receiving, answer))
    yield target.vector("refresh-answer-twice", "HF_E_UNEXPECTED")
    target = asked("answer and old keys")
    old = copy.deepcopy(target.side.receiving)
    target.feed(old.seal(8, right(target)))
    target.feed(old.seal(1, b"as the former owner would"))
    yield target.vector("refresh-answer-and-old-keys", "HF_E_BOX")


def replies() -> Iterator[Json]:
    server = bad_moving.server(bad_moving.stored(), refresh=True)
    target = Target("responder", server, "reply key of small order")
    target.feed(bad_moving.resume(reply_key=bytes(32)))
    target.feed(session.confirm(target.side.keys))
    target.step(do="checkpoint")
    yield target.vector("refresh-reply-key-small", "HF_E_PUBLIC_KEY")


def files_of_vectors() -> Iterator[tuple[str, Iterator[Json]]]:
    yield "refresh", iter(
        [
            *shapes(),
            *proofs(),
            *chains(),
            *misplaced(),
            *answers(),
            *replies(),
        ]
    )
