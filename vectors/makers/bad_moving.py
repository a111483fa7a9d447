# SPDX-License-Identifier: ISC
"""The vectors under bad/ of sessions that move."""

from __future__ import annotations

from typing import Iterator

from . import moving
from .world import Json


def files_of_vectors() -> Iterator[tuple[str, Iterator[Json]]]:
    yield "entry", moving.bads()
