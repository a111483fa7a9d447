# SPDX-License-Identifier: ISC
"""Channels: what one end of a session's layer makes of frames, and which it
sends (spec section 20)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator

from . import cbor
from .errors import HandfastError, need

OPEN, DATA, CREDIT, FIN, RESET = range(5)
CHANNELS_MAX = 1024
LABEL_MAX = 64
FIRST_CREDIT = 65536
CREDIT_MAX = 1 << 24
QUANTUM = 16384
WORD = 2048
CANCELLED, REFUSED, LIMIT, LOST = 1, 2, 4, 129


def sent(reason: int) -> bool:
    """Whether a reset may say so (20.5)."""
    return 1 <= reason <= 127 or 192 <= reason <= 255


@dataclass
class Limits:
    own: int = 256
    peers: int = 256
    window: int = 4 * FIRST_CREDIT
    send: int = FIRST_CREDIT


@dataclass(eq=False)
class Channel:
    """One end of a channel. What begins with `said` or `heard` is a final
    frame; a reset counts as said when it is decided."""

    own: bool
    label: str
    number: int | None = None
    held: bool = True
    taken: bool = False  # the other side's, and there was room for it
    unread: bytes = b""
    unsent: bytes = b""
    credit: int = FIRST_CREDIT
    given: int = FIRST_CREDIT
    finishing: bool = False
    cut: int = 0
    hangup: bool = False
    said_fin: bool = False
    said_reset: bool = False
    heard_fin: bool = False
    heard_reset: bool = False
    over: bool = False
    ended: bool = False
    reason: int = 0
    round: int = 0  # in which it said something last,
    said: int = 0  # and how much
    due: dict[int, int] = field(default_factory=dict)  # opens and the like

    @property
    def finished(self) -> bool:
        return self.heard_fin and not self.unread

    @property
    def ready(self) -> bool:
        if self.over or self.said_reset or self.said_fin:
            return False
        return self.credit > 0 if self.unsent else self.finishing


class Mux:
    def __init__(self, role: str, limits: Limits) -> None:
        self.limits = limits
        self.own_next = 0 if role == "initiator" else 1
        self.peers_next = 1 - self.own_next
        self.live: dict[int, Channel] = {}
        self.all: list[Channel] = []
        self.control: list[Channel] = []
        self.turns: list[Channel] = []
        self.words: list[Channel] = []
        self.round, self.ahead = 1, 0
        self.opened: list[Channel] = []  # by the peer, not told yet
        self.fault: HandfastError | None = None

    # What arrives -----------------------------------------------------------

    def feed(self, record: bytes) -> None:
        if self.fault:
            raise self.fault
        reader = cbor.Reader(record)
        try:
            self._frame(reader)
            while reader.pos < len(record):
                self._frame(reader)
        except HandfastError as fault:
            self.fault = fault
            self.drop(LOST)
            raise

    def _frame(self, reader: cbor.Reader) -> None:
        count = reader.array(2, 3)
        kind = reader.uint()
        need(kind <= RESET, "HF_E_UNEXPECTED", "no such frame")
        need(count == (2 if kind == FIN else 3), "HF_E_SHAPE", "items")
        number = reader.uint(0, (1 << 32) - 1)
        value: Any = None
        if kind == OPEN:
            value = reader.text(0, LABEL_MAX)
        elif kind == DATA:
            value = reader.string(1, 65536)
        elif kind == CREDIT:
            value = reader.uint(1, CREDIT_MAX)
        elif kind == RESET:
            value = reader.uint(0, 255)
            need(sent(value), "HF_E_SHAPE", "a reason that is not sent")
        if kind == OPEN:
            self._open(number, value)
            return
        ch = self.live.get(number)
        if ch is None:
            own = number % 2 == self.own_next % 2
            late = number < (self.own_next if own else self.peers_next)
            passed = late and kind in (CREDIT, RESET)
            need(passed, "HF_E_UNEXPECTED", "no such channel")
        elif kind == DATA:
            self._data(ch, value)
        elif kind == CREDIT and not ch.said_reset:
            need(ch.credit + value <= CREDIT_MAX, "HF_E_SHAPE", "credit")
            ch.credit += value
            self._line(ch)
        elif kind == FIN:
            need(not ch.heard_fin, "HF_E_UNEXPECTED", "a second fin")
            ch.heard_fin = True
            ch.due.pop(CREDIT, None)
            self._judge(ch)
        elif kind == RESET:
            self._reset(ch, value)

    def _open(self, number: int, label: str) -> None:
        need(number == self.peers_next, "HF_E_UNEXPECTED", "open")
        # One whose reset is not answered yet counts, as it does there.
        count = sum(not ch.own and (not ch.over or RESET in ch.due and
                                    not ch.said_fin) for ch in self.all)
        need(count < CHANNELS_MAX, "HF_E_TOO_BIG", "channels")
        self.peers_next += 2
        taken = sum(ch.taken and (ch.held or not ch.over) for ch in self.all)
        ch = Channel(False, label, number)
        self.live[number] = ch
        self.all.append(ch)
        if taken < self.limits.peers:
            ch.taken = True
            self.opened.append(ch)
            return
        ch.held, ch.ended = False, True
        self._refuse(ch, LIMIT if self.limits.peers else REFUSED)

    def _data(self, ch: Channel, data: bytes) -> None:
        need(not ch.heard_fin, "HF_E_UNEXPECTED", "data after fin")
        need(len(data) <= ch.given, "HF_E_TOO_BIG", "no credit")
        ch.given -= len(data)
        if ch.held and not ch.ended:
            ch.unread += data

    def _reset(self, ch: Channel, reason: int) -> None:
        ch.heard_reset = True
        self._end(ch, reason)
        if not ch.said_reset and not ch.said_fin:
            self._refuse(ch, reason)
        else:
            self._silence(ch)
            self._judge(ch)

    # States -------------------------------------------------------------------

    @staticmethod
    def _end(ch: Channel, reason: int) -> None:
        if not ch.ended:
            ch.ended, ch.reason = True, reason

    @staticmethod
    def _silence(ch: Channel) -> None:
        ch.unsent = b""
        ch.finishing = ch.hangup = False
        ch.due.pop(CREDIT, None)

    def _refuse(self, ch: Channel, reason: int) -> None:
        self._silence(ch)
        ch.said_reset, ch.reason = True, reason
        if ch.due.pop(OPEN, None) is not None:
            ch.heard_fin = True  # it was never there for the peer
        else:
            ch.due[RESET] = reason
        self._judge(ch)

    def _judge(self, ch: Channel) -> None:
        said = ch.said_fin or ch.said_reset
        if not ch.over and said and (ch.heard_fin or ch.heard_reset):
            ch.over = True
            ch.due.pop(CREDIT, None)
            if ch.number is not None:
                self.live.pop(ch.number, None)
            self._end(ch, 0)
        self._line(ch)

    def _line(self, ch: Channel) -> None:
        if ch.due and ch not in self.control:
            self.control.append(ch)
        elif not ch.due and ch in self.control:
            self.control.remove(ch)
        if ch.ready and ch not in self.turns + self.words:
            (self.words if self._is_word(ch) else self.turns).append(ch)
        for line in (self.turns, self.words):
            if not ch.ready and ch in line:
                line.remove(ch)
        if ch.over and not ch.held and not ch.due and ch in self.all:
            self.all.remove(ch)

    def _is_word(self, ch: Channel) -> bool:
        said = ch.said if ch.round == self.round else 0
        size = len(ch.unsent)
        return size <= WORD and said + size <= QUANTUM

    def drop(self, reason: int) -> None:
        for ch in list(self.all):
            self._silence(ch)
            ch.due.clear()
            ch.over = True
            self._end(ch, reason)
            self._line(ch)
        self.live.clear()

    def restart(self, reason: int) -> None:
        self.drop(reason)
        self.own_next %= 2
        self.peers_next = 1 - self.own_next
        self.fault = None

    # What an application does -------------------------------------------------

    def open(self, label: str) -> Channel:
        need(self.fault is None, "HF_E_STATE", "failed")
        waiting = sum(OPEN in ch.due for ch in self.all)
        numbers = self.own_next + 2 * waiting < 1 << 32
        need(numbers, "HF_E_EXHAUSTED", "numbers")
        live = sum(ch.own and not ch.over for ch in self.all)
        need(live < self.limits.own, "HF_E_SPACE", "channels")
        ch = Channel(True, label)
        ch.due[OPEN] = 0
        self.all.append(ch)
        self._line(ch)
        return ch

    def send(self, ch: Channel, data: bytes) -> int:
        need(not ch.ended and not ch.finishing, "HF_E_STATE", "ended")
        taken = min(len(data), self.limits.send - len(ch.unsent))
        ch.unsent += data[:taken]
        self._line(ch)
        return taken

    def finish(self, ch: Channel) -> None:
        need(not ch.ended, "HF_E_STATE", "ended")
        ch.finishing = True
        self._line(ch)

    def reset(self, ch: Channel, reason: int) -> None:
        ch.unread = b""
        if not ch.ended:
            ch.ended = True
            self._refuse(ch, reason)

    def cut(self, ch: Channel, reason: int) -> None:
        if ch.ended or ch.said_fin:
            self.reset(ch, reason)
            return
        ch.unread = b""
        ch.ended = ch.finishing = True
        ch.reason = ch.cut = reason
        self._line(ch)

    def free(self, ch: Channel) -> None:
        ch.held, ch.unread = False, b""
        if not ch.ended and ch.finishing:
            ch.hangup = True
            if ch.said_fin and not ch.heard_fin:
                self._refuse(ch, CANCELLED)
        elif not ch.ended:
            self._refuse(ch, CANCELLED)
        self._judge(ch)

    def take(self, ch: Channel, size: int) -> bytes:
        need(size <= len(ch.unread), "HF_E_ARG", "not so much")
        data, ch.unread = ch.unread[:size], ch.unread[size:]
        grant = self.limits.window - len(ch.unread) - ch.given
        due = size and not ch.ended and not ch.heard_fin
        if due and grant >= self.limits.window // 2:
            ch.due[CREDIT] = 0
            self._line(ch)
        return data

    # What is sent (20.4) ------------------------------------------------------

    def output(self) -> bytes:
        """All there is to send, of any size."""
        if self.fault:
            raise self.fault
        return b"".join(cbor.encode(frame) for frame in self._frames())

    def records(self, most: int) -> Iterator[bytes]:
        """The same in records of at most so many bytes, each of at least one
        frame."""
        if self.fault:
            raise self.fault
        part = b""
        for frame in map(cbor.encode, self._frames()):
            if part and len(part) + len(frame) > most:
                yield part
                part = b""
            part += frame
        if part:
            yield part

    def _frames(self) -> Iterator[list[Any]]:
        while self.control:
            yield self._control(self.control[0])
        while self.turns or self.words:
            if self.words and (not self.turns or self.ahead < QUANTUM):
                yield from self._word(self.words.pop(0))
            else:
                yield from self._turn(self.turns.pop(0))
        while self.control:
            yield self._control(self.control[0])

    def _control(self, ch: Channel) -> list[Any]:
        frame: list[Any]
        if OPEN in ch.due:
            ch.number = self.own_next
            self.own_next += 2
            self.live[ch.number] = ch
            del ch.due[OPEN]
            frame = [OPEN, ch.number, ch.label]
        elif RESET in ch.due:
            frame = [RESET, ch.number, ch.due[RESET]]
            ch.due.clear()
        else:
            grant = self.limits.window - len(ch.unread) - ch.given
            ch.given += grant
            del ch.due[CREDIT]
            frame = [CREDIT, ch.number, grant]
        self._judge(ch)
        return frame

    def _turn(self, ch: Channel) -> Iterator[list[Any]]:
        self.round += ch.round == self.round
        ch.round, ch.said, self.ahead = self.round, 0, 0
        yield from self._say(ch, QUANTUM)

    def _word(self, ch: Channel) -> Iterator[list[Any]]:
        if ch.round < self.round:
            ch.round, ch.said = self.round, 0
        before = ch.said
        yield from self._say(ch, WORD)
        self.ahead += ch.said - before

    def _say(self, ch: Channel, most: int) -> Iterator[list[Any]]:
        size = min(most, len(ch.unsent), ch.credit)
        if size:
            yield [DATA, ch.number, ch.unsent[:size]]
            ch.unsent = ch.unsent[size:]
            ch.credit -= size
            ch.said += size
        if not ch.unsent and ch.finishing and ch.cut:
            self._refuse(ch, ch.cut)
        elif not ch.unsent and ch.finishing:
            yield [FIN, ch.number]
            ch.said_fin = True
            if ch.hangup and not ch.heard_fin:
                ch.said_reset, ch.reason = True, CANCELLED
                ch.due[RESET] = CANCELLED
        self._judge(ch)
