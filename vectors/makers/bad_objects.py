# SPDX-License-Identifier: ISC
"""Bad vectors: requests, lists, tickets and files (spec 2.2, 5, 7, 14)."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Sequence

from handfast1 import cbor, cose, crypto, files, tickets
from handfast1.certs import ed_cnf, x_cnf

from . import forge, world as w
from .faults import (
    SMALL_ED,
    bad,
    envelopes,
    flip,
    map_faults,
    mixed_signature,
    torsion,
)
from .forge import item, merged, sign1
from .world import Json

X = w.identity("echo").public
ED = w.identity("echo").ed_public


# Requests (5.3) -------------------------------------------------------------


def request_payload(key: bytes = ED, **changes: Any) -> bytes:
    fields: Json = {
        "sub": "echo",
        "iat": w.NOW,
        "cnf": ed_cnf(key),
        "handfast": {2: [1, 2]},
    }
    fields.update(changes)
    return forge.payload(fields)


def requests() -> Iterator[Json]:
    seed = w.seed("echo")

    def read(name: str, raw: bytes, error: str) -> Json:
        return bad(
            f"request-read-{name}", "request-read", error, bytes=raw.hex()
        )

    for name, raw, error in envelopes("request", seed, request_payload()):
        yield read(name, raw, error)
    good = {2: "echo", 6: w.NOW, 8: ed_cnf(ED), cose.HANDFAST: {2: [1]}}
    for name, claims, error in map_faults(good):
        yield read(
            f"claims-{name}", sign1("request", seed, item(claims)), error
        )
    for name in ("sub", "iat", "cnf", "handfast"):
        raw = sign1("request", seed, request_payload(**{name: None}))
        yield read(f"without-{name}", raw, "HF_E_OBJECT")
    for name, changes in (
        ("key-x25519", {"cnf": x_cnf(X)}),
        ("sub-empty", {"sub": ""}),
        ("suites-none", {"handfast": {1: ["name"]}}),
        ("suites-empty", {"handfast": {2: []}}),
        ("names-empty", {"handfast": {1: [], 2: [1]}}),
        ("usage", {"handfast": {2: [1], -1: 1}}),
        ("iat-2-53", {"iat": (1 << 53) + 1}),
    ):
        raw = sign1("request", seed, request_payload(**changes))
        yield read(name, raw, "HF_E_OBJECT")
    made = sign1("request", seed, request_payload())
    yield read("flip", flip(made), "HF_E_SIGNATURE")
    other = sign1("request", w.seed("alice"), request_payload())
    yield read("of-another-key", other, "HF_E_SIGNATURE")
    as_cert = sign1(
        "request", seed, request_payload(), external=cose.LABELS["certificate"]
    )
    yield read("signed-as-a-certificate", as_cert, "HF_E_SIGNATURE")
    for name, key in SMALL_ED.items():
        raw = sign1("request", seed, request_payload(key))
        yield read(f"key-{name}", raw, "HF_E_SIGNATURE")
    key = torsion(ED)
    payload = request_payload(key)
    signed = cose.signed_bytes("request", cose.HEADER, payload)
    raw = item([cose.HEADER, {}, payload, mixed_signature(seed, key, signed)])
    yield read("key-outside-the-group", raw, "HF_E_PUBLIC_KEY")


    for name, cnf in (
        ("x25519", x_cnf(X)),
        ("unknown", {1: {1: 1, -1: 1 << 40, -2: ED}}),
    ):
        payload = request_payload(cnf=cnf) + b"\0"
        yield read(
            f"curve-{name}-and-left-over",
            sign1("request", seed, payload),
            "HF_E_CBOR",
        )
    long = request_payload(**{"sub": "x" * 255}) + bytes(1700)
    yield read("2049", sign1("request", seed, long)[:2049], "HF_E_OBJECT")


# Revocation lists (5.5) -----------------------------------------------------


def lists() -> Iterator[Json]:
    seed = w.seed(w.CA_NAME)

    def add(
        name: str,
        raw: bytes,
        error: str,
        held: Sequence[bytes] = (),
        anchors: Sequence[bytes] = (w.ANCHOR,),
        intermediates: Sequence[bytes] = (),
    ) -> Json:
        return bad(
            f"list-add-bad-{name}",
            "list-add",
            error,
            anchors=w.hexes(anchors),
            intermediates=w.hexes(intermediates),
            lists=w.hexes(held),
            bytes=raw.hex(),
        )

    inner = {-1: 1, -2: [bytes(16)]}
    good: Json = {1: w.CA_NAME, 4: w.EXP, 6: w.NBF, cose.HANDFAST: inner}

    def made(**changes: Any) -> bytes:
        both = {forge.KEYS[k]: v for k, v in changes.items()}
        return sign1("list", seed, item(merged(good, both)))

    for name, raw, error in envelopes("list", seed, item(merged(good, {}))):
        yield add(name, raw, error)
    for name, claims, error in map_faults(good):
        yield add(f"claims-{name}", sign1("list", seed, item(claims)), error)
    for name in ("iss", "exp", "iat", "handfast"):
        yield add(f"without-{name}", made(**{name: None}), "HF_E_OBJECT")
    for name, changes in (
        ("number", {"handfast": {-2: []}}),
        ("revoked", {"handfast": {-1: 1}}),
        ("number-negative", {"handfast": {-1: -1, -2: []}}),
        ("number-2-53", {"handfast": {-1: (1 << 53) + 1, -2: []}}),
        ("cti-15", {"handfast": {-1: 1, -2: [bytes(15)]}}),
        ("cti-text", {"handfast": {-1: 1, -2: ["x" * 16]}}),
        ("unsorted", {"handfast": {-1: 1, -2: [b"b" * 16, b"a" * 16]}}),
        ("twice", {"handfast": {-1: 1, -2: [b"a" * 16, b"a" * 16]}}),
        ("critical", {"handfast": {-1: 1, -2: [], -3: 0}}),
        ("iss-empty", {"iss": ""}),
        ("exp-2-53", {"exp": (1 << 53) + 1}),
    ):
        yield add(name, made(**changes), "HF_E_OBJECT")
    listed = w.revocations()
    yield add("no-anchor", listed, "HF_E_ISSUER", anchors=[])
    yield add("unknown-issuer", w.revocations(ca="CA 1"), "HF_E_ISSUER")
    yield add("flip", flip(listed), "HF_E_SIGNATURE")
    yield add("of-another-key", w.revocations(key="mallory"), "HF_E_SIGNATURE")
    yield add(
        "intermediate-of-another-key",
        w.revocations(ca="CA 1", key="mallory"),
        "HF_E_SIGNATURE",
        intermediates=[w.ca("CA 1", w.CA_NAME)],
    )
    raw = sign1(
        "list", seed, item(merged(good, {})), external=cose.LABELS["request"]
    )
    yield add("signed-as-a-request", raw, "HF_E_SIGNATURE")
    yield add("older", w.revocations(6), "HF_E_STALE_LIST", [listed])
    yield add(
        "same-number",
        w.revocations(revoked=[bytes(16)]),
        "HF_E_STALE_LIST",
        [listed],
    )
    again = made(handfast={-1: 1, -2: []}, iat=w.NBF + 1)
    yield add(
        "same-number-later",
        again,
        "HF_E_STALE_LIST",
        [made(handfast={-1: 1, -2: []})],
    )


# Tickets (7) ----------------------------------------------------------------


def ticket_faults() -> Iterator[Json]:
    def accept(name: str, raw: bytes, error: str, **more: Any) -> Json:
        fields: Json = {
            "ring": w.ring_json(w.RING_KEY, w.OLD_KEY),
            "leaf": w.ECHO.hex(),
            "anchors": [w.ANCHOR.hex()],
            "lists": [],
            "now": w.NOW,
            "tolerance": 120,
            "ticket": raw.hex(),
        }
        fields.update(more)
        return bad(f"ticket-bad-{name}", "ticket-accept", error, **fields)

    made = w.ticket()
    raw = w.seal_ticket(made)
    protected, kid, iv, box = tickets.read_envelope(raw)
    header = {1: 24, 4: kid, 5: iv}

    def shaped(**changes: Any) -> bytes:
        parts: Json = {"protected": protected, "unprotected": {}, "box": box}
        parts.update(changes)
        return item(list(parts.values()))

    yield accept("empty", b"", "HF_E_CBOR")
    yield accept("no-array", b"\0", "HF_E_OBJECT")
    yield accept("tagged", b"\xd0" + raw, "HF_E_CBOR")
    yield accept("2-items", item([protected, {}]), "HF_E_OBJECT")
    yield accept("4-items", item([protected, {}, box, 0]), "HF_E_OBJECT")
    yield accept("left-over", raw + b"\0", "HF_E_CBOR")
    yield accept("cut", raw[:-1], "HF_E_CBOR")
    yield accept("unprotected", shaped(unprotected={1: 24}), "HF_E_OBJECT")
    yield accept("box-null", shaped(box=None), "HF_E_OBJECT")
    yield accept("box-text", shaped(box="box"), "HF_E_OBJECT")
    yield accept("box-15", shaped(box=bytes(15)), "HF_E_OBJECT")
    yield accept("protected-map", shaped(protected=header), "HF_E_OBJECT")
    for name, other, error in (
        ("no-cbor", b"\xff", "HF_E_OBJECT"),
        ("left-over", protected + b"\0", "HF_E_OBJECT"),
        ("two", item({1: 24, 4: kid}), "HF_E_OBJECT"),
        ("four", item({1: 24, 4: kid, 5: iv, 6: 0}), "HF_E_OBJECT"),
        ("algorithm", item({1: 3, 4: kid, 5: iv}), "HF_E_OBJECT"),
        ("algorithm-text", item({1: "24", 4: kid, 5: iv}), "HF_E_OBJECT"),
        ("kid-7", item({1: 24, 4: kid[1:], 5: iv}), "HF_E_OBJECT"),
        ("iv-13", item({1: 24, 4: kid, 5: iv + b"x"}), "HF_E_OBJECT"),
        ("other-key", item({1: 24, 4: kid, 6: iv}), "HF_E_OBJECT"),
    ):
        yield accept(f"protected-{name}", shaped(protected=other), error)
    unknown = item({1: 24, 4: bytes(8), 5: iv})
    yield accept("kid-unknown", shaped(protected=unknown), "HF_E_TICKET")
    yield accept("no-ring-key", raw, "HF_E_TICKET", ring=[])
    yield accept("flip", flip(raw), "HF_E_TICKET")
    other_iv = item({1: 24, 4: kid, 5: bytes(12)})
    yield accept("iv-other", shaped(protected=other_iv), "HF_E_TICKET")
    under = item({1: 24, 4: w.OLD_KEY.kid, 5: iv})
    yield accept("kid-of-another-key", shaped(protected=under), "HF_E_TICKET")
    aad = cbor.encode(["Encrypt", protected, cose.LABELS["ticket"]])
    yield accept(
        "aad",
        shaped(box=crypto.seal(1, w.RING_KEY.key, iv, aad, made.claims())),
        "HF_E_TICKET",
    )
    claims = made.claims()

    def sealed(plain: bytes) -> bytes:
        return tickets.seal_claims(plain, w.RING_KEY, iv)

    good: Json = {
        2: "alice",
        3: "echo",
        4: w.NOW + 60,
        6: w.NOW,
        7: bytes(16),
        8: {1: {1: 4, -1: bytes(32)}},
        cose.HANDFAST: {-1: 0, -2: 1, -3: w.NOW, -4: w.NOW + 60},
    }
    yield accept("claims-empty", sealed(b""), "HF_E_TICKET")
    yield accept("claims-no-map", sealed(b"\x80"), "HF_E_TICKET")
    yield accept("claims-cut", sealed(claims[:-1]), "HF_E_TICKET")
    yield accept("claims-left-over", sealed(claims + b"\0"), "HF_E_TICKET")
    for name, faulty, _ in map_faults(good):
        yield accept(f"claims-{name}", sealed(item(faulty)), "HF_E_TICKET")
    for key in good:
        yield accept(
            f"without-{key}",
            sealed(item(merged(good, {key: None}))),
            "HF_E_TICKET",
        )
    inner = good[cose.HANDFAST]
    for key in inner:
        less = merged(inner, {key: None})
        yield accept(
            f"handfast-without{key}",
            sealed(item(merged(good, {cose.HANDFAST: less}))),
            "HF_E_TICKET",
        )
    for name, change in (
        ("sub-empty", {2: ""}),
        ("aud-256", {3: "x" * 256}),
        ("exp-2-53", {4: (1 << 53) + 1}),
        ("cti-15", {7: bytes(15)}),
        ("cnf-empty", {8: {}}),
        ("key-type", {8: {1: {1: 1, -1: bytes(32)}}}),
        ("key-31", {8: {1: {1: 4, -1: bytes(31)}}}),
        ("key-more", {8: {1: {1: 4, 2: b"", -1: bytes(32)}}}),
        ("exp-above-limit", {4: w.NOW + 61}),
    ):
        yield accept(name, sealed(item(merged(good, change))), "HF_E_TICKET")
    for name, change in (
        ("single-use-2", {-1: 2}),
        ("single-use-true", {-1: True}),
        ("method-3", {-2: 3}),
        ("method-16", {-2: 16}),
        ("first-2-53", {-3: (1 << 53) + 1}),
        ("critical", {-6: 0}),
        ("origins-empty", {-5: []}),
        ("origins-5", {-5: [bytes(32)] * 5}),
        ("origins-31", {-5: [bytes(31)]}),
        ("origins-bytes", {-5: bytes(32)}),
    ):
        less = merged(inner, change)
        yield accept(
            name,
            sealed(item(merged(good, {cose.HANDFAST: less}))),
            "HF_E_TICKET",
        )
    for name, changes, error in (
        ("audience", {"aud": "other"}, "HF_E_TICKET"),
        ("audience-realm", {"aud": w.REALM}, "HF_E_TICKET"),
        ("expired", {"exp": w.NOW}, "HF_E_EXPIRED"),
        ("expired-long-ago", {"exp": 0, "iat": 0}, "HF_E_EXPIRED"),
        ("limit", {"exp": w.NOW, "limit": w.NOW}, "HF_E_EXPIRED"),
        ("not-yet", {"iat": w.NOW + 121}, "HF_E_NOT_YET"),
        ("audience-before-times", {"aud": "x", "exp": 0}, "HF_E_TICKET"),
        ("expired-before-not-yet", {"exp": 0, "iat": w.EXP}, "HF_E_EXPIRED"),
        (
            "expired-before-origins",
            {"exp": 0, "method": 1, "origins": (bytes(32),)},
            "HF_E_EXPIRED",
        ),
    ):
        yield accept(name, w.seal_ticket(w.ticket(**changes)), error)
    earned = w.seal_ticket(w.ticket(method=1, origins=w.origins(3)))
    listed = w.revocations(revoked=[w.cti(w.branch("alice", 2)[1])])
    stale = w.revocations(exp=w.NOW)
    for name, anchors, lists, error in (
        ("issuer", [w.ca("Other CA")], [], "HF_E_ISSUER"),
        ("no-anchor", [], [], "HF_E_ISSUER"),
        ("revoked", [w.ANCHOR], [listed], "HF_E_REVOKED"),
        ("stale-list", [w.ANCHOR], [stale], "HF_E_STALE_LIST"),
    ):
        yield accept(
            f"origin-{name}",
            earned,
            error,
            anchors=w.hexes(anchors),
            lists=w.hexes(lists),
        )


# Files (7.3, 14) ------------------------------------------------------------


def file_faults() -> Iterator[Json]:
    def read(
        kind: str, name: str, raw: bytes, error: str, **more: Any
    ) -> Json:
        return bad(
            f"{kind}-{name}", f"{kind}-read", error, file=raw.hex(), **more
        )

    good = w.ticket_file(w.ticket())
    fields = [1, b"ticket", bytes(32), "s", "a", 0, 1, 0, 1]
    tickets.read_file(item(fields))
    yield read("ticket-file", "empty", b"", "HF_E_CBOR")
    yield read("ticket-file", "cut", good[:-1], "HF_E_CBOR")
    yield read("ticket-file", "left-over", good + b"\0", "HF_E_CBOR")
    yield read("ticket-file", "8-items", item(fields[:-1]), "HF_E_OBJECT")
    yield read("ticket-file", "10-items", item(fields + [0]), "HF_E_OBJECT")
    for name, at, value in (
        ("version", 0, 2),
        ("ticket-empty", 1, b""),
        ("ticket-1025", 1, bytes(1025)),
        ("proof-31", 2, bytes(31)),
        ("sub-empty", 3, ""),
        ("aud-bytes", 4, b"a"),
        ("iat-2-53", 5, (1 << 53) + 1),
        ("exp-text", 6, "0"),
        ("single-use-2", 7, 2),
        ("limit-null", 8, None),
        ("exp-is-iat", 5, 1),
        ("exp-above-limit", 6, 2),
    ):
        changed = fields[:at] + [value] + fields[at + 1 :]
        yield read("ticket-file", name, item(changed), "HF_E_OBJECT")
    phrase = {"passphrase": "right"}
    seed = w.seed("alice")
    sealed = files.encrypted_identity(
        seed, b"right", bytes(16), 8, 1, bytes(24)
    )
    for name, raw in (
        ("empty", b""),
        ("no-cbor", b"\xff"),
        ("version-0", item([0, seed])),
        ("version-3", item([3, seed])),
        ("seed-31", item([1, seed[1:]])),
        ("3-items", item([1, seed, 0])),
        ("left-over", files.identity(seed) + b"\0"),
        ("long-head", b"\x98\2" + files.identity(seed)[1:]),
        ("sealed-salt", item([2, bytes(15), 8, 1, bytes(24), bytes(48)])),
        ("sealed-mib-7", item([2, bytes(16), 7, 1, bytes(24), bytes(48)])),
        (
            "sealed-mib-1025",
            item([2, bytes(16), 1025, 1, bytes(24), bytes(48)]),
        ),
        ("sealed-passes-0", item([2, bytes(16), 8, 0, bytes(24), bytes(48)])),
        (
            "sealed-passes-11",
            item([2, bytes(16), 8, 11, bytes(24), bytes(48)]),
        ),
        ("sealed-nonce", item([2, bytes(16), 8, 1, bytes(23), bytes(48)])),
        ("sealed-box", item([2, bytes(16), 8, 1, bytes(24), bytes(47)])),
        ("sealed-cut", sealed[:-1]),
    ):
        yield read("identity", name, raw, "HF_E_OBJECT", **phrase)
    yield read("identity", "flip", flip(sealed), "HF_E_PASSPHRASE", **phrase)
    yield read(
        "identity", "passphrase", sealed, "HF_E_PASSPHRASE", passphrase="wrong"
    )
    yield read(
        "identity",
        "salt-flip",
        flip(sealed, 3),
        "HF_E_PASSPHRASE",
        **phrase,
    )
    entry = [bytes(8), bytes(32), 0]
    for name, raw in (
        ("empty", b""),
        ("map", b"\xa0"),
        ("5-keys", item([entry] * 5)),
        ("2-items", item([entry[:2]])),
        ("kid-7", item([[bytes(7), bytes(32), 0]])),
        ("key-31", item([[bytes(8), bytes(31), 0]])),
        ("created-2-53", item([[bytes(8), bytes(32), (1 << 53) + 1]])),
        ("left-over", item([entry]) + b"\0"),
        ("long-head", b"\x98\1" + item(entry)),
    ):
        yield read("ring", name, raw, "HF_E_OBJECT")


def texts() -> Iterator[Json]:
    label = "HANDFAST IDENTITY"
    good = files.armour(label, files.identity(w.seed("echo")))
    lines = good.splitlines()
    long = files.armour(label, bytes(100)).splitlines()
    joined = [long[0], long[1] + long[2], *long[3:]]
    short = [long[0], long[1][:60], long[1][60:] + long[2], *long[3:]]
    for name, text_lines in (
        ("no-end", lines[:-1]),
        ("other-end", [*lines[:-1], "-----END HANDFAST TICKET-----"]),
        ("begin-again", [lines[0], *lines]),
        ("empty", [lines[0], lines[-1]]),
        ("empty-line", [lines[0], "", *lines[1:]]),
        ("empty-last-line", [*lines[:-1], "", lines[-1]]),
        ("blank", [lines[0], lines[1] + " ", lines[2]]),
        ("tab", [lines[0], "\t" + lines[1], lines[2]]),
        ("line-of-65", joined),
        ("line-of-60", short),
        ("no-base64", [lines[0], "*" + lines[1][1:], lines[2]]),
        ("url-base64", [lines[0], "-_-_", lines[2]]),
        ("no-padding", [lines[0], "AAA", lines[2]]),
        ("too-much-padding", [lines[0], "AA===", lines[2]]),
        ("padding-inside", [lines[0], "AA==AAAA", lines[2]]),
        ("stray-bits", [lines[0], "AB==", lines[2]]),
        ("header", [lines[0], "Proc-Type: 4", "", *lines[1:]]),
    ):
        whole = "\n".join(text_lines) + "\n"
        yield bad(
            f"text-bad-{name}",
            "text-read",
            "HF_E_OBJECT",
            label=label,
            text=whole.encode().hex(),
        )


def strict() -> Iterator[Json]:
    """Any item, as one that is skipped (2.2)."""
    heads = {
        "empty": "",
        "cut-head": "19",
        "cut-string": "4261",
        "cut-array": "8201",
        "cut-map": "a101",
        "left-over": "0000",
        "long-uint-1": "1817",
        "long-uint-2": "1900ff",
        "long-uint-4": "1a0000ffff",
        "long-uint-8": "1b00000000ffffffff",
        "long-nint": "3817",
        "long-bytes": "580161",
        "long-text": "780161",
        "long-array": "980100",
        "long-map": "b8010000",
        "reserved-28": "1c",
        "reserved-29": "1d",
        "reserved-30": "1e",
        "indefinite-integer": "1f",
        "indefinite-bytes": "5f4100ff",
        "indefinite-text": "7f6161ff",
        "indefinite-array": "9fff",
        "indefinite-map": "bfff",
        "break": "ff",
        "break-in-array": "81ff",
        "tag": "c000",
        "long-tag": "d81800",
        "half": "f90000",
        "single": "fa00000000",
        "double": "fb0000000000000000",
        "undefined": "f7",
        "simple-0": "e0",
        "simple-16": "f0",
        "simple-32": "f820",
        "simple-false-long": "f814",
        "order": "a2020001" + "00",
        "order-length-first": "a26162006161" + "00",
        "order-integers": "a2200001" + "00",
        "order-types": "a2616100410000",
        "twice": "a201000100",
        "twice-text": "a2616100616101",
        "text-utf8": "61ff",
        "text-surrogate": "63eda080",
        "text-overlong": "62c080",
        "text-above": "64f4908080",
        "text-nul": "6100",
        "text-unit-separator": "611f",
        "text-delete": "617f",
        "text-c1": "62c280",
        "text-last-c1": "62c29f",
        "depth-arrays": "81" * 8 + "80",
        "depth-maps": "a100" * 8 + "a0",
        "depth-keys": "a1" * 8 + "80" + "00" * 8,
        "depth-mixed": "81a100" * 4 + "80",
        "claims-all": "9bffffffffffffffff",
        "claims-bytes": "5bffffffffffffffff",
        "claims-map": "bb7fffffffffffffff",
    }
    for name, raw in heads.items():
        yield bad(f"cbor-{name}", "cbor", "HF_E_CBOR", bytes=raw)


def files_of_vectors() -> Iterator[tuple[str, Iterable[Json]]]:
    yield "certificate-request", requests()
    yield "list", lists()
    yield "ticket", ticket_faults()
    yield "file", [*file_faults(), *texts()]
    yield "cbor", strict()
