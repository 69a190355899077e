"""A receipt on paper, in the language that the gift was made in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from charity.domain import Donor
from charity.proof import ReceiptView
from marketplace.money import decimal_from_micros
from marketplace.web import press
from marketplace.web.formats import day, number
from marketplace.web.i18n import Language, speak

TEMPLATE: Final = Path(__file__).parent / "templates" / "charity" / "receipt.typ"


def exact(micros: int, currency: str) -> str:
    """An amount to the micro: `9.255 EUR`."""
    return f"{decimal_from_micros(micros)} {currency}"


async def typeset(receipt: ReceiptView, language: Language) -> bytes:
    """The receipt as PDF; the same bytes whenever it is asked for."""
    return await press.typeset(TEMPLATE, tell(receipt, language))


def tell(receipt: ReceiptView, language: Language) -> dict[str, object]:
    """What paper and page show, all of it text in the reader's language."""
    facts = receipt.facts
    with speak(language):
        _ = language.gettext
        checked = "" if facts.number_checked else f" ({_('not checked')})"
        rows = [
            (_("Received by"), facts.charity),
            (_("Registration number"), f"{facts.country} {facts.number}{checked}"),
            (_("Donor of record"), facts.donor_name),
            (language.pgettext("charity", "For"), facts.campaign),
            (_("Given on"), day(facts.given_on, "long")),
            (_("Points"), number(facts.points)),
            (_("Worth of a point"), exact(facts.rate_micros, facts.currency)),
            (_("Money"), exact(facts.money_micros, facts.currency)),
        ]
        if facts.designation:
            rows.insert(4, (_("Designation (advisory)"), facts.designation))
        if facts.dedication:
            rows.insert(4, (_("Dedication"), facts.dedication))
        for each in facts.matchers:
            points, worth = number(each.points), exact(each.money_micros, facts.currency)
            rows.append((_("Matched by %(name)s") % {"name": each.name}, f"{points} ({worth})"))
        if facts.refunded_points:
            rows.append((_("Points given back"), number(facts.refunded_points)))
        if facts.taken_back_points:
            points = number(facts.taken_back_points)
            worth = exact(facts.taken_back_micros, facts.currency)
            rows.append((_("Points taken back after a dispute"), f"{points} ({worth})"))
        if facts.match_taken_back_points:
            points = number(facts.match_taken_back_points)
            worth = exact(facts.match_taken_back_micros, facts.currency)
            rows.append((_("Match taken back after a dispute"), f"{points} ({worth})"))
        return {
            "title": _("Receipt %(code)s") % {"code": receipt.code},
            "author": facts.charity,
            "language": language.code,
            "rows": rows,
            "notes": _notes(receipt, language),
            "footer": _("Issued on %(day)s. Days are in UTC.")
            % {"day": day(receipt.issued_on, "long")},
        }


def _notes(receipt: ReceiptView, language: Language) -> list[str]:
    _ = language.gettext
    notes = []
    if receipt.corrects:
        notes.append(_("It corrects receipt %(code)s.") % {"code": receipt.corrects})
    if receipt.facts.taken_back_points:
        notes.append(
            _(
                "A dispute about this gift was upheld: the charity gave back the money of the "
                "points taken back, and this receipt does not count them."
            )
        )
    if receipt.facts.match_taken_back_points:
        notes.append(
            _(
                "A dispute about what was added to this gift was upheld: the charity gave back "
                "the money of the match taken back, and this receipt does not count it."
            )
        )
    if receipt.facts.donor is Donor.FIRM:
        notes.append(_("The points were the firm's: this is no personal receipt."))
    return notes
