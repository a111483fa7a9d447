# SPDX-License-Identifier: ISC
"""What a responder holds out against one peer who takes too much: places,
time, the password command, the disk. Other peers go on. Crowds come from
127.0.0.9, good peers from 127.0.0.1."""
import fcntl
import os
import resource
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import (BUILD, CROWD, PROGRAM, SAN, UP, House, Relay, check,
                     field, finish, forward, note, same)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "vectors"))
from handfast1 import files as blocks  # noqa: E402
from handfast1 import messages  # noqa: E402
from handfast1.certs import Trust  # noqa: E402
from handfast1.errors import HandfastError  # noqa: E402
from handfast1.initiator import Initiator, InitiatorConfig  # noqa: E402
from handfast1.session import Token  # noqa: E402


def files(soft, hard):
    """For preexec_fn: how many files the responder may have open."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def crowd(responder, n):
    """Connections that say nothing."""
    found = []
    for _ in range(n):
        s = socket.socket()
        s.bind((CROWD, 0))
        s.setblocking(False)
        try:
            s.connect((responder.host, responder.port))
        except BlockingIOError:
            pass
        found.append(s)
    return found


def open_files(responder):
    return len(os.listdir("/proc/%d/fd" % responder.process.pid))


def errors(responder):
    return [field(x, "error") for x in responder.log()
            if x.startswith("event=session ")]


def until(what, seconds=10):
    end = time.time() + seconds
    while not what():
        if time.time() > end:
            return False
        time.sleep(0.05)
    return True


def silent(house):
    """One source that says nothing gets a quarter of the places, and keeps
    none for long."""
    r = house.respond("silent", preexec_fn=files(256, 256))
    at_rest = open_files(r)
    begun = time.time()
    held = crowd(r, 400)
    good = house.initiate(r.address, *house.certified, "--deadline", "2s")
    same("silent: another is served", (0, b"hello\n"), (good.code, good.out))
    taken = open_files(r) - at_rest
    check("silent: a quarter of the room at most", 40 <= taken <= 60, taken)
    check("silent: and cut after three seconds",
          until(lambda: open_files(r) <= at_rest) and
          2.5 < time.time() - begun < 8, time.time() - begun)
    for s in held:
        s.close()
    same("silent: the responder goes on", 0, r.stop())


def failing(house):
    """Connections that fail hold their place until they are closed."""
    r = house.respond("failing", "--max-pending", "5")
    at_rest = open_files(r)
    held, taken = [], 0
    for _ in range(60):
        s = socket.create_connection((r.host, r.port),
                                     source_address=(CROWD, 0))
        held.append(s)
        try:
            s.sendall(b"\0")
        except OSError:
            pass
        time.sleep(0.005)
        taken = max(taken, open_files(r) - at_rest)
    # One may be on its way out.
    check("failing: no more than --max-pending", taken <= 6, taken)
    for s in held:
        s.close()
    r.stop()


def comes_to_nothing(r, i):
    socket.create_connection((r.host, r.port),
                             source_address=(CROWD, 0)).close()
    same("behind: connection %d" % i, "HF_E_GONE",
         field(r.session(30), "error"))


def first_of(r):
    """How the next session in the log ended, and where it came from."""
    line = r.session(30)
    return field(line, "result"), field(line, "from").split(":")[0]


def behind(house):
    """An address whose connections come to nothing waits in line, behind all
    others; sessions use up nothing. Where the line is too long, what comes is
    closed unheard."""
    # Two a minute: it takes half a minute until one more is forgiven, however
    # slow the machine is.
    r = house.respond("behind", "--max-unopened", "2", "--max-pending",
                      "30", "--busy", "60")
    at_rest = open_files(r)
    relay = forward(r.address)
    crowded = relay.address
    good = [house.initiate(crowded, *house.certified).code
            for _ in range(13)]
    same("behind: sessions", [0] * 13, good)
    r.skip()
    for i in range(2):
        comes_to_nothing(r, i)
    good = house.initiate(crowded, *house.certified)
    same("behind: who comes alone", (0, b"hello\n"), (good.code, good.out))
    r.skip()
    comes_to_nothing(r, 2)
    held = crowd(r, 20)
    begun = time.time()
    # The crowd in the line is sent away after three seconds; whoever came just
    # behind it would be as well, where the responder looks late.
    time.sleep(1)
    p = subprocess.Popen([PROGRAM, "initiate", "--connect", crowded,
                          *house.certified], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL)
    good = house.initiate(r.address, *house.certified)
    same("behind: another address", (0, b"hello\n"), (good.code, good.out))
    same("behind: and at once, before all of them", ("ok", "127.0.0.1"),
         first_of(r))
    # One that is not served in three seconds is sent away.
    same("behind: who comes with a silent crowd", 0, p.wait(60))
    took = time.time() - begun
    check("behind: when the crowd had its time", took > 2, took)
    check("behind: all are gone, those in the line too",
          until(lambda: open_files(r) <= at_rest, 30), open_files(r),
          at_rest)
    same("behind: eight of it had it", ["HF_E_DEADLINE"] * 8,
         [x for x in errors(r) if x == "HF_E_DEADLINE"])
    for s in held:
        s.close()
    check("behind: nobody was closed unheard",
          not any("turned-away" in x for x in r.log()))
    held = crowd(r, 40)
    until(lambda: any("turned-away" in x for x in r.log()))
    lines = [x for x in r.log() if "turned-away" in x]
    same("behind: closed unheard, in the log", (CROWD, "HF_E_LIMITED"),
         (field(lines[0], "from").split(":")[0], field(lines[0], "error")))
    for s in held:
        s.close()
    relay.close()
    same("behind: it stops", 0, r.stop())


def locked(house):
    """One source cannot shut a user out."""
    house.write("wrong", "wrong\n")
    r = house.respond("locked", "--users", "users", "--max-failures", "2")
    relay = forward(r.address)
    address = relay.address
    found = []
    for _ in range(4):
        house.initiate(address, *house.to, "--user", "bob",
                       "--passphrase-file", "wrong")
        found.append(field(r.session(), "error"))
    same("locked: all tries of one source", ["HF_E_PASSWORD"] * 2 +
         ["HF_E_LIMITED"] * 2, found)
    good = house.initiate(r.address, *house.user)
    same("locked: the user himself", (0, b"hello\n"), (good.code, good.out))
    r.skip()
    for _ in range(2):
        house.initiate(r.address, *house.to, "--user", "bob",
                       "--passphrase-file", "wrong")
    house.initiate(r.address, *house.user)
    same("locked: all sources together",
         ["HF_E_PASSWORD"] * 2 + ["HF_E_LIMITED"],
         [field(r.session(), "error") for _ in range(3)])
    relay.close()
    r.stop()


def busy(house):
    """Who has many handshakes under way shows cookies, others need not."""
    r = house.respond("busy", "--busy", "5")
    held = crowd(r, 10)
    good = house.initiate(r.address, *house.certified, *house.known,
                          "--trace")
    same("busy: another is served", (0, b"hello\n"), (good.code, good.out))
    check("busy: without a cookie", "received retry" not in good.err,
          good.err)
    relay = forward(r.address)
    address = relay.address
    one_of_them = house.initiate(address, *house.certified, *house.known,
                                 "--trace")
    same("busy: served too", (0, b"hello\n"),
         (one_of_them.code, one_of_them.out))
    check("busy: with a cookie", "received retry" in one_of_them.err,
          one_of_them.err)
    relay.close()
    for s in held:
        s.close()
    r.stop()


def raised(house):
    r = house.respond("raised", preexec_fn=files(64, 300))
    with open("/proc/%d/limits" % r.process.pid) as f:
        line = next(x for x in f if x.startswith("Max open files"))
    same("raised: as many files as it may have", ["300", "300"],
         line.split()[3:5])
    r.stop()


def late(house):
    """The handshake's own deadline, for one who has spoken; and what is
    judged late is judged by the time it is then."""
    r = house.respond("late")
    relay = Relay()
    held = relay.run(r, house.certified + ["--deadline", "20s"],
                     edit=lambda d, k, o, m: [] if d == UP and k == 1
                     else [m])
    line = r.session()
    same("late: refused", (4, "HF_E_DEADLINE"),
         (held.code, field(line, "error")))
    check("late: after ten seconds",
          9500 <= int(field(line, "ms")) <= 12000, line)
    end = int(time.time()) + 3
    house.certificate("alice", "initiator", "--not-before", str(end - 60),
                      "--not-after", str(end), out="short.cert")

    def wait(direction, k, offset, message):
        if direction == UP and k == 1:
            time.sleep(max(0, end + 1.2 - time.time()))
        return [message]

    short = relay.run(r, house.to + ["--identity", "alice.key", "--cert",
                                     "short.cert"], edit=wait)
    line = r.session()
    same("late: a certificate that expired on the way", (4, "HF_E_EXPIRED"),
         (short.code, field(line, "error")))
    relay.close()
    r.stop()


def counted(house):
    """Refused tokens of every kind use up a source's allowance."""
    house.hf("ca", "revoke", "ca", "--next-update", str(int(time.time()) + 1),
             "-o", "stale")
    time.sleep(2)
    # A good chain, then one more certificate that is none.
    house.write("chain.cert", open("alice.cert").read() +
                "-----BEGIN HANDFAST CERTIFICATE-----\nAAAA\n"
                "-----END HANDFAST CERTIFICATE-----\n")
    house.hf("ca", "init", "other", "--name", "Other CA")
    for name, error, options in (
            ("stale", "HF_E_STALE_LIST", ("--revoked", "stale")),
            ("malformed", "HF_E_OBJECT", ())):
        r = house.respond(name, "--max-source-failures", "2", *options)
        cert = "chain.cert" if name == "malformed" else "alice.cert"
        for _ in range(3):
            house.initiate(r.address, *house.to, "--identity", "alice.key",
                           "--cert", cert)
        lines = [r.session() for _ in range(3)]
        same("counted: " + name, [error, error, "HF_E_LIMITED"],
             [field(x, "error") for x in lines])
        r.stop()


