#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A little of `make load`: what must hold, whatever the machine does besides;
the figures are those of the full run."""
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "load"))
import crowds  # noqa: E402
import parts  # noqa: E402
import session  # noqa: E402
import torn  # noqa: E402


def together(*parts):
    """At once: most of each is waiting."""
    threads = [threading.Thread(target=crowds.whole, args=(p,))
               for p in parts]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def main():
    with crowds.prepared() as house:
        together(lambda: parts.idle(house, 120, 6, 20, crawl=False),
                 lambda: parts.oversized(house, 50),
                 lambda: parts.exhausted(house),
                 lambda: torn.torn(house, 50),
                 lambda: torn.deserted(house))
        parts.flood(house, 1, 1, 1.5, 300, 32, False)
        parts.churn(house, 2000, 512)
    session.finish()


main()
