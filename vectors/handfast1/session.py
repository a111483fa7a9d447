# SPDX-License-Identifier: ISC
"""Both roles as state machines without I/O (spec sections 4 and 11).

feed() takes bytes from the peer, drain() gives bytes for it. Where
`question` is set, the application owes answer(). The first error sticks:
it is raised once and stays in `error`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Sequence

from . import (
    cookies,
    hpke,
    messages,
    moving,
    passwords,
    records,
    refresh,
    schedule,
    states,
    takeover,
    tickets,
)
from .certs import (
    INITIATOR,
    RESPONDER,
    SERVER,
    Certificate,
    Identity,
    Trust,
    check_own,
)
from .crypto import seal, unseal, x25519_public
from .errors import HandfastError, need
from .messages import CERTIFICATE, PASSWORD, PLAIN, TICKET

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
                assert isinstance(self, Responder)
                self.taken = None
                self._refuse_resume(verdict)
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


# Initiator ------------------------------------------------------------------


@dataclass
class InitiatorConfig:
    now: int
    trust: Trust
    token: Token
    suites: tuple[int, ...] = schedule.SUITES
    expect: str | None = None
    realm: str | None = None
    target: str = ""
    known: tuple[bytes, ...] | None = None
    prekey: bool = False
    grease: bool = False
    deadline: int = 10
    refresh: bool = False
    dispatched: bool = False
    channels: bool = False


class Initiator(Session):
    role = "initiator"

    def __init__(self, config: InitiatorConfig, random: Random) -> None:
        super().__init__(random, config.now, config.deadline, config.grease)
        self.config = config
        self.cookie: bytes | None = None
        self.retried = self.queried = self.stayed = False
        self.target = config.target
        self.hello = self.offer = b""
        self.prekey: bytes | None = None
        self.suite = 0
        self.ephemeral = self.transport_key = b""
        self.th0 = self.th1 = b""
        self.attempt: moving.Attempt | None = None
        self.resumed_inside: dict[str, Any] = {}
        self.refreshed: dict[str, Any] = {}
        self.expect = config.expect
        if self.expect is None and config.token.file:
            self.expect = config.token.file.aud

    def start(self) -> None:
        self._guard(self._start)

    def _start(self) -> None:
        config, token = self.config, self.config.token
        if token.kind in (PASSWORD, PLAIN):
            told = config.expect is not None or config.realm is not None
            need(told, "HF_E_POLICY", "no name, no realm")
        elif token.kind == CERTIFICATE:
            assert token.identity is not None
            check_own(token.identity, token.chain, INITIATOR, self.now)
        else:
            assert token.file is not None
            need(self.now < token.file.exp, "HF_E_OWN_EXPIRED", "the ticket")
        # The plain form always has a prekey (6.3).
        prekey = config.prekey or token.kind == PLAIN
        if config.known and not prekey:
            self._judge(config.known, None)
        else:
            self._send_hello()

    def _legal_types(self) -> tuple[int, ...]:
        retry = () if self.retried else (messages.RETRY,)
        query = () if self.queried else (messages.QUERY,)
        old = (messages.QUERY, messages.RECORD) if self.stayed else ()
        live = (messages.QUERY,) if self.config.dispatched else ()
        return {
            "hello-sent": (messages.OFFER, messages.ALERT) + retry + query,
            "request-sent": (messages.GRANT, messages.ALERT) + retry + query,
            "resume-sent": (messages.RESUMED, messages.ALERT) + retry + old,
            "open": (messages.RECORD,) + live,
        }.get(self.state, ())

    def _legal(self) -> tuple[int, ...]:
        if self.state != "open":
            return self._legal_types()
        live = (messages.QUERY,) if self.config.dispatched else ()
        return super()._legal() + live

    def _first_extensions(self, channels: bool) -> messages.Extensions:
        told = {messages.DISPATCHED: b""} if self.config.dispatched else {}
        if channels:
            told[messages.CHANNELS] = b""
        return {**told, **self._extensions()}

    def _handle(self, kind: int, reader: Any) -> None:
        if kind == messages.OFFER:
            offer = messages.read_offer(reader, schedule.SUITES)
            self.offer = reader.data
            self.prekey = offer.prekey
            self._judge(offer.chain, offer.suite)
        elif kind == messages.RETRY:
            self.cookie = messages.read_retry(reader)
            self.retried = True
            if self.state == "hello-sent":
                self._send_hello()
            elif self.state == "resume-sent":
                self._send_resume()
            else:
                self._send_request()
        elif kind == messages.QUERY:
            self._take_query(reader)
        elif kind == messages.RESUMED:
            self._take_resumed(reader)
        else:
            self._take_grant(messages.read_grant(reader), reader.data)

    def _send_hello(self) -> None:
        """Section 4.1."""
        config = self.config
        self.hello = messages.Hello(
            config.suites,
            self.target,
            self.cookie,
            self._first_extensions(config.channels),
        ).encode()
        self._send(self.hello)
        self.state = "hello-sent"

    def _judge(self, chain: Sequence[bytes], suite: int | None) -> None:
        """Section 4.2, receiver's steps 4 to 9."""
        config, token = self.config, self.config.token
        leaf = config.trust.verify(chain, RESPONDER, self.expect, self.now)
        common = [s for s in config.suites if s in leaf.suites]
        need(bool(common), "HF_E_SUITE", "no common suite")
        need(suite in (None, common[0]), "HF_E_SUITE", "not the best")
        if token.identity:
            need(leaf.key != token.identity.public, "HF_E_POLICY", "oneself")
        if config.realm is not None:
            need(leaf.realm == config.realm, "HF_E_NAME", "realm")
        if token.kind in (PASSWORD, PLAIN):
            need(leaf.realm is not None, "HF_E_TOKEN", "no realm")
        self.leaf, self.suite = leaf, common[0]
        self.state = "trust"
        peer = Peer(CERTIFICATE, leaf.sub, leaf.names)
        self.question = Question("trust", peer=peer)

    def _answered(self, question: Question, retry: bool) -> None:
        self._send_request()

    def _token(self) -> messages.Token:
        token = self.config.token
        if token.kind == CERTIFICATE:
            return [CERTIFICATE, list(token.chain)]
        if token.kind == TICKET:
            assert token.file is not None
            return [TICKET, token.file.ticket]
        if token.kind == PLAIN:
            return [PLAIN, token.user, token.password]
        assert self.leaf is not None and self.leaf.realm is not None
        cost = self.leaf.cost or passwords.DEFAULT_COST
        stretched = passwords.stretch(
            self.leaf.realm, token.user, token.password, cost
        )
        return [PASSWORD, token.user, stretched]

    def _send_request(self) -> None:
        """Section 4.4, sender."""
        assert self.leaf is not None
        draw = self.random(64)
        self.transport_key, self.ephemeral = draw[:32], draw[32:]
        extensions = self._first_extensions(self.config.channels)
        self.th0 = schedule.th0(
            self.hello if self.offer else b"", self.offer, self.leaf.raw
        )
        plain = messages.pad(self.transport_key, self._token(), self.now)
        secret = hpke.encap(self.leaf.key, self.ephemeral)
        psk = None
        if self.prekey is not None:
            psk = hpke.encap(self.prekey, self.ephemeral)
        head = messages.request_head(
            self.suite,
            schedule.key_id(self.leaf.raw),
            self.target,
            self.cookie,
            x25519_public(self.ephemeral),
            None if psk is None else PREKEY,
            extensions,
        )
        key, nonce = schedule.request_keys(self.th0, secret, psk)
        box = hpke.box_seal(key, nonce, head, plain)
        request = head + messages.cbor.encode(box)
        self.th1 = schedule.th_next(self.th0, request)
        self.requests.append(
            {
                "th0": self.th0,
                "plaintext": plain,
                "shared_secret": secret,
                "psk": psk,
                "key": key,
                "nonce": nonce,
                "th1": self.th1,
            }
        )
        self._send(request)
        self.state = "request-sent"

    def _take_grant(self, grant: messages.Grant, raw: bytes) -> None:
        """Section 4.5, receiver."""
        token = self.config.token
        certified = token.kind == CERTIFICATE
        need(
            (grant.cert_enc is not None) == certified, "HF_E_SHAPE", "cert_enc"
        )
        ss = hpke.decap(grant.enc, self.ephemeral)
        binder = b""
        if certified:
            assert token.identity is not None
            binder = hpke.decap(grant.enc, token.identity.private)
        elif token.kind == TICKET:
            assert token.file is not None
            binder = token.file.proof
        key, chain = schedule.grant_keys(
            self.transport_key, self.th1, ss, binder
        )
        plain = unseal(1, key, bytes(12), grant.aad, grant.box)
        self.granted = messages.read_granted(plain)
        th2 = schedule.th_next(self.th1, raw)
        keys = schedule.derive(
            self.suite, self.granted.session_key, chain, th2
        )
        self.derived = {
            "ss": ss,
            "binder": binder,
            "key": key,
            "chain": chain,
            "plaintext": plain,
            "th2": th2,
        }
        self._open_keys(keys)
        assert self.leaf is not None
        answered = messages.CHANNELS in grant.extensions
        self.channels = self.config.channels and answered
        self.home = self.leaf
        self.move = None
        if self.granted.mobility and self.leaf.cluster is not None:
            assert self.sending and self.receiving
            self.move = moving.Move(
                self.granted.mobility, self.sending, self.receiving
            )
        self._send(confirm(keys))
        self.state = "open"

    # Takeover (section 17) --------------------------------------------------

    def reconnect(self) -> None:
        """On a new connection, with whatever server."""
        able = (
            self.move is not None
            and self.state in ("open", "failed", "resume-sent")
            and not (self.error and self.error.name == "HF_E_ROLLBACK")
            and not (self.own_close and self.peer_close)
        )
        need(able, "HF_E_STATE", "this session cannot go on")
        assert self.granted is not None
        age = self.elapsed - self.grant_time
        left = age < self.granted.lifetime
        ended = self.error and self.error.name == "HF_E_EXPIRED" and not left
        need(not ended, "HF_E_STATE", "it ended while it was open")
        need(left, "HF_E_EXPIRED", "lifetime")
        self.leaf = self.home  # not that of a handshake which failed
        self.error = None
        self.question = None
        self._in.clear()
        self._out.clear()
        self.sending = self.receiving = None
        assert self.move is not None
        self.move.reply, self.move.next = b"", None
        self.sent_any = self.retried = self.queried = self.stayed = False
        self.cookie = None
        self.began = self.elapsed
        self._guard(self._send_resume)

    # Dispatchers (section 17.9) ----------------------------------------------

    def _can_go_on(self) -> bool:
        assert self.granted is not None
        left = self.elapsed - self.grant_time < self.granted.lifetime
        closed = self.own_close and self.peer_close
        return self.move is not None and not closed and left

    def _take_query(self, reader: Any) -> None:
        messages.read_query(reader)
        if self.state == "resume-sent":
            return
        if self.state == "open":
            if self._can_go_on():
                self.received.append((records.QUERY, b""))
            return
        self.queried = True
        if self.state == "hello-sent":
            self._send_hello()
        else:
            self._send_request()

    def reroute(self, target: str | None) -> None:
        """On the open connection, to another server."""
        able = self.state == "open" and self.config.dispatched
        need(able and self._can_go_on(), "HF_E_STATE", "cannot go on so")
        assert self.move is not None
        stored = self.move.epoch > 0 or self.move.heard
        need(stored, "HF_E_STATE", "no ack has come")
        self.leaf = self.home
        if target is not None:
            self.target = target
        self.sending = self.receiving = None
        self.move.reply, self.move.next = b"", None
        self.retried = self.queried = False
        self.stayed = True
        self.cookie = None
        self.began = self.elapsed
        self._guard(self._send_resume)

    def _send_resume(self) -> None:
        move = self.move
        assert move and self.keys and self.granted
        move.serial += 1
        need(move.serial <= states.U32, "HF_E_EXHAUSTED", "serial")
        closed = takeover.INITIATOR_CLOSED if self.own_close else 0
        if self.peer_close:
            closed |= takeover.RESPONDER_CLOSED
        told = takeover.Told(move.own.mark(), move.peers.mark(), closed)
        replied = move.mobility == states.PROVED or self.config.refresh
        draw = self.random(64 if replied else 32)
        head = {
            "session_id": self.granted.session_id,
            "target": self.target,
            "cookie": self.cookie,
            "extensions": self._first_extensions(self.channels),
        }
        self.attempt, message = moving.make_resume(
            move, self.keys.resumption, told, self.now, draw, head
        )
        self._send(message)
        self.state = "resume-sent"

    def _take_resumed(self, reader: Any) -> None:
        move, attempt, token = self.move, self.attempt, self.config.token
        assert move and attempt and self.leaf
        proved = move.mobility == states.PROVED
        found = takeover.read_resumed(reader, proved)
        own = token.identity.private if token.identity else None
        made = moving.open_resumed(
            attempt,
            found,
            reader.data,
            self.suite,
            self.leaf,
            self.config.trust,
            self.now,
            own,
        )
        moving.judge_answer(move, attempt.told, made.answer)
        answer = made.answer
        if not answer.closed & takeover.INITIATOR_CLOSED:
            self.own_close = False
        self.resumed_inside = made.inside
        move.epoch, move.serial = answer.epoch, 0
        move.reply = b"" if proved else attempt.reply
        self._open_epoch(
            made.keys, answer.epoch, answer.received, attempt.told.received
        )
        self._send(confirm(made.keys))
        self.state = "open"

    def _take_refresh(self, data: bytes, before: states.Mark) -> None:
        """Section 17.8, receiver (initiator)."""
        move, token = self.move, self.config.token
        assert move and self.keys and self.home
        assert self.sending and self.receiving
        wanted = bool(move.reply) and move.epoch < states.U32
        need(wanted, "HF_E_UNEXPECTED", "a refresh")
        shown = refresh.read(data)
        both = RESPONDER | SERVER
        server = self.config.trust.verify(shown.chain, both, None, self.now)
        moving.expected_cluster(self.home, server)
        own = token.identity.private if token.identity else None
        secret = self.keys.resumption
        found = refresh.verify(
            shown, self.suite, secret, move.reply, server, own, before
        )
        epoch = move.epoch + 1
        changed = refresh.change(self.receiving, found.keys, epoch, 2)
        answer = refresh.answer(found.keys, changed, self.sending.mark())
        self._out += self.sending.seal(records.REFRESH, answer)
        refresh.change(self.sending, found.keys, epoch, 1)
        self.keys, self.refreshed = found.keys, found.inside
        self.leaf = server
        move.epoch, move.serial, move.reply = epoch, 0, b""

    def _take_alert(self, reader: Any) -> None:
        """Section 17.5: in answer to a resume a handshake may follow."""
        resuming = self.state == "resume-sent"
        fault = messages.read_alert(reader, resuming, True)
        again = ("HF_E_NO_SESSION", "HF_E_STORE")
        if self.state != "resume-sent" or fault.name not in again:
            raise fault
        self.hello = self.offer = b""
        self.prekey = None
        self._start()


