# SPDX-License-Identifier: ISC
"""Kinds of vectors about sessions that move: stored entries, and sessions
that go from server to server."""

from __future__ import annotations

import copy
from typing import Any, Callable

from . import play, session, states
from .play import Draws, Json, Mismatch, scopes, unhex
from .registry import kind

# Stored entries -------------------------------------------------------------


def read_mark(told: Json) -> states.Mark:
    return states.Mark(told["count"], told["bytes"], unhex(told["digest"]))


def mark_json(mark: states.Mark) -> Json:
    return {
        "count": mark.count,
        "bytes": mark.bytes,
        "digest": mark.digest.hex(),
    }


TICKET = ("method", "first", "limit", "single_use")


def _read_peer(told: Json) -> states.Peer:
    ticket = told["ticket"]
    return states.Peer(
        told["method"],
        told["name"],
        told["subject"],
        told["authenticated"],
        None if told["key"] is None else unhex(told["key"]),
        tuple(map(unhex, told["origins"])),
        told["not_after"],
        None if ticket is None else tuple(ticket[n] for n in TICKET),
    )


def _peer_json(peer: states.Peer) -> Json:
    ticket = peer.ticket
    return {
        "method": peer.method,
        "name": peer.name,
        "subject": peer.subject,
        "authenticated": peer.authenticated,
        "key": peer.key.hex() if peer.key else None,
        "origins": [origin.hex() for origin in peer.origins],
        "not_after": peer.not_after,
        "ticket": dict(zip(TICKET, ticket)) if ticket else None,
    }


def read_state(told: Json) -> states.State:
    previous = told["previous"]
    if previous is not None:
        previous = previous["epoch"], unhex(previous["secret"])
    return states.State(
        told["suite"],
        told["mobility"],
        unhex(told["secret"]),
        previous,
        told["serial"],
        read_mark(told["received"]),
        read_mark(told["sent"]),
        told["closed"],
        told["target"],
        _read_peer(told["peer"]),
    )


def state_json(state: states.State) -> Json:
    previous: Any = None
    if state.previous:
        epoch, secret = state.previous
        previous = {"epoch": epoch, "secret": secret.hex()}
    return {
        "suite": state.suite,
        "mobility": state.mobility,
        "secret": state.secret.hex(),
        "previous": previous,
        "serial": state.serial,
        "received": mark_json(state.received),
        "sent": mark_json(state.sent),
        "closed": state.closed,
        "target": state.target,
        "peer": _peer_json(state.peer),
    }


CLEAR = (
    *("cluster", "scope", "generation", "session_id", "epoch", "owner"),
    *("token", "expires"),
)


def read_clear(told: Json) -> states.Clear:
    fields = {name: told[name] for name in CLEAR}
    fields["session_id"] = unhex(fields["session_id"])
    fields["token"] = unhex(fields["token"])
    return states.Clear(**fields)


def clear_json(clear: states.Clear) -> Json:
    fields = {name: getattr(clear, name) for name in CLEAR}
    return {**fields, "session_id": clear.session_id.hex()} | {
        "token": clear.token.hex()
    }


@kind("entry", *CLEAR, "key", "state", "random")
def entry(v: Json) -> Json:
    """`key` is the generation's."""
    clear, state = read_clear(v), read_state(v["state"])
    draws, key = Draws(v["random"]), unhex(v["key"])
    raw = states.seal(clear, key, draws(32), state)
    box_key, nonce_key = states.keys(key)
    scope = states.Scope(
        clear.scope, (), (states.Generation(clear.generation, key),)
    )
    if states.open_entry(raw, clear.cluster, [scope], 0) != (clear, state):
        raise Mismatch("an entry that opens to something else")
    return {
        "plaintext": state.encode().hex(),
        "aad": clear.aad().hex(),
        "box_key": box_key.hex(),
        "nonce_key": nonce_key.hex(),
        "bytes": raw.hex(),
    }


@kind("entry-open", "cluster", "scopes", "now", "bytes")
def entry_open(v: Json) -> Json:
    clear, state = states.open_entry(
        unhex(v["bytes"]), v["cluster"], scopes(v["scopes"]), v["now"]
    )
    return {"clear": clear_json(clear), "state": state_json(state)}


# Takeover -------------------------------------------------------------------


