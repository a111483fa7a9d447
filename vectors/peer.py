#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Plays the initiator or the responder over TCP, with the files of the
program: `peer.py initiate ...`, `peer.py respond ...`. The options are those
of `handfast initiate` and `handfast respond`, with a few more to steer what
is tested. Exit codes as in spec section 12.1."""

from __future__ import annotations

import argparse
import os
import pathlib
import secrets
import selectors
import socket
import sys
import time
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from handfast1 import (  # noqa: E402
    files,
    messages,
    passwords,
    records,
    session,
    tickets,
)
from handfast1.certs import Identity, Trust  # noqa: E402
from handfast1.errors import ERRORS, HandfastError, need  # noqa: E402
from handfast1.initiator import Initiator, InitiatorConfig  # noqa: E402
from handfast1.owner import ResponderConfig  # noqa: E402
from handfast1.responder import Responder  # noqa: E402

import carrier  # noqa: E402
from mover import Mover, address  # noqa: E402

DATA_MAX = 65536


# Files ----------------------------------------------------------------------


def load(path: str, label: str) -> list[bytes]:
    found = files.blocks(pathlib.Path(path).read_text(), f"HANDFAST {label}")
    need(bool(found), "HF_E_OBJECT", f"{path}: no {label}")
    return found


def load_identity(args: argparse.Namespace) -> Identity:
    path = args.identity
    text = pathlib.Path(path).read_text()
    phrase = b""
    if args.passphrase_file:
        phrase = first_line(args.passphrase_file).encode()
    for label in ("HANDFAST IDENTITY", "HANDFAST ENCRYPTED IDENTITY"):
        for data in files.blocks(text, label):
            return Identity(files.read_identity(data, phrase))
    raise HandfastError("HF_E_OBJECT", f"{path}: no identity")


def load_trust(args: argparse.Namespace) -> Trust:
    trust = Trust()
    for path in args.trust:
        for raw in load(path, "CERTIFICATE"):
            trust.add_anchor(raw)
    for path in args.revoked:
        for raw in load(path, "REVOCATION LIST"):
            trust.add_list(raw)
    return trust


def load_chain(path: str) -> tuple[bytes, ...]:
    return tuple(load(path, "CERTIFICATE"))


def load_users(path: str) -> dict[str, str]:
    """The program's users file: a line of its realm and cost, then a line
    of name and verifier for each."""
    lines = pathlib.Path(path).read_text().splitlines()
    need(lines[0].startswith("handfast-users 1 "), "HF_E_OBJECT", path)
    pairs = (line.partition(" ") for line in lines[1:])
    return {name: verifier for name, _, verifier in pairs}


def first_line(path: str) -> str:
    return pathlib.Path(path).read_text().split("\n", 1)[0]


# A session over a socket ----------------------------------------------------


def trace(args: argparse.Namespace, side: Any, way: str, data: bytes) -> None:
    if args.trace:
        print(f"{side.role} {way} {data.hex()}", file=sys.stderr)


class Link:
    """Drives one session over one socket."""

    def __init__(
        self,
        args: argparse.Namespace,
        side: Any,
        sock: socket.socket,
        judge: Any,
    ) -> None:
        self.args, self.side, self.sock, self.judge = args, side, sock, judge
        self.taken = 0

    def flush(self) -> None:
        out = self.side.drain()
        if out:
            trace(self.args, self.side, ">", out)
            self.sock.sendall(out)

    def settle(self) -> None:
        while self.side.question:
            self.side.answer(self.judge(self.side, self.side.question))

    def guarded(self, action: Any) -> None:
        """The alert leaves in any case."""
        try:
            action()
            self.settle()
        finally:
            try:
                self.flush()
            except OSError:
                pass

    def receive(self) -> bool:
        """One read; False at the end of the stream."""
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.guarded(self.side.end)
            return False
        trace(self.args, self.side, "<", data)
        self.guarded(lambda: self.side.feed(data))
        return True

    def new(self) -> list[tuple[int, bytes]]:
        found = self.side.received[self.taken :]
        self.taken = len(self.side.received)
        return found

    def handshake(self) -> None:
        while self.side.state != "open":
            self.receive()

    def send(self, data: bytes) -> None:
        for i in range(0, len(data), DATA_MAX):
            self.side.send(records.DATA, data[i : i + DATA_MAX])
        self.flush()

    def close(self) -> None:
        self.side.send(records.CLOSE, b"")
        self.flush()


def describe(side: Any) -> str:
    assert side.keys and side.granted
    number = side.export("peer", b"", 8).hex()
    return f"suite {side.keys.suite}, export {number}"


# Initiator ------------------------------------------------------------------


def token(args: argparse.Namespace) -> session.Token:
    if args.ticket:
        data = load(args.ticket, "TICKET")[0]
        return session.Token(messages.TICKET, file=tickets.read_file(data))
    if args.user:
        kind = messages.PLAIN if args.plain_password else messages.PASSWORD
        password = first_line(args.passphrase_file)
        return session.Token(kind, user=args.user, password=password)
    return session.Token(
        messages.CERTIFICATE,
        identity=load_identity(args),
        chain=load_chain(args.cert),
    )


def initiate(args: argparse.Namespace) -> None:
    mine = token(args)
    known = load_chain(args.responder_cert) if args.responder_cert else None
    password = mine.kind in (messages.PASSWORD, messages.PLAIN)
    side = Initiator(
        InitiatorConfig(
            now=args.now or int(time.time()),
            trust=load_trust(args),
            token=mine,
            suites=tuple(args.suite) or (1, 2),
            expect=args.expect,
            realm=args.realm,
            target=args.target,
            known=known,
            prekey=password and not args.no_prekey,
            grease=args.grease,
            refresh=args.refresh,
            channels=args.channels > 0,
        ),
        secrets.token_bytes,
    )
    if len(args.connect) > 1:
        yes = lambda _side, _question: None  # noqa: E731
        Mover(args, side, lambda sock: Link(args, side, sock, yes)).run()
        return
    with socket.create_connection(address(args.connect[0]), 10) as sock:
        link = Link(args, side, sock, lambda _side, _question: None)
        link.guarded(side.start)
        link.handshake()
        print(f"peer: open, {describe(side)}", file=sys.stderr)
        if args.channels:
            carrier.initiate(link, args.channels)
        else:
            pump(args, link)


def pump(args: argparse.Namespace, link: Link) -> None:
    """Standard input to the peer, its data to standard output."""
    waiting = selectors.DefaultSelector()
    waiting.register(link.sock, selectors.EVENT_READ)
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ)
    while link.side.state == "open":
        show(args, link)
        for key, _ in waiting.select(10):
            if key.fd != sys.stdin.fileno():
                if not link.receive():
                    return
                continue
            data = os.read(key.fd, 65536)
            if data:
                link.send(data)
            else:
                waiting.unregister(key.fd)
                link.close()
    show(args, link)


def show(args: argparse.Namespace, link: Link) -> None:
    for kind, data in link.new():
        if kind == records.DATA:
            os.write(1, data)
        elif kind == records.TICKET and args.ticket_out:
            text = files.armour("HANDFAST TICKET", data)
            pathlib.Path(args.ticket_out).write_text(text)
            os.chmod(args.ticket_out, 0o600)


# Responder ------------------------------------------------------------------


class House:
    """The responder's application."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.users = load_users(args.users) if args.users else {}
        self.used: set[bytes] = set()
        self.seen: set[bytes] = set()

    def kinds(self) -> tuple[int, ...]:
        return (
            messages.CERTIFICATE,
            *([messages.PASSWORD] if self.args.users else []),
            *([messages.PLAIN] if self.args.plain_password else []),
            *([messages.TICKET] if self.args.ring else []),
        )

    def judge(self, _side: Any, question: session.Question) -> str | None:
        if question.what == "admit":
            if question.fingerprint in self.seen:
                return "HF_E_REPLAY"
            self.seen.add(question.fingerprint)
            self.seen.discard(b"")
            return "retry" if self._retry(question) else None
        if question.what == "burn":
            if question.cti in self.used:
                return "HF_E_TICKET_USED"
            self.used.add(question.cti)
            return None
        peer = question.peer
        assert peer is not None
        if peer.kind == messages.PASSWORD:
            mine = passwords.verifier(peer.stretched).hex()
            if self.users.get(peer.name) != mine:
                return "HF_E_PASSWORD"
        if peer.kind == messages.PLAIN:
            if f"{peer.name}:{peer.password}" != self.args.plain_password:
                return "HF_E_PASSWORD"
        return None

    def _retry(self, question: session.Question) -> bool:
        name = messages.NAMES[question.type]
        return name in self.args.retry and not question.cookie


