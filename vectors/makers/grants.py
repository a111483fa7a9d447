# SPDX-License-Identifier: ISC
"""Key grants, good and bad (spec section 19.2)."""

from __future__ import annotations

from typing import Any, Iterator

from handfast1 import certs, keygrants
from handfast1.crypto import H, x25519_public
from handfast1.states import Generation

from . import moving, world as w
from .forge import Raw, item
from .world import Json

CLUSTER = w.cert("cluster", certs.CLUSTER)
EPHEMERAL = w.draw("grant ephemeral")


def generations(count: int) -> list[Json]:
    return [
        {
            "number": number,
            "key": w.draw(f"generation {number}").hex(),
            "cut_off": 0 if number == count else w.NOW + number,
        }
        for number in range(count, 0, -1)
    ]


def makes() -> Iterator[Json]:
    for name, changes in (
        ("one", {}),
        ("most", {"generations": generations(8), "serial": 1 << 53}),
        ("targets", {"targets": ["", "t" * 255, "files"]}),
        ("targets-16", {"targets": [str(i) for i in range(16)]}),
        ("own-copy", {"member": CLUSTER.hex(), "not_after": 1 << 53}),
    ):
        yield {
            "id": f"key-grant-{name}",
            "kind": "key-grant",
            "seed": w.seed("cluster").hex(),
            "member": moving.FIRST.hex(),
            "cluster": "cluster",
            "serial": 1,
            "scope": "default",
            "targets": [],
            "generations": generations(1),
            "not_after": w.NOW + 86400,
            "random": [w.draw(f"grant {name}").hex()],
            **changes,
        }


def forged(**changes: Any) -> bytes:
    """Fields of the payload; plain, public, seed: how it is sealed and
    signed; after: fields that were changed after the sealing."""
    seed = changes.pop("seed", w.seed("cluster"))
    plain = changes.pop("plain", None)
    public = changes.pop("public", w.identity("echo").public)
    after = changes.pop("after", {})
    fields: Json = {
        "version": 1,
        "cluster": "cluster",
        "serial": 5,
        "member": H(moving.FIRST),
        "scope": "default",
        "targets": [],
        "generations": [[2, 0], [1, w.NOW + 9]],
        "not_after": w.NOW + 3600,
        "enc": x25519_public(EPHEMERAL),
        "ciphertext": None,
    }
    fields.update(changes)
    if plain is None:
        plain = item([w.draw("g 2"), w.draw("g 1")])
    if fields["ciphertext"] is None:
        secret = keygrants.hpke.encap(public, EPHEMERAL)
        info = keygrants.LABEL + item(list(fields.values())[:8])
        key, nonce = keygrants.hpke.key_schedule(0, secret, info, b"", b"")
        fields["ciphertext"] = keygrants.hpke.box_seal(key, nonce, b"", plain)
    fields.update(after)
    return keygrants.sign(seed, item(list(fields.values())))


def opens(
    name: str, raw: bytes, error: str | None = None, **changes: Any
) -> Json:
    vector: Json = {
        "id": f"key-grant-open-{name}",
        "kind": "key-grant-open",
        "seed": w.seed("echo").hex(),
        "leaf": moving.FIRST.hex(),
        "cluster": CLUSTER.hex(),
        "now": w.NOW,
        "serial": 5,
        "tolerance": 120,
        "bytes": raw.hex(),
        **changes,
    }
    if error:
        vector["expected"] = error
    return vector


def goods() -> Iterator[Json]:
    yield opens("good", forged())
    yield opens("serial-above", forged(serial=6))
    yield opens("last-second", forged(not_after=w.NOW + 1))
    yield opens("longest", forged(not_after=w.NOW + 86400 + 120))


U32, TIME = 1 << 32, (1 << 53) + 1
TEXT = ("", "x" * 256, b"x", 1, None, "\n", Raw(b"\x61\xff"))
WRONG: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("version", (0, 2, -1, b"", None)),
    ("cluster", TEXT),
    ("serial", (0, TIME, -1, None, b"")),
    ("member", (bytes(31), bytes(33), None, 1, "x" * 32)),
    ("scope", TEXT),
    ("targets", ([1], ["x" * 256], ["\n"], ["t"] * 17, None, "t", {})),
    (
        "generations",
        (
            *([], [1], [[1]], [[1, 0, 0]], [[0, 0]], [[U32, 0]], [[1, TIME]]),
            *([[1, 0], [1, 0]], [[1, 0], [2, 0]], None, [[-1, 0]]),
            [[i, 0] for i in range(9, 0, -1)],
        ),
    ),
    ("not_after", (TIME, -1, None, b"")),
    ("enc", (bytes(31), bytes(33), None, 1)),
    ("ciphertext", (bytes(15), Raw(b"\xf6"), 1, "x" * 40)),
)


def bads() -> Iterator[Json]:
    for name, wrongs in WRONG:
        for number, wrong in enumerate(wrongs):
            raw = forged(after={name: wrong})
            yield opens(f"bad-{name}-{number}", raw, "HF_E_OBJECT")
    raw = forged()
    for name, error, wrong in (
        ("cut", "HF_E_CBOR", raw[:-1]),
        ("longer", "HF_E_CBOR", raw + b"\0"),
        ("empty", "HF_E_CBOR", b""),
        ("long-head", "HF_E_CBOR", forged(after={"serial": Raw(b"\x18\5")})),
        ("flip", "HF_E_SIGNATURE", raw[:-1] + bytes([raw[-1] ^ 1])),
        ("signer", "HF_E_SIGNATURE", forged(seed=w.seed("other"))),
        ("cluster", "HF_E_NAME", forged(cluster="other")),
        ("member", "HF_E_UNKNOWN_KEY", forged(member=H(moving.OTHER))),
        ("void", "HF_E_EXPIRED", forged(not_after=w.NOW)),
        ("too-long", "HF_E_NOT_YET", forged(not_after=w.NOW + 86521)),
        ("serial", "HF_E_ROLLBACK", forged(serial=4)),
        ("enc", "HF_E_PUBLIC_KEY", forged(enc=bytes(32))),
        ("other-key", "HF_E_BOX", forged(public=w.identity("other").public)),
        ("scope-after", "HF_E_BOX", forged(after={"scope": "other"})),
        ("serial-after", "HF_E_BOX", forged(after={"serial": 6})),
        ("targets-after", "HF_E_BOX", forged(after={"targets": ["t"]})),
        ("one-key", "HF_E_OBJECT", forged(plain=item([bytes(32)]))),
        ("three-keys", "HF_E_OBJECT", forged(plain=item([bytes(32)] * 3))),
        ("short-key", "HF_E_OBJECT", forged(plain=item([bytes(31)] * 2))),
        ("keys-cut", "HF_E_OBJECT", forged(plain=b"\x82\x58\x20")),
        (
            "keys-longer",
            "HF_E_OBJECT",
            forged(plain=item([bytes(32)] * 2) + b"\0"),
        ),
    ):
        yield opens(name, wrong, error)
    outside = w.cert("echo", moving.SERVER, realm=w.REALM, cluster="other")
    yield opens("leaf", forged(), "HF_E_NAME", leaf=outside.hex())
    yield opens(
        "usage", forged(), "HF_E_USAGE", cluster=moving.OTHER.hex()
    )
