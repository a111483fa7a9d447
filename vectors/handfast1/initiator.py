# SPDX-License-Identifier: ISC
"""The initiator: its handshake, its takeovers, and how a dispatcher moves it
(spec sections 4, 11 and 17).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

from . import (
    hpke,
    messages,
    moving,
    passwords,
    records,
    refresh,
    schedule,
    states,
    takeover,
)
from .certs import INITIATOR, RESPONDER, SERVER, Trust, check_own
from .crypto import unseal, x25519_public
from .errors import need
from .messages import CERTIFICATE, PASSWORD, PLAIN, TICKET
from .session import PREKEY, Peer, Question, Random, Session, Token, confirm


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
        need(not ended, "HF_E_STATE", "that was seen before")
        if not left:
            self.error = HandfastError("HF_E_EXPIRED", "lifetime")
            self.state = "failed"
            raise self.error
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
