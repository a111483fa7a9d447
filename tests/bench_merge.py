#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""bench_merge.py TO.json FROM.json...: the figures of one flat object of
numbers go into another. Of figures of each store whose worst is asked for, as
takeover_1m_over_1k, that is added."""
import json
import os
import sys

WORST = ("takeover_1m_over_1k", "takeover_many_over_1k",
         "takeover_store_many_over_1k")


def main():
    to, *others = sys.argv[1:]
    figures = {}
    for path in [to, *others]:
        if path != to or os.path.exists(path):
            with open(path, encoding="ascii") as f:
                figures.update(json.load(f))
    for name in WORST:
        each = [v for k, v in figures.items() if k.startswith(name + "_")]
        if each:
            figures[name] = max(each)
    with open(to, "w", encoding="ascii") as f:
        f.write("{" + ",".join('\n  "%s": %s' % row
                               for row in figures.items()) + "\n}\n")


if __name__ == "__main__":
    main()
