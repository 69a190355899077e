"""The demonstration as the CSV files of `marketplace import`, in the order they are imported."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from marketplace.demo.people import FIRMS, MEMBERS, OPERATOR
from marketplace.demo.plan import DemoPerson, Purchase
from marketplace.demo.shelf import DemoOffer
from marketplace.demo.words import CODES, LANGUAGES
from marketplace.money import decimal_from_micros

CURRENCY = "EUR"
DISPUTE_DAYS = 60
"""Long enough that a line of last month can be disputed on any day of this one."""


def as_csv(rows: Iterable[dict[str, object]]) -> bytes:
    """Rows with the same keys as CSV; None and empty lists are empty cells."""
    listed = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(listed[0]))
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue().encode()


def members() -> bytes:
    """members.csv"""
    return as_csv(
        {
            "slug": member.slug,
            "name": member.name,
            "country": member.country,
            "operator": "yes" if member.slug == OPERATOR else "no",
        }
        for member in MEMBERS
    )


def names() -> bytes:
    """names.csv"""
    return as_csv(
        {
            "code": code,
            **{f"name_{each}": word for each, word in zip(LANGUAGES, words, strict=True)},
        }
        for code, words in CODES.items()
    )


def contracts(valid_from: datetime) -> bytes:
    """contracts.csv, all in force from `valid_from` on."""
    return as_csv(
        {
            "reference": f"{member.slug}-1",
            "member": member.slug,
            "role": member.role,
            "funding": member.funding,
            "currency": CURRENCY,
            "price_per_point": decimal_from_micros(member.price_micros),
            "fee_bps": member.fee_bps,
            "breakage": member.breakage,
            "exposure_cap": decimal_from_micros(member.cap_micros) if member.cap_micros else None,
            "dispute_days": DISPUTE_DAYS,
            "points_valid_days": member.valid_days,
            "valid_from": f"{valid_from:%Y-%m-%d}",
        }
        for member in MEMBERS
    )


def firms() -> bytes:
    """firms.csv"""
    return as_csv(
        {
            "reference": firm.reference,
            "name": firm.name,
            "country": firm.country,
            "sponsor": firm.sponsor,
        }
        for firm in FIRMS
    )


def participants(people: Sequence[DemoPerson]) -> bytes:
    """participants.csv"""
    return as_csv(
        {
            "reference": person.reference,
            "firm": person.firm.reference,
            "name": person.name,
            "email": person.email,
            "role": person.role,
            "locale": person.locale,
        }
        for person in people
    )


def offers(shelf: Sequence[DemoOffer]) -> bytes:
    """offers.csv; stock of gifts is 0 until their codes are uploaded."""
    return as_csv(
        {
            "reference": offer.reference,
            "kind": offer.kind,
            "name": offer.name,
            "acceptor": offer.acceptor,
            "plugin": offer.plugin,
            "sku": offer.reference.split("/")[1],
            "points": offer.points,
            "cost": decimal_from_micros(offer.cost_micros),
            "currency": CURRENCY,
            "stock": 0 if offer.codes else None,
            "limit_per_wallet": offer.limit_per_wallet,
            "status": offer.status,
            "eligible_roles": ";".join(offer.roles),
        }
        for offer in shelf
    )


def series(shelf: Sequence[DemoOffer]) -> bytes:
    """series.csv of the vouchers: stored value, valid for a year, accepted by every member."""
    return as_csv(
        {
            "sku": offer.reference.split("/")[1],
            "owner": offer.acceptor,
            "name": offer.name,
            "value": offer.face_euros,
            "currency": CURRENCY,
            "use": "single" if offer.single_use else "stored",
            "valid_days": 365,
            "accepted_by": "coalition",
        }
        for offer in shelf
        if offer.face_euros is not None
    )


def issuances(purchases: Sequence[Purchase]) -> bytes:
    """issuances.csv"""
    return as_csv(
        {
            "reference": each.reference,
            "issuer": each.issuer,
            "participant": each.participant,
            "points": each.points,
            "effective_at": each.at.isoformat(),
        }
        for each in purchases
    )
