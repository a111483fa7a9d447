#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""make demo-dispatch: a dispatcher before three servers of one scope, which
have the targets a, b, and both. 200 clients keep sessions that ask for
changing targets, while servers are drained, killed and added. No client may
see an error; what arrives is what was said; both ends' digests of each session
agree; there is one handshake a client. Ends with 1 where anything of that
fails.

    demo_dispatch.py [--clients N] [--store lmdb|redis|postgres]
                     [--workers N] PROGRAM
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import dispatching
import servers
import session

SERVERS = {"a": ["a"], "b": ["b"], "ab": ["a", "b"]}
WAIT = 120  # seconds for whatever is waited for
MOMENT = 3  # seconds for which ab takes nobody


class Failed(Exception):
    pass


def wait_for(true, what: str, seconds: int = WAIT) -> float:
    """Returns how long that took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() > began + seconds:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return time.monotonic() - began


class Client:
    """A session that is open, and what its process has said of it."""

    def __init__(self, stage: dispatching.Stage, n: int) -> None:
        first = "ab" if n % 2 else "ba"
        self.process = stage.client("--target", first[0], "--target",
                                    first[1], "--no-fallback")
        self.path = stage.path(f"client{self.process.number}.err")
        self.read = self.opened = self.moves = 0
        self.wrong: list[str] = []
        self.digest = ""
        self.sent = b""
        self.waits = 0  # for as many moves
        self.next = 0.0

    def look(self) -> None:
        """Reads on in what it says."""
        with open(self.path, "rb") as f:
            f.seek(self.read)
            data = f.read()
        data = data[:data.rfind(b"\n") + 1]
        self.read += len(data)
        for line in data.decode(errors="replace").splitlines():
            if line.startswith("trace: digest "):
                self.digest = line
            elif line.startswith("trace: "):
                self.opened |= "sent confirm" in line
            elif "moved: epoch" in line:
                self.moves += 1
            elif "proved: epoch" not in line and "broken: " not in line:
                self.wrong.append(line)
        if self.process.poll() not in (None, 0):
            self.wrong.append(f"it ended with {self.process.returncode}")

    def ask(self) -> None:
        """Says more, and goes on to the other target."""
        more = os.urandom(random.randrange(1, 2000))
        dispatching.say(self.process, more)
        self.sent += more
        self.process.send_signal(signal.SIGUSR1)


class Crowd(threading.Thread):
    """All clients: each asks for another target a little after it has got
    the last one."""

    def __init__(self, clients: list[Client], pause: float) -> None:
        super().__init__(daemon=True)
        self.clients, self.pause = clients, pause
        self.stopping = self.still = False
        self.turns = 0
        self.failed: Exception | None = None
        self.asked = 0

    def turn(self, c: Client) -> None:
        now = time.monotonic()
        c.look()
        if c.wrong:
            raise Failed(f"a client says: {' / '.join(c.wrong[:3])}")
        if c.moves < c.waits:
            if now - c.next > WAIT:
                raise Failed("a client waits for its other target")
        elif now >= c.next and not self.stopping and not self.still:
            c.waits = c.moves + 1
            c.ask()
            self.asked += 1
            c.next = now + self.pause * random.uniform(0.5, 1.5)

    def run(self) -> None:
        try:
            while (not self.stopping or
                   any(c.moves < c.waits for c in self.clients)):
                for c in self.clients:
                    self.turn(c)
                self.turns += 1
                time.sleep(0.02)
        except (Failed, OSError) as why:
            self.failed = why

    def look(self) -> None:
        if self.failed is not None:
            raise Failed(str(self.failed))

    def rest(self) -> None:
        """Nobody asks for anything more, and all have what they asked for,
        until `still` is over."""
        self.still = True
        began = self.turns

        def done() -> bool:
            self.look()
            return (self.turns > began + 1 and
                    all(c.moves >= c.waits for c in self.clients))
        wait_for(done, "all clients rest")

    def all_move(self) -> float:
        """Until each has moved once more."""
        before = [c.moves for c in self.clients]

        def done() -> bool:
            self.look()
            return all(c.moves > n for c, n in zip(self.clients, before))
        return wait_for(done, "all clients move")


class Demo:
    def __init__(self, n: int, db: str, workers: int) -> None:
        self.n, self.began = n, time.monotonic()
        self.stage = dispatching.Stage(
            SERVERS, does=("--receive", "in"), db=db, workers=workers,
            **{"drain-rate": 500, "source-connections": 4 * n})
        self.clients: list[Client] = []
        self.drained = 0  # sessions that were asked to leave

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def up(self, name: str) -> bool:
        return any(x["name"] == name and x["up"]
                   for x in self.stage.status()["servers"])

    def open(self) -> None:
        began = time.monotonic()
        self.clients = [Client(self.stage, n) for n in range(self.n)]
        for c in self.clients:
            def done() -> bool:
                c.look()
                return bool(c.opened or c.wrong)
            wait_for(done, "a session")
        self.say(f"{self.n} clients have sessions, after "
                 f"{time.monotonic() - began:.1f} s")
        self.crowd = Crowd(self.clients,
                           pause=max(1.0, self.n / 100))
        self.crowd.start()

    def came(self, name: str) -> str:
        """Whoever is on ab stays there, as it has both targets: to a and b
        somebody comes when ab is gone."""
        self.crowd.all_move()
        if name != "ab":
            return ""
        wait_for(lambda: self.stage.on(name) > 0, f"somebody on {name}")
        return f": {self.stage.on(name)} sessions came"

    def spread(self) -> None:
        """ab is gone: the others have them all. A few clients may all want
        the same target for a moment."""
        def done() -> bool:
            self.crowd.look()
            return all(self.stage.on(n) > 0 for n in "ab")
        wait_for(done, "sessions on a and on b")

    def asked(self, before: int) -> int:
        return self.stage.status()["queries"] - before

    def drain(self, name: str) -> None:
        """It begins while nobody goes anywhere by himself: whoever is there
        leaves when he is asked, and others move meanwhile."""
        self.held(name)
        self.crowd.rest()
        while (on := self.stage.on(name)) == 0:
            self.crowd.still = False
            self.held(name)
            self.crowd.rest()
        before = self.stage.status()["queries"]
        self.stage.do("dispatch", "drain", name, "--control", "d.ctl")
        wait_for(lambda: self.asked(before) > 0, f"drain of {name}: a query",
                 30)
        self.crowd.still = False
        took = wait_for(lambda: self.stage.on(name) == 0, f"drain of {name}")
        asked = self.asked(before)
        self.drained += asked
        self.crowd.all_move()
        if name == "ab":
            self.spread()
        self.say(f"drain {name}: its {on} sessions left within {took:.2f} s; "
                 f"{asked} were asked to")

    def undrain(self, name: str) -> None:
        self.stage.do("dispatch", "undrain", name, "--control", "d.ctl")
        self.say(f"undrain {name}{self.came(name)}")

    def held(self, name: str) -> int:
        """How many sessions it has, with somebody among them: when ab has all
        of them, they leave it for those who want what this one has. Who wants
        what only ab has waits for that, and they may be all: then ab takes
        them again until they want something else."""
        until = time.monotonic() + WAIT

        def somebody() -> int:
            self.crowd.look()
            if time.monotonic() > until:
                raise Failed(f"somebody on {name}: not within {WAIT} s")
            return self.stage.on(name)

        while (on := somebody()) == 0:
            if name == "ab":
                time.sleep(0.02)
                continue
            self.stage.do("dispatch", "drain", "ab", "--control", "d.ctl")
            left = time.monotonic() + MOMENT
            while (on := somebody()) == 0 and time.monotonic() < left:
                time.sleep(0.02)
            self.stage.do("dispatch", "undrain", "ab", "--control", "d.ctl")
            if on > 0:
                break
            self.crowd.all_move()  # they want something else then
        return on

    def kill(self, name: str) -> None:
        self.held(name)
        while (on := self.stage.on(name)) == 0:
            self.held(name)
        self.stage.kill(name)
        took = self.crowd.all_move()
        self.say(f"kill -9 {name}: it had {on} sessions; after {took:.1f} s "
                 f"all {self.n} had moved on")

    def add(self, name: str) -> None:
        self.stage.serve(name)
        wait_for(lambda: self.up(name), f"{name} is up")
        self.say(f"added {name}{self.came(name)}")

    def reload(self, names: list[str]) -> None:
        done = self.stage.log("d").count("event=reload")
        self.stage.configure(only=names)
        self.stage.running["d"].send_signal(signal.SIGHUP)
        wait_for(lambda: self.stage.log("d").count("event=reload") > done,
                 "a reload")
        if "result=failed" in self.stage.log("d"):
            raise Failed("the dispatcher does not take its file")

    def remove(self, name: str) -> None:
        on = self.stage.on(name)
        self.reload([n for n in SERVERS if n != name])
        took = wait_for(lambda: f"owner {name} " not in
                        "".join(self.stage.rows()), f"{name} has nobody")
        if self.stage.kill(name, signal.SIGTERM) != 0:
            raise Failed(f"{name} did not end well")
        self.crowd.all_move()
        self.say(f"out of the file, then SIGTERM: {name}; its {on} sessions "
                 f"left within {took:.2f} s")

    def play(self) -> None:
        self.open()
        self.crowd.all_move()
        self.say(f"each has gone to its other target; {self.crowd.asked} "
                 "times so far, and so on all the time")
        for name in "a", "ab":
            self.drain(name)
            self.undrain(name)
        for name in "b", "ab", "a":
            self.kill(name)
            self.add(name)
        self.remove("ab")
        self.spread()
        self.reload(list(SERVERS))
        self.add("ab")
        self.kill("b")
        self.drain("a")  # and ab has all of them
        self.add("b")
        self.undrain("a")
        self.kill("ab")
        self.spread()
        self.add("ab")
        self.crowd.stopping = True
        self.crowd.join(WAIT)
        self.crowd.look()

    # --- what must be so in the end ---

    def end(self) -> None:
        for c in self.clients:
            assert c.process.stdin is not None
            c.process.stdin.close()
        for c in self.clients:
            c.process.wait(timeout=WAIT)
            c.look()
        codes = collections.Counter(c.process.returncode
                                    for c in self.clients)
        words = [w for c in self.clients for w in c.wrong]
        if words or codes != {0: self.n}:
            raise Failed(f"exit codes {dict(codes)}; {words[:5]}")
        print(f"clients     {self.n}, exit code 0 each, no error, no warning")

    def histories(self) -> None:
        said = set()
        for name in SERVERS:
            said |= set(re.findall("trace: digest .*",
                                   self.stage.log(name)))
        sent = 0
        for c in self.clients:
            if not c.digest or c.digest not in said:
                raise Failed("the ends' digests of a session differ: "
                             f"{c.digest or 'none'}")
            sid = c.digest.split()[2]
            with open(self.stage.path("in/" + sid), "rb") as f:
                if f.read() != c.sent:
                    raise Failed(f"session {sid}: what arrived is not what "
                                 "was said")
            sent += len(c.sent)
        files = len(os.listdir(self.stage.path("in")))
        if files != self.n or len({c.digest for c in self.clients}) != self.n:
            raise Failed(f"{files} streams arrived, of {self.n} clients")
        print(f"histories   {self.n} sessions, one stream each, {sent} bytes "
              "as they were said;\n            digests of both directions "
              "the same at both ends")

    def handshakes(self) -> None:
        n = self.stage.shaken()
        if n != self.n:
            raise Failed(f"{n} handshakes; {self.n} clients met a server for "
                         "the first time")
        moves = sum(c.moves for c in self.clients)
        least = min(c.moves for c in self.clients)
        now = self.stage.status()
        again = now["accepted"] - self.n
        print(f"handshakes  {n}: one a client, when it came first")
        print(f"moves       {moves}, {least} or more each; "
              f"{again} of them by a new connection, {now['renewed']} whose "
              "claim met a checkpoint")
        print(f"drains      {self.drained} sessions asked to leave, "
              f"{now['queries']} queries in all")

    def times(self) -> None:
        now = self.stage.status()
        for what in ("handshake", "transfer"):
            print("%-11s within %.1f ms half of them, within %.1f ms 99 of "
                  "100" % (what, now[what]["median_us_at_most"] / 1000,
                           now[what]["p99_us_at_most"] / 1000))


def run(n: int, store: str, workers: int, program: str) -> None:
    if store != "lmdb" and not servers.KINDS[store].here():
        raise Failed(f"there is no server of {store} here: make deps-test")
    server = None if store == "lmdb" else servers.KINDS[store](program)
    print(f"{n} clients, a dispatcher ({workers} workers), servers a (target "
          f"a), b (target b), ab (both); one scope, one store: {store}",
          flush=True)
    demo = Demo(n, "lmdb:db" if server is None else server.uri, workers)
    try:
        demo.play()
        demo.end()
        demo.histories()
        demo.handshakes()
        demo.times()
    finally:
        if os.environ.get("KEEP"):
            print("kept:", demo.stage.dir)
        demo.stage.close(keep=bool(os.environ.get("KEEP")))
        if server is not None:
            server.stop()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--store", choices=("lmdb", *servers.KINDS),
                        default=os.environ.get("STORE", "lmdb"))
    parser.add_argument("--workers", type=int,
                        default=int(os.environ.get("WORKERS", "1")))
    parser.add_argument("program")
    args = parser.parse_args()
    session.PROGRAM = os.path.abspath(args.program)
    # As the program's own default: sessions' secrets reach no disk.
    if os.access("/dev/shm", os.W_OK) and "TMPDIR" not in os.environ:
        tempfile.tempdir = "/dev/shm"
    try:
        run(args.clients, args.store, args.workers, session.PROGRAM)
    except (Failed, TimeoutError, RuntimeError, OSError,
            subprocess.TimeoutExpired) as why:
        print(f"FAILED: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
