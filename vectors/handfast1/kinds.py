# SPDX-License-Identifier: ISC
"""Each kind of vector: from its inputs, everything else. make.py writes
what these functions give; check.py calls them again and compares."""

from __future__ import annotations

from typing import Any

from . import (
    cbor,
    certs,
    cookies,
    cose,
    crypto,
    files,
    hpke,
    kinds_agent,
    kinds_channel,
    kinds_counter,
    kinds_grant,
    kinds_move,
    kinds_rest,
    kinds_route,
    passwords,
    play,
    records,
    schedule,
    tickets,
)
from .play import Draws, Json, Mismatch, unhex
from .registry import INPUTS, compute, kind

__all__ = [
    "INPUTS",
    "compute",
    "kinds_agent",
    "kinds_channel",
    "kinds_counter",
    "kinds_grant",
    "kinds_move",
    "kinds_rest",
    "kinds_route",
]

# Sessions -------------------------------------------------------------------


@kind(
    "handshake",
    "initiator",
    "responder",
    "initiator_random",
    "responder_random",
    "send",
)
def handshake(v: Json) -> Json:
    left, right = Draws(v["initiator_random"]), Draws(v["responder_random"])
    out = play.handshake(
        v["initiator"], v["responder"], left, right, v["send"]
    )
    if left.items or right.items:
        raise Mismatch("draws are left over")
    return out


@kind("session", "role", "config", "random", "steps")
def session(v: Json) -> Json:
    draws = Draws(v["random"])
    done, error = play.steps(v["role"], v["config"], draws, v["steps"])
    if draws.items:
        raise Mismatch("draws are left over")
    out: Json = {"steps": done}
    if error:
        out["error"] = error
    return out


@kind("exporter", "exporter", "label", "context", "length")
def exporter(v: Json) -> Json:
    context = unhex(v["context"])
    info = schedule.exporter_info(v["label"], context, v["length"])
    out = schedule.export(
        unhex(v["exporter"]), v["label"], context, v["length"]
    )
    return {"info": info.hex(), "out": out.hex()}


@kind("schedule", "suite", "session_key", "chain", "th2")
def key_schedule(v: Json) -> Json:
    keys = schedule.derive(
        v["suite"], unhex(v["session_key"]), unhex(v["chain"]), unhex(v["th2"])
    )
    return {"master": keys.master.hex(), "keys": play.keys_json(keys)}


def _direction(v: Json) -> records.Direction:
    return records.Direction(
        v["suite"],
        unhex(v["key"]),
        unhex(v["iv"]),
        unhex(v["digest"]),
        v["sequence"],
    )


@kind("record", "suite", "key", "iv", "digest", "sequence", "plaintexts")
def record(v: Json) -> Json:
    """Records in a row from a preset sequence number, sealed and opened."""
    sender, receiver = _direction(v), _direction(v)
    out = []
    for plain in v["plaintexts"]:
        number = sender.sequence
        data = unhex(plain["data"])
        raw = sender.seal(plain["type"], data)
        reader = records.cbor.Reader(raw)
        reader.array(2)
        reader.uint(16, 16)
        box = records.messages.read_record(reader, 16)
        nonce = receiver.nonce(sender.iv)
        if receiver.open(box) != (plain["type"], data):
            raise Mismatch("a record opens to something else")
        out.append(
            {
                "sequence": number,
                "key": sender.key.hex(),
                "iv": sender.iv.hex(),
                "nonce": nonce.hex(),
                "bytes": raw.hex(),
                "digest": receiver.digest.hex(),
            }
        )
    return {"records": out}


@kind(
    "record-open", "suite", "key", "iv", "digest", "sequence", "from", "bytes"
)
def record_open(v: Json) -> Json:
    """What a receiver says to these bytes, records one after another."""
    receiver = _direction(v)
    out = []
    for raw in play.split(unhex(v["bytes"])):
        found = records.messages.frame(raw, (records.messages.RECORD,), 16)
        if found is None:
            raise Mismatch("not a whole record")
        box = records.messages.read_record(found[1], 16)
        content, data = receiver.open(box)
        records.judge(content, data, v["from"] == "responder", None)
        out.append(
            {
                "type": content,
                "data": data.hex(),
                "digest": receiver.digest.hex(),
            }
        )
    return {"received": out}


# Certificates ---------------------------------------------------------------

TERMS = (
    *("sub", "nbf", "exp", "iat", "usage", "names", "suites", "realm"),
    *("cost", "cluster", "path_length", "suffixes", "realms"),
)


def _certificate_json(cert: certs.Certificate) -> Json:
    found: Json = {"iss": cert.iss, "cti": cert.cti.hex()}
    found["key"] = cert.key.hex()
    for name in TERMS:
        value = getattr(cert, name)
        if value is not None and value != ():
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _sign1_json(raw: bytes, label: str) -> Json:
    payload, signed = cose.read(label, raw, lambda r: r.rest())
    return {
        "payload": payload.hex(),
        "signed": signed.signed.hex(),
        "signature": signed.signature.hex(),
        "bytes": raw.hex(),
    }


