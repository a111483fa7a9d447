#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""check_cddl.py: spec/handfast.cddl against the vectors. Every message,
plaintext, object and file of the good ones is what its rule says; of the bad
objects those that are well encoded are none, but for what CDDL cannot say.
It reads as much of RFC 8610 as that file uses."""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import re
import sys
from typing import Any, Callable, Iterator

import cbor2

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = re.compile(
    r"""\s+|;[^\n]*|(?P<hex>h'[0-9a-f]*')|(?P<bytes>'[^']*')
    |(?P<text>"[^"]*")|(?P<number>-?\d+)|(?P<dots>\.\.)
    |(?P<control>\.[a-z]+)|(?P<name>[a-z][a-z0-9-]*)
    |(?P<mark>=>|[][{}()<>=/,:?*&])""",
    re.VERBOSE,
)
PRELUDE: dict[str, Callable[[Any], bool]] = {
    "uint": lambda v: is_int(v) and v >= 0,
    "nint": lambda v: is_int(v) and v < 0,
    "int": lambda v: is_int(v),
    "bytes": lambda v: isinstance(v, bytes),
    "text": lambda v: isinstance(v, str),
    "bool": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}
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


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


class Grammar:
    """The rules of a file. A type is a test of a value; a group is a list of
    entries (least, most, key or None, cut, type)."""

    def __init__(self, text: str) -> None:
        self.tokens = list(self.scan(text))
        self.rules: dict[str, tuple[list[str], Any]] = {}
        self.used: set[str] = set()
        while self.tokens:
            name = self.take()
            names = self.arguments(self.take) if self.at("<") else []
            self.take("=")
            self.rules[name] = (names, self.type())

    @staticmethod
    def scan(text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise ValueError(f"no CDDL: {text[at:at + 20]!r}")
            at = found.end()
            if found.lastgroup:
                yield found.lastgroup, found.group()

    def at(self, *words: str) -> bool:
        return bool(self.tokens) and self.tokens[0][1] in words

    def take(self, word: str | None = None) -> str:
        found = self.tokens.pop(0)[1]
        if word not in (None, found):
            raise ValueError(f"{word} expected, not {found}")
        return found

    def arguments(self, read: Callable[[], Any]) -> list[Any]:
        self.take("<")
        found = [read()]
        while self.at(","):
            self.take()
            found.append(read())
        self.take(">")
        return found

    # Types: tuples that say how they are matched.

    def type(self) -> Any:
        choices = [self.type1()]
        while self.at("/"):
            self.take()
            choices.append(self.type1())
        return ("choice", choices) if len(choices) > 1 else choices[0]

    def type1(self) -> Any:
        first = self.type2()
        kind = self.tokens[0][0] if self.tokens else ""
        if kind == "dots":
            self.take()
            return ("range", first[1], self.type2()[1])
        if kind == "control":
            return ("control", self.take(), first, self.type2())
        return first

    def type2(self) -> Any:
        kind, word = self.tokens.pop(0)
        if kind == "number":
            return ("value", int(word))
        if kind == "text":
            return ("value", word[1:-1])
        if kind == "hex":
            return ("value", bytes.fromhex(word[2:-1]))
        if kind == "bytes":
            return ("value", word[1:-1].encode())
        if kind == "name":
            more = self.arguments(self.type1) if self.at("<") else []
            return ("name", word, more)
        if word == "(":
            inner = self.type()
            self.take(")")
            return inner
        if word == "&":
            self.take("(")
            entries = self.group(")")
            return ("choice", [entry[4] for entry in entries])
        if word in "[{":
            end = "]" if word == "[" else "}"
            return ("array" if word == "[" else "map", self.group(end))
        raise ValueError(f"no type: {word}")

    def group(self, end: str) -> list[Any]:
        entries = []
        while not self.at(end):
            least, most = self.occurrence()
            key, cut = None, False
            value = self.type1()
            if self.at("=>"):
                self.take()
                key, value = value, self.type()
            elif self.at(":"):
                self.take()
                key, cut = ("value", value[1]), True
                value = self.type()
            elif self.at("/"):
                choices = [value]
                while self.at("/"):
                    self.take()
                    choices.append(self.type1())
                value = ("choice", choices)
            entries.append((least, most, key, cut, value))
            if not self.at(end):
                self.take(",")
        self.take(end)
        return entries

    def occurrence(self) -> tuple[int, float]:
        if self.at("?"):
            self.take()
            return 0, 1
        starred = [word for _, word in self.tokens[:2]]
        if starred[0] != "*" and starred[1:] != ["*"]:
            return 1, 1
        least = int(self.take()) if starred[0] != "*" else 0
        self.take("*")
        most: float = float("inf")
        if self.tokens[0][0] == "number":
            most = int(self.take())
        return least, most

    # Matching

    def matches(self, name: str, value: Any) -> bool:
        return self.fits(("name", name, []), value, {})

    def fits(self, type_: Any, value: Any, scope: dict[str, Any]) -> bool:
        kind = type_[0]
        if kind == "value":
            return same(type_[1], value)
        if kind == "range":
            return is_int(value) and type_[1] <= value <= type_[2]
        if kind == "choice":
            return any(self.fits(one, value, scope) for one in type_[1])
        if kind == "control":
            return self.controlled(type_, value, scope)
        if kind == "array":
            return isinstance(value, list) and self.fits_array(
                type_[1], value, scope
            )
        if kind == "map":
            return isinstance(value, dict) and self.fits_map(
                type_[1], value, scope
            )
        _, name, given = type_
        if name in scope:
            inner, outer = scope[name]
            return self.fits(inner, value, outer)
        if name in PRELUDE:
            return PRELUDE[name](value)
        self.used.add(name)
        names, rule = self.rules[name]
        return self.fits(
            rule, value, {n: (g, scope) for n, g in zip(names, given)}
        )

    def controlled(self, type_: Any, value: Any, scope: Any) -> bool:
        _, control, target, argument = type_
        if not self.fits(target, value, scope):
            return False
        if control == ".cbor":
            try:
                return self.fits(argument, decode(value), scope)
            except ValueError:
                return False
        if control == ".ne":
            return not self.fits(argument, value, scope)
        if control == ".regexp":
            return bool(re.fullmatch(argument[1], value))
        assert control == ".size"
        raw = value.encode() if isinstance(value, str) else value
        if argument[0] == "value":
            return len(raw) == argument[1]
        return self.fits(argument, len(raw), scope)

    def fits_array(self, entries: Any, value: Any, scope: Any) -> bool:
        rest = list(value)
        for least, most, _, _, type_ in entries:
            count = 0
            while rest and count < most and self.fits(type_, rest[0], scope):
                rest.pop(0)
                count += 1
            if count < least:
                return False
        return not rest

    def fits_map(self, entries: Any, value: Any, scope: Any) -> bool:
        counts = [0] * len(entries)
        for key, inner in value.items():
            for i, (_, _, wanted, cut, type_) in enumerate(entries):
                if self.fits(wanted, key, scope):
                    if self.fits(type_, inner, scope):
                        counts[i] += 1
                        break
                    if cut:
                        return False
            else:
                return False
        return all(
            least <= count <= most
            for count, (least, most, *_) in zip(counts, entries)
        )


def decode(raw: bytes) -> Any:
    """One item, of the types that handfast uses."""
    stream = io.BytesIO(raw)
    try:
        value = cbor2.CBORDecoder(stream, tag_hook=refuse).decode()
    except cbor2.CBORDecodeError as fault:
        raise ValueError(str(fault)) from None
    if stream.tell() != len(raw):
        raise ValueError("bytes left over")
    return value


def refuse(*_: Any) -> Any:
    raise ValueError("a tag")


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
        whole = bytes.fromhex(raw)
        stream = io.BytesIO(whole)
        while stream.tell() < len(whole):
            at = stream.tell()
            cbor2.CBORDecoder(stream).decode()
            yield whole[at : stream.tell()].hex()


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


def passes(grammar: Grammar, v: dict[str, Any]) -> bool | None:
    """Whether a bad vector is what its rule says; None: no CBOR at all."""
    found = bad(v)
    if found is None:
        return None
    try:
        value = decode(bytes.fromhex(found[1]))
    except (ValueError, TypeError):
        return None
    return grammar.matches(found[0], value)


def alerts(v: dict[str, Any]) -> Iterator[bytes]:
    """That a side under test sent alone, in clear."""
    for step in v["steps"] if v["kind"] == "session" else ():
        if step["out"].startswith("8208"):
            yield bytes.fromhex(step["out"])


def vectors(folder: str) -> Iterator[dict[str, Any]]:
    for path in sorted(HERE.glob(f"{folder}/*.json")):
        yield from json.loads(path.read_text())["vectors"]


def main() -> int:
    text = (HERE.parent / "spec" / "handfast.cddl").read_text()
    grammar = Grammar(text)
    faults: list[str] = []
    count = none = 0
    for v in vectors("ok"):
        for rule, raw in good(v):
            count += 1
            if not grammar.matches(rule, decode(bytes.fromhex(raw))):
                faults.append(f"{v['id']}: not {rule}: {raw}")
    accepted = set()
    for v in vectors("bad"):
        found = passes(grammar, v)
        none += found is False
        if found:
            accepted.add(v["id"])
        for raw in alerts(v):
            count += 1
            if not grammar.matches("alert", decode(raw)):
                faults.append(f"{v['id']}: no alert: {raw.hex()}")
    faults += (f"{name}: is what its rule says" for name in accepted - BEYOND)
    faults += (f"{name}: is refused" for name in BEYOND - accepted)
    # Key grants have unit tests, and no vectors yet.
    unused = grammar.rules.keys() - grammar.used - {
        "record-plaintext",
        "key-grant",
    }
    faults += (f"{name}: no vector has it" for name in unused)
    for fault in sorted(faults):
        print(fault, file=sys.stderr)
    print(f"{count} good items, {none} bad ones, {len(faults)} faults")
    return 1 if faults or not count or not none else 0


if __name__ == "__main__":
    sys.exit(main())
