#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program with every call for randomness failing in turn (threat A46): it
says that there is none and ends with 3, having written and sent nothing made
without it; where the kernel never had that call, /dev/urandom is read. A
responder ends, too: what it would make next could not be trusted.
"""
import errno

import files as command
import initiate
import respond
from faults import *  # noqa: F403

SAYS = "handfast: error: no randomness: the crypto library failed " \
    "(HF_E_CRYPTO)"
HOW = (("one", False), ("all-from", True))


def tried(name, faults, attempt):
    for how, lasts in HOW:
        wrong, n = each(faults, "random", "any", errno.EIO, attempt, lasts)
        case("%s/%s" % (name, how), wrong if n else ["nothing was hit"],
             "n = 1..%d" % n)


def commands(faults, was):
    for flow in command.FLOWS:
        def attempt():
            result = run(flow.words, faults.env)
            fault = command.judge(flow, was, result, (0, 3), "")
            if not fault and result[0] == 3 and \
                    not result[2].startswith(SAYS):
                fault = "said: " + result[2]
            restore(was)
            return fault

        if flow.name != "user-del":  # draws no more than libsodium's start
            tried(flow.name, faults, attempt)


def initiators(house):
    r = house.respond("both", "--users", "users", "--ring", "ring")
    for name, token in initiate.tokens(house):
        if name == "plain-password":
            continue
        faults = Faults()

        def attempt():
            code, out, err = run(["initiate", "--connect", r.address, *token],
                                 faults.env, initiate.DATA)
            if (code, out) == (0, initiate.DATA):
                return None
            if code != 3 or out or not err.startswith(SAYS):
                return "exit %s, %r: %s" % (code, out, err)
            return None

        tried("initiate-" + name, faults, attempt)
    code = r.stop()
    case("initiate/responder-ends-well", ["exit %s" % code] if code else [])


def begins(house):
    faults = Faults()

    def attempt():
        fault = respond.begin(house, faults, False)
        if fault and fault.startswith("exit 3: " + SAYS):
            return None
        return fault

    tried("respond-begins", faults, attempt)


def serves(house):
    """One draw of a session after the other: none is answered without."""
    for name, token in initiate.tokens(house):
        if name == "plain-password":
            continue
        wrong, n, served = [], 0, False
        while not served and n < 20:
            n += 1
            s = respond.Served(house, name, token, "--users", "users",
                               "--ring", "ring")
            s.faults.set("random", "any", errno.EIO, n)
            code, out, err = run(["initiate", "--connect", s.r.address,
                                  *token], {}, respond.DATA)
            if not s.faults.hit:
                served = (code, out) == (0, respond.DATA)
                if not served:
                    wrong.append("without a fault: exit %s: %s" % (code, err))
                s.r.stop()
                continue
            ended = s.r.process.wait(20)
            house.responders.remove(s.r)
            if ended != 3 or SAYS not in s.r.log():
                wrong.append("n = %d: there %s: %s" % (n, ended, s.r.log()))
            if code != 3 or out:
                wrong.append("n = %d: exit %s, %r: %s" % (n, code, out, err))
        case("respond-serves-%s" % name, wrong if n > 1 else
             ["nothing was hit"], "n = 1..%d" % (n - 1))


def main():
    need_shim()
    with House() as house:
        house.write("other", "another horse\n")
        house.hf("ca", "revoke", "ca", "-o", "old.list")
        commands(Faults(), files())
        initiators(house)
        begins(house)
        serves(house)
    finish()


if __name__ == "__main__":
    main()
