#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Makes the vectors, the same bytes in every run."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any, Iterable

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from handfast1 import kinds  # noqa: E402
from makers import (
    agents,
    bad_certs,
    bad_moving,
    bad_objects,
    bad_refresh,
    bad_resumed,
    bad_sealed,
    bad_wire,
    channels,
    counters,
    dispatchers,
    moving,
    ok,
    ok_session,
    resting,
    takeovers,
)  # noqa: E402

MAKERS = (
    ("ok", ok),
    ("ok", ok_session),
    ("ok", moving),
    ("ok", takeovers),
    ("ok", dispatchers),
    ("ok", counters),
    ("ok", channels),
    ("ok", resting),
    ("ok", agents),
    ("bad", bad_wire),
    ("bad", bad_sealed),
    ("bad", bad_certs),
    ("bad", bad_objects),
    ("bad", bad_moving),
    ("bad", bad_resumed),
    ("bad", bad_refresh),
    ("bad", dispatchers.bad),
    ("bad", counters.bad),
    ("bad", channels.bad),
    ("bad", resting.bad),
    ("bad", agents.bad),
)


def whole(folder: str, vectors: Iterable[dict[str, Any]]) -> str:
    """A file's text. Each maker says which error it expects: the
    implementation has to agree."""
    done = []
    for vector in vectors:
        made = kinds.compute(vector)
        error = made.get("error")
        if (error is not None) != (folder == "bad"):
            raise SystemExit(f"{vector['id']}: {error}")
        if error != vector.get("expected", error):
            raise SystemExit(
                f"{vector['id']}: {error} is not {vector['expected']}"
            )
        done.append(made)
    print(f"{len(done):5}", end="")
    text = json.dumps({"vectors": done}, indent=1, ensure_ascii=False)
    return text + "\n"


def main() -> None:
    texts: dict[pathlib.Path, str] = {}
    for folder, maker in MAKERS:
        for name, vectors in maker.files_of_vectors():
            path = HERE / folder / f"{name}.json"
            texts[path] = whole(folder, vectors)
            print(f"  {folder}/{name}.json")
    for path in [*HERE.glob("ok/*.json"), *HERE.glob("bad/*.json")]:
        if path not in texts:
            path.unlink()
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
