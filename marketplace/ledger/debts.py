"""Money that one member owes another outside burns, booked by plugins into the open window."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.coalition.models import Member
from marketplace.errors import Conflict, InvalidRequest, NotFound
from marketplace.ids import next_key
from marketplace.ledger.domain import Account, TransferCode
from marketplace.ledger.errors import PeriodLocked
from marketplace.ledger.models import MemberDebt, Transfer
from marketplace.ledger.windows import share_open_sync
from marketplace.money import MAX_MICROS

CURRENCY = re.compile(r"[A-Z]{3}")
LONGEST_TEXT = 200
"""Most characters of a reference and of a reason."""


class Debt(msgspec.Struct, frozen=True, kw_only=True):
    """What `debtor_id` owes `creditor_id`; negative: a contra that undoes an earlier debt whole."""

    plugin: str
    reference: str
    """The plugin's own, unique for ever: the idempotency key."""
    debtor_id: UUID
    creditor_id: UUID
    amount_micros: int
    currency: str
    reason: str
    undoes: str | None = None
    """Reference of the debt that a negative amount undoes."""


def owe(session: Session, debt: Debt) -> None:
    """Book a debt and its transfer into the open window; booked already: nothing happens.

    The window is read FOR SHARE, as for captures: whoever closes it waits for this transaction.
    Raises InvalidRequest, NotFound (no such member, nothing to undo), Conflict (the reference was
    booked with other terms, or the debt was undone before).
    """
    _check(debt)
    undoes_id = None if debt.undoes is None else _undone(session, debt)
    missing = {debt.debtor_id, debt.creditor_id} - set(
        session.scalars(
            sa.select(Member.id).where(Member.id.in_([debt.debtor_id, debt.creditor_id]))
        )
    )
    if missing:
        raise NotFound(f"There is no member with the id {missing.pop()}.")
    debt_id = next_key()
    window = share_open_sync(session)
    values = {
        **msgspec.structs.asdict(debt),
        "id": debt_id,
        "undoes_id": undoes_id,
        "window_id": window.id,
        "effective_at": window.now,
    }
    del values["undoes"]
    locked = session.scalar(sa.select(sa.func.marketplace_locked_until()))
    if locked is not None and window.now < locked:
        raise PeriodLocked(locked)
    # Waits for a transaction that books the same reference, or undoes the same debt, right now.
    made = session.scalar(
        insert(MemberDebt).values(values).on_conflict_do_nothing().returning(MemberDebt.id)
    )
    if made is None:
        _booked_before(session, debt, undoes_id)
    else:
        session.execute(sa.insert(Transfer).values(_transfer(debt, values)))


def _check(debt: Debt) -> None:
    if not CURRENCY.fullmatch(debt.currency):
        raise InvalidRequest(f"{debt.currency!r} is no ISO 4217 code.")
    if debt.debtor_id == debt.creditor_id:
        raise InvalidRequest("A member owes itself nothing: debtor and creditor are the same.")
    if not debt.reference or max(len(debt.reference), len(debt.reason)) > LONGEST_TEXT:
        raise InvalidRequest(f"Reference and reason have up to {LONGEST_TEXT} characters.")
    if debt.amount_micros == 0 or abs(debt.amount_micros) > MAX_MICROS:
        raise InvalidRequest("The amount must not be zero, nor larger than an account holds.")
    if (debt.amount_micros < 0) != (debt.undoes is not None):
        raise InvalidRequest("A negative amount, and only that, undoes an earlier debt.")


def _undone(session: Session, debt: Debt) -> int:
    """The id of the debt that this one undoes: of the same two members, whole."""
    origin = _find(session, debt.plugin, str(debt.undoes))
    if origin is None or origin.undoes_id is not None:
        raise NotFound(f"There is no debt {debt.undoes!r} to undo.")
    terms = (origin.debtor_id, origin.creditor_id, origin.currency, -origin.amount_micros)
    if terms != (debt.debtor_id, debt.creditor_id, debt.currency, debt.amount_micros):
        raise Conflict(f"The debt {debt.undoes!r} is undone whole, between the same members.")
    return origin.id


def _booked_before(session: Session, debt: Debt, undoes_id: int | None) -> None:
    """Raise Conflict unless this very debt was booked before."""
    known = _find(session, debt.plugin, debt.reference)
    if known is None:
        raise Conflict(f"The debt {debt.undoes!r} was undone before.")
    same = ("debtor_id", "creditor_id", "amount_micros", "currency")
    if known.undoes_id != undoes_id or any(getattr(known, n) != getattr(debt, n) for n in same):
        raise Conflict(f"The debt {debt.reference!r} was booked before, with other terms.")


def _find(session: Session, plugin: str, reference: str) -> MemberDebt | None:
    return session.scalar(
        sa.select(MemberDebt).where(MemberDebt.plugin == plugin, MemberDebt.reference == reference)
    )


def _transfer(debt: Debt, values: dict[str, Any]) -> dict[str, Any]:
    """From the debtor's account to the creditor's; a contra goes back."""
    sides = (debt.debtor_id, debt.creditor_id)
    debit_owner, credit_owner = sides if debt.amount_micros > 0 else sides[::-1]
    return {
        # No wallet has to do with it, so the debtor is its distribution column.
        "wallet_id": debt.debtor_id,
        "id": next_key(),
        "code": TransferCode.OWE,
        "debit_account": Account.MEMBER_CLEARING,
        "debit_owner": debit_owner,
        "credit_account": Account.MEMBER_CLEARING,
        "credit_owner": credit_owner,
        "unit": debt.currency,
        "amount": abs(debt.amount_micros),
        "debt_id": values["id"],
        "window_id": values["window_id"],
        "effective_at": values["effective_at"],
    }