def shows(responder, token):
    """The second implementation says what it is told: that token."""
    trust = Trust()
    for cert in blocks.blocks(open("ca/ca.cert").read(),
                              "HANDFAST CERTIFICATE"):
        trust.add_anchor(cert)
    side = Initiator(InitiatorConfig(
        now=int(time.time()), trust=trust, suites=(1, 2), realm="example",
        token=Token(messages.PASSWORD, user="bob")), os.urandom)
    side._token = lambda: token
    s = socket.create_connection((responder.host, responder.port), 10)
    side.start()
    try:
        while side.state != "open":
            s.sendall(side.drain())
            side.feed(s.recv(65536))
            if side.question:
                side.answer(None)
    except HandfastError:
        pass  # refused: why, the responder's log says
    s.close()


def malformed(house):
    """Malformed bytes count like a refused token behind its kind, not
    before."""
    r = house.respond("fields", "--max-source-failures", "2", "--users",
                      "users")
    for token in ([bytes(1), "bob", bytes(32)], [2, "bob", bytes(31)],
                  [2, "BOB", bytes(32)], [2, "bob", bytes(32)]):
        shows(r, token)
    same("malformed: fields of a token",
         ["HF_E_SHAPE", "HF_E_SHAPE", "HF_E_SHAPE", "HF_E_LIMITED"],
         [field(r.session(), "error") for _ in range(4)])
    r.stop()


