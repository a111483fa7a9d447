# SPDX-License-Identifier: ISC
"""What a session has that may move: its marks, its epoch, and both roles'
judgement of a takeover (spec section 17). initiator.py and owner.py drive
it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from . import (
    cbor,
    hpke,
    messages,
    records,
    refresh,
    schedule,
    states,
    takeover,
)
from .certs import RESPONDER, SERVER, Certificate, Trust
from .crypto import seal, unseal, x25519_public
from .errors import need
from .states import Mark, State
from .takeover import INITIATOR_CLOSED, RESPONDER_CLOSED

ACK_RECORDS, ACK_BYTES = 256, 1 << 20
ROLLBACK = "HF_E_ROLLBACK"


@dataclass
class Move:
    """own and peers are the directions, kept beyond a connection. acked: own
    records that the peer has for good. covered: the peer's, by its last
    ack. told: own released count at the last ack."""

    mobility: int
    own: records.Direction
    peers: records.Direction
    epoch: int = 0
    serial: int = 0
    acked: int = 0
    covered: int = 0
    heard: bool = False  # an ack has come
    told: Mark | None = None
    # the reply key of the soft takeover that began this epoch: private at
    # the initiator; b"" where there is none, or it was used
    reply: bytes = b""
    next: refresh.Next | None = None
    # a responder's
    scope: states.Scope | None = None
    token: bytes = b""
    peer: states.Peer | None = None
    target: str = ""

    def take_ack(self, data: bytes) -> None:
        """Section 17.6, receiver. The ack itself was counted already."""
        reader = cbor.Reader(data)
        reader.array(2)
        received, sent = reader.uint(), reader.uint()
        reader.end()
        mine = self.acked <= received <= self.own.count
        theirs = self.covered <= sent <= self.peers.count - 1
        need(mine and theirs, "HF_E_SHAPE", "counts of an ack")
        self.acked, self.covered = received, sent
        self.heard = True

    def ack_due(self) -> bool:
        """An initiator's."""
        before = self.told or Mark(0, 0, b"")
        records_ = self.peers.count - before.count
        size = self.peers.bytes - before.bytes
        return records_ >= ACK_RECORDS or size >= ACK_BYTES


def ack(received: int, sent: int) -> bytes:
    return cbor.encode([received, sent])


def expected_cluster(leaf: Certificate, server: Certificate) -> None:
    same = server.cluster is not None and server.cluster == leaf.cluster
    need(same, "HF_E_NAME", "cluster")


# The initiator --------------------------------------------------------------


@dataclass
class Attempt:
    """A resume that was sent."""

    secret: bytes
    told: takeover.Told
    reply: bytes  # private; empty where there is none
    inside: dict[str, Any] = field(default_factory=dict)
    th3: bytes = b""


def make_resume(
    move: Move,
    secret: bytes,
    told: takeover.Told,
    now: int,
    draw: bytes,
    head: dict[str, Any],
) -> tuple[Attempt, bytes]:
    """Section 17.2, sender; `head` has session_id, target, cookie and
    extensions."""
    attempt = Attempt(secret, told, draw[32:])
    plain = told.encode()
    nonce = takeover.make_nonce(secret, draw[:32], now, move.serial, plain)
    aad = takeover.resume_head(
        epoch=move.epoch,
        serial=move.serial,
        nonce=nonce,
        reply_key=x25519_public(attempt.reply) if attempt.reply else None,
        **head,
    )
    key = takeover.resume_key(secret, nonce)
    message = aad + cbor.encode(seal(1, key, bytes(12), aad, plain))
    attempt.th3 = schedule.th3(message)
    attempt.inside = {
        "secret": secret,
        "plaintext": plain,
        "key": key,
        "th3": attempt.th3,
    }
    return attempt, message


@dataclass
class Next:
    """What a takeover gives: keys and marks of the new epoch."""

    answer: takeover.Answer
    keys: schedule.Keys
    inside: dict[str, Any]


def _derive(
    suite: int, secret: bytes, th3: bytes, message: bytes, shared: bytes
) -> tuple[bytes, schedule.Keys]:
    th4 = schedule.th_next(th3, message)
    made = takeover.master(secret, th4, shared)
    return th4, schedule.from_master(suite, made)


