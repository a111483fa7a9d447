#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A dispatcher before two or three servers on one LMDB store, with real
processes: to whom sessions go, and how they move; what arrives is compared
byte by byte.
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from doors import Door, join, reach  # noqa: E402
from dispatching import (CA, HELLO, Stage, all_of, dial, ends,  # noqa: E402
                         opened, play, reload, say, wait_for)

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

# The tests ---------------------------------------------------------------------


def balanced():
    """Sessions that are new go where there are fewest, and by target."""
    g = Stage({"a": ["x"], "b": ["x", "y"]})
    some = []
    for n in range(6):
        some.append(g.client("--target", "x"))
        opened(g, some[-1])
    s.same("balanced: three each", [3, 3], [g.on("a"), g.on("b")])
    y = g.client("--target", "y")
    opened(g, y)
    s.same("balanced: whoever has the target", 4, g.on("b"))
    for n, client in enumerate(some + [y]):
        say(client, b"%d" % n)
        s.same("balanced: exit code", 0, ends(client))
    s.same("balanced: all arrived", [b"%d" % n for n in range(7)],
           g.received())
    s.same("balanced: the dispatcher's exit code", 0,
           g.kill("d", signal.SIGTERM))
    g.close()


def no_target():
    """A target of no server, a server that is not there: both are said."""
    g = Stage({"a": ["x"]})
    client = g.client("--target", "nowhere")
    s.same("no target: exit code", 4, ends(client))
    s.check("no target: the cause", "HF_E_TARGET" in g.words(client),
            g.words(client))
    g.kill("a")
    client = g.client("--target", "x")
    s.same("no server: exit code", 3, ends(client))
    s.check("no server: the cause", "HF_E_GONE" in g.words(client),
            g.words(client))
    g.serve("a")
    wait_for(lambda: g.status()["servers"][0]["up"], "a server that is up")
    client = g.client("--target", "x")
    say(client, b"again")
    s.same("no server: until it is back", 0, ends(client))
    g.close()


def known_key():
    """A request goes to whoever has the key; with a key of nobody the
    client is told to ask."""
    g = Stage({"a": [], "b": []})
    for name in "abab":
        client = g.client("--responder-cert", name + ".cert", "--expect",
                          name)
        opened(g, client)
        s.same("known key: to " + name, 1, g.on(name))
        s.same("known key: exit code", 0, ends(client))
        wait_for(lambda: g.on(name) == 0, "the end")
    g.key("c", "--usage", "responder,server", "--cluster", "web")
    client = g.client("--responder-cert", "c.cert")
    s.same("unknown key: exit code", 0, ends(client))
    s.check("unknown key: it asked", "asking for it" in g.words(client),
            g.words(client))
    g.close()


def affinity():
    """A session id goes to its owner: as the store knows at first, and then
    from traffic."""
    g = Stage({"a": [], "b": [], "c": []})
    clients = [g.client() for _ in range(6)]
    opened(g, *clients)
    wait_for(lambda: len(g.rows()) == 6, "six stored sessions")
    before = g.owners()
    for turn in (1, 2):
        g.kill("d")
        for client in clients:
            say(client, b"%d" % turn)
        g.dispatch()
        for client in clients:
            wait_for(lambda: g.words(client).count("moved: epoch") == turn,
                     "a resume")
        wait_for(lambda: g.owners() == before, "the same owners")
        s.same("affinity: each", 6, g.status()["affinity"])
        s.same("affinity: asked", 6, g.status()["lookups_found"])
    s.same("affinity: exit codes", [0] * 6, [ends(c) for c in clients])
    s.same("affinity: handshakes", 6, g.shaken())
    s.same("affinity: what arrived", [b"12"] * 6, g.received())
    g.close()


def owner_down():
    """kill -9 of the owner: its sessions go on with another of the scope,
    under the same connection where the client was told, else under a new
    one."""
    for told in (True, False):
        g = Stage({"a": [], "b": [], "c": []})
        client = g.client(told=told)
        data = b""
        opened(g, client)
        for turn in range(3):
            more = os.urandom(200000)
            say(client, more)
            data += more
            wait_for(lambda: g.owners(), "an owner")
            name = g.owners()[0]
            g.kill(name)
            wait_for(lambda: g.words(client).count("moved: epoch") > turn,
                     "a move")
            wait_for(lambda: g.owners() != [name], "another owner")
            g.serve(name)
        s.same("owner down: exit code", 0, ends(client))
        s.check("owner down: what was sent", g.received() == [data])
        s.same("owner down: handshakes", 1, g.shaken())
        lines = 1 if told else 4
        wait_for(lambda: g.log("d").count("event=connection ") == lines,
                 "%d connections" % lines)
        s.same("owner down: moves", 3 if told else 0,
               sum(map(int, re.findall(r"moves=(\d)", g.log("d")))))
        g.close()


