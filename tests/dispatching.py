# SPDX-License-Identifier: ISC
"""A dispatcher before servers of one cluster, as processes: what the tests
of it share.
"""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import servers as stores
import session as s

WAIT, wait_for = s.WAIT, s.wait_for
CA = ("--trust", "ca/ca.cert")


stages = []  # that are open


class Stage:
    """A cluster of servers and a dispatcher before them."""

    def __init__(self, servers, scopes=None, more=(), proxy="false",
                 does=("--receive", "in"), db="lmdb:db", workers=1, **top):
        """servers: their targets by name. scopes: by name, NAME=TARGETS."""
        self.dir = tempfile.mkdtemp(prefix="handfast-dispatch.")
        stages.append(self)
        self.running, self.clients, self.targets = {}, [], servers
        self.addresses = {}  # of those who are not at their sockets
        self.scopes, self.top = scopes or {}, top
        self.more, self.proxy, self.does = more, proxy, does
        self.db, self.workers = db, workers
        self.do("ca", "init", "ca", "--name", "CA")
        self.do("cluster", "init", "--ca", "ca", "--name", "web", "--store",
                self.db, "-o", "web.cert")
        for name in servers:
            self.key(name, "--usage", "responder,server", "--cluster", "web")
            scope = self.scopes.get(name)
            self.do("cluster", "admit", "--key", "web.key", "--store",
                    self.db, "--cert", name + ".cert",
                    *(("--scope", scope) if scope else ()))
        self.key("alice", "--usage", "initiator")
        os.mkdir(self.path("in"))
        for name in servers:
            self.serve(name)
        self.configure()
        self.dispatch()

    def path(self, name):
        return os.path.join(self.dir, name)

    def pause(self, name):
        stores.pause(self.running[name], self.path("db"))

    def run(self, *words):
        return subprocess.run([s.PROGRAM, *words], cwd=self.dir,
                              capture_output=True, timeout=WAIT)

    def do(self, *words):
        done = self.run(*words)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (words, done.stderr.decode()))
        return done.stdout.decode()

    def key(self, name, *terms, ca="ca"):
        self.do("keygen", "-o", name + ".key")
        self.do("cert", "request", "--identity", name + ".key", "--subject",
                name, "-o", name + ".req")
        self.do("cert", "issue", "--ca", ca, "--request", name + ".req",
                *terms, "-o", name + ".cert")

    def start(self, name, *words):
        log = open(self.path(name + ".log"), "ab")
        self.running[name] = subprocess.Popen(
            [s.PROGRAM, *words], cwd=self.dir, stderr=log,
            stdout=subprocess.DEVNULL)
        sock = self.path(name + ".sock")
        wait_for(lambda: os.path.exists(sock) or
                 self.running[name].poll() is not None, "a socket")
        return self.running[name]

    def serve(self, name, *more):
        targets = [w for t in self.targets[name] for w in ("--target", t)]
        return self.start(
            name, "respond", "--listen", "unix:%s.sock" % name, "--identity",
            name + ".key", "--cert", name + ".cert", *CA, "--store",
            self.db, "--cluster", "web.cert", "--checkpoint", "record",
            "--trace", *self.does, *targets, *self.more, *more)

    def configure(self, only=None, **top):
        """Writes the dispatcher's file."""
        top = {"listen": ["unix:d.sock"], "control": "d.ctl",
               "store": self.db, "health-ms": 300, **self.top, **top}
        lines = []
        for key, value in top.items():
            if isinstance(value, list):
                value = "{" + ", ".join('"%s"' % v for v in value) + "}"
            elif isinstance(value, str) and value not in ("true", "false"):
                value = '"%s"' % value
            lines.append("%s = %s" % (key, value))
        for name in only or self.targets:
            targets = ", ".join('"%s"' % t for t in self.targets[name])
            scope = self.scopes.get(name, "default=").split("=")[0]
            at = self.addresses.get(name, "unix:%s.sock" % name)
            lines.append('server %s {\n  address = "%s"\n'
                         '  scope = "%s"\n  targets = {%s}\n'
                         '  proxy = %s\n}' %
                         (name, at, scope, targets, self.proxy))
        with open(self.path("d.conf"), "w") as f:
            f.write("\n".join(lines) + "\n")

    def dispatch(self):
        d = self.start("d", "dispatch", "--config", "d.conf", "--workers",
                       str(self.workers))
        wait_for(lambda: d.poll() is not None or
                 os.path.exists(self.path("d.ctl")), "a control socket")
        return d

    def kill(self, name, how=signal.SIGKILL):
        self.running[name].send_signal(how)
        code = self.running[name].wait(timeout=WAIT)
        for kind in ("sock", "ctl"):
            if os.path.exists(self.path("%s.%s" % (name, kind))):
                os.unlink(self.path("%s.%s" % (name, kind)))
        return code

    def client(self, *more, told=True, expect="web"):
        n = len(self.clients)
        err = open(self.path("client%d.err" % n), "wb")
        process = subprocess.Popen(
            [s.PROGRAM, "initiate", "--connect", "unix:d.sock", *CA,
             "--expect", expect, "--identity", "alice.key", "--cert",
             "alice.cert", "--trace", *(["--dispatched"] if told else []),
             *more], cwd=self.dir, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=err)
        process.number = n
        self.clients.append(process)
        return process

    def words(self, client):
        with open(self.path("client%d.err" % client.number),
                  errors="replace") as f:
            return f.read()

    def log(self, name):
        if not os.path.exists(self.path(name + ".log")):
            return ""
        with open(self.path(name + ".log"), errors="replace") as f:
            return f.read()

    def status(self):
        return json.loads(self.do("dispatch", "status", "--control", "d.ctl",
                                  "--json"))

    def on(self, name):
        """Connections of a server, as the dispatcher counts them."""
        return [x["connections"] for x in self.status()["servers"]
                if x["name"] == name][0]

    def rows(self):
        return self.do("session", "list", "--store", self.db).splitlines()

    def owners(self):
        return sorted(re.search(r"owner (\S+)", row).group(1)
                      for row in self.rows())

    def received(self):
        return sorted(open(f, "rb").read()
                      for f in glob.glob(self.path("in/*")))

    def shaken(self):
        return sum(self.log(n).count("sent grant") for n in self.targets)

    def close(self, keep=False):
        for p in list(self.running.values()) + self.clients:
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
            p.wait()
        if not keep:
            shutil.rmtree(self.dir)
        stages.remove(self)


