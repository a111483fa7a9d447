# SPDX-License-Identifier: ISC
"""An initiator over TCP whose session moves: peer.py with several --connect.
It leaves its connection by itself, --moves times, in the middle of what it
sends, and whenever a server goes or asks it to; then it resumes with the next
address and says again what had not been released there."""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import sys
import time
from typing import Any, Callable

from handfast1 import records
from handfast1.errors import HandfastError, need

PIECE = 4096
PATIENCE = 20  # seconds without a server, or without a word of it


def address(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Mover:
    def __init__(
        self, args: argparse.Namespace, side: Any, link: Callable[[Any], Any]
    ) -> None:
        self.args, self.side, self.new_link = args, side, link
        self.data = sys.stdin.buffer.read()
        self.turn = self.moved = self.taken = self.shown = 0
        self.link: Any = None

    def say(self, text: str) -> None:
        print(f"peer: {text}", file=sys.stderr, flush=True)

    def connect(self) -> socket.socket:
        end = time.monotonic() + PATIENCE
        while True:
            where = self.args.connect[self.turn % len(self.args.connect)]
            self.turn += 1
            try:
                return socket.create_connection(address(where), 10)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def begin(self) -> None:
        self.link = self.new_link(self.connect())
        self.link.guarded(self.side.start)
        self.link.handshake()
        need(self.side.move is not None, "HF_E_STATE", "it does not move")

    def attempt(self) -> bool:
        """Where the owner wrote meanwhile a claim comes too late, and nothing
        is said: once more, with the next serial."""
        self.link = self.new_link(self.connect())
        self.link.taken = self.taken
        try:
            self.link.guarded(self.side.reconnect)
            self.link.handshake()
        except HandfastError as fault:
            if fault.name != "HF_E_GONE":
                raise
            self.link.sock.close()
            return False
        return True

    def move(self) -> None:
        """To the next server that has it."""
        self.link.sock.close()
        self.side.end_quietly()
        self.side.refreshed = {}
        end = time.monotonic() + PATIENCE
        while not self.attempt():
            late = time.monotonic() > end
            need(not late, "HF_E_GONE", "nobody takes it over")
        self.moved += 1
        self.say(f"moved, epoch {self.side.move.epoch}")

    def show(self) -> bool:
        """What has come. True: it is to go elsewhere."""
        asked = False
        for kind, data in self.link.new():
            if kind == records.DATA:
                os.write(1, data)
                self.shown += len(data)
            asked = asked or kind == records.QUERY
        self.taken = self.link.taken
        return asked

    def hear(self, wait: float) -> bool:
        """False: the connection is over, or shall be."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.link.sock, selectors.EVENT_READ)
            if not waiting.select(wait):
                return True
        try:
            going = self.link.receive()
        except HandfastError as fault:
            if fault.name not in ("HF_E_TRUNCATED", "HF_E_GONE"):
                raise
            going = False
        return not self.show() and going

    def leaves_now(self) -> bool:
        """At so many points of the stream, with data under way; where a
        refresh is wanted it was made before."""
        sent = self.side.sending.bytes
        due = self.moved < self.args.moves and sent >= len(self.data) * (
            self.moved + 1
        ) // (self.args.moves + 1)
        if due and self.args.refresh and self.moved > 0:
            self.wait(lambda: bool(self.side.refreshed), "a refresh")
            self.say(f"proved, epoch {self.side.move.epoch}")
        return due

    def wait(self, until: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            late = time.monotonic() > end
            need(not late, "HF_E_DEADLINE", f"waiting for {what}")
            need(self.hear(0.1), "HF_E_TRUNCATED", f"waiting for {what}")

    def send_some(self) -> None:
        """As much as the next piece; the close after the last."""
        at = self.side.sending.bytes
        piece = self.data[at : at + PIECE]
        if piece:
            self.link.send(piece)
        elif not self.side.own_close:
            self.link.close()

    def run(self) -> None:
        self.begin()
        self.wait(lambda: self.side.move.heard, "the first ack")
        last = time.monotonic()
        while self.side.state == "open":
            more = self.side.own_close is False
            try:
                if more:
                    self.send_some()
                heard = self.hear(0 if more else 1)
            except OSError:
                heard = False
            if self.side.state == "closed":
                break
            if not heard or self.leaves_now():
                self.move()
                last = time.monotonic()
            late = time.monotonic() - last > PATIENCE
            need(not late, "HF_E_DEADLINE", "no word")
        self.link.sock.close()
        need(self.side.state == "closed", "HF_E_TRUNCATED", "no close")
        same = self.shown == len(self.data) or self.args.one_way
        need(same, "HF_E_TRUNCATED", "less came back than was sent")
        self.say(f"closed after {self.moved} moves")
