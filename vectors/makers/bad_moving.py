# SPDX-License-Identifier: ISC
"""The vectors under bad/ of sessions that move: resumes that are refused,
by a responder without a store and by one that has the session's entry."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import cookies, messages, schedule, states, takeover
from handfast1.crypto import seal, x25519_public

from . import grants, moving, world as w
from .forge import Pairs, Raw, Target, item
from .moving import mark, peer, state
from .world import Json

SECRET = w.draw("resumption secret")
PREVIOUS = w.draw("previous secret")
REPLY = w.draw("reply key")


def resume(**changes: Any) -> bytes:
    """A resume, forged: fields of the message; sent, received, closed or
    plain: what is sealed; secret, sealed_as, box_nonce: how."""
    plain = changes.pop("plain", None)
    told: Json = {
        "sent": mark("received").item(),
        "received": mark("sent", 2, 500).item(),
        "closed": 0,
    }
    told.update((k, changes.pop(k)) for k in list(changes) if k in told)
    secret = changes.pop("secret", SECRET)
    box_nonce = changes.pop("box_nonce", bytes(12))
    sealed_as = changes.pop("sealed_as", {})
    box = changes.pop("box", None)
    fields: Json = {
        "version": 1,
        "session_id": moving.CLEAR.session_id,
        "epoch": 0,
        "serial": 1,
        "target": "",
        "nonce": w.draw("resume nonce"),
        "cookie": None,
        "reply_key": None,
        "extensions": {},
    }
    fields.update(changes)
    if plain is None:
        plain = item(list(told.values()))
    if box is None:
        aad = item([6, *{**fields, **sealed_as}.values(), Raw(b"")])
        nonce = fields["nonce"]
        nonce = nonce if isinstance(nonce, bytes) else bytes(32)
        key = takeover.resume_key(secret, nonce)
        box = seal(1, key, box_nonce, aad, plain)
    return item([6, *fields.values(), box])


def server(entry: bytes | None, **changes: Any) -> Json:
    """A responder of the cluster, and what its store has."""
    shelf = {k: changes.pop(k, None) for k in ("get", "claim", "confirm")}
    cluster = {
        "name": "cluster",
        "owner": "other",
        "mobility": 1,
        "scopes": changes.pop("scopes", moving.SCOPES),
    }
    config = w.responder(
        cluster=cluster,
        seed=w.seed("other").hex(),
        chain=[moving.OTHER.hex()],
        shelf={"entry": entry and entry.hex(), **shelf},
        **changes,
    )
    return config


def stored(outside: states.Clear = moving.CLEAR, **changes: Any) -> bytes:
    return moving.sealed(state(**changes).encode(), outside)


def one(
    name: str, error: str, data: bytes, config: Json, note: str = ""
) -> Json:
    target = Target("responder", config, f"resume {name}")
    target.feed(data)
    return target.vector(f"resume-{name}", error, note)


# Its shape ------------------------------------------------------------------

U32, INT = 1 << 32, (1 << 63) - 1
SHAPES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("session_id", (bytes(15), bytes(17), b"", "x" * 16, 1, None, [])),
    ("epoch", (U32, -1, None, b"\0", "0", [])),
    ("serial", (0, U32, -1, None, b"\1", "1")),
    ("target", ("x" * 256, b"x", 1, None, [], "\n", Raw(b"\x61\xff"))),
    ("nonce", (bytes(31), bytes(33), b"", "x" * 32, 1, None)),
    ("cookie", (b"", bytes(65), "x", 1, False, [])),
    ("reply_key", (b"", bytes(31), bytes(2049), "x" * 32, 1, False, [])),
    ("extensions", (None, [], b"", {0: 1}, {"a": b""}, {0: bytes(257)})),
    ("box", (bytes(15), bytes(273), b"", "x" * 40, 1, Raw(b"\xf6"), [])),
)


def shapes() -> Iterator[Json]:
    """To a responder without a store."""
    for name, wrongs in SHAPES:
        for number, wrong in enumerate(wrongs):
            yield one(
                f"{name}-{number}",
                "HF_E_SHAPE",
                resume(**{name: wrong}),
                w.responder(),
            )
    for name, error, data in (
        ("version-0", "HF_E_VERSION", resume(version=0)),
        ("version-2", "HF_E_VERSION", resume(version=2)),
        ("version-text", "HF_E_SHAPE", resume(version="1")),
        ("ten-items", "HF_E_SHAPE", b"\x8a" + resume()[1:-41] + b"\0"),
        ("long-head", "HF_E_CBOR", resume(epoch=Raw(b"\x18\0"))),
        ("extension-critical", "HF_E_EXTENSION", resume(extensions={-1: b""})),
        (
            "extensions-twice",
            "HF_E_CBOR",
            resume(extensions=Pairs((1, b""), (1, b""))),
        ),
        (
            "extensions-17",
            "HF_E_SHAPE",
            resume(extensions={i: b"" for i in range(17)}),
        ),
        ("no-store", "HF_E_NO_SESSION", resume()),
        (
            "no-store-edges",
            "HF_E_NO_SESSION",
            resume(
                epoch=U32 - 1,
                serial=U32 - 1,
                target="t" * 255,
                cookie=bytes(64),
                reply_key=bytes(2048),
                extensions={65536: bytes(256)},
                box=bytes(272),
            ),
        ),
        ("box-16", "HF_E_NO_SESSION", resume(box=bytes(16))),
    ):
        yield one(name, error, data, w.responder())
    yield one("limited", "HF_E_LIMITED", resume(), w.responder(limited=True))
    finger = schedule.th3(resume()).hex()
    yield one("seen", "HF_E_REPLAY", resume(), w.responder(seen=[finger]))
    target = Target("responder", w.responder(), "resume twice")
    target.feed(resume())
    target.feed(resume(serial=2))
    yield target.vector("resume-twice", "HF_E_UNEXPECTED")
    target = Target("responder", w.responder(), "resume after a hello")
    target.feed(item([0, 1, [1], "", None, {}]))
    target.feed(resume())
    yield target.vector("resume-after-a-hello", "HF_E_UNEXPECTED")
    config = w.responder(retry=["resume"])
    target = Target("responder", config, "resume after a retry")
    target.feed(resume())
    cookie = cookies.make(
        bytes.fromhex(config["cookie_key"]),
        messages.RESUME,
        w.NOW,
        bytes.fromhex(config["source"]),
    )
    target.feed(resume(serial=2, cookie=cookie))
    yield target.vector("resume-after-a-retry", "HF_E_NO_SESSION")


# Against an entry -----------------------------------------------------------


def stores() -> Iterator[Json]:
    entry = stored()
    flipped = entry[:-1] + bytes([entry[-1] ^ 1])
    other = stored(moving.clear(session_id=bytes(16)))
    for name, error, config in (
        ("no-entry", "HF_E_NO_SESSION", server(None)),
        ("store-says-none", "HF_E_NO_SESSION", server(None, get=NONE)),
        ("store-fails", "HF_E_STORE", server(None, get="HF_E_STORE")),
        ("entry-flipped", "HF_E_ENTRY", server(flipped)),
        ("entry-empty", "HF_E_ENTRY", server(b"\x80")),
        ("entry-of-another", "HF_E_ENTRY", server(other)),
        ("entry-no-keys", "HF_E_ENTRY", server(entry, scopes=[])),
        ("claim-lost", "HF_E_FENCED", server(entry, claim="HF_E_FENCED")),
        ("claim-store", "HF_E_STORE", server(entry, claim="HF_E_STORE")),
        ("refused", "HF_E_POLICY", server(entry, refuse=["alice"])),
        ("user", "HF_E_LIMITED", server(entry, limited_users=["alice"])),
    ):
        yield one(name, error, resume(), config)


NONE = "HF_E_NO_SESSION"


def secrets() -> Iterator[Json]:
    """Which secret (17.2, step 7)."""
    confirmed = stored(moving.clear(epoch=5))
    claimed = stored(
        moving.clear(epoch=5), previous=(4, PREVIOUS), serial=7
    )
    for name, error, entry, changes in (
        ("epoch-above", NONE, confirmed, {"epoch": 6}),
        ("epoch-below", "HF_E_REPLAY", confirmed, {"epoch": 4}),
        ("epoch-0", "HF_E_REPLAY", confirmed, {"epoch": 0}),
        ("claimed-above", NONE, claimed, {"epoch": 6}),
        ("claimed-below", "HF_E_REPLAY", claimed, {"epoch": 3, "serial": 8}),
        (
            "serial-again",
            "HF_E_REPLAY",
            claimed,
            {"epoch": 4, "serial": 7, "secret": PREVIOUS},
        ),
        (
            "serial-below",
            "HF_E_REPLAY",
            claimed,
            {"epoch": 4, "serial": 6, "secret": PREVIOUS},
        ),
        (
            "previous-with-current-secret",
            "HF_E_BOX",
            claimed,
            {"epoch": 4, "serial": 8},
        ),
        (
            "current-with-previous-secret",
            "HF_E_BOX",
            claimed,
            {"epoch": 5, "serial": 1, "secret": PREVIOUS},
        ),
        (
            "marks-of-the-previous-epoch",
            "HF_E_ROLLBACK",
            claimed,
            {"epoch": 5, "serial": 1},
        ),
    ):
        yield one(
            f"secret-{name}", error, resume(**changes), server(entry)
        )
    yield one(
        "epochs-used-up",
        "HF_E_EXHAUSTED",
        resume(epoch=U32 - 1),
        server(stored(moving.clear(epoch=U32 - 1))),
    )


def boxes() -> Iterator[Json]:
    entry, proved = stored(), stored(mobility=2)
    public = x25519_public(REPLY)
    good = resume()
    for name, error, data, at in (
        ("box-flip", "HF_E_BOX", good[:-1] + bytes([good[-1] ^ 1]), entry),
        ("box-other-secret", "HF_E_BOX", resume(secret=bytes(32)), entry),
        ("box-nonce", "HF_E_BOX", resume(box_nonce=b"\1" * 12), entry),
        ("box-empty", "HF_E_BOX", resume(box=bytes(16)), entry),
        (
            "soft-reply-key-33",
            "HF_E_SHAPE",
            resume(reply_key=bytes(33)),
            entry,
        ),
        ("proved-no-reply-key", "HF_E_SHAPE", resume(), proved),
        (
            "proved-reply-key-33",
            "HF_E_SHAPE",
            resume(reply_key=bytes(33)),
            proved,
        ),
        (
            "proved-reply-key-small",
            "HF_E_PUBLIC_KEY",
            resume(reply_key=bytes(32)),
            proved,
        ),
        ("suite-unknown", NONE, resume(), stored(suite=9)),
        ("suite-0", NONE, resume(), stored(suite=0)),
        (
            "suite-unknown-reply-key-33",
            NONE,
            resume(reply_key=bytes(33)),
            stored(suite=9),
        ),
        (
            "proved-suite-unknown-no-reply-key",
            "HF_E_SHAPE",
            resume(),
            stored(mobility=2, suite=9),
        ),
    ):
        yield one(name, error, data, server(at))
    for name, value in (
        ("version", 0),
        ("epoch", 1),
        ("serial", 2),
        ("target", "t"),
        ("cookie", b"x"),
        ("extensions", {1: b""}),
        ("reply_key", public),
        ("nonce", bytes(32)),
    ):
        yield one(
            f"not-sealed-with-{name}",
            "HF_E_BOX",
            resume(sealed_as={name: value}),
            server(entry),
        )


PLAIN: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("sent", ([], [1, 1], [1, 1, bytes(32), 0], None, 1, b"")),
    ("received", ([], [1, 1], [1, 1, bytes(32), 0], None, 1, b"")),
    ("closed", (4, -1, None, b"", False)),
)
MARK: tuple[tuple[str, int, tuple[Any, ...]], ...] = (
    ("count", 0, ((1 << 48) + 1, -1, None, b"")),
    ("bytes", 1, (INT + 1, -1, None, b"")),
    ("digest", 2, (bytes(31), bytes(33), None, "x" * 32)),
)


def plains() -> Iterator[Json]:
    """What is sealed is not what it must be."""
    entry = stored()
    for name, wrongs in PLAIN:
        for number, wrong in enumerate(wrongs):
            yield one(
                f"plain-{name}-{number}",
                "HF_E_SHAPE",
                resume(**{name: wrong}),
                server(entry),
            )
    for name, place, wrongs in MARK:
        for which in ("sent", "received"):
            for number, wrong in enumerate(wrongs):
                fields: list[Any] = mark(which).item()
                fields[place] = wrong
                yield one(
                    f"plain-{which}-{name}-{number}",
                    "HF_E_SHAPE",
                    resume(**{which: fields}),
                    server(entry),
                )
    good = item([mark("received").item(), mark("sent").item(), 0])
    for name, error, plain in (
        ("empty", "HF_E_CBOR", b""),
        ("cut", "HF_E_CBOR", good[:-1]),
        ("longer", "HF_E_CBOR", good + b"\0"),
        ("two-items", "HF_E_SHAPE", b"\x82" + good[1:-1]),
        ("four-items", "HF_E_SHAPE", b"\x84" + good[1:] + b"\0"),
        ("long-head", "HF_E_CBOR", good[:-1] + b"\x18\0"),
        ("tag", "HF_E_CBOR", b"\xc0" + good),
    ):
        yield one(f"plain-{name}", error, resume(plain=plain), server(entry))


def judged() -> Iterator[Json]:
    """Judged anew (step 10)."""
    cti = w.cti(w.ALICE)
    for name, error, at, changes in (
        ("expired", "HF_E_EXPIRED", stored(moving.clear(expires=w.NOW)), {}),
        ("peer", "HF_E_EXPIRED", stored(peer=peer(not_after=w.NOW)), {}),
        (
            "revoked",
            "HF_E_REVOKED",
            stored(),
            {"lists": [w.revocations(7, [cti]).hex()]},
        ),
        (
            "stale-list",
            "HF_E_STALE_LIST",
            stored(),
            {"lists": [w.revocations(exp=w.NOW).hex()]},
        ),
    ):
        yield one(f"judged-{name}", error, resume(), server(at, **changes))
    few = [{**moving.SCOPES[0], "targets": ["a", "b"]}]
    yield one(
        "judged-target",
        NONE,
        resume(target="c"),
        server(stored(target="a"), scopes=few),
    )


def rollbacks() -> Iterator[Json]:
    """Marks that do not fit (step 11)."""

    def changed(which: str, count: int, size: int, **more: Any) -> list[Any]:
        fields = mark(which, count, size).item()
        fields[2] = more.get("digest", fields[2])
        return fields

    for name, at, changes in (
        ("sent-below", {}, {"sent": changed("received", 2, 900)}),
        ("sent-zero", {}, {"sent": changed("received", 0, 0)}),
        ("sent-bytes", {}, {"sent": changed("received", 3, 999)}),
        (
            "sent-digest",
            {},
            {"sent": changed("received", 3, 1000, digest=bytes(32))},
        ),
        ("received-bytes", {}, {"received": changed("sent", 2, 501)}),
        (
            "received-digest",
            {},
            {"received": changed("sent", 2, 500, digest=bytes(32))},
        ),
        ("closed-set", {}, {"closed": 1}),
        ("closed-set-2", {}, {"closed": 2}),
        ("closed-unset", {"closed": 1}, {}),
        ("closed-unset-2", {"closed": 2}, {}),
        (
            "closed-undone",
            {"closed": 1},
            {"sent": changed("received", 4, 1000)},
        ),
        (
            "closed-undone-2",
            {"closed": 2},
            {"received": changed("sent", 3, 500)},
        ),
        (
            "closed-early-2",
            {},
            {"received": changed("sent", 1, 500), "closed": 2},
        ),
    ):
        yield one(
            f"rollback-{name}",
            "HF_E_ROLLBACK",
            resume(**changes),
            server(stored(**at)),
        )


def confirms() -> Iterator[Json]:
    """After resumed."""
    for name, error, data in (
        ("box", "HF_E_BOX", item([5, bytes(16)])),
        ("shape", "HF_E_SHAPE", item([5, bytes(15)])),
        ("record-first", "HF_E_UNEXPECTED", item([16, bytes(17)])),
        ("resume-again", "HF_E_UNEXPECTED", resume(serial=2)),
        ("alert", "HF_E_REFUSED", item([8, 1])),
        ("alert-4", "HF_E_SHAPE", item([8, 4])),
    ):
        target = Target("responder", server(stored()), f"moved {name}")
        target.feed(resume())
        target.feed(data)
        yield target.vector(f"resumed-then-{name}", error)


def files_of_vectors() -> Iterator[tuple[str, Any]]:
    yield "entry", moving.bads()
    yield "key-grant", grants.bads()
    yield (
        "resume",
        [
            *shapes(),
            *stores(),
            *secrets(),
            *boxes(),
            *plains(),
            *judged(),
            *rollbacks(),
            *confirms(),
        ],
    )
