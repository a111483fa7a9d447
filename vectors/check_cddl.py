#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""check_cddl.py: spec/handfast.cddl and spec/agent.cddl against the vectors.
Every message, plaintext, object, file and frame of the good ones is what its
rule says; of the bad ones those that are well encoded are none, but for what
CDDL cannot say."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import pathlib
import sys
from typing import Any, Callable, Iterator

import cbor2

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from cddl import Grammar, decode  # noqa: E402

# Bad ones that are what their rules say: what CDDL cannot say. Controls in
# text, relations between fields, the sizes of a suite, an order, a head.
BEYOND = {
    *(
        f"{where}-{what}"
        for where in ("certificate-read-sub", "hello-target")
        for what in ("control", "newline", "nul", "delete", "c1", "last-c1")
    ),
    "request-target-control",
    "certificate-read-exp-is-nbf",
    "certificate-read-exp-before-nbf",
    "certificate-read-key-ed25519",
    "certificate-read-suites-none",
    "certificate-read-usage-ca-with-x25519",
    "certificate-read-usage-cluster-with-x25519",
    "certificate-read-path-length-of-end",
    "certificate-read-suffixes-of-end",
    "certificate-read-realms-of-end",
    "certificate-read-cluster-path-length",
    "certificate-read-2049",
    "ticket-file-exp-is-iat",
    "ticket-file-exp-above-limit",
    "ring-long-head",
    "list-add-bad-unsorted",
    "list-add-bad-twice",
    "offer-prekey-33",
    "request-enc-33",
    "request-prekey-enc-no-offer",
    "request-prekey-enc-32",
    *(f"entry-open-bad-{name}-7" for name in ("cluster", "scope", "owner")),
    *(f"entry-open-bad-{n}-6" for n in ("version", "generation")),
    "entry-open-bad-epoch-5",
    "rest-open-bad-version-6",
    "rest-open-bad-peer-7",
    "alert-code-4",
    "channel-bad-label-control",
    "channel-bad-credit-sum",
    "resume-target-5",
    "resumed-chain-proved-0",
    "resumed-enc-proved-0",
    "resumed-enc-proved-2",
}
# The same of frames of the agent's protocol: their order.
BEYOND_AGENT = {
    f"agent-frames-order-{side}-{after}-then-{number}"
    for side, after, numbers in (
        ("application", "nothing", (1, 2, 3)),
        ("application", "open", (0, 4, 5)),
        ("application", "data", (0, 4, 5)),
        ("application", "end", (0, 1, 2, 4, 5)),
        ("agent", "nothing", (1, 2)),
        ("agent", "info", (17, 18)),
        ("agent", "data", (17, 18)),
        ("agent", "end", (1, 2, 17, 18)),
        ("agent", "info-end", (1, 2)),
        ("agent", "peer", (1, 2, 16)),
    )
    for number in numbers
}


def H(*items: bytes) -> str:
    return hashlib.blake2b(cbor2.dumps(items), digest_size=32).hexdigest()


# Rules of what vectors give: kind, member, rule.
GIVEN = (
    ("exporter", "info", "exporter-info"),
    ("password", "salt_input", "password-salt-input"),
    ("request", "bytes", "certificate-request"),
    ("request", "payload", "request-claims"),
    ("request", "signed", "request-signed"),
    ("certificate", "bytes", "certificate"),
    ("certificate", "payload", "certificate-claims"),
    ("certificate", "signed", "certificate-signed"),
    ("certificate-read", "bytes", "certificate"),
    ("list", "bytes", "revocation-list"),
    ("list", "payload", "list-claims"),
    ("list", "signed", "list-signed"),
    ("list-add", "bytes", "revocation-list"),
    ("ticket", "claims", "ticket-claims"),
    ("ticket", "aad", "ticket-aad"),
    ("ticket", "ticket", "ticket"),
    ("ticket", "file", "ticket-file"),
    ("ticket-file-read", "file", "ticket-file"),
    ("ticket-accept", "ticket", "ticket"),
    ("identity", "file", "identity-file"),
    ("identity-encrypted", "file", "encrypted-identity-file"),
    ("ring-read", "file", "ring-file"),
    ("entry", "bytes", "entry"),
    ("entry", "aad", "entry-aad"),
    ("entry", "plaintext", "state"),
    ("entry-open", "bytes", "entry"),
    ("rest", "bytes", "rest"),
    ("rest", "aad", "rest-aad"),
    ("rest", "plaintext", "rest-state"),
    ("rest-open", "bytes", "rest"),
    ("key-grant", "payload", "key-grant"),
)


