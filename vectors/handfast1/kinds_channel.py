# SPDX-License-Identifier: ISC
"""One end of a session's channels, step by step (spec section 20)."""

from __future__ import annotations

from . import channels
from .crypto import H
from .play import Json, Mismatch, unhex
from .registry import kind

SHORT = 1024  # bytes that stand as they are


class End:
    """The mux, and the handles in the order in which they came."""

    def __init__(self, v: Json) -> None:
        self.mux = channels.Mux(
            v["role"],
            channels.Limits(v["own"], v["peers"], v["window"], v["send"]),
        )
        self.handles: list[channels.Channel] = []

    def step(self, step: Json) -> Json:
        mux, do = self.mux, step["do"]
        found: Json = {}
        if do == "feed":
            mux.feed(unhex(step["bytes"]))
            self.handles += mux.opened
            mux.opened = []
        elif do == "open":
            self.handles.append(mux.open(step["label"]))
        elif do == "restart":
            mux.restart(step["reason"])
        else:
            ch = self.handles[step["channel"]]
            if do == "send":
                data = bytes([step["byte"]]) * step["size"]
                found["taken"] = mux.send(ch, data)
            elif do == "finish":
                mux.finish(ch)
            elif do == "reset":
                mux.reset(ch, step["reason"])
            elif do == "cut":
                mux.cut(ch, step["reason"])
            elif do == "take":
                found["hash"] = H(mux.take(ch, step["size"])).hex()
            elif do == "free":
                mux.free(ch)
            else:
                raise Mismatch(f"no such step: {do}")
        out = mux.output()
        if len(out) <= SHORT:
            return {**found, "out": out.hex()}
        return {**found, "out_length": len(out), "out_hash": H(out).hex()}


@kind("channel", "role", "own", "peers", "window", "send", "steps")
def channel(v: Json) -> Json:
    end = End(v)
    results = [end.step(step) for step in v["steps"]]
    fed = [s["bytes"] for s in v["steps"] if s["do"] == "feed"]
    return {
        "hash": H(unhex("".join(fed))).hex(),
        "results": results,
        "channels": [
            {
                "label": ch.label,
                "unread": len(ch.unread),
                "finished": ch.finished,
                "ended": ch.ended,
                "reason": ch.reason if ch.ended else 0,
            }
            for ch in end.handles
            if ch.held
        ],
    }
