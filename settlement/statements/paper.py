"""A statement on paper: what it comes to by counterparty, fees, rounding, and how it was paid.

Lines are in the CSV and in the signed form; paper tells the sums, so it stays short however many
lines there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.domain import BPS
from marketplace.money import DECIMALS
from marketplace.web import press
from marketplace.web.formats import day, number, percent
from marketplace.web.i18n import Language, speak, spoken
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SettlementLeg
from settlement.statements import repository
from settlement.statements.domain import Fee, LegTold
from settlement.statements.service import UNVOUCHED, Drawn, told
from settlement.statements.words import SIDES, STATUSES, dealing, exact

TEMPLATE: Final = Path(__file__).parents[1] / "templates" / "settlement" / "statement.typ"
DASH: Final = "\N{EN DASH}"
MOST_NAMED: Final = 100
"""Adjustments and disputed lines that are named; more are counted, the files hold all."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A leg and how it stands."""

    leg: LegTold
    status: LegStatus
    rail: str | None
    rail_reference: str
    booked_on: Any
    reason: str


class Payments(msgspec.Struct, frozen=True, kw_only=True):
    """How what a statement comes to is paid."""

    settlement: str | None = None
    """Reference; None: it is in no settlement yet that anybody vouches for."""
    windows: int = 0
    """How many are settled together."""
    made: list[Payment] = []


async def payments(session: AsyncSession, drawn: Drawn) -> Payments:
    """How it stands now."""
    settlement = drawn.subject.settlement
    if settlement is None:
        found = await repository.settlements_of(session, drawn.subject.windows[0].id)
        settlement = next((each for each in found if each.status not in UNVOUCHED), None)
    if settlement is None:
        return Payments()
    names = await repository.slugs(session)
    legs = await repository.legs(session, settlement.id, drawn.reader.id)

    def stands(leg: SettlementLeg) -> Payment:
        return Payment(
            leg=told(leg, drawn.reader, names),
            status=leg.status,
            rail=leg.rail,
            rail_reference=leg.rail_reference,
            booked_on=leg.booked_on,
            reason=leg.reason,
        )

    return Payments(
        settlement=settlement.reference,
        windows=len(await repository.covered(session, settlement.id)),
        made=[stands(leg) for leg in legs],
    )


async def typeset(drawn: Drawn, paid: Payments, language: Language) -> bytes:
    """The statement as PDF, in a language of the pages."""
    return await press.typeset(TEMPLATE, tell(drawn, paid, language))


def tell(drawn: Drawn, paid: Payments, language: Language) -> dict[str, object]:
    """What the template shows, all of it text in the reader's language."""
    with speak(language):
        _ = language.gettext
        sections = [
            _dealings(drawn),
            _fees(drawn),
            _sums(drawn),
            _payments(paid),
            _adjustments(drawn),
            _disputed(drawn),
        ]
        return {
            "title": _("Statement of settlement")
            if drawn.subject.settlement
            else _("Statement of a window"),
            "author": _("Coalition Rewards"),
            "language": language.code,
            "facts": _facts(drawn),
            "sections": [each for each in sections if each is not None],
            "seal": [
                _("Signed statement number %(number)s. SHA-256 %(digest)s")
                % {"number": drawn.issue.number, "digest": drawn.sealed.sha256},
                _("Public key %(key)s") % {"key": drawn.sealed.public_key},
            ],
            "footer": _("Days are in UTC. Amounts are exact; payments are rounded once."),
        }


def _facts(drawn: Drawn) -> list[tuple[str, str]]:
    _ = spoken().gettext
    facts = [(_("Member"), drawn.head.member.name)]
    if drawn.subject.settlement:
        facts.append((_("Settlement"), drawn.head.reference))
    facts += [
        (
            _("Window"),
            f"{day(each.opened_at, 'long')} {DASH} {day(each.closed_at, 'long')} ({each.window})",
        )
        for each in drawn.head.windows
    ]
    return [*facts, (_("Lines"), number(drawn.reckoning.lines))]


def _section(
    title: str,
    columns: list[str],
    amounts: int,
    rows: list[list[str]],
    *,
    totals: list[list[str]] | None = None,
    note: str = "",
) -> dict[str, object]:
    return {
        "title": title,
        "columns": columns,
        "amounts": amounts,
        "rows": rows,
        "totals": totals or [],
        "note": note,
    }


def _dealings(drawn: Drawn) -> dict[str, object]:
    _ = spoken().gettext
    found = drawn.reckoning.dealings
    keys = sorted(found, key=lambda key: (key[0], key[1] or "", key[2], key[3]))
    rows = [
        [
            f"{key[1] or DASH}: {dealing(key[2], key[3])}",
            number(found[key].count),
            number(found[key].points),
            exact(found[key].owes_micros, key[0]),
            exact(found[key].owed_micros, key[0]),
        ]
        for key in keys
    ]
    columns = [_("Counterparty"), _("Lines"), _("Points"), _("You owe"), _("You are owed")]
    note = "" if rows else _("Nothing happened in this window.")
    return _section(_("By counterparty"), columns, 4, rows, note=note)


