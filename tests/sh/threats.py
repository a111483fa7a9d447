#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""spec/threats.md is what it says it is: a row for each attack, once; in it
tests that exist, each in its file by its name, none for more than four rows;
and few that are not tested.
"""
import collections
import os
import re
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(
    __file__)), "..", ".."))
PATH = os.path.join(ROOT, "spec", "threats.md")
ROWS = {"A": 50, "B": 15, "C": 20, "D": 18}
ROOMS = ("tests/", "vectors/", "spec/model/")
MOST_ROWS, MOST_UNTESTED = 4, 8
# How a test of that name is written, by the ending of its file.
FORMS = {".c": r'(cmocka_unit_test|TEST|CASE|MADE|RELAYED)\(%s\)|'
         r'cmocka_unit_test_(setup|teardown|setup_teardown)\(%s,|'
         r'\{ (\{ )?"%s", ',
         ".py": r"(?m)^def %s\(",
         ".sh": r"(?m)^%s\(\)"}
# Of a fuzzer the function that claims it.
CLAIM = r"(?m)^%s\("
wrong = []


def fail(what, *where):
    wrong.append(": ".join([*where, what]))


def rows_of(text):
    """(id, what happens, test) of each line that is a row, or tries."""
    for number, line in enumerate(text.splitlines(), 1):
        if not re.match(r"\|\s*[A-Z]+\d", line):
            continue
        m = re.fullmatch(r"\| ([A-D]\d+) \| ([^|]+) \| ([^|]+) \|", line)
        if m is None:
            fail("not a row of three columns", "line %d" % number)
        else:
            yield m.groups()


def stands(path, name):
    """Whether a test of that name is in the file, and not only its name."""
    with open(os.path.join(ROOT, path), encoding="utf-8",
              errors="replace") as f:
        text = f.read()
    word = re.escape(name)
    form = FORMS.get(os.path.splitext(path)[1], r"(?<!\w)%s(?!\w)")
    if path.startswith("tests/fuzz/"):
        form = CLAIM
    return re.search(form.replace("%s", word), text) is not None


def judge(where, test):
    """One `file:test`."""
    if not re.fullmatch(r"[^\s:`]+:[^\s:`]+", test):
        fail("not `file:test`: %s" % test, where)
        return
    path, name = test.split(":")
    if not path.startswith(ROOMS) or ".." in path:
        fail("%s is in none of %s" % (path, ", ".join(ROOMS)), where)
    elif not os.path.isfile(os.path.join(ROOT, path)):
        fail("there is no %s" % path, where)
    elif not stands(path, name):
        fail("there is no test %s in %s" % (name, path), where)


def main():
    with open(PATH, encoding="utf-8") as f:
        rows = list(rows_of(f.read()))
    seen = collections.Counter(row[0] for row in rows)
    for letter, n in ROWS.items():
        for i in range(1, n + 1):
            if seen.pop("%s%d" % (letter, i), 0) != 1:
                fail("not there once", "%s%d" % (letter, i))
    for where in seen:
        fail("no such row", where)
    uses, untested = collections.defaultdict(set), []
    for where, what, tests in rows:
        names = re.findall(r"`([^`]*)`", tests)
        for test in names:
            judge(where, test)
            uses[test].add(where)
        if where[0] in "AB" and not names:
            untested.append(where)
            if not re.fullmatch(r"not tested: .{10,}", tests):
                fail("neither a test nor a reason", where)
        if re.search("waits? for the shared", what):
            fail("may not wait for anything", where)
        if where[0] in "CD" and not names and "due with" not in tests:
            fail("neither a test nor what it is due with", where)
    for test, where in uses.items():
        if len(where) > MOST_ROWS:
            fail("%s serves %d rows: %s" % (test, len(where),
                                            ", ".join(sorted(where))))
    if len(untested) > MOST_UNTESTED:
        fail("%d rows are not tested: %s" % (len(untested),
                                             ", ".join(untested)))
    for line in wrong:
        print("FAIL:", line)
    print("note: %d rows, %d tests, %d rows of A and B not tested" %
          (len(rows), len(uses), len(untested)))
    sys.exit(1 if wrong else 0)


main()
