#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""interop.py [PROGRAM]: the Python implementation against the program, over
TCP: both roles, three tokens (and plain passwords), both paths, suites 1
and 2, and beside these cookies, grease, tickets that are issued in a session,
refusals, and channels. Exit 0: all agree."""

from __future__ import annotations

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PEER = [sys.executable, "-B", str(HERE / "peer.py")]
PROGRAM = str(HERE.parent / "build" / "handfast")
if len(sys.argv) > 1:
    PROGRAM = os.path.abspath(sys.argv[1])
STORE = "lmdb:store"
DATA = b"what is sealed comes back\n" * 5000
WAIT = 30


def tool(*args: str) -> None:
    subprocess.run([PROGRAM, *args], check=True, stderr=subprocess.DEVNULL)


def prepare() -> None:
    """A CA, certificates for each suite, users, a ring and tickets; and a
    cluster of two servers."""
    secret("pw", "correct horse\n")
    tool("ca", "init", "ca", "--name", "Interop CA")
    cluster = ("--key", "web.key", "--store", STORE)
    tool(
        *("cluster", "init", "--ca", "ca", "--name", "web"),
        *("--store", STORE, "-o", "web.cert"),
    )
    for suite in ("1", "2"):
        for name, usage in (
            ("echo", "responder"),
            ("alice", "initiator"),
            ("one", "responder,server"),
            ("two", "responder,server"),
        ):
            both = f"{name}{suite}"
            tool("keygen", "-o", f"{both}.key")
            tool(
                *("cert", "request", "--identity", f"{both}.key"),
                *("--subject", name, "--suite", suite, "-o", f"{both}.req"),
            )
            more = []
            if name != "alice":
                more += ["--realm", "example.org"]
            if "server" in usage:
                more += ["--cluster", "web"]
            tool(
                *("cert", "issue", "--ca", "ca", "--request", f"{both}.req"),
                *("--usage", usage, *more, "-o", f"{both}.cert"),
            )
            if "server" in usage:
                tool("cluster", "admit", *cluster, "--cert", f"{both}.cert")
    tool("ticket", "ring", "ring")
    tool(
        *("ticket", "issue", "--ring", "ring", "--subject", "alice"),
        *("--audience", "web", "--ttl", "1h", "-o", "web.ticket"),
    )
    tool(
        *("ticket", "issue", "--ring", "ring", "--subject", "alice"),
        *("--audience", "echo", "--ttl", "1h", "-o", "alice.ticket"),
    )
    tool(
        *("ticket", "issue", "--ring", "ring", "--subject", "alice"),
        *("--audience", "echo", "--ttl", "1h", "--single-use"),
        *("-o", "once.ticket"),
    )
    tool(
        *("user", "add", "--db", "users", "--realm", "example.org"),
        *("--passphrase-file", "pw", "alice"),
    )
    check = pathlib.Path("check")
    check.write_text(
        "#!/bin/sh\nread u; read p\n" '[ "$u:$p" = "alice:correct horse" ]\n'
    )
    check.chmod(0o700)


def secret(name: str, text: str) -> None:
    path = pathlib.Path(name)
    path.touch(0o600)
    path.write_text(text)


class Server:
    """A responder, of either make, until the block ends."""

    def __init__(
        self,
        command: list[str],
        suite: str,
        *more: str,
        name: str = "echo",
    ) -> None:
        self.port = pathlib.Path(f"{name}.port")
        self.port.unlink(missing_ok=True)
        self.log = open("server.log", "ab")
        self.process = subprocess.Popen(
            [
                *command,
                "respond",
                *("--listen", "127.0.0.1:0", "--port-file", str(self.port)),
                *("--identity", f"{name}{suite}.key"),
                *("--cert", f"{name}{suite}.cert"),
                *("--trust", "ca/ca.cert", "--echo", *more),
            ],
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )

    def __enter__(self) -> str:
        end = time.monotonic() + WAIT
        while not self.port.exists() or not self.port.read_text().strip():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("a responder did not start")
            time.sleep(0.01)
        return f"127.0.0.1:{self.port.read_text().strip()}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(WAIT)
        self.log.close()


failures = 0
count = 0


def call(
    name: str,
    command: list[str],
    where: str,
    *more: str,
    code: int = 0,
    says: str = "",
) -> None:
    """One session: what is sent comes back, and the exit code is `code`."""
    words = ["--connect", where, "--trust", "ca/ca.cert", *more]
    try_it(name, [*command, "initiate", *words], code, says)


def try_it(name: str, words: list[str], code: int = 0, says: str = "") -> None:
    global count
    count += 1
    pathlib.Path("server.log").write_bytes(b"")
    done = subprocess.run(
        words,
        input=DATA,
        capture_output=True,
        timeout=WAIT,
        check=False,
    )
    good = done.returncode == code
    if code == 0:
        good = good and done.stdout == DATA
    good = good and says.encode() in done.stderr
    tell(name, good)
    if not good:
        said = done.stderr.decode().strip().replace("\n", " | ")
        server = pathlib.Path("server.log").read_text().strip()
        print(f"{name}: exit {done.returncode}: {said}", file=sys.stderr)
        print(server, file=sys.stderr)


def tell(name: str, good: bool) -> None:
    global failures
    failures += not good
    print(f"{'PASS' if good else 'FAIL'} interop/{name}", flush=True)


def log_of_peer(name: str, says: str) -> None:
    """What a responder says when its session has ended."""
    global count
    count += 1
    end = time.monotonic() + WAIT
    log = pathlib.Path("server.log")
    while says not in log.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    tell(name, log.read_text().count(says) == 1)


def tokens(suite: str) -> dict[str, list[str]]:
    return {
        "certificate": [
            *("--identity", f"alice{suite}.key"),
            *("--cert", f"alice{suite}.cert"),
        ],
        "password": [
            *("--user", "alice", "--passphrase-file", "pw"),
            *("--expect", "echo"),
        ],
        "ticket": ["--ticket", "alice.ticket"],
    }


def matrix(server: list[str], client: list[str], who: str) -> None:
    """3 tokens x 2 paths x 2 suites."""
    for suite in ("1", "2"):
        more = ["--users", "users", "--ring", "ring"]
        if server is PEER:
            more += ["--sessions", "100", "--grease"]
        with Server(server, suite, *more) as where:
            for (token, args), path in itertools.product(
                tokens(suite).items(), ("known", "prekey")
            ):
                extra = list(args)
                if path == "known":
                    extra += ["--responder-cert", f"echo{suite}.cert"]
                    if token == "password":
                        extra.append("--no-prekey")
                if client is PEER:
                    extra.append("--grease")
                call(
                    f"{who}-{token}-{path}-suite{suite}",
                    client,
                    where,
                    *extra,
                )


def beside(server: list[str], client: list[str], who: str) -> None:
    """Plain passwords, cookies, tickets from a session, refusals."""
    peer = server is PEER
    many = ["--sessions", "100"] if peer else []
    plain = (
        ["--plain-password", "alice:correct horse"]
        if peer
        else ["--password-command", os.path.abspath("check")]
    )
    password = tokens("1")["password"]
    known = ["--responder-cert", "echo1.cert"]
    with Server(server, "1", *many, *plain) as where:
        call(f"{who}-plain", client, where, *password, "--plain-password")
        call(f"{who}-password-refused", client, where, *password, code=4)
        call(
            f"{who}-plain-known-chain",
            client,
            where,
            *(*password, "--plain-password", *known),
        )
    retry = ["--retry", "hello", "--retry", "request"]
    busy = [*many, *retry] if peer else ["--busy", "0"]
    ring = ["--ring", "ring"]
    with Server(server, "1", *busy, *ring) as where:
        for token in ("certificate", "ticket"):
            args = tokens("1")[token]
            call(f"{who}-{token}-retry-request", client, where, *args, *known)
            call(f"{who}-{token}-retry-hello", client, where, *args)
    ttl = "600" if peer else "10m"
    with Server(server, "1", *many, *ring, "--issue-tickets", ttl) as where:
        for path in pathlib.Path().glob("new*.ticket"):
            path.unlink()
        args = tokens("1")["certificate"]
        call(
            f"{who}-issue", client, where, *args, "--ticket-out", "new.ticket"
        )
        call(f"{who}-issued", client, where, "--ticket", "new.ticket")
        renew = ["--ticket", "new.ticket", "--ticket-out", "newer.ticket"]
        call(f"{who}-renew", client, where, *renew)
        call(f"{who}-renewed", client, where, "--ticket", "newer.ticket")
        call(f"{who}-once", client, where, "--ticket", "once.ticket")
        call(f"{who}-twice", client, where, "--ticket", "once.ticket", code=4)
        call(f"{who}-name", client, where, *args, "--expect", "other", code=4)
    tool(
        *("ca", "revoke", "ca", "alice1.cert", "-o", "list"),
    )
    with Server(server, "1", *many, "--revoked", "list") as where:
        args = tokens("1")["certificate"]
        call(f"{who}-revoked", client, where, *args, code=4)


def moves() -> None:
    """The Python initiator's session moves to and fro between two servers of
    the program on one store: 3 tokens x 2 suites, by soft takeovers, by those
    that a refresh proves, and by proved ones. The reverse is not played: there
    is no store in Python, so its responder's sessions do not move."""
    for suite, how in itertools.product(
        ("1", "2"), ("soft", "refreshed", "proved")
    ):
        more = ["--users", "users", "--ring", "ring", "--checkpoint", "record"]
        more += ["--store", STORE, "--cluster", "web.cert"]
        if how == "proved":
            more += ["--takeover", "proved"]
        if how == "soft":
            more += ["--no-refresh"]
        with (
            Server([PROGRAM], suite, *more, name="one") as first,
            Server([PROGRAM], suite, *more, name="two") as second,
        ):
            for token, args in tokens(suite).items():
                args = [{"echo": "web"}.get(a, a) for a in args]
                args = [{"alice.ticket": "web.ticket"}.get(a, a) for a in args]
                if how == "refreshed":
                    args += ["--refresh"]
                call(
                    f"peer-moves-{token}-{how}-suite{suite}",
                    PEER,
                    first,
                    *("--connect", second, "--expect", "web", *args),
                    *("--moves", "4", "--suite", suite),
                    says="closed after 4 moves",
                )


