#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Cores of the program, where cores are allowed (threat A50): searched for
every secret that went through libsodium, told by tests/preload/tell.c, and for
passwords as they were typed.

When the program has ended nothing is left. While it runs, these may be found,
and nothing else: the keys of open sessions (traffic keys, resumption and
exporter secrets); the keys of a configuration's cookies and cache, and of a
server's tables. Long-term keys, a ticket's too, and passwords are never there.
Registers are not searched: a thread's keep what it copied last.
"""
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from faults import *  # noqa: F403

CORE = os.path.join(BUILD, "tests", "core.so")
TELL = os.path.join(BUILD, "tests", "tell.so")
PASSWORD, WRONG = "correct-horse.Qz4Wm2k", "incorrect-horse.Vt8Pn3r"
PASSPHRASE = "open.sesame.Hx6Lb9y"
SAID = "said once.Yd3Gs7q, and once more.Uc8Fe4k\n"
SESSION = {"traffic-initiator", "traffic-responder", "resumption", "exporter"}
OWN = {"keyed", "random32"}  # of a configuration: cookies, the cache
# What is drawn and may be seen: canaries, salts, ids, nonces, by their size;
# and how much of a longer draw is a secret.
DRAWN = {32: [(0, 32)], 64: [(0, 32), (32, 64)], 80: [(0, 32), (48, 80)]}


def told(path, begin=0):
    """Every secret in what was told from there on, with its names."""
    found = {}
    with open(path) as f:
        f.seek(begin)
        for line in f:
            name, text = line.split()
            data = bytes.fromhex(text)
            parts = [(0, min(len(data), 32))]
            if name == "random":
                parts = DRAWN.get(len(data), [])
                name += str(len(data))
            for a, b in parts:
                found.setdefault(data[a:b], set()).add(name)
    return found


def typed(*words):
    return {w.encode(): {"typed"} for w in words}


def written(*paths):
    """Secret files as they stand there: the lines of their blocks, and the
    verifiers of users."""
    found = {}
    for path in paths:
        if not os.path.exists(path):
            continue
        with open(path, "rb") as f:
            for line in f.read().split():
                # A line's beginning is the head of the object.
                if len(line) >= 40 and b"-" not in line:
                    found[line[-32:]] = {"text of " + path}
    return found


SECRET_FILES = ("server.key", "alice.key", "ca/ca.key", "carol.ticket",
                "ring", "users")


class Cores:
    """Takes a core of a process: the kernel's, or its memory as one would
    have it."""

    def __init__(self):
        with open("/proc/sys/kernel/core_pattern") as f:
            pattern = f.read().strip()
        self.kernel = re.fullmatch(r"[A-Za-z.]*(%p)?", pattern) is not None
        self.end = signal.SIGABRT if self.kernel else signal.SIGSTOP

    def env(self, tell, at_end=False, keep=False):
        # Bound at once: the linker saves registers where it binds later,
        # and with them whatever was copied last.
        # And what was freed stays where it was, however large.
        env = {"LD_PRELOAD": CORE + ":" + TELL, "LD_BIND_NOW": "1",
               "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=16777216:"
               "glibc.malloc.trim_threshold=67108864",
               "HANDFAST_TELL": os.path.abspath(tell)}
        if at_end:
            env["HANDFAST_END"] = str(int(self.end))
        if keep:
            env["HANDFAST_TELL_KEEP"] = "1"
        return env

    def take(self, p, cwd):
        """Of a process that runs, or that is about to end by self.end."""
        if self.kernel:
            p.wait(30)
            names = [x for x in os.listdir(cwd) if "core" in x]
            if p.returncode != -signal.SIGABRT or len(names) != 1:
                return None
            with open(os.path.join(cwd, names[0]), "rb") as f:
                data = loaded(f.read())
            os.unlink(os.path.join(cwd, names[0]))
            return data
        while os.path.exists("/proc/%d" % p.pid) and open(
                "/proc/%d/stat" % p.pid).read().rpartition(
                    ")")[2].split()[0] not in "TZ":
            time.sleep(0.01)
        data = memory(p.pid)
        p.kill()
        p.wait(30)
        return data

    def now(self, p, cwd):
        p.send_signal(self.end)
        return self.take(p, cwd)


def loaded(core):
    """The memory in an ELF core: its PT_LOAD segments."""
    at, = struct.unpack_from("<Q", core, 32)
    size, n = struct.unpack_from("<HH", core, 54)
    found = []
    for i in range(n):
        kind, _, begin, _, _, length = struct.unpack_from(
            "<IIQQQQ", core, at + i * size)
        if kind == 1:
            found.append(dense(core[begin:begin + length]))
    return b"\0".join(found)


def dense(data, page=4096):
    """Without the pages that were never written."""
    blank = bytes(page)
    return b"".join(data[i:i + page] for i in range(0, len(data), page)
                    if data[i:i + page] != blank)


def memory(pid):
    """All that a core holds: what may be read and is not left out."""
    found, area = [], None
    with open("/proc/%d/smaps" % pid) as smaps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in smaps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (.)", line)
            if m:
                area = (int(m.group(1), 16), int(m.group(2), 16)) if \
                    m.group(3) == "r" and "[v" not in line else None
            elif line.startswith("VmFlags:") and area and \
                    "dd" not in line.split():
                mem.seek(area[0])
                found.append(dense(mem.read(area[1] - area[0])))
    return b"\0".join(found)


def judge(name, core, secrets, may=(), least=1):
    """Which secrets are in it that may not be."""
    if core is None:
        case(name, ["no core was left"])
        return
    # Half of a key is as bad.
    wrong = ["%s is in the core" % "+".join(sorted(names))
             for s, names in secrets.items() if not names & set(may) and
             (s[:16] in core or s[-16:] in core)]
    if len(secrets) < least:
        wrong.append("only %d secrets are known" % len(secrets))
    case(name, wrong, "%d secrets" % len(secrets),
         "%.1f MB" % (len(core) / 1e6))


class Ended:
    """Runs a command that leaves a core when it has cleaned up."""

    def __init__(self, cores, house):
        self.cores, self.house = cores, house
        os.mkdir("ended")

    def run(self, words, data=b"", keep=False):
        tell = "ended/told"
        if os.path.exists(tell):
            os.unlink(tell)
        p = subprocess.Popen(
            [PROGRAM] + [os.path.join("..", x) if os.path.exists(x) else x
                         for x in words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd="ended",
            env=dict(os.environ, **self.cores.env(tell, True, keep)))
        p.stdin.write(data)
        p.stdin.close()
        core = self.cores.take(p, "ended")
        self.err = p.stderr.read().decode()
        for x in os.listdir("ended"):
            if x != "told":
                os.unlink(os.path.join("ended", x))
        return core, told(tell)

    def case(self, name, words, data=b"", more=None):
        secrets = written(*SECRET_FILES)
        core, told_now = self.run(words, data)
        secrets.update(told_now)
        secrets.update(written(*SECRET_FILES))
        secrets.update(more or {})
        judge("ended/" + name, core, secrets)


def commands(ended):
    for name, words in (
            ("keygen", "keygen -o new.key"),
            ("keygen-sealed", "keygen -o new.key --passphrase-file pass"),
            ("ca-init", "ca init new --name New"),
            ("cert-request", "cert request --identity sealed.key "
             "--passphrase-file pass --subject sealed -o new.req"),
            ("cert-issue", "cert issue --ca ca --request alice.req --usage "
             "initiator -o new.cert"),
            ("revoke", "ca revoke ca alice.cert -o list"),
            ("user-add", "user add --db users --passphrase-file password "
             "eve"),
            ("ring", "ticket ring new.ring"),
            ("ring-rotate", "ticket ring ring --rotate"),
            ("ticket-issue", "ticket issue --ring ring --subject eve "
             "--audience server --ttl 1h -o new.ticket")):
        ended.case(name, words.split(), more=typed(PASSWORD, PASSPHRASE))


def tokens(house):
    sealed = house.to + ["--identity", "sealed.key", "--cert", "sealed.cert",
                         "--passphrase-file", "pass"]
    return [
        ("certificate", house.certified),
        ("certificate-known", house.certified + house.known),
        ("sealed-key", sealed),
        ("password", house.user),
        ("password-known", house.user + house.known + ["--no-prekey"]),
        ("plain-password", house.plain),
        ("ticket", house.ticketed),
        ("ticket-known", house.ticketed + house.known),
        ("wrong-password", [("wrong" if x == "password" else x)
                            for x in house.user]),
        ("wrong-plain-password", [("wrong" if x == "password" else x)
                                  for x in house.plain]),
    ]


def initiators(ended, respond):
    for name, token in tokens(ended.house):
        r = respond["plain" in name]
        ended.case("initiate-" + name, ["initiate", "--connect", r.address,
                                        *token], SAID.encode(),
                   typed(PASSWORD, WRONG, PASSPHRASE, SAID))
        r.session()


def open_session(house, cores, name, token, r):
    """An initiator and a responder with an open session, each cored."""
    os.mkdir("open")
    tell = "open/told"
    up = [os.path.join("..", x) if os.path.exists(x) else x for x in token]
    p = subprocess.Popen(
        [PROGRAM, "initiate", "--connect", r.address, *up],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd="open",
        env=dict(os.environ, **cores.env(tell)))
    p.stdin.write(b"first\n")
    p.stdin.flush()
    line = p.stdout.readline()
    if line != b"first\n":
        case("open/initiate-" + name, ["no session: %r" % p.stderr.read()])
    core = cores.now(p, "open")
    secrets = told(tell)
    secrets.update(typed(PASSWORD, PASSPHRASE))
    secrets.update(written(*SECRET_FILES))
    judge("open/initiate-" + name, core, secrets, SESSION | OWN)
    shutil.rmtree("open")


def responders(house, cores):
    """After sessions of every kind; and with one that is open."""
    ask = house.write("ask", "#!/bin/sh\nread -r u; read -r p\n"
                      "[ \"$p\" = '%s' ]\n" % PASSWORD, 0o700)
    for form, accept in (("stretched", ["--users", "users"]),
                         ("plain", ["--password-command",
                                    os.path.join(house.dir, ask)])):
        for state in ("after-sessions", "open-session", "ended"):
            tell = "%s-%s.told" % (form, state)
            r = house.respond("%s-%s" % (form, state), "--ring", "ring",
                              *accept, env=cores.env(tell, state == "ended"))
            begin = os.path.getsize(tell)
            known = {s for s in told(tell)}
            for name, token in tokens(house):
                if "password" not in name or \
                        ("plain" in name) == (form == "plain"):
                    house.initiate(r.address, *token, data=b"hello\n" * 50,
                                   env=cores.env(tell + ".peer"))
                    r.session()
            may = set()
            if state == "open-session":
                may = SESSION
                opened = os.path.getsize(tell)
                p = subprocess.Popen(
                    [PROGRAM, "initiate", "--connect", r.address,
                     *house.certified], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                p.stdin.write(b"first\n")
                p.stdin.flush()
                p.stdout.readline()
            time.sleep(0.3)
            if state == "ended":
                r.process.send_signal(signal.SIGTERM)
                core = cores.take(r.process, ".")
            else:
                core = cores.now(r.process, ".")
            house.responders.remove(r)
            secrets = told(tell, begin)
            if state == "open-session":
                p.stdin.close()
                p.stdout.read()
                p.wait()
                # Those of the sessions before are no longer welcome.
                last = told(tell, opened)
                secrets = {s: n if s in last else n - SESSION | {"old"}
                           for s, n in secrets.items()}
            # The server's own keys, which it drew when it began.
            secrets = {s: n for s, n in secrets.items() if s not in known}
            secrets.update({s: n for s, n in told(tell).items()
                            if n & {"seed", "identity-x25519"}})
            # What its peers had: transport keys, stretched passwords, keys
            # of tickets. Of theirs alone no name is welcome.
            for s, n in told(tell + ".peer").items():
                secrets.setdefault(s, (n - SESSION) | {"peer"})
            secrets.update(typed(PASSWORD, WRONG, PASSPHRASE))
            secrets.update(written(*SECRET_FILES))
            if state == "ended":
                secrets.update(told(tell))
            judge("responder-%s/%s" % (form, state), core, secrets, may, 50)


def granted(house, cores):
    """A responder that has answered and waits for the confirmation: of what
    went into the keys nothing is there any more."""
    relay = Relay()
    for name, token in tokens(house):
        if "plain" in name or "wrong" in name or "sealed" in name:
            continue
        tell = "granted-%s.told" % name
        r = house.respond("granted-" + name, "--ring", "ring", "--users",
                          "users", env=cores.env(tell))
        begin, known, core = os.path.getsize(tell), set(told(tell)), []

        def edit(direction, k, offset, message):
            if kind(message) != "confirm":
                return [message]
            core.append(cores.now(r.process, "."))
            return []

        relay.run(r, token, edit=edit, env=cores.env(tell + ".peer"))
        house.responders.remove(r)
        secrets = {s: n for s, n in told(tell, begin).items()
                   if s not in known}
        for s, n in told(tell + ".peer").items():
            secrets.setdefault(s, n)
        secrets.update(typed(PASSWORD))
        judge("granted/" + name, core[0] if core else None, secrets,
              SESSION | {"confirm-key"}, 8)
    relay.close()


def control(ended):
    """Where copies are kept, each is found."""
    core, secrets = ended.run(["initiate", "--connect", "127.0.0.1:1",
                               *ended.house.user], keep=True)
    missed = [n for s, n in secrets.items() if s not in core]
    case("control/what-is-kept-is-found", ["%s was not found" % n
                                           for n in missed] +
         ([] if secrets else ["nothing was told"]),
         "%d secrets" % len(secrets))


def main():
    need_shim()
    os.environ.pop("LD_PRELOAD")
    cores = Cores()
    with House(password=PASSWORD) as house:
        house.write("wrong", WRONG + "\n")
        house.write("pass", PASSPHRASE + "\n")
        house.hf("keygen", "-o", "sealed.key", "--passphrase-file", "pass")
        house.hf("cert", "request", "--identity", "sealed.key", "--subject",
                 "sealed", "-o", "sealed.req", "--passphrase-file", "pass")
        house.certificate("sealed", "initiator")
        ended = Ended(cores, house)
        commands(ended)
        ask = house.write("ask", "#!/bin/sh\nread -r u; read -r p\n"
                          "[ \"$p\" = '%s' ]\n" % PASSWORD, 0o700)
        respond = [house.respond("both", "--users", "users", "--ring",
                                 "ring"),
                   house.respond("plain", "--password-command",
                                 os.path.join(house.dir, ask))]
        initiators(ended, respond)
        for name, token in tokens(house):
            if "wrong" not in name:
                open_session(house, cores, name, token,
                             respond["plain" in name])
        responders(house, cores)
        granted(house, cores)
        control(ended)
    finish()


main()
