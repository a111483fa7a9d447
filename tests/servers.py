# SPDX-License-Identifier: ISC
"""Real servers of stores for tests and demos: in a folder of their own, on a
unix socket, stopped by stop(). PostgreSQL refuses to be root: there it runs as
postgres or nobody.
"""

from __future__ import annotations

import fcntl
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# What runs behind a shell's & begins without these, and so would a server.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


def state(pid: int) -> tuple[str, int]:
    """The letter of a process and its parent; ("", 0) where there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8",
                  errors="replace") as f:
            words = f.read().rpartition(")")[2].split()
        return words[0], int(words[1])
    except OSError:
        return "", 0


def lives(pid: int) -> bool:
    """One that has ended and is not waited for yet holds nothing any more."""
    return state(pid)[0] not in ("", "X", "Z")


def children(pid: int) -> list[int]:
    """Of each process its parent is asked: the kernel's own list of children
    may lack one while others end."""
    return [n for name in os.listdir("/proc") if name.isdigit()
            for n in (int(name),) if state(n)[1] == pid]


def pause(process: subprocess.Popen[bytes], store: str) -> None:
    """Stops a server in nobody's turn to write to an LMDB store: one that is
    stopped in its own keeps all others from writing, and whoever takes no
    turns waits for it without an end."""
    with open(os.path.join(store, "turn.lock"), "rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        process.send_signal(signal.SIGSTOP)
        while state(process.pid)[0] != "T":
            if process.poll() is not None:
                raise OSError("what was to be stopped has ended")
            time.sleep(0.001)


class Server:
    """What both have: `uri` is for who may do everything."""

    def __init__(self) -> None:
        self.dir = tempfile.mkdtemp(prefix="handfast-server.")
        self.process: subprocess.Popen[bytes] | None = None
        self.uri = ""

    def launch(self, words: list[str], path: str, **more: object) -> None:
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **more)  # type: ignore[call-overload]
        until = time.monotonic() + 30
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(path)
                return
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def signal(self, how: int) -> None:
        assert self.process is not None
        if self.process.poll() is not None:
            return  # another may have its number by now
        for pid in [self.process.pid, *children(self.process.pid)]:
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass

    def halt(self, how: int) -> None:
        """Ends it; its folder stays."""
        if self.process is not None:
            self.signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait()

    def stop(self) -> None:
        self.halt(signal.SIGQUIT)
        shutil.rmtree(self.dir, ignore_errors=True)


class Redis(Server):
    @staticmethod
    def here() -> bool:
        return shutil.which("redis-server") is not None

    def __init__(self, program: str) -> None:
        super().__init__()
        path = os.path.join(self.dir, "redis.sock")
        self.launch(["redis-server", "--port", "0", "--unixsocket", path,
                     "--save", "", "--appendonly", "no", "--dir", self.dir,
                     "--maxmemory-policy", "noeviction"], path)
        self.uri = f"redis://{path}"


class Postgres(Server):
    @staticmethod
    def bindir() -> str:
        try:
            done = subprocess.run(["pg_config", "--bindir"],
                                  capture_output=True, text=True, check=True)
            return done.stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
            return found[-1] if found else ""

    @classmethod
    def here(cls) -> bool:
        return shutil.which("openssl") is not None and os.path.exists(
            os.path.join(cls.bindir(), "initdb"))

    @staticmethod
    def who() -> dict[str, object]:
        """Whom it runs as."""
        if os.geteuid() != 0:
            return {}
        names = {p.pw_name: p for p in pwd.getpwall()}
        user = names.get("postgres", names.get("nobody"))
        assert user is not None
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __init__(self, program: str) -> None:
        super().__init__()
        who = {"cwd": self.dir, **self.who()}
        words = ["sh", os.path.join(os.path.dirname(os.path.abspath(
            __file__)), "postgres.sh"), self.dir]
        if "user" in who:
            os.chown(self.dir, who["user"],  # type: ignore[arg-type]
                     who["group"])  # type: ignore[arg-type]
            words += [pwd.getpwuid(
                who["user"]).pw_name]  # type: ignore[arg-type]
        data = os.path.join(self.dir, "db")
        made = subprocess.run(words, capture_output=True, text=True,
                              check=False)
        if made.returncode != 0:
            raise OSError("tests/postgres.sh: " + made.stderr)
        self.launch([os.path.join(self.bindir(), "postgres"), "-D", data,
                     "-c", "listen_addresses=", "-k", self.dir, "-c",
                     "fsync=off"], os.path.join(self.dir, ".s.PGSQL.5432"),
                    **who)
        base = f"postgresql:///postgres?host={self.dir}&user="
        self.sql(base + "postgres", "CREATE ROLE server LOGIN")
        subprocess.run([program, "store", "init", "--store",
                        base + "postgres", "--grant", "server"], check=True)
        self.uri = base + "server"

    def sql(self, uri: str, words: str) -> None:
        until = time.monotonic() + 30
        while subprocess.run([os.path.join(self.bindir(), "psql"), "-q", "-c",
                              words, uri], capture_output=True,
                             check=False).returncode != 0:
            if time.monotonic() > until:
                raise TimeoutError("PostgreSQL does not start")
            time.sleep(0.1)


KINDS = {"redis": Redis, "postgres": Postgres}
