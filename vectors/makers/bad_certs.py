# SPDX-License-Identifier: ISC
"""Bad vectors: certificates, what a CA does not sign, and chains
(spec 5.2 to 5.4)."""

from __future__ import annotations

from typing import Any, Iterable, Iterator

from handfast1 import cose, crypto
from handfast1.certs import CA, ed_cnf, x_cnf
from handfast1.crypto import P

from . import forge, ok, world as w
from .bad_wire import TEXT, text
from .faults import (
    SMALL_ED,
    bad,
    envelopes,
    flip,
    map_faults,
    mixed_signature,
    torsion,
)
from .forge import Raw, certificate, item, sign1
from .world import Json

X = w.identity("echo").public
ED = w.identity("echo").ed_public


# Certificates (5.2) ---------------------------------------------------------


def certificates() -> Iterator[Json]:
    def read(name: str, raw: bytes, error: str) -> Json:
        return bad(
            f"certificate-read-{name}",
            "certificate-read",
            error,
            bytes=raw.hex(),
        )

    seed = w.seed(w.CA_NAME)
    fields = forge.claims()
    payload = forge.payload(fields)
    for name, raw, error in envelopes("certificate", seed, payload):
        yield read(name, raw, error)
    numbered = {forge.KEYS[k]: v for k, v in fields.items()}
    for name, claims, error in map_faults(numbered):
        raw = sign1("certificate", seed, item(claims))
        yield read(f"claims-{name}", raw, error)
    for name, inner, error in map_faults(fields["handfast"]):
        yield read(f"handfast-{name}", certificate(handfast=inner), error)
    for name in forge.KEYS:
        if name != "aud":
            yield read(
                f"without-{name}", certificate(**{name: None}), "HF_E_OBJECT"
            )
    cnf = x_cnf(X)
    changes: list[tuple[str, Json]] = [
        ("aud", {"aud": "echo"}),
        ("iss-empty", {"iss": ""}),
        ("iss-256", {"iss": "x" * 256}),
        ("iss-bytes", {"iss": b"CA"}),
        ("sub-empty", {"sub": ""}),
        ("sub-256", {"sub": "x" * 256}),
        ("exp-negative", {"exp": -1}),
        ("exp-2-53", {"exp": (1 << 53) + 1}),
        ("exp-text", {"exp": "1"}),
        ("exp-is-nbf", {"exp": w.NBF}),
        ("exp-before-nbf", {"exp": w.NBF - 1}),
        ("nbf-2-53", {"nbf": (1 << 53) + 1}),
        ("iat-2-53", {"iat": (1 << 53) + 1}),
        ("iat-null", {"iat": Raw(b"\xf6")}),
        ("cti-15", {"cti": bytes(15)}),
        ("cti-17", {"cti": bytes(17)}),
        ("cti-text", {"cti": "x" * 16}),
        ("cnf-empty", {"cnf": {}}),
        ("cnf-bytes", {"cnf": X}),
        ("cnf-kid", {"cnf": {3: b"kid"}}),
        ("cnf-two", {"cnf": {1: cnf[1], 3: b"kid"}}),
        ("key-two-entries", {"cnf": {1: {1: 1, -1: 4}}}),
        ("key-four-entries", {"cnf": {1: {1: 1, 2: b"", -1: 4, -2: X}}}),
        ("key-type-2", {"cnf": {1: {1: 2, -1: 4, -2: X}}}),
        ("key-curve-5", {"cnf": {1: {1: 1, -1: 5, -2: X}}}),
        ("key-ed25519", {"cnf": ed_cnf(ED)}),
        ("key-31", {"cnf": {1: {1: 1, -1: 4, -2: X[1:]}}}),
        ("key-text", {"cnf": {1: {1: 1, -1: 4, -2: "x" * 32}}}),
        ("key-extra-in-order", {"cnf": {1: {1: 1, -1: 4, -3: X}}}),
        ("handfast-array", {"handfast": []}),
        ("handfast-empty", {"handfast": {}}),
        ("handfast-bytes", {"handfast": b"\xa1\x20\1"}),
    ]
    for name, raw_text in TEXT.items():
        changes.append((f"sub-{name}", {"sub": text(raw_text)}))
    for name, change in changes:
        yield read(name, certificate(**change), "HF_E_OBJECT")
    more: list[tuple[str, Json]] = [
        ("names-empty", {1: []}),
        ("names-9", {1: list("abcdefghi")}),
        ("names-text", {1: "name"}),
        ("names-empty-name", {1: [""]}),
        ("names-bytes", {1: [b"name"]}),
        ("suites-none", {2: None}),
        ("suites-empty", {2: []}),
        ("suites-9", {2: [1] * 9}),
        ("suites-65536", {2: [65536]}),
        ("suites-negative", {2: [-1]}),
        ("realm-empty", {3: ""}),
        ("realm-256", {3: "x" * 256}),
        ("realm-at", {3: "corp@example"}),
        ("realm-at-alone", {3: "@"}),
        ("cost-1", {4: [64]}),
        ("cost-3", {4: [64, 2, 1]}),
        ("cost-63", {4: [63, 2]}),
        ("cost-1025", {4: [1025, 2]}),
        ("cost-passes-1", {4: [64, 1]}),
        ("cost-passes-11", {4: [64, 11]}),
        ("cluster-empty", {5: ""}),
        ("usage-none", {-1: None}),
        ("usage-0", {-1: 0}),
        ("usage-32", {-1: 32}),
        ("usage-negative", {-1: -1}),
        ("usage-text", {-1: "1"}),
        ("usage-ca-and-more", {-1: 5}),
        ("usage-cluster-and-more", {-1: 17}),
        ("usage-ca-and-cluster", {-1: 20}),
        ("usage-ca-with-x25519", {-1: 4}),
        ("usage-cluster-with-x25519", {-1: 16}),
        ("path-length-of-end", {-2: 0}),
        ("suffixes-of-end", {-3: ["x"]}),
        ("realms-of-end", {-4: ["x"]}),
        ("critical-5", {-5: 0}),
    ]
    for name, change in more:
        yield read(name, certificate(more=change), "HF_E_OBJECT")
    for name, change in (
        ("path-length-4", {-2: 4}),
        ("path-length-negative", {-2: -1}),
        ("suffixes-empty", {-3: []}),
        ("suffixes-9", {-3: list("abcdefghi")}),
        ("realms-empty", {-4: []}),
        ("realms-empty-name", {-4: [""]}),
        ("realms-at", {-4: ["example", "corp@example"]}),
    ):
        raw = certificate(usage=CA, cnf=ed_cnf(ED), more=change)
        yield read(f"ca-{name}", raw, "HF_E_OBJECT")
    yield read(
        "cluster-path-length",
        certificate(usage=16, cnf=ed_cnf(ED), more={-2: 0}),
        "HF_E_OBJECT",
    )
    large = certificate(more={1000: bytes(2048)})
    yield read("2049", large[:1] + large[1:], "HF_E_OBJECT")
    yield read(
        "first-fault-counts",
        certificate(iss="", handfast=Raw(b"\xff")),
        "HF_E_OBJECT",
    )
    yield read(
        "first-fault-counts-too",
        certificate(iss=Raw(b"\x78\0"), sub=""),
        "HF_E_CBOR",
    )
    yield read(
        "relations-come-last",
        sign1(
            "certificate",
            seed,
            forge.payload(forge.claims(exp=w.NBF)),
            signature=bytes(64),
        )
        + b"\0",
        "HF_E_CBOR",
    )