@kind("identity", "seed")
def identity(v: Json) -> Json:
    who = certs.Identity(unhex(v["seed"]))
    file = files.identity(who.seed)
    return {
        "ed25519_public": who.ed_public.hex(),
        "x25519_private": who.private.hex(),
        "x25519_public": who.public.hex(),
        "file": file.hex(),
        "text": files.armour("HANDFAST IDENTITY", file).splitlines(),
    }


@kind("identity-encrypted", "seed", "passphrase", "mib", "passes", "random")
def identity_encrypted(v: Json) -> Json:
    draws = Draws(v["random"])
    salt, nonce = draws(16), draws(24)
    phrase = v["passphrase"].encode()
    file = files.encrypted_identity(
        unhex(v["seed"]), phrase, salt, v["mib"], v["passes"], nonce
    )
    key = passwords.argon2id(phrase, salt, v["mib"], v["passes"])
    if files.read_identity(file, phrase).hex() != v["seed"]:
        raise Mismatch("an identity that does not read back")
    return {"key": key.hex(), "file": file.hex()}


@kind("identity-read", "file", "passphrase")
def identity_read(v: Json) -> Json:
    seed = files.read_identity(unhex(v["file"]), v["passphrase"].encode())
    return {"seed": seed.hex()}


@kind("ring-read", "file")
def ring_read(v: Json) -> Json:
    return {
        "ring": [
            {"kid": k.kid.hex(), "key": k.key.hex(), "created": k.created}
            for k in files.read_ring(unhex(v["file"]))
        ]
    }


@kind("text-read", "label", "text")
def text_read(v: Json) -> Json:
    """Textual blocks (section 14); `text` in hex."""
    text = unhex(v["text"]).decode("latin-1")
    return {"blocks": [b.hex() for b in files.blocks(text, v["label"])]}


@kind("request", "seed", "sub", "iat", "suites", "names")
def request(v: Json) -> Json:
    raw = certs.make_request(
        unhex(v["seed"]), v["sub"], v["iat"], v["suites"], v["names"]
    )
    return _sign1_json(raw, "request")


@kind("request-read", "bytes")
def request_read(v: Json) -> Json:
    """The CA's steps 1 and 3."""
    found = certs.read_request(unhex(v["bytes"]))
    certs.check_subject_key(found.key)
    return {
        "sub": found.sub,
        "iat": found.iat,
        "key": found.key.hex(),
        "names": list(found.names),
        "suites": list(found.suites),
    }


@kind("certificate", "issuer_seed", "issuer", "request", "terms", "random")
def certificate(v: Json) -> Json:
    """Issued: `issuer` is the CA's certificate, or null for an anchor."""
    asked = certs.read_request(unhex(v["request"]))
    terms = {k: t for k, t in v["terms"].items() if t is not None}
    name = terms["sub"]
    if v["issuer"] is not None:
        name = certs.read_certificate(unhex(v["issuer"])).sub
    raw = certs.certify(
        unhex(v["issuer_seed"]),
        name,
        asked.key,
        Draws(v["random"])(16),
        **terms,
    )
    made = certs.read_certificate(raw)
    if v["issuer"] is not None:
        certs.permits(certs.read_certificate(unhex(v["issuer"])), [made])
    return {"key": made.key.hex(), **_sign1_json(raw, "certificate")}


@kind("certificate-read", "bytes")
def certificate_read(v: Json) -> Json:
    return _certificate_json(certs.read_certificate(unhex(v["bytes"])))


@kind("chain", "chain", "anchors", "lists", "usage", "name", "now")
def chain(v: Json) -> Json:
    leaf = play.trust(v).verify(
        [unhex(raw) for raw in v["chain"]], v["usage"], v["name"], v["now"]
    )
    return {"leaf": _certificate_json(leaf)}


@kind("list", "seed", "iss", "exp", "iat", "number", "revoked")
def revocation_list(v: Json) -> Json:
    raw = certs.make_list(
        unhex(v["seed"]),
        v["iss"],
        v["exp"],
        v["iat"],
        v["number"],
        [unhex(cti) for cti in v["revoked"]],
    )
    return _sign1_json(raw, "list")


@kind("list-add", "anchors", "intermediates", "lists", "bytes")
def list_add(v: Json) -> Json:
    """Given to one who holds these anchors, intermediate CAs, lists."""
    trust = certs.Trust()
    for raw in v["anchors"]:
        trust.add_anchor(unhex(raw))
    for raw in v["intermediates"]:
        trust.intermediates.append(certs.read_certificate(unhex(raw)))
    for raw in v["lists"]:
        trust.add_list(unhex(raw))
    trust.add_list(unhex(v["bytes"]))
    found = certs.read_list(unhex(v["bytes"]))
    return {
        "iss": found.iss,
        "exp": found.exp,
        "iat": found.iat,
        "number": found.number,
        "revoked": [cti.hex() for cti in found.revoked],
    }