def respond(args: argparse.Namespace) -> None:
    house = House(args)
    listener = socket.create_server(address(args.listen))
    if args.port_file:
        port = listener.getsockname()[1]
        partial = pathlib.Path(args.port_file + ".new")
        partial.write_text(f"{port}\n")
        partial.rename(args.port_file)
    for _ in range(args.sessions):
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(10)
            try:
                serve(args, house, sock)
            except HandfastError as fault:
                print(f"peer: {fault}", file=sys.stderr)
                if args.sessions == 1:
                    raise


def serve(args: argparse.Namespace, house: House, sock: socket.socket) -> None:
    keys: tuple[tickets.RingKey, ...] = ()
    if args.ring:
        keys = tuple(files.read_ring(load(args.ring, "TICKET RING")[0]))
    side = Responder(
        ResponderConfig(
            now=args.now or int(time.time()),
            identity=load_identity(args),
            chain=load_chain(args.cert),
            trust=load_trust(args),
            suites=tuple(args.suite) or (1, 2),
            kinds=house.kinds(),
            ring=keys or None,
            cookie_key=b"\x5a" * 32,
            source=b"",
            grease=args.grease,
            channels=args.channels,
        ),
        secrets.token_bytes,
    )
    link = Link(args, side, sock, house.judge)
    link.handshake()
    assert side.peer is not None
    print(f"peer: open, {side.peer.name}, {describe(side)}", file=sys.stderr)
    single = side.peer.ticket and side.peer.ticket.single_use
    if args.issue_tickets and not single:
        side.send(records.TICKET, issue(side, keys[0], args.issue_tickets))
        link.flush()
    if side.channels:
        carrier.respond(link)
        return
    closed = False
    while side.state == "open":
        for kind, data in link.new():
            if kind == records.DATA and args.echo:
                link.send(data)
            elif kind == records.DATA:
                os.write(1, data)
            elif kind == records.CLOSE and not closed:
                closed = True
                link.close()
        if side.state == "open":
            link.receive()
            if side.state == "closed" and not closed:
                link.close()


