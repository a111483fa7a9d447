#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Peers that are none: what is no handfast at either end, what says nothing or
goes away, and who is killed; each with its exit code, its words and its line
in the log, and others are served as before.
"""
import os
import re
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from refusing import *  # noqa: E402,F403
# Whether the program has seen the end of its input by then is chance.
INCOMPLETE = ("the output is not complete(, and standard input had not ended: "
              "[0-9]+ bytes of it were read)?")


class Rude(doors.Door):
    """A server that is none: answers each connection by `act`."""

    def __init__(self, act):
        self.act = act
        super().__init__()

    def take(self, near):
        with near:
            self.act(near)


def sends(data):
    def act(s):
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
    return act


def connections(h):
    shape = "a field has a wrong type, size or value (HF_E_SHAPE)"
    unexpected = "a message that has no place here (HF_E_UNEXPECTED)"
    big = "a message is larger than allowed (HF_E_TOO_BIG)"
    cbor = "not deterministically encoded CBOR (HF_E_CBOR)"
    gone = "the other side went away during the handshake (HF_E_GONE)"
    refused = REFUSED
    not_one = "is that a handfast responder?"
    for what, data, code, text, hint in (
            ("a web server", b"HTTP/1.1 400 Bad Request\r\n\r\n", 6, shape,
             not_one),
            ("an SSH server", b"SSH-2.0-OpenSSH_9.2\r\n", 6, shape, not_one),
            ("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28", 6, shape, not_one),
            ("zeros", bytes(4096), 6, shape, not_one),
            ("a grant before its time", b"\x86\x04\x01", 6, unexpected,
             not_one),
            ("a record in the handshake", b"\x82\x10\x51" + bytes(17), 6,
             unexpected, not_one),
            ("an endless offer", b"\x86\x01\x01\x01\x9b" + b"\xff" * 8, 6,
             big, not_one),
            ("an indefinite offer", b"\x86\x01\x01\x01\x9f", 6, cbor, not_one),
            ("another version", b"\x86\x01\x02\x01\x81\x41\x00\x40\xa0", 4,
             "the protocol version is not supported (HF_E_VERSION)", None),
            ("an alert", b"\x82\x08\x01", 4, refused, ASK_LOG),
            ("an alert for a store", b"\x82\x08\x02", 8,
             "the store failed, here or at the other side (HF_E_STORE)",
             None),
            ("an unknown alert", b"\x82\x08\x17", 6, shape, not_one),
            ("nothing", b"", 3, gone, None),
            ("half an offer", b"\x86\x01\x01", 3, gone, None)):
        rude = Rude(sends(data))
        x = h.initiate(rude.address, *h.certified)
        ends("there is " + what, x, code,
             re.escape(rude.address + ": " + text), hint and re.escape(hint))
    rude = Rude(lambda s: None)
    x = h.initiate(rude.address, *h.certified)
    check("one that hangs up", x.code == 3 and x.out == b"" and
          re.search(r"\(HF_E_(GONE|IO)\)", x.first), x)

    def silent(s):
        s.settimeout(10)
        while s.recv(4096):
            pass
    rude = Rude(silent)
    x = h.initiate(rude.address, *h.certified, "--deadline", "1s")
    ends("one that says nothing", x, 3, re.escape(
        rude.address + ": the handshake took too long (HF_E_DEADLINE)"))
    check("... is left after the deadline", 0.8 < x.seconds < 8, x.seconds)

    def slow(s):
        s.settimeout(10)
        for i in range(100):
            s.sendall(b"\x86\x01\x01\x01\x81\x59\x08\x00"[i:i + 1] or b"\0")
            time.sleep(0.05)
    rude = Rude(slow)
    x = h.initiate(rude.address, *h.certified, "--deadline", "1s")
    ends("one that drips", x, 3, re.escape(
        rude.address + ": the handshake took too long (HF_E_DEADLINE)"))
    check("... is left after the deadline", 0.8 < x.seconds < 8, x.seconds)
    s = socket.create_server(("127.0.0.1", 0))
    nobody = "127.0.0.1:%d" % s.getsockname()[1]
    s.close()
    x = h.initiate(nobody, *h.certified)
    ends("nobody there", x, 3, re.escape("cannot connect to " + nobody) +
         ": [Cc]onnection refused")
    for port in ("65536", "99999", "-1", "http", ""):
        x = h.initiate("127.0.0.1:" + port, *h.certified)
        ends("port %r" % port, x, 2, re.escape(
            "--connect 127.0.0.1:%s is not HOST:PORT or unix:PATH" % port),
            "see 'handfast help initiate'")
        x = h.refuse("--listen", "127.0.0.1:" + port)
        same("port %r to listen on" % port, (2, b""), (x.code, x.out))
    # No name server is asked: the label is too long for one.
    host = "a" * 64 + ".invalid:1"
    x = h.initiate(host, *h.certified)
    ends("an unknown host", x, 3, "--connect %s: no such host is known" %
         host)


def garbage(h):
    """The responder's port, and that it then still serves."""
    r = h.respond("garbage")
    for what, data, error in (
            ("a web browser", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
             "HF_E_SHAPE"),
            ("zeros", bytes(100000), "HF_E_SHAPE"),
            ("random bytes", b"\xff" + os.urandom(50000), "HF_E_SHAPE"),
            ("a record", b"\x82\x10\x51" + bytes(17), "HF_E_UNEXPECTED"),
            ("a grant", b"\x86\x04\x01", "HF_E_UNEXPECTED"),
            ("a huge hello", b"\x86\x00\x01\x9b" + b"\xff" * 8,
             "HF_E_TOO_BIG"),
            ("a tag", b"\x86\x00\x01\xc1\x00", "HF_E_CBOR"),
            ("another version", b"\x86\x00\x02\x81\x01\x60\xf6\xa0",
             "HF_E_VERSION"),
            ("other suites", b"\x86\x00\x01\x81\x19\x12\x34\x60\xf6\xa0",
             "HF_E_SUITE"),
            ("a critical extension",
             b"\x86\x00\x01\x81\x01\x60\xf6\xa1\x20\x41\x00",
             "HF_E_EXTENSION"),
            ("an alert", b"\x82\x08\x01", "HF_E_REFUSED"),
            ("half a hello", b"\x86\x00", "HF_E_GONE"),
            ("nothing", b"", "HF_E_GONE")):
        s = socket.create_connection((r.host, r.port), timeout=15)
        got = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while True:
                part = s.recv(4096)
                if not part:
                    break
                got += part
        except OSError:
            pass
        s.close()
        answer = b"" if error in ("HF_E_GONE", "HF_E_REFUSED") else \
            b"\x82\x08\x01"
        # A peer that has sent on after its mistake may lose the answer.
        check("at the port, %s: one alert" % what,
              got == answer or (len(data) > 1000 and got == b""), got)
        logged("at the port, " + what, r, "refused", error)
    # Malformed bytes are no refused tokens: who shares an address with a
    # broken program is served.
    for _ in range(650):
        s = socket.create_connection((r.host, r.port), timeout=15)
        s.sendall(b"\xff")
        s.settimeout(15)
        s.recv(16)
        s.close()
        r.session()
    x = h.initiate(r.address, *h.certified)
    ends("it serves on", x, 0, None, out=b"hello\n")
    logged("it serves on", r, "ok", None, name="alice")
    same("it stops", 0, r.stop())