def open_resumed(
    attempt: Attempt,
    found: takeover.Resumed,
    raw: bytes,
    suite: int,
    leaf: Certificate,
    trust: Trust,
    now: int,
    own: bytes | None,
) -> Next:
    """Section 17.4, receiver's steps 2 and 3; `own` is the certified private
    key."""
    shared = b""
    if found.enc is not None:
        assert found.chain is not None
        server = trust.verify(found.chain, RESPONDER | SERVER, None, now)
        expected_cluster(leaf, server)
        shared = hpke.decap(found.enc, attempt.reply)
        shared += hpke.encap(server.key, attempt.reply)
        if own is not None:
            shared += hpke.decap(found.enc, own)
    key = takeover.resumed_key(
        attempt.secret, attempt.th3, found.nonce, shared
    )
    plain = unseal(1, key, bytes(12), found.aad, found.box)
    answer = takeover.read_answer(plain)
    th4, keys = _derive(suite, attempt.secret, attempt.th3, raw, shared)
    return Next(answer, keys, _inside(shared, key, plain, th4))


def _inside(
    shared: bytes, key: bytes, plain: bytes, th4: bytes
) -> dict[str, Any]:
    return {"shared": shared, "key": key, "plaintext": plain, "th4": th4}


def judge_answer(
    move: Move, told: takeover.Told, answer: takeover.Answer
) -> None:
    """Section 17.4, receiver's steps 4 to 7."""
    need(answer.epoch > move.epoch, ROLLBACK, "epoch")
    count = answer.received.count
    need(move.acked <= count <= told.sent.count, ROLLBACK, "received")
    held = move.own.marks.get(count)
    need(held == answer.received, ROLLBACK, "the history of own records")
    need(answer.sent.count >= move.covered, ROLLBACK, "sent")
    theirs = move.peers.marks.get(answer.sent.count)
    need(theirs in (None, answer.sent), ROLLBACK, "the peer's history")
    mine = told.closed & RESPONDER_CLOSED
    need(answer.closed & RESPONDER_CLOSED == mine, ROLLBACK, "closed")
    need(
        not answer.closed & INITIATOR_CLOSED
        or bool(told.closed & INITIATOR_CLOSED),
        ROLLBACK,
        "closed",
    )


# The responder --------------------------------------------------------------


@dataclass
class Taken:
    """A resume that was opened against a state; later the claim."""

    clear: states.Clear
    state: State
    scope: states.Scope
    epoch: int  # that the resume used, and its secret
    secret: bytes
    told: takeover.Told
    inside: dict[str, Any]
    found: Mark  # of the responder's direction, as the state had it
    claim: tuple[states.Clear, State] | None = None
    next: Next | None = None
    message: bytes = b""


def choose(state: State, epoch: int, resume: messages.Resume) -> State:
    """Section 17.2, receiver's step 7: the state with, as its secret, the
    one that the resume was made with, and marks of that epoch's chains."""
    if resume.epoch == epoch and resume.serial > 0:
        if state.previous is None or state.serial == 0:
            return state
        return replace(
            state,
            received=takeover.rebase(epoch, 1, state.received),
            sent=takeover.rebase(epoch, 2, state.sent),
        )
    if state.previous and resume.epoch == state.previous[0]:
        if resume.serial > state.serial:
            return replace(state, secret=state.previous[1])
    above = resume.epoch > epoch
    need(not above, "HF_E_NO_SESSION", "a later epoch")
    need(False, "HF_E_REPLAY", "an earlier serial or epoch")
    raise AssertionError


