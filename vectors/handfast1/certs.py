# SPDX-License-Identifier: ISC
"""Certificates, requests, revocation lists and chains (spec section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Sequence

from . import cbor, cose
from .cose import HANDFAST, NAMES_MAX, OBJECT, Signed, complete
from .crypto import (
    ed25519_public,
    ed_to_x,
    prime_order,
    x_private,
    x25519_public,
)
from .errors import need

RESPONDER, INITIATOR, CA, SERVER, CLUSTER = 1, 2, 4, 8, 16
CERT_MAX = 2048
LIST_MAX = 1 << 20
X25519, ED25519 = 4, 6
SEPARATORS = ".@/"


@dataclass(frozen=True)
class Certificate:
    """Section 5.2."""

    signed: Signed
    iss: str
    sub: str
    exp: int
    nbf: int
    iat: int
    cti: bytes
    key: bytes
    names: tuple[str, ...]
    suites: tuple[int, ...]
    realm: str | None
    cost: tuple[int, int] | None
    cluster: str | None
    usage: int
    path_length: int | None
    suffixes: tuple[str, ...] | None
    realms: tuple[str, ...] | None

    @property
    def raw(self) -> bytes:
        return self.signed.raw

    @property
    def all_names(self) -> tuple[str, ...]:
        return (self.sub,) + self.names

    def goes_by(self, name: str) -> bool:
        """Section 5.4, step 5; also a ticket's audience (7.2, step 4)."""
        return name in self.all_names or name == self.cluster


def _realm(reader: cbor.Reader) -> str:
    realm = cose.name(reader)
    need("@" not in realm, OBJECT, "an @ in a realm")
    return realm


def _realms(reader: cbor.Reader) -> tuple[str, ...]:
    return tuple(_realm(reader) for _ in range(reader.array(1, NAMES_MAX)))


def _cost(reader: cbor.Reader) -> tuple[int, int]:
    reader.array(2)
    return reader.uint(64, 1024), reader.uint(2, 10)


USAGES = (1, 2, 3, 8, 9, 10, 11, CA, CLUSTER)


def _parse_certificate(reader: cbor.Reader) -> dict[int, Any]:
    def handfast() -> dict[int, Any]:
        return cose.read_claims(
            reader,
            {
                1: lambda: cose.names(reader),
                2: lambda: cose.suites(reader),
                3: lambda: _realm(reader),
                4: lambda: _cost(reader),
                5: lambda: cose.name(reader),
                -1: lambda: reader.uint(0, 31),
                -2: lambda: reader.uint(0, 3),
                -3: lambda: cose.names(reader),
                -4: lambda: _realms(reader),
            },
            depth=2,
        )

    return cose.read_claims(
        reader,
        {
            1: lambda: cose.name(reader),
            2: lambda: cose.name(reader),
            3: cose.forbidden(reader),
            4: lambda: cose.time(reader),
            5: lambda: cose.time(reader),
            6: lambda: cose.time(reader),
            7: lambda: reader.string(16),
            8: lambda: cose.key_map(reader),
            HANDFAST: handfast,
        },
    )


@lru_cache(maxsize=1024)
def read_certificate(raw: bytes) -> Certificate:
    """Reads, does not verify."""
    need(len(raw) <= CERT_MAX, OBJECT, "size")
    claims, signed = cose.read("certificate", raw, _parse_certificate)
    complete(claims, 1, 2, 4, 5, 6, 7, 8, HANDFAST)
    more = claims[HANDFAST]
    complete(more, -1)
    usage = more[-1]
    need(usage in USAGES, OBJECT, "usage bits")
    curve, key = claims[8]
    need(claims[4] > claims[5], OBJECT, "exp is not above nbf")
    if usage in (CA, CLUSTER):
        need(curve == ED25519, OBJECT, "key of an authority")
    else:
        complete(more, 2)
        need(curve == X25519, OBJECT, "key of an end entity")
    if usage != CA:
        need(not {-2, -3, -4} & more.keys(), OBJECT, "for a ca only")
    return Certificate(
        signed,
        claims[1],
        claims[2],
        claims[4],
        claims[5],
        claims[6],
        claims[7],
        key,
        more.get(1, ()),
        more.get(2, ()),
        more.get(3),
        more.get(4),
        more.get(5),
        usage,
        more.get(-2),
        more.get(-3),
        more.get(-4),
    )


