# SPDX-License-Identifier: ISC
"""Stores of two real servers, of which the second follows the first, over a
link that can be slow, stand still and be cut. fail() kills the first and makes
the second one the store. A store that crash() kills comes back as it was left
on its disk.
"""

from __future__ import annotations

import collections
import os
import shutil
import signal
import socket
import subprocess
import time

import doors
import servers

WAIT = 60


def until(true, what: str) -> None:
    end = time.monotonic() + WAIT
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Link(doors.Door):
    """What the first one says arrives `lag` seconds later, and not at all
    while it is held; what was on its way when it is cut never does."""

    def __init__(self, path: str) -> None:
        self.path, self.lag, self.held, self.over = path, 0.0, False, False
        self.ends: list[socket.socket] = []
        self.waits = 0  # bytes on their way
        super().__init__()

    def take(self, near: socket.socket) -> None:
        far = doors.reach(self.path)
        self.ends += [near, far]
        queue: collections.deque[tuple[float, bytes]] = collections.deque()
        doors.begin(doors.pass_on, near, far)
        doors.begin(self.hear, far, queue)
        self.say(near, queue)

    def hear(self, far: socket.socket, queue) -> None:
        try:
            while data := far.recv(1 << 16):
                self.waits += len(data)
                queue.append((time.monotonic(), data))
        except OSError:
            pass
        queue.append((time.monotonic(), b""))

    def say(self, near: socket.socket, queue) -> None:
        try:
            while not self.over:
                if self.held or not queue or \
                        queue[0][0] + self.lag > time.monotonic():
                    time.sleep(0.001)
                    continue
                data = queue.popleft()[1]
                self.waits -= len(data)
                if not data:
                    break
                near.sendall(data)
        except OSError:
            pass
        doors.cut(near)

    def cut(self) -> None:
        self.over = True
        self.close()
        doors.cut(*self.ends)


class Redis(servers.Server):
    """On 127.0.0.1, and on the unix socket."""

    def __init__(self, *more: str) -> None:
        super().__init__()
        self.port = free_port()
        self.path = os.path.join(self.dir, "redis.sock")
        self.launch(["redis-server", "--port", str(self.port), "--bind",
                     "127.0.0.1", "--unixsocket", self.path, "--save", "",
                     "--appendonly", "no", "--dir", self.dir,
                     "--repl-diskless-sync-delay", "0", *more], self.path)

    def tell(self, *words: str) -> str:
        return subprocess.run(["redis-cli", "-s", self.path, *words],
                              capture_output=True, text=True,
                              check=True).stdout

    def offset(self, name: str) -> str:
        lines = self.tell("info", "replication").split()
        return dict(x.split(":", 1) for x in lines if ":" in x).get(name, "")


class RedisPair:
    here = servers.Redis.here

    def __init__(self) -> None:
        self.first = Redis()
        self.link = Link(self.first.path)
        self.second = Redis("--replicaof", f"127.0.0.1 {self.link.port}")
        self.uri = (f"redis://127.0.0.1:{self.first.port},"
                    f"127.0.0.1:{self.second.port}")
        until(lambda: self.second.offset("master_link_status") == "up",
              "a replica")

    def synced(self) -> None:
        until(lambda: self.first.offset("master_repl_offset") ==
              self.second.offset("slave_repl_offset"), "all in the replica")

    def fail(self) -> None:
        self.first.halt(signal.SIGKILL)
        self.link.cut()
        self.second.tell("replicaof", "no", "one")

    def entry(self) -> str:
        """A hash of the only session that is stored, after a failover."""
        return self.second.tell(
            "eval", "return redis.sha1hex(redis.call('GET', "
            "redis.call('KEYS', 'handfast:e:s/*')[1]))", "0")

    def stop(self) -> None:
        self.link.cut()
        self.first.stop()
        self.second.stop()


class Postgres(servers.Server):
    """A copy of a folder that was made once."""

    made: servers.Postgres | None = None

    def __init__(self, program: str, *more: str) -> None:
        super().__init__()
        self.who = servers.Postgres.who()
        if Postgres.made is None:
            Postgres.made = servers.Postgres(program)
            Postgres.made.halt(signal.SIGINT)
        shutil.copytree(os.path.join(Postgres.made.dir, "db"),
                        os.path.join(self.dir, "db"))
        self.more = more
        if any("primary_conninfo" in x for x in more):
            with open(os.path.join(self.dir, "db", "standby.signal"), "wb"):
                pass
        self.own()
        self.uri = f"postgresql:///postgres?host={self.dir}&user=server"
        self.start()

    def own(self) -> None:
        if "user" not in self.who:
            return
        for folder, names, files in os.walk(self.dir):
            for name in (".", *names, *files):
                os.chown(os.path.join(folder, name), self.who["user"],
                         self.who["group"])

    def start(self) -> None:
        self.path = os.path.join(self.dir, ".s.PGSQL.5432")
        words = [os.path.join(servers.Postgres.bindir(), "postgres"), "-D",
                 os.path.join(self.dir, "db"), "-k", self.dir]
        for more in ("listen_addresses=", "fsync=off", "hot_standby=on",
                     "wal_retrieve_retry_interval=100ms", *self.more):
            words += ["-c", more]
        self.launch(words, self.path, cwd=self.dir, **self.who)
        until(lambda: self.ask("SELECT 1") == "1", "PostgreSQL")

    def ask(self, sql: str) -> str:
        done = subprocess.run(
            [os.path.join(servers.Postgres.bindir(), "psql"), "-qAtc", sql,
             f"postgresql:///postgres?host={self.dir}&user=postgres"],
            capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def crash(self) -> None:
        """All of its processes at once, in the middle of whatever they do,
        and none is left: its first one is stopped before, and makes no more.
        What the files of the dead one say is for the next one to judge."""
        self.process.send_signal(signal.SIGSTOP)
        until(lambda: servers.state(self.process.pid)[0] == "T", "a stop")
        others = servers.children(self.process.pid)
        self.signal(signal.SIGKILL)
        self.process.wait()
        until(lambda: not any(servers.lives(pid) for pid in others),
              "the end of all of them")

    @staticmethod
    def forget() -> None:
        if Postgres.made is not None:
            shutil.rmtree(Postgres.made.dir, ignore_errors=True)
            Postgres.made = None


class PostgresPair:
    here = servers.Postgres.here

    def __init__(self, program: str) -> None:
        self.first = Postgres(program)
        self.link = Link(self.first.path)
        self.second = Postgres(
            program, "primary_conninfo=host=127.0.0.1 port=%d user=postgres "
            "sslmode=disable" % self.link.port)
        self.uri = (f"postgresql:///postgres?host={self.first.dir},"
                    f"{self.second.dir}&user=server&"
                    "target_session_attrs=read-write")
        until(lambda: self.first.ask(
            "SELECT state FROM pg_stat_replication") == "streaming",
            "a standby")

    def synced(self) -> None:
        at = self.first.ask("SELECT pg_current_wal_flush_lsn()")
        until(lambda: self.second.ask(
            f"SELECT pg_last_wal_replay_lsn() >= '{at}'") == "t",
            "all in the standby")

    def fail(self) -> None:
        self.first.crash()
        self.link.cut()
        until(lambda: self.second.ask("SELECT pg_promote()") == "t",
              "a promotion")

    def entry(self) -> str:
        """A hash of the only session that is stored, after a failover."""
        return self.second.ask("SELECT md5(value) FROM handfast.entry "
                               "WHERE substr(key, 1, 2) = 's/'")

    def stop(self) -> None:
        self.link.cut()
        self.first.stop()
        self.second.stop()
