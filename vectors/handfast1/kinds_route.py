# SPDX-License-Identifier: ISC
"""What a dispatcher reads of a stream's first message (spec section 17.9)."""

from __future__ import annotations

from . import cbor, cose, messages
from .crypto import H
from .errors import need
from .play import Json, unhex
from .registry import kind

KEM_MAX = 2048
FIRST = (messages.HELLO, messages.REQUEST, messages.RESUME)
KNOWN = (*range(10), messages.RECORD)


def cookie(reader: cbor.Reader) -> None:
    if not reader.is_null():
        reader.string(1, 64)


def string_or_null(reader: cbor.Reader) -> None:
    if not reader.is_null():
        reader.string(0, KEM_MAX)


@kind("route", "bytes")
def route(v: Json) -> Json:
    found = messages.frame(unhex(v["bytes"]), KNOWN, 32)
    need(found is not None, "HF_E_CBOR", "not whole")
    assert found is not None
    number, reader = found
    need(number in FIRST, "HF_E_UNEXPECTED", "not a first message")
    key_id = sid = None
    if number == messages.HELLO:
        cose.suites(reader)
        target = reader.text(0, 255)
        cookie(reader)
    elif number == messages.REQUEST:
        reader.uint(0, 65535)
        key_id = reader.string(16)
        target = reader.text(0, 255)
        cookie(reader)
        reader.string(0, KEM_MAX)
        string_or_null(reader)
    else:
        sid = reader.string(16)
        reader.uint(0, (1 << 32) - 1)
        reader.uint(0, (1 << 32) - 1)
        target = reader.text(0, 255)
        reader.string(32)
        cookie(reader)
        string_or_null(reader)
    extensions = messages.read_extensions(reader)
    if number != messages.HELLO:
        reader.string(0, messages.MESSAGE_MAX)
    reader.end()
    return {
        "type": messages.NAMES[number],
        "target": target,
        "key_id": key_id and key_id.hex(),
        "session_id": sid and sid.hex(),
        "dispatched": messages.DISPATCHED in extensions,
        "hash": H(unhex(v["bytes"])).hex(),
    }