# Requests and issuing (5.3) ------------------------------------------------


@dataclass(frozen=True)
class Request:
    signed: Signed
    sub: str
    iat: int
    key: bytes
    names: tuple[str, ...]
    suites: tuple[int, ...]


def _parse_request(reader: cbor.Reader) -> dict[int, Any]:
    def handfast() -> dict[int, Any]:
        return cose.read_claims(
            reader,
            {
                1: lambda: cose.names(reader),
                2: lambda: cose.suites(reader),
            },
            depth=2,
        )

    return cose.read_claims(
        reader,
        {
            2: lambda: cose.name(reader),
            6: lambda: cose.time(reader),
            8: lambda: cose.key_map(reader),
            HANDFAST: handfast,
        },
    )


def make_request(
    seed: bytes,
    sub: str,
    iat: int,
    suites: Sequence[int],
    names: Sequence[str] = (),
) -> bytes:
    more: dict[int, Any] = {2: list(suites)}
    if names:
        more[1] = list(names)
    return cose.sign(
        "request",
        seed,
        {2: sub, 6: iat, 8: ed_cnf(ed25519_public(seed)), HANDFAST: more},
    )


def read_request(raw: bytes) -> Request:
    """Reads and verifies (5.3, step 1)."""
    need(len(raw) <= CERT_MAX, OBJECT, "size")
    claims, signed = cose.read("request", raw, _parse_request)
    complete(claims, 2, 6, 8, HANDFAST)
    more = claims[HANDFAST]
    complete(more, 2)
    curve, key = claims[8]
    need(curve == ED25519, OBJECT, "key of a request")
    need(signed.verify(key), "HF_E_SIGNATURE", "of the request")
    return Request(signed, claims[2], claims[6], key, more.get(1, ()), more[2])


def check_subject_key(key: bytes) -> None:
    """What a CA certifies (5.1, "Signatures"; 5.3, step 3)."""
    need(prime_order(key), "HF_E_PUBLIC_KEY", "of the request")


def x_cnf(key: bytes) -> dict[int, Any]:
    return {1: {1: 1, -1: X25519, -2: key}}


def ed_cnf(key: bytes) -> dict[int, Any]:
    return {1: {1: 1, -1: ED25519, -2: key}}


def certify(
    ca_seed: bytes,
    iss: str,
    ed_key: bytes,
    cti: bytes,
    *,
    sub: str,
    nbf: int,
    exp: int,
    iat: int,
    usage: int,
    **more: Any,
) -> bytes:
    """Section 5.3, steps 3 and 5, for terms that were decided. `more`:
    names, suites, realm, cost, cluster, path_length, suffixes, realms."""
    check_subject_key(ed_key)
    handfast: dict[int, Any] = {-1: usage}
    for label, field in (
        (1, "names"),
        (2, "suites"),
        (3, "realm"),
        (4, "cost"),
        (5, "cluster"),
        (-2, "path_length"),
        (-3, "suffixes"),
        (-4, "realms"),
    ):
        value = more.get(field)
        if value is not None and value != ():
            handfast[label] = value
    authority = usage in (CA, CLUSTER)
    return cose.sign(
        "certificate",
        ca_seed,
        {
            1: iss,
            2: sub,
            4: exp,
            5: nbf,
            6: iat,
            7: cti,
            8: ed_cnf(ed_key) if authority else x_cnf(ed_to_x(ed_key)),
            HANDFAST: handfast,
        },
    )


# Revocation lists (5.5) -----------------------------------------------------


@dataclass(frozen=True)
class RevocationList:
    signed: Signed
    iss: str
    exp: int
    iat: int
    number: int
    revoked: tuple[bytes, ...]


