#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Where secrets must not be: command lines, environments and descriptors of
the program and of those it starts, logs, core files, memory that other users
can read, and the responder's own memory once they have served.
"""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import *  # noqa: E402,F403

NOBODY = 65534
PASSWORD, WRONG = "correct-horse.Qz4Wm2k", "incorrect-horse.Vt8Pn3r"
PASSPHRASE = "open.sesame.Hx6Lb9y"
STORE = "abracadabra.Jd3Ty7c"


def secrets_of(house):
    """What nobody else may see, by name. The last item of an identity is its
    seed; the third of a ticket file its key."""
    found = {"password": PASSWORD.encode(), "wrong password": WRONG.encode(),
             "passphrase": PASSPHRASE.encode(),
             "store's password": STORE.encode()}
    for name in ("server", "alice"):
        found[name + "'s seed"] = pem(name + ".key")[-32:]
    ticket = pem("carol.ticket")
    begin, end = items(ticket)[2]
    found["ticket's key"] = ticket[end - 32:end]
    ring = pem("ring")
    found["ring's key"] = max(
        (ring[a:b] for a, b in items_within(ring)), key=len)[2:]
    found["verifier"] = bytes.fromhex(
        open("users").read().split("\n")[1].split()[1])
    return {what: forms(s) for what, s in found.items()}


def items_within(ring):
    """The items of the first entry of a ring."""
    begin, end = items(ring)[0]
    return [(a + begin, b + begin) for a, b in items(ring[begin:end])]


def holds(text, secrets, *but):
    return ["%s, %s" % (what, form) for what, all_ in secrets.items()
            if what not in but for form, s in all_.items() if s in text]


def proc(pid, name):
    with open("/proc/%d/%s" % (pid, name), "rb") as f:
        return f.read()


class Open:
    """An initiator with an open session."""

    def __init__(self, house, responder, *options, **more):
        self.p = subprocess.Popen(
            [PROGRAM, "initiate", "--connect", responder.address, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **more)
        self.p.stdin.write(b"first\n")
        self.p.stdin.flush()
        self.line = self.p.stdout.readline()

    def close(self):
        out, err = self.p.communicate(timeout=30)
        return self.p.returncode, out, err


# Command lines, environments, descriptors, logs -----------------------------

def processes(house, secrets):
    """Every token, right and wrong, through responders that tell all."""
    own = dict(os.environ, HANDFAST_PASSWORD="mine", HANDFAST_NAME="faked",
               HANDFAST_X="kept from children",
               HANDFAST_STORE_PASSWORD=STORE, PGPASSWORD=STORE)
    tell = house.write("tell", "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ"
                       "\ntr '\\0' ' ' </proc/$$/cmdline\necho\n"
                       "exec ls -l /proc/self/fd\n", 0o700)
    ask = house.write("ask", "#!/bin/sh\n{ tr '\\0' '\\n' "
                      "</proc/$$/environ; tr '\\0' ' ' </proc/$$/cmdline; "
                      "echo; ls -l /proc/$$/fd; } >>asked\n"
                      "read -r user; read -r password\n"
                      "[ \"$password\" = %s ]\n" % PASSWORD, 0o700)
    seen = {"logs": b"", "command lines": b"", "environments": b""}
    for name, options in (
            ("file", ["--users", "users", "--ring", "ring", "--log-json",
                      "--issue-tickets", "1h"]),
            ("command", ["--password-command",
                         os.path.join(house.dir, ask), "--trace"])):
        # Descriptors that it was given are not for those it starts.
        key = os.open("server.key", os.O_RDONLY)
        r = house.respond("tells-" + name, *options,
                          sink=("--exec", os.path.join(house.dir, tell)),
                          env=own, pass_fds=(key,))
        os.close(key)
        seen["command lines"] += proc(r.process.pid, "cmdline")
        for what, token in (
                ("certificate", house.certified), ("password", house.user),
                ("ticket", house.ticketed),
                ("plain password", house.plain)):
            for wrong in (False, True):
                token = [("wrong" if wrong and x == "password" else x)
                         for x in token]
                x = house.initiate(r.address, *token, "--trace",
                                   "--ticket-out", "got.ticket")
                # The plain form needs the command, the others the file.
                good = what == "certificate" or (
                    what == "plain password") == (name == "command")
                if wrong and "password" in what:
                    good = False
                same("%s, %s%s" % (name, what, ", wrong" if wrong else ""),
                     0 if good else 4, x.code)
                seen["logs"] += x.err.encode()
                if not good:
                    continue
                child = x.out
                seen["environments"] += child
                same("%s, %s: HANDFAST_ variables" % (name, what),
                     [b"HANDFAST_METHOD", b"HANDFAST_NAME",
                      b"HANDFAST_SUBJECT"],
                     sorted(re.findall(rb"(?m)^(HANDFAST_\w+)=", child)))
                # The fourth is ls's own.
                same("%s, %s: descriptors" % (name, what),
                     [b"0", b"1", b"2", b"3"],
                     re.findall(rb"(?m)(\d+) -> ", child))
        r.stop()
        seen["logs"] += open(r.logfile, "rb").read()
    seen["password commands"] = open("asked", "rb").read()
    check("the password command was asked",
          b"/ask" in seen["password commands"])
    check("... and got no descriptor of the responder's",
          b".key" not in seen["password commands"])
    same("... and no HANDFAST_ variable", [],
         re.findall(rb"(?m)^(HANDFAST_\w+)=", seen["password commands"]))
    check("both had what else there is",
          b"\nPATH=" in seen["password commands"] and
          b"\nPATH=" in seen["environments"])
    for what, text in seen.items():
        found = holds(text, secrets)
        check("%s: %d bytes, no secret" % (what, len(text)),
              len(text) > 50 and not found, found)
    sids = set(re.findall(rb'sid"?[=:]"?([0-9a-f]*)', seen["logs"]))
    check("logs: session ids of 8 digits", sids and
          all(len(s) == 8 for s in sids), sids)
    check("the search finds what is there", holds(
        open("server.key", "rb").read() + PASSWORD.encode(),
        {k: secrets[k] for k in ("password",)}))


def command_lines(house, secrets):
    """While they run."""
    r = house.respond("runs", "--users", "users", "--ring", "ring")
    text = b""
    for token in (house.certified, house.user, house.ticketed):
        i = Open(house, r, *token)
        same("open", b"first\n", i.line)
        for f in ("cmdline", "environ", "comm"):
            text += proc(i.p.pid, f) + proc(r.process.pid, f)
        i.close()
    found = holds(text, secrets)
    check("while they run: %d bytes of /proc, no secret" % len(text),
          not found, found)
    for option in ("--password", "--passphrase"):
        x = house.initiate(r.address, *house.to, "--user", "bob", option,
                           PASSWORD)
        check("initiate %s is no option" % option,
              x.code == 2 and PASSWORD not in x.err, x)
    r.stop()


# Core files ----------------------------------------------------------------

ABORTS = signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT


def unlimited():
    # What was started by nohup or with & would not take some of them.
    for signum in ABORTS:
        signal.signal(signum, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)


def abort(p, signum=signal.SIGABRT):
    """Ends a process so that it would leave a core. Returns whether it did,
    as the kernel says."""
    os.kill(p.pid, signum)
    status = os.waitpid(p.pid, 0)[1]
    p.returncode = -signum
    return os.WIFSIGNALED(status) and os.WCOREDUMP(status)


def cores(house, secrets):
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY and os.geteuid() != 0:
        note("cores: skipped, ulimit -c has a hard limit")
        return
    os.mkdir("cores")
    os.chdir("cores")
    os.symlink("../ca", "ca")
    control = subprocess.Popen(["sleep", "60"], preexec_fn=unlimited)
    time.sleep(0.1)
    if not abort(control):
        note("cores: nobody leaves one here; the limit alone is checked")
    left = os.listdir(".")
    for x in left:
        if x != "ca":
            os.unlink(x)
    for signum in ABORTS:
        r, i = one_session(house)
        for who, p in (("initiator", i.p), ("responder", r.process)):
            same("%s: its limit on cores" % who, 0,
                 resource.prlimit(p.pid, resource.RLIMIT_CORE)[0])
            same("%s, %s: no core, says the kernel" %
                 (who, signal.Signals(signum).name), False, abort(p, signum))
        house.responders.remove(r)
        i.p.communicate()
    left = [x for x in os.listdir(".") if "core" in x]
    same("no core file was left", [], left)
    for x in left:
        found = holds(open(x, "rb").read(), secrets)
        check("%s holds no secret" % x, not found, found)
    os.chdir("..")


def one_session(house):
    up = {"identity": "../server.key", "cert": "../server.cert",
          "trust": "../ca/ca.cert"}
    r = house.respond("abort", "--users", "../users", preexec_fn=unlimited,
                      **up)
    token = [("../" + x if os.path.exists("../" + x) else x)
             for x in house.user]
    i = Open(house, r, *token, preexec_fn=unlimited)
    same("a session to abort", b"first\n", i.line)
    return r, i


# Other processes of the same user ------------------------------------------

def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def opens(pid, name):
    """Whether that user may open a file of /proc; mem's is a debugger's
    right."""
    args = {"preexec_fn": as_nobody} if os.geteuid() == 0 else {}
    return subprocess.run(["dd", "if=/proc/%d/%s" % (pid, name), "count=0"],
                          stderr=subprocess.DEVNULL, cwd="/",
                          **args).returncode == 0


def neighbours(house):
    """Not dumpable: /proc shows its environment and memory to root alone,
    and nobody attaches to it."""
    args, program, uid = {"cwd": "nobody"}, PROGRAM, os.geteuid()
    os.mkdir("nobody")
    for f in ("server.key", "server.cert", "alice.key", "alice.cert",
              "ca/ca.cert"):
        shutil.copy(f, "nobody")
    if uid == 0:
        # A directory and a program that this user may use.
        args["preexec_fn"], uid = as_nobody, NOBODY
        os.chmod(".", 0o711)
        program = os.path.abspath(shutil.copy(PROGRAM, "nobody/handfast"))
        os.chmod(program, 0o755)
        for f in ["."] + os.listdir("nobody"):
            os.chown(os.path.join("nobody", f), NOBODY, NOBODY)
    s = socket.create_server(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    at = "127.0.0.1:%d" % port
    r = subprocess.Popen([program, "respond", "--listen", at, "--identity",
                          "server.key", "--cert", "server.cert", "--trust",
                          "ca.cert", "--echo"], stderr=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                         **args)
    r.stderr.readline()
    i = subprocess.Popen([program, "initiate", "--connect", at, "--trust",
                          "ca.cert", "--expect", "server", "--identity",
                          "alice.key", "--cert", "alice.cert"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, **args)
    i.stdin.write(b"first\n")
    i.stdin.flush()
    same("a session as another user", b"first\n", i.stdout.readline())
    control = subprocess.Popen(["sleep", "60"], **args)
    time.sleep(0.1)
    for f in ("environ", "mem", "maps"):
        if not opens(control.pid, f):
            note("neighbours: nobody may read /proc/PID/%s here" % f)
    for who, p in (("responder", r), ("initiator", i)):
        same(who + ": runs as that user", str(uid), re.search(
            r"Uid:\s+(\d+)", proc(p.pid, "status").decode()).group(1))
        for f in ("environ", "mem", "maps"):
            same("%s: /proc/PID/%s belongs to root" % (who, f), 0,
                 os.stat("/proc/%d/%s" % (p.pid, f)).st_uid)
            same("%s: /proc/PID/%s is closed to its own user" % (who, f),
                 False, opens(p.pid, f))
    control.kill()
    control.wait()
    i.communicate(timeout=30)
    same("the session ends well", 0, i.returncode)
    r.terminate()
    r.communicate(timeout=30)
    same("the responder, too", 0, r.returncode)


# Memory --------------------------------------------------------------------

def memory(pid):
    """All that a process can read of its own."""
    found = []
    with open("/proc/%d/maps" % pid) as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if m is None or "[v" in line:
                continue
            begin, end = int(m.group(1), 16), int(m.group(2), 16)
            try:
                mem.seek(begin)
                found.append(mem.read(end - begin))
            except (OSError, ValueError, OverflowError):
                pass
    return b"\0".join(found)


def areas(pid, secret):
    """The kernel's flags of each area of memory that holds a secret."""
    found, begin, end = [], 0, 0
    with open("/proc/%d/smaps" % pid) as smaps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in smaps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (.)", line)
            if m:
                begin, end = int(m.group(1), 16), int(m.group(2), 16)
                readable = m.group(3) == "r" and "[v" not in line
            elif line.startswith("VmFlags:") and readable:
                try:
                    mem.seek(begin)
                    if secret in mem.read(end - begin):
                        found.append(line.split()[1:])
                except (OSError, ValueError, OverflowError):
                    pass
    return found


