#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Commands that read and write files, with every call of the system failing
in turn: the exit code is exact and the cause is said, nothing is printed, and
each file is the old one or a good new one, whole.
"""
import errno
import os
import re
import subprocess

from faults import *  # noqa: F403

# What is tried: call, kind of descriptor, fault, the exit codes it may end in.
FAILS, PASSES, EITHER = (3,), (0,), (0, 3)
TRIED = [
    ("read", "file", errno.EIO, FAILS),
    ("read", "file", errno.EINTR, PASSES),
    ("read", "file", SHORT, PASSES),
    ("write", "file", errno.EIO, FAILS),
    ("write", "file", errno.ENOSPC, FAILS),
    ("write", "file", errno.EINTR, PASSES),
    ("write", "file", SHORT, PASSES),
    ("open", "any", errno.EMFILE, FAILS),
    ("open", "any", errno.EIO, FAILS),
    ("fsync", "file", errno.EIO, FAILS),
    ("fsync", "dir", errno.EIO, FAILS),
    ("rename", "any", errno.ENOSPC, FAILS),
    ("fchmod", "any", errno.EPERM, FAILS),
    ("flock", "any", errno.ENOLCK, FAILS),
    ("mkdir", "any", errno.ENOSPC, FAILS),
    # Of a file that was read, nothing is lost.
    ("close", "file", errno.EIO, EITHER),
]


# What they changed in its place stays so when the machine goes down.
SYNCED = ("user-", "ring-rotate", "revoke")


class Flow:
    """A command: what it writes, and whether it is good."""

    def __init__(self, name, words, writes, replaces=(), users=()):
        self.name, self.words = name, words.split()
        self.writes, self.replaces = writes.split(), replaces
        self.users = users


FLOWS = [
    Flow("keygen", "keygen -o new.key", "new.key"),
    Flow("keygen-sealed", "keygen -o new.key --passphrase-file password",
         "new.key"),
    Flow("ca-init", "ca init new --name New", "new/ca.key new/ca.cert"),
    Flow("cert-request", "cert request --identity alice.key --subject alice "
         "-o new.req", "new.req"),
    Flow("cert-issue", "cert issue --ca ca --request alice.req --usage "
         "initiator -o new.cert", "new.cert"),
    Flow("cert-issue-force", "cert issue --ca ca --request alice.req --usage "
         "initiator --force -o alice.cert", "alice.cert"),
    Flow("user-first", "user add --db new --realm example --passphrase-file "
         "password eve", "new", users=["eve"]),
    Flow("user-add", "user add --db users --passphrase-file password eve",
         "users", users=["bob", "eve"]),
    Flow("user-replace", "user add --db users --replace --passphrase-file "
         "other bob", "users", users=["bob"]),
    Flow("user-del", "user del --db users bob", "users", users=[]),
    Flow("ring", "ticket ring new.ring", "new.ring"),
    Flow("ring-rotate", "ticket ring ring --rotate", "ring"),
    Flow("ticket-issue", "ticket issue --ring ring --subject eve --audience "
         "server --ttl 1h -o new.ticket", "new.ticket"),
    Flow("revoke", "ca revoke ca alice.cert -o list", "ca/ca.list list"),
    Flow("revoke-again", "ca revoke ca server.cert -o old.list",
         "ca/ca.list old.list"),
]


def good(flow, path):
    """Whether a file that was written is whole and says what it should."""
    if not os.path.exists(path):
        return False
    if not flow.writes[0] in ("new", "users"):
        return run(["inspect", path], {})[0] == 0
    code, out, _ = run(["user", "list", "--db", path], {})
    return code == 0 and [x.split()[0] for x in
                          out.decode().splitlines()] == flow.users


def judge(flow, was, result, allowed, text, told=False):
    """What is wrong with one run. told: what is there already when it is told
    that it may not be there tomorrow."""
    code, out, err = result
    if code not in allowed:
        return "exit %s: %s" % (code, err.strip())
    if out:
        return "on stdout: %r" % out
    now = files()
    changed = {p for p in set(now) | set(was)
               if now.get(p) != was.get(p) and
               not re.search(r"(^|/)\.[^/]*\.lock$", p)}
    if code == 0:
        if changed != set(flow.writes):
            return "exit 0, changed: %s" % sorted(changed)
        bad = [p for p in flow.writes if not good(flow, p)]
        return "exit 0, but %s" % bad if bad else None
    first = err.splitlines()[0] if err else ""
    if not first.startswith("handfast: error: ") or text not in first:
        return "said: %r" % first
    # A list that was renewed stays; each file is whole.
    if not ((told or flow.name.startswith("revoke")) and
            changed == set(flow.writes[:1]) and
            good(flow, flow.writes[0])) and changed:
        return "exit %d, changed: %s" % (code, sorted(changed))
    return None


def try_all(flow, faults, was):
    for call, kind, what, allowed in TRIED:
        text = os.strerror(what) if what != SHORT else ""

        def attempt():
            result = run(flow.words, faults.env)
            fault = judge(flow, was, result,
                          allowed if faults.hit else PASSES, text,
                          kind == "dir")
            restore(was)
            return fault

        wrong, n = each(faults, call, kind, what, attempt,
                        what == errno.EMFILE)
        if kind == "dir" and n == 0 and flow.name.startswith(SYNCED):
            wrong = ["a crash may bring the old file back"]
        if n or wrong:
            case("%s/%s-%s" % (flow.name, call, word(what)), wrong,
                 "n = 1..%d" % n)


# Commands that print, where nothing can be printed.
PRINTS = [
    ("user-list", "user list --db users"),
    ("user-list-json", "user list --db users --json"),
    ("cert-verify", "cert verify --trust ca/ca.cert alice.cert"),
    ("cert-issue-to-stdout", "cert issue --ca ca --request alice.req --usage "
     "initiator -o -"),
    ("cert-request-to-stdout", "cert request --identity alice.key --subject "
     "alice -o -"),
    ("keygen-to-stdout", "keygen -o -"),
    ("ticket-to-stdout", "ticket issue --ring ring --subject eve --audience "
     "server --ttl 1h -o -"),
    ("inspect", "inspect alice.cert"),
    ("help", "help respond"),
    ("version", "version"),
]


def closed_pipe():
    """A descriptor that nobody reads from."""
    there, here = os.pipe()
    os.close(there)
    return here


def printing(was):
    for name, words in PRINTS:
        for what, fd in ((errno.ENOSPC, os.open("/dev/full", os.O_WRONLY)),
                         (errno.EPIPE, closed_pipe())):
            p = subprocess.run([PROGRAM] + words.split(), stdout=fd,
                               stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL)
            os.close(fd)
            err = p.stderr.decode()
            wrong = []
            if p.returncode != 3:
                wrong.append("exit %s: %s" % (p.returncode, err))
            if "standard output: " + os.strerror(what) \
                    not in err:
                wrong.append("said: %r" % err)
            if files() != was:
                wrong.append("a file has changed")
            case("%s/stdout-%s" % (name, word(what)), wrong)


def main():
    need_shim()
    with House() as house:
        house.hf("ca", "revoke", "ca", "-o", "old.list")
        house.write("other", "another horse\n")
        faults = Faults()
        was = files()
        for flow in FLOWS:
            try_all(flow, faults, was)
        printing(was)
    finish()


if __name__ == "__main__":
    main()
