# SPDX-License-Identifier: ISC
"""Plays handshakes and sessions that are written down as JSON: what a side
is told, the application's answers, the draws (vectors/README.md)."""

from __future__ import annotations

from typing import Any, Callable

from . import messages, passwords, session, states, tickets
from .certs import Identity, Trust
from .errors import HandfastError
from .initiator import Initiator, InitiatorConfig
from .messages import CERTIFICATE, PASSWORD, PLAIN, TICKET
from .owner import ResponderConfig
from .responder import Responder

Json = dict[str, Any]
KINDS = {
    "certificate": CERTIFICATE,
    "password": PASSWORD,
    "plain": PLAIN,
    "ticket": TICKET,
}


class Mismatch(Exception):
    """A vector that contradicts itself: where, and how."""


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def unhexes(items: list[str]) -> tuple[bytes, ...]:
    return tuple(map(unhex, items))


class Draws:
    """Randomness from a list."""

    def __init__(self, items: list[str]) -> None:
        self.items = list(unhexes(items))
        self.taken: list[str] = []

    def __call__(self, size: int) -> bytes:
        if not self.items or len(self.items[0]) != size:
            raise Mismatch(f"no draw of {size} bytes is next")
        draw = self.items.pop(0)
        self.taken.append(draw.hex())
        return draw


def trust(config: Json) -> Trust:
    found = Trust()
    for raw in config["anchors"]:
        found.add_anchor(unhex(raw))
    for raw in config["lists"]:
        found.add_list(unhex(raw))
    return found


def token(config: Json) -> session.Token:
    kind = KINDS[config["kind"]]
    if kind == CERTIFICATE:
        return session.Token(
            kind,
            identity=Identity(unhex(config["seed"])),
            chain=unhexes(config["chain"]),
        )
    if kind == TICKET:
        return session.Token(
            kind, file=tickets.read_file(unhex(config["file"]))
        )
    return session.Token(
        kind, user=config["user"], password=config["password"]
    )


def initiator(
    config: Json, random: Callable[[int], bytes]
) -> Initiator:
    known = config["responder_chain"]
    return Initiator(
        InitiatorConfig(
            now=config["now"],
            trust=trust(config),
            token=token(config["token"]),
            suites=tuple(config["suites"]),
            expect=config["expect"],
            realm=config["realm"],
            target=config["target"],
            known=None if known is None else unhexes(known),
            prekey=config["prekey"],
            grease=config["grease"],
            deadline=config["deadline"],
            refresh=config.get("refresh", False),
            dispatched=config.get("dispatched", False),
            channels=config.get("channels", False),
        ),
        random,
    )


def ring(config: list[Json] | None) -> tuple[tickets.RingKey, ...] | None:
    if config is None:
        return None
    return tuple(
        tickets.RingKey(unhex(k["kid"]), unhex(k["key"]), k["created"])
        for k in config
    )


def scopes(told: list[Json]) -> tuple[states.Scope, ...]:
    return tuple(
        states.Scope(
            scope["name"],
            tuple(scope["targets"]),
            tuple(
                states.Generation(g["number"], unhex(g["key"]), g["cut_off"])
                for g in scope["generations"]
            ),
        )
        for scope in told
    )


def vault(told: Json | None) -> states.Vault | None:
    if told is None:
        return None
    return states.Vault(
        told["name"], told["owner"], told["mobility"], scopes(told["scopes"])
    )


def responder(
    config: Json, random: Callable[[int], bytes]
) -> Responder:
    return Responder(
        ResponderConfig(
            now=config["now"],
            identity=Identity(unhex(config["seed"])),
            chain=unhexes(config["chain"]),
            trust=trust(config),
            suites=tuple(config["suites"]),
            kinds=tuple(KINDS[k] for k in config["kinds"]),
            ring=ring(config["ring"]),
            cookie_key=unhex(config["cookie_key"]),
            source=unhex(config["source"]),
            tolerance=config["tolerance"],
            lifetime=config["lifetime"],
            grease=config["grease"],
            deadline=config["deadline"],
            vault=vault(config.get("cluster")),
            refresh=config.get("refresh", False),
            channels=config.get("channels", False),
        ),
        random,
    )


def judge_responder(
    question: session.Question, app: Json, taken: bool = False
) -> str | None:
    """What the responder's application answers; `taken`: to a peer who was
    authenticated in a session that is taken over."""
    if question.what == "admit":
        if app["limited"]:
            return "HF_E_LIMITED"
        if question.fingerprint.hex() in app["seen"]:
            return "HF_E_REPLAY"
        wants = messages.NAMES[question.type] in app["retry"]
        return "retry" if wants and not question.cookie else None
    if question.what == "burn":
        if not app["store"]:
            return "HF_E_STORE"
        used = question.cti.hex() in app["used"]
        return "HF_E_TICKET_USED" if used else None
    peer = question.peer
    assert peer is not None
    if peer.name in app["limited_users"]:
        return "HF_E_LIMITED"
    if taken:
        return "HF_E_POLICY" if peer.name in app["refuse"] else None
    if peer.kind == PASSWORD:
        mine = passwords.verifier(peer.stretched).hex()
        if {"user": peer.name, "verifier": mine} not in app["users"]:
            return "HF_E_PASSWORD"
    if peer.kind == PLAIN:
        pair = {"user": peer.name, "password": peer.password}
        if pair not in app["passwords"]:
            return "HF_E_PASSWORD"
    return "HF_E_POLICY" if peer.name in app["refuse"] else None


