# SPDX-License-Identifier: ISC
"""Vectors of dispatchers (spec sections 4.8 and 17.9): what they read of a
first message, and what an initiator makes of a query."""

from __future__ import annotations

from typing import Any, Iterator

from . import bad_moving, world as w
from .bad_resumed import Resumed, met
from .forge import Pairs, Raw, Request, Target, hello, item, offer, reach
from .world import Json

QUERY = item([9, {}])


def route(name: str, data: bytes, expected: str | None = None) -> Json:
    vector: Json = {"id": f"route-{name}", "kind": "route"}
    vector["bytes"] = data.hex()
    if expected:
        vector["expected"] = expected
    return vector


def request(**changes: Any) -> bytes:
    return Request().make(**changes)


def routes() -> Iterator[Json]:
    told = {1: b"", 65536: b"?"}
    yield route("hello", hello())
    yield route("hello-target", hello(target="files", extensions=told))
    yield route("hello-suites", hello(suites=[65535, 9, 1], cookie=b"c"))
    yield route("request", request())
    yield route("request-target", request(target="t" * 255, extensions=told))
    yield route("request-enc", request(enc=bytes(2048), prekey_enc=bytes(9)))
    yield route("resume", bad_moving.resume())
    yield route("resume-target", bad_moving.resume(target="ä", extensions=told))
    yield route("resume-box", bad_moving.resume(box=b"", serial=0))
    yield route("resume-reply-key", bad_moving.resume(reply_key=bytes(32)))
    yield route("dispatched-value", hello(extensions={1: b"any"}))
    yield route("two-messages", hello() + b"\0")


def bad_routes() -> Iterator[Json]:
    for name, error, data in (
        ("empty", "HF_E_CBOR", b""),
        ("first-byte", "HF_E_SHAPE", b"\x81\0"),
        ("second-byte", "HF_E_SHAPE", b"\x82\x18"),
        ("type-10", "HF_E_UNEXPECTED", b"\x82\x0a\0"),
        ("type-17", "HF_E_UNEXPECTED", b"\x82\x11\0"),
        ("offer", "HF_E_UNEXPECTED", offer()),
        ("record", "HF_E_UNEXPECTED", item([16, bytes(40)])),
        ("query", "HF_E_UNEXPECTED", QUERY),
        ("cut", "HF_E_CBOR", hello()[:-1]),
        ("too-big", "HF_E_TOO_BIG", b"\x86\0\1\x9a\1\0\0\0"),
        ("long-head", "HF_E_CBOR", hello(suites=[Raw(b"\x18\1")])),
        ("version", "HF_E_VERSION", hello(version=2)),
        ("request-version", "HF_E_VERSION", request(version=0)),
        ("resume-version", "HF_E_VERSION", bad_moving.resume(version=2)),
        ("five-items", "HF_E_SHAPE", b"\x85" + hello()[1:-1]),
        ("no-suites", "HF_E_SHAPE", hello(suites=[])),
        ("nine-suites", "HF_E_SHAPE", hello(suites=[1] * 9)),
        ("target-256", "HF_E_SHAPE", hello(target="x" * 256)),
        ("target-bytes", "HF_E_SHAPE", hello(target=b"x")),
        ("target-utf8", "HF_E_SHAPE", hello(target=Raw(b"\x61\xff"))),
        ("target-newline", "HF_E_SHAPE", hello(target="\n")),
        ("cookie-65", "HF_E_SHAPE", hello(cookie=bytes(65))),
        ("critical", "HF_E_EXTENSION", hello(extensions={-1: b""})),
        (
            "extension-twice",
            "HF_E_CBOR",
            hello(extensions=Pairs((1, b""), (1, b""))),
        ),
        ("key-id-15", "HF_E_SHAPE", request(key_id=bytes(15))),
        ("key-id-17", "HF_E_SHAPE", request(key_id=bytes(17))),
        ("request-target", "HF_E_SHAPE", request(target=1)),
        ("enc-2049", "HF_E_SHAPE", request(enc=bytes(2049))),
        ("request-critical", "HF_E_EXTENSION", request(extensions={-7: b""})),
        ("request-no-box", "HF_E_SHAPE", request(box="")),
        ("sid-15", "HF_E_SHAPE", bad_moving.resume(session_id=bytes(15))),
        ("sid-17", "HF_E_SHAPE", bad_moving.resume(session_id=bytes(17))),
        ("resume-epoch", "HF_E_SHAPE", bad_moving.resume(epoch=1 << 32)),
        ("resume-target", "HF_E_SHAPE", bad_moving.resume(target="x" * 256)),
        ("resume-nonce", "HF_E_SHAPE", bad_moving.resume(nonce=bytes(31))),
        ("resume-box", "HF_E_SHAPE", bad_moving.resume(box=1)),
    ):
        yield route(f"bad-{name}", data, error)


# What an initiator makes of a query -------------------------------------------


def asked(target: Target, name: str, state: str) -> Json:
    assert target.error is None, (name, target.error)
    assert target.side.state == state, (name, target.side.state)
    return target.vector(f"query-{name}", None)


