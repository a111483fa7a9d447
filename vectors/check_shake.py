#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""check_shake.py [SEED [COUNT]]: what the two implementations say of messages
and objects that nobody has written down. Inputs of vectors are changed, part
by part and with the knowledge of CBOR, signed and sealed anew where that is
needed to get further; this implementation says what must come out, in the
form of vectors, and `$HANDFAST vectors verify` has to agree with each."""

from __future__ import annotations

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
from typing import Any, Callable

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from handfast1 import (  # noqa: E402
    agent_frames,
    cbor,
    certs,
    kinds,
    play,
    tickets,
)
from handfast1.cbor import encode_head  # noqa: E402
from handfast1.errors import HandfastError  # noqa: E402
from handfast1.play import Mismatch  # noqa: E402
from makers import agents, bad_sealed, forge, world as w  # noqa: E402
from makers.forge import Grant, Request, Target, item, reach  # noqa: E402

Json = dict[str, Any]
NUMBERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 23, 24, 31, 32, 64, 65, 255, 256]
NUMBERS += [1023, 1024, 1025, 2048, 2049, 65535, 65536, 65537, 131072]
NUMBERS += [(1 << n) + d for n in (31, 32, 53, 63) for d in (-1, 0, 1)]
NUMBERS += [(1 << 64) - 1]
SIZES = [0, 1, 7, 8, 12, 15, 16, 17, 23, 24, 31, 32, 33, 64, 65, 255, 256, 257]
TEXTS = ["", "a", "\0", "\x1f", "\x7f", "\x80", "\x9f", "\xa0", "\u00e9"]
TEXTS += ["echo", "alice", w.REALM, w.CA_NAME]
RAW = "f7 f90000 fa00000000 e0 f820 c000 d81800 9fff bfff 5fff ff 1c 5d df"
RAW += " 1800 190001 1a00000001 3800 5800 7801 9800 b800 61ff 62c080 62c280"
RAWS = [bytes.fromhex(raw) for raw in RAW.split()]
chance = random.Random()


# CBOR as lists that can be changed: [major, parts], or bytes as they are ----


def parse(raw: bytes, pos: int = 0) -> tuple[Any, int]:
    """A node, and where it ends. ValueError where there is no good item."""
    try:
        major, value, pos = cbor.read_head(raw, pos)
    except (HandfastError, cbor.Incomplete) as fault:
        raise ValueError(str(fault)) from None
    if major in (cbor.ARRAY, cbor.MAP):
        parts = []
        for _ in range(value * (2 if major == cbor.MAP else 1)):
            part, pos = parse(raw, pos)
            parts.append(part)
        return [major, parts], pos
    if major not in (cbor.BYTES, cbor.TEXT):
        return [major, value], pos
    inner, pos = raw[pos : pos + value], pos + value
    if len(inner) != value:
        raise ValueError("cut")
    if major == cbor.BYTES and inner and inner[0] >> 5 in (4, 5):
        try:
            node, end = parse(inner)
            if end == len(inner):
                return [major, [node]], pos
        except ValueError:
            pass
    return [major, inner], pos


def unparse(node: Any) -> bytes:
    if isinstance(node, bytes):
        return node
    major, value = node
    if major == cbor.SIMPLE:
        return bytes([0xE0 | value])
    if isinstance(value, int):
        return encode_head(major, value)
    if isinstance(value, bytes):
        return encode_head(major, len(value)) + value
    inner = b"".join(map(unparse, value))
    count = {cbor.BYTES: len(inner), cbor.ARRAY: len(value)}
    return encode_head(major, count.get(major, len(value) // 2)) + inner


def places(node: Any) -> list[tuple[list[Any], int]]:
    """Where the parts of a node stand: a list and an index."""
    found = []
    if isinstance(node, list) and isinstance(node[1], list):
        for i, part in enumerate(node[1]):
            found.append((node[1], i))
            found += places(part)
    return found


def something() -> Any:
    """Any item, good or bad."""
    return chance.choice(
        (
            lambda: [cbor.UINT, chance.choice(NUMBERS)],
            lambda: [cbor.NINT, chance.choice(NUMBERS)],
            lambda: [cbor.BYTES, chance.randbytes(chance.choice(SIZES))],
            lambda: cbor.encode("x" * chance.choice(SIZES)),
            lambda: cbor.encode(chance.choice(TEXTS)),
            lambda: [cbor.SIMPLE, chance.choice((20, 21, 22))],
            lambda: [cbor.ARRAY, []],
            lambda: [cbor.ARRAY, [something(), something()]],
            lambda: [cbor.MAP, [[cbor.UINT, 1], something()]],
            lambda: b"\x81" * chance.randrange(1, 10) + b"\x80",
            lambda: chance.choice(RAWS),
            lambda: encode_head(
                chance.randrange(2, 6), chance.choice(NUMBERS)
            ),
        )
    )()


def entry(parts: list[Any]) -> None:
    """One more entry in a map, mostly where its key belongs."""
    key = chance.choice((1, -1)) * chance.choice(NUMBERS[:-1])
    pairs = [(parts[i], parts[i + 1]) for i in range(0, len(parts) - 1, 2)]
    pairs.append((cbor.encode(key), something()))
    if chance.random() < 0.9:
        pairs.sort(key=lambda pair: unparse(pair[0]))
    parts[:] = [part for pair in pairs for part in pair]


def change(raw: bytes) -> bytes:
    """The bytes with some change."""
    out = bytearray(raw)
    if chance.random() < 0.15 and out:
        at = chance.randrange(len(out))
        out[at] ^= 1 << chance.randrange(8)
        return bytes(out)
    if chance.random() < 0.1:
        cut = chance.randrange(len(out) + 1)
        return bytes(out[:cut]) if chance.random() < 0.5 else raw + b"\0"
    try:
        node, _ = parse(raw)
    except ValueError:
        return raw[:-1]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        where = places(node)
        if not where:
            return unparse(something())
        parts, i = chance.choice(where)
        how = chance.randrange(6)
        whole = isinstance(parts[i], list) and isinstance(parts[i][1], list)
        if how == 0 and len(parts) > 1:
            del parts[i]
        elif how == 1:
            parts.insert(i, parts[i])
        elif how == 2:
            other = chance.randrange(len(parts))
            parts[i], parts[other] = parts[other], parts[i]
        elif how == 3 and whole and parts[i][0] == cbor.MAP:
            entry(parts[i][1])
        else:
            parts[i] = something()
    return unparse(node)


# What is shaken --------------------------------------------------------------


def resigned(label: str, raw: bytes, seed: bytes) -> bytes:
    """The object with changed claims, rightly signed; or any change."""
    if chance.random() < 0.3:
        return change(raw)
    payload = cbor.Reader(raw)
    payload.array(4), payload.string(3), payload.map(0)
    claims = payload.string(0, cbor.ANY)
    return forge.sign1(label, seed, change(claims))


def chain() -> tuple[str, list[bytes]]:
    who = chance.choice(("echo", "alice"))
    links = w.branch(who, chance.choice((1, 1, 2, 3)))
    i = chance.randrange(len(links))
    above = certs.read_certificate(links[i]).iss
    links[i] = resigned("certificate", links[i], w.seed(above))
    return who, links


def objects() -> Json:
    kind = chance.choice("cbor chain list request ticket file".split())
    if kind == "cbor":
        return {"kind": kind, "bytes": unparse(something()).hex()}
    if kind == "chain":
        who, links = chain()
        vector: Json = {"kind": kind, "chain": w.hexes(links), "name": who}
        vector.update(anchors=[w.ANCHOR.hex()], lists=[], now=w.NOW)
        return {**vector, "usage": 1 if who == "echo" else 2}
    if kind == "list":
        raw = resigned("list", w.revocations(), w.seed(w.CA_NAME))
        held = [w.revocations().hex()] if chance.random() < 0.3 else []
        vector = {"kind": "list-add", "bytes": raw.hex(), "lists": held}
        return {**vector, "anchors": [w.ANCHOR.hex()], "intermediates": []}
    if kind == "request":
        seed = w.seed("alice")
        raw = certs.make_request(seed, "alice", w.NOW, [1, 2], ["a", "b"])
        raw = resigned("request", raw, seed)
        return {"kind": "request-read", "bytes": raw.hex()}
    made = w.ticket(method=1, origins=w.origins(2))
    if kind == "file":
        raw = change(w.ticket_file(made))
        return {"kind": "ticket-file-read", "file": raw.hex()}
    sealed = change(w.seal_ticket(made))
    if chance.random() < 0.8:
        sealed = tickets.seal_claims(
            change(made.claims()), w.RING_KEY, chance.randbytes(12)
        )
    vector = {"kind": "ticket-accept", "ring": w.ring_json(w.RING_KEY)}
    vector.update(leaf=w.ECHO.hex(), anchors=[w.ANCHOR.hex()], lists=[])
    return {
        **vector,
        **{"now": w.NOW, "tolerance": 120, "ticket": sealed[:1024].hex()},
    }


def fed(target: Target, raw: bytes) -> Json:
    """The bytes to that side, in one piece or two."""
    cut = chance.randrange(len(raw)) if raw else 0
    for part in (raw[:cut], raw[cut:]):
        if part and not target.error:
            target.feed(part)
    return target.vector("", target.error)


def padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 128)


def responder(name: str) -> Json:
    target = Target("responder", w.responder(), name)
    token: Any = chance.choice(
        (
            [1, chain()[1]],
            [2, "alice", bad_sealed.VERIFIED],
            [3, "alice", w.PASSWORD],
            [4, w.seal_ticket(w.ticket())],
        )
    )
    plain = forge.plaintext(token=token)
    if chance.random() < 0.5:
        plain = padded(change(plain))
    if chance.random() < 0.3:
        return fed(target, change(forge.hello()))
    made = Request()
    if chance.random() < 0.5:
        made = Request(w.ECHO, forge.hello(), target.feed(forge.hello()))
    raw = made.make(plain=plain)
    return fed(target, raw if chance.random() < 0.7 else change(raw))


def initiator(name: str) -> Json:
    token = chance.choice(("certificate", "ticket"))
    if chance.random() < 0.5:
        target = Target("initiator", w.initiator(token), name)
        target.start()
        raw = forge.offer(chain=chain()[1])
        return fed(target, raw if chance.random() < 0.4 else change(raw))
    target, peer = reach("initiator", "request-sent", name, token)
    plain = item([w.draw("key"), w.draw("id", 16), 86400, 0])
    raw = Grant(peer).make(plain=change(plain))
    return fed(target, raw if chance.random() < 0.5 else change(raw))


def records(name: str) -> Json:
    role = chance.choice(("initiator", "responder"))
    target, peer = reach(role, "open", name)
    data = chance.choice((b"", b"\1", b"\4", b"data"))
    kind = chance.choice((0, 1, 2, 2, 5, 6, 9))
    if kind == 5:
        data = change(w.ticket_file(w.ticket()))
    target.feed(forge.seal_raw(peer.sending, data + bytes([kind])))
    if target.error:
        return target.vector("", target.error)
    raw = forge.seal_raw(peer.sending, b"more\1")
    return fed(target, raw if chance.random() < 0.5 else change(raw))


def frames(name: str) -> Json:
    """What one side of the agent's protocol says, one frame changed."""
    side, choices = chance.choice(
        (
            ("application", agents.by_applications()),
            ("agent", agents.by_agents()),
        )
    )
    _, raw = chance.choice(list(choices))
    ends = [0]
    while ends[-1] < len(raw):
        ends.append(cbor.measure(raw, ends[-1])[2])
    i = chance.randrange(len(ends) - 1)
    a, b = ends[i : i + 2]
    raw = raw[:a] + change(raw[a:b]) + raw[b:]
    vector = {"kind": "agent-frames", "side": side, "bytes": raw.hex()}
    return {**vector, "at": agent_frames.shown(side, raw)}


MAKERS: tuple[Callable[[str], Json], ...] = (
    lambda name: objects(),
    lambda name: objects(),
    responder,
    initiator,
    records,
    frames,
)


def shake(seed: int, count: int) -> list[Json]:
    vectors = []
    chance.seed(seed)
    for i in range(count):
        try:
            made = chance.choice(MAKERS)(f"shaken {seed} {i}")
            vectors.append(kinds.compute({**made, "id": f"{seed}-{i}"}))
        except (AssertionError, HandfastError, Mismatch, ValueError):
            pass  # no such side, or one that a change got further
    return vectors


def main() -> int:
    given = [int(word) for word in sys.argv[1:3]]
    seed, count = given + [1, 400][len(given) :]
    program = os.environ.get("HANDFAST", str(HERE.parent / "build/handfast"))
    vectors = shake(seed, count)
    errors = {vector.get("error") for vector in vectors}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "shaken.json")
        path.write_text(json.dumps({"vectors": vectors}, ensure_ascii=False))
        done = subprocess.run([program, "vectors", "verify", str(path)])
    print(f"note: {len(vectors)} shaken, {len(errors) - 1} errors")
    enough = len(vectors) > count // 2 and len(errors) > 5
    return 0 if enough and done.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
