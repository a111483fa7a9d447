# SPDX-License-Identifier: ISC
"""What the Python tests of whole sessions share.

A directory of its own with a CA, keys, certificates, a user and a ring;
responders and initiators as processes; and a relay that stands between an
initiator and a responder, knows where messages begin and end, and may keep,
change or hold back what passes. It judges nothing.
"""
import base64
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import doors

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ.get("HANDFAST") or os.path.abspath("build/handfast")
BUILD = os.environ.get("BUILD") or os.path.abspath("build")
CLOCK = os.path.join(BUILD, "tests", "clock.so")
HOUR, DAY = 3600, 86400
SAN = bool(os.environ.get("SAN"))
# Seconds for what comes at once where all is well.
WAIT = int(os.environ.get("HANDFAST_TEST_WAIT", 60 if SAN else 30))
CROWD = "127.0.0.9"  # where many come from; good peers from 127.0.0.1
UP, DOWN = "up", "down"  # from the initiator, from the responder
END = None
NAMES = {0: "hello", 1: "offer", 2: "retry", 3: "request", 4: "grant",
         5: "confirm", 8: "alert", 16: "record"}
passed = failures = 0


def ok(what):
    global passed
    passed += 1
    print("ok:", what)
    sys.stdout.flush()


def fail(what, *more):
    global failures
    failures += 1
    print("FAIL:", what)
    for m in more:
        print("   ", m)
    sys.stdout.flush()


def check(what, good, *more):
    if good:
        ok(what)
    else:
        fail(what, *more)
    return good


def same(what, want, got):
    return check(what, want == got, "expected %r" % (want,),
                 "got      %r" % (got,))


def wait_for(true, what, seconds=WAIT):
    """Until it is so. The longer that takes the less often it is looked, by a
    twentieth of the time: many a look is a process, which others wait for."""
    began = time.monotonic()
    while not true():
        waited = time.monotonic() - began
        if waited > seconds:
            raise TimeoutError(what)
        time.sleep(min(0.01 + waited / 20, 0.1))


def note(text):
    print("note:", text)


def skip(why):
    print(why)
    sys.exit(77)


def finish():
    if failures:
        print("%d failed" % failures)
        sys.exit(1)
    sys.exit(0)


def item_end(b, at=0):
    """One past the CBOR item at b[at], or None when it is not whole."""
    left = 1
    while left > 0:
        if at >= len(b):
            return None
        major, info = b[at] >> 5, b[at] & 31
        at += 1
        value = info
        if info >= 24:
            n = 1 << (info - 24)
            if at + n > len(b):
                return None
            value = int.from_bytes(b[at:at + n], "big")
            at += n
        left -= 1
        if major in (2, 3):
            at += value
            if at > len(b):
                return None
        elif major in (4, 5):
            left += value * (major - 3)
    return at


def items(message):
    """The items of a message, each as (begin, end)."""
    at, found = 1, []
    while at < len(message):
        end = item_end(message, at)
        found.append((at, end))
        at = end
    return found


def kind(message):
    return NAMES.get(message[1], "?")


class Result:
    """How an initiator ended, and what its relay saw."""

    def __init__(self, code, out, err, seconds, messages=(), events=(),
                 connections=1):
        self.code, self.out, self.seconds = code, out, seconds
        self.err = err.decode("utf-8", "replace")
        self.lines = self.err.splitlines()
        self.first = self.lines[0] if self.lines else ""
        self.error = next((x for x in self.lines
                           if x.startswith("handfast: error: ")), "")
        self.hints = [x for x in self.lines if x.startswith("handfast: hint:")]
        self.messages = messages  # [(direction, bytes)]: as they were sent
        self.events = events      # [(time, direction, bytes or b"": end)]
        self.connections = connections

    def sent(self, direction):
        return [m for d, m in self.messages if d == direction]

    def __repr__(self):
        return "exit code %s, %d bytes %r, stderr %r" % (
            self.code, len(self.out), self.out[:80], self.err)


