# SPDX-License-Identifier: ISC
"""The vectors under bad/ of an initiator that goes on with its session, and
of acks and queries (spec sections 17.4 to 17.6)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import certs, hpke, states, takeover
from handfast1.crypto import seal, x25519_public

from . import forge, moving, world as w
from .forge import Raw, Target, item, reach
from .world import Json

EPHEMERAL = w.draw("forged resumed ephemeral")


def met(
    name: str, role: str = "initiator", mobility: int = 1, **left: Any
) -> tuple[Target, Any]:
    """A session that moves, open; its first checkpoint was acked."""
    right = moving.server("echo", mobility)
    mine = w.initiator("certificate", **left)
    target, peer = reach(role, "open", name, left=mine, right=right)
    if role == "initiator":
        peer.checkpoint()
        peer.checkpointed()
        target.feed(peer.drain())
    else:
        peer.feed(target.step(do="checkpoint"))
    return target, peer


def left(
    name: str, mobility: int = 1, close: bool = False, **config: Any
) -> Target:
    """An initiator that has sent a record, acked, and one more, and has sent
    a resume."""
    target, peer = met(name, mobility=mobility, **config)
    peer.feed(target.send(1, b"acked"))
    peer.checkpoint()
    peer.checkpointed()
    target.feed(peer.drain())
    target.send(1, b"and one more")
    if close:
        target.send(2)
    target.step(do="reconnect")
    return target


class Resumed:
    """A resumed of the forger's, who has the secret. Changes: fields of the
    message; epoch, received, sent, closed or plain: what is sealed; secret,
    th3, shared, sealed_as: how."""

    def __init__(self, target: Target, server_: str = "other") -> None:
        side = target.side
        self.attempt, self.move = side.attempt, side.move
        self.server = w.identity(server_)

    def shared(self) -> bytes:
        reply = x25519_public(self.attempt.reply)
        return (
            hpke.encap(reply, EPHEMERAL)
            + hpke.decap(reply, self.server.private)
            + hpke.encap(w.identity("alice").public, EPHEMERAL)
        )

    def make(self, **changes: Any) -> bytes:
        attempt, proved = self.attempt, self.move.mobility == 2
        told = attempt.told
        plain = changes.pop("plain", None)
        parts: Json = {
            "epoch": self.move.epoch + 1,
            "received": told.sent.item(),
            "sent": told.received.item(),
            "closed": told.closed,
        }
        parts.update((k, changes.pop(k)) for k in list(changes) if k in parts)
        secret = changes.pop("secret", attempt.secret)
        th3 = changes.pop("th3", attempt.th3)
        box_nonce = changes.pop("box_nonce", bytes(12))
        shared = changes.pop("shared", None)
        sealed_as = changes.pop("sealed_as", {})
        box = changes.pop("box", None)
        fields: Json = {
            "nonce": w.draw("resumed nonce"),
            "enc": x25519_public(EPHEMERAL) if proved else None,
            "chain": [moving.OTHER] if proved else None,
        }
        fields.update(changes)
        if plain is None:
            plain = item(list(parts.values()))
        if box is None:
            if shared is None:
                shared = self.shared() if proved else b""
            aad = item([7, *{**fields, **sealed_as}.values(), Raw(b"")])
            nonce = fields["nonce"]
            nonce = nonce if isinstance(nonce, bytes) else bytes(32)
            key = takeover.resumed_key(secret, th3, nonce, shared)
            box = seal(1, key, box_nonce, aad, plain)
        return item([7, *fields.values(), box])


def one(name: str, error: str, mobility: int = 1, **changes: Any) -> Json:
    target = left(f"resumed {name}", mobility)
    target.feed(Resumed(target).make(**changes))
    return target.vector(f"resumed-{name}", error)


NULL = Raw(b"\xf6")
CHAIN = [moving.OTHER]
SHAPES: tuple[tuple[str, int, tuple[Any, ...]], ...] = (
    ("nonce", 1, (bytes(31), bytes(33), b"", "x" * 32, 1, None)),
    ("enc", 1, (bytes(32), b"", 1, "x", False)),
    ("chain", 1, (CHAIN, [], b"", 1, False)),
    ("box", 1, (bytes(15), bytes(273), b"", "x" * 40, 1, NULL)),
    ("enc-proved", 2, (None, bytes(31), bytes(33), b"", "x" * 32, 1)),
    ("chain-proved", 2, (None, [], CHAIN * 5, [b""], [bytes(2049)], [1])),
)


def shapes() -> Iterator[Json]:
    for name, mobility, wrongs in SHAPES:
        for number, wrong in enumerate(wrongs):
            field = name.removesuffix("-proved")
            yield one(
                f"{name}-{number}", "HF_E_SHAPE", mobility, **{field: wrong}
            )
    for name, error, data in (
        ("four-items", "HF_E_SHAPE", item([7, bytes(32), None, None])),
        (
            "six-items",
            "HF_E_SHAPE",
            item([7, bytes(32), None, None, bytes(40), 0]),
        ),
        ("grant", "HF_E_UNEXPECTED", item([4, 1, 0, 0, 0, 0])),
        ("record", "HF_E_UNEXPECTED", item([16, bytes(17)])),
        ("offer", "HF_E_UNEXPECTED", forge.offer()),
        ("alert-1", "HF_E_REFUSED", item([8, 1])),
        ("alert-3", "HF_E_UNKNOWN_KEY", item([8, 3])),
        ("alert-5", "HF_E_TARGET", item([8, 5])),
        ("alert-6", "HF_E_SHAPE", item([8, 6])),
        ("retry-twice", "HF_E_UNEXPECTED", item([2, b"x"]) * 2),
    ):
        target = left(f"instead {name}")
        target.feed(data)
        yield target.vector(f"instead-of-resumed-{name}", error)
    target = left("resumed end")
    target.end()
    yield target.vector("instead-of-resumed-end", "HF_E_GONE")
    target = left("resumed wait")
    target.wait(10)
    yield target.vector("instead-of-resumed-wait", "HF_E_DEADLINE")


def boxes() -> Iterator[Json]:
    for name, changes in (
        ("empty", {"box": bytes(16)}),
        ("other-secret", {"secret": bytes(32)}),
        ("other-resume", {"th3": bytes(32)}),
        ("box-nonce", {"box_nonce": b"\1" * 12}),
        ("shared", {"shared": bytes(32)}),
        ("sealed-with-nonce", {"sealed_as": {"nonce": bytes(32)}}),
    ):
        yield one(f"box-{name}", "HF_E_BOX", **changes)
    for place in range(3):
        target = left(f"resumed shared {place}", 2)
        forged = Resumed(target)
        shared = bytearray(forged.shared())
        shared[32 * place] ^= 1
        target.feed(forged.make(shared=bytes(shared)))
        yield target.vector(f"resumed-box-ss{place + 1}", "HF_E_BOX")
    target = left("resumed without ss3", 2)
    forged = Resumed(target)
    target.feed(forged.make(shared=forged.shared()[:64]))
    yield target.vector("resumed-box-without-ss3", "HF_E_BOX")
    target = left("resumed by another", 2)
    target.feed(Resumed(target, "somebody").make())
    yield target.vector(
        "resumed-box-of-another",
        "HF_E_BOX",
        "who has the secret, and not the key of the certificate",
    )
    yield one("enc-small-order", "HF_E_PUBLIC_KEY", 2, enc=bytes(32))


def chains() -> Iterator[Json]:
    """Of a proved takeover."""
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
        yield one(f"chain-is-{name}", error, 2, chain=chain)


MARK: tuple[tuple[str, int, tuple[Any, ...]], ...] = (
    ("count", 0, ((1 << 48) + 1, -1, None, b"")),
    ("bytes", 1, (1 << 63, -1, None, b"")),
    ("digest", 2, (bytes(31), bytes(33), None, "x" * 32)),
)


def plains() -> Iterator[Json]:
    for name, wrongs in (
        ("epoch", (0, 1 << 32, -1, None, b"")),
        ("received", ([], [1, 1], [1, 1, bytes(32), 0], None, 1)),
        ("sent", ([], [1, 1], [1, 1, bytes(32), 0], None, 1)),
        ("closed", (4, -1, None, b"", False)),
    ):
        for number, wrong in enumerate(wrongs):
            yield one(
                f"plain-{name}-{number}", "HF_E_SHAPE", **{name: wrong}
            )
    for which in ("received", "sent"):
        for name, place, wrongs in MARK:
            for number, wrong in enumerate(wrongs):
                fields: list[Any] = moving.mark(which).item()
                fields[place] = wrong
                yield one(
                    f"plain-{which}-{name}-{number}",
                    "HF_E_SHAPE",
                    **{which: fields},
                )
    some = moving.mark("some").item()
    good = item([1, some, some, 0])
    for name, error, plain in (
        ("empty", "HF_E_CBOR", b""),
        ("cut", "HF_E_CBOR", good[:-1]),
        ("longer", "HF_E_CBOR", good + b"\0"),
        ("three-items", "HF_E_SHAPE", b"\x83" + good[1:-1]),
        ("five-items", "HF_E_SHAPE", b"\x85" + good[1:] + b"\0"),
        ("long-head", "HF_E_CBOR", good[:-1] + b"\x18\0"),
    ):
        yield one(f"plain-{name}", error, plain=plain)


def rollbacks() -> Iterator[Json]:
    """Section 17.4, receiver's steps 4 to 7."""

    def change(which: str, **fields: Any) -> Any:
        def make(target: Target) -> Json:
            told = target.side.attempt.told
            mark = told.sent if which == "received" else told.received
            values = {**vars(mark), **fields}
            for name in ("count", "bytes"):
                if callable(values[name]):
                    values[name] = values[name](getattr(mark, name))
            return {which: states.Mark(**values).item()}

        return make

    for name, make in (
        ("received-above", change("received", count=lambda n: n + 1)),
        ("received-below-acked", change("received", count=0)),
        ("received-bytes", change("received", bytes=lambda n: n - 1)),
        ("received-digest", change("received", digest=bytes(32))),
        (
            "received-digest-of-an-earlier",
            change("received", count=lambda n: n - 1),
        ),
        ("sent-below-acked", change("sent", count=0)),
        ("sent-bytes", change("sent", bytes=lambda n: n + 1)),
        ("sent-digest", change("sent", digest=bytes(32))),
        ("closed-1", lambda _: {"closed": 1}),
        ("closed-2", lambda _: {"closed": 2}),
    ):
        target = left(f"rollback {name}")
        target.feed(Resumed(target).make(**make(target)))
        yield target.vector(f"resumed-rollback-{name}", "HF_E_ROLLBACK")
    target = left("rollback epoch")
    target.feed(Resumed(target).make())
    target.step(do="reconnect")
    target.feed(Resumed(target).make(epoch=1))
    yield target.vector("resumed-rollback-epoch", "HF_E_ROLLBACK")
    target = left("rollback and again")
    target.feed(Resumed(target).make(closed=2))
    assert target.error == "HF_E_ROLLBACK"


