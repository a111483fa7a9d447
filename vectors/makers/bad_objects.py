# SPDX-License-Identifier: ISC
"""Bad vectors: certificates, chains, requests, lists, tickets and files
(spec 2.2, 5, 7, 14)."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Sequence

from handfast1 import cbor, cose, crypto, files, tickets
from handfast1.certs import CA, ed_cnf, x_cnf
from handfast1.crypto import P, compress, decompress

from . import forge, ok, world as w
from .bad_wire import TEXT, text
from .forge import Pairs, Raw, certificate, item, merged, sign1
from .world import Json

X = w.identity("echo").public
ED = w.identity("echo").ed_public


def bad(name: str, kind: str, error: str, **fields: Any) -> Json:
    return {"id": name, "kind": kind, **fields, "expected": error}


# COSE_Sign1: the same faults in three objects -------------------------------


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


def with_order(key: bytes) -> bytes:
    """A CA of that key below the anchor."""
    return certificate("CA 1", CA, cnf=ed_cnf(key), more={2: None, 3: None})


def flip(raw: bytes, at: int = -1) -> bytes:
    changed = bytearray(raw)
    changed[at] ^= 1
    return bytes(changed)


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


MIXED = torsion(w.identity("CA 1").ed_public)


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


def signed_mixed(payload: bytes) -> bytes:
    """A certificate that the key of mixed order signed."""
    signed = cose.signed_bytes("certificate", cose.HEADER, payload)
    signature = mixed_signature(w.seed("CA 1"), MIXED, signed)
    return item([cose.HEADER, {}, payload, signature])


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
    yield "certificate", [*certificates(), *issuing()]
    yield "chain", chains()
    yield "certificate-request", requests()
    yield "list", lists()
    yield "ticket", ticket_faults()
    yield "file", [*file_faults(), *texts()]
    yield "cbor", strict()