def other_scope():
    """No server of the scope has it: a handshake with one of another."""
    g = Stage({"a": ["x"], "b": ["x"]},
              scopes={"a": "one=x", "b": "two=x"})
    client = g.client("--target", "x")
    say(client, b"first ")
    wait_for(lambda: g.received() == [b"first "] and g.owners(), "data")
    first = g.owners()[0]
    g.kill(first)
    say(client, b"second")
    wait_for(lambda: len(g.received()) == 2, "another session")
    s.same("other scope: exit code", 3, ends(client))
    s.check("other scope: it is said", "continuity lost" in g.words(client),
            g.words(client))
    s.same("other scope: handshakes", 2, g.shaken())
    wait_for(lambda: "event=connection" in g.log("d"), "a line")
    s.check("other scope: sent by balance", "how=balance" in g.log("d"),
            g.log("d"))
    g.close()


def asked():
    """Where policy asks, a query comes first; one that has no session says
    hello again, for which it has answer-ms and no more."""
    g = Stage({"a": [], "b": []}, ask="true",
              **{"header-ms": 1000, "answer-ms": 3000})
    for more in ((), ("--responder-cert", "a.cert")):
        client = g.client(*more)
        say(client, b"x")
        s.same("asked: exit code", 0, ends(client))
        s.check("asked: trace", "received query" in g.words(client),
                g.words(client))
    now = g.status()
    s.same("asked: queries", 2, now["queries"] - now["rescued"])
    c = dial(g)
    c.sendall(HELLO)
    s.same("asked: before a hello's answer", b"\x82\x09\xa0", c.recv(100))
    time.sleep(1.5)
    s.same("asked: waited for", 1, g.status()["connections"])
    c.sendall(HELLO)
    s.same("asked: an offer", b"\x86\x01", c.recv(65536)[:2])
    c.close()
    c, began = dial(g), time.monotonic()
    c.sendall(HELLO)
    s.same("asked: no answer", b"\x82\x09\xa0", all_of(c))
    took = time.monotonic() - began
    s.check("asked: no answer: its time", 2.9 < took < 15, took)
    c.close()
    s.same("asked: late", 1, g.status()["late"])
    g.close()


def drained():
    """drain: each session goes on elsewhere under its connection, at the
    rate, until none is left; nobody new comes, until undrain."""
    g = Stage({"a": [], "b": [], "c": []}, **{"drain-rate": 2})
    clients = [g.client() for _ in range(12)]
    opened(g, *clients)
    for n, client in enumerate(clients):
        say(client, b"%d " % n)
    wait_for(lambda: len(g.rows()) == 12, "stored sessions")
    name = "a" if g.on("a") else "b"
    had, began = g.on(name), time.monotonic()
    g.do("dispatch", "drain", name, "--control", "d.ctl")
    wait_for(lambda: g.on(name) == 0, "nobody there")
    took = time.monotonic() - began
    s.check("drained: at the rate", took > had / 2 * 0.7, had, took)
    wait_for(lambda: name not in g.owners(), "nobody is left")
    s.same("drained: moves", had, g.status()["moves"])
    new = g.client()
    opened(g, new)
    s.same("drained: nobody new", 0, g.on(name))
    for n, client in enumerate(clients):
        say(client, b"and on")
        s.same("drained: exit code", 0, ends(client))
    s.same("drained: undrain", 0, g.run("dispatch", "undrain", name,
                                        "--control", "d.ctl").returncode)
    for other in "abc":
        if other != name:
            g.do("dispatch", "drain", other, "--control", "d.ctl")
    back = g.client()
    opened(g, back)
    s.check("drained: somebody new again", g.on(name) > 0)
    s.same("drained: exit codes", [0, 0], [ends(new), ends(back)])
    s.same("drained: what arrived",
           sorted(b"%d and on" % n for n in range(12)),
           [x for x in g.received() if x])
    s.same("drained: handshakes", 14, g.shaken())
    s.same("drained: no such server", 2,
           g.run("dispatch", "drain", "x", "--control",
                 "d.ctl").returncode)
    g.close()