def say(client, data):
    client.stdin.write(data)
    client.stdin.flush()


def ends(client):
    client.communicate(timeout=WAIT)
    return client.returncode


def opened(stage, *clients):
    for c in clients:
        wait_for(lambda: "sent confirm" in stage.words(c) or
                 c.poll() is not None, "a session")


RETRY = b"\x82\x02\x41\x00"
REFUSED = b"\x82\x08\x01"
HELLO = bytes([0x86, 0, 1, 0x82, 1, 2, 0x60, 0xf6, 0xa0])


def reload(g):
    """Its file is read anew."""
    done = g.log("d").count("event=reload")
    g.running["d"].send_signal(signal.SIGHUP)
    wait_for(lambda: g.log("d").count("event=reload") > done, "a reload")


def dial(g):
    c = socket.socket(socket.AF_UNIX)
    c.connect(g.path("d.sock"))  # waits where the line is full
    c.settimeout(20)
    return c


def all_of(c):
    """All that comes until the end."""
    data = b""
    try:
        while True:
            more = c.recv(65536)
            if not more:
                return data
            data += more
    except ConnectionError:
        return data + b"(reset)"


TOLD = b"\xa1\x01\x40"  # the extension of those who let them be moved


def resume(sid, target=b"", more=b"\xa0"):
    return (b"\x8b\x06\x01\x50" + sid + b"\x00\x01" +
            bytes([0x60 + len(target)]) + target + b"\x58\x20" +
            os.urandom(32) + b"\xf6\xf6" + more + b"\x50" +
            os.urandom(16))


def works(g, what, *more):
    """An honest client is served."""
    client = g.client(*more)
    say(client, b"honest")
    s.same(what + ": an honest client", 0, ends(client))


def play(tests):
    """Runs those that are named, or all."""
    names = sys.argv[1:]
    for test in tests:
        if names and test.__name__ not in names:
            continue
        began = time.monotonic()
        try:
            test()
        except (TimeoutError, RuntimeError, OSError,
                subprocess.TimeoutExpired) as e:
            s.fail("%s: %s" % (test.__name__, e))
        while stages:
            stages[0].close()
        s.note("%s: %.1f s" % (test.__name__, time.monotonic() - began))
    s.finish()