def confirm(keys: schedule.Keys) -> bytes:
    """Section 4.6."""
    box = seal(1, keys.confirmation, bytes(12), messages.CONFIRM_AAD, b"")
    return messages.cbor.encode([messages.CONFIRM, box])


# Responder ------------------------------------------------------------------


@dataclass
class ResponderConfig:
    now: int
    identity: Identity
    chain: tuple[bytes, ...]
    trust: Trust = field(default_factory=Trust)
    suites: tuple[int, ...] = schedule.SUITES
    kinds: tuple[int, ...] = (CERTIFICATE, PASSWORD, PLAIN, TICKET)
    ring: tuple[tickets.RingKey, ...] | None = None
    cookie_key: bytes = b""
    source: bytes = b""
    tolerance: int = 120
    lifetime: int = 86400
    grease: bool = False
    deadline: int = 10
    vault: states.Vault | None = None
    refresh: bool = False
    channels: bool = False


class Responder(Session):
    role = "responder"

    def __init__(self, config: ResponderConfig, random: Random) -> None:
        super().__init__(random, config.now, config.deadline, config.grease)
        self.config = config
        self.own = self.leaf = check_own(
            config.identity, config.chain, RESPONDER, config.now
        )
        runs = all(s in config.suites for s in self.own.suites)
        need(runs, "HF_E_UNSUPPORTED", "a suite of the own certificate")
        if config.vault:
            member = self.own.cluster == config.vault.cluster
            member = member and bool(self.own.usage & SERVER)
            need(member, "HF_E_OWN_CERT", "of no server of this cluster")
        self.hello = self.offer = b""
        self.read_hello: messages.Hello | None = None
        self.good_cookie: bytes | None = None
        self.suite = 0
        self.prekey = b""
        self.resume: messages.Resume | None = None
        self.taken: moving.Taken | None = None
        self.refreshed: dict[str, Any] = {}
        self.next_keys: schedule.Keys | None = None
        self.expires = 0
        self.request: messages.Request | None = None
        self.plain: messages.Plaintext | None = None
        self.peer: Peer | None = None
        self.envelope: Certificate | None = None
        self.th0 = self.th1 = b""

    def _legal_types(self) -> tuple[int, ...]:
        return {
            "start": (
                messages.HELLO,
                messages.REQUEST,
                messages.RESUME,
                messages.ALERT,
            ),
            "offered": (messages.REQUEST, messages.ALERT),
            "granted": (messages.CONFIRM, messages.ALERT),
            "resumed": (messages.CONFIRM, messages.ALERT),
            "open": (messages.RECORD,),
        }.get(self.state, ())

    def _handle(self, kind: int, reader: Any) -> None:
        if kind == messages.HELLO:
            self._take_hello(messages.read_hello(reader), reader.data)
        elif kind == messages.REQUEST:
            suites = (self.suite,) if self.offer else self.own.suites
            request = messages.read_request(reader, suites, bool(self.offer))
            self._take_request(request, reader.data)
        elif kind == messages.RESUME:
            self._take_resume(messages.read_resume(reader), reader.data)
        else:
            self._take_confirm(messages.read_confirm(reader))

    def _cookie(self, cookie: bytes | None, kind: int) -> bool:
        if cookie is None:
            return False
        config = self.config
        return cookies.valid(
            cookie, config.cookie_key, kind, self.now, config.source
        )

    def _take_hello(self, hello: messages.Hello, raw: bytes) -> None:
        """Section 4.1, receiver."""
        common = [s for s in hello.suites if s in self.own.suites]
        need(bool(common), "HF_E_SUITE", "no common suite")
        self.suite = common[0]
        self.hello, self.read_hello = raw, hello
        good = self._cookie(hello.cookie, messages.HELLO)
        self.good_cookie = hello.cookie if good else None
        self.state = "admit"
        self.question = Question("admit", messages.HELLO, good)

    def _take_request(self, request: messages.Request, raw: bytes) -> None:
        """Section 4.4, receiver's steps 4 to 7."""
        if self.offer:
            assert self.read_hello is not None
            same = request.target == self.read_hello.target
            need(same, "HF_E_SHAPE", "another target than the hello's")
        known = request.key_id == schedule.key_id(self.own.raw)
        need(known, "HF_E_UNKNOWN_KEY")
        good = self._cookie(request.cookie, messages.REQUEST) or (
            request.cookie is not None and request.cookie == self.good_cookie
        )
        self.suite = request.suite
        self.request = request
        self.th0 = schedule.th0(
            self.hello if self.offer else b"", self.offer, self.own.raw
        )
        self.th1 = schedule.th_next(self.th0, raw)
        self.state = "admit"
        self.question = Question("admit", messages.REQUEST, good, self.th1)

    def _take_resume(self, resume: messages.Resume, raw: bytes) -> None:
        """Section 17.2, receiver's steps 1 to 3."""
        need(not self.refused, "HF_E_UNEXPECTED", "a second resume")
        good = self._cookie(resume.cookie, messages.RESUME)
        self.resume, self.th1 = resume, schedule.th3(raw)
        self.state = "admit"
        self.question = Question("admit", messages.RESUME, good, self.th1)

    REFUSALS = (
        *("HF_E_NO_SESSION", "HF_E_EXPIRED", "HF_E_ENTRY", "HF_E_ROLLBACK"),
        "HF_E_STORE",
    )

    def _refuse_resume(self, name: str) -> None:
        """Section 17.5: a handshake may follow."""
        self.refused = name
        self._send(messages.encode_alert(2 if name == "HF_E_STORE" else 4))
        self.state = "start"

    def supply(self, entry: bytes | None, fault: str | None = None) -> None:
        """Answers the question `state`."""

        def go() -> None:
            self.question = None
            try:
                need(fault is None, fault or "", "the application")
                need(entry is not None, "HF_E_NO_SESSION", "no entry")
                self._open_entry(entry or b"")
            except HandfastError as refusal:
                if refusal.name not in self.REFUSALS:
                    raise
                self._refuse_resume(refusal.name)
            self._run()

        self._kind = -1
        self._guard(go)

    def _open_entry(self, entry: bytes) -> None:
        config = self.config
        assert config.vault and self.resume
        taken = moving.open_state(
            config.vault,
            self.resume,
            entry,
            self.now,
            config.suites,
            config.trust,
        )
        self.taken = taken
        kinds = {1: CERTIFICATE, 2: PASSWORD, 4: PLAIN, 8: TICKET}
        told = taken.state.peer
        self.peer = Peer(
            kinds[told.method], told.name, target=self.resume.target
        )
        self.state = "trust"
        self.question = Question("trust", peer=self.peer)

    def _claim(self) -> None:
        """Section 17.2, receiver's step 13."""
        config, taken = self.config, self.taken
        assert config.vault and self.resume and taken
        need(not moving.last_epoch(taken), "HF_E_EXHAUSTED", "epochs")
        proved = taken.state.mobility == states.PROVED
        moving.make_resumed(
            taken,
            config.vault,
            self.resume,
            self.th1,
            self.now,
            self.random(80 if proved else 48),
            config.chain,
            config.identity.private,
        )
        assert taken.claim is not None
        entry = moving.seal_entry(taken.scope, *taken.claim, self.random(32))
        self.state = "claim"
        self.question = Question("claim", entry=entry)

    def _claimed(self) -> None:
        taken = self.taken
        assert taken and taken.next and taken.claim and self.resume
        self.channels = messages.CHANNELS in self.resume.extensions
        clear, state = taken.claim
        assert self.resume is not None
        self.granted = messages.Granted(
            b"", clear.session_id, clear.expires - self.now, state.mobility
        )
        nothing = records.Direction(state.suite, b"", b"", b"")
        self.move = moving.Move(
            state.mobility,
            nothing,
            nothing,
            clear.epoch,
            scope=taken.scope,
            token=clear.token,
            peer=state.peer,
            target=state.target,
        )
        if state.mobility != states.PROVED and self.resume.reply_key:
            self.move.reply = self.resume.reply_key
        self.expires = clear.expires
        self.own_close = bool(state.closed & takeover.RESPONDER_CLOSED)
        self.peer_close = bool(state.closed & takeover.INITIATOR_CLOSED)
        self.grant_time = self.elapsed
        self._open_epoch(
            taken.next.keys, clear.epoch, state.received, state.sent
        )
        self._send(taken.message)
        self.state = "resumed"

    def _first_open(self) -> None:
        """The session is open; where it moves it has an owner's token."""
        self.state = "open"
        assert self.granted and self.peer and self.sending and self.receiving
        if not self.granted.mobility:
            return
        vault = self.config.vault
        assert vault is not None and self.request is not None
        self.move = moving.Move(
            self.granted.mobility,
            self.sending,
            self.receiving,
            scope=vault.scope_of(self.request.target),
            token=self.random(16),
            peer=self._stored_peer(),
            target=self.request.target,
        )

    def _stored_peer(self) -> states.Peer:
        peer, plain = self.peer, self.plain
        assert peer and plain
        method = {CERTIFICATE: 1, PASSWORD: 2, PLAIN: 4, TICKET: 8}[peer.kind]
        subject, key, ends, ticket = peer.name, None, 0, None
        origins: tuple[bytes, ...] = ()
        if peer.kind in (PASSWORD, PLAIN):
            subject = f"{peer.name}@{self.own.realm}"
        elif peer.ticket:
            told = peer.ticket
            subject, origins = told.sub, told.origins
            ticket = (told.method, told.first, told.limit, told.single_use)
        else:
            assert self.envelope is not None
            path = self.config.trust.path(plain.token[1], self.now)
            key, ends = self.envelope.key, min(c.exp for c in path[:-1])
            origins = tuple(
                above.key[:16] + cert.cti
                for cert, above in zip(path, path[1:])
            )
        return states.Peer(
            method, peer.name, subject, self.now, key, origins, ends, ticket
        )

    def checkpoint(self) -> bytes:
        """Section 17.7: the entry to write."""
        move, vault = self.move, self.config.vault
        need(self.state == "open" and move is not None, "HF_E_STATE")
        need(not (move and move.next), "HF_E_STATE", "a refresh waits")
        assert move and move.scope and vault and move.peer
        assert self.keys and self.granted and self.sending and self.receiving
        closed = takeover.RESPONDER_CLOSED if self.own_close else 0
        if self.peer_close:
            closed |= takeover.INITIATOR_CLOSED
        clear = states.Clear(
            vault.cluster,
            move.scope.name,
            move.scope.generations[0].number,
            self.granted.session_id,
            move.epoch,
            vault.owner,
            move.token,
            self.expires,
        )
        state = states.State(
            self.keys.suite,
            move.mobility,
            self.keys.resumption,
            None,
            0,
            self.receiving.mark(),
            self.sending.mark(),
            closed,
            move.target,
            move.peer,
        )
        begins = self.config.refresh and bool(move.reply)
        if begins and move.epoch < states.U32 and not self.own_close:
            clear, state = self._begin_refresh(clear, state)
        return moving.seal_entry(move.scope, clear, state, self.random(32))

    def _begin_refresh(
        self, clear: states.Clear, state: states.State
    ) -> tuple[states.Clear, states.State]:
        """Section 17.8, sender's steps 1 and 2."""
        move = self.move
        assert move and move.peer and self.keys
        secret, reply, peer = state.secret, move.reply, move.peer
        suite, config = self.keys.suite, self.config

        def make() -> None:
            move.next = refresh.make(
                suite,
                secret,
                self.random(32),
                reply,
                config.identity.private,
                peer.key,
                config.chain,
            )

        self._kind = -1
        self._guard(make)
        assert move.next
        self.refreshed = move.next.inside
        self.next_keys = move.next.keys
        return replace(clear, epoch=clear.epoch + 1), replace(
            state,
            secret=move.next.keys.resumption,
            previous=(clear.epoch, state.secret),
        )

    def checkpointed(self) -> None:
        """The store has taken it, and nothing came between."""
        assert self.sending and self.receiving and self.move
        data = moving.ack(self.receiving.count, self.sending.count)
        self._out += self.sending.seal(records.ACK, data)
        move = self.move
        if move.next is None:
            return
        data = refresh.question(move.next, self.sending.mark())
        self._out += self.sending.seal(records.REFRESH, data)
        move.next.changed = refresh.change(
            self.sending, move.next.keys, move.epoch + 1, 2
        )
        move.reply = b""

    def _take_refresh(self, data: bytes, before: states.Mark) -> None:
        """Section 17.8, receiver (responder)."""
        move = self.move
        assert move and self.receiving
        asked = move.next is not None and move.next.changed is not None
        need(asked, "HF_E_UNEXPECTED", "a refresh")
        need(len(data) == 16, "HF_E_SHAPE", "a refresh's box")
        assert move.next and move.next.changed
        keys = move.next.keys
        refresh.check(keys, move.next.changed, before, data)
        move.epoch += 1
        refresh.change(self.receiving, keys, move.epoch, 1)
        self.keys, move.next = keys, None

    def _serves(self) -> bool:
        """Whether the stored state is looked at (20.1)."""
        assert self.resume
        asked = messages.CHANNELS in self.resume.extensions
        return bool(self.config.vault) and (
            self.config.channels or not asked
        )

    def _answered(self, question: Question, retry: bool) -> None:
        resuming = question.type == messages.RESUME
        if question.what == "admit" and retry:
            self._send_retry(question.type)
        elif question.what == "admit" and resuming and self._serves():
            self.state = "state"
            self.question = Question("state")
        elif question.what == "admit" and resuming:
            self._refuse_resume("HF_E_NO_SESSION")
        elif question.what == "admit" and question.type == messages.HELLO:
            self._send_offer()
        elif question.what == "admit":
            self._open_request()
        elif question.what == "trust" and self.taken:
            self._claim()
        elif question.what == "trust":
            self._send_grant()
        elif question.what == "claim":
            self._claimed()
        elif question.what == "confirm":
            self.state = "open"
        else:
            self._first_open()

    def _send_retry(self, kind: int) -> None:
        config = self.config
        cookie = cookies.make(config.cookie_key, kind, self.now, config.source)
        self._send(messages.encode_retry(cookie))
        self.state = "offered" if self.offer else "start"

    def _send_offer(self) -> None:
        self.prekey = self.random(32)
        self.offer = messages.Offer(
            self.suite,
            self.config.chain,
            x25519_public(self.prekey),
            self._extensions(),
        ).encode()
        self._send(self.offer)
        self.state = "offered"

    def _open_request(self) -> None:
        """Section 4.4, receiver's steps 8 to 13."""
        config, request = self.config, self.request
        assert request is not None
        secret = hpke.decap(request.enc, config.identity.private)
        psk = hpke.decap(request.enc, self.prekey) if self.offer else None
        key, nonce = schedule.request_keys(self.th0, secret, psk)
        raw = hpke.box_open(key, nonce, request.aad, request.box)
        plain = messages.read_plaintext(raw)
        self.requests.append(
            {
                "th0": self.th0,
                "plaintext": raw,
                "shared_secret": secret,
                "psk": psk,
                "key": key,
                "nonce": nonce,
                "th1": self.th1,
            }
        )
        off = abs(plain.time - self.now)
        need(off <= config.tolerance, "HF_E_TIME", str(off))
        kind = plain.token[0]
        need(kind in config.kinds, "HF_E_TOKEN", "kind")
        self.plain = plain
        self.envelope = None
        if kind == CERTIFICATE:
            leaf = config.trust.verify(
                plain.token[1], INITIATOR, None, self.now
            )
            need(leaf.key != self.own.key, "HF_E_POLICY", "oneself")
            self.envelope = leaf
            peer = Peer(kind, leaf.sub, leaf.names)
        elif kind == TICKET:
            need(config.ring is not None, "HF_E_TOKEN", "no ring")
            assert config.ring is not None
            ticket = tickets.accept(
                plain.token[1],
                config.ring,
                self.own,
                config.trust,
                self.now,
                config.tolerance,
            )
            name = tickets.policy_name(ticket, self.own.realm)
            peer = Peer(kind, name, ticket=ticket)
        else:
            need(self.own.realm is not None, "HF_E_TOKEN", "no realm")
            need(
                kind == PASSWORD or bool(self.offer),
                "HF_E_TOKEN",
                "a plain password without a prekey",
            )
            peer = Peer(kind, plain.token[1])
            if kind == PASSWORD:
                peer.stretched = plain.token[2]
            else:
                peer.password = plain.token[2]
        peer.target = request.target
        self.peer = peer
        self.state = "trust"
        self.question = Question("trust", peer=peer)

    def _send_grant(self) -> None:
        """Section 4.5, sender."""
        assert self.request and self.plain and self.peer
        draw = self.random(80)
        session_key, sid, ephemeral = draw[:32], draw[32:48], draw[48:]
        asked = messages.CHANNELS in self.request.extensions
        self.channels = self.config.channels and asked
        told = {messages.CHANNELS: b""} if self.channels else {}
        extensions = {**told, **self._extensions()}
        binder = b""
        if self.envelope:
            binder = hpke.encap(self.envelope.key, ephemeral)
        elif self.peer.ticket:
            binder = self.peer.ticket.proof
        ss = hpke.encap(self.request.enc, ephemeral)
        key, chain = schedule.grant_keys(
            self.plain.transport_key, self.th1, ss, binder
        )
        head = messages.grant_head(
            x25519_public(ephemeral),
            PREKEY if self.envelope else None,
            extensions,
        )
        vault, mobility = self.config.vault, 0
        if vault and vault.scope_of(self.request.target):
            mobility = vault.mobility
        self.granted = messages.Granted(
            session_key, sid, self.config.lifetime, mobility
        )
        self.expires = self.now + self.config.lifetime
        plain = self.granted.encode()
        grant = head + messages.cbor.encode(
            seal(1, key, bytes(12), head, plain)
        )
        th2 = schedule.th_next(self.th1, grant)
        self.derived = {
            "ss": ss,
            "binder": binder,
            "key": key,
            "chain": chain,
            "plaintext": plain,
            "th2": th2,
        }
        self._open_keys(schedule.derive(self.suite, session_key, chain, th2))
        self._send(grant)
        self.state = "granted"

    def _take_confirm(self, box: bytes) -> None:
        """Section 4.6."""
        assert self.keys and self.peer
        unseal(1, self.keys.confirmation, bytes(12), messages.CONFIRM_AAD, box)
        if self.taken:
            entry = moving.seal_entry(
                self.taken.scope,
                *moving.confirmed(self.taken),
                self.random(32),
            )
            self.state = "confirm"
            self.question = Question("confirm", entry=entry)
            return
        ticket = self.peer.ticket
        if ticket and ticket.single_use:
            self.state = "commit"
            self.question = Question("burn", cti=ticket.cti)
        else:
            self._first_open()
