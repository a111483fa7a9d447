#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""How an agent lives: with a watchdog of whoever started it, as a user that may
do little, with files and system calls given up. Real processes.
"""
import os
import pwd
import re
import shutil
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402
from agenting import Hall, WAIT, wait_for  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def heard(told):
    """What is told next; nothing where nothing is for long."""
    try:
        return told.recv(200)
    except socket.timeout:
        return b""


def next_word(told):
    word = b"WATCHDOG=1"
    while word == b"WATCHDOG=1":
        word = heard(told)
    return word.decode()


def unit():
    """As systemd starts it: it says when it is ready, as often as it is asked
    to that it lives, when it reads its file anew, and that it ends."""
    path = os.path.join(TOP, "fleet", "systemd", "handfast-agent.service")
    with open(path) as f:
        text = f.read()
    words = re.search("(?m)^ExecStart=[^ ]*/handfast (.*)$", text).group(1)
    s.same("unit: how it starts", "agent --config agent.conf", words)
    s.check("unit: a watchdog", "\nWatchdogSec=" in text)
    with Hall() as h, socket.socket(socket.AF_UNIX,
                                    socket.SOCK_DGRAM) as told:
        told.bind(os.path.join(h.dir, "notify"))
        told.settimeout(WAIT / 3)
        agent = h.start(env={"NOTIFY_SOCKET": os.path.join(h.dir, "notify"),
                             "WATCHDOG_USEC": "200000"})
        s.same("unit: ready first", b"READY=1", heard(told))
        began = time.monotonic()
        s.same("unit: alive", [b"WATCHDOG=1"] * 5,
               [heard(told) for _ in range(5)])
        s.check("unit: in time", 0.3 < time.monotonic() - began < WAIT)
        app = h.app().opened()
        agent.send_signal(signal.SIGHUP)
        word = next_word(told)
        got = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", word)
        s.check("unit: reloading", got, word)
        s.same("unit: reloaded", "READY=1\nSTATUS=file read anew",
               next_word(told))
        s.same("unit: nobody is cut off", True, app.echo(b"x"))
        h.house.write("agent.conf", "nonsense = 1\n")
        agent.send_signal(signal.SIGHUP)
        next_word(told)
        s.same("unit: a file that is no good",
               "READY=1\nSTATUS=reload failed: the old file is used",
               next_word(told))
        agent.send_signal(signal.SIGTERM)
        s.same("unit: stopping", "STOPPING=1", next_word(told))
        s.same("unit: the end", 0, agent.wait(WAIT))


def settings(h, **values):
    """What stands before the peers."""
    h.sections = [x for x in h.sections if x.startswith("peer ")]
    h.sections[:0] = ["%s = %s" % v for v in values.items()]


def untouched(h):
    """What is in the place of its directory now is not its own to change."""
    h.start()
    s.same("confined: again", True, h.app().opened().echo(b"x"))
    os.rename(os.path.dirname(h.path), os.path.join(h.dir, "was"))
    os.mkdir(os.path.dirname(h.path))
    # Its own socket, but by a name that is not where it made it.
    os.link(os.path.join(h.dir, "was", "agent"), h.path)
    s.same("confined: again: the end", 0, h.stop())
    if "no Landlock" not in h.words():
        s.check("confined: no files", os.path.exists(h.path))
    shutil.rmtree(os.path.dirname(h.path))


def confined():
    """No thread of it may do what it need not, and it does what it did; where
    that is not wanted it is left."""
    with Hall(()) as h:
        h.respond("one", "--users", "users")
        h.peer("one", h.responder["one"].address)
        # Passwords are stretched in a thread.
        h.peer("two", h.responder["one"].address, identity=None,
               certificate=None, user="bob", **{"password-file": "password"})
        agent = h.start()
        s.same("confined: a certificate", True,
               h.app().opened().echo(b"x" * 100000))
        s.same("confined: a password", True,
               h.app("two").opened().echo(b"y"))
        all_of = s.tasks(agent.pid)
        s.check("confined: threads", len(all_of) >= 3, len(all_of))
        if "no Landlock" in h.words():
            s.note("confined: this kernel has no Landlock")
        else:
            s.same("confined: no new privileges", {"1"},
                   {t["NoNewPrivs"].strip() for t in all_of})
        if s.SAN:
            s.note("confined: no seccomp under a sanitizer")
        elif "no seccomp here" not in h.words():
            s.same("confined: system calls", {"2"},
                   {t["Seccomp"].strip() for t in all_of})
        h.peer("new", h.responder["one"].address)
        h.configure()
        agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "result=ok" in h.words(), "a reload")
        s.same("confined: what is new", True,
               h.app("new").opened().echo(b"z"))
        s.same("confined: the end", 0, h.stop())
        s.check("confined: its socket is gone", not os.path.exists(h.path))
        untouched(h)
        settings(h, sandbox="false")
        agent = h.start()
        s.same("confined: not wanted", ({"0"}, {"0"}),
               tuple({t[k].strip() for t in s.tasks(agent.pid)}
                     for k in ("NoNewPrivs", "Seccomp")))
        s.same("confined: not wanted: served", True,
               h.app().opened().echo(b"x"))
        s.same("confined: not wanted: the end", 0, h.stop())


def cores():
    """It leaves no core, and nobody may look into it."""
    with Hall() as h:
        agent = h.start()
        s.same("cores: served", True, h.app().opened().echo(b"x"))
        with open("/proc/%d/limits" % agent.pid) as f:
            s.check("cores: none", re.search(
                r"(?m)^Max core file size +0 +0 ", f.read()))
        # What may not be dumped is root's to the kernel.
        s.same("cores: not to be looked into", 0,
               os.stat("/proc/%d/mem" % agent.pid).st_uid)
        s.same("cores: the end", 0, h.stop())


def user():
    """Started by root it is somebody else before it reads a secret, in all its
    threads; what is his alone it can use."""
    if os.geteuid() != 0:
        s.note("user: only root can be tested")
        return
    nobody = pwd.getpwnam("nobody")
    with Hall() as h:
        configure = h.configure
        h.configure = lambda: os.chmod(configure(), 0o644)
        h.peer("one", h.responder["one"].address, users=["root"])
        settings(h, user='"nobody"')
        os.chmod(os.path.join(h.dir, "ca"), 0o711)
        for name in ("ca/ca.cert", "alice.cert", "alice.key"):
            os.chmod(os.path.join(h.dir, name), 0o644)
        code, words = h.fails("--check")
        s.same("user: root's key", 5, code)
        s.check("user: root's key: words", "alice.key: a secret that belongs"
                in words, words)
        os.mkdir(os.path.join(h.dir, "run"), 0o711)
        for name in ("alice.key", "run"):
            os.chown(os.path.join(h.dir, name), nobody.pw_uid, nobody.pw_gid)
        os.chmod(os.path.join(h.dir, "alice.key"), 0o600)
        agent = h.start()
        app = h.app().opened()
        for t in s.tasks(agent.pid):
            s.same("user: nobody", ([str(nobody.pw_uid)] * 4, 0),
                   (t["Uid"].split(), int(t["CapEff"], 16)))
        s.same("user: groups", [str(nobody.pw_gid)],
               s.tasks(agent.pid)[0]["Groups"].split())
        s.same("user: the socket", nobody.pw_uid, os.stat(h.path).st_uid)
        s.same("user: a channel", True, app.echo(b"x"))
        agent.send_signal(signal.SIGHUP)
        wait_for(lambda: "result=ok" in h.words(), "a reload")
        s.same("user: the end", 0, h.stop())
        for name, code, words in (("nobody at all", 5, "there is none"),
                                  ("x" * 70, 6, "user: too long")):
            settings(h, user='"%s"' % name)
            got, said = h.fails()
            s.same("user: %s" % words, code, got)
            s.check("user: %s: words" % words, words in said, said)


TESTS = (unit, confined, cores, user)

if __name__ == "__main__":
    for test in TESTS:
        if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
            test()
    s.finish()