def untold():
    """A client that was not told is asked nothing, and stays."""
    g = Stage({"a": [], "b": []})
    client = g.client(told=False)
    opened(g, client)
    say(client, b"x")
    wait_for(g.owners, "a stored session")
    for name in "ab":
        g.do("dispatch", "drain", name, "--control", "d.ctl")
    time.sleep(1)
    s.check("untold: no query", "received query" not in g.words(client))
    s.same("untold: queries", 0, g.status()["queries"])
    for name in "ab":
        g.do("dispatch", "undrain", name, "--control", "d.ctl")
    s.same("untold: exit code", 0, ends(client))
    g.close()


def half_closed():
    """A session that its client has closed already moves like any other, and
    comes to its end."""
    g = Stage({"a": [], "b": []})
    client = g.client()
    opened(g, client)
    wait_for(g.owners, "an owner")
    owner = g.owners()[0]
    g.pause(owner)
    client.stdin.close()
    time.sleep(0.5)
    g.do("dispatch", "drain", owner, "--control", "d.ctl")
    client.stdout.read()
    s.same("half closed: exit code", 0, client.wait(timeout=30))
    s.same("half closed: moves", 1, g.words(client).count("moved: epoch"))
    g.running[owner].send_signal(signal.SIGCONT)
    g.close()


def reloaded():
    """SIGHUP: a server more, one less, a file that is no good; data goes on
    under it, and a session of the one that is gone moves."""
    g = Stage({"a": [], "b": [], "c": []})
    g.configure(only=["a", "b"])
    g.kill("d")
    d = g.dispatch()
    clients = [g.client() for _ in range(4)]
    opened(g, *clients)
    wait_for(lambda: len(g.rows()) == 4, "stored sessions")
    feeders = []
    data = os.urandom(1 << 20)
    for client in clients:
        pid = os.fork()
        if pid == 0:
            for at in range(0, len(data), 1 << 14):
                say(client, data[at:at + (1 << 14)])
                time.sleep(0.01)
            os._exit(0)
        feeders.append(pid)

    def reload(only, good):
        done = g.log("d").count("event=reload")
        g.configure(only=only)
        if not good:
            with open(g.path("d.conf"), "a") as f:
                f.write("server x {\n  address = nonsense\n}\n")
        d.send_signal(signal.SIGHUP)
        wait_for(lambda: g.log("d").count("event=reload") > done, "a reload")

    reload(["a", "b", "c"], True)
    s.same("reloaded: three", 3, len(g.status()["servers"]))
    reload(["a"], False)
    s.check("reloaded: it is said", "result=failed" in g.log("d"))
    s.same("reloaded: still three", 3, len(g.status()["servers"]))
    time.sleep(0.3)
    s.same("reloaded: nobody is asked", 0, g.status()["queries"])
    reload(["b", "c"], True)
    wait_for(lambda: "a" not in g.owners(), "nobody on the one that is gone")
    for _ in range(5):
        reload(["b", "c"], True)
    for pid in feeders:
        os.waitpid(pid, 0)
    s.same("reloaded: exit codes", [0] * 4, [ends(c) for c in clients])
    s.check("reloaded: what arrived", g.received() == [data] * 4)
    s.same("reloaded: handshakes", 4, g.shaken())
    wait_for(lambda: g.log("d").count("event=connection ") >= 4, "four lines")
    s.same("reloaded: connections", 4,
           g.log("d").count("event=connection "))
    g.close()