# Tickets --------------------------------------------------------------------

TICKET_TERMS = (
    *("sub", "aud", "exp", "iat", "single_use", "method", "first", "limit"),
)


@kind("ticket", "ring_key", "terms", "random")
def ticket(v: Json) -> Json:
    (key,) = play.ring([v["ring_key"]]) or ()
    draws = Draws(v["random"])
    terms = {**v["terms"], "origins": play.unhexes(v["terms"]["origins"])}
    made = tickets.Ticket(cti=draws(16), proof=draws(32), **terms)
    iv = draws(12)
    raw = tickets.seal_ticket(made, key, iv)
    protected = tickets.read_envelope(raw)[0]
    file = tickets.holder(made, raw).encode()
    return {
        "claims": made.claims().hex(),
        "protected": protected.hex(),
        "aad": tickets.aad(protected).hex(),
        "ticket": raw.hex(),
        "file": file.hex(),
        "text": files.armour("HANDFAST TICKET", file).splitlines(),
    }


@kind(
    "ticket-accept",
    *("ring", "leaf", "anchors", "lists", "now", "tolerance", "ticket"),
)
def ticket_accept(v: Json) -> Json:
    found = tickets.accept(
        unhex(v["ticket"]),
        play.ring(v["ring"]) or (),
        certs.read_certificate(unhex(v["leaf"])),
        play.trust(v),
        v["now"],
        v["tolerance"],
    )
    out = {name: getattr(found, name) for name in TICKET_TERMS}
    out["origins"] = [origin.hex() for origin in found.origins]
    return {**out, "cti": found.cti.hex(), "proof": found.proof.hex()}


@kind("ticket-file-read", "file")
def ticket_file_read(v: Json) -> Json:
    found = tickets.read_file(unhex(v["file"]))
    return {
        "ticket": found.ticket.hex(),
        "proof": found.proof.hex(),
        "sub": found.sub,
        "aud": found.aud,
        "iat": found.iat,
        "exp": found.exp,
        "single_use": found.single_use,
        "limit": found.limit,
    }


# Passwords, cookies, HPKE, CBOR ---------------------------------------------


@kind("password", "realm", "user", "password", "mib", "passes")
def password(v: Json) -> Json:
    salt_input = cbor.encode(["handfast/1 password", v["realm"], v["user"]])
    stretched = passwords.stretch(
        v["realm"], v["user"], v["password"], (v["mib"], v["passes"])
    )
    return {
        "salt_input": salt_input.hex(),
        "salt": passwords.salt(v["realm"], v["user"]).hex(),
        "stretched": stretched.hex(),
        "verifier": passwords.verifier(stretched).hex(),
    }


@kind("cookie", "key", "type", "time", "source")
def cookie(v: Json) -> Json:
    made = cookies.make(
        unhex(v["key"]), v["type"], v["time"], unhex(v["source"])
    )
    return {"cookie": made.hex()}


@kind("cookie-judge", "cookie", "key", "type", "now", "source")
def cookie_judge(v: Json) -> Json:
    valid = cookies.valid(
        unhex(v["cookie"]),
        unhex(v["key"]),
        v["type"],
        v["now"],
        unhex(v["source"]),
    )
    return {"valid": valid}


@kind(
    "hpke",
    *("mode", "recipient_private", "ephemeral_private", "psk_private"),
    *("info", "psk_id", "aad", "plaintext"),
)
def seal_hpke(v: Json) -> Json:
    """`psk_private`: of the key pair that the psk is encapsulated to; null
    in mode base."""
    recipient = unhex(v["recipient_private"])
    ephemeral = unhex(v["ephemeral_private"])
    public = crypto.x25519_public(recipient)
    secret = hpke.encap(public, ephemeral)
    psk = b""
    if v["psk_private"] is not None:
        other = crypto.x25519_public(unhex(v["psk_private"]))
        psk = hpke.encap(other, ephemeral)
    key, nonce = hpke.key_schedule(
        v["mode"], secret, unhex(v["info"]), psk, unhex(v["psk_id"])
    )
    box = hpke.box_seal(key, nonce, unhex(v["aad"]), unhex(v["plaintext"]))
    return {
        "recipient_public": public.hex(),
        "enc": crypto.x25519_public(ephemeral).hex(),
        "shared_secret": secret.hex(),
        "psk": psk.hex(),
        "key": key.hex(),
        "nonce": nonce.hex(),
        "box": box.hex(),
    }


@kind("cbor", "bytes")
def strict_cbor(v: Json) -> Json:
    """One item, read as one that is not known (2.2)."""
    raw = unhex(v["bytes"])
    cbor.check(raw)
    items, depth, _ = cbor.measure(raw)
    return {"items": items, "depth": depth}