class Responder:
    def __init__(self, house, name, process, address, log, number):
        self.house, self.name, self.process = house, name, process
        self.address, self.logfile = address, log
        self.host, self.port = "127.0.0.1", number
        self.seen = 0
        self.seen = len(self.log())

    def log(self):
        with open(self.logfile, "rb") as f:
            return f.read().decode("utf-8", "replace").splitlines()

    def session(self, seconds=10):
        """The next log line of a session, waited for."""
        end = time.time() + seconds
        while True:
            lines = self.log()
            while self.seen < len(lines):
                line = lines[self.seen]
                self.seen += 1
                if line.startswith("event=session "):
                    return line
            if time.time() > end:
                return ""
            time.sleep(0.01)

    def skip(self):
        """Forgets the log lines that are there."""
        self.seen = len(self.log())

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.house.responders.remove(self)
        return code

    def freeze(self):
        """Stops it where it is; kill() then ends it there."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = "/proc/%d/task" % self.process.pid
        for task in os.listdir(tasks):
            while open("%s/%s/stat" % (tasks, task)).read().rpartition(
                    ")")[2].split()[0] != "T":
                time.sleep(0.005)

    def kill(self):
        self.process.kill()
        self.process.wait(30)
        self.house.responders.remove(self)


class House:
    """A directory with all that two sides need."""

    def __init__(self, initiator="alice", user="bob", password="correct horse",
                 subject="carol"):
        if not os.access(PROGRAM, os.X_OK):
            skip("no program at " + PROGRAM)
        os.umask(0o077)
        self.dir = tempfile.mkdtemp()
        self.responders = []
        os.chdir(self.dir)
        names = [initiator, user, password, subject]
        if names == ["alice", "bob", "correct horse", "carol"]:
            names = []
        made = subprocess.run(["sh", os.path.join(HERE, "pki.sh"), *names],
                              env=dict(os.environ, HANDFAST=PROGRAM),
                              capture_output=True, text=True)
        if made.returncode != 0:
            print("cannot: tests/pki.sh")
            print(made.stderr)
            self.__exit__()
            sys.exit(1)
        self.to = ["--trust", "ca/ca.cert", "--expect", "server"]
        self.known = ["--responder-cert", "server.cert"]
        self.certified = self.to + ["--identity", "alice.key", "--cert",
                                    "alice.cert"]
        self.user = self.to + ["--user", user, "--passphrase-file",
                               "password"]
        self.plain = self.user + ["--plain-password"]
        self.ticketed = self.to + ["--ticket", "carol.ticket"]

    def __enter__(self):
        return self

    def __exit__(self, *why):
        for r in list(self.responders):
            r.kill()
        os.chdir("/")
        shutil.rmtree(self.dir, ignore_errors=True)

    def write(self, path, text, mode=0o600):
        data = text.encode() if isinstance(text, str) else text
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    def hf(self, *words):
        """Runs the program; it must succeed."""
        p = subprocess.run([PROGRAM] + list(words), stdin=subprocess.DEVNULL,
                           capture_output=True)
        if p.returncode != 0:
            print("cannot: handfast", *words)
            sys.stdout.write(p.stderr.decode("utf-8", "replace"))
            self.__exit__()
            sys.exit(1)
        return p.stdout

    def identity(self, subject, file=None):
        file = file or subject
        self.hf("keygen", "-o", file + ".key")
        self.hf("cert", "request", "--identity", file + ".key", "--subject",
                subject, "-o", file + ".req")

    def certificate(self, name, usage, *more, out=None, ca="ca"):
        out = out or name + ".cert"
        self.hf("cert", "issue", "--ca", ca, "--request", name + ".req",
                "--usage", usage, "-o", out, *more)
        return out

    def ticket(self, name, *more, ring="ring"):
        words = list(more)
        for option, value in (("--subject", name), ("--audience", "server"),
                              ("--ttl", "8h")):
            if option not in words:
                words += [option, value]
        self.hf("ticket", "issue", "--ring", ring, "-o", name + ".ticket",
                *words)
        return name + ".ticket"

    def respond(self, name, *options, identity="server.key",
                cert="server.cert", trust="ca/ca.cert", sink=("--echo",),
                env=None, **more):
        """Starts a responder and waits until it listens."""
        log = name + ".log"
        port = name + ".port"
        args = [PROGRAM, "respond", "--listen", "127.0.0.1:0", "--port-file",
                port, "--identity", identity, "--cert", cert, "--trust",
                trust, *options, *sink]
        with open(log, "wb") as f:
            p = subprocess.Popen(args, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=f,
                                 env=dict(os.environ, **(env or {})),
                                 **more)
        end = time.time() + 20
        while not (os.path.exists(port) and os.path.getsize(port) > 0):
            if p.poll() is not None or time.time() > end:
                p.kill()
                p.wait()
                print("no responder", name)
                print(open(log).read())
                self.__exit__()
                sys.exit(1)
            time.sleep(0.01)
        number = int(open(port).read())
        os.unlink(port)
        r = Responder(self, name, p, "127.0.0.1:%d" % number, log, number)
        self.responders.append(r)
        return r

    def refuse(self, *options, identity="server.key", cert="server.cert",
               env=None, does=("--echo",), by=()):
        """Starts a responder that must not start, `by` another program."""
        args = [*by, PROGRAM, "respond", "--listen", "127.0.0.1:0",
                "--identity", identity, "--cert", cert, "--trust",
                "ca/ca.cert", *does, *options]
        begun = time.time()
        try:
            p = subprocess.run(args, stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=20,
                               env=dict(os.environ, **(env or {})))
        except subprocess.TimeoutExpired as e:
            return Result(None, e.stdout or b"", e.stderr or b"", 20)
        return Result(p.returncode, p.stdout, p.stderr, time.time() - begun)

    def initiate(self, address, *options, data=b"hello\n", env=None,
                 timeout=60):
        begun = time.time()
        p = subprocess.run([PROGRAM, "initiate", "--connect", address,
                            *options], input=data, capture_output=True,
                           timeout=timeout,
                           env=dict(os.environ, **(env or {})))
        return Result(p.returncode, p.stdout, p.stderr, time.time() - begun)


class Relay:
    """Stands between one initiator at a time and a responder.

    edit(direction, k, offset, message), where it is given, is told of the
    k-th whole message of a direction, which begins at byte `offset` of that
    direction, and says what is passed on: a list of byte strings, each sent
    by itself; END after them ends that direction. Messages are told apart by
    the bytes that were sent, not by those passed on.
    """

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def close(self):
        self.listener.close()

    def run(self, responder, options, lines=(b"hello\n",), edit=None,
            gap=0, timeout=60, env=None):
        """One initiator. A line is given to it once the session is open, the
        next when the record of the one before has passed."""
        begun = time.time()
        self.p = subprocess.Popen(
            [PROGRAM, "initiate", "--connect", self.address, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})))
        self.lines = list(lines)
        self.messages, self.events = [], []
        self.connections = 0
        self.edit, self.gap = edit, gap
        self.until = begun + timeout
        ended = os.pidfd_open(self.p.pid)
        try:
            while self.accept(ended):
                self.pump(responder)
        finally:
            os.close(ended)
        out, err = self.finish()
        return Result(self.p.returncode, out, err, time.time() - begun,
                      self.messages, self.events, self.connections)

    def accept(self, ended):
        """The next connection; False when the initiator has ended."""
        ready = select.select([self.listener, ended], [], [],
                              max(0, self.until - time.time()))[0]
        if self.listener not in ready:
            return False
        self.a = self.listener.accept()[0]
        self.connections += 1
        return True

    def finish(self):
        try:
            self.p.stdin.close()
        except BrokenPipeError:
            pass
        self.p.stdin = None
        try:
            return self.p.communicate(timeout=max(1, self.until -
                                                  time.time()))
        except subprocess.TimeoutExpired:
            self.p.kill()
            out, err = self.p.communicate()
            return out, err + b"(killed: it did not end)"

    def say(self):
        """The next line, or the end of the input."""
        try:
            if self.lines:
                self.p.stdin.write(self.lines.pop(0))
                self.p.stdin.flush()
            else:
                self.p.stdin.close()
        except (BrokenPipeError, ValueError):
            pass

    def pump(self, responder):
        b = socket.create_connection((responder.host, responder.port))
        for s in (self.a, b):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        way = {self.a: (UP, b), b: (DOWN, self.a)}
        self.held = {UP: b"", DOWN: b""}
        self.offset = {UP: 0, DOWN: 0}
        self.count = {UP: 0, DOWN: 0}
        self.cut = set()
        reading = {self.a, b}
        while reading and time.time() < self.until:
            ready = select.select(list(reading), [], [], 1)[0]
            for s in ready:
                direction, to = way[s]
                try:
                    data = s.recv(65536)
                except OSError:
                    data = b""
                self.events.append((time.perf_counter(), direction, data))
                if data:
                    self.take(direction, data, to)
                    continue
                reading.discard(s)
                self.end(direction, to)
        self.a.close()
        b.close()

    def end(self, direction, to):
        if self.held[direction]:
            self.send(to, direction, [self.held[direction]])
        if direction not in self.cut:
            try:
                to.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def send(self, to, direction, chunks):
        if direction in self.cut:
            return
        for c in chunks:
            try:
                if c is END:
                    self.cut.add(direction)
                    to.shutdown(socket.SHUT_WR)
                    return
                to.sendall(c)
            except OSError:
                pass
            if self.gap:
                time.sleep(self.gap)

    def take(self, direction, data, to):
        held = self.held[direction] + data
        while held:
            end = item_end(held)
            if end is None:
                break
            message, held = held[:end], held[end:]
            self.messages.append((direction, message))
            chunks = [message]
            if self.edit is not None:
                chunks = self.edit(direction, self.count[direction],
                                   self.offset[direction], message)
            self.count[direction] += 1
            self.offset[direction] += len(message)
            if direction == UP and message[1] in (5, 16):
                self.say()
            self.send(to, direction, chunks)
        self.held[direction] = held


def forward(address):
    """A relay for many that comes from the crowd's address."""
    host, port = address.split(":")
    return doors.Door(take=lambda near: doors.join(
        near, socket.create_connection((host, int(port)),
                                       source_address=(CROWD, 0))))


