# SPDX-License-Identifier: ISC
"""Deterministic CBOR and its strict reading (spec section 2.2), and the
scan of a message that is still arriving (section 2.3, steps 1 to 4)."""

from __future__ import annotations

from typing import Any, Callable

from .errors import HandfastError, need

UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
DEPTH = 8
ANY = (1 << 64) - 1  # of a size or count: no limit of its own
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


class Incomplete(Exception):
    """The bytes end before the item does."""


# Writing --------------------------------------------------------------------


def encode_head(major: int, value: int) -> bytes:
    """The shortest head (RFC 8949, section 4.2.1)."""
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << (8 * size):
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError("too large for CBOR")


def encode(item: Any) -> bytes:
    """int, bytes, str, list, dict, bool and None, deterministically."""
    if item is None:
        return b"\xf6"
    if isinstance(item, bool):
        return b"\xf5" if item else b"\xf4"
    if isinstance(item, int):
        if item < 0:
            return encode_head(NINT, -1 - item)
        return encode_head(UINT, item)
    if isinstance(item, bytes):
        return encode_head(BYTES, len(item)) + item
    if isinstance(item, str):
        text = item.encode()
        return encode_head(TEXT, len(text)) + text
    if isinstance(item, (list, tuple)):
        return encode_head(ARRAY, len(item)) + b"".join(map(encode, item))
    if isinstance(item, dict):
        pairs = sorted((encode(k), encode(v)) for k, v in item.items())
        return encode_head(MAP, len(pairs)) + b"".join(k + v for k, v in pairs)
    raise TypeError(type(item))


# Reading --------------------------------------------------------------------


def read_head(data: bytes, pos: int) -> tuple[int, int, int]:
    """(major type, argument, position after the head). HF_E_CBOR for what
    section 2.2 never allows; Incomplete when the head does not end."""
    if pos >= len(data):
        raise Incomplete
    major, info = data[pos] >> 5, data[pos] & 31
    pos += 1
    need(major != TAG, "HF_E_CBOR", "a tag")
    if major == SIMPLE:
        need(info in (20, 21, 22), "HF_E_CBOR", "float or simple value")
        return major, info, pos
    if info < 24:
        return major, info, pos
    need(info < 28, "HF_E_CBOR", "indefinite or reserved length")
    size = 1 << (info - 24)
    if pos + size > len(data):
        raise Incomplete
    value = int.from_bytes(data[pos : pos + size], "big")
    least = 24 if size == 1 else 1 << (4 * size)
    need(value >= least, "HF_E_CBOR", "a long head")
    return major, value, pos + size


