"""What people get for a place."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from sqlalchemy.orm import Session as Transaction

from marketplace.api import Artefact, Host
from marketplace_conference.places import Place

CODE_BYTES = 15
"""120 bits: nobody guesses one."""


def issue(host: Host, session: Transaction, places: Sequence[Place]) -> Sequence[Artefact]:
    """One ticket per place, in the order of `places`; the same places again, the same tickets.

    Called in the transaction that sells the places, and again whenever an order is asked about.
    A ticket is a code that only who has the keys of the house can make from its place.
    """
    return [
        Artefact(kind="ticket", label=_label(each), secret=_code(host, each)) for each in places
    ]


def _label(place: Place) -> str:
    return f"{place.category} {place.seat_label or place.position}"


def _code(host: Host, place: Place) -> str:
    digest = host.fingerprint(f"ticket:{place.order_reference}:{place.position}")
    return base64.b32encode(digest[:CODE_BYTES]).decode()