def issuing() -> Iterator[Json]:
    """What a CA does not sign (5.3)."""
    for name, ca, terms in (
        ("name", w.ca(suffixes=["bob"]), {}),
        ("names", w.ca(suffixes=["alice"]), {"names": ["alice", "mallory"]}),
        ("realm", w.ca(realms=["example.com"]), {"realm": w.REALM}),
        ("path", w.ca(path_length=0), {"usage": 4, "suites": None}),
    ):
        vector = ok.issue(
            f"issue-constraint-{name}",
            "alice",
            w.CA_NAME,
            ca,
            **{"usage": 2, **terms},
        )
        yield {**vector, "expected": "HF_E_CONSTRAINT"}


# Chains (5.4) ---------------------------------------------------------------


def with_order(key: bytes) -> bytes:
    """A CA of that key below the anchor."""
    return certificate("CA 1", CA, cnf=ed_cnf(key), more={2: None, 3: None})


MIXED = torsion(w.identity("CA 1").ed_public)


def signed_mixed(payload: bytes) -> bytes:
    """A certificate that the key of mixed order signed."""
    signed = cose.signed_bytes("certificate", cose.HEADER, payload)
    signature = mixed_signature(w.seed("CA 1"), MIXED, signed)
    return item([cose.HEADER, {}, payload, signature])