def text_is_good(raw: bytes) -> bool:
    """UTF-8 without control characters (section 2.2)."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in text)


class Reader:
    """A cursor over one whole item. `shape` is the error for a field of
    another type, size, count or range: HF_E_SHAPE, or HF_E_OBJECT in
    certificates, requests, lists and tickets (section 5.2)."""

    def __init__(self, data: bytes, shape: str = "HF_E_SHAPE") -> None:
        self.data = data
        self.pos = 0
        self.shape = shape

    def fail(self, why: str) -> HandfastError:
        return HandfastError(self.shape, why)

    def head(self) -> tuple[int, int]:
        try:
            major, value, self.pos = read_head(self.data, self.pos)
        except Incomplete:
            raise HandfastError("HF_E_CBOR", "ends in a head") from None
        if major in (BYTES, TEXT, ARRAY, MAP):
            size = 2 * value if major == MAP else value
            left = len(self.data) - self.pos
            need(size <= left, "HF_E_CBOR", "claims more than is left")
        return major, value

    def _take(self, size: int) -> bytes:
        raw = self.data[self.pos : self.pos + size]
        self.pos += size
        return raw

    def _count(self, major: int, low: int, high: int, what: str) -> int:
        found, value = self.head()
        if found != major or not low <= value <= high:
            raise self.fail(f"{what} of {low} to {high} expected")
        return value

    def array(self, low: int, high: int | None = None) -> int:
        return self._count(ARRAY, low, low if high is None else high, "array")

    def map(self, low: int, high: int | None = None) -> int:
        return self._count(MAP, low, low if high is None else high, "map")

    def uint(self, low: int = 0, high: int = ANY) -> int:
        return self._count(UINT, low, high, "unsigned integer")

    def integer(self, low: int = INT_MIN, high: int = INT_MAX) -> int:
        major, value = self.head()
        if major not in (UINT, NINT):
            raise self.fail("an integer expected")
        number = value if major == UINT else -1 - value
        if not low <= number <= high:
            raise self.fail(f"integer of {low} to {high} expected")
        return number

    def string(self, low: int, high: int | None = None) -> bytes:
        high = low if high is None else high
        return self._take(self._count(BYTES, low, high, "byte string"))

    def text(self, low: int, high: int) -> str:
        raw = self._take(self._count(TEXT, low, high, "text"))
        if not text_is_good(raw):
            raise self.fail("text that is no UTF-8 or has controls")
        return raw.decode()

    def is_null(self) -> bool:
        """Step over a null, if one is next."""
        if self.pos < len(self.data) and self.data[self.pos] == 0xF6:
            self.pos += 1
            return True
        return False

    def null(self) -> None:
        if not self.is_null():
            self.head()
            raise self.fail("null expected")

    def keys(self, count: int, entry: Callable[[int], None]) -> None:
        """The entries of a map with integer keys: the key is read, then
        entry(key) reads the value."""
        before = b""
        for _ in range(count):
            start = self.pos
            key = self.integer()
            raw = self.data[start : self.pos]
            need(raw > before, "HF_E_CBOR", "map keys do not rise")
            before = raw
            entry(key)

    def exact(self, *entries: tuple[int, Callable[[], Any]]) -> list[Any]:
        """A map of just these keys, each with the reader of its value."""
        self.map(len(entries))
        waiting = list(entries)
        found: list[Any] = []

        def entry(key: int) -> None:
            wanted, read = waiting.pop(0)
            if key != wanted:
                raise self.fail(f"key {wanted} expected")
            found.append(read())

        self.keys(len(entries), entry)
        return found

    def skip(self, depth: int = 0) -> None:
        """An item that is not known, strictly (HF_E_CBOR for any fault).
        `depth` arrays and maps are open around it."""
        major, value = self.head()
        if major == BYTES:
            self._take(value)
        elif major == TEXT:
            need(text_is_good(self._take(value)), "HF_E_CBOR", "text")
        elif major in (ARRAY, MAP):
            need(depth < DEPTH, "HF_E_CBOR", "nested too deeply")
            before = b""
            for _ in range(value):
                if major == MAP:
                    start = self.pos
                    self.skip(depth + 1)
                    raw = self.data[start : self.pos]
                    need(raw > before, "HF_E_CBOR", "map keys do not rise")
                    before = raw
                self.skip(depth + 1)

    def rest(self) -> bytes:
        """All that is left, unread."""
        return self._take(len(self.data) - self.pos)

    def end(self) -> None:
        need(self.pos == len(self.data), "HF_E_CBOR", "bytes left over")


def check(data: bytes) -> None:
    """One whole item of any kind, strictly: what section 2.2 says of an
    item that is skipped. HF_E_CBOR."""
    reader = Reader(data)
    reader.skip()
    reader.end()


def measure(data: bytes, pos: int = 0) -> tuple[int, int, int]:
    """How many items a good item holds with itself, how deep arrays and
    maps are nested in it, and where it ends."""
    major, value, pos = read_head(data, pos)
    if major in (BYTES, TEXT):
        return 1, 0, pos + value
    if major not in (ARRAY, MAP):
        return 1, 0, pos
    items, depth = 1, 0
    for _ in range(value * (2 if major == MAP else 1)):
        more, deep, pos = measure(data, pos)
        items, depth = items + more, max(depth, deep)
    return items, depth + 1, pos


# Messages as they arrive ----------------------------------------------------


def scan(data: bytes, limit: int) -> int:
    """The length of the message at the start of `data`, whose first two
    bytes were judged before (section 2.3, step 4). Incomplete when it has
    not all arrived; HF_E_CBOR, HF_E_TOO_BIG."""
    pos = 2
    left = [(data[0] & 31) - 1]
    while left:
        if left[-1] == 0:
            left.pop()
            continue
        left[-1] -= 1
        major, value, pos = read_head(data, pos)
        need(pos <= limit, "HF_E_TOO_BIG", "a head beyond the limit")
        if major in (BYTES, TEXT, ARRAY, MAP):
            need(value <= limit - pos, "HF_E_TOO_BIG", "claims too much")
        if major in (ARRAY, MAP):
            need(len(left) < DEPTH, "HF_E_CBOR", "nested too deeply")
        if major in (BYTES, TEXT):
            if value > len(data) - pos:
                raise Incomplete
            pos += value
        elif major == ARRAY:
            left.append(value)
        elif major == MAP:
            left.append(2 * value)
    return pos