def issue(side: Responder, key: tickets.RingKey, ttl: int) -> bytes:
    """Section 7.3: a ticket for the session's peer, for at most a day."""
    peer, now = side.peer, side.now
    assert peer is not None and side.plain is not None
    sub, first, limit = peer.name, now, now + 86400
    method = {1: 1, 2: 2, 3: 4, 4: 0}[peer.kind]
    origins: tuple[bytes, ...] = ()
    if peer.ticket:
        old = peer.ticket
        sub, method, first, origins = (
            old.sub,
            old.method,
            old.first,
            old.origins,
        )
        limit = min(first + 86400, old.limit)
    elif peer.kind == messages.CERTIFICATE:
        path = side.config.trust.path(side.plain.token[1], now)
        limit = min(limit, *(cert.exp for cert in path))
        origins = tuple(
            above.key[:16] + cert.cti for cert, above in zip(path, path[1:])
        )
    else:
        sub = f"{peer.name}@{side.own.realm}"
    made = tickets.Ticket(
        sub=sub,
        aud=side.own.cluster or side.own.sub,
        exp=min(now + ttl, limit),
        iat=now,
        cti=secrets.token_bytes(16),
        proof=secrets.token_bytes(32),
        single_use=0,
        method=method,
        first=first,
        limit=limit,
        origins=origins,
    )
    sealed = tickets.seal_ticket(made, key, secrets.token_bytes(12))
    return tickets.holder(made, sealed).encode()


# Options --------------------------------------------------------------------


def options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    for name in ("trust", "revoked"):
        common.add_argument(f"--{name}", action="append", default=[])
    for name in ("identity", "cert", "passphrase-file"):
        common.add_argument(f"--{name}")
    common.add_argument("--suite", type=int, action="append", default=[])
    common.add_argument("--now", type=int, help="judge as of that time")
    common.add_argument("--grease", action="store_true")
    common.add_argument("--trace", action="store_true")

    parser = argparse.ArgumentParser(description=__doc__)
    roles = parser.add_subparsers(required=True)
    left = roles.add_parser("initiate", parents=[common])
    left.set_defaults(run=initiate)
    left.add_argument(
        "--connect",
        required=True,
        action="append",
        metavar="HOST:PORT",
        help="several: the session moves, see mover.py",
    )
    left.add_argument("--moves", type=int, default=0)
    left.add_argument("--refresh", action="store_true")
    left.add_argument("--one-way", action="store_true")
    for name in ("expect", "realm", "responder-cert", "user", "ticket"):
        left.add_argument(f"--{name}")
    left.add_argument("--target", default="")
    left.add_argument("--ticket-out")
    left.add_argument("--plain-password", action="store_true")
    left.add_argument("--no-prekey", action="store_true")
    left.add_argument("--channels", type=int, default=0, metavar="N")

    right = roles.add_parser("respond", parents=[common])
    right.set_defaults(run=respond)
    right.add_argument("--listen", required=True, metavar="HOST:PORT")
    for name in ("port-file", "users", "ring"):
        right.add_argument(f"--{name}")
    right.add_argument("--plain-password", metavar="USER:PASSWORD")
    right.add_argument("--issue-tickets", type=int, metavar="SECONDS")
    right.add_argument("--echo", action="store_true")
    right.add_argument("--channels", action="store_true")
    right.add_argument("--sessions", type=int, default=1)
    right.add_argument(
        "--retry",
        action="append",
        default=[],
        choices=("hello", "request"),
        help="answer these with a cookie first",
    )
    return parser


def main() -> int:
    args = options().parse_args()
    try:
        args.run(args)
    except HandfastError as fault:
        print(f"peer: error: {fault}", file=sys.stderr)
        return ERRORS[fault.name][1]
    except OSError as fault:
        print(f"peer: error: {fault}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
