# SPDX-License-Identifier: ISC
"""For bad vectors: a side under test whose script is written down, and
messages made piece by piece, wrong where it is wished."""

from __future__ import annotations

from typing import Any

from handfast1 import (
    cbor,
    certs,
    cose,
    hpke,
    messages,
    play,
    schedule,
)
from handfast1.cbor import encode_head
from handfast1.crypto import ed25519_sign, seal, x25519_public
from handfast1.errors import HandfastError
from handfast1.responder import Responder

from . import world as w
from .world import Json, Stream


class Raw(bytes):
    """Bytes that stand as they are, where an item would."""


def item(value: Any) -> bytes:
    """As cbor.encode, but Raw stays, also inside lists and dicts, whose
    order is kept. A list of pairs in `Pairs` may repeat keys."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        return encode_head(4, len(value)) + b"".join(map(item, value))
    if isinstance(value, Pairs):
        inner = b"".join(item(k) + item(v) for k, v in value.pairs)
        return encode_head(5, len(value.pairs)) + inner
    if isinstance(value, dict):
        return item(Pairs(*value.items()))
    return cbor.encode(value)


class Pairs:
    """A map as it is written, faults and all."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self.pairs = pairs


class Target:
    """The side under test. What is done to it becomes the vector."""

    def __init__(self, role: str, config: Json, name: str) -> None:
        self.role, self.config = role, config
        self.random = Stream(f"bad {name}")
        self.side = play.make(role, config, self.random)
        self.script: list[Json] = []
        self.error: str | None = None
        self.entries: list[str] = []  # that it had written

    def step(self, **step: Any) -> bytes:
        """One step; what the side sends."""
        refused = self.side.state == "start"
        assert self.error is None or refused, "a step after the error"
        self.error = None
        self.script.append(step)
        try:
            play.do(self.side, step, self.entries)
            app = self.config["application"]
            play.settle(self.side, app, self.entries)
            if self.side.state == "start":
                self.error = self.side.refused
        except HandfastError as fault:
            self.error = fault.name
        return self.side.drain()

    def feed(self, data: bytes) -> bytes:
        return self.step(do="feed", bytes=data.hex())

    def start(self) -> bytes:
        return self.step(do="start")

    def end(self) -> None:
        self.step(do="end")

    def wait(self, seconds: int) -> None:
        self.step(do="wait", seconds=seconds)

    def send(self, kind: int, data: bytes = b"") -> bytes:
        return self.step(do="send", type=kind, bytes=data.hex())

    def vector(self, name: str, expected: str | None, note: str = "") -> Json:
        assert self.error == expected, (name, self.error, expected)
        vector: Json = {"id": name, "kind": "session"}
        if note:
            vector["note"] = note
        vector.update(
            role=self.role,
            config=self.config,
            random=self.random.draws,
            steps=self.script,
        )
        return vector


# The other side, played honestly --------------------------------------------


def honest(role: str, config: Json, name: str) -> Any:
    return play.make(role, config, Stream(f"honest {name}"))


def give(side: Any, data: bytes, app: Json) -> bytes:
    """Feed an honest side; what it sends."""
    side.feed(data)
    play.settle(side, app)
    return side.drain()


STATES = {
    "initiator": ("hello-sent", "request-sent", "open"),
    "responder": ("start", "offered", "granted", "open"),
}


def reach(
    role: str,
    state: str,
    name: str,
    token: str = "certificate",
    left: Json | None = None,
    right: Json | None = None,
) -> tuple[Target, Any]:
    """A target of that role in that state, and its honest peer. In the
    state open the peer is open as well."""
    left, right = left or w.initiator(token), right or w.responder()
    mine, other = (left, right) if role == "initiator" else (right, left)
    target = Target(role, mine, name)
    rest = "responder" if role == "initiator" else "initiator"
    peer = honest(rest, other, name)
    out = b""
    if role == "initiator":
        out = target.start()
    else:
        peer.start()
        play.settle(peer, other["application"])
    while target.side.state != state:
        if role == "initiator":
            out = target.feed(give(peer, out, other["application"]))
        else:
            sent = peer.drain()
            back = target.feed(sent)
            if back:
                peer.feed(back)
                play.settle(peer, other["application"])
    if target.side.state == "open" and role == "initiator":
        give(peer, out, other["application"])
    return target, peer


