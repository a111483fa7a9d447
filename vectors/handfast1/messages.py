# SPDX-License-Identifier: ISC
"""Framing (spec 2.3), and each message's build and parse (spec 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from . import cbor, cose
from .errors import HandfastError, need
from .passwords import USER

HELLO, OFFER, RETRY, REQUEST, GRANT, CONFIRM, RESUME, RESUMED = range(8)
ALERT, QUERY, RECORD = 8, 9, 16
DISPATCHED, CHANNELS = 1, 2  # extensions (4.1)
NAMES = {
    HELLO: "hello",
    OFFER: "offer",
    RETRY: "retry",
    REQUEST: "request",
    GRANT: "grant",
    CONFIRM: "confirm",
    RESUME: "resume",
    RESUMED: "resumed",
    ALERT: "alert",
    QUERY: "query",
    RECORD: "record",
}
ITEMS = {
    HELLO: 6,
    OFFER: 6,
    RETRY: 2,
    REQUEST: 10,
    GRANT: 6,
    CONFIRM: 2,
    RESUME: 11,
    RESUMED: 5,
    ALERT: 2,
    QUERY: 2,
    RECORD: 2,
}
MESSAGE_MAX = 16384
RECORD_MAX = 65544  # and the tag
KEM_SIZE = 32  # suites 1 to 3
CERTIFICATE, PASSWORD, PLAIN, TICKET = 1, 2, 3, 4
Extensions = dict[int, bytes]


# Framing --------------------------------------------------------------------


def frame(
    data: bytes, legal: Sequence[int], tag: int
) -> tuple[int, cbor.Reader] | None:
    """Section 2.3, steps 1 to 6, on what has arrived: the type and a reader
    that stands after type and version, or None while bytes are wanted."""
    if not data:
        return None
    need(0x82 <= data[0] <= 0x8B, "HF_E_SHAPE", "first byte")
    if len(data) < 2:
        return None
    kind = data[1]
    need(kind <= 23, "HF_E_SHAPE", "second byte")
    need(kind in legal, "HF_E_UNEXPECTED", f"type {kind}")
    limit = RECORD_MAX + tag if kind == RECORD else MESSAGE_MAX
    try:
        size = cbor.scan(data, limit)
    except cbor.Incomplete:
        return None
    reader = cbor.Reader(data[:size])
    count = reader.array(2, 11)
    reader.uint()
    if kind in (HELLO, OFFER, REQUEST, GRANT, RESUME):
        need(reader.uint() == 1, "HF_E_VERSION")
    need(count == ITEMS[kind], "HF_E_SHAPE", "number of items")
    return kind, reader


def begins(data: bytes) -> int:
    """The type of the message that begins here; -1 when none does, or it is
    not yet known."""
    return data[1] if len(data) > 1 and 0x82 <= data[0] <= 0x8B else -1


def read_extensions(reader: cbor.Reader) -> Extensions:
    """Section 4.1."""
    found: Extensions = {}

    def entry(key: int) -> None:
        found[key] = reader.string(0, 256)
        need(key >= 0, "HF_E_EXTENSION", str(key))

    reader.keys(reader.map(0, 16), entry)
    return found


def grease(draw: bytes) -> Extensions:
    """An entry from a draw of 11 bytes ("Randomness in the vectors")."""
    key = 65536 + 256 * draw[0] + draw[1]
    return {key: draw[3 : 4 + (draw[2] & 7)]}


def _cookie(reader: cbor.Reader) -> bytes | None:
    return None if reader.is_null() else reader.string(1, 64)


def read_chain(reader: cbor.Reader) -> tuple[bytes, ...]:
    return tuple(reader.string(1, 2048) for _ in range(reader.array(1, 4)))


# hello, offer, retry --------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    suites: tuple[int, ...]
    target: str
    cookie: bytes | None
    extensions: Extensions

    def encode(self) -> bytes:
        return cbor.encode(
            [
                HELLO,
                1,
                self.suites,
                self.target,
                self.cookie,
                self.extensions,
            ]
        )


def read_hello(reader: cbor.Reader) -> Hello:
    found = Hello(
        cose.suites(reader),
        reader.text(0, 255),
        _cookie(reader),
        read_extensions(reader),
    )
    reader.end()
    return found


@dataclass(frozen=True)
class Offer:
    suite: int
    chain: tuple[bytes, ...]
    prekey: bytes
    extensions: Extensions

    def encode(self) -> bytes:
        return cbor.encode(
            [OFFER, 1, self.suite, self.chain, self.prekey, self.extensions]
        )


def read_offer(reader: cbor.Reader, can: Sequence[int]) -> Offer:
    """Section 4.2, receiver's steps 1 to 3."""
    suite = reader.uint(0, 65535)
    chain = read_chain(reader)
    need(suite in can, "HF_E_SUITE", "of the offer")
    found = Offer(
        suite, chain, reader.string(KEM_SIZE), read_extensions(reader)
    )
    reader.end()
    return found