def asking(house):
    """One source does not fill the queue of the password command."""
    house.write("slow", "#!/bin/sh\nread -r u; read -r p\nsleep 1\n"
                "[ \"$p\" = 'correct horse' ]\n", 0o700)
    r = house.respond("asking", "--password-command", house.dir + "/slow")
    relay = forward(r.address)
    address = relay.address
    bad = [subprocess.Popen(
        [PROGRAM, "initiate", "--connect", address, *house.to, "--user",
         "u%d" % i, "--plain-password", "--passphrase-file", "wrong"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL) for i in range(80)]
    check("asking: what one source asks is bounded",
          until(lambda: errors(r).count("HF_E_LIMITED") >= 20, 20))
    good = house.initiate(r.address, *house.plain)
    same("asking: another is heard", (0, b"hello\n"), (good.code, good.out))
    for p in bad:
        p.wait()
    relay.close()
    r.stop()


def one_guess(house):
    """What the password command says of one guess is counted before it is
    asked about the next."""
    house.write("no", "#!/bin/sh\nread -r u; read -r p\nsleep 1\nexit 1\n",
                0o700)
    r = house.respond("one guess", "--password-command", house.dir + "/no",
                      "--max-failures", "1")
    tries = [subprocess.Popen(
        [PROGRAM, "initiate", "--connect", r.address, *house.plain],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL) for i in range(5)]
    for p in tries:
        p.wait()
    check("one guess: all ended", until(lambda: len(errors(r)) == 5))
    same("one guess: of five at once", ["HF_E_LIMITED"] * 4 +
         ["HF_E_PASSWORD"], sorted(errors(r)))
    r.stop()


def late_guess(house):
    """A password command that says no slowly, asked so late that the deadline
    comes first: that tells as much as its answer, and counts as much."""
    house.write("slow", "#!/bin/sh\nread -r u; read -r p\n"
                "[ \"$p\" = 'correct horse' ] || { sleep 4; exit 1; }\n",
                0o700)
    r = house.respond("late guess", "--password-command", house.dir + "/slow",
                      "--max-failures", "1")
    relay = Relay()

    def wait(direction, k, offset, message):
        if direction == UP and k == 1:
            time.sleep(7)
        return [message]

    bad = house.to + ["--user", "bob", "--plain-password",
                      "--passphrase-file", "wrong"]
    got = relay.run(r, bad + ["--deadline", "20s"], edit=wait)
    same("late guess: the deadline", (4, "HF_E_DEADLINE"),
         (got.code, field(r.session(), "error")))
    house.initiate(r.address, *house.plain)
    same("late guess: counted", "HF_E_LIMITED", field(r.session(), "error"))
    relay.close()
    r.stop()


def disk(house):
    """Who burns a ticket waits for the disk; nobody else does."""
    slow = BUILD + "/tests/slowsync.so"
    if SAN or not os.path.exists(slow):
        note("no slow disk here")
        return
    r = house.respond("disk", "--workers", "4", "--ring", "ring",
                      "--used-tickets", "used", env={"LD_PRELOAD": slow})
    burning = []
    for i in range(3):
        name = house.ticket("once%d" % i, "--single-use")
        burning.append(subprocess.Popen(
            [PROGRAM, "initiate", "--connect", r.address, *house.to,
             "--ticket", name], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL))
    time.sleep(0.5)
    good = house.initiate(r.address, *house.certified)
    same("disk: another is served", 0, good.code)
    check("disk: and at once", good.seconds < 0.7, good.seconds)
    same("disk: the tickets too", [0] * 3, [p.wait() for p in burning])
    r.stop()


class Idler:
    """A session on which nothing moves."""

    def __init__(self, address, options):
        self.p = subprocess.Popen(
            [PROGRAM, "initiate", "--connect", address, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0)
        self.p.stdin.write(b"x\n")
        self.first = self.p.stdout.readline()

    def end(self):
        self.p.stdin.close()
        self.p.stdout.read()
        return self.p.wait()


def sessions(house):
    """One subject has no more sessions than its share."""
    for name, options, limit, cap in (
            ("sessions", ("--max-sessions", "3"), 1024, 3),
            ("share", (), 80, 11)):
        r = house.respond(name, "--users", "users", *options,
                          preexec_fn=files(limit, limit))
        held = [Idler(r.address, house.certified) for _ in range(cap)]
        same(name + ": so many", [b"x\n"] * cap, [x.first for x in held])
        more = house.initiate(r.address, *house.certified)
        same(name + ": no more", (4, "HF_E_LIMITED"),
             (more.code, field(r.session(), "error")))
        other = house.initiate(r.address, *house.user)
        same(name + ": another subject", 0, other.code)
        r.skip()
        same(name + ": one ends", 0, held.pop().end())
        until(lambda: r.session(0))
        more = house.initiate(r.address, *house.certified)
        same(name + ": another begins", 0, more.code)
        for x in held:
            x.end()
        r.stop()


def idle(house):
    for name, sink in (("idle", ("--echo",)),
                       ("idle-exec", ("--exec", "cat"))):
        r = house.respond(name, "--idle", "1s", sink=sink)
        busy = Idler(r.address, house.certified)
        quiet = Idler(r.address, house.certified)
        begun = time.time()
        while quiet.p.poll() is None and time.time() < begun + 10:
            busy.p.stdin.write(b"y\n")
            busy.p.stdout.readline()
            time.sleep(0.1)
        took = time.time() - begun
        same(name + ": how it ended", 3, quiet.p.poll())
        check(name + ": when", 0.7 < took < 6, took)
        same(name + ": one that is not idle goes on", 0, busy.end())
        r.stop()


def lock(house):
    """Who may read a directory cannot stop what is done in it."""
    fd = os.open("ca", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        subprocess.run([PROGRAM, "ca", "revoke", "ca", "-o", "list"],
                       check=True, timeout=10)
        check("lock: revoked all the same", True)
    except subprocess.TimeoutExpired:
        check("lock: revoked all the same", False)
    os.close(fd)
    same("lock: for its owner alone", 0o600,
         os.stat("ca/.ca.list.lock").st_mode & 0o7777)


def main():
    with House() as house:
        house.write("wrong", "wrong\n")
        for test in (raised, silent, failing, behind, locked, busy, late,
                     counted, malformed, asking, one_guess,
                     late_guess, disk, sessions, idle, lock):
            if len(sys.argv) == 1 or test.__name__ in sys.argv[1:]:
                test(house)
    finish()


main()