def queries() -> Iterator[Json]:
    told = {"dispatched": True}
    for name, left in (("plain", {}), ("dispatched", told)):
        mine = w.initiator("certificate", **left)
        target = Target("initiator", mine, f"query hello {name}")
        target.start()
        target.feed(QUERY)
        target.feed(offer())
        yield asked(target, f"hello-{name}", "request-sent")
        known = w.initiator(
            "certificate", responder_chain=[w.ECHO.hex()], **left
        )
        target = Target("initiator", known, f"query request {name}")
        target.start()
        target.feed(item([9, {65536: b"?"}]))
        yield asked(target, f"request-{name}", "request-sent")
    target = Target("initiator", w.initiator("certificate"), "query retry")
    target.start()
    target.feed(QUERY)
    target.feed(item([2, b"a cookie"]))
    yield asked(target, "then-retry", "hello-sent")

    target, peer = met("query open", **told)
    target.feed(QUERY)
    peer.send(1, b"still here")
    target.feed(peer.drain())
    yield asked(target, "open", "open")
    target, peer = met("query close", **told)
    peer.send(2, b"")
    target.feed(peer.drain())
    target.feed(QUERY)
    yield asked(target, "open-after-a-close", "open")
    target, _ = reach(
        "initiator",
        "open",
        "query moves not",
        left=w.initiator("certificate", **told),
    )
    target.feed(QUERY)
    yield asked(target, "open-moves-not", "open")
    for name, where in (("same", None), ("other", "files")):
        target, peer = met(f"reroute {name}", **told)
        peer.send(1, b"lost on the way")
        late = peer.drain()
        target.feed(QUERY + late[:5])
        target.step(do="reroute", target=where)
        target.feed(late[5:] + QUERY)
        target.feed(Resumed(target).make())
        yield asked(target, f"reroute-{name}", "open")
    target, peer = met("reroute refused", **told)
    target.step(do="reroute", target="elsewhere")
    target.feed(item([8, 4]))
    yield asked(target, "reroute-then-hello", "hello-sent")


def bad_queries() -> Iterator[Json]:
    told = {"dispatched": True}
    for state in ("hello-sent", "request-sent"):
        name = f"query-twice-{state}"
        target, _ = reach("initiator", state, name)
        target.feed(QUERY)
        target.feed(QUERY)
        yield target.vector(name, "HF_E_UNEXPECTED")
        for what, error, data in SHAPES:
            name = f"query-{what}-{state}"
            target, _ = reach("initiator", state, name)
            target.feed(data)
            yield target.vector(name, error)
    for what, error, data in SHAPES:
        target, _ = met(f"query {what} open", **told)
        target.feed(data)
        yield target.vector(f"query-{what}-open", error)
    target, _ = met("query not told")
    target.feed(QUERY)
    yield target.vector("query-open-not-dispatched", "HF_E_UNEXPECTED")
    target, _ = met("query reconnect", **told)
    target.step(do="reconnect")
    target.feed(QUERY)
    yield target.vector("query-resume-sent", "HF_E_UNEXPECTED")
    target, peer = met("record reconnect", **told)
    peer.send(1, b"x")
    target.step(do="reconnect")
    target.feed(peer.drain())
    yield target.vector("query-record-after-reconnect", "HF_E_UNEXPECTED")
    target, _ = met("reroute not told")
    target.step(do="reroute", target=None)
    yield target.vector("reroute-not-dispatched", "HF_E_STATE")
    target, _ = reach(
        "initiator",
        "open",
        "reroute moves not",
        left=w.initiator("certificate", **told),
    )
    target.step(do="reroute", target=None)
    yield target.vector("reroute-moves-not", "HF_E_STATE")
    target, _ = met("reroute, no target", **told)
    target.step(do="reroute", target="nowhere")
    target.feed(item([8, 5]))
    yield target.vector("reroute-no-target", "HF_E_TARGET")
    target, _ = met("reroute twice", **told)
    target.step(do="reroute", target=None)
    target.feed(item([9, {-1: b""}]))
    yield target.vector("reroute-query-critical", "HF_E_EXTENSION")


SHAPES = (
    ("no-map", "HF_E_SHAPE", item([9, b""])),
    ("null", "HF_E_SHAPE", item([9, None])),
    ("three-items", "HF_E_SHAPE", item([9, {}, 0])),
    ("critical", "HF_E_EXTENSION", item([9, {-1: b""}])),
    ("value", "HF_E_SHAPE", item([9, {0: 1}])),
    ("17-entries", "HF_E_SHAPE", item([9, {i: b"" for i in range(17)}])),
    ("unsorted", "HF_E_CBOR", item([9, Pairs((2, b""), (1, b""))])),
    ("long-head", "HF_E_CBOR", b"\x82\x09\xb8\0"),
    ("too-big", "HF_E_TOO_BIG", b"\x82\x09\xba\1\0\0\0"),
)


def files_of_vectors() -> Iterator[tuple[str, Any]]:
    yield "route", [*routes()]
    yield "query", [*queries()]


class bad:
    """The same under bad/."""

    @staticmethod
    def files_of_vectors() -> Iterator[tuple[str, Any]]:
        yield "route", [*bad_routes()]
        yield "query", [*bad_queries()]

