"""Money that a match owes, as debts between members: rebooked whole when it changes."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from charity.domain import SLUG
from charity.models import Match, Share
from marketplace.ledger.debts import Debt, owe


def rebook(
    session: Session,
    row: Match | Share,
    *,
    name: str,
    debtor_id: UUID,
    creditor_id: UUID,
    currency: str,
    amount_micros: int,
    reason: str,
) -> None:
    """Let what `row` owes be `amount_micros`: the debt before is undone whole, a new one booked.

    `name` begins the references (`<name>:<number>`); `row` must be locked. Both go into the window
    that is open now. Nothing happens where it is just so already.
    """
    if row.booked_micros == amount_micros:
        return

    def book(reference: str, micros: int, undoes: str | None = None) -> None:
        owe(
            session,
            Debt(
                plugin=SLUG,
                reference=reference,
                debtor_id=debtor_id,
                creditor_id=creditor_id,
                amount_micros=micros,
                currency=currency,
                reason=reason,
                undoes=undoes,
            ),
        )

    if row.booked_micros:
        last = f"{name}:{row.booked}"
        book(f"{last}:undone", -row.booked_micros, last)
    if amount_micros:
        row.booked += 1
        book(f"{name}:{row.booked}", amount_micros)
    row.booked_micros = amount_micros
    session.flush()
