#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An application of the wrapper API in Python, through ctypes: the same as
app.c, for a session that is shared and for one of its own. Which it is its
first argument says, as the flag's number, and nothing here asks.

    app.py LIBRARY FLAGS WHERE PEER WRONG DOWN
"""
import ctypes as c
import os
import select
import sys
import time

OK, ARG, STATE, SPACE, POLICY, NAME, DEADLINE, IO, AGAIN, RESET = (
    0, 1, 2, 3, 7, 50, 67, 71, 80, 84)
SHARED, UNSHARED, FALLBACK, NONBLOCK = 1, 2, 4, 8
lib = c.CDLL(sys.argv[1])
mode = int(sys.argv[2])
where, peer, wrong, down = (os.fsencode(a) for a in sys.argv[3:7])
failures = 0


class Info(c.Structure):
    _fields_ = [("shared", c.c_int), ("fell_back", c.c_int),
                ("open", c.c_int), ("broken", c.c_int), ("reason", c.c_int),
                ("peer", c.c_char * 65), ("responder", c.c_char * 256),
                ("sid", c.c_uint8 * 16), ("suite", c.c_int),
                ("epoch", c.c_uint64), ("strength", c.c_int)]


P, Z = c.c_void_p, c.c_size_t
for name, result, *args in (
        ("open_at", c.c_int, c.POINTER(P), c.c_char_p, c.c_uint, c.c_char_p),
        ("send", c.c_int, P, c.POINTER(Z), c.c_char_p, Z),
        ("finish", c.c_int, P),
        ("recv", c.c_int, P, c.POINTER(Z), P, Z),
        ("poll_fd", c.c_int, P, c.POINTER(c.c_short)),
        ("pending", c.c_int, P),
        ("wait", None, P, c.c_int),
        ("info", None, c.POINTER(Info), P),
        ("close", c.c_int, P),
        ("call", c.c_int, c.c_uint, c.c_char_p, Z, P, Z, c.POINTER(Z),
         c.c_char_p)):
    f = getattr(lib, "hf_conn_" + name)
    f.restype, f.argtypes = result, args


def same(what, want, got):
    global failures
    if want != got:
        failures += 1
        print("FAIL: %s: %r, not %r" % (what, got, want))


class Conn:
    def __init__(self, to=peer, flags=0):
        self.p = P()
        self.error = lib.hf_conn_open_at(c.byref(self.p), to, flags or mode,
                                         where)

    def send(self, data):
        n = Z()
        return lib.hf_conn_send(self.p, c.byref(n), data, len(data)), n.value

    def recv(self, most):
        n, room = Z(), c.create_string_buffer(most)
        e = lib.hf_conn_recv(self.p, c.byref(n), room, most)
        return e, room.raw[:n.value]

    def finish(self):
        return lib.hf_conn_finish(self.p)

    def wait(self, ms):
        lib.hf_conn_wait(self.p, ms)

    def poll(self):
        events = c.c_short()
        p = select.poll()
        p.register(lib.hf_conn_poll_fd(self.p, c.byref(events)),
                   events.value)
        return len(p.poll(20000))

    def info(self):
        i = Info()
        lib.hf_conn_info(c.byref(i), self.p)
        return i

    def close(self):
        return lib.hf_conn_close(self.p)


def call(data, cap, flags=0):
    n, room = Z(), c.create_string_buffer(max(cap, 1))
    e = lib.hf_conn_call(mode | flags, data, len(data), room, cap,
                         c.byref(n), peer)
    return e, room.raw[:n.value]


def said_and_heard():
    k = Conn()
    same("open", OK, k.error)
    same("send", (OK, 5), k.send(b"hello"))
    heard = b""
    while len(heard) < 5:
        e, more = k.recv(5 - len(heard))
        same("recv", OK, e)
        heard += more
    same("heard", b"hello", heard)
    same("finish", [OK, OK], [k.finish(), k.finish()])
    same("send after that", (STATE, 0), k.send(b"x"))
    same("the end", [(OK, b"")] * 2, [k.recv(9), k.recv(9)])
    same("close", OK, k.close())


def without_waiting():
    data = os.urandom(3000000)
    k = Conn(flags=mode | NONBLOCK)
    same("nothing there", (AGAIN, b""), k.recv(1))
    sent, heard = 0, []
    while sum(map(len, heard)) < len(data):
        s = AGAIN
        if sent < len(data):
            s, n = k.send(data[sent:sent + 500000])
            sent += n
            if sent == len(data):
                same("finish", OK, k.finish())
        r, more = k.recv(1 << 20)
        heard.append(more)
        if s == AGAIN and r == AGAIN:
            same("poll", 1, k.poll())
        elif s not in (OK, AGAIN) or r not in (OK, AGAIN):
            same("send and recv", (OK, OK), (s, r))
            return
    same("all of it", True, b"".join(heard) == data)
    k.wait(-1)
    same("the end", (OK, b""), k.recv(1))
    same("close", OK, k.close())


def late():
    k = Conn()
    k.wait(0)
    same("nothing there", (AGAIN, b""), k.recv(1))
    k.wait(200)
    begun = time.monotonic()
    same("too late", (DEADLINE, b""), k.recv(1))
    same("as late as that", True, 0.19 < time.monotonic() - begun < 10)
    k.wait(-1)
    k.send(b"x")
    same("and after that", (OK, b"x"), k.recv(1))
    same("given up", RESET, k.close())


def not_read():
    k, other = Conn(), Conn()
    k.wait(300)
    total, e = 0, OK
    while e == OK and total < 1 << 27:
        e, n = k.send(bytes(65536))
        total += n
    same("not read", (DEADLINE, True), (e, 100000 < total < 20000000))
    other.wait(10000)
    same("another", (OK, 1), other.send(b"y"))
    same("is heard", (OK, b"y"), other.recv(1))
    same("given up", RESET, k.close())
    other.finish()
    same("its end", (OK, b""), other.recv(1))
    same("close", OK, other.close())


def at_once():
    data = os.urandom(300000)
    same("call", True, call(data, len(data)) == (OK, data))
    same("of nothing", (OK, b""), call(b"", 10))
    same("no room", (SPACE, data[:1000]), call(data, 1000))
    same("not to wait", (ARG, b""), call(b"x", 1, NONBLOCK))


def known():
    k = Conn()
    i = k.info()
    same("info", (mode & SHARED, 0, 1, 0, 0, peer, b"server"),
         (i.shared, i.fell_back, i.open, i.broken, i.reason, i.peer,
          i.responder))
    same("sid", True, any(i.sid))
    same("given up", RESET, k.close())


def refused():
    for want, to, flags in (
            (POLICY, b"nobody", 0), (NAME, wrong, 0), (IO, down, 0),
            (ARG, b"a/b", 0), (ARG, b"", 0), (ARG, peer, FALLBACK),
            (ARG, peer, SHARED | UNSHARED), (ARG, peer, mode | 64)):
        k = Conn(to, flags)
        same("refused: %r" % to, (want, None), (k.error, k.p.value))
    k = Conn(wrong, mode | NONBLOCK)
    if k.error != OK:  # the answer was there by then
        same("refused at once", (NAME, None), (k.error, k.p.value))
        return
    e = AGAIN
    while e == AGAIN and k.poll():
        e = k.recv(1)[0]
    same("refused later", [NAME] * 4,
         [e, k.send(b"x")[0], k.finish(), k.close()])


for test in (said_and_heard, without_waiting, late, not_read, at_once, known,
             refused):
    test()
print("%d failed" % failures)
sys.exit(failures != 0)
