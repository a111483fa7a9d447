#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""How a dispatcher lives: with several threads, with sockets and a watchdog of
whoever started it, as a user that may do little. Real processes.
"""
import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from session import tasks  # noqa: E402
from dispatching import Stage, ends, opened, play, say, wait_for  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RUN = ("dispatch", "--config", "d.conf")
WORKERS = 3


def start(g, *more, ready="d.ctl"):
    d = g.start("d", *RUN, *more)
    wait_for(lambda: d.poll() is not None or os.path.exists(g.path(ready)),
             "a dispatcher")
    return d


def watched(pid):
    """How many descriptors each loop of a process watches, in order."""
    n = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            if not os.readlink("/proc/%d/fd/%s" %
                               (pid, fd)).endswith("[eventpoll]"):
                continue
            with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                n.append(f.read().count("tfd:"))
        except FileNotFoundError:
            pass  # it was closed meanwhile
    return sorted(n)


def knock(g, n):
    """Connections that say nothing."""
    some = []
    for _ in range(n):
        c = socket.socket(socket.AF_UNIX)
        c.connect(g.path("d.sock"))
        some.append(c)
    return some


def is_open(c):
    c.setblocking(False)
    try:
        return c.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


# The tests ---------------------------------------------------------------------


def workers():
    """Several threads have connections; what is counted, asked for and
    changed is that of all of them."""
    g = Stage({"a": [], "b": []})
    g.kill("d")
    d = start(g, "--workers", str(WORKERS))
    before = watched(d.pid)
    s.same("workers: loops", WORKERS, len(before))
    clients = []

    def shared():
        """One thread may be quicker than the others, but not for ever."""
        clients.extend(g.client() for _ in range(6))
        opened(g, *clients)
        return len(clients) >= 12 and sum(
            n >= m + 4 for n, m in zip(watched(d.pid), before)) > 1

    wait_for(shared, "sessions of more than one thread")
    n = len(clients)
    status = g.status()
    s.same("workers: connections", n, status["connections"])
    s.same("workers: of servers", n, g.on("a") + g.on("b"))
    s.same("workers: taken", n, sum(x["taken"] for x in status["servers"]))
    text = g.do("dispatch", "metrics", "--control", "d.ctl")
    s.check("workers: metrics", "handfast_dispatch_accepted_total %d\n" %
            n in text, text[:300])
    wait_for(lambda: len(g.rows()) == n, "stored sessions")
    g.do("dispatch", "drain", "a", "--control", "d.ctl")
    wait_for(lambda: g.on("a") == 0, "all of them to be drained")
    s.same("workers: drained", n, g.on("b"))
    g.do("dispatch", "undrain", "a", "--control", "d.ctl")
    g.configure(only=["a"])
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: g.on("a") == n, "all of them to be moved")
    for i, client in enumerate(clients):
        say(client, b"%02d" % i)
    s.same("workers: exit codes", [0] * n, [ends(c) for c in clients])
    s.same("workers: what arrived", [b"%02d" % i for i in range(n)],
           g.received())
    s.same("workers: handshakes", n, g.shaken())
    s.same("workers: the end", 0, g.kill("d", signal.SIGTERM))
    for bad in ("0", "65", "x"):
        s.same("workers: %s" % bad, 2,
               g.run(*RUN, "--workers", bad).returncode)
    g.close()


def piled_up():
    """Balance by a hash: whichever thread has a connection, those of one
    source and target fall on one server."""
    names = "abcefghi"
    g = Stage({n: [] for n in names}, balance="hash")
    g.kill("d")
    d = start(g, "--workers", str(WORKERS))
    before = watched(d.pid)
    clients = []

    def shared():
        clients.extend(g.client() for _ in range(4))
        opened(g, *clients)
        return all(n >= m + 4 for n, m in zip(watched(d.pid), before))

    wait_for(shared, "sessions of each thread")
    s.same("piled up: one server", [0] * 7 + [len(clients)],
           sorted(g.on(n) for n in names))
    s.same("piled up: exit codes", [0] * len(clients),
           [ends(c) for c in clients])
    g.close()


def judged():
    """How long transfers and handshakes take is judged by those of all
    threads: eight handshakes are enough, of which no thread had all."""
    g = Stage({"a": []})
    for turn in range(20):
        g.kill("d")
        d = start(g, "--workers", str(WORKERS))
        before = watched(d.pid)
        clients = [g.client() for _ in range(8)]
        opened(g, *clients)
        # Two descriptors a session; a look at the server has one.
        shared = sum(n >= m + 4 for n, m in zip(watched(d.pid), before)) > 1
        took = g.status()["handshake"]
        s.same("judged: exit codes", [0] * 8, [ends(c) for c in clients])
        if shared:
            break
    s.check("judged: by more than one thread", shared)
    s.same("judged: all are counted", 8, took["count"])
    s.check("judged: and judged by", (took["recent_median_us"] or 0) > 0,
            took)
    g.close()


def health():
    """Each thread looks after the servers; that one is up or down is said
    once."""
    g = Stage({"a": [], "b": []})
    g.kill("d")
    start(g, "--workers", str(WORKERS))
    for turn in (1, 2):
        g.kill("b")
        wait_for(lambda: g.log("d").count("name=b state=down") >= turn,
                 "a line of one that is down")
        # Nobody is sent there, whichever thread has him.
        some = [g.client("--responder-cert", "b.cert") for _ in range(6)]
        s.same("health: exit codes", [0] * 6, [ends(c) for c in some])
        g.serve("b")
        wait_for(lambda: g.log("d").count("name=b state=up") >= turn,
                 "a line of one that is up")
        time.sleep(1)
        s.same("health: said once", [turn] * 2,
               [g.log("d").count("name=b state=" + x)
                for x in ("down", "up")])
    # Each finds out by itself, once, where it does not look; what they found
    # is counted together.
    g.configure(**{"health-ms": 3600000})
    g.kill("d")
    start(g, "--workers", str(WORKERS))
    g.kill("b")

    def failed():
        some = [g.client("--responder-cert", "b.cert") for _ in range(6)]
        s.same("health: exit codes", [0] * 6, [ends(c) for c in some])
        return g.status()["servers"][1]["failed"] > 1

    wait_for(failed, "more than one that failed")
    g.close()


def share():
    """The share of a source is one of all threads together; so is what there
    is room for."""
    g = Stage({"a": []}, **{"source-connections": 10})
    g.kill("d")
    start(g, "--workers", str(WORKERS))
    some = knock(g, 30)
    wait_for(lambda: sum(map(is_open, some)) == 10, "those who are too many")
    time.sleep(0.2)
    s.same("share: ten stay", 10, sum(map(is_open, some)))
    s.same("share: counted", (10, 20),
           (g.status()["connections"], g.status()["refused_source"]))
    for c in some:
        c.close()
    g.configure(**{"connections": 5})
    g.running["d"].send_signal(signal.SIGHUP)
    wait_for(lambda: g.status()["connections"] == 0, "their end")
    some = knock(g, 9)
    wait_for(lambda: g.status()["connections"] >= 5, "connections")
    time.sleep(0.3)
    n = g.status()["connections"]
    # Each may take one at the same moment.
    s.check("share: no more than there is room for", 5 <= n < 5 + WORKERS, n)
    for c in some:
        c.close()
    g.close()


def listener(family, at):
    c = socket.socket(family)
    c.bind(at)
    c.listen(64)
    return c


def hand_over(g, sockets, *more, n=None):
    """As systemd does: from descriptor 3 on. They are put aside first, so
    that none is in the way of another."""
    fds = [c.fileno() for c in sockets]
    words = "LISTEN_PID=$$ LISTEN_FDS=%d exec \"$@\"" % (
        len(fds) if n is None else n)
    for i, fd in enumerate(fds):
        words = "exec %d<&%d; " % (20 + i, fd) + words + " %d<&%d" % (
            3 + i, 20 + i)
    log = open(g.path("d.log"), "ab")
    g.running["d"] = subprocess.Popen(
        ["/bin/bash", "-c", words, "bash", s.PROGRAM, *RUN, *more],
        cwd=g.dir, stderr=log, stdout=subprocess.DEVNULL, pass_fds=fds)
    return g.running["d"]


def kill_given(g):
    """The socket file is not its own."""
    g.running["d"].send_signal(signal.SIGTERM)
    code = g.running["d"].wait(timeout=30)
    if os.path.exists(g.path("d.ctl")):
        os.unlink(g.path("d.ctl"))
    return code


def activated():
    """Sockets are there before the dispatcher is, and after it: a client that
    came early is served, and the next dispatcher takes over."""
    g = Stage({"a": []})
    g.kill("d")
    mine = listener(socket.AF_UNIX, g.path("d.sock"))
    tcp = listener(socket.AF_INET, ("127.0.0.1", 0))
    before = g.log("d").count("listening on")
    early = g.client()
    time.sleep(0.2)
    s.check("activated: it waits", early.poll() is None)
    d = hand_over(g, [mine, tcp])
    opened(g, early)
    say(early, b"early")
    s.same("activated: exit code", 0, ends(early))
    c = socket.create_connection(tcp.getsockname())
    wait_for(lambda: g.status()["connections"] == 1, "the other socket")
    c.close()
    s.same("activated: nothing else", 2,
           g.log("d").count("listening on") - before)
    s.same("activated: the end", 0, kill_given(g))
    s.check("activated: the socket stays", os.path.exists(g.path("d.sock")))
    late = g.client()
    hand_over(g, [mine, tcp], "--workers", "2")
    opened(g, late)
    say(late, b"late")
    s.same("activated: again", 0, ends(late))
    s.same("activated: again: the end", 0, kill_given(g))
    s.same("activated: what arrived", [b"early", b"late"], g.received())
    for what, some, n in (
            ("no listener", [mine, socket.socket(socket.AF_UNIX)], None),
            ("a datagram", [socket.socket(socket.AF_INET,
                                          socket.SOCK_DGRAM)], None),
            ("too many", [mine], 9)):
        d = hand_over(g, some, n=n)
        s.same("activated: %s" % what, 3, d.wait(timeout=30))
    s.check("activated: words", "socket 1 is none that listens" in
            g.log("d") and "more than 8 sockets" in g.log("d"), g.log("d"))
    mine.close()
    tcp.close()
    g.close()


class Stopped:
    """One thread that is stopped, as a tracer does; the others run."""
    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, tid):
        self.tid = tid
        if self.trace(self.SEIZE) != 0:
            raise PermissionError("ptrace")
        self.trace(self.INTERRUPT)
        os.waitpid(tid, self.WALL)

    def trace(self, what):
        return ctypes.CDLL(None).ptrace(ctypes.c_long(what),
                                        ctypes.c_long(self.tid), None, None)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.trace(self.DETACH)


def is_silent(told, seconds):
    """Whether nothing more is said, but for what was on its way."""
    time.sleep(seconds / 2)
    told.setblocking(False)
    try:
        while told.recv(200):
            pass
    except BlockingIOError:
        pass
    told.settimeout(seconds)
    try:
        told.recv(200)
        return False
    except socket.timeout:
        return True
    finally:
        told.settimeout(30)


def hung():
    """A thread that hangs: it does not say that it is alive, whichever of
    them it is; and it does again when that one goes on."""
    g = Stage({"a": []})
    g.kill("d")
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(g.path("notify"))
    told.settimeout(30)
    d = given_words(g, {"NOTIFY_SOCKET": g.path("notify"),
                        "WATCHDOG_USEC": "200000"},
                    "--workers", str(WORKERS))
    s.same("hung: ready", b"READY=1", told.recv(200))
    silent, threads = 0, os.listdir("/proc/%d/task" % d.pid)
    try:
        for tid in threads:
            with Stopped(int(tid)):
                silent += is_silent(told, 1)
            wait_for(lambda: told.recv(200) == b"WATCHDOG=1", "a word")
    except PermissionError:
        s.note("hung: no thread may be stopped here")
        silent = WORKERS
    s.same("hung: each worker is missed", WORKERS, silent)
    d.send_signal(signal.SIGTERM)
    s.same("hung: exit code", 0, d.wait(timeout=30))
    told.close()
    g.close()


def given_words(g, env, *more):
    """Starts it with these in its environment."""
    os.environ.update(env)
    try:
        return start(g, *more)
    finally:
        for name in env:
            del os.environ[name]


def watchdog():
    """It says that it is alive as often as it is asked to, and when it reads
    its file anew."""
    g = Stage({"a": []})
    g.kill("d")
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(g.path("notify"))
    told.settimeout(30)
    d = given_words(g, {"NOTIFY_SOCKET": g.path("notify"),
                        "WATCHDOG_USEC": "200000"}, "--workers", "2")
    s.same("watchdog: ready first", b"READY=1", told.recv(200))
    began = time.monotonic()
    s.same("watchdog: alive", [b"WATCHDOG=1"] * 5,
           [told.recv(200) for _ in range(5)])
    s.check("watchdog: in time", 0.3 < time.monotonic() - began < 30)
    d.send_signal(signal.SIGHUP)

    def next_word():
        word = b"WATCHDOG=1"
        while word == b"WATCHDOG=1":
            word = told.recv(200)
        return word.decode()

    word = next_word()
    got = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", word)
    s.check("watchdog: reloading", got, word)
    usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    s.check("watchdog: when", got and
            usec - 30000000 < int(got.group(1)) <= usec, word)
    s.same("watchdog: reloaded", "READY=1\nSTATUS=file read anew",
           next_word())
    with open(g.path("d.conf"), "a") as f:
        f.write("nonsense = 1\n")
    d.send_signal(signal.SIGHUP)
    next_word()
    s.same("watchdog: a file that is no good",
           "READY=1\nSTATUS=reload failed: the old file is used", next_word())
    d.send_signal(signal.SIGTERM)
    s.same("watchdog: stopping", "STOPPING=1", next_word())
    s.same("watchdog: exit code", 0, d.wait(timeout=30))
    told.close()
    g.close()


def confined():
    """No thread of it may do what it need not; where that is not wanted it is
    left."""
    g = Stage({"a": []})
    g.kill("d")
    d = start(g, "--workers", "2", "--port-file", "port")
    client = g.client()
    opened(g, client)
    all_of = tasks(d.pid)
    s.check("confined: threads", len(all_of) >= 3, len(all_of))
    s.same("confined: no new privileges", {"1"},
           {t["NoNewPrivs"].strip() for t in all_of})
    if s.SAN:
        s.note("confined: no seccomp under a sanitizer")
    elif "no seccomp here" not in g.log("d"):
        s.same("confined: system calls", {"2"},
               {t["Seccomp"].strip() for t in all_of})
    # All that it does, it still does.
    g.configure(only=["a"], metrics="127.0.0.1:0")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: "result=ok" in g.log("d"), "a reload")
    say(client, b"x")
    s.same("confined: a session", 0, ends(client))
    s.same("confined: the end", 0, g.kill("d", signal.SIGTERM))
    g.configure(sandbox="false")
    d = start(g)
    s.same("confined: not wanted", ({"0"}, {"0"}),
           tuple({t[k].strip() for t in tasks(d.pid)}
                 for k in ("NoNewPrivs", "Seccomp")))
    g.kill("d")
    # A store whose file lies elsewhere: what is written there is not its.
    elsewhere = tempfile.mkdtemp(prefix="handfast-elsewhere.")
    shutil.move(g.path("db/data.mdb"), elsewhere)
    os.symlink(os.path.join(elsewhere, "data.mdb"), g.path("db/data.mdb"))
    d = start(g)
    s.same("confined: a file elsewhere, where that is not wanted", None,
           d.poll())
    g.kill("d")
    g.configure()
    d = start(g)
    if "no Landlock" in g.log("d"):
        s.note("confined: this kernel has no Landlock")
    else:
        s.same("confined: a file elsewhere", 8, d.poll())
    shutil.rmtree(elsewhere)
    g.close()


def user():
    """It listens where only root may, and is somebody else then, in all its
    threads; sessions still move."""
    if os.geteuid() != 0:
        s.note("user: only root can be tested")
        return
    nobody = pwd.getpwnam("nobody")
    g = Stage({"a": [], "b": []})
    g.kill("d")
    os.chmod(g.dir, 0o711)
    os.mkdir(g.path("run"), 0o755)
    store = [g.path("db")] + [os.path.join(g.path("db"), f)
                              for f in os.listdir(g.path("db"))]
    for path in store + [g.path(n) for n in ("run", "a.sock", "b.sock")]:
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    low = next(n for n in range(1023, 512, -1) if free(n))
    listen = ["127.0.0.1:%d" % low, "unix:d.sock"]
    g.configure(user="nobody", control="run/d.ctl", listen=listen)
    d = start(g, "--workers", "2", ready="run/d.ctl")
    for path in store:  # it is open by now; the test looks at it, too
        os.chown(path, 0, 0)
    client = g.client()
    socket.create_connection(("127.0.0.1", low)).close()
    for t in tasks(d.pid):
        s.same("user: nobody", ([str(nobody.pw_uid)] * 4, 0),
               (t["Uid"].split(), int(t["CapEff"], 16)))
    s.same("user: groups", [str(nobody.pw_gid)],
           tasks(d.pid)[0]["Groups"].split())
    s.same("user: the control socket", nobody.pw_uid,
           os.stat(g.path("run/d.ctl")).st_uid)
    opened(g, client)
    wait_for(lambda: len(g.rows()) == 1, "a stored session")
    was = g.owners()
    g.do("dispatch", "drain", *was, "--control", "run/d.ctl")
    wait_for(lambda: g.owners() != was, "a session that moves")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: "result=ok" in g.log("d"), "a reload")
    say(client, b"x")
    s.same("user: exit code", 0, ends(client))
    d.send_signal(signal.SIGTERM)
    s.same("user: the end", 0, d.wait(timeout=30))
    for name, code, words in (("nobody at all", 5, "there is none"),
                              ("x" * 70, 6, "user: too long")):
        g.configure(user=name, listen=listen[:1])
        done = g.run(*RUN)
        s.same("user: %s" % words, code, done.returncode)
        s.check("user: %s: words" % words, words in done.stderr.decode(),
                done.stderr)
    g.close()


def units():
    """systemd takes the units as they are."""
    if shutil.which("systemd-analyze") is None:
        s.note("units: no systemd-analyze: not verified")
        return
    folder = tempfile.mkdtemp(prefix="handfast-units.")
    names = ["handfast-agent.service", "handfast-agent.socket",
             "handfast-dispatch.service", "handfast-dispatch.socket",
             "handfast-renew.service", "handfast-renew.timer",
             "handfast-respond.service"]
    for name in names:
        with open(os.path.join(TOP, "fleet", "systemd", name)) as f:
            text = f.read().replace("/usr/local/bin/handfast", s.PROGRAM)
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
         *(os.path.join(folder, name) for name in names)],
        capture_output=True, text=True)
    s.same("units: verified", (0, ""), (done.returncode, done.stderr))
    shutil.rmtree(folder)


def free(port):
    with socket.socket() as c:
        try:
            c.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


play([workers, piled_up, judged, health, share, activated, watchdog, hung,
      confined, user, units])