# Messages, piece by piece ---------------------------------------------------


def hello(**changes: Any) -> bytes:
    fields: Json = {
        "version": 1,
        "suites": [1, 2],
        "target": "",
        "cookie": None,
        "extensions": {},
    }
    fields.update(changes)
    return item([0, *fields.values()])


def offer(**changes: Any) -> bytes:
    fields: Json = {
        "version": 1,
        "suite": 1,
        "chain": [w.ECHO],
        "prekey": x25519_public(w.draw("a prekey")),
        "extensions": {},
    }
    fields.update(changes)
    return item([1, *fields.values()])


EPHEMERAL = w.draw("forged ephemeral")
TRANSPORT = w.draw("forged transport key")


class Request:
    """A request of the forger's. Without an offer, or after `hello` and
    `offer` as they were on the wire. Keyword changes: fields of the
    message; plain: the whole plaintext; token, time, reply_key, transport,
    padding: parts of it; sealed=False: a box of random bytes."""

    def __init__(
        self, leaf: bytes = w.ECHO, hello_: bytes = b"", offer_: bytes = b""
    ) -> None:
        self.leaf, self.offer = leaf, offer_
        self.th0 = schedule.th0(hello_, offer_, leaf)

    def make(self, **changes: Any) -> bytes:
        plain = changes.pop("plain", None)
        parts = {
            k: changes.pop(k)
            for k in ("transport", "token", "time", "reply_key", "padding")
            if k in changes
        }
        if plain is None:
            plain = plaintext(**parts)
        mode_offer = changes.pop("psk", bool(self.offer))
        fields: Json = {
            "version": 1,
            "suite": 1,
            "key_id": schedule.key_id(self.leaf),
            "target": "",
            "cookie": None,
            "enc": x25519_public(EPHEMERAL),
            "prekey_enc": b"" if self.offer else None,
            "extensions": {},
        }
        box = changes.pop("box", None)
        sealed_as = changes.pop("sealed_as", {})
        fields.update(changes)
        head = item([3, *fields.values(), Raw(b"")])
        if box is None:
            recipient = w.identity("echo").public
            secret = hpke.encap(recipient, EPHEMERAL)
            psk = None
            if mode_offer:
                reader = cbor.Reader(self.offer)
                reader.array(6)
                reader.uint(), reader.uint()
                prekey = messages.read_offer(reader, (1, 2)).prekey
                psk = hpke.encap(prekey, EPHEMERAL)
            key, nonce = schedule.request_keys(self.th0, secret, psk)
            aad = item([3, *{**fields, **sealed_as}.values(), Raw(b"")])
            box = hpke.box_seal(key, nonce, aad, plain)
        return head + item(box)


def plaintext(
    transport: Any = TRANSPORT,
    token: Any = None,
    time: Any = w.NOW,
    reply_key: Any = None,
    padding: Any = None,
) -> bytes:
    if token is None:
        token = [1, [w.ALICE]]
    bare = item([transport, token, time, reply_key, Raw(b"")])
    if padding is not None:
        return bare + item(padding)
    for zeros in range(257):
        whole = bare + item(bytes(zeros))
        if len(whole) % 128 == 0:
            return whole
    raise AssertionError


