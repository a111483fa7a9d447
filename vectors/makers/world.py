# SPDX-License-Identifier: ISC
"""The actors of the vectors: a CA, a responder `echo`, an initiator
`alice`, their certificates, users, a ring and tickets. All randomness comes
from streams that are named."""

from __future__ import annotations

import hashlib
from typing import Any, Sequence

from handfast1 import certs, passwords, tickets
from handfast1.certs import CA, INITIATOR, RESPONDER

Json = dict[str, Any]
SEED = b"handfast/1 vectors"
CA_NAME = "Vector CA"
NOW = 1_800_000_000
NBF, EXP = NOW - 86_400, NOW + 30 * 86_400


class Stream:
    """Bytes from BLAKE2b over a seed, a name and a counter."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.draws: list[str] = []

    def __call__(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            counter = self.count.to_bytes(8, "big")
            text = self.name.encode() + b"\0" + counter
            out += hashlib.blake2b(text, key=SEED).digest()
            self.count += 1
        self.draws.append(out[:size].hex())
        return out[:size]


def draw(name: str, size: int = 32) -> bytes:
    return Stream(name)(size)


def seed(name: str) -> bytes:
    return draw(f"identity {name}")


def identity(name: str) -> certs.Identity:
    return certs.Identity(seed(name))


def cert(
    subject: str,
    usage: int,
    issuer: str = CA_NAME,
    *,
    key: str | None = None,
    signer: str | None = None,
    nbf: int = NBF,
    exp: int = EXP,
    cti: bytes | None = None,
    suites: Sequence[int] = (1, 2),
    **more: Any,
) -> bytes:
    """A certificate; its key and its cti are named after it."""
    if usage not in (CA, certs.CLUSTER):
        more["suites"] = list(suites)
    holder = identity(key or subject)
    return certs.certify(
        seed(signer or issuer),
        issuer,
        holder.ed_public,
        cti or draw(f"cti {subject} {issuer}", 16),
        sub=subject,
        nbf=nbf,
        exp=exp,
        iat=NBF,
        usage=usage,
        **more,
    )


def ca(name: str = CA_NAME, issuer: str | None = None, **more: Any) -> bytes:
    """An anchor, or a CA below another."""
    return cert(name, CA, issuer or name, **more)


REALM = "example.org"
COST = (64, 2)
ANCHOR = ca()
ECHO = cert("echo", RESPONDER, realm=REALM, names=["echo.example.org"])
ALICE = cert("alice", INITIATOR)
PASSWORD = "correct horse battery staple"
RING_KEY = tickets.RingKey(draw("ring kid", 8), draw("ring key"), NOW - 3600)


OLD_KEY = tickets.RingKey(
    draw("old ring kid", 8), draw("old ring key"), NOW - 7200
)


def cti(raw: bytes) -> bytes:
    return certs.read_certificate(raw).cti


def hexes(items: Sequence[bytes]) -> list[str]:
    return [item.hex() for item in items]


def origins(size: int) -> tuple[bytes, ...]:
    """Of a chain of alice: the issuer's key, cut, and the cti of each."""
    above = [f"CA {i}" for i in range(size - 1, 0, -1)] + [CA_NAME]
    return tuple(
        identity(issuer).ed_public[:16] + cti(link)
        for issuer, link in zip(above, branch("alice", size))
    )


def branch(who: str, size: int) -> list[bytes]:
    """A chain of `size` to the anchor: who, CA size-1, ..., CA 1."""
    usage = RESPONDER if who == "echo" else INITIATOR
    above = [CA_NAME] + [f"CA {i}" for i in range(1, size)]
    links = [cert(who, usage, above[-1], realm=REALM)]
    for i in range(size - 1, 0, -1):
        links.append(ca(above[i], above[i - 1]))
    return links


def revocations(
    number: int = 7,
    revoked: Sequence[bytes] = (),
    exp: int = EXP,
    ca: str = CA_NAME,
    key: str | None = None,
) -> bytes:
    """A list of the CA; some certificate is always in it."""
    entries = [draw("some revoked cti", 16), *revoked]
    return certs.make_list(seed(key or ca), ca, exp, NBF, number, entries)


def ring_json(*keys: tickets.RingKey) -> list[Json]:
    return [
        {"kid": k.kid.hex(), "key": k.key.hex(), "created": k.created}
        for k in keys
    ]


def ticket(name: str = "ticket", **fields: Any) -> tickets.Ticket:
    values: Json = {
        "sub": "alice",
        "aud": "echo",
        "exp": NOW + 3600,
        "iat": NOW - 60,
        "cti": draw(f"{name} cti", 16),
        "proof": draw(f"{name} proof"),
        "single_use": 0,
        "method": 0,
        "first": NOW - 60,
        "limit": NOW + 3600,
    }
    values.update(fields)
    return tickets.Ticket(**values)


def seal_ticket(
    made: tickets.Ticket, name: str = "ticket", key: tickets.RingKey = RING_KEY
) -> bytes:
    return tickets.seal_ticket(made, key, draw(f"{name} iv", 12))


def ticket_file(made: tickets.Ticket, name: str = "ticket") -> bytes:
    return tickets.holder(made, seal_ticket(made, name)).encode()


def verifier(
    user: str = "alice",
    password: str = PASSWORD,
    realm: str = REALM,
    cost: tuple[int, int] = COST,
) -> str:
    stretched = passwords.stretch(realm, user, password, cost)
    return passwords.verifier(stretched).hex()


def initiator(token: str, **changes: Any) -> Json:
    """What an initiator is told."""
    tokens: dict[str, Json] = {
        "certificate": {
            "kind": "certificate",
            "seed": seed("alice").hex(),
            "chain": [ALICE.hex()],
        },
        "password": {
            "kind": "password",
            "user": "alice",
            "password": PASSWORD,
        },
        "plain": {"kind": "plain", "user": "alice", "password": PASSWORD},
        "ticket": {"kind": "ticket", "file": ticket_file(ticket()).hex()},
    }
    config: Json = {
        "now": NOW,
        "suites": [1, 2],
        "anchors": [ANCHOR.hex()],
        "lists": [],
        "expect": "echo",
        "realm": None,
        "target": "",
        "responder_chain": None,
        "prekey": False,
        "grease": False,
        "deadline": 10,
        "token": tokens[token],
        "application": {"refuse": []},
    }
    config.update(changes)
    return config


def responder(**changes: Any) -> Json:
    """What a responder is told. Keys of `application` may stand among the
    others. With a `cluster` it has a store."""
    app: Json = {
        "retry": [],
        "limited": False,
        "limited_users": [],
        "seen": [],
        "users": [{"user": "alice", "verifier": verifier()}],
        "passwords": [{"user": "alice", "password": PASSWORD}],
        "refuse": [],
        "store": True,
        "used": [],
    }
    if "cluster" in changes:
        app["shelf"] = {
            "entry": None,
            "get": None,
            "claim": None,
            "confirm": None,
        }
    config: Json = {
        "now": NOW,
        "seed": seed("echo").hex(),
        "chain": [ECHO.hex()],
        "suites": [1, 2],
        "anchors": [ANCHOR.hex()],
        "lists": [],
        "kinds": ["certificate", "password", "plain", "ticket"],
        "ring": ring_json(RING_KEY),
        "cookie_key": draw("cookie key").hex(),
        "source": "c0000201",
        "tolerance": 120,
        "lifetime": 86400,
        "grease": False,
        "deadline": 10,
    }
    for name, value in changes.items():
        (app if name in app else config)[name] = value
    config["application"] = app
    return config
