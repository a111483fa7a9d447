#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program with few descriptors (RLIMIT_NOFILE) and little memory
(RLIMIT_AS), from none at all to enough: it says what is missing and ends with
3, or what it did is right; a responder that has too little for another
session keeps those it has, and serves again when it may.
"""
import os
import re
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import files as command
import initiate
import respond
from faults import *  # noqa: F403

SAYS = re.compile("out of memory|cannot allocate memory|not enough memory|"
                  "resource temporarily unavailable|too many open files", re.I)
KIB = 1024
# What is allowed, and the least number of steps that must fail and succeed.
FILES = [str(n) for n in range(3, 26)]
SMALL = [str(n * KIB) for n in (0, 4, 16, 32, 64, 96, 128, 192, 256, 384, 512,
                                1024, 4096, 16384)]
LARGE = [str(n * KIB) for n in (0, 64, 256, 1024, 4096, 8192, 16384, 24576,
                                32768, 40960, 65536, 131072, 262144)]


def stepwise(name, variable, steps, attempt, least=1):
    """attempt(env) for each step; it says what was wrong and whether the
    limit was felt: so often at least, and not at the last."""
    wrong, felt = [], []
    for step in steps:
        fault, low = attempt({variable: step})
        felt.append(low)
        if fault:
            wrong.append("%s=%s: %s" % (variable, step, fault))
    if sum(felt) < least or felt[-1]:
        wrong.append("felt at %s" % [s for s, f in zip(steps, felt) if f])
    case("%s/%s" % (variable[9:].lower(), name), wrong,
         "%d of %d steps" % (sum(felt), len(felt)))


def commands(faults, was):
    for flow in command.FLOWS:
        def attempt(env):
            result = run(flow.words, dict(faults.env, **env))
            fault = command.judge(flow, was, result, (0, 3), "")
            if not fault and result[0] == 3 and not SAYS.search(result[2]):
                fault = "said: " + result[2]
            restore(was)
            return fault, result[0] == 3

        stepwise(flow.name, "HANDFAST_FILES", FILES[:12], attempt)
        # What is there at the start may be enough.
        stepwise(flow.name, "HANDFAST_AS", SMALL, attempt, 0)


def initiators(house, name, token, responder):
    env = Faults().env

    def attempt(more):
        code, out, err = run(["initiate", "--connect", responder.address,
                              *token], dict(env, **more), initiate.DATA)
        if (code, out) == (0, initiate.DATA):
            return None, False
        if code != 3 or out or not SAYS.search(err.splitlines()[0]):
            return "exit %s, %r: %s" % (code, out, err.strip()), True
        return None, True

    stepwise("initiate-" + name, "HANDFAST_FILES", FILES, attempt)
    stepwise("initiate-" + name, "HANDFAST_AS", LARGE, attempt)
    code = responder.stop()
    case("%s/responder-ends-well" % name, ["exit %s" % code] if code else [])


def responders(house):
    """It does not begin, or serves at least one."""
    def attempt(more):
        faults = Faults()
        faults.env.update(more)
        began = []

        def once():
            fault = respond.begin(house, faults, False, began)
            return fault

        fault = once()
        low = not began
        said = open("begin.log").read()
        if low and not SAYS.search(said):
            return "said: " + said, True
        if fault and fault.startswith("exit 3: ") and low:
            fault = None
        return fault, low

    stepwise("respond", "HANDFAST_FILES", [str(n) for n in range(3, 60, 2)],
             attempt)
    stepwise("respond", "HANDFAST_AS", LARGE[:-1] + [str(1 << 30)], attempt)


def recovers(house):
    """Descriptors run out while it serves: open sessions go on, others wait
    or are refused, and when there are some again all is well."""
    r = house.respond("recovers")
    pid = r.process.pid
    p = subprocess.Popen([PROGRAM, "initiate", "--connect", r.address,
                          *house.certified], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         bufsize=0)
    p.stdin.write(b"one\n")
    wrong = [] if p.stdout.readline() == b"one\n" else ["no session"]
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    began = time.time()
    code, out, err = run(["initiate", "--connect", r.address, "--deadline",
                          "1s", *house.certified], {}, b"x\n")
    if code != 3 or out or "HF_E_" not in err or time.time() - began > 5:
        wrong.append("with none: exit %s: %s" % (code, err))
    p.stdin.write(b"two\n")
    if p.stdout.readline() != b"two\n":
        wrong.append("the open session does not go on")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    code, out, err = run(["initiate", "--connect", r.address,
                          *house.certified], {}, b"x\n")
    if (code, out) != (0, b"x\n"):
        wrong.append("again: exit %s: %s" % (code, err))
    p.stdin.close()
    p.stdout.read()
    if p.wait(30) != 0 or r.stop() != 0:
        wrong.append("they do not end well")
    case("files/recovers", wrong)


def main():
    need_shim()
    with House() as house:
        house.write("other", "another horse\n")
        house.hf("ca", "revoke", "ca", "-o", "old.list")
        commands(Faults(), files())
        accept = ["--users", "users", "--ring", "ring"]
        ask = house.write("ask", "#!/bin/sh\nread -r u; read -r p\n"
                          "[ \"$p\" = 'correct horse' ]\n", 0o700)
        with ThreadPoolExecutor(4) as pool:
            done = []
            for name, token in initiate.tokens(house):
                options = accept if name != "plain-password" else [
                    "--password-command", os.path.join(house.dir, ask)]
                done.append(pool.submit(initiators, house, name, token,
                                        house.respond(name, *options)))
            for d in done:
                d.result()
        responders(house)
        recovers(house)
    finish()


if __name__ == "__main__":
    main()