def good(v: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Rules, and the bytes of a good vector that they are about, in hex."""
    if v["kind"] == "handshake":
        yield from handshake(v)
    if v["kind"] == "takeover":
        for connection in v["connections"]:
            yield from connected(connection)
        for connection in v["connections"]:
            yield from (("entry", raw) for raw in connection["entries"])
    for kind, name, rule in GIVEN:
        if v["kind"] == kind:
            yield rule, v[name]
    if v["kind"] == "channel":
        for raw in frames(v):
            yield "frame", raw
    if v["kind"] == "chain":
        yield from (("certificate", raw) for raw in v["chain"])
        yield from (("revocation-list", raw) for raw in v["lists"])


def frames(v: dict[str, Any]) -> Iterator[str]:
    """Those that arrive and those that are sent."""
    fed = [step["bytes"] for step in v["steps"] if step["do"] == "feed"]
    for raw in [*fed, *(r["out"] for r in v["results"] if "out" in r)]:
        yield from (item.hex() for item in items(bytes.fromhex(raw)))


def items(whole: bytes) -> Iterator[bytes]:
    """One after the other."""
    stream = io.BytesIO(whole)
    while stream.tell() < len(whole):
        at = stream.tell()
        cbor2.CBORDecoder(stream).decode()
        yield whole[at : stream.tell()]


def good_agent(v: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The same of spec/agent.cddl."""
    if v["kind"] == "agent-frames":
        whole = bytes.fromhex(v["bytes"])
        for raw in items(whole[: len(whole) - v["left"]]):
            yield f"{v['side']}-frame", raw.hex()


def connected(c: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for message in c["messages"]:
        yield message["type"], message["bytes"]
        yield "message", message["bytes"]
    for name in ("resume", "resumed"):
        if c[name]:
            yield f"{name}-plaintext", c[name]["plaintext"]
    for record in c["received_by_initiator"]:
        if record["type"] in (3, 8):
            rule = "ack" if record["type"] == 3 else "refresh"
            yield rule, record["data"]
    if "refresh" in c:
        head = bytes.fromhex(c["refresh"]["head"])
        if H(head) != c["refresh"]["th5"]:
            raise SystemExit("th5")
        yield "th5-input", cbor2.dumps([head]).hex()


def handshake(v: dict[str, Any]) -> Iterator[tuple[str, str]]:
    latest = {"hello": "", "offer": ""}
    for message in v["messages"]:
        yield message["type"], message["bytes"]
        yield "message", message["bytes"]
        latest[message["type"]] = message["bytes"]
    for request in v["requests"]:
        yield "request-plaintext", request["plaintext"]
    yield "grant-plaintext", v["grant"]["plaintext"]
    if not latest["offer"]:
        latest["hello"] = ""
    leaf = v["responder"]["chain"][0]
    last = v["requests"][-1]
    inputs = (
        ("th0", (latest["hello"], latest["offer"], leaf), last["th0"]),
        ("th1", (last["th0"], latest["request"]), last["th1"]),
        ("th2", (last["th1"], latest["grant"]), v["grant"]["th2"]),
    )
    for name, parts, result in inputs:
        raw = [bytes.fromhex(part) for part in parts]
        if H(*raw) != result:
            raise SystemExit(f"{v['id']}: {name}")
        yield f"{name}-input", cbor2.dumps(raw).hex()


BAD = {
    "certificate-read": ("certificate", "bytes"),
    "request-read": ("certificate-request", "bytes"),
    "list-add": ("revocation-list", "bytes"),
    "ticket-file-read": ("ticket-file", "file"),
    "ring-read": ("ring-file", "file"),
    "entry-open": ("entry", "bytes"),
    "rest-open": ("rest", "bytes"),
}
CLEAR = (
    *("hello-", "offer-", "retry-", "request-", "alert-code-", "items-"),
    *("resume-session_id", "resume-epoch", "resume-serial", "resume-target"),
    *("resume-nonce", "resume-cookie", "resume-reply_key", "resume-version"),
    *("resume-extension", "resume-box-", "resume-ten-items"),
    *("resumed-nonce-", "resumed-box-", "resumed-four", "resumed-six"),
    *("resumed-enc-proved-", "resumed-chain-proved-"),
)


def bad(v: dict[str, Any]) -> tuple[str, str] | None:
    """The rule, and the bytes in hex, that a bad vector breaks by its shape,
    in clear."""
    if v["error"] == "HF_E_OBJECT" and v["kind"] in BAD:
        rule, name = BAD[v["kind"]]
        return rule, v[name]
    if v["id"].startswith(("entry-open-bad-", "rest-open-bad-")):
        return BAD[v["kind"]][0], v["bytes"]
    if v["kind"] == "channel" and v["error"] == "HF_E_SHAPE":
        return "frame", v["steps"][-1]["bytes"]
    if v["error"] in ("HF_E_SHAPE", "HF_E_EXTENSION", "HF_E_VERSION"):
        if v["id"].startswith(CLEAR) and "bytes" in v["steps"][-1]:
            return "message", v["steps"][-1]["bytes"]
    return None


def bad_agent(v: dict[str, Any]) -> tuple[str, str] | None:
    """The same of spec/agent.cddl: the frame that has the fault."""
    if v["kind"] != "agent-frames" or v["error"] == "HF_E_CBOR":
        return None
    end = 0
    try:
        for raw in items(bytes.fromhex(v["bytes"])):
            end += len(raw)
            if end >= v["at"]:
                return f"{v['side']}-frame", raw.hex()
    except (cbor2.CBORDecodeError, ValueError):
        pass
    return None


def passes(grammar: Grammar, found: tuple[str, str] | None) -> bool | None:
    """Whether a bad vector is what its rule says; None: no CBOR at all."""
    if found is None:
        return None
    try:
        value = decode(bytes.fromhex(found[1]))
    except (ValueError, TypeError):
        return None
    return grammar.matches(found[0], value)


def alerts(v: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """That a side under test sent alone, in clear."""
    for step in v["steps"] if v["kind"] == "session" else ():
        if step["out"].startswith("8208"):
            yield "alert", step["out"]


def vectors(folder: str) -> Iterator[dict[str, Any]]:
    for path in sorted(HERE.glob(f"{folder}/*.json")):
        yield from json.loads(path.read_text())["vectors"]


@dataclasses.dataclass
class File:
    """One of CDDL, and what the vectors have of it: rules with their bytes in
    good ones, and also in bad ones; the rule that a bad one breaks; those that
    break what it cannot say; rules that have no vectors."""

    name: str
    good: Callable[[dict[str, Any]], Iterator[tuple[str, str]]]
    also: Callable[[dict[str, Any]], Iterator[tuple[str, str]]]
    bad: Callable[[dict[str, Any]], tuple[str, str] | None]
    beyond: set[str]
    without: set[str]


FILES = (
    # Key grants have unit tests, and no vectors yet.
    File(
        "handfast.cddl",
        good,
        alerts,
        bad,
        BEYOND,
        {"record-plaintext", "key-grant"},
    ),
    File(
        "agent.cddl",
        good_agent,
        lambda v: iter(()),
        bad_agent,
        BEYOND_AGENT,
        set(),
    ),
)


def judge(file: File) -> bool:
    grammar = Grammar((HERE.parent / "spec" / file.name).read_text())
    faults: list[str] = []
    count = none = 0
    accepted = set()
    for folder, found in (("ok", file.good), ("bad", file.also)):
        for v in vectors(folder):
            for rule, raw in found(v):
                count += 1
                if not grammar.matches(rule, decode(bytes.fromhex(raw))):
                    faults.append(f"{v['id']}: not {rule}: {raw}")
    for v in vectors("bad"):
        verdict = passes(grammar, file.bad(v))
        none += verdict is False
        if verdict:
            accepted.add(v["id"])
    beyond = file.beyond
    faults += (f"{name}: is what its rule says" for name in accepted - beyond)
    faults += (f"{name}: is refused" for name in beyond - accepted)
    unused = grammar.rules.keys() - grammar.used - file.without
    faults += (f"{name}: no vector has it" for name in unused)
    for fault in sorted(faults):
        print(f"{file.name}: {fault}", file=sys.stderr)
    print(
        f"{file.name}: {count} good items, {none} bad ones, "
        f"{len(faults)} faults"
    )
    return not faults and count > 0 and none > 0


def main() -> int:
    return 0 if all([judge(file) for file in FILES]) else 1


if __name__ == "__main__":
    sys.exit(main())