def chains() -> Iterator[Json]:
    def one(name: str, error: str, *args: Any, **more: Any) -> Json:
        vector = ok.chain(name, *args, **more)
        vector["id"] = f"chain-bad-{name}"
        return {**vector, "expected": error}

    leaf = w.ECHO
    four = w.branch("echo", 4)
    yield one("leaf-cbor", "HF_E_CBOR", [leaf[:-1]])
    yield one("leaf-object", "HF_E_OBJECT", [b"\0"])
    yield one("empty-certificate", "HF_E_OBJECT", [certificate(iss="")])
    yield one("second-cbor", "HF_E_CBOR", [w.branch("echo", 2)[0], b"\xff"])
    yield one("second-object", "HF_E_OBJECT", [w.branch("echo", 2)[0], b"\0"])
    yield one("no-anchor", "HF_E_ISSUER", [leaf], anchors=[])
    yield one(
        "another-anchor", "HF_E_ISSUER", [leaf], anchors=[w.ca("Other CA")]
    )
    yield one("anchor-itself", "HF_E_ISSUER", [w.ANCHOR], 0)
    yield one("anchor-in-chain", "HF_E_ISSUER", [leaf, w.ANCHOR])
    yield one("unsorted", "HF_E_ISSUER", four[::-1])
    yield one("gap", "HF_E_ISSUER", [four[0], *four[2:]])
    yield one("too-many", "HF_E_ISSUER", [leaf, w.ALICE])
    yield one(
        "self-issued-leaf",
        "HF_E_ISSUER",
        [w.cert("echo", 1, "echo", signer=w.CA_NAME)],
    )
    below_end = w.cert("below", 1, "echo")
    yield one("issued-by-an-end-entity", "HF_E_USAGE", [below_end, leaf])
    cluster = w.cert("CA 1", 16, w.CA_NAME)
    yield one(
        "issued-by-a-cluster", "HF_E_USAGE", [w.branch("echo", 2)[0], cluster]
    )
    yield one("signature-flip", "HF_E_SIGNATURE", [flip(leaf)])
    yield one("signature-flip-r", "HF_E_SIGNATURE", [flip(leaf, -64)])
    for i in range(1, 4):
        links = list(four)
        links[i] = flip(links[i])
        yield one(f"signature-flip-{i}", "HF_E_SIGNATURE", links)
    yield one(
        "signature-of-another-key",
        "HF_E_SIGNATURE",
        [w.cert("echo", 1, signer="mallory")],
    )
    yield one(
        "anchor-of-another-key",
        "HF_E_SIGNATURE",
        [leaf],
        anchors=[w.ca(key="second key", signer="second key")],
    )
    below = w.ca("CA 1", w.CA_NAME)
    crooked = certificate(
        w.CA_NAME, CA, cnf=ed_cnf(bytes(32)), more={2: None, 3: None}
    )
    for name, error, anchor in (
        ("no-ca", "HF_E_USAGE", w.ALICE),
        ("of-another", "HF_E_ISSUER", below),
        ("of-another-flip", "HF_E_ISSUER", flip(below)),
        ("flip", "HF_E_SIGNATURE", flip(w.ANCHOR)),
        ("key-and-signature", "HF_E_SIGNATURE", crooked),
    ):
        yield one(f"anchor-{name}", error, [leaf], anchors=[anchor])
    payload = forge.payload(forge.claims())
    for name, label in (("request", "request"), ("list", "list")):
        raw = sign1(
            "certificate",
            w.seed(w.CA_NAME),
            payload,
            external=cose.LABELS[label],
        )
        yield one(f"signed-as-a-{name}", "HF_E_SIGNATURE", [raw])
    signature = leaf[-64:]
    raised = int.from_bytes(signature[32:], "little") + crypto.ORDER
    yield one(
        "signature-s-above-order",
        "HF_E_SIGNATURE",
        [leaf[:-32] + raised.to_bytes(32, "little")],
    )
    for name, raw in SMALL_ED.items():
        yield one(
            f"signature-r-{name}",
            "HF_E_SIGNATURE",
            [leaf[:-64] + raw + bytes(32)],
        )
        yield one(
            f"ca-key-{name}",
            "HF_E_SIGNATURE",
            [w.branch("echo", 2)[0], with_order(raw)],
        )
    yield one(
        "ca-key-not-canonical",
        "HF_E_SIGNATURE",
        [w.branch("echo", 2)[0], with_order((P + 3).to_bytes(32, "little"))],
    )
    mixed = torsion(w.identity("CA 1").ed_public)
    yield one(
        "ca-key-outside-the-group",
        "HF_E_OBJECT",
        [
            signed_mixed(forge.payload(forge.claims(iss="CA 1"))),
            with_order(mixed),
        ],
    )
    assert mixed == MIXED
    yield one(
        "cluster-key-small-order",
        "HF_E_OBJECT",
        [
            certificate(
                "c", 16, cnf=ed_cnf(SMALL_ED["order-4"]), more={2: None}
            )
        ],
        16,
    )
    yield one("not-yet", "HF_E_NOT_YET", [leaf], now=w.NBF - 1)
    yield one("expired", "HF_E_EXPIRED", [leaf], now=w.EXP)
    links = w.branch("echo", 2)
    old = w.ca("CA 1", w.CA_NAME, exp=w.NOW)
    new = w.ca("CA 1", w.CA_NAME, nbf=w.NOW + 1)
    yield one("ca-expired", "HF_E_EXPIRED", [links[0], old])
    yield one("ca-not-yet", "HF_E_NOT_YET", [links[0], new])
    yield one(
        "anchor-expired", "HF_E_EXPIRED", [leaf], anchors=[w.ca(exp=w.NOW)]
    )
    yield one(
        "anchor-not-yet", "HF_E_NOT_YET", [leaf], anchors=[w.ca(nbf=w.NOW + 1)]
    )
    for name, error, first, second in (
        ("expired-first", "HF_E_EXPIRED", {"exp": w.NOW}, {"nbf": w.NOW + 1}),
        ("not-yet-first", "HF_E_NOT_YET", {"nbf": w.NOW + 1}, {"exp": w.NOW}),
    ):
        anchors = [w.ca(**first), w.ca(**second)]
        yield one(f"anchors-{name}", error, [leaf], anchors=anchors)
    yield one(
        "signature-before-times", "HF_E_SIGNATURE", [flip(leaf)], now=w.EXP
    )
    yield one(
        "leaf-time-before-anchor",
        "HF_E_EXPIRED",
        [w.cert("echo", 1, exp=w.NOW)],
        anchors=[w.ca(nbf=w.NOW + 1)],
    )
    listed = w.revocations(revoked=[w.cti(leaf)])
    yield one("revoked", "HF_E_REVOKED", [leaf], lists=[listed])
    yield one(
        "revoked-in-a-newer-list",
        "HF_E_REVOKED",
        [leaf],
        lists=[w.revocations(), w.revocations(8, [w.cti(leaf)])],
    )
    inner = w.revocations(revoked=[w.cti(links[1])])
    yield one("ca-revoked", "HF_E_REVOKED", links, lists=[inner])
    stale = w.revocations(exp=w.NOW)
    yield one("stale-list", "HF_E_STALE_LIST", [leaf], lists=[stale])
    yield one(
        "revoked-before-stale",
        "HF_E_REVOKED",
        [leaf],
        lists=[w.revocations(revoked=[w.cti(leaf)], exp=w.NOW)],
    )
    yield one(
        "expired-before-revoked",
        "HF_E_EXPIRED",
        [leaf],
        lists=[listed],
        now=w.EXP,
    )
    yield one(
        "revoked-before-usage", "HF_E_REVOKED", [leaf], 2, lists=[listed]
    )
    yield one("usage", "HF_E_USAGE", [leaf], 2)
    yield one("usage-both", "HF_E_USAGE", [leaf], 3)
    yield one("usage-of-a-ca", "HF_E_USAGE", [links[1]], 1)
    yield one("usage-of-a-server", "HF_E_USAGE", [w.cert("s", 8)], 1)
    yield one("name", "HF_E_NAME", [leaf], 1, "other")
    yield one("name-case", "HF_E_NAME", [leaf], 1, "Echo")
    yield one("name-prefix", "HF_E_NAME", [leaf], 1, "ech")
    yield one("name-empty", "HF_E_NAME", [leaf], 1, "")
    wild = w.cert("*.example.org", 1)
    yield one("name-no-wildcard", "HF_E_NAME", [wild], 1, "a.example.org")
    yield one("usage-before-name", "HF_E_USAGE", [leaf], 2, "other")
    for name, suffix, subject in (
        ("other", "example.org", "example.com"),
        ("inside-a-word", "example.org", "badexample.org"),
        ("at-inside", "example.org", "x-example.org"),
        ("longer", "a.example.org", "example.org"),
        ("dot-first", ".example.org", "example.org"),
        ("case", "example.org", "a.Example.org"),
    ):
        yield one(
            f"suffix-{name}",
            "HF_E_CONSTRAINT",
            [w.cert(subject, 1)],
            anchors=[w.ca(suffixes=[suffix])],
        )
    yield one(
        "suffix-of-a-name-beside",
        "HF_E_CONSTRAINT",
        [w.cert("a.b", 1, names=["a.c"])],
        anchors=[w.ca(suffixes=["b"])],
    )
    yield one(
        "suffix-of-a-ca-below",
        "HF_E_CONSTRAINT",
        [w.cert("a.b", 1, "CA 1"), links[1]],
        anchors=[w.ca(suffixes=["b"])],
    )
    yield one(
        "suffix-of-a-cluster",
        "HF_E_CONSTRAINT",
        [w.cert("a.b", 9, cluster="zzz")],
        9,
        anchors=[w.ca(suffixes=["b"])],
    )
    yield one(
        "realm-with-suffixes-alone",
        "HF_E_CONSTRAINT",
        [leaf],
        anchors=[w.ca(suffixes=["echo", "org"])],
    )
    yield one(
        "suffix-of-an-intermediate",
        "HF_E_CONSTRAINT",
        [links[0], w.ca("CA 1", w.CA_NAME, suffixes=["b"])],
    )
    yield one(
        "realm", "HF_E_CONSTRAINT", [leaf], anchors=[w.ca(realms=["org"])]
    )
    yield one(
        "realm-of-an-intermediate",
        "HF_E_CONSTRAINT",
        [links[0], w.ca("CA 1", w.CA_NAME, realms=["example"])],
    )
    yield one(
        "path-length-0",
        "HF_E_CONSTRAINT",
        links,
        anchors=[w.ca(path_length=0)],
    )
    yield one(
        "path-length-1",
        "HF_E_CONSTRAINT",
        w.branch("echo", 3),
        anchors=[w.ca(path_length=1)],
    )
    three = w.branch("echo", 3)
    three[2] = w.ca("CA 1", w.CA_NAME, path_length=0)
    yield one("path-length-of-an-intermediate", "HF_E_CONSTRAINT", three)
    yield one(
        "constraint-before-name",
        "HF_E_CONSTRAINT",
        [leaf],
        1,
        "other",
        anchors=[w.ca(realms=["org"])],
    )


def files_of_vectors() -> Iterator[tuple[str, Iterable[Json]]]:
    yield "certificate", [*certificates(), *issuing()]
    yield "chain", chains()
