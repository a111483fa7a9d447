# SPDX-License-Identifier: ISC
"""Records: one direction of an open session (spec section 9)."""

from __future__ import annotations

from . import cbor, messages
from .certs import Certificate
from .crypto import H, kdf, seal, unseal
from .errors import HandfastError, need
from .schedule import IV_SIZE, TAG_SIZE
from .states import Mark
from .tickets import read_file

DATA, CLOSE, ACK, CHANNEL, TICKET, ALERT, QUERY, REFRESH = range(1, 9)
RATCHET = 1 << 20
SEQUENCE_MAX = 1 << 48
DATA_MAX = 65536


class Direction:
    """Key, IV, sequence number and running digest of one direction. In a
    session that moved the count is not the sequence number. `marks` is its
    history, by counts."""

    def __init__(
        self,
        suite: int,
        key: bytes,
        iv: bytes,
        digest: bytes,
        sequence: int = 0,
        base: Mark | None = None,
    ) -> None:
        self.suite = suite
        self.key = key
        self.iv = iv
        self.digest = digest
        self.sequence = sequence
        self.count = base.count if base else sequence
        self.bytes = base.bytes if base else 0
        self.marks = {self.count: self.mark()}

    def mark(self) -> Mark:
        return Mark(self.count, self.bytes, self.digest)

    def nonce(self, iv: bytes) -> bytes:
        number = self.sequence.to_bytes(len(iv), "big")
        return bytes(a ^ b for a, b in zip(iv, number))

    def _current(self) -> tuple[bytes, bytes]:
        """Key and IV of the next record (9.1, 9.2)."""
        need(self.sequence < SEQUENCE_MAX, "HF_E_EXHAUSTED")
        if self.sequence and self.sequence % RATCHET == 0:
            both = kdf(self.key, b"hfratche", 1, 32 + IV_SIZE[self.suite])
            return both[:32], both[32:]
        return self.key, self.iv

    def seal(self, kind: int, data: bytes) -> bytes:
        """The next record, whole."""
        need(len(data) <= DATA_MAX, "HF_E_ARG", "too much data")
        self.key, self.iv = self._current()
        box = seal(
            self.suite,
            self.key,
            self.nonce(self.iv),
            messages.RECORD_AAD,
            data + bytes([kind]),
        )
        self._advance(box, data + bytes([kind]))
        return cbor.encode([messages.RECORD, box])

    def open(self, box: bytes) -> tuple[int, bytes]:
        """Content type and data of the next record."""
        key, iv = self._current()
        plain = unseal(
            self.suite, key, self.nonce(iv), messages.RECORD_AAD, box
        )
        self.key, self.iv = key, iv
        self._advance(box, plain)
        return plain[-1], plain[:-1]

    def _advance(self, box: bytes, plain: bytes) -> None:
        """Section 9.3. Here a record is taken as it opens."""
        tag = box[-TAG_SIZE[self.suite] :]
        self.digest = H(self.digest + self.count.to_bytes(8, "big") + tag)
        self.sequence += 1
        self.count += 1
        if plain[-1] in (DATA, CHANNEL):
            self.bytes += len(plain) - 1
        self.marks[self.count] = self.mark()


def judge(
    kind: int,
    data: bytes,
    from_responder: bool,
    leaf: Certificate | None,
    moves: bool = False,
    channels: bool = False,
) -> None:
    """Section 9.5: what a record that opened may hold. An alert is raised
    as its error. `leaf` is the responder's; without, the audience of a
    ticket is not judged. Acks and refreshes are judged elsewhere."""
    if kind in (DATA, CHANNEL):
        need((kind == CHANNEL) == channels, "HF_E_UNEXPECTED", "channels")
        need(len(data) > 0, "HF_E_SHAPE", "empty data")
    elif kind == CLOSE:
        need(len(data) == 0, "HF_E_SHAPE", "close with data")
    elif kind == TICKET:
        need(from_responder, "HF_E_UNEXPECTED", "a ticket from I")
        try:
            aud = read_file(data).aud
        except HandfastError as fault:
            raise HandfastError("HF_E_SHAPE", str(fault)) from None
        need(leaf is None or leaf.goes_by(aud), "HF_E_SHAPE", "audience")
    elif kind in (ACK, REFRESH) and moves:
        pass
    elif kind == QUERY and moves and from_responder:
        need(len(data) == 0, "HF_E_SHAPE", "query with data")
    elif kind == ALERT:
        need(len(data) == 1, "HF_E_SHAPE", "alert")
        raise messages.alert_error(data[0])
    else:
        raise HandfastError("HF_E_UNEXPECTED", f"content type {kind}")