def checked():
    """--check says what is wrong, with the line."""
    g = Stage({"a": []})
    check = ("dispatch", "--config", "d.conf", "--check")
    s.same("checked: good", 0, g.run(*check).returncode)
    with open(g.path("d.conf")) as f:
        good = f.read()
    os.mkdir(g.path("open"))
    os.chmod(g.path("open"), 0o755)
    for what, text, code, words in (
            ("word", good + "nonsense = 1\n", 6, r"d.conf:\d+: .*nonsense"),
            ("value", good + "server b {\naddress = }\n", 6, r"d.conf:\d+: "),
            ("address", good.replace("unix:a.sock", "x"), 6, "HOST:PORT"),
            ("number", good + "header-ms = 1\n", 6, "header-ms: not 100"),
            ("twice", good + good[good.index("server"):], 6, r"d.conf:\d+: .*title"),
            ("balance", good + 'balance = "x"\n', 6, "neither least"),
            ("prefer", good + 'prefer = "x"\n', 6, "neither transfer"),
            ("none", good[:good.index("server")], 6, "there is none"),
            ("listen", good.replace("unix:d.sock", "nonsense"), 6,
             "listen nonsense is not HOST:PORT"),
            ("listen far", good.replace("unix:d.sock", "x.invalid:1"), 3,
             "listen x.invalid:1: "),
            ("listen nowhere", good.replace("unix:d.sock", "unix:no/d.sock"),
             0, "warning: listen: there is no no: it must be made"),
            ("listen in a file", good.replace("unix:d.sock", "unix:a.cert/s"),
             3, "listen: a.cert: Not a directory"),
            ("metrics", good + 'metrics = "nonsense"\n', 6,
             "metrics nonsense is not HOST:PORT"),
            ("metrics for all", good + 'metrics = "192.0.2.1:1"\n', 5,
             "only a unix socket or the loopback"),
            ("metrics nowhere", good + 'metrics = "unix:no/m"\n', 0,
             "warning: metrics: there is no no: "),
            ("control nowhere", good.replace("d.ctl", "no/d.ctl"), 0,
             "warning: control: there is no no: "),
            ("store", good.replace("lmdb:db", "nonsense:db"), 6,
             "nonsense:db: not lmdb:DIR"),
            ("store without a place", good.replace("lmdb:db", "lmdb:"), 6,
             "lmdb:: not lmdb:DIR"),
            ("store in a file", good.replace("lmdb:db", "lmdb:a.cert"), 8,
             "lmdb:a.cert: not a directory"),
            ("store of others", good.replace("lmdb:db", "lmdb:open"), 5,
             "lmdb:open: others can read it, or it is not ours"),
            ("store with a secret",
             good.replace("lmdb:db", "redis://x:y@h/"), 5, "a password"),
            ("user", good + 'user = "nobody-of-that-name"\n', 5,
             "user nobody-of-that-name: there is none"),
            ("one address", good + 'server b {address = "unix:a.sock"}\n', 6,
             "servers a and b have the same address"),
            ("one owner", good + 'server b {address = "unix:b.sock"\n'
             'owner = "a"}\n', 6, "servers a and b have the same owner")):
        with open(g.path("d.conf"), "w") as f:
            f.write(text)
        done = g.run(*check)
        s.same("checked: %s" % what, code, done.returncode)
        s.check("checked: %s: words" % what,
                re.search(words, done.stderr.decode()), done.stderr)
    s.same("checked: a directory", (3, b"handfast: error: in: Is a "
                                    b"directory\n"),
           (lambda p: (p.returncode, p.stderr))(
               g.run("dispatch", "--config", "in", "--check")))
    g.kill("d")
    before = sorted(os.listdir(g.dir))
    with open(g.path("d.conf"), "w") as f:
        f.write(good.replace("lmdb:db", "lmdb:new"))
    s.same("checked: a store that is not there yet", 0,
           g.run(*check).returncode)
    s.same("checked: nothing was made", before, sorted(os.listdir(g.dir)))
    os.unlink(g.path("d.conf"))
    s.same("checked: no file", 3, g.run(*check).returncode)
    g.close()


CUT = """# servers { first
listen = {"unix:d.sock", 'unix:{.sock'} # as ever
server a { # "
  address = "unix:a.sock"
  targets = {"x", "}"}
}
/* server b {
} and " so on */
server b {
  address = "unix:b\\".sock"
  targets = {"y"}
  proxy = false
}
log-json = true
# the end of it"""


def inside(text):
    """Whether it ends inside a block, a list, a string or a comment that has
    an end of its own."""
    left = re.sub(r"""#.*|/\*(.|\n)*?\*/|"(\\.|[^"\\])*"|'(\\.|[^'\\])*'""",
                  "", text)
    return ("/*" in left or '"' in left or "'" in left or
            left.count("{") > left.count("}"))


