#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A handshake in memory through ctypes, of files made by `handfast`.

handshake.py LIBRARY CA-CERT ALICE-KEY ALICE-CERT ECHO-KEY ECHO-CERT
"""
import ctypes as c
import sys
import time


class Span(c.Structure):
    _fields_ = [("ptr", c.c_void_p), ("len", c.c_size_t)]

    def bytes(self):
        return c.string_at(self.ptr, self.len)


class Peer(c.Structure):
    _fields_ = [("authenticated", c.c_int), ("method", c.c_int),
                ("cert", Span), ("ticket", c.c_void_p),
                ("name", c.c_char_p), ("subject", c.c_char_p)]


if len(sys.argv) != 7:
    sys.exit(__doc__)
hf = c.CDLL(sys.argv[1])
P, Z, U64, S = c.c_void_p, c.c_size_t, c.c_uint64, c.c_char_p


def constant(name):
    """What handfast.h calls HF_ and that name."""
    hf.hf_constant.argtypes, hf.hf_constant.restype = [S], c.c_int64
    return hf.hf_constant(b"HF_" + name.encode())


CERT_MAX = constant("CERT_MAX")
INITIATOR, RESPONDER = constant("INITIATOR"), constant("RESPONDER")
READ, WRITE, ADMIT, TRUST, RECV, DONE = (
    constant("WANT_" + w)
    for w in ("READ", "WRITE", "ADMIT", "TRUST", "RECV", "DONE"))


def text(name):
    f = getattr(hf, name)
    f.argtypes, f.restype = [c.c_int], S
    return lambda n: f(n).decode()


class Error(Exception):
    pass


def call(name, *types):
    """A function whose result is an enum hf_err; others than HF_OK raise."""
    f = getattr(hf, name)
    f.argtypes, f.restype = types, c.c_int

    def checked(*args):
        e = f(*args)
        if e != 0:
            raise Error(f"{name}: {error_text(e)}")
    return checked


error_text, suite_name = text("hf_error_text"), text("hf_suite_name")
init = call("hf_init")
pem_decode = call("hf_pem_decode", P, Z, P, P, S, S, Z)
identity_decode = call("hf_identity_decode", P, S, Z, S, Z)
trust_new = call("hf_trust_new", P)
trust_add_ca = call("hf_trust_add_ca", P, S, Z)
config_new = call("hf_config_new", P, c.c_int)
config_trust = call("hf_config_trust", P, P)
config_identity = call("hf_config_identity", P, P, P, Z)
config_expect = call("hf_config_expect", P, S)
session_new = call("hf_session_new", P, P, U64, U64)
admit = call("hf_session_admit", P, c.c_int)
trust = call("hf_session_trust", P, c.c_int)
feed = call("hf_session_feed", P, P, P, Z)
drained = call("hf_session_drained", P, Z)
send = call("hf_session_send", P, S, Z)
recv = call("hf_session_recv", P, P, P)
peer_of = call("hf_session_peer", P, P)
hf.hf_session_want.argtypes = hf.hf_session_error.argtypes = [P]
hf.hf_session_suite.argtypes = hf.hf_session_output.argtypes = [P]
hf.hf_session_output.restype = Span
for owner in "session", "config", "trust", "identity":
    getattr(hf, f"hf_{owner}_free").argtypes = [P]
    getattr(hf, f"hf_{owner}_free").restype = None


def read(path):
    with open(path, "rb") as f:
        return f.read()


def certificate(path):
    pem, der = read(path), c.create_string_buffer(CERT_MAX)
    n, used = Z(), Z()
    pem_decode(der, CERT_MAX, c.byref(n), c.byref(used),
               b"HANDFAST CERTIFICATE", pem, len(pem))
    return der.raw[:n.value]


def new(function, *args):
    handle = P()
    function(c.byref(handle), *args)
    return handle


def configure(role, anchors, key, cert):
    pem, leaf = read(key), certificate(cert)
    keys = new(identity_decode, pem, len(pem), None, 0)
    config = new(config_new, role)
    config_trust(config, anchors)
    chain = Span(c.cast(leaf, P), len(leaf))
    config_identity(config, keys, c.byref(chain), 1)
    return config, keys


def step(session, peer):
    """One want of a session; what it says, the other hears."""
    want = hf.hf_session_want(session)
    if want == WRITE:
        out, used = hf.hf_session_output(session), Z()
        feed(peer, c.byref(used), out.ptr, out.len)
        drained(session, used)
    elif want == ADMIT:
        admit(session, 1)
    elif want == TRUST:
        trust(session, 0)
    elif want == RECV:
        content, data = c.c_int(), Span()
        recv(session, c.byref(content), c.byref(data))
        return data.bytes()
    elif want not in (READ, DONE):
        raise Error(error_text(hf.hf_session_error(session)))
    return None


def main():
    init()
    anchors, ca = new(trust_new), certificate(sys.argv[2])
    trust_add_ca(anchors, ca, len(ca))
    alice, alice_id = configure(INITIATOR, anchors, *sys.argv[3:5])
    echo, echo_id = configure(RESPONDER, anchors, *sys.argv[5:7])
    config_expect(alice, b"echo")
    now = int(time.time())
    a = new(session_new, alice, 0, now)
    b = new(session_new, echo, 0, now)
    while (hf.hf_session_want(a), hf.hf_session_want(b)) != (DONE, DONE):
        step(a, b)
        step(b, a)
    for s in a, b:
        peer = Peer()
        peer_of(c.byref(peer), s)
        print(peer.name.decode(), "by", suite_name(hf.hf_session_suite(s)))
    send(a, b"hello", 5)
    step(a, b)
    print(step(b, a).decode())
    for owner, handle in (("session", a), ("session", b), ("config", alice),
                          ("config", echo), ("identity", alice_id),
                          ("identity", echo_id), ("trust", anchors)):
        getattr(hf, f"hf_{owner}_free")(handle)


try:
    main()
except Error as e:
    sys.exit(str(e))
