# SPDX-License-Identifier: ISC
"""What both roles share as state machines without I/O (spec sections 4 and
11); initiator.py and responder.py are the two.

feed() takes bytes from the peer, drain() gives bytes for it. Where
`question` is set, the application owes answer(). The first error sticks:
it is raised once and stays in `error`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from . import messages, moving, records, schedule, states, takeover, tickets
from .certs import Certificate, Identity
from .crypto import seal
from .errors import HandfastError, need

Random = Callable[[int], bytes]
PREKEY = b""  # prekey_enc and cert_enc of a Diffie-Hellman suite (3.5)


@dataclass
class Token:
    """What an initiator authenticates with."""

    kind: int
    identity: Identity | None = None
    chain: tuple[bytes, ...] = ()
    user: str = ""
    password: str = ""
    file: tickets.TicketFile | None = None


@dataclass
class Peer:
    """Who asks to be trusted, for the application."""

    kind: int
    name: str
    names: tuple[str, ...] = ()
    stretched: bytes = b""
    password: str = ""
    ticket: tickets.Ticket | None = None
    target: str = ""


@dataclass
class Question:
    """admit: of `type`, with its `cookie` good or not, and of a request
    the fingerprint. trust: the peer. burn: the ticket's cti. state: the
    session's entry is wanted; claim and confirm: `entry` is to be put in the
    place of the last one."""

    what: str
    type: int = 0
    cookie: bool = False
    fingerprint: bytes = b""
    peer: Peer | None = None
    cti: bytes = b""
    entry: bytes = b""


class Session:
    """What both roles share."""

    role = ""

    def __init__(self, random: Random, now: int, deadline: int, grease: bool):
        self.random = random
        self.now = now
        self.elapsed = self.began = 0
        self.deadline = deadline
        self.grease = grease
        self.state = "start"
        self.error: HandfastError | None = None
        self.question: Question | None = None
        self.received: list[tuple[int, bytes]] = []
        self.keys: schedule.Keys | None = None
        self.granted: messages.Granted | None = None
        self.grant_time = 0
        self.requests: list[dict[str, Any]] = []
        self.derived: dict[str, Any] = {}
        self.sent_any = False
        self.own_close = self.peer_close = False
        self._in = bytearray()
        self._out = bytearray()
        self._kind = -1
        self.leaf: Certificate | None = None  # the responder's
        self.home: Certificate | None = None  # where the session began
        self.sending: records.Direction | None = None
        self.receiving: records.Direction | None = None
        self.move: moving.Move | None = None
        self.refused: str | None = None  # why a resume was
        self.channels = False  # carried in the place of data (20.1)

    # What the caller does ---------------------------------------------------

    def feed(self, data: bytes) -> None:
        need(self._takes(), "HF_E_STATE", f"feed in {self.state}")
        self._in += data
        self._guard(self._run)

    def answer(self, verdict: str | None = None) -> None:
        """None: go on. "retry": to an admission. Else an HF_E_ name."""
        need(self.question is not None, "HF_E_STATE", "no question")

        def go() -> None:
            question, self.question = self.question, None
            assert question is not None
            if question.what == "claim" and verdict == "HF_E_STORE":
                self._claim_refused(verdict)
                self._run()
                return
            if verdict and verdict != "retry":
                raise HandfastError(verdict, "the application")
            self._answered(question, verdict == "retry")
            self._run()

        self._kind = -1
        self._guard(go)

    def drain(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def end(self) -> None:
        """The peer's stream has ended (2.3)."""
        if self.state in ("closed", "failed"):
            return
        if self.state != "open":
            self._end("HF_E_GONE")
        elif not self.peer_close:
            self._end("HF_E_TRUNCATED")

    def end_quietly(self) -> None:
        """The same where it is no matter that it is an error."""
        try:
            self.end()
        except HandfastError:
            pass

    def _end(self, name: str) -> None:
        def fail() -> None:
            raise HandfastError(name, "the stream has ended")

        self._guard(fail)

    def fail(self, fault: HandfastError) -> None:
        """What a record carries is wrong, to those whom it is for."""

        def judge() -> None:
            raise fault

        self._kind = -1
        self._guard(judge)

    def tick(self, seconds: int) -> None:
        """Time passes."""
        self.elapsed += seconds
        self.now += seconds

        def judge() -> None:
            if self.state == "open":
                assert self.granted is not None
                age = self.elapsed - self.grant_time
                need(age < self.granted.lifetime, "HF_E_EXPIRED", "lifetime")
            elif self.state not in ("closed", "failed"):
                spent = self.elapsed - self.began
                need(spent < self.deadline, "HF_E_DEADLINE")

        self._kind = -1
        self._guard(judge)

    def send(self, kind: int, data: bytes) -> None:
        need(self.state == "open" and not self.own_close, "HF_E_STATE")
        assert self.sending is not None
        self._out += self.sending.seal(kind, data)
        if kind == records.CLOSE:
            self.own_close = True
            self._maybe_closed()

    def export(self, label: str, context: bytes, length: int) -> bytes:
        need(self.state in ("open", "closed"), "HF_E_STATE", "exporter")
        assert self.keys is not None
        return schedule.export(self.keys.exporter, label, context, length)

    # Inside -----------------------------------------------------------------

    def _takes(self) -> bool:
        if self.question or self.state in ("closed", "failed"):
            return False
        return bool(self._legal_types())

    def _legal_types(self) -> tuple[int, ...]:
        raise NotImplementedError

    def _handle(self, kind: int, reader: Any) -> None:
        raise NotImplementedError

    def _answered(self, question: Question, retry: bool) -> None:
        raise NotImplementedError

    def _claim_refused(self, name: str) -> None:
        raise NotImplementedError

    def _legal(self) -> tuple[int, ...]:
        if self.state == "open":
            done = self.peer_close and not self.move
            return () if done else (messages.RECORD,)
        return self._legal_types()

    def _run(self) -> None:
        while self._takes():
            legal = self._legal()
            kind = messages.begins(self._in)
            self._kind = kind if kind in legal else -1
            found = messages.frame(bytes(self._in), legal, 16)
            if found is None:
                return
            kind, reader = found
            del self._in[: len(reader.data)]
            if kind == messages.RECORD and self.state == "open":
                self._record(reader)
            elif kind == messages.RECORD:
                pass  # of the epoch before (17.9)
            elif kind == messages.ALERT:
                self._take_alert(reader)
            else:
                self._handle(kind, reader)

    def _take_alert(self, reader: Any) -> None:
        clear = self.role == "initiator"
        raise messages.read_alert(reader, clear=clear)

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except HandfastError as fault:
            if self.error is None:
                self.error = fault
                self._alert(fault)
                self.state = "failed"
                self.question = None
            raise

    def _alert(self, fault: HandfastError) -> None:
        """Section 12.2."""
        code = fault.alert
        if fault.name == "HF_E_EXHAUSTED" and self.sending is None:
            code = 1  # the epochs of a session (17.2)
        if not code or self.own_close or self._kind == messages.ALERT:
            return
        if self.role == "initiator" and not self.sent_any:
            return
        if self.sending is None:
            self._out += messages.encode_alert(code)
        else:
            self._out += self.sending.seal(records.ALERT, bytes([code]))

    def _record(self, reader: Any) -> None:
        assert self.receiving is not None
        box = messages.read_record(reader, 16)
        before = self.receiving.mark()
        kind, data = self.receiving.open(box)
        if kind == records.ALERT:
            self._kind = messages.ALERT
        records.judge(
            kind,
            data,
            self.role == "initiator",
            self.leaf,
            self.move is not None,
            self.channels,
        )
        late = kind not in (records.ACK, records.QUERY, records.REFRESH)
        need(not (self.peer_close and late), "HF_E_UNEXPECTED", "after close")
        if kind == records.ACK:
            assert self.move is not None
            self.move.take_ack(data)
        if kind == records.REFRESH:
            self._take_refresh(data, before)
        self.received.append((kind, data))
        if kind == records.CLOSE:
            self.peer_close = True
            self._maybe_closed()
        move = self.move
        if move and self.role == "initiator" and move.ack_due():
            assert self.sending is not None
            move.told = self.receiving.mark()
            data = moving.ack(move.told.count, self.sending.count)
            self._out += self.sending.seal(records.ACK, data)

    def _take_refresh(self, data: bytes, before: states.Mark) -> None:
        raise NotImplementedError

    def _maybe_closed(self) -> None:
        if self.own_close and self.peer_close:
            self.state = "closed"

    def _extensions(self) -> messages.Extensions:
        return messages.grease(self.random(11)) if self.grease else {}

    def _send(self, message: bytes) -> None:
        self._out += message
        self.sent_any = True

    def _open_keys(self, keys: schedule.Keys) -> None:
        """Both directions, named by their senders."""
        self.keys = keys
        initiator = records.Direction(
            keys.suite,
            keys.initiator_key,
            keys.initiator_iv,
            keys.initiator_digest,
        )
        responder = records.Direction(
            keys.suite,
            keys.responder_key,
            keys.responder_iv,
            keys.responder_digest,
        )
        if self.role == "initiator":
            self.sending, self.receiving = initiator, responder
        else:
            self.sending, self.receiving = responder, initiator
        self.grant_time = self.elapsed

    def _open_epoch(
        self,
        keys: schedule.Keys,
        epoch: int,
        initiator: states.Mark,
        responder: states.Mark,
    ) -> None:
        """Both directions go on at their bases (17.4)."""
        began = self.grant_time
        self._open_keys(keys)
        self.grant_time = began
        assert self.sending and self.receiving and self.move
        both = [self.sending, self.receiving]
        if self.role != "initiator":
            both.reverse()
        for number, direction, base in (
            (1, both[0], initiator),
            (2, both[1], responder),
        ):
            mark = takeover.rebase(epoch, number, base)
            direction.count, direction.bytes = mark.count, mark.bytes
            direction.digest = mark.digest
            direction.marks = {mark.count: mark}
        self.move.own, self.move.peers = self.sending, self.receiving


def confirm(keys: schedule.Keys) -> bytes:
    """Section 4.6."""
    box = seal(1, keys.confirmation, bytes(12), messages.CONFIRM_AAD, b"")
    return messages.cbor.encode([messages.CONFIRM, box])