AGENT = """peer echo {
  address = {"%s"}
  trust = {"ca/ca.cert"}
  expect = "echo"
  identity = "alice1.key"
  certificate = "alice1.cert"
}
"""


def channels() -> None:
    """Channels in the place of data: the Python initiator's at the program's
    responder, and those of the program's agent at the Python responder."""
    args = tokens("1")["certificate"]
    many = [*args, "--channels", "3"]
    with Server([PROGRAM], "1") as where:
        call("peer-channels", PEER, where, *many, says="3 channels")
    with Server([PROGRAM], "1", "--channels", "0") as where:
        call("peer-no-channels", PEER, where, *many, code=2)
    with Server(PEER, "1", "--channels", "--sessions", "2") as where:
        call("program-unasked", [PROGRAM], where, *args)
        secret("agent.conf", AGENT % where)
        path = os.path.abspath("run/agent")
        words = ["agent", "--config", "agent.conf", "--agent", path]
        with open("agent.log", "ab") as log:
            agent = subprocess.Popen([PROGRAM, *words], stderr=log)
        end = time.monotonic() + WAIT
        while not os.path.exists(path) and time.monotonic() < end:
            time.sleep(0.01)
        shared = ["initiate", "--shared", "echo", "--agent", path]
        for i in range(3):
            try_it(f"agent-channel-{i + 1}", [PROGRAM, *shared])
        agent.terminate()
        agent.wait(WAIT)
        log_of_peer("agent-one-session", "peer: 3 channels")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.umask(0o077)
        prepare()
        program = [PROGRAM]
        moves()
        matrix(program, PEER, "peer-to-program")
        matrix(PEER, program, "program-to-peer")
        beside(program, PEER, "peer-to-program")
        beside(PEER, program, "program-to-peer")
        channels()
        os.chdir("/")
    print(f"{count - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
