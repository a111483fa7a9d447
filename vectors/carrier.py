# SPDX-License-Identifier: ISC
"""Channels over TCP (spec section 20): peer.py with --channels. An initiator
says its whole input on each of so many channels, in pieces of its own size each,
and must get it back on each; a responder sends back what comes on any."""

from __future__ import annotations

import os
import sys
from typing import Any

from handfast1 import channels, records
from handfast1.errors import HandfastError, need

RECORD = 40000  # of frames, at most: two turns and what goes with them


class Carrier:
    """The channels of one session."""

    def __init__(self, link: Any) -> None:
        need(link.side.channels, "HF_E_UNSUPPORTED", "no channels there")
        self.link, self.side = link, link.side
        self.mux = channels.Mux(self.side.role, channels.Limits())
        self.closed = False

    def flush(self) -> None:
        for frames in self.mux.records(RECORD):
            self.side.send(records.CHANNEL, frames)
        self.link.flush()

    def hear(self) -> None:
        """What has come, or the next thing that does."""
        found = self.link.new()
        if not found:
            self.link.receive()
            found = self.link.new()
        for kind, data in found:
            if kind == records.CLOSE:
                self.closed = True
            elif kind == records.CHANNEL:
                self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            self.mux.feed(data)
        except HandfastError as fault:
            self.link.guarded(lambda: self.side.fail(fault))

    def end(self) -> None:
        self.link.close()
        while not self.closed and self.side.state == "open":
            self.hear()


def initiate(link: Any, count: int) -> None:
    carrier = Carrier(link)
    data = sys.stdin.buffer.read()
    every = [carrier.mux.open("") for _ in range(count)]
    left = {ch: data for ch in every}
    got = {ch: b"" for ch in every}
    while not all(ch.over and not ch.unread for ch in every):
        for i, ch in enumerate(every):
            need(not ch.reason, "HF_E_RESET", f"channel {i}: {ch.reason}")
            if left[ch]:
                piece = left[ch][: 1000 * 3**i]
                left[ch] = left[ch][carrier.mux.send(ch, piece) :]
            if not left[ch] and not ch.finishing:
                carrier.mux.finish(ch)
            got[ch] += carrier.mux.take(ch, len(ch.unread))
        carrier.flush()
        if any(left[ch] and not ch.unsent for ch in every):
            continue
        if not all(ch.over for ch in every):
            carrier.hear()
    need(all(back == data for back in got.values()), "HF_E_SHAPE", "bytes")
    carrier.end()
    print(f"peer: {count} channels", file=sys.stderr)
    os.write(1, data)


def respond(link: Any) -> None:
    carrier = Carrier(link)
    every: list[channels.Channel] = []
    count = 0
    while not carrier.closed:
        every += carrier.mux.opened
        count += len(carrier.mux.opened)
        carrier.mux.opened = []
        for ch in every:
            if not ch.ended and ch.unread:
                taken = carrier.mux.send(ch, ch.unread)
                carrier.mux.take(ch, taken)
            if not ch.ended and ch.finished and not ch.finishing:
                carrier.mux.finish(ch)
            if ch.ended:
                carrier.mux.free(ch)
        every = [ch for ch in every if not ch.ended]
        carrier.flush()
        # What waits for credit only hears of it; what has made room goes on.
        if not any(ch.unread and not ch.unsent for ch in every):
            carrier.hear()
    carrier.end()
    print(f"peer: {count} channels", file=sys.stderr)