def cut():
    """A file that was cut is refused, wherever that was, but between what
    stands at its top."""
    g = Stage({"a": []})
    bad, taken = [], 0
    servers = CUT.index("}\n/*")  # with one of them it may end
    for n in range(len(CUT) + 1):
        with open(g.path("d.conf"), "w") as f:
            f.write(CUT[:n])
        done = g.run("dispatch", "--config", "d.conf", "--check")
        taken += done.returncode == 0
        good = n > servers and not inside(CUT[:n])
        # It may end inside a word, too.
        if done.returncode not in ((0, 6) if good else (6,)) or (
                good and CUT[n:n + 1] in ("\n", "") and done.returncode):
            bad.append((CUT[:n], done.returncode, done.stderr))
    s.same("cut: taken, or refused, and should not be", [], bad[:2])
    s.check("cut: some are taken", taken > 20, taken)
    with open(g.path("d.conf"), "w") as f:
        f.write(CUT[:CUT.index("  targets")])
    done = g.run("dispatch", "--config", "d.conf", "--check")
    s.same("cut: words", b"handfast: error: d.conf:4: the file ends inside a "
           b"block or a comment: is all of it there?\n", done.stderr)
    g.configure()
    with open(g.path("d.conf")) as f:
        good = f.read()
    for text, result in ((good[:good.index("targets")], "failed"),
                         (good + 'control = "', "failed"), (good, "ok")):
        with open(g.path("d.conf"), "w") as f:
            f.write(text)
        reload(g)
        s.check("cut: read anew", re.findall(r"event=reload result=(\w+)",
                                             g.log("d"))[-1] == result,
                g.log("d"))
    g.close()


def nowhere():
    """A directory that is not there: the start names it."""
    g = Stage({"a": []})
    g.kill("d")
    for sandbox, words in (("true", b"sandbox: no: No such file"),
                           ("false", b"control no/d.ctl: No such file")):
        g.configure(control="no/d.ctl", sandbox=sandbox)
        done = g.run("dispatch", "--config", "d.conf")
        s.check("nowhere: " + words.decode(), done.returncode == 3 and
                words in done.stderr, done.returncode, done.stderr)
    g.close()


def kept():
    """SIGHUP: log-json holds at once; what is read at the start alone is
    named."""
    g = Stage({"a": []})
    reload(g)
    s.check("kept: nothing to say", "event=reload result=ok\n" in g.log("d")
            and "the start alone" not in g.log("d"), g.log("d"))
    g.configure(**{"log-json": "true"})
    g.running["d"].send_signal(signal.SIGHUP)
    wait_for(lambda: '{"event":"reload"' in g.log("d"), "a line of JSON")
    changes = {"listen": ["unix:e.sock"], "control": "e.ctl",
               "metrics": "unix:e.m", "store": "lmdb:e",
               "user": "nobody", "sandbox": "false"}
    for key, value in changes.items():
        g.configure(**{key: value})
        reload(g)
        s.check("kept: " + key, g.log("d").endswith(
            "handfast: warning: d.conf: %s: read at the start alone\n"
            "event=reload result=ok kept=%s\n" % (key, key)), g.log("d"))
    g.configure(**changes)
    reload(g)
    s.check("kept: all", g.log("d").endswith(
        'kept="listen,control,metrics,store,user,sandbox"\n'), g.log("d"))
    g.close()


def alone():
    """A drain of the only server that has a target says so, and is done."""
    g = Stage({"a": ["x", ""], "b": ["y"], "c": ["x", "y"], "d2": []},
              scopes={"d2": "other="})
    for name, words, what in (
            ("a", b'a: no other server that is up has target ""', "*"),
            ("b", b"", None),
            ("c", b"c: no other server that is up has target x", "x"),
            ("d2", b"d2: no other server that is up has all targets", "*")):
        done = g.run("dispatch", "drain", name, "--control", "d.ctl")
        s.same("alone: exit code", 0, done.returncode)
        s.same("alone: %s: a word" % name, b"handfast: warning: " + words +
               b": sessions there are cut off until one has\n" if words else b"", done.stderr)
    s.same("alone: the log", [
        "server=a result=alone", "server=c result=alone target=x",
        'server=d2 result=alone target="*"'],
        re.findall(r"event=drain (.*)", g.log("d")))
    s.same("alone: all are drained", [True] * 4,
           [x["draining"] for x in g.status()["servers"]])
    s.same("alone: nothing to say", b"",
           g.run("dispatch", "undrain", "a", "--control", "d.ctl").stderr)
    g.close()


def few():
    """Of nothing there is no median."""
    g = Stage({"a": []})
    for kind in ("transfer", "handshake"):
        t = g.status()[kind]
        s.same("few: " + kind, (0, None, None, None), (
            t["count"], t["median_us_at_most"], t["p99_us_at_most"],
            t["recent_median_us"]))
    client = g.client()
    opened(g, client)
    wait_for(lambda: g.status()["handshake"]["count"] == 1, "a handshake")
    s.check("few: one", isinstance(
        g.status()["handshake"]["median_us_at_most"], int))
    table = g.do("dispatch", "status", "--control", "d.ctl", "--once")
    s.check("few: the table", re.search(
        r"(?m)^medians of the last minute: transfers -, handshakes \S",
        table), table)
    s.same("few: exit code", 0, ends(client))
    g.close()