def acks() -> Iterator[Json]:
    """Acks and queries that are wrong."""
    for role in ("initiator", "responder"):
        name = f"{role}"
        for what, error, content, data in (
            ("empty", "HF_E_CBOR", 3, b""),
            ("cut", "HF_E_CBOR", 3, item([1, 1])[:-1]),
            ("longer", "HF_E_CBOR", 3, item([0, 0]) + b"\0"),
            ("long-head", "HF_E_CBOR", 3, b"\x82\x18\0\0"),
            ("one-item", "HF_E_SHAPE", 3, item([0])),
            ("three-items", "HF_E_SHAPE", 3, item([0, 0, 0])),
            ("text", "HF_E_SHAPE", 3, item(["", 0])),
            ("negative", "HF_E_SHAPE", 3, item([0, -1])),
            ("received-above", "HF_E_SHAPE", 3, item([100, 0])),
            ("sent-above", "HF_E_SHAPE", 3, item([0, 100])),
            ("query-with-data", "HF_E_SHAPE", 7, b"x"),
            ("channel", "HF_E_UNEXPECTED", 4, b""),
            ("refresh", "HF_E_UNEXPECTED", 8, b""),
        ):
            if content == 7 and role == "responder":
                continue
            target, peer = met(f"ack {name} {what}", role)
            peer.send(content, data)
            target.feed(peer.drain())
            yield target.vector(f"ack-{name}-{what}", error)
        target, peer = met(f"ack {name} sent itself", role)
        peer.send(3, item([0, peer.sending.count + 1]))
        target.feed(peer.drain())
        yield target.vector(
            f"ack-{name}-sent-with-itself",
            "HF_E_SHAPE",
            "an ack does not count itself",
        )
        for place in range(2):
            target, peer = met(f"ack {name} falls {place}", role)
            peer.feed(target.send(1, b"one"))
            peer.send(1, b"two")
            peer.feed(target.send(1, b"three"))
            target.feed(peer.drain())
            counts = [peer.receiving.count, peer.sending.count]
            peer.send(3, item(counts))
            target.feed(peer.drain())
            counts[place] -= 1
            peer.send(3, item(counts))
            target.feed(peer.drain())
            yield target.vector(f"ack-{name}-falls-{place}", "HF_E_SHAPE")
        target, peer = met(f"ack {name} after close", role)
        peer.send(2, b"")
        peer._out += peer.sending.seal(1, b"x")
        target.feed(peer.drain())
        yield target.vector(f"ack-{name}-data-after-close", "HF_E_UNEXPECTED")
    target, peer = met("query of the initiator", "responder")
    peer.send(7, b"")
    target.feed(peer.drain())
    yield target.vector("ack-query-of-the-initiator", "HF_E_UNEXPECTED")


def files_of_vectors() -> Iterator[tuple[str, Iterator[Json]]]:
    yield "ack", acks()
    yield "resumed", iter(
        [*shapes(), *boxes(), *chains(), *plains(), *rollbacks()]
    )
