# SPDX-License-Identifier: ISC
"""Kinds of vectors about sessions at rest."""

from __future__ import annotations

from typing import Any

from . import resting
from .kinds_move import mark_json, read_mark
from .play import Draws, Json, Mismatch, unhex
from .registry import kind

NUMBERS = (
    *("suite", "mobility", "channels", "epoch", "serial", "covered"),
    "closed",
)


def read_rested(told: Json) -> resting.Rested:
    fields: dict[str, Any] = {name: told[name] for name in NUMBERS}
    for name in ("secret", "settings", "leaf"):
        fields[name] = unhex(told[name])
    for name in ("sent", "acked", "received"):
        fields[name] = read_mark(told[name])
    fields["origins"] = tuple(map(unhex, told["origins"]))
    return resting.Rested(target=told["target"], **fields)


def rested_json(r: resting.Rested) -> Json:
    return {
        "suite": r.suite,
        "mobility": r.mobility,
        "channels": r.channels,
        "epoch": r.epoch,
        "secret": r.secret.hex(),
        "serial": r.serial,
        "sent": mark_json(r.sent),
        "acked": mark_json(r.acked),
        "received": mark_json(r.received),
        "covered": r.covered,
        "closed": r.closed,
        "settings": r.settings.hex(),
        "target": r.target,
        "leaf": r.leaf.hex(),
        "origins": [origin.hex() for origin in r.origins],
    }


@kind("rest", "peer", "session_id", "expires", "key", "state", "random")
def rest(v: Json) -> Json:
    clear = resting.Clear(v["peer"], unhex(v["session_id"]), v["expires"])
    rested, key = read_rested(v["state"]), unhex(v["key"])
    raw = resting.seal_plain(
        clear, key, Draws(v["random"])(32), rested.encode()
    )
    if resting.wake(raw, v["peer"], key) != (clear, rested):
        raise Mismatch("it wakes as something else")
    box_key, nonce_key = resting.keys(key)
    return {
        "plaintext": rested.encode().hex(),
        "aad": clear.aad().hex(),
        "box_key": box_key.hex(),
        "nonce_key": nonce_key.hex(),
        "bytes": raw.hex(),
    }


@kind("rest-open", "peer", "key", "bytes")
def rest_open(v: Json) -> Json:
    clear, rested = resting.wake(
        unhex(v["bytes"]), v["peer"], unhex(v["key"])
    )
    return {
        "session_id": clear.session_id.hex(),
        "expires": clear.expires,
        "state": rested_json(rested),
    }
