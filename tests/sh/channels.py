#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`respond` with sessions that carry channels (spec section 20): each is
served as a session would be, none stands in another's way, and nobody's end
is another's. The peer is the second implementation, so that both layers are
proved against each other.
"""
import os
import socket
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "..", "vectors"))
import session as s  # noqa: E402
from handfast1 import channels, files, messages, records  # noqa: E402
from handfast1.certs import Identity, Trust  # noqa: E402
from handfast1.errors import HandfastError  # noqa: E402
from handfast1.initiator import Initiator, InitiatorConfig  # noqa: E402
from handfast1.session import Token  # noqa: E402

WAIT = 10


def blocks(path, label):
    return files.blocks(open(path).read(), "HANDFAST " + label)


class Caller:
    """A session with a responder, and its channels."""

    def __init__(self, house, address, ask=True, limits=None):
        trust = Trust()
        for cert in blocks("ca/ca.cert", "CERTIFICATE"):
            trust.add_anchor(cert)
        seed = files.read_identity(blocks("alice.key", "IDENTITY")[0], b"")
        self.side = Initiator(
            InitiatorConfig(
                now=int(time.time()),
                trust=trust,
                token=Token(
                    messages.CERTIFICATE,
                    identity=Identity(seed),
                    chain=tuple(blocks("alice.cert", "CERTIFICATE"))),
                suites=(1, 2),
                channels=ask,
            ), os.urandom)
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), WAIT)
        self.sock.settimeout(WAIT)
        self.mux = channels.Mux("initiator", limits or channels.Limits(
            own=1024, send=1 << 24))
        self.taken = 0
        self.reading = set()
        self.got = {}
        self.side.start()
        self.flush()
        while self.side.state != "open":
            self.read()

    def flush(self):
        while self.side.question:
            self.side.answer(None)
        if self.side.state == "open" and self.side.channels and \
                not self.side.own_close:
            out = self.mux.output()
            for piece in pieces(out):
                self.side.send(records.CHANNEL, piece)
        data = self.side.drain()
        if data:
            self.sock.sendall(data)

    def read(self):
        data = self.sock.recv(65536)
        if not data:
            self.side.end()
            return False
        try:
            self.side.feed(data)
        finally:
            self.flush_quietly()
        for kind, record in self.side.received[self.taken:]:
            if kind == records.CHANNEL:
                self.mux.feed(record)
        self.taken = len(self.side.received)
        for ch in list(self.reading):
            self.got[ch] += self.mux.take(ch, len(ch.unread))
        self.flush()
        return True

    def flush_quietly(self):
        try:
            self.flush()
        except OSError:
            pass

    def open(self, label="", data=b"", finish=True, read=True):
        ch = self.mux.open(label)
        self.got[ch] = b""
        if read:
            self.reading.add(ch)
        if data:
            assert self.mux.send(ch, data) == len(data)
        if finish:
            self.mux.finish(ch)
        return ch

    def until(self, done, seconds=WAIT):
        """Reads until that is so. Returns whether it came to be."""
        self.flush()
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.sock.settimeout(max(0.05, end - time.monotonic()))
            try:
                if not self.read():
                    break
            except (socket.timeout, TimeoutError):
                break
        return done()

    def close(self):
        self.side.send(records.CLOSE, b"")
        self.flush()
        while self.side.state == "open" and self.read():
            pass
        self.sock.close()


def pieces(out):
    """Frames into records: whole ones, no more than a record has room for."""
    reader, at, start = channels.cbor.Reader(out), 0, 0
    while at < len(out):
        reader.skip()
        if reader.pos - start > 60000 and at > start:
            yield out[start:at]
            start = at
        at = reader.pos
    if at > start:
        yield out[start:at]


def ended(*all_):
    return lambda: all(c.ended for c in all_)


def echo(house):
    """50 at once, each with its own bytes: one handshake."""
    r = house.respond("echo")
    c = Caller(house, r.address)
    said = {c.open("n%d" % i, os.urandom(1000 * i + 1)): i
            for i in range(50)}
    data = {ch: ch.unsent for ch in said}
    s.check("echo: all 50 end", c.until(ended(*said)))
    s.same("echo: each gets its own bytes back", [],
           [i for ch, i in said.items() if c.got[ch] != data[ch]])
    s.same("echo: both ends have finished", {0}, {ch.reason for ch in said})
    c.close()
    line = r.session()
    s.same("echo: one session, 50 channels", ("ok", "50"),
           (s.field(line, "result"), s.field(line, "channels")))
    # without them it is as ever
    c = Caller(house, r.address, ask=False)
    s.same("echo: not asked for", False, c.side.channels)
    c.side.send(records.DATA, b"plain")
    c.flush()
    while not c.side.received:
        c.read()
    s.same("echo: an ordinary session", [(records.DATA, b"plain")],
           c.side.received)
    c.close()
    s.same("echo: it is logged as one", None,
           s.field(r.session(), "channels") or None)
    s.same("echo: it stops", 0, r.stop())


def slow(house):
    """One that reads nothing holds up itself alone."""
    r = house.respond("slow")
    c = Caller(house, r.address)
    stuck = c.open("slow", bytes(1 << 20), read=False)
    quick = c.open("quick", bytes(1 << 20))
    s.check("slow: the other one ends", c.until(ended(quick)))
    s.same("slow: with all its bytes", 1 << 20, len(c.got[quick]))
    s.check("slow: no more than its window came", len(stuck.unread) <=
            c.mux.limits.window and not stuck.ended)
    c.reading.add(stuck)
    c.got[stuck] += c.mux.take(stuck, len(stuck.unread))
    s.check("slow: and then that one", c.until(ended(stuck)))
    s.same("slow: whole", 1 << 20, len(c.got[stuck]))
    c.close()
    s.same("slow: it stops", 0, r.stop())


def limits(house):
    """Too many: refused, the others unharmed; and a place comes free."""
    r = house.respond("limits", "--channels", "2")
    c = Caller(house, r.address)
    a, b = c.open("a", b"a", False), c.open("b", b"b", False)
    third = c.open("c", b"c", False)
    s.check("limits: the third is refused", c.until(ended(third)))
    s.same("limits: for that reason", channels.LIMIT, third.reason)
    c.mux.reset(a, 1)
    s.check("limits: one is let go", c.until(lambda: a.over))
    d = c.open("d", b"d")
    s.check("limits: there is room again", c.until(ended(d)))
    s.same("limits: and it is served", (b"d", 0), (c.got[d], d.reason))
    c.mux.finish(b)
    s.check("limits: b has lost nothing", c.until(ended(b)))
    s.same("limits: b's bytes", b"b", c.got[b])
    c.close()
    s.same("limits: it stops", 0, r.stop())
    r = house.respond("none", "--channels", "0")
    s.same("none are served", False, Caller(house, r.address).side.channels)
    s.same("none: it stops", 0, r.stop())
    r = house.respond("print", sink=())
    s.same("what is printed has none", False,
           Caller(house, r.address).side.channels)
    s.same("print: it stops", 0, r.stop())


def untaken(house):
    """Whose peer gives no credit counts, also when its program has ended; who
    takes it all, one after the other, is never refused."""
    r = house.respond("untaken", "--channels", "2",
                      sink=("--exec", "head -c 125000 /dev/zero"))
    c = Caller(house, r.address)
    stuck = [c.open("", b"", False, read=False) for _ in range(2)]
    s.check("untaken: what credit there is is used", c.until(
        lambda: all(len(ch.unread) == 65536 for ch in stuck)))
    end = time.monotonic() + WAIT
    while count_children(r) > 0 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.2)
    third = c.open("", b"", False)
    s.check("untaken: no third", c.until(ended(third)))
    s.same("untaken: for that reason", channels.LIMIT, third.reason)
    c.reading.update(stuck)
    for ch in stuck:
        c.got[ch] += c.mux.take(ch, len(ch.unread))
    s.check("untaken: taken, they end", c.until(ended(*stuck)))
    s.same("untaken: whole", [125000] * 2, [len(c.got[ch]) for ch in stuck])
    c.close()
    s.same("untaken: two there were", "2", s.field(r.session(), "channels"))
    s.same("untaken: it stops", 0, r.stop())
    for name, sink in (("one", ("--exec", "head -c 9")), ("echo", ("--echo",)),
                       ("cut", ("--exec", "false"))):
        r = house.respond(name, "--channels", "1", sink=sink)
        c = Caller(house, r.address)
        reasons = set()
        for i in range(40):
            ch = c.open("", b"nine bytes" * 7, i % 2)
            c.until(lambda: ch.over or ch.heard_fin or len(c.got[ch]) == 70)
            if not ch.over and i % 4 < 2:
                c.mux.reset(ch, channels.CANCELLED)
            elif not ch.ended:
                c.mux.finish(ch)
            s.check("untaken: %s %d ends" % (name, i),
                    c.until(lambda: ch.over)) or s.note(repr(ch))
            reasons.add(ch.reason)
        s.same("untaken: %s, none refused" % name, False,
               channels.LIMIT in reasons)
        c.close()
        s.same("untaken: %s stops" % name, 0, r.stop())


def programs(house):
    """--exec: a process for each; what fails does not look complete."""
    house.write("run.sh", "#!/bin/sh\nread word\n"
                "echo \"$HANDFAST_NAME $HANDFAST_LABEL $word\"\n"
                "[ \"$word\" != fail ] || exit 1\n"
                "[ \"$word\" != wait ] || exec sleep 60\n", 0o700)
    r = house.respond("exec", sink=("--exec", os.path.abspath("run.sh")))
    c = Caller(house, r.address)
    good = [c.open("label %d" % i, b"%d\n" % i) for i in range(10)]
    bad = c.open("x", b"fail\n", False)
    wait = c.open("y", b"wait\n", False)
    s.check("exec: they end", c.until(ended(*good, bad)))
    s.same("exec: each with its own words",
           [b"alice label %d %d\n" % (i, i) for i in range(10)],
           [c.got[ch] for ch in good])
    s.same("exec: finished", {True}, {ch.heard_fin for ch in good})
    s.same("exec: what fails is cut, after what it said",
           (b"alice x fail\n", False, 3),
           (c.got[bad], bad.heard_fin, bad.reason))
    s.check("exec: one still runs", not wait.ended)
    c.close()
    line = r.session()
    s.same("exec: 12 of them", "12", s.field(line, "channels"))
    s.same("exec: it stops", 0, r.stop())


def forwarded(house):
    """--forward: a connection for each; half-closed both ways."""
    target = house.respond("behind")
    listener = socket.create_server(("127.0.0.1", 0))
    r = house.respond("forward", sink=(
        "--forward", "127.0.0.1:%d" % listener.getsockname()[1]))
    c = Caller(house, r.address)
    a, b = c.open("a", b"one"), c.open("b", b"two", False)
    c.flush()
    listener.settimeout(WAIT)
    said = []
    for _ in range(2):
        conn, _ = listener.accept()
        conn.settimeout(WAIT)
        word = conn.recv(3)
        said.append(word)
        conn.sendall(b"re: " + word)
        if word == b"one":
            s.same("forward: its end comes through", b"", conn.recv(1))
            conn.close()
        else:
            kept = conn
    s.same("forward: a connection for each", [b"one", b"two"], sorted(said))
    s.check("forward: one ends", c.until(ended(a)))
    s.same("forward: its answer", b"re: one", c.got[a])
    s.check("forward: the other goes on", c.until(
        lambda: c.got[b] == b"re: two") and not b.ended)
    c.mux.reset(b, channels.CANCELLED)
    c.flush()
    s.same("forward: reset, so is its connection", "reset", end_of(kept))
    listener.close()
    nobody = c.open("c", b"x", False)
    s.check("forward: nobody there", c.until(ended(nobody)))
    s.same("forward: it failed", 3, nobody.reason)
    c.close()
    s.same("forward: it stops", 0, r.stop())
    s.same("behind: it stops", 0, target.stop())


def end_of(conn, most=1 << 20):
    """What comes to its end, or that there is none."""
    data = b""
    try:
        while len(data) < most:
            data += (piece := conn.recv(65536))
            if not piece:
                return data
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "silence"


def cut_off(house):
    """--forward: only what the peer has ended has an end there (9.4)."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(WAIT)
    r = house.respond("cut", sink=(
        "--forward", "127.0.0.1:%d" % listener.getsockname()[1]))

    def begin(ask, close):
        c = Caller(house, r.address, ask=ask)
        if ask:
            c.open("", b"word", False)
        else:
            c.side.send(records.DATA, b"word")
        c.flush()
        conn, _ = listener.accept()
        conn.settimeout(WAIT)
        s.same("cut: it has come", b"word", conn.recv(4))
        if close:
            c.side.send(records.CLOSE, b"")
            c.flush()
        return c, conn

    for ask in (False, True):
        c, conn = begin(ask, False)
        c.sock.close()
        s.same("cut: it is lost", "lost", s.field(r.session(), "result"))
        s.same("cut: so it is no end there", "reset", end_of(conn))
    # where the whole session was closed, channels in it were not
    c, conn = begin(True, True)
    s.same("cut: a channel that was left open", "reset", end_of(conn))
    s.same("cut: in it", "ok", s.field(r.session(), "result"))
    c.sock.close()
    # the peer has ended it, and is lost before the answer
    c, conn = begin(False, True)
    c.sock.close()
    for _ in range(5):
        conn.sendall(b"answer")
        if line := r.session(1):
            break
    s.same("cut: lost after that", "lost", s.field(line, "result"))
    s.same("cut: a good end stays one", b"", end_of(conn))
    c, conn = begin(False, False)
    r.kill()
    s.same("cut: killed", "reset", end_of(conn))


