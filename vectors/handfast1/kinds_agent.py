# SPDX-License-Identifier: ISC
"""Kind of vectors about the agent's own protocol."""

from __future__ import annotations

from typing import Any

from . import agent_frames
from .crypto import H
from .errors import HandfastError
from .play import Json, Mismatch, unhex
from .registry import kind

# They may be greater than what JSON's readers agree about.
COUNTS = (
    *("epoch", "channels", "opened", "handshakes", "resumes", "received"),
    "sent",
)


def field_json(name: str, value: Any) -> Any:
    if name in COUNTS:
        return str(value)
    if name == "session_id" and not value:
        return None
    return value.hex() if isinstance(value, bytes) else value


def frame_json(frame: agent_frames.Frame) -> Json:
    fields = {n: field_json(n, v) for n, v in frame.fields.items()}
    return {"type": frame.name, **fields}


@kind("agent-frames", "side", "bytes", "at")
def frames(v: Json) -> Json:
    stream, raw = agent_frames.Stream(v["side"]), unhex(v["bytes"])
    for at in range(len(raw)):
        try:
            stream.feed(raw[at : at + 1])
        except HandfastError:
            if v["at"] != at + 1:
                raise Mismatch(f"at: {at + 1} bytes show it") from None
            raise
    if v["at"] is not None:
        raise Mismatch("at: nothing is wrong")
    again = b"".join(frame.encode() for frame in stream.said)
    if again + stream.part != raw:
        raise Mismatch("bytes: written otherwise")
    return {
        "frames": [frame_json(frame) for frame in stream.said],
        "left": len(stream.part),
        "next": list(stream.may()),
        "hash": H(raw).hex(),
    }