def _parse_list(reader: cbor.Reader) -> dict[int, Any]:
    def revoked() -> tuple[bytes, ...]:
        found: list[bytes] = []
        for _ in range(reader.array(0, cbor.ANY)):
            cti = reader.string(16)
            need(not found or cti > found[-1], OBJECT, "cti do not rise")
            found.append(cti)
        return tuple(found)

    def handfast() -> dict[int, Any]:
        return cose.read_claims(
            reader, {-1: lambda: cose.time(reader), -2: revoked}, depth=2
        )

    return cose.read_claims(
        reader,
        {
            1: lambda: cose.name(reader),
            4: lambda: cose.time(reader),
            6: lambda: cose.time(reader),
            HANDFAST: handfast,
        },
    )


def make_list(
    seed: bytes,
    iss: str,
    exp: int,
    iat: int,
    number: int,
    revoked: Sequence[bytes],
) -> bytes:
    return cose.sign(
        "list",
        seed,
        {1: iss, 4: exp, 6: iat, HANDFAST: {-1: number, -2: sorted(revoked)}},
    )


@lru_cache(maxsize=256)
def read_list(raw: bytes) -> RevocationList:
    """Reads, does not verify."""
    need(len(raw) <= LIST_MAX, OBJECT, "size")
    claims, signed = cose.read("list", raw, _parse_list)
    complete(claims, 1, 4, 6, HANDFAST)
    more = claims[HANDFAST]
    complete(more, -1, -2)
    return RevocationList(
        signed, claims[1], claims[4], claims[6], more[-1], more[-2]
    )


class Trust:
    """Anchors and revocation lists."""

    def __init__(self) -> None:
        self.anchors: list[Certificate] = []
        self.intermediates: list[Certificate] = []
        self.lists: dict[tuple[str, bytes], RevocationList] = {}

    def add_anchor(self, raw: bytes) -> None:
        cert = read_certificate(raw)
        need(cert.usage == CA, "HF_E_USAGE", "an anchor is a CA's")
        need(cert.iss == cert.sub, "HF_E_ISSUER", "an anchor's own")
        need(cert.signed.verify(cert.key), "HF_E_SIGNATURE", "of an anchor")
        need(prime_order(cert.key), OBJECT, "an anchor's key")
        self.anchors.append(cert)

    def add_list(self, raw: bytes) -> None:
        """Section 5.5, steps 1 to 4."""
        new = read_list(raw)
        known = self.anchors + self.intermediates
        issuers = [c for c in known if c.sub == new.iss]
        need(bool(issuers), "HF_E_ISSUER", "of the list")
        keys = [c.key for c in issuers if new.signed.verify(c.key)]
        need(bool(keys), "HF_E_SIGNATURE", "of the list")
        held = self.lists.get((new.iss, keys[0]))
        if held and held.signed.raw != raw:
            need(new.number > held.number, "HF_E_STALE_LIST", "its number")
        self.lists[new.iss, keys[0]] = new

    def verify(
        self,
        chain: Sequence[bytes],
        usage: int,
        name: str | None,
        now: int,
    ) -> Certificate:
        """Section 5.4: the leaf of a chain that is believed."""
        need(1 <= len(chain) <= 4, "HF_E_SHAPE", "length of the chain")
        certs = [read_certificate(chain[0])]
        for i in range(len(chain)):
            cert = certs[i]
            need(cert.iss != cert.sub, "HF_E_ISSUER", "issued by itself")
            if i + 1 < len(chain):
                issuer = read_certificate(chain[i + 1])
                certs.append(issuer)
                need(issuer.sub == cert.iss, "HF_E_ISSUER", "the next one")
                need(issuer.usage == CA, "HF_E_USAGE", "the next one")
                need(cert.signed.verify(issuer.key), "HF_E_SIGNATURE")
            else:
                issuer = self._anchor(cert, now)
            if cert.usage in (CA, CLUSTER):
                need(prime_order(cert.key), OBJECT, "an authority's key")
            _times(cert, now)
            held = self.lists.get((issuer.sub, issuer.key))
            if held:
                need(cert.cti not in held.revoked, "HF_E_REVOKED")
                need(now < held.exp, "HF_E_STALE_LIST", "out of date")
            if i == 0:
                need(cert.usage & usage == usage, "HF_E_USAGE", "the leaf's")
            else:
                permits(cert, certs[:i])
        _times(issuer, now)
        permits(issuer, certs)
        leaf = certs[0]
        need(name is None or leaf.goes_by(name), "HF_E_NAME")
        return leaf

    def path(self, chain: Sequence[bytes], now: int) -> list[Certificate]:
        """A chain that was verified, with its anchor."""
        certs = [read_certificate(raw) for raw in chain]
        return [*certs, self._anchor(certs[-1], now)]

    def judge_origins(self, origins: Sequence[bytes], now: int) -> None:
        """Section 7.2, step 5: the certificates that earned a ticket."""
        if origins:
            known = any(a.key[:16] == origins[-1][:16] for a in self.anchors)
            need(known, "HF_E_ISSUER", "the origins' anchor")
        for origin in origins:
            for (_, key), held in self.lists.items():
                if key[:16] == origin[:16]:
                    need(origin[16:] not in held.revoked, "HF_E_REVOKED")
                    need(now < held.exp, "HF_E_STALE_LIST")

    def _anchor(self, cert: Certificate, now: int) -> Certificate:
        """Steps 2.2 and 2.3 for the last of a chain."""
        named = [a for a in self.anchors if a.sub == cert.iss]
        need(bool(named), "HF_E_ISSUER", "no anchor")
        good = [a for a in named if cert.signed.verify(a.key)]
        need(bool(good), "HF_E_SIGNATURE", "by no anchor")
        valid = [a for a in good if a.nbf <= now < a.exp]
        return (valid or good)[0]


