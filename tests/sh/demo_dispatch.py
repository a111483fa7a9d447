#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""make demo-dispatch, with few clients: it does what it says."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import servers  # noqa: E402
import session as s  # noqa: E402

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                    "demo_dispatch.py")


def demo(*words):
    return subprocess.run([sys.executable, DEMO, *words], timeout=800,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env={**os.environ, "STORE": "lmdb",
                                          "WORKERS": "1"})


def shown():
    """All that must be so, with 12 clients."""
    done = demo("--clients", "12", s.PROGRAM)
    s.same("shown: exit code", 0, done.returncode)
    s.check("shown: report", "digests of both directions\n" not in
            done.stdout and "handshakes  12: one a client" in done.stdout and
            done.stdout.count("kill -9") == 5, done.stdout)
    drains = re.findall(r"drain \w+: its (\d+) sessions left within .*; "
                        r"(\d+) were asked to", done.stdout)
    s.check("shown: drains", len(drains) == 3 and
            all(int(n) > 0 for drain in drains for n in drain), done.stdout)


def others():
    """The same with two workers, and on the stores that are servers."""
    if s.SAN:
        s.note("others: not with sanitizers, which only make them slow")
        return
    for store, kind in servers.KINDS.items():
        if not kind.here():
            s.note("others: no server of %s" % store)
            continue
        done = demo("--clients", "6", "--store", store, "--workers", "2",
                    s.PROGRAM)
        s.same("others: %s: exit code" % store, 0, done.returncode)
        s.check("others: %s: report" % store, "(2 workers)" in done.stdout
                and "one store: " + store in done.stdout and
                "handshakes  6: one a client" in done.stdout, done.stdout)


def fails():
    """A program that does nothing."""
    done = demo("--clients", "2", "/bin/false")
    s.same("fails: exit code", 1, done.returncode)
    s.check("fails: it is said", "FAILED: " in done.stdout, done.stdout)


if not os.access(s.PROGRAM, os.X_OK):
    s.skip("no program at " + s.PROGRAM)
for test in shown, others, fails:
    if len(sys.argv) == 1 or test.__name__ in sys.argv[1:]:
        test()
s.finish()
