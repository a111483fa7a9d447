# SPDX-License-Identifier: ISC
"""Bad vectors: framing, states, and the messages in clear (spec 2, 4, 11)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import cbor, cookies, messages
from handfast1.cbor import encode_head

from . import forge, world as w
from .forge import Pairs, Raw, Request, Target, hello, item, offer, reach
from .world import Json

TEXT = {
    "bad-utf8": b"\xff",
    "overlong": b"\xc0\x80",
    "surrogate": b"\xed\xa0\x80",
    "cut": b"\xe2\x82",
    "above": b"\xf4\x90\x80\x80",
    "control": b"a\x1f",
    "newline": b"\n",
    "nul": b"\0",
    "delete": b"\x7f",
    "c1": b"\xc2\x80",
    "last-c1": b"\xc2\x9f",
}


def text(raw: bytes) -> Raw:
    return Raw(encode_head(3, len(raw)) + raw)


def fed(
    name: str,
    role: str,
    state: str,
    data: bytes,
    error: str,
    note: str = "",
    **more: Any,
) -> Json:
    """These bytes to that side in that state."""
    target, _ = reach(role, state, name, **more)
    target.feed(data)
    return target.vector(name, error, note)


def to_responder(name: str, data: bytes, error: str, **right: Any) -> Json:
    """The first bytes of a connection."""
    target = Target("responder", w.responder(**right), name)
    target.feed(data)
    return target.vector(name, error)


def to_initiator(name: str, data: bytes, error: str, **left: Any) -> Json:
    """The answer to a hello."""
    token = left.pop("token_name", "certificate")
    target = Target("initiator", w.initiator(token, **left), name)
    target.start()
    target.feed(data)
    return target.vector(name, error)


# Framing (2.3) --------------------------------------------------------------


def framing() -> Iterator[Json]:
    for byte in (
        0x00,
        0x1B,
        0x40,
        0x60,
        0x80,
        0x81,
        0x8C,
        0x98,
        0x9F,
        0xA2,
        0xC0,
        0xF6,
        0xFF,
    ):
        yield to_responder(
            f"frame-first-byte-{byte:02x}", bytes([byte]), "HF_E_SHAPE"
        )
    for byte in (0x18, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xF4, 0xFF):
        yield to_responder(
            f"frame-second-byte-{byte:02x}", bytes([0x86, byte]), "HF_E_SHAPE"
        )
    for role, states in forge.STATES.items():
        for state in states:
            yield fed(
                f"frame-first-byte-{role}-{state}",
                role,
                state,
                b"\0",
                "HF_E_SHAPE",
            )
    yield fed(
        "frame-second-byte-open",
        "responder",
        "open",
        b"\x82\x18",
        "HF_E_SHAPE",
    )
    heads = {
        "long-uint-1": "1817",
        "long-uint-2": "1900ff",
        "long-uint-4": "1a0000ffff",
        "long-uint-8": "1b00000000ffffffff",
        "long-nint": "3800",
        "long-bytes": "580161",
        "long-text": "7900ff",
        "long-array": "9801",
        "long-map": "b800",
        "reserved-28": "1c",
        "reserved-29": "5d",
        "reserved-30": "9e",
        "indefinite-bytes": "5f",
        "indefinite-text": "7f",
        "indefinite-array": "9f",
        "indefinite-map": "bf",
        "break": "ff",
        "tag": "c0",
        "long-tag": "d818",
        "half": "f9",
        "single": "fa",
        "double": "fb",
        "undefined": "f7",
        "simple-0": "e0",
        "simple-19": "f3",
        "simple-32": "f820",
        "depth-arrays": "8181818181818181",
        "depth-maps": "a100a100a100a100a100a100a100a0",
        "depth-empty": "8181818181818180",
    }
    for name, raw in heads.items():
        yield to_responder(
            f"cbor-hello-{name}",
            bytes.fromhex("860001" + raw),
            "HF_E_CBOR",
        )
    yield to_responder(
        "cbor-before-version",
        bytes.fromhex("860002" + "9f"),
        "HF_E_CBOR",
    )
    yield fed(
        "cbor-offer", "initiator", "hello-sent", b"\x86\1\1\x9f", "HF_E_CBOR"
    )
    yield fed(
        "cbor-grant", "initiator", "request-sent", b"\x86\4\1\x9f", "HF_E_CBOR"
    )
    yield fed(
        "cbor-confirm", "responder", "granted", b"\x82\5\x5f", "HF_E_CBOR"
    )
    yield fed("cbor-record", "responder", "open", b"\x82\x10\x5f", "HF_E_CBOR")
    yield fed(
        "cbor-request", "responder", "offered", b"\x8a\3\1\xc0", "HF_E_CBOR"
    )
    big = {
        "bytes": "59400000",
        "bytes-8": "5b0000000100000000",
        "bytes-most": "5bffffffffffffffff",
        "bytes-just": "593ffb",
        "text": "79ffff",
        "array": "994000",
        "array-8": "9b7fffffffffffffff",
        "map": "b94000",
        "map-4": "ba7fffffff",
    }
    for name, raw in big.items():
        yield to_responder(
            f"too-big-{name}", bytes.fromhex("860001" + raw), "HF_E_TOO_BIG"
        )
    yield to_responder(
        "too-big-in-two",
        bytes.fromhex("860001") + cbor.encode(bytes(9000)) + b"\x59\x23\x28",
        "HF_E_TOO_BIG",
    )
    yield to_responder(
        "too-big-at-the-limit",
        bytes.fromhex("8600015942" + "00")[:3]
        + cbor.encode(bytes(16384 - 3 - 3))
        + b"\0",
        "HF_E_TOO_BIG",
    )
    for role in ("initiator", "responder"):
        yield fed(
            f"too-big-record-{role}",
            role,
            "open",
            bytes.fromhex("82105a00010012"),
            "HF_E_TOO_BIG",
        )
    for name, version in (("0", 0), ("2", 2), ("most", (1 << 64) - 1)):
        yield to_responder(
            f"version-hello-{name}", hello(version=version), "HF_E_VERSION"
        )
    yield to_responder(
        "version-request", Request().make(version=2), "HF_E_VERSION"
    )
    yield fed(
        "version-offer",
        "initiator",
        "hello-sent",
        offer(version=2),
        "HF_E_VERSION",
    )
    yield fed(
        "version-grant",
        "initiator",
        "request-sent",
        item([4, 2, 0, 0, 0, 0]),
        "HF_E_VERSION",
    )
    for name, version in (("text", "1"), ("negative", -1), ("null", None)):
        yield to_responder(
            f"version-{name}", hello(version=version), "HF_E_SHAPE"
        )
    yield to_responder("version-before-items", item([0, 2, 0]), "HF_E_VERSION")
    for role, state, kind, right in (
        ("responder", "start", 0, 6),
        ("initiator", "hello-sent", 1, 6),
        ("initiator", "hello-sent", 2, 2),
        ("responder", "start", 3, 10),
        ("initiator", "request-sent", 4, 6),
        ("responder", "granted", 5, 2),
        ("responder", "start", 6, 11),
        ("responder", "start", 8, 2),
        ("responder", "open", 16, 2),
    ):
        for count in (right - 1, right + 1):
            if 2 <= count <= 11:
                yield fed(
                    f"items-{messages.NAMES[kind]}-{count}",
                    role,
                    state,
                    item([kind, 1] + [0] * (count - 2)),
                    "HF_E_SHAPE",
                )
    yield to_responder("items-before-fields", item([0, 1]), "HF_E_SHAPE")


def ends() -> Iterator[Json]:
    """Streams that end (2.3), deadlines (10.4), lifetimes (4.5)."""
    for role, states in forge.STATES.items():
        for state in states:
            error = "HF_E_TRUNCATED" if state == "open" else "HF_E_GONE"
            name = f"end-{role}-{state}"
            target, peer = reach(role, state, name)
            target.end()
            yield target.vector(name, error)
            if state == "open":
                continue
            name = f"deadline-{role}-{state}"
            target, _ = reach(role, state, name)
            target.wait(11)
            yield target.vector(name, "HF_E_DEADLINE")
    for name, data in (
        ("1", b"\x86"),
        ("2", b"\x86\0"),
        ("all-but-1", hello()[:-1]),
    ):
        name = f"end-in-hello-{name}"
        target = Target("responder", w.responder(), name)
        target.feed(data)
        target.end()
        yield target.vector(name, "HF_E_GONE")
    for role in ("initiator", "responder"):
        name = f"end-in-record-{role}"
        target, peer = reach(role, "open", name)
        peer.send(2, b"")
        target.feed(peer.drain()[:-1])
        target.end()
        yield target.vector(name, "HF_E_TRUNCATED", "in the close record")
        name = f"end-after-own-close-{role}"
        target, peer = reach(role, "open", name)
        target.send(2)
        target.end()
        yield target.vector(name, "HF_E_TRUNCATED")
        name = f"expired-session-{role}"
        target, peer = reach(role, "open", name, right=w.responder(lifetime=5))
        target.wait(6)
        yield target.vector(name, "HF_E_EXPIRED")


# The state table (11) -------------------------------------------------------

TYPES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17)
LEGAL = {
    ("initiator", "hello-sent"): (1, 2, 8, 9),
    ("initiator", "request-sent"): (2, 4, 8, 9),
    ("initiator", "open"): (16,),
    ("responder", "start"): (0, 3, 6, 8),
    ("responder", "offered"): (3, 8),
    ("responder", "granted"): (5, 8),
    ("responder", "open"): (16,),
}


def states() -> Iterator[Json]:
    """Every cell U: the first two bytes are enough."""
    for (role, state), legal in LEGAL.items():
        for kind in TYPES:
            if kind not in legal:
                count = messages.ITEMS.get(kind, 2)
                yield fed(
                    f"state-{role}-{state}-{kind}",
                    role,
                    state,
                    bytes([0x80 + count, kind]),
                    "HF_E_UNEXPECTED",
                )
    for kind in (10, 15, 18, 23):
        yield to_responder(
            f"state-responder-start-{kind}",
            bytes([0x82, kind]),
            "HF_E_UNEXPECTED",
        )
    for state in ("hello-sent", "request-sent"):
        name = f"second-retry-{state}"
        target, _ = reach("initiator", "hello-sent", name)
        if state == "request-sent":
            target, _ = reach("initiator", state, name)
        target.feed(item([2, b"cookie"]))
        target.feed(item([2, b"cookie"]))
        yield target.vector(name, "HF_E_UNEXPECTED")
    name = "second-retry-later"
    target = Target("initiator", w.initiator("certificate"), name)
    peer = forge.honest("responder", w.responder(retry=["hello"]), name)
    app = w.responder(retry=["hello"])["application"]
    out = target.feed(forge.give(peer, target.start(), app))
    target.feed(forge.give(peer, out, app))
    target.feed(item([2, b"cookie"]))
    yield target.vector(
        name, "HF_E_UNEXPECTED", "one of the hello, one of the request"
    )
    for kind, data in (("hello", hello()), ("request", Request().make())):
        yield fed(
            f"state-whole-{kind}-in-granted",
            "responder",
            "granted",
            data,
            "HF_E_UNEXPECTED",
        )


# hello (4.1) ----------------------------------------------------------------


def extension_faults() -> Iterator[tuple[str, Any, str]]:
    """Maps of extensions, and what is wrong (2.2, 4.1)."""
    many = {i: b"" for i in range(17)}
    yield "type", [], "HF_E_SHAPE"
    yield "17-entries", many, "HF_E_SHAPE"
    yield "value-type", {1: "text"}, "HF_E_SHAPE"
    yield "value-null", {1: None}, "HF_E_SHAPE"
    yield "value-257", {1: bytes(257)}, "HF_E_SHAPE"
    yield "key-text", {"a": b""}, "HF_E_SHAPE"
    yield "key-bytes", {b"a": b""}, "HF_E_SHAPE"
    yield "key-above", {1 << 63: b""}, "HF_E_SHAPE"
    yield "key-below", {-(1 << 63) - 1: b""}, "HF_E_SHAPE"
    yield "order", Pairs((2, b""), (1, b"")), "HF_E_CBOR"
    yield "order-signs", Pairs((-1, b""), (1, b"")), "HF_E_EXTENSION"
    yield "twice", Pairs((1, b"a"), (1, b"b")), "HF_E_CBOR"
    yield "critical", {-1: b""}, "HF_E_EXTENSION"
    yield "critical-private", {70000: b"x", -65537: b"x"}, "HF_E_EXTENSION"
    yield "critical-least", {-(1 << 63): b""}, "HF_E_EXTENSION"
    yield "critical-value", {-1: None}, "HF_E_SHAPE"
    yield "critical-then-order", Pairs((-1, b""), (-1, b"")), "HF_E_EXTENSION"


def hellos() -> Iterator[Json]:
    faults: list[tuple[str, Json, str]] = [
        ("suites-type", {"suites": 1}, "HF_E_SHAPE"),
        ("suites-none", {"suites": []}, "HF_E_SHAPE"),
        ("suites-9", {"suites": [1] * 9}, "HF_E_SHAPE"),
        ("suites-65536", {"suites": [1, 65536]}, "HF_E_SHAPE"),
        ("suites-negative", {"suites": [-1]}, "HF_E_SHAPE"),
        ("suites-text", {"suites": ["1"]}, "HF_E_SHAPE"),
        ("suites-unknown", {"suites": [3, 9, 65535]}, "HF_E_SUITE"),
        ("suites-0", {"suites": [0]}, "HF_E_SUITE"),
        ("target-type", {"target": b""}, "HF_E_SHAPE"),
        ("target-null", {"target": None}, "HF_E_SHAPE"),
        ("target-256", {"target": "x" * 256}, "HF_E_SHAPE"),
        ("cookie-empty", {"cookie": b""}, "HF_E_SHAPE"),
        ("cookie-65", {"cookie": bytes(65)}, "HF_E_SHAPE"),
        ("cookie-type", {"cookie": "cookie"}, "HF_E_SHAPE"),
        ("cookie-false", {"cookie": False}, "HF_E_SHAPE"),
        ("shape-before-suite", {"suites": [9], "target": 1}, "HF_E_SHAPE"),
    ]
    for name, raw in TEXT.items():
        faults.append((f"target-{name}", {"target": text(raw)}, "HF_E_SHAPE"))
    for name, value, error in extension_faults():
        faults.append((f"extensions-{name}", {"extensions": value}, error))
    for name, changes, error in faults:
        yield to_responder(f"hello-{name}", hello(**changes), error)
    yield to_responder(
        "hello-suite-not-in-leaf",
        hello(suites=[1]),
        "HF_E_SUITE",
        chain=[w.cert("echo", 1, suites=[2]).hex()],
    )
    yield to_responder("hello-limited", hello(), "HF_E_LIMITED", limited=True)
    good = hello()
    yield to_responder(
        "hello-then-junk-not-waiting", good + b"\0", "HF_E_SHAPE"
    )


# offer (4.2) ----------------------------------------------------------------


def offers() -> Iterator[Json]:
    faults: list[tuple[str, Json, str]] = [
        ("suite-type", {"suite": "1"}, "HF_E_SHAPE"),
        ("suite-65536", {"suite": 65536}, "HF_E_SHAPE"),
        ("suite-unknown", {"suite": 9}, "HF_E_SUITE"),
        ("suite-0", {"suite": 0}, "HF_E_SUITE"),
        ("suite-not-best", {"suite": 2}, "HF_E_SUITE"),
        ("chain-type", {"chain": w.ECHO}, "HF_E_SHAPE"),
        ("chain-empty", {"chain": []}, "HF_E_SHAPE"),
        ("chain-5", {"chain": [w.ECHO] * 5}, "HF_E_SHAPE"),
        ("chain-certificate-empty", {"chain": [b""]}, "HF_E_SHAPE"),
        ("chain-certificate-2049", {"chain": [bytes(2049)]}, "HF_E_SHAPE"),
        ("chain-certificate-text", {"chain": ["cert"]}, "HF_E_SHAPE"),
        ("prekey-31", {"prekey": bytes(31)}, "HF_E_SHAPE"),
        ("prekey-33", {"prekey": bytes(33)}, "HF_E_SHAPE"),
        ("prekey-null", {"prekey": None}, "HF_E_SHAPE"),
        ("prekey-0", {"prekey": bytes(32)}, "HF_E_PUBLIC_KEY"),
        ("prekey-1", {"prekey": b"\1" + bytes(31)}, "HF_E_PUBLIC_KEY"),
        ("suite-before-prekey", {"suite": 9, "prekey": b""}, "HF_E_SUITE"),
        ("leaf-no-cbor", {"chain": [b"\xff"]}, "HF_E_CBOR"),
        ("leaf-no-object", {"chain": [b"\0"]}, "HF_E_OBJECT"),
        ("leaf-cut", {"chain": [w.ECHO[:-1]]}, "HF_E_CBOR"),
        ("leaf-and-more", {"chain": [w.ECHO + b"\0"]}, "HF_E_CBOR"),
        (
            "leaf-signature",
            {"chain": [w.ECHO[:-1] + bytes([w.ECHO[-1] ^ 1])]},
            "HF_E_SIGNATURE",
        ),
        ("leaf-usage", {"chain": [w.ALICE]}, "HF_E_USAGE"),
        (
            "leaf-issuer",
            {"chain": [w.cert("echo", 1, "Nobody")]},
            "HF_E_ISSUER",
        ),
        (
            "leaf-expired",
            {"chain": [w.cert("echo", 1, exp=w.NOW)]},
            "HF_E_EXPIRED",
        ),
        (
            "leaf-not-yet",
            {"chain": [w.cert("echo", 1, nbf=w.NOW + 1)]},
            "HF_E_NOT_YET",
        ),
        ("leaf-name", {"chain": [w.cert("other", 1)]}, "HF_E_NAME"),
        (
            "leaf-suite-2-only",
            {"chain": [w.cert("echo", 1, suites=[2])]},
            "HF_E_SUITE",
        ),
        (
            "leaf-unknown-suites",
            {"chain": [w.cert("echo", 1, suites=[9])]},
            "HF_E_SUITE",
        ),
        (
            "oneself",
            {"chain": [w.cert("echo", 1, key="alice")]},
            "HF_E_POLICY",
        ),
        (
            "name-before-suite",
            {"suite": 2, "chain": [w.cert("other", 1)]},
            "HF_E_NAME",
        ),
    ]
    for name, value, error in extension_faults():
        faults.append((f"extensions-{name}", {"extensions": value}, error))
    for name, changes, error in faults:
        yield to_initiator(f"offer-{name}", offer(**changes), error)
    yield to_initiator(
        "offer-suite-not-listed",
        offer(suite=1),
        "HF_E_SUITE",
        suites=[2],
    )
    yield to_initiator(
        "offer-leaf-revoked",
        offer(),
        "HF_E_REVOKED",
        lists=[w.revocations(revoked=[w.cti(w.ECHO)]).hex()],
    )
    yield to_initiator(
        "offer-list-stale",
        offer(),
        "HF_E_STALE_LIST",
        lists=[w.revocations(exp=w.NOW).hex()],
    )
    yield to_initiator(
        "offer-realm-other", offer(), "HF_E_NAME", realm="example.com"
    )
    yield to_initiator(
        "offer-realm-none",
        offer(chain=[w.cert("echo", 1)]),
        "HF_E_NAME",
        realm=w.REALM,
    )
    for token in ("password", "plain"):
        yield to_initiator(
            f"offer-no-realm-{token}",
            offer(chain=[w.cert("echo", 1)]),
            "HF_E_TOKEN",
            token_name=token,
        )
    yield to_initiator(
        "offer-ticket-audience",
        offer(chain=[w.cert("other", 1)]),
        "HF_E_NAME",
        token_name="ticket",
        expect=None,
    )
    yield to_initiator(
        "offer-distrusted",
        offer(),
        "HF_E_POLICY",
        application={"refuse": ["echo"]},
    )
    weak = forge.certificate("echo", 1, key=bytes(32))
    yield to_initiator(
        "offer-leaf-key-small-order", offer(chain=[weak]), "HF_E_PUBLIC_KEY"
    )
    yield to_initiator(
        "offer-leaf-without-suites",
        offer(chain=[forge.certificate("echo", 1, more={2: None})]),
        "HF_E_OBJECT",
    )


def retries() -> Iterator[Json]:
    for state in ("hello-sent", "request-sent"):
        for name, cookie in (
            ("empty", b""),
            ("65", bytes(65)),
            ("text", "cookie"),
            ("null", None),
        ):
            yield fed(
                f"retry-{state}-cookie-{name}",
                "initiator",
                state,
                item([2, cookie]),
                "HF_E_SHAPE",
            )


def alerts() -> Iterator[Json]:
    """Alerts in clear (4.7)."""
    errors = {1: "HF_E_REFUSED", 2: "HF_E_STORE", 3: "HF_E_UNKNOWN_KEY"}
    for (role, state), legal in LEGAL.items():
        if 8 in legal:
            for code, error in errors.items():
                yield fed(
                    f"alert-{role}-{state}-{code}",
                    role,
                    state,
                    item([8, code]),
                    error,
                )
            clear = role == "initiator"
            yield fed(
                f"alert-{role}-{state}-5",
                role,
                state,
                item([8, 5]),
                "HF_E_TARGET" if clear else "HF_E_SHAPE",
            )
    for name, code in (
        ("0", 0),
        ("4", 4),
        ("most", (1 << 64) - 1),
        ("negative", -1),
        ("text", "1"),
        ("bytes", b"\1"),
    ):
        yield fed(
            f"alert-code-{name}",
            "initiator",
            "hello-sent",
            item([8, code]),
            "HF_E_SHAPE",
        )


    for role, state in (("initiator", "hello-sent"), ("responder", "start")):
        for name, raw, error, note in (
            ("cbor", b"\x82\x08\x1c", "HF_E_CBOR", "not answered"),
            ("big", b"\x82\x08\x5a\1\0\0\0", "HF_E_TOO_BIG", "not answered"),
            ("no-array", b"\x39\x08\0", "HF_E_SHAPE", "no message: answered"),
        ):
            whole = f"alert-{name}-{role}"
            yield fed(whole, role, state, raw, error, note)


# request: what is in clear (4.4) --------------------------------------------

SMALL = {
    "0": bytes(32),
    "1": b"\1" + bytes(31),
    "order-8": bytes.fromhex(
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
    ),
    "other-order-8": bytes.fromhex(
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"
    ),
    "p-1": bytes.fromhex("ec" + "ff" * 30 + "7f"),
    "p": bytes.fromhex("ed" + "ff" * 30 + "7f"),
    "p+1": bytes.fromhex("ee" + "ff" * 30 + "7f"),
    "top-bit": bytes(31) + b"\x80",
}


def request_heads() -> Iterator[Json]:
    forged = Request()
    faults: list[tuple[str, Json, str]] = [
        ("suite-type", {"suite": None}, "HF_E_SHAPE"),
        ("suite-65536", {"suite": 65536}, "HF_E_SHAPE"),
        ("suite-unknown", {"suite": 3}, "HF_E_SUITE"),
        ("suite-before-shape", {"suite": 9, "key_id": 1}, "HF_E_SUITE"),
        ("key-id-15", {"key_id": bytes(15)}, "HF_E_SHAPE"),
        ("key-id-17", {"key_id": bytes(17)}, "HF_E_SHAPE"),
        ("key-id-type", {"key_id": "x" * 16}, "HF_E_SHAPE"),
        ("key-id-other", {"key_id": bytes(16)}, "HF_E_UNKNOWN_KEY"),
        ("target-type", {"target": 0}, "HF_E_SHAPE"),
        ("target-256", {"target": "x" * 256}, "HF_E_SHAPE"),
        ("target-control", {"target": text(b"\x1b")}, "HF_E_SHAPE"),
        ("cookie-empty", {"cookie": b""}, "HF_E_SHAPE"),
        ("cookie-65", {"cookie": bytes(65)}, "HF_E_SHAPE"),
        ("enc-31", {"enc": bytes(31)}, "HF_E_SHAPE"),
        ("enc-33", {"enc": bytes(33)}, "HF_E_SHAPE"),
        ("enc-null", {"enc": None}, "HF_E_SHAPE"),
        ("prekey-enc-no-offer", {"prekey_enc": b""}, "HF_E_SHAPE"),
        ("prekey-enc-32", {"prekey_enc": bytes(32)}, "HF_E_SHAPE"),
        ("prekey-enc-type", {"prekey_enc": 0}, "HF_E_SHAPE"),
        ("box-143", {"box": bytes(143)}, "HF_E_SHAPE"),
        ("box-type", {"box": "x" * 144}, "HF_E_SHAPE"),
        ("box-null", {"box": Raw(b"\xf6")}, "HF_E_SHAPE"),
        ("key-id-before-box", {"key_id": bytes(16), "box": b""}, "HF_E_SHAPE"),
    ]
    for name, value, error in extension_faults():
        faults.append((f"extensions-{name}", {"extensions": value}, error))
    for name, changes, error in faults:
        yield to_responder(f"request-{name}", forged.make(**changes), error)
    yield to_responder(
        "request-suite-not-in-leaf",
        Request().make(suite=1),
        "HF_E_SUITE",
        chain=[w.cert("echo", 1, suites=[2]).hex()],
    )
    yield to_responder(
        "request-limited", forged.make(), "HF_E_LIMITED", limited=True
    )
    for name, enc in SMALL.items():
        yield to_responder(
            f"request-enc-small-{name}",
            forged.make(enc=enc),
            "HF_E_PUBLIC_KEY",
        )
    good = forged.make()
    finger = forge.schedule.th_next(forged.th0, good)
    yield to_responder(
        "request-replay", good, "HF_E_REPLAY", seen=[finger.hex()]
    )
    yield to_responder(
        "request-limited-before-replay",
        good,
        "HF_E_LIMITED",
        seen=[finger.hex()],
        limited=True,
    )
    yield to_responder(
        "request-replay-before-retry",
        good,
        "HF_E_REPLAY",
        seen=[finger.hex()],
        retry=["request"],
    )
    for name, sealed_as in (
        ("suite", {"suite": 2}),
        ("target", {"target": "other"}),
        ("cookie", {"cookie": b"cookie"}),
        ("extensions", {"extensions": {1: b""}}),
    ):
        yield to_responder(
            f"request-aad-{name}",
            forged.make(sealed_as=sealed_as),
            "HF_E_BOX",
        )
    for at in (-1, -17, -144):
        flipped = bytearray(good)
        flipped[at] ^= 1
        yield to_responder(f"request-flip{at}", bytes(flipped), "HF_E_BOX")
    flipped = bytearray(good)
    flipped[good.index(x25519_enc())] ^= 1
    yield to_responder("request-flip-enc", bytes(flipped), "HF_E_BOX")
    yield to_responder(
        "request-box-random", forged.make(box=w.draw("a box", 144)), "HF_E_BOX"
    )
    other = Request(w.cert("echo", 1))
    yield to_responder(
        "request-other-leaf-in-transcript",
        other.make(key_id=forge.schedule.key_id(w.ECHO)),
        "HF_E_BOX",
    )
    key, source = w.draw("cookie key"), bytes.fromhex("c0000201")
    yield to_responder(
        "request-cookie-good-limited",
        forged.make(cookie=cookies.make(key, 3, w.NOW, source)),
        "HF_E_LIMITED",
        retry=["request"],
        limited=True,
    )


def x25519_enc() -> bytes:
    return forge.x25519_public(forge.EPHEMERAL)


def after_offer() -> Iterator[Json]:
    """A request after an offer."""

    def one(
        name: str, error: str, first: bytes = hello(), **changes: Any
    ) -> Json:
        target = Target("responder", w.responder(), name)
        sent = target.feed(first)
        if changes.pop("forget", False):
            made = Request()
        else:
            made = Request(w.ECHO, first, sent)
        target.feed(made.make(**changes))
        return target.vector(name, error)

    yield one("offered-prekey-enc-null", "HF_E_SHAPE", prekey_enc=None)
    yield one("offered-prekey-enc-32", "HF_E_SHAPE", prekey_enc=bytes(32))
    yield one("offered-other-suite", "HF_E_SUITE", suite=2)
    yield one(
        "offered-other-suite-2", "HF_E_SUITE", hello(suites=[2]), suite=1
    )
    yield one("offered-other-target", "HF_E_SHAPE", target="other")
    yield one("offered-no-target", "HF_E_SHAPE", hello(target="t"))
    yield one("offered-key-id", "HF_E_UNKNOWN_KEY", key_id=bytes(16))
    yield one("offered-without-psk", "HF_E_BOX", psk=False)
    yield one(
        "offered-transcript-empty", "HF_E_BOX", forget=True, prekey_enc=b""
    )
    yield one("offered-enc-small", "HF_E_PUBLIC_KEY", enc=bytes(32))
    yield one("offered-time", "HF_E_TIME", time=w.NOW + 121)
    name = "offered-transcript-older-hello"
    target = Target("responder", w.responder(retry=["hello"]), name)
    first = hello()
    cookie = target.feed(first)[4:]
    second = hello(cookie=cookie)
    sent = target.feed(second)
    target.feed(Request(w.ECHO, first, sent).make(cookie=cookie))
    yield target.vector(
        name, "HF_E_BOX", "th0 takes the hello that the offer answers"
    )


def files_of_vectors() -> Iterator[tuple[str, Iterator[Json]]]:
    yield "frame", framing()
    yield "end", ends()
    yield "state", states()
    yield "hello", hellos()
    yield "offer", offers()
    yield "retry", retries()
    yield "alert", alerts()
    yield "request-head", request_heads()
    yield "request-offered", after_offer()
