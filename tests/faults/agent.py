#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An agent with every allocation failing in turn, alone and with all that
follow: as it begins, while it opens a session and a channel for an application,
and while it closes that. It lives, the application is told, and the next one is
served; and an application that has no memory says so.
"""
import errno
import os
import subprocess
import time

from faults import *  # noqa: F403

DATA = b"through an agent\n" * 2000
CONF = """socket = "%s"
peer one {
  address = {"%s"}
  trust = {"ca/ca.cert"}
  expect = "server"
  identity = "alice.key"
  certificate = "alice.cert"
}
"""
HOW = (("one", False), ("all-from", True))


def tried(name, faults, attempt, after=lambda: None):
    for how, lasts in HOW:
        wrong, n = each(faults, "memory", "any", errno.ENOMEM, attempt, lasts)
        last = after()
        case("%s/%s" % (name, how), (wrong if n else ["nothing was hit"]) +
             ([last] if last else []), "n = 1..%d" % n)


def begins():
    """--check does all that it does before it listens. What libconfuse does
    without memory, it ends the program among others, is not judged."""
    faults = Faults()

    def attempt():
        code, out, err = run(["agent", "--config", "agent.conf", "--check"],
                             faults.env)
        if code == 0 or (faults.hit and code == 3 and "memory" in err) or \
                "libconfuse" in faults.where or (
                    code < 0 and faults.where.endswith("strdup")):
            return None
        return "exit %s: %s" % (code, err.strip())

    wrong, n = each(faults, "memory", "any", errno.ENOMEM, attempt)
    case("begins/one", wrong if n else ["nothing was hit"], "n = 1..%d" % n)


class Agent:
    def __init__(self, house, path):
        self.path, self.faults = path, Faults()
        with open("agent.log", "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "agent", "--config", "agent.conf"], stderr=log,
                env=dict(os.environ, **self.faults.env))
        until = time.monotonic() + 20
        while not os.path.exists(path) and time.monotonic() < until:
            time.sleep(0.01)
        case("begins/without-faults", [self.good()] if self.good() else [])

    def asked(self, env=None):
        return run(["initiate", "--shared", "one", "--agent", self.path],
                   env or {}, DATA)

    def close(self):
        return run(["agent", "close", "one", "--agent", self.path], {})

    def served(self):
        """One application, and the end of the session."""
        code, out, err = self.asked()
        self.close()
        if self.process.poll() is not None:
            return "the agent ended with %s" % self.process.returncode
        if (code, out) == (0, DATA):
            return None
        if self.faults.hit and code in (3, 4) and DATA.startswith(out):
            return None
        return "exit %s, %d bytes: %s" % (code, len(out), err.strip())

    def good(self):
        for _ in range(20):  # a connection that it could not take waits
            code, out, err = self.asked()
            if (code, out) == (0, DATA):
                return None
            time.sleep(0.25)
        return "afterwards: exit %s: %s" % (code, err.strip())

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        case("ends-well", [] if code == 0 else ["exit %s" % code])


def application(agent):
    faults = Faults()

    def attempt():
        code, out, err = agent.asked(faults.env)
        if (code, out) == (0, DATA) or (
                faults.hit and code == 3 and "memory" in err):
            return None
        return "exit %s, %d bytes: %s" % (code, len(out), err.strip())

    tried("application", faults, attempt, agent.good)


def main():
    need_shim()
    with House() as house:
        responder = house.respond("one")
        path = os.path.join(house.dir, "run", "agent")
        house.write("agent.conf", CONF % (path, responder.address))
        begins()
        agent = Agent(house, path)
        tried("serves", agent.faults, agent.served, agent.good)
        application(agent)
        agent.stop()
    finish()


if __name__ == "__main__":
    main()
