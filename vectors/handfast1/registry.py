# SPDX-License-Identifier: ISC
"""The kinds of vectors by name: the inputs of each, and what computes the
rest from them."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Callable

from .errors import HandfastError
from .play import Json, Mismatch

INPUTS: dict[str, tuple[str, ...]] = {}
_COMPUTE: dict[str, Callable[[Json], Json]] = {}


def kind(name: str, *inputs: str) -> Callable[[Any], Any]:
    """Registers the function of a kind, with the names of its inputs."""

    def register(function: Callable[[Json], Json]) -> Any:
        INPUTS[name] = ("id", "kind", "note") + inputs
        _COMPUTE[name] = function
        return function

    return register


def seal_sum(vector: Json) -> str:
    """`sum`: H over the vector without it, as JSON with sorted keys and no
    blanks: also digits that change nothing else are guarded."""
    body = {k: v for k, v in vector.items() if k != "sum"}
    text = json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def compute(vector: Json) -> Json:
    """The whole vector anew, from its inputs alone."""
    name = vector["kind"]
    if name not in _COMPUTE:
        raise Mismatch(f"unknown kind {name}")
    whole = {k: vector[k] for k in INPUTS[name] if k in vector}
    missing = [k for k in INPUTS[name] if k not in whole and k != "note"]
    if missing:
        raise Mismatch(f"lacks {', '.join(missing)}")
    try:
        whole.update(_COMPUTE[name](whole))
    except HandfastError as fault:
        whole["error"] = fault.name
    whole["sum"] = seal_sum(whole)
    return whole
