# SPDX-License-Identifier: ISC
"""A responder's part in sessions that move (spec section 17): it takes one
over, writes its states, and refreshes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from . import (
    messages,
    moving,
    records,
    refresh,
    schedule,
    states,
    takeover,
    tickets,
)
from .certs import RESPONDER, SERVER, Certificate, Identity, Trust, check_own
from .errors import HandfastError, need
from .messages import CERTIFICATE, PASSWORD, PLAIN, TICKET
from .session import Peer, Question, Random, Session


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


class Owner(Session):
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

    def _claim_refused(self, name: str) -> None:
        self.taken = None
        self._refuse_resume(name)

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
