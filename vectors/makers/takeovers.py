# SPDX-License-Identifier: ISC
"""Sessions that go from server to server (spec section 17)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1.kinds_move import Moving

from . import bad_moving, bad_resumed, grants, moving, world as w
from .forge import Target, hello, item
from .ok_session import done
from .world import Json, Stream

CONNECT = {"do": "connect", "lose": None}
CHECKPOINT = {"do": "checkpoint", "arrives": True}


def say(
    side: str, data: str, kind: int = 1, arrives: bool = True
) -> Json:
    return {
        "do": "send",
        "from": "initiator" if side == "I" else "responder",
        "type": kind,
        "data": data.encode().hex(),
        "arrives": arrives,
    }


def lost(what: str) -> Json:
    return {"do": "connect", "lose": what}


def vector(
    name: str,
    script: list[Json],
    token: str = "certificate",
    note: str = "",
    mobility: int = 1,
    left: Json | None = None,
    **changes: Any,
) -> Json:
    """The servers are echo and other in turn."""
    initiator = w.initiator(token, **(left or {}))
    count = sum(step["do"] == "connect" for step in script)
    names = ["echo" if i % 2 == 0 else "other" for i in range(count)]
    responders = [moving.server(one, mobility, **changes) for one in names]
    i_random = Stream(f"takeover {name} I")
    r_random = [Stream(f"takeover {name} R{i}") for i in range(count)]
    played = Moving(initiator, responders, i_random, list(r_random))
    for step in script:
        played.step(step)
    whole: Json = {"id": f"takeover-{name}", "kind": "takeover"}
    if note:
        whole["note"] = note
    whole.update(
        initiator=initiator,
        responders=responders,
        initiator_random=i_random.draws,
        responder_random=[stream.draws for stream in r_random],
        script=script,
    )
    return whole


WHOLE = [
    CONNECT,
    CHECKPOINT,
    say("I", "forth"),
    say("R", "back"),
    CHECKPOINT,
    CONNECT,
    say("I", "forth again"),
    say("R", "back again"),
    CHECKPOINT,
    say("I", "", 2),
    say("R", "", 2),
]


def ways() -> Iterator[Json]:
    for suite in (1, 2):
        for mobility, how in ((1, "soft"), (2, "proved")):
            for token in ("certificate", "password", "plain", "ticket"):
                yield vector(
                    f"{how}-{token}-suite{suite}",
                    WHOLE,
                    token,
                    mobility=mobility,
                    left={"suites": [suite]},
                )
    yield vector("grease", WHOLE, left={"grease": True}, grease=True)
    yield vector("target", WHOLE, left={"target": "files"})


def between() -> Iterator[Json]:
    start = [CONNECT, CHECKPOINT]
    end = [say("I", "on"), say("R", "and on"), CHECKPOINT]
    yield vector(
        "lost-forth",
        [*start, say("I", "one"), CHECKPOINT, say("I", "two"), CONNECT, *end],
        note="what came after the checkpoint is sent again",
    )
    yield vector(
        "on-the-way",
        [*start, say("I", "never taken", arrives=False), CONNECT, *end],
    )
    yield vector(
        "tail",
        [*start, say("R", "a tail"), CONNECT, *end],
        note="sent after the last checkpoint, and adopted",
    )
    yield vector(
        "undelivered",
        [
            *start,
            say("R", "on its way", arrives=False),
            {"do": "checkpoint", "arrives": False},
            CONNECT,
            *end,
        ],
        note="stored as sent, and never taken",
    )
    yield vector(
        "close-lost",
        [*start, say("I", "", 2), CONNECT, say("I", "x"), say("I", "", 2)],
        note="a close that was not stored is open again",
    )
    yield vector(
        "close-kept",
        [*start, say("I", "", 2), CHECKPOINT, CONNECT, say("R", "x")],
    )
    yield vector(
        "close-kept-of-the-responder",
        [*start, say("R", "", 2), CONNECT, say("I", "x"), CHECKPOINT],
    )
    yield vector(
        "query",
        [*start, say("R", "", 7), CONNECT, *end],
    )


def retries() -> Iterator[Json]:
    start = [CONNECT, CHECKPOINT, say("I", "one"), say("R", "two"), CHECKPOINT]
    end = [say("I", "on"), say("R", "and on"), CHECKPOINT]
    for mobility, how in ((1, "soft"), (2, "proved")):
        yield vector(
            f"resumed-lost-{how}",
            [*start, lost("resumed"), CONNECT, *end],
            mobility=mobility,
            note="a claim that is not confirmed: again under the same secret",
        )
        yield vector(
            f"confirm-lost-{how}",
            [*start, lost("confirm"), CONNECT, *end],
            mobility=mobility,
            note="under the secret of the epoch that was never confirmed",
        )
    yield vector(
        "resume-lost",
        [*start, lost("resume"), CONNECT, *end],
        note="nothing was claimed; the serial goes on",
    )
    yield vector(
        "lost-in-turn",
        [
            *start,
            lost("resumed"),
            lost("confirm"),
            lost("resumed"),
            CONNECT,
            *end,
            CONNECT,
            *end,
        ],
    )
    yield vector("cookie", WHOLE, retry=["resume"])


def refreshes() -> Iterator[Json]:
    """Soft, and then proved (17.8)."""
    start = [CONNECT, CHECKPOINT, say("I", "one"), say("R", "two"), CHECKPOINT]
    soft = [CONNECT, say("I", "soft"), say("R", "and soft")]
    end = [say("I", "on"), say("R", "and on"), CHECKPOINT]
    both: Json = {"left": {"refresh": True}, "refresh": True}
    for suite in (1, 2):
        for token in ("certificate", "password", "plain", "ticket"):
            yield vector(
                f"refresh-{token}-suite{suite}",
                [*start, *soft, CHECKPOINT, *end, *soft, CHECKPOINT, *end],
                token,
                refresh=True,
                left={"suites": [suite], "refresh": True},
            )
    yield vector(
        "refresh-lost",
        [*start, *soft, {"do": "checkpoint", "arrives": False}, *soft, *end],
        note="again under the secret that was before",
        **both,
    )
    yield vector(
        "refresh-not-confirmed",
        [*start, *soft, CHECKPOINT, *end[:2], *soft, *end],
        note="under the new secret; the state has both",
        **both,
    )
    yield vector(
        "refresh-on-the-way",
        [
            *start,
            *soft,
            say("I", "before it heard", arrives=False),
            say("R", "before it asked", arrives=False),
            CHECKPOINT,
            *end,
        ],
        note="what was sealed before is opened before",
        **both,
    )
    yield vector(
        "refresh-after-close",
        [*start, *soft, say("I", "", 2), CHECKPOINT, CHECKPOINT],
        **both,
    )
    yield vector(
        "refresh-not-asked",
        [*start, *soft, CHECKPOINT, *end],
        left={"refresh": True},
        note="a reply key, and nobody uses it",
    )


def refused() -> Iterator[Json]:
    """A handshake follows (17.5), at either end."""
    for name, config in (
        ("no-store", w.responder()),
        ("no-entry", bad_moving.server(None)),
        ("store", bad_moving.server(None, get="HF_E_STORE")),
    ):
        target = Target("responder", config, f"refused {name}")
        target.feed(bad_moving.resume())
        target.feed(hello())
        yield done(target, f"resume-refused-{name}", "offered")
    for code in (2, 4):
        for known in (None, [moving.FIRST.hex()]):
            name = f"fallback-{code}" + ("-known" if known else "")
            target, _ = bad_resumed.met(name, responder_chain=known)
            target.step(do="reconnect")
            target.feed(item([8, code]))
            state = "request-sent" if known else "hello-sent"
            yield done(target, name, state)


def resumes() -> Iterator[Json]:
    """Forged ones that are good, and what is claimed for them."""
    claimed = bad_moving.stored(
        moving.clear(epoch=5),
        previous=(4, bad_moving.PREVIOUS),
        serial=7,
    )
    half = bad_moving.stored(
        moving.clear(epoch=5), previous=(4, bad_moving.PREVIOUS)
    )
    few = [{**moving.SCOPES[0], "targets": ["a", "b"]}]
    for name, entry, changes, more in (
        (
            "other-target",
            bad_moving.stored(target="a"),
            {"target": "b"},
            {"scopes": few},
        ),
        (
            "previous",
            claimed,
            {"epoch": 4, "serial": 8, "secret": bad_moving.PREVIOUS},
            {},
        ),
        (
            "before-refresh",
            half,
            {"epoch": 4, "serial": 1, "secret": bad_moving.PREVIOUS},
            {},
        ),
        ("after-refresh", half, {"epoch": 5, "serial": 1}, {}),
        (
            "soft-reply-key",
            bad_moving.stored(),
            {"reply_key": bytes(31) + b"\1"},
            {},
        ),
        (
            "tail",
            bad_moving.stored(),
            {"received": moving.mark("tail", 9, 900).item(), "closed": 2},
            {},
        ),
        (
            "behind",
            bad_moving.stored(closed=3),
            {
                "sent": moving.mark("ahead", 9, 9000).item(),
                "received": moving.mark("behind", 0, 0).item(),
                "closed": 1,
            },
            {},
        ),
        ("edges", bad_moving.stored(), {"serial": (1 << 32) - 1}, {}),
        ("last-second", bad_moving.stored(LAST), {}, {}),
        (
            "extensions",
            bad_moving.stored(),
            {"extensions": {0: b"", 65536: bytes(256)}},
            {},
        ),
    ):
        config = bad_moving.server(entry, **more)
        target = Target("responder", config, f"good resume {name}")
        target.feed(bad_moving.resume(**changes))
        yield done(target, f"resume-{name}", "resumed")


LAST = moving.clear(expires=w.NOW + 1)


def files_of_vectors() -> Iterator[tuple[str, list[Json]]]:
    yield "key-grant", [*grants.makes(), *grants.goods()]
    yield "session-moves", [*refused(), *resumes()]
    yield "takeover", [*ways(), *between(), *retries(), *refreshes()]
