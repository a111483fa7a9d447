#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program with every allocation failing in turn, alone and with all that
follow, libsodium's and the C library's too: no signal ends it, it says that
memory is missing and ends with 3, or what it did is right; no file is left
half written, and a responder serves the next session.
"""
import errno
import os
import re
from concurrent.futures import ThreadPoolExecutor

import files as command
import initiate
import respond
from faults import *  # noqa: F403

SAYS = re.compile("out of memory|[Cc]annot allocate memory|not enough memory"
                  "|resource temporarily unavailable")
HOW = (("one", False), ("all-from", True))


def tried(name, faults, attempt):
    for how, lasts in HOW:
        wrong, n = each(faults, "memory", "any", errno.ENOMEM, attempt, lasts)
        case("%s/%s" % (name, how), wrong if n else ["nothing was hit"],
             "n = 1..%d" % n)


def commands(faults, was):
    for flow in command.FLOWS:
        def attempt():
            result = run(flow.words, faults.env)
            fault = command.judge(flow, was, result, (0, 3), "")
            if not fault and result[0] == 3 and not SAYS.search(result[2]):
                fault = "said: " + result[2]
            restore(was)
            return fault

        tried(flow.name, faults, attempt)


def initiator(name, token, responder):
    faults = Faults()

    def attempt():
        code, out, err = run(["initiate", "--connect", responder.address,
                              *token], faults.env, initiate.DATA)
        hit = faults.hit
        if (code, out) == (0, initiate.DATA):
            return None
        if not hit or code != 3 or out not in (b"", initiate.DATA) or \
                not SAYS.search(err.splitlines()[0]):
            return "exit %s, %r: %s" % (code, out, err.strip())
        return None

    tried("initiate-" + name, faults, attempt)
    code = responder.stop()
    case("initiate-%s/responder-ends-well" % name,
         ["exit %s" % code] if code else [])


def served(house, name, token, *options, sink=("--echo",), codes=(3, 4, 8)):
    s = respond.Served(house, name, token, *options, sink=sink)
    for how, lasts in HOW:
        def attempt():
            (code, out, err), line = s.session()
            if not s.r.alive():
                return "the responder ended with %s: %s" % (
                    s.r.process.poll(), s.r.log()[-1:])
            if (code, out) == (0, respond.DATA):
                return None if "result=ok" in line else line
            if not s.faults.hit or code not in codes or out:
                return "exit %s, %r: %s; there %s" % (code, out, err.strip(),
                                                      line)
            return None

        wrong, n = each(s.faults, "memory", "any", errno.ENOMEM, attempt,
                        lasts)
        after = s.good()
        case("respond-%s/%s" % (name, how),
             (wrong if n else ["nothing was hit"]) +
             ([after] if after else []), "n = 1..%d" % n)
    s.stop()


def begins(house):
    faults = Faults()

    def attempt():
        fault = respond.begin(house, faults, False)
        return fault

    tried("respond-begins", faults, attempt)


def main():
    need_shim()
    with House() as house:
        was = files()
        house.write("other", "another horse\n")
        house.hf("ca", "revoke", "ca", "-o", "old.list")
        was = files()
        commands(Faults(), was)
        accept = ["--users", "users", "--ring", "ring"]
        ask = house.write("ask", "#!/bin/sh\nread -r u; read -r p\n"
                          "[ \"$p\" = 'correct horse' ]\n", 0o700)
        plain = ["--password-command", os.path.join(house.dir, ask)]
        with ThreadPoolExecutor(8) as pool:
            done = []
            for name, token in initiate.tokens(house):
                options = plain if name == "plain-password" else accept
                done.append(pool.submit(initiator, name, token, house.respond(
                    name, *options)))
                done.append(pool.submit(served, house, "to-" + name, token,
                                        *options))
            done.append(pool.submit(served, house, "exec", house.certified,
                                    sink=("--exec", "cat")))
            done.append(pool.submit(served, house, "gives-tickets",
                                    house.certified, "--ring", "ring",
                                    "--issue-tickets", "1h"))
            for d in done:
                d.result()
        begins(house)
    finish()


if __name__ == "__main__":
    main()