def words():
    """A word that is none is named."""
    for words_ in (("status2", "--control", "d.ctl"), ("drian", "a")):
        done = subprocess.run([s.PROGRAM, "dispatch", *words_],
                              capture_output=True, timeout=60)
        s.check("words: " + words_[0], done.returncode == 2 and
                b"there is no 'dispatch %s': run, status" %
                words_[0].encode() in done.stderr, done.stderr)


def examples():
    """The examples that are installed are good files."""
    g = Stage({"a": []})
    for name in ("dispatch.conf",):
        with open(os.path.join(TOP, "fleet", "examples", name)) as f:
            text = f.read()
        for new in re.findall("/run/(\\S+)/", text):
            os.makedirs(g.path(new), exist_ok=True)
        with open(g.path(name), "w") as f:
            f.write(text.replace("/run/", g.dir + "/"))
        done = g.run("dispatch", "--config", name, "--check")
        s.same("examples: " + name, (0, b""),
               (done.returncode, done.stderr))
    g.close()


def targets():
    """Another target on the open connection: the session goes to whoever has
    it, there and back, under one TCP connection."""
    g = Stage({"a": ["x"], "b": ["y"], "c": ["x", "y"]})
    clients = [g.client("--target", "x", "--target", "y") for _ in range(4)]
    opened(g, *clients)
    data = [b""] * 4
    for turn in range(1, 7):
        for n, client in enumerate(clients):
            more = os.urandom(30000)
            say(client, more)
            data[n] += more
            client.send_signal(signal.SIGUSR1)
        for client in clients:
            wait_for(lambda: g.words(client).count("moved: epoch") >= turn,
                     "move %d" % turn)
        wrong = "a" if turn % 2 else "b"
        wait_for(lambda: wrong not in g.owners(), "whoever has it")
    s.same("targets: exit codes", [0] * 4, [ends(c) for c in clients])
    s.check("targets: what arrived", g.received() == sorted(data))
    s.same("targets: handshakes", 4, g.shaken())
    wait_for(lambda: g.log("d").count("event=connection ") == 4, "lines")
    s.same("targets: moves", [6] * 4,
           [int(n) for n in re.findall(r"moves=(\d+)", g.log("d"))])
    client = g.client("--target", "x", "--target", "nowhere")
    say(client, b"x")
    wait_for(lambda: b"x" in g.received(), "data")
    client.send_signal(signal.SIGUSR1)
    s.same("targets: nowhere: exit code", 4, client.wait(timeout=30))
    s.check("targets: nowhere: the cause",
            "HF_E_TARGET" in g.words(client), g.words(client))
    g.close()


class Slow(Door):
    """A server's address where resumes wait a little."""

    def __init__(self, g, name, seconds):
        self.to, self.seconds = g.path(name + ".sock"), seconds
        super().__init__(g.path(name + ".slow"))

    def take(self, near):
        join(near, reach(self.to), self.slowly)

    def slowly(self, data):
        if data[:2] == b"\x8b\x06":
            time.sleep(self.seconds)
        return data


