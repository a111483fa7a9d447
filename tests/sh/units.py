#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The units of systemd, and the examples beside them: what a service writes is
where it may, as the unit is written; systemd itself is not asked."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402

FLEET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                     "fleet")


def read(*path):
    with open(os.path.join(FLEET, *path)) as f:
        return f.read()


def values(unit, key):
    """All words of a setting."""
    return [w for line in re.findall("^%s=(.*)" % key, read("systemd", unit),
                                     re.M) for w in line.split()]


def writable(unit):
    return (["/var/lib/" + d for d in values(unit, "StateDirectory")] +
            ["/run/" + d for d in values(unit, "RuntimeDirectory")] +
            values(unit, "ReadWritePaths"))


def member():
    """A member of a cluster writes beside its key."""
    keys = re.findall(r"--cluster .*--identity (/\S+)\.key",
                      read("examples", "respond.env"))
    s.same("member: a key", 1, len(keys))
    for key in keys:
        s.check("member: beside it is to be written", os.path.dirname(key) in
                writable("handfast-respond.service"), key)


def apart():
    """What a unit makes and deletes in /run is its own: nobody else's socket
    is in it, and a store outlives who serves from it."""
    units = sorted(os.listdir(os.path.join(FLEET, "systemd")))
    owner = {"/run/" + d: u for u in units
             for d in values(u, "RuntimeDirectory")}
    s.same("apart: each its own", len(owner), sum(
        len(values(u, "RuntimeDirectory")) for u in units))
    sockets = [w for u in units for w in values(u, "ListenStream")
               if w.startswith("/")]
    s.same("apart: a socket", 1, len(sockets))
    for path in sockets:
        s.check("apart: " + path, os.path.dirname(path) not in owner)
    stores = set(re.findall(r"lmdb:(/\S+?)[\s\"]", "".join(
        read(*p) for p in (("examples", "dispatch.conf"),
                           ("examples", "respond.env"),
                           ("..", "README.md")))))
    s.same("apart: a store", 1, len(stores))
    for path in stores:
        unit = owner.get(os.path.dirname(path))
        s.same("apart: it is a responder's", "handfast-respond.service", unit)
        s.same("apart: it stays", ["yes"],
               values(unit, "RuntimeDirectoryPreserve") if unit else [])


def dispatcher():
    """As its unit is, it cannot have the store of another user."""
    s.check("dispatcher: no LMDB store", not re.search(
        '^store = "lmdb:', read("examples", "dispatch.conf"), re.M))
    servers = re.findall(r'^  address = "(.*)"', read(
        "examples", "dispatch.conf"), re.M)
    s.check("dispatcher: nor his sockets", len(servers) == 3 and
            not any(a.startswith("unix:") for a in servers), servers)
    drop = dict(re.findall(r"^#   (\w+)=(\S+)$", read(
        "systemd", "handfast-dispatch.service"), re.M))
    for key in ("User", "Group"):
        s.same("dispatcher: else: " + key,
               values("handfast-respond.service", key), [drop.get(key)])
    s.check("dispatcher: else: it may write", 'store = "lmdb:%s/' %
            drop.get("ReadWritePaths") in read("examples", "dispatch.conf"))


def main():
    tests = (member, apart, dispatcher)
    for test in tests:
        if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
            test()
    s.finish()


main()