def _fees(drawn: Drawn) -> dict[str, object] | None:
    _ = spoken().gettext
    joined: dict[tuple[str, str, str], Fee] = {}
    for fee in drawn.reckoning.fees():
        key = (fee.contract, fee.side, fee.currency)
        before = joined.get(key)
        joined[key] = fee if before is None else _plus(before, fee)
    if not joined:
        return None
    rows = [
        [
            f"{fee.member}, {fee.contract}, {SIDES[fee.side]}",
            percent_of(fee.fee_bps),
            exact(fee.base_micros, fee.currency),
            exact(fee.fee_micros, fee.currency),
        ]
        for fee in joined.values()
    ]
    columns = [_("Contract"), _("Rate"), _("Of"), _("Fee")]
    return _section(_("Fees of the operator"), columns, 3, rows)


def _plus(one: Fee, other: Fee) -> Fee:
    return msgspec.structs.replace(
        one,
        base_micros=one.base_micros + other.base_micros,
        fee_micros=one.fee_micros + other.fee_micros,
    )


def percent_of(bps: int) -> str:
    """A rate in basis points as per cent, with its decimals: "1.25%"."""
    if bps % 100 == 0:
        return percent(bps / BPS)
    return f"{number(bps // 100)}{_decimal_mark()}{bps % 100:02d}%"


def _decimal_mark() -> str:
    return str(spoken().locale.number_symbols["latn"]["decimal"])


def _sums(drawn: Drawn) -> dict[str, object]:
    _ = spoken().gettext
    rows, totals = [], []
    for each in drawn.reckoning.sums():
        unit = each.currency
        rows += [
            [_("You owe"), exact(-each.owes_micros, unit)],
            [_("You are owed"), exact(each.owed_micros, unit)],
            [_("Fees"), exact(-each.fee_micros, unit)],
        ]
        if each.pool_micros:
            rows.append([_("Change of your pool"), exact(each.pool_micros, unit)])
        if drawn.reader.is_operator:
            rows.append([_("Margin and fees of the operator"), exact(each.margin_micros, unit)])
        name = _("You pay") if each.net_micros < 0 else _("You are paid")
        totals.append([f"{name} ({unit})", exact(abs(each.net_micros), unit)])
    return _section(
        _("What it comes to"),
        [spoken().pgettext("statement", "Sum"), _("Amount")],
        1,
        rows,
        totals=totals,
    )


def _payments(paid: Payments) -> dict[str, object]:
    _ = spoken().gettext
    columns = [_("Payment"), _("How it stands"), _("Due"), _("Amount"), _("Rounding")]
    if paid.settlement is None:
        note = _("It is not settled yet.")
    else:
        note = spoken().ngettext(
            "Settled by %(settlement)s, of %(count)s window.",
            "Settled by %(settlement)s, of %(count)s windows together.",
            paid.windows,
        ) % {"settlement": paid.settlement, "count": paid.windows}
    return _section(_("Payment"), columns, 2, [_payment(each) for each in paid.made], note=note)


def _payment(payment: Payment) -> list[str]:
    _ = spoken().gettext
    leg = payment.leg
    status = str(STATUSES[payment.status])
    if leg.amount_minor == 0:
        status = _("nothing to pay")
    details = [status, payment.rail or "", payment.rail_reference, payment.reason]
    if payment.booked_on is not None:
        details.insert(1, day(payment.booked_on))
    micros = leg.amount_minor * 10 ** (DECIMALS - leg.digits)
    amount = exact(-micros if leg.net_micros < 0 else micros, leg.currency)
    return [
        f"{leg.reference} {leg.counterparty or ''}".strip(),
        ", ".join(each for each in details if each),
        day(leg.due_on, "short"),
        amount,
        exact(leg.remainder_micros, leg.currency),
    ]


def _adjustments(drawn: Drawn) -> dict[str, object] | None:
    _ = spoken().gettext
    found = drawn.reckoning.adjustments
    if not found:
        return None
    rows = [
        [
            *(line.reference or "", line.counterparty or "", line.reason or ""),
            exact(line.member_micros, line.currency),
        ]
        for line in found[:MOST_NAMED]
    ]
    columns = [_("Origin"), _("Counterparty"), _("Reason"), _("Amount")]
    return _section(_("Adjustments"), columns, 1, rows, note=_more(len(found)))


def _disputed(drawn: Drawn) -> dict[str, object] | None:
    _ = spoken().gettext
    found = sorted(drawn.disputed)
    if not found:
        return None
    left_out = _("These lines are under dispute. They are not in the sums of this settlement.")
    counted = _("These lines are under dispute. They are in the sums of the window.")
    note = left_out if drawn.subject.settlement else counted
    rows = [[line] for line in found[:MOST_NAMED]]
    return _section(
        _("Under dispute"), [_("Line")], 0, rows, note=f"{note} {_more(len(found))}".strip()
    )


def _more(count: int) -> str:
    if count <= MOST_NAMED:
        return ""
    return spoken().gettext("%(count)s more are in the files.") % {"count": count - MOST_NAMED}
