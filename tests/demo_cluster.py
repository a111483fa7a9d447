#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""make demo-cluster: two responders on one store. A stream goes into a file
while the process that has the session is killed, again and again; one file
arrives, whole, in one session. Ends with 1 where anything of that fails.

    demo_cluster.py [--mib N] [--kills N] [--store lmdb|redis|postgres] PROGRAM

The store is LMDB in a folder, or a real server that is started for it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import servers

CHUNK = 1 << 16


class Failed(Exception):
    pass


class Cluster:
    def __init__(self, program: str, folder: Path, checkpoint: str,
                 store: str) -> None:
        self.program, self.dir, self.checkpoint = program, folder, checkpoint
        self.store = store
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self.do("ca", "init", "ca", "--name", "Demo CA")
        self.do("cluster", "init", "--ca", "ca", "--name", "demo", "--store",
                self.store, "-o", "demo.cert")
        for name, usage in (("a", "responder,server"),
                            ("b", "responder,server"),
                            ("alice", "initiator")):
            self.do("keygen", "-o", f"{name}.key")
            self.do("cert", "request", "--identity", f"{name}.key",
                    "--subject", name, "-o", f"{name}.req")
            of = () if name == "alice" else ("--cluster", "demo")
            self.do("cert", "issue", "--ca", "ca", "--request", f"{name}.req",
                    "--usage", usage, *of, "-o", f"{name}.cert")
        for name in ("a", "b"):
            self.do("cluster", "admit", "--key", "demo.key", "--store",
                    self.store, "--cert", f"{name}.cert")
        (folder / "received").mkdir()

    def do(self, *words: str) -> str:
        done = subprocess.run([self.program, *words], cwd=self.dir,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"handfast {' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self, name: str) -> None:
        log = open(self.dir / f"{name}.log", "ab")
        self.servers[name] = subprocess.Popen(
            [self.program, "respond", "--listen", f"unix:{name}.sock",
             "--identity", f"{name}.key", "--cert", f"{name}.cert",
             "--trust", "ca/ca.cert", "--store", self.store, "--cluster",
             "demo.cert", "--checkpoint", self.checkpoint, "--receive",
             "received", "--trace"],
            cwd=self.dir, stderr=log)
        until = time.monotonic() + 10
        while not (self.dir / f"{name}.sock").exists():
            if time.monotonic() > until:
                raise Failed(f"server {name} does not listen")
            time.sleep(0.01)

    def owner(self) -> str:
        rows = self.do("session", "list", "--store", self.store).split("\n")
        found = re.findall(r"owner (\w+) ", "\n".join(rows))
        if len(found) != 1:
            raise Failed(f"{len(found)} sessions in the store")
        return found[0]

    def received(self) -> int:
        return sum(f.stat().st_size
                   for f in (self.dir / "received").iterdir())

    def stop(self) -> None:
        for server in self.servers.values():
            server.kill()
            server.wait()


class Client:
    """Streams bytes, and notes when the session has moved."""

    def __init__(self, cluster: Cluster, size: int, rate: float) -> None:
        self.size, self.rate = size, rate
        self.digest = hashlib.sha256()
        self.moves: list[float] = []
        self.words: list[str] = []
        self.sent = 0
        self.process = subprocess.Popen(
            [cluster.program, "initiate", "--connect", "unix:a.sock",
             "--connect", "unix:b.sock", "--trust", "ca/ca.cert", "--expect",
             "demo", "--identity", "alice.key", "--cert", "alice.cert",
             "--no-fallback", "--trace"],
            cwd=cluster.dir, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=False)
        for work in (self.write, self.listen):
            threading.Thread(target=work, daemon=True).start()

    def write(self) -> None:
        began, pipe = time.monotonic(), self.process.stdin
        assert pipe is not None
        try:
            while self.sent < self.size:
                data = os.urandom(min(CHUNK, self.size - self.sent))
                pipe.write(data)
                self.digest.update(data)
                self.sent += len(data)
                ahead = self.sent / self.rate - (time.monotonic() - began)
                if ahead > 0:
                    time.sleep(ahead)
            pipe.close()
        except BrokenPipeError:
            pass

    def listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            text = line.decode().strip()
            self.words.append(text)
            if "moved: epoch" in text:
                self.moves.append(time.monotonic())


def kill_owner(cluster: Cluster, client: Client, n: int) -> float:
    before = cluster.received()
    until = time.monotonic() + 20
    while cluster.received() < before + CHUNK:  # it is at work just now
        if time.monotonic() > until:
            raise Failed("nothing arrives: a kill would hit an idle server")
        time.sleep(0.005)
    name = cluster.owner()
    if client.sent >= client.size:
        raise Failed("the stream was over before the kill")
    at = time.monotonic()
    cluster.servers[name].send_signal(signal.SIGKILL)
    cluster.servers[name].wait()
    (cluster.dir / f"{name}.sock").unlink(missing_ok=True)
    while len(client.moves) < n:
        if time.monotonic() - at > 20:
            raise Failed("the session did not move: " +
                         " / ".join(client.words[-3:]))
        time.sleep(0.0005)
    pause = (client.moves[n - 1] - at) * 1000
    print(f"   kill {n}: {name}, with the session, at "
          f"{cluster.received() >> 20} MiB; it went on after {pause:.1f} ms")
    cluster.start(name)
    return pause


def run(program: str, checkpoint: str, mib: int, kills: int,
        store: str) -> None:
    print(f"checkpoint {checkpoint}: {mib} MiB, two servers on one store: "
          f"{store.partition(':')[0]}")
    with tempfile.TemporaryDirectory(prefix="handfast-demo.") as folder:
        cluster = Cluster(program, Path(folder), checkpoint, store)
        try:
            for name in ("a", "b"):
                cluster.start(name)
            client = Client(cluster, mib << 20, mib * (1 << 20) / 8)
            while not client.words or cluster.received() == 0:
                time.sleep(0.01)
                if client.process.poll() is not None:
                    raise Failed("\n".join(client.words))
            for n in range(1, kills + 1):
                kill_owner(cluster, client, n)
                time.sleep(0.3)
            check(cluster, client)
        finally:
            cluster.stop()


def check(cluster: Cluster, client: Client) -> None:
    code = client.process.wait(timeout=120)
    if code != 0:
        raise Failed(f"initiate ended with {code}: {client.words[-2:]}")
    files = list((cluster.dir / "received").iterdir())
    if len(files) != 1:
        raise Failed(f"{len(files)} files, one was sent")
    if (hashlib.sha256(files[0].read_bytes()).digest() !=
            client.digest.digest()):
        raise Failed("what arrived is not what was sent")
    logs = "".join((cluster.dir / f"{n}.log").read_text() for n in "ab")
    handshakes = len(re.findall(r"sent grant", logs))
    if handshakes != 1:
        raise Failed(f"{handshakes} handshakes, one was expected")
    print(f"   arrived: one file, {files[0].stat().st_size} bytes, the same "
          "SHA-256; one handshake, "
          f"{len(re.findall(r'sent resumed', logs))} moves")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--store", choices=("lmdb", *servers.KINDS),
                        default="lmdb")
    parser.add_argument("program")
    args = parser.parse_args()
    program = os.path.abspath(args.program)
    try:
        for checkpoint in ("record", "50"):
            server = (None if args.store == "lmdb" else
                      servers.KINDS[args.store](program))
            try:
                run(program, checkpoint, args.mib, args.kills,
                    "lmdb:store" if server is None else server.uri)
            finally:
                if server is not None:
                    server.stop()
    except Failed as why:
        print(f"FAILED: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