def _times(cert: Certificate, now: int) -> None:
    need(now >= cert.nbf, "HF_E_NOT_YET", cert.sub)
    need(now < cert.exp, "HF_E_EXPIRED", cert.sub)


def _suffix_permits(suffix: str, name: str) -> bool:
    if name == suffix:
        return True
    if not name.endswith(suffix):
        return False
    return suffix[0] in SEPARATORS or name[-len(suffix) - 1] in SEPARATORS


def permits(ca: Certificate, below: Sequence[Certificate]) -> None:
    """Section 5.4, step 4."""
    if ca.path_length is not None:
        cas = sum(c.usage == CA for c in below)
        need(cas <= ca.path_length, "HF_E_CONSTRAINT", "path length")
    for cert in below:
        limited = ca.realms is not None or ca.suffixes is not None
        if limited and cert.realm is not None:
            realms = ca.realms or ()
            need(cert.realm in realms, "HF_E_CONSTRAINT", "realm")
        if ca.suffixes is not None:
            cluster = () if cert.cluster is None else (cert.cluster,)
            for name in cert.all_names + cluster:
                need(
                    any(_suffix_permits(s, name) for s in ca.suffixes),
                    "HF_E_CONSTRAINT",
                    "name",
                )


# Identities (5.1) -----------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    seed: bytes

    @property
    def ed_public(self) -> bytes:
        return ed25519_public(self.seed)

    @property
    def private(self) -> bytes:
        return x_private(self.seed)

    @property
    def public(self) -> bytes:
        return x25519_public(self.private)


def check_own(
    identity: Identity, chain: Sequence[bytes], usage: int, now: int
) -> Certificate:
    """The own certificate fits its key and its use and is valid now."""
    leaf = read_certificate(chain[0])
    need(leaf.key == identity.public, "HF_E_OWN_CERT", "another key")
    need(leaf.usage & usage == usage, "HF_E_OWN_CERT", "another usage")
    need(leaf.nbf <= now < leaf.exp, "HF_E_OWN_EXPIRED")
    return leaf