def slower():
    """Transfers that take longer than handshakes: both are shown side by
    side, and where the file says so a handshake is made instead."""
    g = Stage({"a": ["x"], "b": ["y"]})
    slow = [Slow(g, n, 0.7) for n in "ab"]
    d = g.running["d"]

    def reload(**top):
        done = g.log("d").count("event=reload")
        g.configure(**top)
        with open(g.path("d.conf")) as f:
            text = f.read()
        with open(g.path("d.conf"), "w") as f:
            f.write(re.sub(r"unix:([ab])\.sock", r"unix:\1.slow", text))
        d.send_signal(signal.SIGHUP)
        wait_for(lambda: g.log("d").count("event=reload") > done, "a reload")

    def on(n):
        say(client, b"%d" % n)
        client.send_signal(signal.SIGUSR1)
        wait_for(lambda: g.words(client).count("moved: epoch") == n, "a move")

    reload()
    wait_for(lambda: all(x["up"] for x in g.status()["servers"]), "both")
    client = g.client("--target", "x", "--target", "y")
    opened(g, client)
    for n in range(1, 10):
        on(n)
    for n in range(8):
        s.same("slower: exit code", 0, ends(g.client("--target", "x")))
    now = g.status()
    both = [now[k]["count"] for k in ("transfer", "handshake")]
    s.same("slower: how many", [9, 9], both)
    s.check("slower: transfers", now["transfer"]["recent_median_us"] > 700000
            and now["transfer"]["median_us_at_most"] >= 1048576, now)
    s.check("slower: handshakes",
            0 < now["handshake"]["recent_median_us"] < 700000, now)
    s.same("slower: all are in the distribution", both,
           [sum(n for _, n in now[k]["within_us"])
            for k in ("transfer", "handshake")])
    table = g.do("dispatch", "status", "--control", "d.ctl", "--once")
    s.check("slower: the table", re.search(r"WITHIN +TRANSFER +HANDSHAKE",
                                           table) and
            re.search(r"(?m)^ +1048.6 ms +\d #+ +\d", table) and
            "medians of the last minute: transfers" in table, table)
    on(10)
    s.same("slower: a transfer all the same", 0, g.status()["anew"])
    reload(prefer="faster")
    say(client, b"then ")
    client.send_signal(signal.SIGUSR1)
    wait_for(lambda: "continuity lost" in g.words(client), "a handshake")
    s.same("slower: a handshake instead", 1, g.status()["anew"])
    say(client, b"anew")
    s.same("slower: exit code", 3, ends(client))
    # What was not acked by then is said again in the other session.
    got = b"".join(sorted(g.received()))
    s.check("slower: what arrived", got in (b"12345678910then anew",
                                            b"12345678910then then anew"),
            got)
    s.same("slower: handshakes", 10, g.shaken())
    for one in slow:
        one.close()
    g.close()


def looked_at():
    """A server that a proxy looks at, again and again, says nothing of it;
    what else does not come to a session it says."""
    g = Stage({"a": []}, more=("--proxy-from", "unix"), proxy="true",
              **{"health-ms": 100})
    wait_for(lambda: g.log("a").count("trace: sent offer") >= 8, "looks")
    s.same("looked at: no line", 0, g.log("a").count("event=session"))
    s.same("looked at: up", True, g.status()["servers"][0]["up"])
    head = b"\r\n\r\n\0\r\nQUIT\n"
    itself, somebody = b"\x20\0\0\0", b"\x21\x11\0\x0c" + b"\x7f\0\0\x01" * 3
    hello = bytes.fromhex("860001820102" "60f6a0")
    for n, said in enumerate((itself + hello[:2], somebody + hello), 1):
        c = socket.socket(socket.AF_UNIX)
        c.connect(g.path("a.sock"))
        c.sendall(head + said)
        if said.endswith(hello):
            c.recv(1)
        c.close()
        wait_for(lambda: g.log("a").count("error=HF_E_GONE") == n,
                 "line %d" % n)
    client = g.client("--expect", "nobody")
    s.same("looked at: exit code", 4, ends(client))
    wait_for(lambda: "error=HF_E_REFUSED" in g.log("a"), "a line")
    g.close()


def unit():
    """As systemd starts it: it says when it is ready, has read its file
    anew, and ends."""
    g = Stage({"a": []})
    g.kill("d")
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(g.path("notify"))
    told.settimeout(30)
    path = os.path.join(TOP, "fleet", "systemd", "handfast-dispatch.service")
    with open(path) as f:
        words = re.search("(?m)^ExecStart=[^ ]*/handfast (.*)$",
                          f.read()).group(1).split()
    os.environ["NOTIFY_SOCKET"] = g.path("notify")
    try:
        os.rename(g.path("d.conf"), g.path("dispatch.conf"))
        d = g.start("d", *words)
    finally:
        del os.environ["NOTIFY_SOCKET"]
    s.same("unit: ready", b"READY=1", told.recv(100))
    d.send_signal(signal.SIGHUP)
    s.check("unit: reloading", told.recv(100).startswith(b"RELOADING=1\n"))
    s.same("unit: reload", b"READY=1\nSTATUS=file read anew", told.recv(100))
    d.send_signal(signal.SIGTERM)
    s.same("unit: stopping", b"STOPPING=1", told.recv(100))
    s.same("unit: exit code", 0, d.wait(timeout=30))
    told.close()
    g.close()


