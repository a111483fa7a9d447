#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""spec/handfast.lua, for Wireshark, says what spec/handfast.md does: the same
messages, alerts, suites and extensions by the same names. What it makes of
bytes dissect.py asks a tshark.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import session as s  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ITEMS = r'(?:\[(\d+)\] = )?"([^"]*)"'


def read(name):
    with open(os.path.join(TOP, "spec", name), encoding="utf-8") as f:
        return f.read()


def table(lua, name, first=1):
    """A table of names, by number; what is said in parentheses is not one."""
    body = re.search(r"(?s)local %s = \{(.*?)\}" % name, lua).group(1)
    found, at = {}, first
    for index, word in re.findall(ITEMS, body):
        at = int(index) if index else at
        found[at] = word.replace(" (reserved)", "")
        at += 1
    return found


def rows(text, heading, column=1):
    """The table below a heading: a number, and the word in that column."""
    part = text.split("\n%s\n" % heading, 1)[1].split("\n#", 1)[0]
    found = {}
    for line in part.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0].isdigit():
            found[int(cells[0])] = cells[column]
    return found


def names():
    spec, lua = read("handfast.md"), read("handfast.lua")
    s.same("names: messages", rows(spec, "## 4 Messages"),
           table(lua, "types", 0))
    s.same("names: numbers of items",
           {k: int(v) for k, v in rows(spec, "## 4 Messages", 3).items()},
           items_of(lua))
    s.same("names: alerts", rows(spec, "### 12.2 Alerts"),
           table(lua, "alerts"))
    s.same("names: suites", rows(spec, "### 3.1 Suites"),
           table(lua, "suites"))
    keys = rows(spec, "### 4.1 Extensions, and hello", 3)
    s.same("names: extensions",
           {k: re.match(r"\*\*(\w+)\*\*", v).group(1)
            for k, v in keys.items()}, table(lua, "known"))


def items_of(lua):
    """How many items a message has, of each shape that is written down."""
    body = lua.split("local messages = {", 1)[1].split("\n}\n", 1)[0]
    found = {}
    for number, fields in re.findall(r"(?s)\[(\d+)\] = \{(.*?) \},", body):
        depth, count = 0, 1
        for c in fields:
            depth += (c == "(") - (c == ")")
            count += c == "," and depth == 0
        found[int(number)] = count + 1
    return found


names()
s.finish()
