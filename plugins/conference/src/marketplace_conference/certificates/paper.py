"""Certificates on paper, with a code that leads to the page that verifies them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import dates

from marketplace.api import lazy, typeset
from marketplace_conference.certificates.certifying import Signed
from marketplace_conference.certificates.domain import Certificate
from marketplace_conference.tickets.paper import REGIONS, Say, qr_svg, when

TEMPLATE: Final = Path(__file__).parent.parent / "templates" / "conference" / "certificate.typ"
VERIFY: Final = "/conference/verify/"


async def pages(signed: Sequence[Signed], zone: str, origin: str, say: Say, locale: str) -> bytes:
    """A PDF with a page for each; `origin` is where the house is reached, without a slash."""
    told = {
        "language": locale,
        "title": say(lazy("Certificate of attendance")),
        "sheets": [
            {**rows(each, zone, say, locale), "qr": qr_svg(f"{origin}{VERIFY}{code}")}
            for each, code in signed
        ],
    }
    return await typeset(TEMPLATE, told)


def rows(of: Certificate, zone: str, say: Say, locale: str) -> dict[str, object]:
    """What a certificate says, all of it text in the reader's language."""
    issued = of.issued_at.astimezone(ZoneInfo(zone))
    names = dict.fromkeys((of.event_name, of.session_name))
    return {
        "name": of.name,
        "attended": say(lazy("attended")),
        "what": ": ".join(names),
        "when": when(of.starts_at, of.ends_at, zone, locale),
        "number": of.number,
        "number_label": say(lazy("Certificate number")),
        "issued_label": say(lazy("Issued on")),
        "issued": str(dates.format_date(issued, "long", locale=REGIONS.get(locale, locale))),
        "note": say(
            lazy(
                "The entrance of the event noted that the holder was there. Scan the code to see "
                "that this certificate is genuine."
            )
        ),
    }
