#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The figures of a bench go into bench.json, where there is one and where
there is none: once each, and the last ones."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MERGE = os.path.join(HERE, "..", "bench_merge.py")
AGENT = '{\n  "agent_open_us": %d,\n  "agent_open_over_handshake": 0.05\n}\n'


def merged(to, *others):
    subprocess.run([sys.executable, MERGE, to, *others], check=True)
    with open(to) as f:
        return json.load(f, object_pairs_hook=list)


def main():
    with tempfile.TemporaryDirectory() as d:
        to, agent, store = (os.path.join(d, x)
                            for x in ("bench.json", "a.json", "s.json"))
        with open(agent, "w") as f:
            f.write(AGENT % 7)
        s.same("none was there", [["agent_open_us", 7],
                                  ["agent_open_over_handshake", 0.05]],
               [list(x) for x in merged(to, agent)])
        with open(to, "w") as f:
            f.write('{"handshake_us": 3}\n')
        with open(agent, "w") as f:
            f.write(AGENT % 8)
        for what in ("one was there", "a second time"):
            s.same(what, {"handshake_us": 3, "agent_open_us": 8,
                          "agent_open_over_handshake": 0.05},
                   dict(merged(to, agent)))
            s.same("%s: once each" % what, 3, len(merged(to, agent)))
        for name, value in (("lmdb", 1.5), ("redis", 2.5)):
            with open(store, "w") as f:
                f.write('{"takeover_1m_over_1k_%s": %s}' % (name, value))
            found = dict(merged(to, store))
        s.same("the worst of the stores", 2.5, found["takeover_1m_over_1k"])
        bad = subprocess.run([sys.executable, MERGE, to, os.path.join(d, "x")],
                             capture_output=True)
        s.check("what is not there", bad.returncode != 0 and
                dict(merged(to, agent)) == found)
    s.finish()


main()
