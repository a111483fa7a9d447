#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A store that answers nothing, by real processes: LMDB, of which another
process stopped while it wrote; a Redis and a PostgreSQL that are stopped. Live
sessions pass data, as much as may be without an ack, and the rest when the
store is back. A takeover fails within the store's deadline, one for what is read and one
for what is written: the client begins anew, or ends with 8 where it was told
not to.

    stopped.py [KIND...]     KIND: lmdb, redis, postgres
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster as k  # noqa: E402

s = k.s
DEADLINE = 2  # HF_STORE_DEADLINE_MS
LATE = 4 if not s.SAN else 20  # a busy machine
WINDOW = 4 << 20  # that may be sent without an ack
MUCH = 8 << 20

class Holder:
    """What stops an LMDB."""

    def __init__(self, c):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", k.HOLD, c.path("db")],
            stdout=subprocess.PIPE)
        self.process.stdout.read(1)
        self.process.send_signal(signal.SIGSTOP)

    def go(self):
        self.process.kill()
        self.process.wait()


class Server:
    """What stops the others."""

    def __init__(self, c):
        self.server = c.server
        self.server.signal(signal.SIGSTOP)

    def go(self):
        self.server.signal(signal.SIGCONT)


def stop(c):
    return Holder(c) if c.server is None else Server(c)


def live_session(kind):
    """1 MiB passes, then so much as may be without an ack; the rest waits
    for the store, and comes."""
    c, client = k.begun(checkpoint="record", kind=kind)
    stopped, began = stop(c), time.monotonic()
    data = os.urandom(1 << 20)
    k.say(client, data)
    k.arrived(c, b"first " + data)
    s.note("stopped %s: a live session passes 1 MiB in %.2f s" %
           (kind, time.monotonic() - began))
    more = os.urandom(MUCH)
    writer = threading.Thread(target=k.say, args=(client, more))
    writer.start()
    so_far = -1
    while so_far != c.received():
        so_far = c.received()
        time.sleep(1)
    s.check("stopped %s: so much as may be without an ack" % kind,
            WINDOW // 2 < so_far <= WINDOW + (1 << 17), so_far)
    k.wait_for(lambda: "event=store result=failed error=HF_E_STORE\n" in
               c.log("a"), "a word in the log")
    stopped.go()
    writer.join(timeout=k.WAIT)
    s.same("stopped %s: exit code" % kind, 0, k.ends(client)[0])
    k.whole(c, "stopped %s" % kind, b"first " + data + more)
    said = re.findall("event=store result=(\\w+)", c.log("a"))
    s.same("stopped %s: once each" % kind, ["failed", "ok"], said)
    s.same("stopped %s: handshakes" % kind, 1, k.handshakes(c))
    c.close()


def takeover(kind, *more):
    """The owner is killed while the store is stopped."""
    what = "stopped %s, %s" % (kind, more[0] if more else "fallback")
    c, client = k.begun(*more, "--retry", "3s", checkpoint="record",
                        kind=kind)
    stopped = stop(c)
    k.say(client, b"second ")
    k.arrived(c, b"first second ")
    s.ok("%s: a live session goes on" % what)
    c.kill("a")
    began = time.monotonic()
    if more:
        s.same("%s: exit code" % what, 8, client.wait(timeout=k.WAIT))
        took = time.monotonic() - began
        s.check("%s: the cause" % what, "HF_E_STORE" in c.words(), c.words())
    else:
        k.wait_for(lambda: "continuity lost (HF_E_STORE)" in c.words(),
                   "a new session")
        took = time.monotonic() - began
        k.say(client, b"third")
        k.wait_for(lambda: any(open(f, "rb").read().endswith(b"third")
                               for f in c.files()),
                   "data of the new session")
        s.same("%s: exit code" % what, 3, k.ends(client)[0])
    s.check("%s: in time" % what, took < 2 * DEADLINE + LATE, took)
    s.note("%s: after %.2f s the client %s" %
           (what, took, "ends with 8" if more else "begins anew"))
    stopped.go()
    c.close()


def main():
    kinds = sys.argv[1:] or ["lmdb", *k.kinds()]
    for kind in kinds:
        for test in (lambda: live_session(kind), lambda: takeover(kind),
                     lambda: takeover(kind, "--no-fallback")):
            try:
                test()
            except (TimeoutError, RuntimeError, OSError,
                    subprocess.TimeoutExpired) as e:
                s.fail("stopped %s: %s" % (kind, e))
                for c in list(k.Cluster.open):
                    c.close()
    s.finish()


main()