def begin(h, r, *options):
    """An initiator that has something to say, and more later."""
    p = subprocess.Popen([PROGRAM, "initiate", "--connect", r.address,
                          *h.certified, *options], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(b"one\n")
    p.stdin.flush()
    return p


def dying(h):
    """A responder that is killed: stopped first, so that it is known where
    it was."""
    r = h.respond("dies-early")
    r.freeze()
    p = begin(h, r, "--trace")
    said = p.stderr.readline()
    check("it has spoken", said.startswith(b"trace: sent hello "), said)
    r.kill()
    out, err = p.communicate(timeout=30)
    x = Result(p.returncode, out, err, 0)
    check("killed in the handshake", x.code == 3 and x.out == b"" and
          re.fullmatch("handfast: error: %s: .*\\(HF_E_(GONE|IO)\\)" %
                       re.escape(r.address), x.first) and
          len(x.lines) == 1, x)

    r = h.respond("dies-late")
    p = begin(h, r)
    got = p.stdout.readline()
    r.freeze()
    p.stdin.write(b"two\n")
    p.stdin.flush()
    r.kill()
    begun = time.time()
    out, err = p.communicate(timeout=30)
    x = Result(p.returncode, got + out, err, time.time() - begun)
    ends("killed in a session", x, 3, re.escape(
        r.address + ": the stream ended without its close (HF_E_TRUNCATED)"),
        INCOMPLETE, out=b"one\n")
    check("... which shows at once", x.seconds < 3, x.seconds)

    # Killed before a byte of the answer: nothing on standard output.
    r = h.respond("dies-mute", sink=("--exec", "sleep 60"))
    p = begin(h, r, "--trace")
    while not p.stderr.readline().startswith(b"trace: sent confirm"):
        pass
    r.kill()
    out, err = p.communicate(timeout=30)
    x = Result(p.returncode, out, err, 0)
    ends("killed before it has answered", x, 3, re.escape(
        r.address + ": the stream ended without its close (HF_E_TRUNCATED)"),
        INCOMPLETE)

    # The other way round: the responder says that it lost the session.
    r = h.respond("outlives")
    p = begin(h, r)
    p.stdout.readline()
    p.kill()
    p.communicate()
    line = r.session()
    check("the initiator is killed: log",
          field(line, "result") == "lost" and
          field(line, "error") in ("HF_E_TRUNCATED", "HF_E_IO") and
          field(line, "name") == "alice" and
          field(line, "bytes_in") == "4", line)
    r.stop()


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "..", ".."))
    with House() as h:
        for part in (connections, garbage, dying):
            begun = time.time()
            part(h)
            print("--- %s: %.1f s" % (part.__name__, time.time() - begun))
    finish()


main()