def judge_initiator(question: session.Question, app: Json) -> str | None:
    assert question.peer is not None
    return "HF_E_POLICY" if question.peer.name in app["refuse"] else None


def settle(side: Any, app: Json, written: list[str] | None = None) -> None:
    """Answer all that the side asks. `written` gets the entries that are to
    be written."""
    judge = judge_initiator if side.role == "initiator" else judge_responder
    written = [] if written is None else written
    while side.question:
        question, shelf = side.question, app.get("shelf")
        if question.what == "state":
            assert shelf is not None
            entry = shelf["entry"]
            side.supply(entry and unhex(entry), shelf["get"])
        elif question.what in ("claim", "confirm"):
            assert shelf is not None
            written.append(question.entry.hex())
            side.answer(shelf[question.what])
        else:
            more = ()
            if side.role == "responder":
                more = (side.taken is not None,)
            side.answer(judge(question, app, *more))


def make(role: str, config: Json, random: Callable[[int], bytes]) -> Any:
    return (initiator if role == "initiator" else responder)(config, random)


# A whole handshake ----------------------------------------------------------


def to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value


def keys_json(keys: Any) -> Json:
    return {
        name: getattr(keys, name).hex()
        for name in (
            "initiator_key",
            "initiator_iv",
            "responder_key",
            "responder_iv",
            "confirmation",
            "resumption",
            "exporter",
            "initiator_digest",
            "responder_digest",
        )
    }


def first_type(message: bytes) -> str:
    return messages.NAMES[message[1]]


def split(stream: bytes) -> list[bytes]:
    """The messages of a stream."""
    found = []
    while stream:
        size = messages.cbor.scan(stream, 1 << 20)
        found.append(stream[:size])
        stream = stream[size:]
    return found


def handshake(
    i_config: Json,
    r_config: Json,
    i_random: Callable[[int], bytes],
    r_random: Callable[[int], bytes],
    send: list[Json],
) -> Json:
    """Runs both sides: what a handshake vector gives beside its inputs."""
    left = initiator(i_config, i_random)
    right = responder(r_config, r_random)
    apps = {
        "initiator": i_config["application"],
        "responder": r_config["application"],
    }
    trail: list[Json] = []

    def carry(sender: session.Session, receiver: session.Session) -> bool:
        sent = split(sender.drain())
        for message in sent:
            trail.append(
                {
                    "from": sender.role,
                    "type": first_type(message),
                    "bytes": message.hex(),
                }
            )
            receiver.feed(message)
            settle(receiver, apps[receiver.role])
        return bool(sent)

    def both() -> None:
        while carry(left, right) or carry(right, left):
            pass

    left.start()
    settle(left, apps["initiator"])
    both()
    for record in send:
        side = left if record["from"] == "initiator" else right
        side.send(record["type"], unhex(record["data"]))
        both()
    if left.keys != right.keys or left.requests[-1] != right.requests[-1]:
        raise Mismatch("the two sides differ")
    assert left.keys and left.granted and left.sending and left.receiving
    return {
        "suite": left.keys.suite,
        "messages": trail,
        "requests": to_json(left.requests),
        "grant": to_json(left.derived),
        "session_key": left.granted.session_key.hex(),
        "session_id": left.granted.session_id.hex(),
        "master": left.keys.master.hex(),
        "keys": keys_json(left.keys),
        "received_by_initiator": records_json(left.received),
        "received_by_responder": records_json(right.received),
        "final_initiator_digest": left.sending.digest.hex(),
        "final_responder_digest": left.receiving.digest.hex(),
        "state": left.state,
    }


def records_json(taken: list[tuple[int, bytes]]) -> list[Json]:
    return [{"type": k, "data": d.hex()} for k, d in taken]


# One side, step by step -----------------------------------------------------


def steps(
    role: str,
    config: Json,
    random: Callable[[int], bytes],
    script: list[Json],
) -> tuple[list[Json], str | None]:
    """One side through a script: each step with what it gives, and the
    error that ends it."""
    app = config["application"]
    done: list[Json] = []
    side = make(role, config, random)
    error: str | None = None
    for step in script:
        if error:
            raise Mismatch("a step after the error")
        before = len(side.received)
        written: list[str] = []
        try:
            do(side, step, written)
            settle(side, app, written)
        except HandfastError as fault:
            error = fault.name
        given = {k: v for k, v in step.items() if k in STEP_INPUTS}
        given["out"] = side.drain().hex()
        given["state"] = side.state
        given["received"] = records_json(side.received[before:])
        if "cluster" in config:
            given["entries"] = written
        done.append(given)
    if not error and side.state == "start":
        error = side.refused
    return done, error


STEP_INPUTS = ("do", "bytes", "seconds", "type", "target")


def do(side: Any, step: Json, written: list[str]) -> None:
    if step["do"] == "start":
        side.start()
    elif step["do"] == "feed":
        side.feed(unhex(step["bytes"]))
    elif step["do"] == "end":
        side.end()
    elif step["do"] == "wait":
        side.tick(step["seconds"])
    elif step["do"] == "send":
        side.send(step["type"], unhex(step["bytes"]))
    elif step["do"] == "reconnect":
        side.reconnect()
    elif step["do"] == "reroute":
        side.reroute(step["target"])
    elif step["do"] == "checkpoint":
        written.append(side.checkpoint().hex())
        side.checkpointed()
    else:
        raise Mismatch(f"unknown step {step['do']}")