def sockets(r):
    fds = "/proc/%d/fd/" % r.process.pid
    return sum(os.readlink(fds + fd).startswith("socket:")
               for fd in os.listdir(fds))


def rest(house):
    """--forward: what came before an end in order is written, however late it
    is taken; but not where nothing is for seconds."""
    size = 350000  # more than a unix socket has room for
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("behind")
    listener.listen()
    tcp = socket.create_server(("127.0.0.1", 0))
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def begin(r, listener):
        listener.settimeout(WAIT)
        c = Caller(house, r.address)
        ch = c.open("", bytes(size))
        c.flush()
        conn, _ = listener.accept()
        conn.settimeout(WAIT)
        conn.shutdown(socket.SHUT_WR)
        s.check("rest: both ends have finished", c.until(ended(ch)))
        c.close()
        s.same("rest: in order", "ok", s.field(r.session(), "result"))
        return conn

    # in the kernel of this side, which is to send it yet
    r = house.respond("tcp", sink=(
        "--forward", "127.0.0.1:%d" % tcp.getsockname()[1]))
    conn = begin(r, tcp)
    time.sleep(1)
    s.same("rest: all of it over TCP", size, len(end_of(conn)))
    s.same("rest: tcp stops", 0, r.stop())
    # and not there yet
    r = house.respond("rest", sink=("--forward", "unix:behind"))
    before = sockets(r)
    conn = begin(r, listener)
    time.sleep(1)
    s.same("rest: all of it, and its end", size, len(end_of(conn)))
    conn.close()
    conn = begin(r, listener)
    begun = time.monotonic()
    while sockets(r) > before and time.monotonic() < begun + 2 * WAIT:
        time.sleep(0.2)
    s.same("rest: it does not wait for ever", before, sockets(r))
    s.check("rest: but for seconds", time.monotonic() > begun + 3)
    conn.close()
    s.same("rest: it stops", 0, r.stop())


