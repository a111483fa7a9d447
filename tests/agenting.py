# SPDX-License-Identifier: ISC
"""An agent before responders, as processes, and applications of it: by the
program, and by the frames of its own protocol. What the tests of agents share.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import session as s

WAIT, wait_for = s.WAIT, s.wait_for
OPEN, DATA, END, OVER, STATUS, CLOSE, INFO, PEER, DONE = (
    0, 1, 2, 3, 4, 5, 16, 17, 18)
CODES = {"HF_E_ARG": 1, "HF_E_CONFIG": 4, "HF_E_POLICY": 7, "HF_E_CBOR": 32,
         "HF_E_SHAPE": 33, "HF_E_UNEXPECTED": 34, "HF_E_TOO_BIG": 35,
         "HF_E_VERSION": 36, "HF_E_DEADLINE": 67, "HF_E_AGENT_GONE": 82,
         "HF_E_QUOTA": 83, "HF_E_RESET": 84}


def run(tests):
    """Those that the command line names, or all. What breaks one off is said
    as that, and the next one runs."""
    for test in tests:
        if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
            continue
        try:
            test()
        except (TimeoutError, RuntimeError, OSError,
                subprocess.TimeoutExpired) as e:
            s.fail("%s: %s" % (test.__name__, e))
    s.finish()


# --- frames ---------------------------------------------------------------------


def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for info, form in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if value < 1 << 8 * struct.calcsize(form):
            return bytes([major << 5 | info]) + struct.pack(form, value)
    raise ValueError(value)


def frame(*fields):
    out = head(4, len(fields))
    for f in fields:
        if isinstance(f, int):
            out += head(0, f)
        elif isinstance(f, str):
            out += head(3, len(f)) + f.encode()
        else:
            out += head(2, len(f)) + f
    return out


def decode(b):
    """A whole frame, as its fields."""
    fields, at = [], 1
    while at < len(b):
        major, info = b[at] >> 5, b[at] & 31
        at, value = at + 1, info
        if info >= 24:
            n = 1 << info - 24
            value, at = int.from_bytes(b[at:at + n], "big"), at + n
        if major in (2, 3):
            value, at = b[at:at + value], at + value
            if major == 3:
                value = value.decode()
        fields.append(value)
    return fields


class App:
    """One application, by the bytes that it says."""

    def __init__(self, path, peer=None):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.settimeout(WAIT)
        self.s.connect(path)
        self.heard = b""
        if peer is not None:
            self.say(OPEN, 1, peer)

    def say(self, *fields):
        self.s.sendall(frame(*fields))

    def data(self, data):
        for at in range(0, len(data), 16384):
            self.say(DATA, data[at:at + 16384])

    def next(self):
        """The next frame; None at the end."""
        while (end := s.item_end(self.heard)) is None:
            try:
                more = self.s.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.heard += more
        found, self.heard = self.heard[:end], self.heard[end:]
        return decode(found)

    def opened(self):
        f = self.next()
        if f is None or f[0] != INFO:
            raise RuntimeError("not opened: %r" % f)
        return self

    def receive(self, n):
        got = b""
        while len(got) < n:
            f = self.next()
            if f is None or f[0] not in (DATA, INFO):
                raise RuntimeError("no data: %r" % f)
            if f[0] == DATA:
                got += f[1]
        return got

    def echo(self, data):
        self.data(data)
        return self.receive(len(data)) == data

    def over(self):
        """The name of the error that it ends with, behind all else."""
        f = [None]
        while f is not None:
            if f[0] in (OVER, DONE):
                return next((k for k, v in CODES.items() if v == f[1]),
                            f[1])
            f = self.next()
        return None

    def close(self):
        self.s.close()


class Agent(App):
    """An agent that is none, as one application has it, which came to its
    socket: it says that the channel is there, and has read nothing yet."""

    def __init__(self, listener):
        self.s, self.heard = listener.accept()[0], b""
        self.s.settimeout(WAIT)
        self.say(INFO, b"s" * 16, 1, 0, 0, b"server", 0)


# --- processes ------------------------------------------------------------------


class Hall:
    """Responders that echo, and an agent before them."""

    def __init__(self, responders=("one",), **more):
        self.house = s.House()
        self.dir = self.house.dir
        os.chmod(self.dir, 0o711)
        # Other users have to reach it, wherever it was built.
        self.program = os.path.join(self.dir, "handfast")
        shutil.copy(s.PROGRAM, self.program)
        os.chmod(self.program, 0o755)
        self.path = os.path.join(self.dir, "run", "agent")
        self.agent = self.log = None
        self.responder = {}
        self.sections = []
        for name in responders:
            self.respond(name)
            self.peer(name, self.responder[name].address)
        for name, address, change in more.get("peers", ()):
            self.peer(name, address, **change)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        if self.agent is not None and self.agent.poll() is None:
            self.agent.kill()
            self.agent.wait()
        self.house.__exit__(*why)

    def respond(self, name, *more, **change):
        self.responder[name] = self.house.respond(name, "--trace", *more,
                                                  **change)

    def peer(self, name, address, **change):
        """A section of its file; what changes to None is left out."""
        fields = {"address": address if isinstance(address, list) else
                  [address], "trust": ["ca/ca.cert"],
                  "expect": "server", "identity": "alice.key",
                  "certificate": "alice.cert", **change}
        lines = ["peer %s {" % name]
        for key, value in fields.items():
            if value is None:
                continue
            if isinstance(value, list):
                value = "{" + ", ".join('"%s"' % v for v in value) + "}"
            elif isinstance(value, str) and value not in ("true", "false"):
                value = '"%s"' % value
            lines.append("  %s = %s" % (key, value))
        self.sections = [x for x in self.sections
                         if not x.startswith("peer %s {" % name)]
        self.sections.append("\n".join(lines + ["}"]))

    def configure(self, path="agent.conf"):
        return self.house.write(path, 'socket = "%s"\n' % self.path +
                                "\n".join(self.sections) + "\n")

    def start(self, *more, env=None, **how):
        """Starts the agent and waits for its socket."""
        self.configure()
        self.log = os.path.join(self.dir, "agent.log")
        with open(self.log, "ab") as f:
            self.agent = subprocess.Popen(
                [self.program, "agent", "--config", "agent.conf", *more],
                cwd=self.dir, stdin=subprocess.DEVNULL, stderr=f,
                stdout=subprocess.DEVNULL,
                env=dict(os.environ, **(env or {})), **how)
        began = self.words().count("listening")
        wait_for(lambda: self.agent.poll() is not None or
                 self.words().count("listening") > began or self.answers(),
                 "an agent")
        if self.agent.poll() is not None:
            raise RuntimeError(self.words())
        return self.agent

    def answers(self):
        try:
            App(self.path).close()
        except OSError:
            return False
        return True

    def fails(self, *more):
        """Starts an agent that must not start: its exit code and words."""
        self.configure()
        try:
            p = subprocess.run([self.program, "agent", "--config",
                                "agent.conf", *more], cwd=self.dir,
                               capture_output=True, timeout=10)
        except subprocess.TimeoutExpired as e:
            return None, "it runs: %r" % e.stderr
        return p.returncode, p.stderr.decode()

    def stop(self, how=signal.SIGTERM):
        self.agent.send_signal(how)
        return self.agent.wait(WAIT)

    def freeze(self):
        """Stops it where it is, until it is sent SIGCONT."""
        self.agent.send_signal(signal.SIGSTOP)
        tasks = "/proc/%d/task" % self.agent.pid
        for task in os.listdir(tasks):
            while open("%s/%s/stat" % (tasks, task)).read().rpartition(
                    ")")[2].split()[0] != "T":
                time.sleep(0.005)

    def words(self):
        with open(self.log, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def app(self, peer="one"):
        return App(self.path, peer)

    def run(self, *words, user=None, data=b"", env=None, timeout=WAIT):
        """The program, as an application; as another user where one is
        named."""
        as_user = {} if user is None else {"user": user, "group": user,
                                           "extra_groups": []}
        return subprocess.run([self.program, *words], input=data,
                              cwd=self.dir, capture_output=True,
                              timeout=timeout,
                              env=dict(os.environ,
                                       HANDFAST_AGENT=self.path,
                                       **(env or {})), **as_user)

    def status(self):
        p = self.run("agent", "status", "--json")
        if p.returncode != 0:
            raise RuntimeError(p.stderr.decode())
        return {x["name"]: x for x in json.loads(p.stdout)}

    def channels(self, peer="one"):
        return self.status()[peer]["channels"]

    def files(self):
        """Descriptors of the agent that are no loop's."""
        return len(os.listdir("/proc/%d/fd" % self.agent.pid))
