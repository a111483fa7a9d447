# SPDX-License-Identifier: ISC
"""Whether what several processes saw of a store could have come from one that
does everything at one moment between its begin and its end, and one after the
other: linearizability, by all orders that are possible.

Each key is judged alone, which is enough. A key's state is its value; a get
tells it, a compare-and-set that succeeds found what it expected and left the
next value, one that is refused (HF_E_FENCED) found something else. Of one that
failed otherwise, or never ended, nobody knows: it happened at any time since
it began, or not at all.
"""

from __future__ import annotations

import collections
from typing import NamedTuple

NOTHING = "-"
OPEN = float("inf")


class Op(NamedTuple):
    id: tuple[str, str]
    key: str
    kind: str  # "get" or "swap"
    begin: float
    end: float  # OPEN where nobody knows what became of it
    expected: str  # of a swap
    value: str  # what a get told; what a swap writes
    result: str  # "ok", "fenced", "unknown"


def parse(lines) -> tuple[list[Op], collections.Counter]:
    """The operations of a history, and how many ended how."""
    begun: dict[tuple[str, str], list[str]] = {}
    ended: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        words = line.split()
        (begun if words[2] == "i" else ended)[words[0], words[1]] = words[3:]
    ops, counts = [], collections.Counter()
    for id, (when, kind, key, *more) in begun.items():
        end, name, *told = ended.get(id, ["inf", "never ended"])
        counts[kind, name] += 1
        expected, value = (NOTHING, "") if kind == "get" else more
        result = {"HF_OK": "ok", "HF_E_FENCED": "fenced"}.get(name, "unknown")
        if kind == "get":
            if name not in ("HF_OK", "HF_E_NO_SESSION"):
                continue  # it tells nothing
            value, result = told[0], "ok"
        ops.append(Op(id, key, kind, float(when),
                      OPEN if result == "unknown" else float(end), expected,
                      value, result))
    return ops, counts


def fits(state: str, op: Op) -> bool:
    """Whether it can happen now."""
    if op.kind == "get":
        return op.value == state
    return (op.expected != state) if op.result == "fenced" else \
        (op.expected == state)


def settled(state: str, done: frozenset, pending: dict):
    """Whatever changes nothing has happened as soon as it can: that never
    stands in the way of anything."""
    return state, done | {op.id for op in pending.values()
                          if not changes(op) and fits(state, op)}


def changes(op: Op) -> bool:
    return op.kind == "swap" and op.result != "fenced"


def reach(configs: set, pending: dict, op: Op) -> set:
    """All that may be the case when `op` has ended."""
    found, todo, known = set(), list(configs), set(configs)
    while todo:
        state, done = todo.pop()
        if op.id in done:
            found.add((state, done - {op.id}))
            continue
        for other in pending.values():
            if other.id in done or not changes(other) or \
                    not fits(state, other):
                continue
            config = settled(other.value, done | {other.id}, pending)
            if config not in known:
                known.add(config)
                todo.append(config)
    return found


def judge_key(ops: list[Op], first: str = NOTHING) -> Op | None:
    """The first operation whose end cannot be explained."""
    events = sorted([(op.begin, 0, op) for op in ops] +
                    [(op.end, 1, op) for op in ops if op.end != OPEN],
                    key=lambda e: e[:2])
    configs: set = {(first, frozenset())}
    pending: dict = {}
    for _, end, op in events:
        if not end:
            pending[op.id] = op
            configs = {settled(state, done, pending)
                       for state, done in configs}
            continue
        configs = reach(configs, pending, op)
        if not configs:
            return op
        del pending[op.id]
    return None


def judge(ops: list[Op]) -> list[Op]:
    """Of each key that is not linearizable the operation that shows it."""
    keys = collections.defaultdict(list)
    for op in ops:
        keys[op.key].append(op)
    return [bad for key in sorted(keys)
            if (bad := judge_key(keys[key])) is not None]