def not_ones_own(house):
    """D15: who names a channel that is not there, whether another has it or
    nobody ever had, ends his session; who has another session is unharmed,
    and cannot be named from this one."""
    r = house.respond("d15")
    other = Caller(house, r.address)
    mine = other.open("mine", b"kept", False)
    other.until(lambda: other.got[mine] == b"kept")
    for what, frame in (
            ("data for one never opened", [channels.DATA, 2, b"x"]),
            ("credit", [channels.CREDIT, 2, 1]),
            ("a fin", [channels.FIN, 2]),
            ("a reset", [channels.RESET, 2, 1]),
            ("one of the responder's", [channels.DATA, 1, b"x"]),
            ("an open that skips", [channels.OPEN, 4, ""]),
            ("an open of its own", [channels.OPEN, 0, ""])):
        c = Caller(house, r.address)
        ch = c.open("here", b"", False)
        c.until(lambda: ch.number == 0)
        c.side.send(records.CHANNEL, channels.cbor.encode(frame))
        c.flush()
        try:
            while c.side.state == "open" and c.read():
                pass
        except HandfastError:
            pass
        s.same("d15, %s: refused" % what, "HF_E_REFUSED",
               c.side.error.name if c.side.error else c.side.state)
        s.same("d15, %s: named there" % what, "HF_E_UNEXPECTED",
               s.field(r.session(), "error"))
    # the neighbour never noticed
    other.mux.send(mine, b" and whole")
    other.mux.finish(mine)
    s.check("d15: the neighbour ends", other.until(ended(mine)))
    s.same("d15: with his own bytes", b"kept and whole", other.got[mine])
    other.close()
    s.same("d15: it stops", 0, r.stop())


