#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`make load`: everything in full, a line for each check, all figures into
build/load.json. The last line says how many passed."""
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crowds  # noqa: E402
import parts  # noqa: E402
import session  # noqa: E402
import torn  # noqa: E402

SAN = os.environ.get("HANDFAST_SAN")  # the program, with AddressSanitizer


def sanitized(house):
    """A smaller churn for which a leak would be reported at the end."""
    session.PROGRAM, plain, parts.SAN = SAN, session.PROGRAM, True
    try:
        return parts.churn(house, 5000, 0)
    finally:
        session.PROGRAM, parts.SAN = plain, False


def main():
    begun = time.time()
    top = os.path.abspath(".")
    away = torn.cut_off_begin()
    figures = {}
    with crowds.prepared() as house:
        for name, part in (
                ("flood", lambda: parts.flood(house, 3, 5, 2, 10000, 2000,
                                             True)),
                ("idle", lambda: parts.idle(house, 5000, 16, 2)),
                ("oversized", lambda: parts.oversized(house, 500)),
                ("exhausted", lambda: parts.exhausted(house)),
                ("churn", lambda: parts.churn(house, 100000, 4096)),
                ("churn, sanitized", lambda: sanitized(house)),
                ("torn", lambda: torn.torn(house, 200)),
                ("deserted", lambda: torn.deserted(house))):
            at = time.time()
            figures[name] = crowds.whole(part)
            session.note("%s: %.1f s" % (name, time.time() - at))
    figures["cut off"] = crowds.whole(lambda: torn.cut_off(away))
    figures["seconds"] = time.time() - begun
    with open(os.path.join(top, session.BUILD, "load.json"), "w") as f:
        json.dump(figures, f, indent=1)
        f.write("\n")
    print("%d passed, %d failed" % (session.passed, session.failures))
    sys.exit(session.failures > 0)


main()
