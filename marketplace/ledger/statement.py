"""A wallet's statement for a period, as PDF: opening balance, every line, closing balance.

Made by Typst (`marketplace/web/press.py`) from `templates/ledger/statement.typ`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest
from marketplace.ledger.story import StoryLine, balance_before, story_of_period
from marketplace.ledger.words import explain
from marketplace.web import press
from marketplace.web.formats import day, number
from marketplace.web.i18n import Language, speak, spoken

TEMPLATE: Final = Path(__file__).parent / "templates" / "ledger" / "statement.typ"
LONGEST: Final = timedelta(days=366)
MOST_LINES: Final = 5_000
MINUS: Final = "\N{MINUS SIGN}"


class StatementTooLong(InvalidRequest):
    code = "statement_too_long"
    title = "The period has too many lines for one statement"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement says. Opening balance and lines add up to the closing balance."""

    name: str
    """Whose wallet it is."""
    firm: str | None
    wallet_id: UUID
    first: date
    last: date
    """Inclusive."""
    made_at: datetime
    opening: tuple[int, int]
    """(available, held) before the first day."""
    lines: list[StoryLine]

    @property
    def closing(self) -> tuple[int, int]:
        """(available, held) after the last day."""
        available = self.opening[0] + sum(line.available for line in self.lines)
        return available, self.opening[1] + sum(line.held for line in self.lines)


def check_period(first: date, last: date) -> None:
    """Raise InvalidRequest for a period that ends before it starts, or is longer than a year."""
    if last < first:
        raise InvalidRequest("The statement's last day is before its first.")
    if last - first >= LONGEST:
        raise InvalidRequest("A statement covers a year at most.")


async def draw_up(
    session: AsyncSession,
    wallet_id: UUID,
    *,
    name: str,
    firm: str | None,
    first: date,
    last: date,
    made_at: datetime,
) -> Statement:
    """Gather a statement; InvalidRequest or StatementTooLong where it cannot be one document."""
    check_period(first, last)
    start = datetime.combine(first, time.min, UTC)
    stop = datetime.combine(last, time.min, UTC) + timedelta(days=1)
    opening = await balance_before(session, wallet_id, start)
    lines = await story_of_period(session, wallet_id, start, stop, limit=MOST_LINES + 1)
    if len(lines) > MOST_LINES:
        raise StatementTooLong(f"It has more than {MOST_LINES} lines; ask for a shorter period.")
    return Statement(
        name=name,
        firm=firm,
        wallet_id=wallet_id,
        first=first,
        last=last,
        made_at=made_at,
        opening=opening,
        lines=lines,
    )


async def typeset(statement: Statement, language: Language) -> bytes:
    """The statement as PDF, in a language of the pages."""
    return await press.typeset(TEMPLATE, tell(statement, language))


def tell(statement: Statement, language: Language) -> dict[str, object]:
    """What the template shows, all of it text in the reader's language."""
    with speak(language):
        _ = language.gettext
        owner = [(_("Participant"), statement.name)]
        if statement.firm:
            owner.append((_("Firm"), statement.firm))
        owner.append((_("Wallet"), str(statement.wallet_id)))
        return {
            "title": _("Statement of points"),
            "author": _("Coalition Rewards"),
            "language": language.code,
            "made": _("Made on %(day)s") % {"day": day(statement.made_at)},
            "period": f"{day(statement.first, 'long')} \N{EN DASH} {day(statement.last, 'long')}",
            "owner": owner,
            "columns": [_("Day"), _("What happened"), _("Available"), _("Held"), _("Together")],
            "opening": _balance(statement.opening),
            "closing": _balance(statement.closing),
            "lines": [_line(line) for line in statement.lines],
            "words": {
                "opening": _("Opening balance"),
                "closing": _("Closing balance"),
                "nothing": _("Nothing happened in this period."),
                "footer": _("Days are in UTC. Held points are not spent yet."),
            },
        }


def _balance(amounts: tuple[int, int]) -> list[str]:
    return [number(amounts[0]), number(amounts[1]), number(sum(amounts))]


def _line(line: StoryLine) -> dict[str, object]:
    return {
        "day": day(line.effective_at, "short"),
        "text": str(explain(line)),
        "details": _details(line),
        "amounts": [_signed(each) for each in (line.available, line.held)]
        + [_signed(line.available + line.held)],
    }


def _details(line: StoryLine) -> list[str]:
    return [
        spoken().ngettext(
            "%(points)s point of %(issuer)s, %(reference)s",
            "%(points)s points of %(issuer)s, %(reference)s",
            part.points,
        )
        % {
            "points": number(part.points),
            "issuer": part.issuer,
            "reference": part.reference,
        }
        for part in line.parts
    ]


def _signed(points: int) -> str:
    if points == 0:
        return ""
    return f"{MINUS if points < 0 else '+'}{number(abs(points))}"