def locked(house, secrets):
    """Long-term keys are where nothing is swapped and nothing is dumped."""
    if os.geteuid() != 0 or SAN:
        note("locked: skipped, %s" % ("a sanitizer keeps copies" if SAN else
                                      "only root can look"))
        return
    r = house.respond("locks", "--ring", "ring", "--users", "users")
    i = Open(house, r, *house.certified)
    for who, p, what in (("responder", r.process, "server's seed"),
                         ("responder", r.process, "ring's key"),
                         ("initiator", i.p, "alice's seed")):
        flags = areas(p.pid, secrets[what]["as it is"])
        check("%s: %s is in memory" % (who, what), flags != [])
        # "lo": locked; "dd": not for core files, whoever allows them.
        check("%s: %s is locked there, and in no core" % (who, what),
              all("lo" in f and "dd" in f for f in flags), flags)
    i.close()
    r.stop()


def remains(house, secrets):
    """What has served is wiped."""
    if os.geteuid() != 0 or SAN:
        note("memory: skipped, %s" % ("a sanitizer keeps copies" if SAN else
                                      "only root can look"))
        return
    house.hf("keygen", "-o", "sealed.key", "--passphrase-file", "passphrase")
    house.hf("cert", "request", "--identity", "sealed.key", "--subject",
             "server", "-o", "sealed.req", "--passphrase-file", "passphrase")
    house.certificate("sealed", "responder", "--realm", "example")
    r = house.respond("remembers", "--password-command",
                      os.path.join(house.dir, "ask"), "--ring", "ring",
                      "--passphrase-file", "passphrase",
                      identity="sealed.key", cert="sealed.cert")
    for i in range(2):
        for token in (house.plain, house.ticketed,
                      [("wrong" if x == "password" else x)
                       for x in house.plain]):
            house.initiate(r.address, *token, data=b"the data itself\n" * 99)
            check("responder: a session to forget", r.session() != "")
    time.sleep(0.3)
    text = memory(r.process.pid)
    check("responder: %d bytes of memory" % len(text), len(text) > 500000)
    found = holds(text, {k: v for k, v in secrets.items() if k in
                         ("password", "wrong password", "passphrase",
                          "alice's seed", "ticket's key")})
    check("responder: what served in sessions is gone", not found, found)
    ring = {"ring's key": secrets["ring's key"]}
    same("responder: the ring is there, as bytes alone",
         ["ring's key, as it is"], holds(text, ring))
    r.stop()
    r = house.respond("loaded", "--users", "users")
    text = memory(r.process.pid)
    same("responder: its seed is there, as bytes alone",
         ["server's seed, as it is"],
         holds(text, {"server's seed": secrets["server's seed"]}))
    same("... once, and once in its signing key", 2,
         text.count(secrets["server's seed"]["as it is"]))
    i = Open(house, r, *house.user)
    text = memory(i.p.pid)
    check("initiator: its password is there once, or gone",
          text.count(PASSWORD.encode()) <= 1, text.count(PASSWORD.encode()))
    i.close()
    i = Open(house, r, *house.certified)
    text = memory(i.p.pid)
    found = holds(text, {"alice's seed": secrets["alice's seed"]})
    same("initiator: its seed is there, as bytes alone",
         ["alice's seed, as it is"], found)
    i.close()
    r.stop()


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "..", ".."))
    with House(password=PASSWORD) as house:
        house.write("wrong", WRONG + "\n")
        house.write("passphrase", PASSPHRASE + "\n")
        secrets = secrets_of(house)
        for what, all_ in secrets.items():
            check("%s is known to this test" % what,
                  len(all_["as it is"]) >= 16)
        processes(house, secrets)
        command_lines(house, secrets)
        remains(house, secrets)
        locked(house, secrets)
        cores(house, secrets)
        neighbours(house)
    finish()


main()
