# SPDX-License-Identifier: ISC
"""Errors by name, and what goes with a name (spec section 12)."""

# name: (number, exit code, alert code or 0)
ERRORS: dict[str, tuple[int, int, int]] = {
    "HF_E_ARG": (1, 2, 0),
    "HF_E_STATE": (2, 2, 0),
    "HF_E_SPACE": (3, 2, 0),
    "HF_E_CONFIG": (4, 2, 0),
    "HF_E_OWN_CERT": (5, 5, 0),
    "HF_E_OWN_EXPIRED": (6, 7, 0),
    "HF_E_POLICY": (7, 5, 1),
    "HF_E_PASSPHRASE": (8, 5, 0),
    "HF_E_CBOR": (32, 6, 1),
    "HF_E_SHAPE": (33, 6, 1),
    "HF_E_UNEXPECTED": (34, 6, 1),
    "HF_E_TOO_BIG": (35, 6, 1),
    "HF_E_VERSION": (36, 4, 1),
    "HF_E_SUITE": (37, 4, 1),
    "HF_E_EXTENSION": (38, 6, 1),
    "HF_E_BOX": (39, 6, 1),
    "HF_E_PUBLIC_KEY": (40, 6, 1),
    "HF_E_OBJECT": (41, 6, 1),
    "HF_E_SIGNATURE": (42, 4, 1),
    "HF_E_ISSUER": (43, 4, 1),
    "HF_E_EXPIRED": (44, 7, 1),
    "HF_E_NOT_YET": (45, 7, 1),
    "HF_E_REVOKED": (46, 4, 1),
    "HF_E_STALE_LIST": (47, 4, 1),
    "HF_E_USAGE": (48, 4, 1),
    "HF_E_CONSTRAINT": (49, 4, 1),
    "HF_E_NAME": (50, 4, 1),
    "HF_E_TOKEN": (51, 4, 1),
    "HF_E_PASSWORD": (52, 4, 1),
    "HF_E_TICKET": (53, 4, 1),
    "HF_E_TICKET_USED": (54, 7, 1),
    "HF_E_TIME": (55, 7, 1),
    "HF_E_REPLAY": (56, 7, 1),
    "HF_E_LIMITED": (57, 4, 1),
    "HF_E_REFUSED": (58, 4, 0),
    "HF_E_UNKNOWN_KEY": (59, 4, 3),
    "HF_E_TRUNCATED": (60, 3, 0),
    "HF_E_NO_SESSION": (61, 4, 4),
    "HF_E_ROLLBACK": (62, 8, 1),
    "HF_E_TARGET": (63, 4, 5),
    "HF_E_STORE": (64, 8, 2),
    "HF_E_MEMORY": (65, 3, 1),
    "HF_E_CRYPTO": (66, 3, 1),
    "HF_E_DEADLINE": (67, 3, 1),
    "HF_E_GONE": (68, 3, 0),
    "HF_E_UNSUPPORTED": (69, 2, 0),
    "HF_E_EXHAUSTED": (70, 3, 0),
    "HF_E_IO": (71, 3, 0),
    "HF_E_FENCED": (72, 8, 0),
    "HF_E_ENTRY": (73, 8, 4),
    "HF_E_AGAIN": (80, 3, 0),
    "HF_E_NO_AGENT": (81, 3, 0),
    "HF_E_AGENT_GONE": (82, 3, 0),
    "HF_E_QUOTA": (83, 5, 0),
    "HF_E_RESET": (84, 3, 0),
}


class HandfastError(Exception):
    """A fault; `name` is its HF_E_ name, `why` words for a reader."""

    def __init__(self, name: str, why: str = "") -> None:
        super().__init__(f"{name}: {why}" if why else name)
        assert name in ERRORS, name
        self.name = name
        self.why = why

    @property
    def alert(self) -> int:
        """The alert's code (12.2), 0 for none."""
        return ERRORS[self.name][2]


def need(condition: bool, name: str, why: str = "") -> None:
    """Fail with `name` unless the condition holds."""
    if not condition:
        raise HandfastError(name, why)