def open_state(
    vault: states.Vault,
    resume: messages.Resume,
    entry: bytes,
    now: int,
    suites: tuple[int, ...],
    trust: Trust,
) -> Taken:
    """Section 17.2, receiver's steps 6 to 11."""
    clear, state = states.open_entry(entry, vault.cluster, vault.scopes, now)
    same = clear.session_id == resume.session_id
    need(same, "HF_E_ENTRY", "another session's")
    state = choose(state, clear.epoch, resume)
    proved = state.mobility == states.PROVED
    replied = resume.reply_key is not None
    need(replied or not proved, "HF_E_SHAPE", "reply key")
    need(state.suite in suites, "HF_E_NO_SESSION", "suite")
    fits = not replied or len(resume.reply_key) == messages.KEM_SIZE
    need(fits, "HF_E_SHAPE", "reply key's size")
    key = takeover.resume_key(state.secret, resume.nonce)
    plain = unseal(1, key, bytes(12), resume.aad, resume.box)
    told = takeover.read_told(plain)
    need(now < clear.expires, "HF_E_EXPIRED", "the session")
    ends = state.peer.not_after
    need(not ends or now < ends, "HF_E_EXPIRED", "the peer")
    trust.judge_origins(state.peer.origins, now)
    scope = vault.scope(clear.scope)
    assert scope is not None
    need(scope.serves(resume.target), "HF_E_NO_SESSION", "target")
    judge_told(state, told)
    inside = {"secret": state.secret, "plaintext": plain, "key": key}
    return Taken(
        clear,
        state,
        scope,
        resume.epoch,
        state.secret,
        told,
        inside,
        state.sent,
    )


def judge_told(state: State, told: takeover.Told) -> None:
    """Step 11."""
    lower = state.received.count <= told.sent.count
    need(lower, ROLLBACK, "more received than sent")
    for bit, stored, said in (
        (INITIATOR_CLOSED, state.received, told.sent),
        (RESPONDER_CLOSED, state.sent, told.received),
    ):
        mine, theirs = state.closed & bit, told.closed & bit
        if stored.count == said.count:
            need(stored == said and mine == theirs, ROLLBACK, "marks")
        elif stored.count < said.count:
            need(not mine or bool(theirs), ROLLBACK, "a close undone")
        else:
            need(not theirs or bool(mine), ROLLBACK, "a close undone")


def make_resumed(
    taken: Taken,
    vault: states.Vault,
    resume: messages.Resume,
    th3: bytes,
    now: int,
    draw: bytes,
    chain: tuple[bytes, ...],
    private: bytes,
) -> None:
    """Sections 17.3 and 17.4: resumed, and the claim that goes before it."""
    state, told = taken.state, taken.told
    token, nonce_draw, ephemeral = draw[:16], draw[16:48], draw[48:]
    epoch = taken.clear.epoch + 1
    closed = state.closed & INITIATOR_CLOSED
    closed |= told.closed & RESPONDER_CLOSED
    answer = takeover.Answer(epoch, state.received, taken.found, closed)
    plain, shared, enc, links = answer.encode(), b"", None, None
    if state.mobility == states.PROVED:
        assert resume.reply_key is not None
        enc, links = x25519_public(ephemeral), chain
        shared = hpke.encap(resume.reply_key, ephemeral)
        shared += hpke.decap(resume.reply_key, private)
        if state.peer.key is not None:
            shared += hpke.encap(state.peer.key, ephemeral)
    nonce = takeover.make_nonce(taken.secret, nonce_draw, now, epoch, plain)
    key = takeover.resumed_key(taken.secret, th3, nonce, shared)
    head = takeover.resumed_head(nonce, enc, links)
    taken.message = head + cbor.encode(seal(1, key, bytes(12), head, plain))
    th4, keys = _derive(
        state.suite, taken.secret, th3, taken.message, shared
    )
    taken.next = Next(answer, keys, _inside(shared, key, plain, th4))
    taken.inside["th3"] = th3
    taken.claim = (
        replace(
            taken.clear,
            epoch=epoch,
            owner=vault.owner,
            token=token,
            generation=taken.scope.generations[0].number,
        ),
        replace(
            state,
            secret=keys.resumption,
            previous=(taken.epoch, taken.secret),
            serial=resume.serial,
            received=state.received,
            sent=told.received,
            closed=closed,
            target=resume.target,
        ),
    )


def confirmed(taken: Taken) -> tuple[states.Clear, State]:
    """The second compare-and-set."""
    assert taken.claim is not None
    clear, state = taken.claim
    return clear, replace(
        state,
        previous=None,
        serial=0,
        received=takeover.rebase(clear.epoch, 1, state.received),
        sent=takeover.rebase(clear.epoch, 2, state.sent),
    )


def last_epoch(taken: Taken) -> bool:
    return taken.clear.epoch == states.U32


def seal_entry(
    scope: states.Scope, clear: states.Clear, state: State, draw: bytes
) -> bytes:
    return states.seal(clear, scope.generations[0].key, draw, state)
