"""Ids of messages and blocks of payments: made from the batch's reference, the same for ever."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from marketplace.api import InvalidRequest

LONGEST: Final = 35
REFERENCE: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9-]{0,33}[A-Z0-9])?")
DIGEST: Final = 10


def checked(reference: str, what: str) -> str:
    """The reference, if a bank takes it as an id; InvalidRequest otherwise."""
    if not REFERENCE.fullmatch(reference):
        raise InvalidRequest(
            f"{what} {reference[:100]!r} is no reference: at most {LONGEST} capital letters, "
            "digits and dashes, none at the ends."
        )
    return reference


def derived(reference: str, suffix: str) -> str:
    """`reference-suffix` in 35 characters; a longer one is told apart by a digest of it."""
    if len(reference) + 1 + len(suffix) <= LONGEST:
        return f"{reference}-{suffix}"
    digest = hashlib.sha256(reference.encode()).hexdigest()[:DIGEST].upper()
    kept = reference[: LONGEST - DIGEST - len(suffix) - 2].rstrip("-")
    return f"{kept}-{digest}-{suffix}"
