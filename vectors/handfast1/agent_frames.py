# SPDX-License-Identifier: ISC
"""The agent's own protocol: frames on its socket, judged as their bytes
arrive (spec section 21.3)."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any, Callable

from . import cbor
from .errors import HandfastError, need

SHAPE, TOO_BIG = "HF_E_SHAPE", "HF_E_TOO_BIG"
VERSION = 1
AGAIN = 80  # what a call says, and no end
ERROR_MAX, ITEMS_MAX, DATA_MAX = 95, 12, 16384
NAME_BYTES = (string.ascii_letters + string.digits + ".-_").encode()


class Arriving:
    """A cursor over a frame of which perhaps not all is there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def head(self, major: int) -> int:
        """First what its first byte shows, the encoding and then the type;
        the rest when it is whole."""
        if self.pos == len(self.data):
            raise cbor.Incomplete
        first = self.data[self.pos : self.pos + 1]
        try:
            cbor.read_head(first, 0)
        except cbor.Incomplete:
            pass
        need(first[0] >> 5 == major, SHAPE, "another type")
        _, value, self.pos = cbor.read_head(self.data, self.pos)
        return value

    def number(self, low: int, high: int) -> int:
        value = self.head(cbor.UINT)
        need(low <= value <= high, SHAPE, f"{low} to {high} expected")
        return value

    def take(self, size: int) -> bytes:
        """So many bytes, or those that are there."""
        found = self.data[self.pos : self.pos + size]
        self.pos += len(found)
        return found

    def string(self, low: int, high: int) -> bytes:
        size = self.head(cbor.BYTES)
        need(size <= high, TOO_BIG, f"at most {high} bytes")
        need(size >= low, SHAPE, f"at least {low} bytes")
        return self.whole(size, self.take(size))

    @staticmethod
    def whole(size: int, found: bytes) -> bytes:
        if len(found) < size:
            raise cbor.Incomplete
        return found

    def name(self) -> str:
        size = self.head(cbor.TEXT)
        need(size <= 64, TOO_BIG, "a long name")
        need(size >= 1, SHAPE, "an empty name")
        found = self.take(size)
        need(all(byte in NAME_BYTES for byte in found), SHAPE, "a name")
        return self.whole(size, found).decode()


Field = Callable[[Arriving], Any]


def version(a: Arriving) -> int:
    value = a.head(cbor.UINT)
    need(value == VERSION, "HF_E_VERSION", "another version")
    return value


def number(low: int, high: int) -> Field:
    return lambda a: a.number(low, high)


def error(low: int) -> Field:
    def read(a: Arriving) -> int:
        value = a.number(low, ERROR_MAX)
        need(value != AGAIN, SHAPE, "no end")
        return value

    return read


def string_of(low: int, high: int) -> Field:
    return lambda a: a.string(low, high)


def id_or_none(a: Arriving) -> bytes:
    size = a.head(cbor.BYTES)
    need(size <= 16, TOO_BIG, "a long id")
    need(size in (0, 16), SHAPE, "a short id")
    return a.whole(size, a.take(size))


count = number(0, cbor.ANY)
name = Arriving.name

# Number, and fields in their order.
FRAMES: dict[str, tuple[int, dict[str, Field]]] = {
    "open": (0, {"version": version, "peer": name}),
    "data": (1, {"data": string_of(1, DATA_MAX)}),
    "end": (2, {}),
    "over": (3, {"error": error(1), "reason": number(0, 255)}),
    "status": (4, {"version": version}),
    "close": (5, {"version": version, "peer": name}),
    "info": (
        16,
        {
            "session_id": string_of(16, 16),
            "suite": number(0, 65535),
            "epoch": count,
            "strength": number(0, 2),
            "responder": string_of(0, 255),
            "broken": number(0, 1),
        },
    ),
    "peer": (
        17,
        {
            "name": name,
            "state": number(0, 3),
            "session_id": id_or_none,
            "epoch": count,
            "channels": count,
            "opened": count,
            "handshakes": count,
            "resumes": count,
            "received": count,
            "sent": count,
            "error": error(0),
        },
    ),
    "done": (18, {"error": error(0)}),
}
NAMES = {number: name for name, (number, _) in FRAMES.items()}
LAST = ("over", "status", "close", "done")


@dataclass
class Frame:
    name: str
    fields: dict[str, Any]

    def encode(self) -> bytes:
        return cbor.encode([FRAMES[self.name][0], *self.fields.values()])


def read(data: bytes, may: tuple[str, ...]) -> tuple[Frame, int]:
    """The frame at the start of data, one of those, and where it ends.
    Incomplete; HandfastError."""
    a = Arriving(data)
    items = a.head(cbor.ARRAY)
    need(1 <= items <= ITEMS_MAX, SHAPE, "items")
    kind = NAMES.get(a.head(cbor.UINT))
    need(kind in may, "HF_E_UNEXPECTED", "no place for it")
    assert kind is not None
    wanted = FRAMES[kind][1]
    frame = Frame(kind, {})
    if "version" in wanted and items > 1:
        frame.fields["version"] = version(a)
    need(items == 1 + len(wanted), SHAPE, "items of that type")
    for field, reader in wanted.items():
        if field not in frame.fields:
            frame.fields[field] = reader(a)
    return frame, a.pos


class Stream:
    """What one side says."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.said: list[Frame] = []
        self.part = b""

    def may(self) -> tuple[str, ...]:
        """What may come now, by number."""
        said = [frame.name for frame in self.said]
        if self.side == "application":
            if not said:
                return ("open", "status", "close")
            more: tuple[str, ...] = ("data", "end")
            late: tuple[str, ...] = ("over",)
        else:
            if not said:
                return ("over", "info", "peer", "done")
            if said[-1] == "peer":
                return ("over", "peer", "done")
            more, late = ("data", "end"), ("over", "info")
        if said[-1] in LAST:
            return ()
        return late if "end" in said else more + late

    def feed(self, byte: bytes) -> None:
        """One more byte; behind the last frame none is looked at."""
        self.part += byte
        may = self.may()
        if not may:
            return
        try:
            frame, end = read(self.part, may)
        except cbor.Incomplete:
            return
        assert end == len(self.part)
        self.said.append(frame)
        self.part = b""


def shown(side: str, data: bytes) -> int | None:
    """How many of the bytes show a fault; None where there is none."""
    stream = Stream(side)
    for at in range(len(data)):
        try:
            stream.feed(data[at : at + 1])
        except HandfastError:
            return at + 1
    return None