def flood(house):
    """D14: one that sends all it can leaves the others their turns."""
    r = house.respond("flood")
    c = Caller(house, r.address)

    def round_trip():
        ch = c.open("", b"word")
        begin = time.monotonic()
        good = c.until(ended(ch)) and c.got[ch] == b"word"
        return time.monotonic() - begin, good

    before = sorted(round_trip() for _ in range(30))
    big = c.open("flood", bytes(16 << 20))
    during = sorted(round_trip() for _ in range(30))
    s.check("flood: every word came back", all(g for _, g in before + during))
    s.note("a word: median %.1f ms alone, %.1f ms beside a flood" %
           (1000 * before[15][0], 1000 * during[15][0]))
    s.check("flood: beside it none waits for all of it",
            during[15][0] < 1 or len(c.got[big]) < 16 << 20)
    s.check("flood: it comes through as well", c.until(ended(big), 120))
    s.same("flood: whole", 16 << 20, len(c.got[big]))
    c.close()
    s.same("flood: it stops", 0, r.stop())


def deserted(house):
    """The connection breaks: processes end, and nothing is left."""
    r = house.respond("deserted", sink=("--exec", "sleep 1000"))
    c = Caller(house, r.address)
    for i in range(5):
        c.open("x", b"", False)
    c.flush()
    end = time.monotonic() + WAIT
    while count_children(r) < 5 and time.monotonic() < end:
        time.sleep(0.05)
    s.same("deserted: five run", 5, count_children(r))
    c.sock.close()
    s.same("deserted: it is lost", "lost", s.field(r.session(), "result"))
    while count_children(r) > 0 and time.monotonic() < end:
        time.sleep(0.05)
    s.same("deserted: none runs any more", 0, count_children(r))
    s.same("deserted: it stops", 0, r.stop())


def count_children(r):
    path = "/proc/%d/task/%d/children" % (r.process.pid, r.process.pid)
    n = 0
    for task in os.listdir("/proc/%d/task" % r.process.pid):
        path = "/proc/%d/task/%s/children" % (r.process.pid, task)
        try:
            n += len(open(path).read().split())
        except OSError:
            pass
    return n


def main():
    with s.House() as house:
        only = sys.argv[1:]
        for part in (echo, slow, limits, untaken, programs,
                     forwarded, cut_off, rest,
                     not_ones_own, flood, deserted):
            if not only or part.__name__ in only:
                part(house)
    s.finish()


main()
