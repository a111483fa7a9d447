# SPDX-License-Identifier: ISC
"""Both roles as state machines without I/O (spec sections 4 and 11).

feed() takes bytes from the peer, drain() gives bytes for it. Where
`question` is set, the application owes answer(). The first error sticks:
it is raised once and stays in `error`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

from . import cookies, hpke, messages, passwords, records, schedule, tickets
from .certs import (
    INITIATOR,
    RESPONDER,
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
    the fingerprint. trust: the peer. burn: the ticket's cti."""

    what: str
    type: int = 0
    cookie: bool = False
    fingerprint: bytes = b""
    peer: Peer | None = None
    cti: bytes = b""


class Session:
    """What both roles share."""

    role = ""

    def __init__(self, random: Random, now: int, deadline: int, grease: bool):
        self.random = random
        self.now = now
        self.elapsed = 0
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
        self.sending: records.Direction | None = None
        self.receiving: records.Direction | None = None

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

    def _end(self, name: str) -> None:
        def fail() -> None:
            raise HandfastError(name, "the stream has ended")

        self._guard(fail)

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
                need(self.elapsed < self.deadline, "HF_E_DEADLINE")

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
            return () if self.peer_close else (messages.RECORD,)
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
            if kind == messages.RECORD:
                self._record(reader)
            elif kind == messages.ALERT:
                raise messages.read_alert(reader)
            else:
                self._handle(kind, reader)

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
        if not fault.alert or self.own_close or self._kind == messages.ALERT:
            return
        if self.role == "initiator" and not self.sent_any:
            return
        if self.sending is None:
            self._out += messages.encode_alert(fault.alert)
        else:
            self._out += self.sending.seal(records.ALERT, bytes([fault.alert]))

    def _record(self, reader: Any) -> None:
        assert self.receiving is not None
        box = messages.read_record(reader, 16)
        kind, data = self.receiving.open(box)
        if kind == records.ALERT:
            self._kind = messages.ALERT
        records.judge(kind, data, self.role == "initiator", self.leaf)
        self.received.append((kind, data))
        if kind == records.CLOSE:
            self.peer_close = True
            self._maybe_closed()

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


class Initiator(Session):
    role = "initiator"

    def __init__(self, config: InitiatorConfig, random: Random) -> None:
        super().__init__(random, config.now, config.deadline, config.grease)
        self.config = config
        self.cookie: bytes | None = None
        self.retried = False
        self.hello = self.offer = b""
        self.prekey: bytes | None = None
        self.suite = 0
        self.ephemeral = self.transport_key = b""
        self.th0 = self.th1 = b""
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
        return {
            "hello-sent": (messages.OFFER, messages.ALERT) + retry,
            "request-sent": (messages.GRANT, messages.ALERT) + retry,
            "open": (messages.RECORD,),
        }.get(self.state, ())

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
            else:
                self._send_request()
        else:
            self._take_grant(messages.read_grant(reader), reader.data)

    def _send_hello(self) -> None:
        """Section 4.1."""
        config = self.config
        self.hello = messages.Hello(
            config.suites, config.target, self.cookie, self._extensions()
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
        extensions = self._extensions()
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
            self.config.target,
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
        self._send(confirm(keys))
        self.state = "open"


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
        self.hello = self.offer = b""
        self.read_hello: messages.Hello | None = None
        self.good_cookie: bytes | None = None
        self.suite = 0
        self.prekey = b""
        self.refused = False  # a resume
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
        """Section 17.2, receiver's steps 1 to 3: this responder has no
        store."""
        need(not self.refused, "HF_E_UNEXPECTED", "a second resume")
        good = self._cookie(resume.cookie, messages.RESUME)
        self.state = "admit"
        self.question = Question(
            "admit", messages.RESUME, good, schedule.th3(raw)
        )

    def _refuse_resume(self) -> None:
        """Section 17.5: a handshake may follow."""
        self.refused = True
        self._send(messages.encode_alert(4))
        self.state = "start"

    def _answered(self, question: Question, retry: bool) -> None:
        if question.what == "admit" and retry:
            self._send_retry(question.type)
        elif question.what == "admit" and question.type == messages.RESUME:
            self._refuse_resume()
        elif question.what == "admit" and question.type == messages.HELLO:
            self._send_offer()
        elif question.what == "admit":
            self._open_request()
        elif question.what == "trust":
            self._send_grant()
        else:
            self.state = "open"

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
        extensions = self._extensions()
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
        self.granted = messages.Granted(
            session_key, sid, self.config.lifetime, 0
        )
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
        ticket = self.peer.ticket
        if ticket and ticket.single_use:
            self.state = "commit"
            self.question = Question("burn", cti=ticket.cti)
        else:
            self.state = "open"
