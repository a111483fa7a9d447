# SPDX-License-Identifier: ISC
"""User names, stretching and verifiers (spec section 6)."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from argon2.low_level import Type, hash_secret_raw

from . import cbor
from .crypto import H

USER = re.compile(r"[a-z0-9._@+-]{1,64}\Z")
DEFAULT_COST = (64, 2)


def salt(realm: str, user: str) -> bytes:
    """Section 6.1, step 1."""
    item = cbor.encode(["handfast/1 password", realm, user])
    return hashlib.sha256(item).digest()[:16]


@lru_cache(maxsize=256)
def argon2id(password: bytes, salt_: bytes, mib: int, passes: int) -> bytes:
    return hash_secret_raw(
        password, salt_, passes, mib * 1024, 1, 32, Type.ID, 0x13
    )


def stretch(
    realm: str, user: str, password: str, cost: tuple[int, int]
) -> bytes:
    """Section 6.1, step 2."""
    return argon2id(password.encode(), salt(realm, user), *cost)


def verifier(stretched: bytes) -> bytes:
    """Section 6.2."""
    return H(b"handfast/1 verifier" + stretched)
