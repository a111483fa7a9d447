# SPDX-License-Identifier: ISC
"""Connections that break: peers that go with an RST or half a close in every
state, responders that hang, and a network that is gone from one moment to the
next, in a network namespace of its own where the loopback can be taken down.
"""
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time

from crowds import (MANY, Crowd, files, prepared, served, session, sessions,
                    total, until)
from session import PROGRAM, check, field, note, same

TOKENS = ("--users", "users", "--ring", "ring")
BOUND = 140  # keepalive and the user timeout: two minutes


def torn(house, n):
    """Peers that go, in every state: all they had is given back, at once
    where the kernel says that they went."""
    r = house.respond("torn", *TOKENS, "--max-unopened", "1000000")
    at_rest, _ = served(r)
    figures = {}
    for kind in ("touch", "reset", "finish", "hello",
                 "bare:certificate:alice"):
        seen = len(sessions(r))
        result = Crowd(r, MANY, kind, sources=50, count=n,
                       at_once=50).end()
        begun = time.time()
        check("torn, %s: all given back" % kind,
              until(lambda: len(sessions(r)) >= seen + n and
                    files(r) <= at_rest), files(r), at_rest)
        figures[kind] = time.time() - begun
        lines = sessions(r)[seen:]
        same("torn, %s: what the log says" % kind, (n, {"HF_E_GONE"}),
             (len(lines), {field(x, "error") for x in lines}))
        if kind == "finish":
            same("torn: who only finished is closed", n,
                 total(result, "closed"))
    note("torn: seconds until all was given back: " + ", ".join(
        "%s %.2f" % x for x in figures.items()))
    same("torn: it stops", 0, r.stop())
    return figures


def initiator(house, port, *options):
    return subprocess.Popen(
        [PROGRAM, "initiate", "--connect", "127.0.0.1:%d" % port,
         *house.certified, *options], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)


def deserted(house):
    """The initiator's side: half of an offer, then nothing, a FIN or an
    RST."""
    figures = {}
    for what in ("FIN", "RST", "silence"):
        listener = socket.create_server(("127.0.0.1", 0))
        p = initiator(house, listener.getsockname()[1], "--deadline", "3s")
        s = listener.accept()[0]
        s.recv(1000)
        s.sendall(b"\x86\x01\x01")
        begun = time.time()
        if what == "RST":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
        if what != "silence":
            s.close()
        same("deserted, %s: exit code" % what, 3, p.wait(30))
        figures[what] = time.time() - begun
        s.close()
        listener.close()
    note("deserted: seconds until an initiator ended: " + ", ".join(
        "%s %.2f" % x for x in figures.items()))
    check("deserted: in bounded time", figures["FIN"] < 3 and
          figures["RST"] < 3 and 2.9 < figures["silence"] < 10, figures)
    return figures


# --- the network is gone ---------------------------------------------------------

def loopback(up):
    """SIOCSIFFLAGS: up and running, or down."""
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo",
                                           0x41 if up else 0))


def inside():
    """All of it, in a namespace where nothing else is."""
    loopback(True)
    with prepared() as house:
        r = house.respond("cut", *TOKENS)
        at_rest, _ = served(r, 6)
        clients = {what: initiator(house, r.port)
                   for what in ("silent", "speaks")}
        for what, p in clients.items():
            p.stdin.write(b"one\n")
            same("cut off, %s: open" % what, b"one\n", p.stdout.readline())
        s = socket.create_connection((r.host, r.port))
        s.sendall(b"\x86\x00\x01")
        until(lambda: files(r) == at_rest + 3)
        same("cut off: held", 3, files(r) - at_rest)
        r.skip()
        loopback(False)
        begun, figures = time.time(), {}
        clients["speaks"].stdin.write(b"two\n")
        for i, error in enumerate(("HF_E_DEADLINE", "HF_E_TRUNCATED",
                                   "HF_E_TRUNCATED")):
            line = r.session(BOUND)
            same("cut off, responder: error %d" % i, error,
                 field(line, "error"))
            figures["responder %d" % i] = time.time() - begun
        check("cut off, responder: all given back",
              until(lambda: files(r) <= at_rest), files(r))
        for what, p in clients.items():
            same("cut off, initiator, %s: exit code" % what, 3,
                 p.wait(BOUND))
            figures["initiator, " + what] = time.time() - begun
        check("cut off: both sides in bounded time",
              max(figures.values()) < BOUND, figures)
        print("figures: " + json.dumps(figures))


def cut_off_begin():
    """Starts it, beside whatever else is done: it mostly waits. None where
    namespaces may not be made."""
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        if shutil.which("unshare") and subprocess.run(
                words + ["true"], stderr=subprocess.DEVNULL).returncode == 0:
            return subprocess.Popen(
                words + [sys.executable, os.path.abspath(__file__)],
                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    return None


def cut_off(process):
    """What came of it: its lines are ours."""
    if process is None:
        note("cut off: no network namespaces here")
        return {}
    figures = {}
    for line in process.communicate(timeout=2 * BOUND)[0].splitlines():
        what, _, text = line.partition(": ")
        if what == "ok":
            session.ok(text)
        elif what == "FAIL":
            session.fail(text)
        elif what == "figures":
            figures = json.loads(text)
        else:
            print(line)
    check("cut off: it ended", process.returncode == 0 and figures != {},
          process.returncode)
    note("cut off: seconds until the end of " + ", ".join(
        "%s %.1f" % x for x in figures.items()))
    return figures


if __name__ == "__main__":
    inside()
