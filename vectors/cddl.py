# SPDX-License-Identifier: ISC
"""CDDL: as much of RFC 8610 as the files beside the specification use."""

from __future__ import annotations

import io
import re
from typing import Any, Callable, Iterator

import cbor2

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
