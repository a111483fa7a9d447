#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The units of systemd, and the examples beside them: what a service writes is
where it may, as the unit is written; systemd itself is not asked."""
import os
import re
import subprocess
import sys
import tempfile

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


def steps(unit, root):
    """The commands above a unit that put files into place, run below `root`
    with files of no content, as whoever runs this. Says what of them goes
    wrong."""
    wrong, made = [], set()
    head = read("systemd", unit).split("\n[Unit]")[0].replace("\\\n#", "")
    for command in re.findall("^#   (.*)", head, re.M):
        words = command.split()
        if words[0] == "useradd":
            made.add(words[-1])
        if words[0] not in ("install", "echo"):
            continue
        for who in re.findall(" -[og] (\\S+)", command):
            if who not in made:
                wrong.append("no user %s yet: %s" % (who, command))
        command = re.sub(" -[og] \\S+", "", command)
        command = re.sub("(?<=[ >])/(?=etc|var)", root + "/", command)
        for name in words[1:-1]:
            if re.match(r"[a-z][a-z.-]*$", name):
                open(os.path.join(root, name), "a").close()
        done = subprocess.run(["sh", "-c", command], cwd=root,
                              capture_output=True)
        if done.returncode != 0:
            wrong.append(done.stderr.decode())
    return wrong


def needs(unit):
    """What must be there before it starts."""
    there = ["/etc/systemd/system/" + unit] + values(unit, "EnvironmentFile")
    where = values(unit, "WorkingDirectory")
    start = " ".join(values(unit, "ExecStart"))
    files = re.findall(r"(?:--config |--key |@)(\S+)", start)
    if unit == "handfast-respond.service":
        options = read("examples", "respond.env").split("RESPOND_OPTIONS=")[1]
        files += re.findall(r"(?:identity|cert|trust|revoked|users|ring) (\S+)",
                            options)
    if unit == "handfast-agent.service":
        files += re.findall(r'^[^#]*?"([a-z]+\.(?:cert|list|key)|password)"',
                            read("examples", "agent.conf"), re.M)
    return there + ["%s/%s" % (where[0], f) for f in files]


def set_up():
    """On a new machine the commands above each service do."""
    for unit in sorted(os.listdir(os.path.join(FLEET, "systemd"))):
        if not unit.endswith(".service"):
            continue
        with tempfile.TemporaryDirectory() as root:
            for d in ("etc/systemd/system", "var/lib"):
                os.makedirs(os.path.join(root, d))
            s.same("set up: " + unit, [], steps(unit, root))
            s.same("set up: %s: all is there" % unit, [],
                   [f for f in needs(unit) if not os.path.isfile(root + f)])
            for other in values(unit, "Requires"):
                s.check("set up: " + other, os.path.isfile(
                    root + "/etc/systemd/system/" + other))


def main():
    tests = (member, apart, dispatcher, set_up)
    for test in tests:
        if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
            test()
    s.finish()


main()