class Grant:
    """A grant of the forger's, in answer to the request that an initiator
    sent to the honest responder `peer`, which has granted."""

    def __init__(self, peer: Responder) -> None:
        self.peer = peer

    def make(self, **changes: Any) -> bytes:
        peer = self.peer
        assert peer.plain and peer.request
        private = changes.pop("ephemeral", EPHEMERAL)
        plain = changes.pop("plain", None)
        if plain is None:
            parts: Json = {
                "session_key": w.draw("forged session key"),
                "session_id": w.draw("forged session id", 16),
                "lifetime": 86400,
                "mobility": 0,
            }
            parts.update(
                (k, changes.pop(k)) for k in list(changes) if k in parts
            )
            plain = item(list(parts.values()))
        binder = b""
        if peer.envelope:
            binder = hpke.encap(peer.envelope.key, private)
        elif peer.peer and peer.peer.ticket:
            binder = peer.peer.ticket.proof
        binder = changes.pop("binder", binder)
        transport = changes.pop("transport", peer.plain.transport_key)
        th1 = changes.pop("th1", peer.th1)
        nonce = changes.pop("nonce", bytes(12))
        box = changes.pop("box", None)
        fields: Json = {
            "version": 1,
            "enc": x25519_public(private),
            "cert_enc": b"" if peer.envelope else None,
            "extensions": {},
        }
        sealed_as = changes.pop("sealed_as", {})
        fields.update(changes)
        head = item([4, *fields.values(), Raw(b"")])
        if box is None:
            ss = hpke.encap(peer.request.enc, private)
            key, _ = schedule.grant_keys(transport, th1, ss, binder)
            aad = item([4, *{**fields, **sealed_as}.values(), Raw(b"")])
            box = seal(1, key, nonce, aad, plain)
        return head + item(box)


def seal_raw(direction: Any, plain: bytes) -> bytes:
    """A record of a peer's next sequence number with any plaintext."""
    key, iv = direction._current()
    direction.key, direction.iv = key, iv
    box = seal(
        direction.suite,
        key,
        direction.nonce(iv),
        messages.RECORD_AAD,
        plain,
    )
    direction._advance(box, plain)
    return item([16, box])


# Objects, piece by piece ----------------------------------------------------


def sign1(label: str, seed: bytes, payload: bytes, **changes: Any) -> bytes:
    """A COSE_Sign1 over any payload, with any changes: protected,
    unprotected, payload_item, signature, external."""
    protected = changes.get("protected", cose.HEADER)
    external = changes.get("external", cose.LABELS[label])
    signed = cbor.encode(["Signature1", protected, external, payload])
    parts = [
        changes.get("protected_item", protected),
        changes.get("unprotected", {}),
        changes.get("payload_item", payload),
        changes.get("signature", ed25519_sign(seed, signed)),
    ]
    return item(parts)


def claims(usage: int = 1, **changes: Any) -> Json:
    """Claims of a certificate of `echo`, under names of the claims. A
    change to None leaves a claim out."""
    fields: Json = {
        "iss": w.CA_NAME,
        "sub": "echo",
        "exp": w.EXP,
        "nbf": w.NBF,
        "iat": w.NBF,
        "cti": w.draw("forged cti", 16),
        "cnf": certs.x_cnf(w.identity("echo").public),
        "handfast": {2: [1, 2], 3: w.REALM, -1: usage},
    }
    fields.update(changes)
    return fields


KEYS = {
    "iss": 1,
    "sub": 2,
    "aud": 3,
    "exp": 4,
    "nbf": 5,
    "iat": 6,
    "cti": 7,
    "cnf": 8,
    "handfast": cose.HANDFAST,
}


def certificate(
    sub: str = "echo",
    usage: int = 1,
    key: bytes | None = None,
    more: Json | None = None,
    issuer: str = w.CA_NAME,
    **changes: Any,
) -> bytes:
    """A certificate with any claims, rightly signed. `more` changes the
    handfast map; None leaves an entry out."""
    fields = claims(usage, sub=sub, iss=issuer)
    if key is not None:
        fields["cnf"] = certs.x_cnf(key)
    fields.update(changes)
    if more:
        fields["handfast"] = merged(fields["handfast"], more)
    return sign1("certificate", w.seed(issuer), payload(fields))


def merged(one: Json, other: Json) -> Any:
    """A map in deterministic order; None leaves an entry out."""
    both = {**one, **other}
    return Pairs(
        *sorted(
            ((k, v) for k, v in both.items() if v is not None),
            key=lambda pair: cbor.encode(pair[0]),
        )
    )


def payload(fields: Json) -> bytes:
    """Claims by their names."""
    return item(merged({KEYS[k]: v for k, v in fields.items()}, {}))