def stream(result, direction):
    """All bytes of a direction, and that it was ended."""
    parts = [data for t, d, data in result.events if d == direction]
    return len(b"".join(parts)), parts[-1:] == [b""], len(
        [p for p in parts if p])


def latency(result):
    """From the end of the request to the alert."""
    t, seen = {}, {UP: 0, DOWN: 0}
    ends = {}
    for d, m in result.messages:
        seen[d] += len(m)
        ends[kind(m)] = (d, seen[d])
    for k in ("request", "alert"):
        d, end = ends[k]
        passed = 0
        for when, direction, data in result.events:
            if direction == d:
                passed += len(data)
                if passed >= end:
                    t[k] = when
                    break
    return t["alert"] - t["request"]


def preload(library, **more):
    """The environment of a process with that one of build/tests in it."""
    # The sanitizer's library need not be the first one.
    return dict(more, LD_PRELOAD=library, ASAN_OPTIONS=
                "verify_asan_link_order=0:" +
                os.environ.get("ASAN_OPTIONS", ""))


def clock(name):
    """The environment of a process whose clock jump() moves."""
    jump(name, 0)
    return preload(CLOCK, HANDFAST_CLOCK=os.path.abspath(name))


def jump(name, seconds):
    with open(name + ".new", "w") as f:
        f.write("%d\n" % seconds)
    os.rename(name + ".new", name)


