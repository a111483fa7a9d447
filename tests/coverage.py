#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Lines and branches of proto/ that the tests reached, by gcov.

    coverage.py BUILD      a tree built with --coverage, whose tests have run

Every line that was not reached must stand in tests/uncovered.txt, under the
reason why; a line there that was reached, or is not in the file any more,
fails too. Nothing is left out of the counts: a line is one that gcc made code
for, and a branch is a way out of a conditional jump at -O0, so that each side
of `a && b` has two.
"""
import collections
import glob
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
LIST = os.path.join(HERE, "uncovered.txt")
LINES, BRANCHES = 95.0, 85.0  # per cent, at least

Line = collections.namedtuple("Line", "number function count branches text")
failed = passed = 0


def check(what, wrong):
    global failed, passed
    if wrong:
        failed += 1
    else:
        passed += 1
    print(("FAIL " if wrong else "PASS ") + what, *wrong, sep="\n    ")


def lines_of(build, source):
    """What gcov says of one file of proto/."""
    data = os.path.join(build, source[:-2] + ".gcda")
    p = subprocess.run(["gcov", "--json-format", "--stdout", "-b", data],
                       cwd=ROOT, stdout=subprocess.PIPE, check=True)
    text = open(os.path.join(ROOT, source)).read().split("\n")
    for f in json.loads(p.stdout)["files"]:
        if os.path.join(ROOT, f["file"]) == os.path.join(ROOT, source):
            return [Line(x["line_number"], x.get("function_name", ""),
                         x["count"], x["branches"],
                         text[x["line_number"] - 1].strip())
                    for x in f["lines"]]
    sys.exit("gcov knows nothing of " + source)


def read_list():
    """(file, function, text) of the lines that have a reason, and how many
    of a function's lines are that one."""
    known, where = collections.Counter(), None
    for number, line in enumerate(open(LIST), 1):
        line = line.rstrip("\n")
        if line.startswith("@ "):
            where = tuple(line[2:].split(" "))
            if len(where) != 2:
                sys.exit("%s:%d: not @ FILE FUNCTION" % (LIST, number))
        elif line.startswith("\t"):
            known[where + (line.strip(),)] += 1
        elif line and not line.startswith("#"):
            sys.exit("%s:%d: what is %r?" % (LIST, number, line))
    return known


def per_cent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def main():
    build = sys.argv[1]
    known, used = read_list(), collections.Counter()
    total = collections.Counter()
    for path in sorted(glob.glob(os.path.join(ROOT, "proto", "*.c"))):
        source = os.path.relpath(path, ROOT)
        lines = lines_of(build, source)
        missed = [x for x in lines if x.count == 0]
        ways = [b for x in lines for b in x.branches]
        n = collections.Counter(lines=len(lines), branches=len(ways))
        n["hit"] = len(lines) - len(missed)
        n["taken"] = sum(b["count"] > 0 for b in ways)
        total += n
        wrong = []
        for x in missed:
            key = (source, x.function, x.text)
            used[key] += 1
            if used[key] > known[key]:
                wrong.append("%s:%d: %s: no reason why not: %s" %
                             (source, x.number, x.function, x.text))
        check("%s: lines %d of %d (%.1f %%), branches %d of %d (%.1f %%)" %
              (source, n["hit"], n["lines"],
               per_cent(n["hit"], n["lines"]), n["taken"], n["branches"],
               per_cent(n["taken"], n["branches"])), wrong)
    check("tests/uncovered.txt: %d lines, each of them not reached" %
          sum(known.values()), sorted("%s %s: %s" % k for k in known - used))
    for what, part, least in (("lines", "hit", LINES),
                              ("branches", "taken", BRANCHES)):
        reached = per_cent(total[part], total[what])
        check("proto: %d of %d %s, %.1f %%, at least %.0f" %
              (total[part], total[what], what, reached, least),
              [] if reached >= least else ["too few"])
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())