def encode_retry(cookie: bytes) -> bytes:
    return cbor.encode([RETRY, cookie])


def read_retry(reader: cbor.Reader) -> bytes:
    cookie = reader.string(1, 64)
    reader.end()
    return cookie


# request --------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    suite: int
    key_id: bytes
    target: str
    cookie: bytes | None
    enc: bytes
    prekey_enc: bytes | None
    extensions: Extensions
    box: bytes
    aad: bytes


def request_head(
    suite: int,
    key_id: bytes,
    target: str,
    cookie: bytes | None,
    enc: bytes,
    prekey_enc: bytes | None,
    extensions: Extensions,
) -> bytes:
    """The AAD of the request's box: all before the box's head."""
    whole = [REQUEST, 1, suite, key_id, target, cookie, enc, prekey_enc]
    return cbor.encode([*whole, extensions, 0])[:-1]


def read_request(
    reader: cbor.Reader, suites: Sequence[int], offered: bool
) -> Request:
    """Section 4.4, receiver's steps 1 to 4, but for the target. `suites`
    are those that may stand there."""
    suite = reader.uint(0, 65535)
    need(suite in suites, "HF_E_SUITE", "of the request")
    key_id = reader.string(16)
    target = reader.text(0, 255)
    cookie = _cookie(reader)
    enc = reader.string(KEM_SIZE)
    prekey_enc = None if reader.is_null() else reader.string(0)
    extensions = read_extensions(reader)
    aad = reader.data[: reader.pos]
    box = reader.string(144, MESSAGE_MAX)
    reader.end()
    need((prekey_enc is not None) == offered, "HF_E_SHAPE", "prekey_enc")
    return Request(
        suite, key_id, target, cookie, enc, prekey_enc, extensions, box, aad
    )


Token = list  # [kind, ...] as in section 4.4.1


def pad(transport_key: bytes, token: Token, time: int) -> bytes:
    """The request's plaintext with its padding (4.4)."""
    bare = cbor.encode([transport_key, token, time, None, b""])[:-1]
    for zeros in range(257):
        whole = bare + cbor.encode(bytes(zeros))
        if len(whole) % 128 == 0:
            return whole
    raise AssertionError("no padding reaches")


@dataclass(frozen=True)
class Plaintext:
    transport_key: bytes
    token: Token
    time: int


def read_plaintext(raw: bytes) -> Plaintext:
    """Section 4.4, receiver's steps 9 and 10."""
    reader = cbor.Reader(raw)
    reader.array(5)
    transport_key = reader.string(32)
    token = read_token(reader)
    time = reader.uint()
    reader.null()
    padding = reader.string(0, 256)
    reader.end()
    need(len(raw) % 128 == 0, "HF_E_SHAPE", "length of the plaintext")
    need(not any(padding), "HF_E_SHAPE", "padding")
    return Plaintext(transport_key, token, time)


def read_token(reader: cbor.Reader) -> Token:
    """Section 4.4.1."""
    count = reader.array(1, cbor.ANY)
    kind = reader.uint()
    need(kind in (CERTIFICATE, PASSWORD, PLAIN, TICKET), "HF_E_TOKEN", "kind")
    items = 2 if kind in (CERTIFICATE, TICKET) else 3
    need(count == items, "HF_E_SHAPE", "items of the token")
    if kind == CERTIFICATE:
        return [kind, list(read_chain(reader))]
    if kind == TICKET:
        return [kind, reader.string(1, 1024)]
    user = reader.text(1, 64)
    need(bool(USER.match(user)), "HF_E_SHAPE", "user name")
    if kind == PASSWORD:
        return [kind, user, reader.string(32)]
    return [kind, user, reader.text(1, 1024)]