def proxied():
    """Servers learn whose connection it is, from whom they believe it, and
    count that one."""
    g = Stage({"a": []}, more=("--proxy-from", "unix"), proxy="true",
              listen=["127.0.0.1:0", "unix:d.sock"])
    wait_for(lambda: "listening on 127" in g.log("d"), "a port")
    port = re.search(r"listening on 127.0.0.1:(\d+)", g.log("d")).group(1)
    client = g.client("--connect", "127.0.0.1:" + port)
    say(client, b"unix")
    s.same("proxied: of a unix socket", 0, ends(client))
    wait_for(lambda: "result=ok" in g.log("a"), "a session's line")
    s.check("proxied: no address", "name=alice" in g.log("a") and
            "from=127" not in g.log("a"), g.log("a"))
    words = ("initiate", "--connect", "127.0.0.1:" + port, *CA, "--expect",
             "web", "--identity", "alice.key", "--cert", "alice.cert")
    s.same("proxied: of TCP", 0, g.run(*words).returncode)
    wait_for(lambda: "from=127.0.0.1:" in g.log("a"), "its address")
    s.same("proxied: told nothing", 3,
           g.run("initiate", "--connect", "unix:a.sock", *words[3:],
                 "--retry", "1s").returncode)
    g.kill("a")
    g.more = ("--proxy-from", "10.0.0.0/8")
    g.serve("a")
    s.same("proxied: not from here", 4, g.run(*words).returncode)
    s.same("proxied: nobody says it", 0,
           g.run("initiate", "--connect", "unix:a.sock",
                 *words[3:]).returncode)
    s.same("proxied: no CIDR", 2, g.run(
        "respond", "--proxy-from", "10.0.0.0/33").returncode)
    g.close()


def watched():
    """Metrics and status, on the loopback and a unix socket; nowhere
    else."""
    g = Stage({"a": []}, metrics="127.0.0.1:0")
    wait_for(lambda: "metrics on 127" in g.log("d"), "a port")
    port = int(re.search(r"metrics on 127.0.0.1:(\d+)",
                         g.log("d")).group(1))

    def get(path, method="GET"):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        c.request(method, path)
        r = c.getresponse()
        return r.status, r.read().decode()

    client = g.client()
    say(client, b"x")
    s.same("watched: exit code", 0, ends(client))
    code, text = get("/metrics")
    s.same("watched: metrics", 200, code)
    for line in ("handfast_dispatch_accepted_total 1",
                 'handfast_dispatch_server_up{server="a"} 1',
                 "handfast_dispatch_handshake_seconds_count 1",
                 'handfast_dispatch_transfer_seconds_bucket{le="+Inf"} 0',
                 'handfast_dispatch_transfer_seconds_sum 0.000000'):
        s.check("watched: " + line, line in text.splitlines(), text)
    code, text = get("/status")
    s.same("watched: status", (200, 1),
           (code, json.loads(text)["accepted"]))
    s.same("watched: nothing else", 404, get("/")[0])
    s.same("watched: nothing is changed", 405, get("/status", "POST")[0])
    silent = [socket.create_connection(("127.0.0.1", port))
              for _ in range(20)]
    for c in silent:
        c.close()
    s.same("watched: after those who say nothing", 200, get("/metrics")[0])
    s.same("watched: as the command has it", 0,
           g.run("dispatch", "metrics", "--control", "d.ctl").returncode)
    g.kill("d")
    g.configure(metrics="0.0.0.0:0")
    d = g.start("d", "dispatch", "--config", "d.conf")
    s.same("watched: not from everywhere", 5, d.wait(timeout=30))
    g.configure(metrics="unix:m.sock")
    g.dispatch()
    wait_for(lambda: "metrics on unix:" in g.log("d"), "a socket")
    c = socket.socket(socket.AF_UNIX)
    c.connect(g.path("m.sock"))
    c.sendall(b"GET /status HTTP/1.0\r\n\r\n")
    got = c.recv(100)
    s.check("watched: a unix socket", b" 200 OK" in got, got)
    s.same("watched: its mode", 0o600,
           os.stat(g.path("m.sock")).st_mode & 0o777)
    c.close()
    s.same("watched: the end", 0, g.kill("d", signal.SIGTERM))
    s.check("watched: the socket is gone",
            not os.path.exists(g.path("m.sock")))
    g.close()


play([balanced, no_target, known_key, affinity, owner_down, other_scope,
      asked, targets, drained, untold, half_closed, reloaded, checked, cut, nowhere,
      kept, alone, few, words,
      examples,
      slower, looked_at, unit, proxied, watched])
