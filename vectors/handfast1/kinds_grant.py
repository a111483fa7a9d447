# SPDX-License-Identifier: ISC
"""Kinds of vectors about key grants."""

from __future__ import annotations

from . import certs, cose, keygrants
from .crypto import H
from .play import Draws, Json, unhex
from .registry import kind
from .states import Generation

FIELDS = ("cluster", "serial", "scope", "targets", "generations", "not_after")


@kind("key-grant", "seed", "member", *FIELDS, "random")
def key_grant(v: Json) -> Json:
    """`seed` is the cluster's; `member` the certificate it is for."""
    member = certs.read_certificate(unhex(v["member"]))
    grant = keygrants.Grant(
        v["cluster"],
        v["serial"],
        H(member.raw),
        v["scope"],
        tuple(v["targets"]),
        tuple(
            Generation(g["number"], unhex(g["key"]), g["cut_off"])
            for g in v["generations"]
        ),
        v["not_after"],
    )
    draws = Draws(v["random"])
    raw = keygrants.make(unhex(v["seed"]), grant, member, draws(32))
    payload, signed = cose.read("key grant", raw, lambda r: r.rest())
    return {
        "payload": payload.hex(),
        "signed": signed.signed.hex(),
        "signature": signed.signature.hex(),
        "bytes": raw.hex(),
    }


@kind(
    "key-grant-open",
    *("seed", "leaf", "cluster", "now", "serial", "tolerance", "bytes"),
)
def key_grant_open(v: Json) -> Json:
    """`seed` and `leaf` are the member's, `cluster` is the certificate."""
    found = keygrants.accept(
        unhex(v["bytes"]),
        certs.read_certificate(unhex(v["leaf"])),
        certs.read_certificate(unhex(v["cluster"])),
        certs.Identity(unhex(v["seed"])).private,
        v["now"],
        v["serial"],
        v["tolerance"],
    )
    return {
        "scope": found.scope,
        "targets": list(found.targets),
        "generations": [
            {"number": g.number, "key": g.key.hex(), "cut_off": g.cut_off}
            for g in found.generations
        ],
        "not_after": found.not_after,
    }