class Moving:
    """An initiator, the responders that it comes to one after another, and
    the store of one entry that they share."""

    def __init__(
        self,
        initiator: Json,
        responders: list[Json],
        i_random: Callable[[int], bytes],
        r_random: list[Callable[[int], bytes]],
    ) -> None:
        self.app = initiator["application"]
        self.left = play.initiator(initiator, i_random)
        self.configs = copy.deepcopy(responders)
        self.r_random = r_random
        self.entry: str | None = None
        self.connections: list[Json] = []
        self.lose = ""

    def connect(self, lose: str | None) -> None:
        number = len(self.connections)
        self.config = self.configs[number]
        self.config["application"]["shelf"]["entry"] = self.entry
        self.right = play.responder(self.config, self.r_random[number])
        self.seen = len(self.left.received)
        self.lose = lose or ""
        self.connections.append({"messages": [], "entries": []})
        if number == 0:
            self.left.start()
            play.settle(self.left, self.app)
        else:
            self.left.end_quietly()
            self.left.reconnect()
        self.talk()

    def _carry(self, sender: session.Session, receiver: Any) -> bool:
        here = self.connections[-1]
        sent = play.split(sender.drain())
        for message in sent:
            name = play.first_type(message)
            here["messages"].append(
                {"from": sender.role, "type": name, "bytes": message.hex()}
            )
            if name == self.lose:
                self.lose = "all"
            if self.lose == "all":
                continue
            receiver.feed(message)
            written: list[str] = []
            app = self.app
            if receiver is self.right:
                app = self.config["application"]
            play.settle(receiver, app, written)
            self.store(written)
        return bool(sent)

    def store(self, written: list[str]) -> None:
        self.connections[-1]["entries"] += written
        if written:
            self.entry = written[-1]

    def talk(self) -> None:
        while self._carry(self.left, self.right) or self._carry(
            self.right, self.left
        ):
            pass
        self._note()

    def _note(self) -> None:
        """What this connection gave, as it is now."""
        left, right, here = self.left, self.right, self.connections[-1]
        taken, attempt = right.taken, left.attempt
        here["resume"] = play.to_json(attempt.inside) if attempt else None
        here["resumed"] = None
        if not right.refreshed:
            here["master"] = here["keys"] = None
        if taken:
            assert attempt and taken.next and taken.inside == attempt.inside
            here["resumed"] = play.to_json(taken.next.inside)
        if right.refreshed:
            self._note_refresh()
        elif right.keys:
            assert right.sending and right.receiving
            here["master"] = right.keys.master.hex()
            here["keys"] = {
                **play.keys_json(right.keys),
                "initiator_digest": _first(right.receiving),
                "responder_digest": _first(right.sending),
            }
        here["received_by_initiator"] = play.records_json(
            left.received[self.seen :]
        )
        here["received_by_responder"] = play.records_json(right.received)
        waits = right.move and right.move.next
        if left.state == "open" and not waits:
            assert left.refreshed == right.refreshed or not right.refreshed
            assert left.keys == right.keys
            if taken and left.resumed_inside != taken.next.inside:
                raise Mismatch("the two sides differ")

    def _note_refresh(self) -> None:
        right = self.right
        keys = play.keys_json(right.next_keys)
        del keys["initiator_digest"], keys["responder_digest"]
        inside = play.to_json(right.refreshed)
        self.connections[-1]["refresh"] = {**inside, "keys": keys}

    def step(self, step: Json) -> None:
        if step["do"] == "connect":
            self.connect(step["lose"])
        elif step["do"] == "checkpoint":
            entry = self.right.checkpoint().hex()
            self.store([entry])
            self.right.checkpointed()
            if self.right.refreshed:
                self._note_refresh()
            if step["arrives"]:
                self.talk()
        elif step["do"] == "send":
            from_left = step["from"] == "initiator"
            side = self.left if from_left else self.right
            side.send(step["type"], unhex(step["data"]))
            if step["arrives"]:
                self.talk()
        else:
            raise Mismatch(f"unknown step {step['do']}")

    def result(self) -> Json:
        left, right = self.left, self.right
        assert left.sending and left.receiving
        assert right.sending and right.receiving
        marks = left.sending.mark(), left.receiving.mark()
        if marks != (right.receiving.mark(), right.sending.mark()):
            raise Mismatch("the two sides differ")
        assert left.granted is not None
        return {
            "session_id": left.granted.session_id.hex(),
            "connections": self.connections,
            "final_initiator": mark_json(marks[0]),
            "final_responder": mark_json(marks[1]),
            "state": left.state,
        }


def _first(direction: Any) -> str:
    return direction.marks[min(direction.marks)].digest.hex()


@kind(
    "takeover",
    *("initiator", "responders", "initiator_random", "responder_random"),
    "script",
)
def takeover(v: Json) -> Json:
    draws = Draws(v["initiator_random"])
    others = [Draws(draw) for draw in v["responder_random"]]
    moving = Moving(v["initiator"], v["responders"], draws, list(others))
    for step in v["script"]:
        moving.step(step)
    if any(one.items for one in (draws, *others)):
        raise Mismatch("draws are left over")
    return moving.result()
