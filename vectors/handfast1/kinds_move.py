# SPDX-License-Identifier: ISC
"""Kinds of vectors about sessions that move: stored entries."""

from __future__ import annotations

from typing import Any

from . import states
from .play import Draws, Json, Mismatch, scopes, unhex
from .registry import kind

# Stored entries -------------------------------------------------------------


def read_mark(told: Json) -> states.Mark:
    return states.Mark(told["count"], told["bytes"], unhex(told["digest"]))


def mark_json(mark: states.Mark) -> Json:
    return {
        "count": mark.count,
        "bytes": mark.bytes,
        "digest": mark.digest.hex(),
    }


TICKET = ("method", "first", "limit", "single_use")


def _read_peer(told: Json) -> states.Peer:
    ticket = told["ticket"]
    return states.Peer(
        told["method"],
        told["name"],
        told["subject"],
        told["authenticated"],
        None if told["key"] is None else unhex(told["key"]),
        tuple(map(unhex, told["origins"])),
        told["not_after"],
        None if ticket is None else tuple(ticket[n] for n in TICKET),
    )


def _peer_json(peer: states.Peer) -> Json:
    ticket = peer.ticket
    return {
        "method": peer.method,
        "name": peer.name,
        "subject": peer.subject,
        "authenticated": peer.authenticated,
        "key": peer.key.hex() if peer.key else None,
        "origins": [origin.hex() for origin in peer.origins],
        "not_after": peer.not_after,
        "ticket": dict(zip(TICKET, ticket)) if ticket else None,
    }


def read_state(told: Json) -> states.State:
    previous = told["previous"]
    if previous is not None:
        previous = previous["epoch"], unhex(previous["secret"])
    return states.State(
        told["suite"],
        told["mobility"],
        unhex(told["secret"]),
        previous,
        told["serial"],
        read_mark(told["received"]),
        read_mark(told["sent"]),
        told["closed"],
        told["target"],
        _read_peer(told["peer"]),
    )


def state_json(state: states.State) -> Json:
    previous: Any = None
    if state.previous:
        epoch, secret = state.previous
        previous = {"epoch": epoch, "secret": secret.hex()}
    return {
        "suite": state.suite,
        "mobility": state.mobility,
        "secret": state.secret.hex(),
        "previous": previous,
        "serial": state.serial,
        "received": mark_json(state.received),
        "sent": mark_json(state.sent),
        "closed": state.closed,
        "target": state.target,
        "peer": _peer_json(state.peer),
    }


CLEAR = (
    *("cluster", "scope", "generation", "session_id", "epoch", "owner"),
    *("token", "expires"),
)


def read_clear(told: Json) -> states.Clear:
    fields = {name: told[name] for name in CLEAR}
    fields["session_id"] = unhex(fields["session_id"])
    fields["token"] = unhex(fields["token"])
    return states.Clear(**fields)


def clear_json(clear: states.Clear) -> Json:
    fields = {name: getattr(clear, name) for name in CLEAR}
    return {**fields, "session_id": clear.session_id.hex()} | {
        "token": clear.token.hex()
    }


@kind("entry", *CLEAR, "key", "state", "random")
def entry(v: Json) -> Json:
    """`key` is the generation's."""
    clear, state = read_clear(v), read_state(v["state"])
    draws, key = Draws(v["random"]), unhex(v["key"])
    raw = states.seal(clear, key, draws(32), state)
    box_key, nonce_key = states.keys(key)
    scope = states.Scope(
        clear.scope, (), (states.Generation(clear.generation, key),)
    )
    if states.open_entry(raw, clear.cluster, [scope], 0) != (clear, state):
        raise Mismatch("an entry that opens to something else")
    return {
        "plaintext": state.encode().hex(),
        "aad": clear.aad().hex(),
        "box_key": box_key.hex(),
        "nonce_key": nonce_key.hex(),
        "bytes": raw.hex(),
    }


@kind("entry-open", "cluster", "scopes", "now", "bytes")
def entry_open(v: Json) -> Json:
    clear, state = states.open_entry(
        unhex(v["bytes"]), v["cluster"], scopes(v["scopes"]), v["now"]
    )
    return {"clear": clear_json(clear), "state": state_json(state)}