# grant, confirm, alert, record ----------------------------------------------


@dataclass(frozen=True)
class Grant:
    enc: bytes
    cert_enc: bytes | None
    extensions: Extensions
    box: bytes
    aad: bytes


def grant_head(
    enc: bytes, cert_enc: bytes | None, extensions: Extensions
) -> bytes:
    return cbor.encode([GRANT, 1, enc, cert_enc, extensions, 0])[:-1]


def read_grant(reader: cbor.Reader) -> Grant:
    enc = reader.string(KEM_SIZE)
    cert_enc = None if reader.is_null() else reader.string(0)
    extensions = read_extensions(reader)
    aad = reader.data[: reader.pos]
    box = reader.string(16, 80)
    reader.end()
    return Grant(enc, cert_enc, extensions, box, aad)


@dataclass(frozen=True)
class Granted:
    """The grant's plaintext."""

    session_key: bytes
    session_id: bytes
    lifetime: int
    mobility: int

    def encode(self) -> bytes:
        return cbor.encode(
            [self.session_key, self.session_id, self.lifetime, self.mobility]
        )


def read_granted(raw: bytes) -> Granted:
    reader = cbor.Reader(raw)
    reader.array(4)
    found = Granted(
        reader.string(32),
        reader.string(16),
        reader.uint(1, (1 << 32) - 1),
        reader.uint(0, 2),
    )
    reader.end()
    return found


# resume ---------------------------------------------------------------------


@dataclass(frozen=True)
class Resume:
    session_id: bytes
    epoch: int
    serial: int
    target: str
    nonce: bytes
    cookie: bytes | None
    reply_key: bytes | None
    extensions: Extensions
    box: bytes
    aad: bytes


def read_resume(reader: cbor.Reader) -> Resume:
    """Section 17.2, receiver's step 1."""
    session_id = reader.string(16)
    epoch = reader.uint(0, (1 << 32) - 1)
    serial = reader.uint(1, (1 << 32) - 1)
    target = reader.text(0, 255)
    nonce = reader.string(32)
    cookie = _cookie(reader)
    reply_key = None if reader.is_null() else reader.string(32, 2048)
    extensions = read_extensions(reader)
    aad = reader.data[: reader.pos]
    box = reader.string(16, 272)
    reader.end()
    return Resume(
        session_id,
        epoch,
        serial,
        target,
        nonce,
        cookie,
        reply_key,
        extensions,
        box,
        aad,
    )


CONFIRM_AAD = b"\x82\x05"
RECORD_AAD = b"\x82\x10"


def read_confirm(reader: cbor.Reader) -> bytes:
    box = reader.string(16)
    reader.end()
    return box


def encode_alert(code: int) -> bytes:
    return cbor.encode([ALERT, code])


def alert_error(
    code: int, resuming: bool = False, clear: bool = False
) -> HandfastError:
    """Section 4.7, receiver; `resuming`: in answer to a resume; `clear`: in
    clear, to an initiator."""
    names = {1: "HF_E_REFUSED", 2: "HF_E_STORE", 3: "HF_E_UNKNOWN_KEY"}
    if resuming:
        names[4] = "HF_E_NO_SESSION"
    if clear:
        names[5] = "HF_E_TARGET"
    return HandfastError(names.get(code, "HF_E_SHAPE"), f"alert {code}")


def read_alert(
    reader: cbor.Reader, resuming: bool = False, clear: bool = False
) -> HandfastError:
    code = reader.uint()
    reader.end()
    return alert_error(code, resuming, clear)


def read_query(reader: cbor.Reader) -> None:
    read_extensions(reader)
    reader.end()


def read_record(reader: cbor.Reader, tag: int) -> bytes:
    found = reader.string(1 + tag, 65537 + tag)
    reader.end()
    return found