def tasks(pid):
    """What the kernel says of each thread of a process."""
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/status" % (pid, task)) as f:
                lines = f.read().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        found.append(dict(line.split(":\t", 1) for line in lines
                          if ":\t" in line))
    return found


def forms(secret):
    """A text as it could stand on the wire, by the name of the form."""
    found = {"as it is": secret, "upper case": secret.upper(),
             "lower case": secret.lower(), "backwards": secret[::-1],
             "hex": secret.hex().encode(),
             "upper hex": secret.hex().upper().encode(),
             "UTF-16LE": b"".join(bytes([c, 0]) for c in secret),
             "UTF-16BE": b"".join(bytes([0, c]) for c in secret),
             "inverted": bytes(c ^ 255 for c in secret)}
    for skip in range(3):
        # What is the same wherever it stands in a longer text.
        whole = base64.b64encode(b"\0" * skip + secret)
        first = -(-skip * 4 // 3)
        last = (skip + len(secret)) // 3 * 4
        part = whole[first + (skip > 0):last]
        found["base64, %d" % skip] = part
        found["base64url, %d" % skip] = part.translate(
            bytes.maketrans(b"+/", b"-_"))
    return {form: s for form, s in found.items()
            if form == "as it is" or s != secret}


def pem(path):
    """What stands in a text block."""
    text = open(path).read().split("-----")
    return base64.b64decode("".join(text[2].split()))


def field(line, name):
    """The value of name=value in a log line."""
    found = re.search(r'(?:^| )%s=("[^"]*"|\S*)' % re.escape(name), line)
    return found.group(1) if found else None
