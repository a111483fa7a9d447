# SPDX-License-Identifier: ISC
"""The responder's handshake (spec sections 4 and 11); what it does with a
session that moves is owner.py's.
"""

from __future__ import annotations

from typing import Any

from . import cookies, hpke, messages, moving, schedule, tickets
from .certs import INITIATOR
from .crypto import seal, unseal, x25519_public
from .errors import need
from .messages import CERTIFICATE, PASSWORD, TICKET
from .owner import Owner
from .session import PREKEY, Peer, Question


class Responder(Owner):
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
