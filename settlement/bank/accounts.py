"""The clearing house's own bank accounts."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.errors import Conflict, InvalidRequest, NotFound
from marketplace.identity.audit import audit
from marketplace.ids import uuid7
from settlement.bank.domain import normal_account
from settlement.bank.errors import UnknownBankAccount
from settlement.bank.models import BankAccount

IDENTIFIER: Final = re.compile(r"[A-Z0-9][A-Z0-9./-]{2,63}")
CURRENCY: Final = re.compile(r"[A-Z]{3}")
IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


async def accounts(session: AsyncSession) -> list[BankAccount]:
    """All accounts, by identifier and currency."""
    return list(
        await session.scalars(
            sa.select(BankAccount).order_by(BankAccount.identifier, BankAccount.currency)
        )
    )


async def add(
    session: AsyncSession,
    *,
    identifier: str,
    currency: str,
    rail: str,
    name: str,
    actor: str,
    as_written: bool = False,
) -> BankAccount:
    """Make an account known. InvalidRequest where its identifier is none, Conflict where it is
    known already. An identifier in the form of an IBAN must have the right check digits, unless it
    is taken `as_written`: a bank's statements name it so.
    """
    number = normal_account(identifier)
    if not IDENTIFIER.fullmatch(number):
        raise InvalidRequest(f"{identifier!r} is no identifier of an account.")
    if not as_written and IBAN.fullmatch(number) and not _checks(number):
        raise InvalidRequest(
            f"{number} looks like an IBAN, but its check digits are wrong. Where the bank's "
            "statements really name the account so, add it as written (as_written, --as-written)."
        )
    if not CURRENCY.fullmatch(currency):
        raise InvalidRequest(f"{currency!r} is no currency: three capitals, like EUR.")
    if not name.strip() or not rail:
        raise InvalidRequest("An account has a name, and a rail that reads its statements.")
    await session.execute(sa.text("lock table settlement_bank_account in share row exclusive mode"))
    known = await session.scalar(
        sa.select(BankAccount.id).where(
            BankAccount.identifier == number, BankAccount.currency == currency
        )
    )
    if known is not None:
        raise Conflict(f"The account {number} in {currency} is known already.")
    made = BankAccount(
        id=uuid7(),
        rail=rail,
        identifier=number,
        currency=currency,
        name=name.strip(),
        made_by=actor,
        made_at=NOW,
    )
    session.add(made)
    await session.flush()
    await audit(
        session, actor, "settlement.bank_account_added", "bank_account", made.id, identifier=number
    )
    return made


def _checks(iban: str) -> bool:
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def _domestic(identifier: str) -> str:
    """An IBAN as banks write it at home (BBAN): without country and check digits."""
    return identifier[4:] if IBAN.fullmatch(identifier) and _checks(identifier) else identifier


async def find(session: AsyncSession, account_id: UUID) -> BankAccount:
    """An account by id."""
    found = await session.get(BankAccount, account_id)
    if found is None:
        raise NotFound(f"There is no bank account {account_id}.")
    return found


async def locked(session: AsyncSession) -> list[BankAccount]:
    """All accounts; nobody imports for one before this transaction ends."""
    query = sa.select(BankAccount).order_by(BankAccount.id).with_for_update()
    return list(await session.scalars(query))


def ours(known: list[BankAccount], identifier: str, currency: str, statement: str) -> BankAccount:
    """The account that a statement is for; UnknownBankAccount, naming it, where it is not ours."""
    number = normal_account(identifier)
    if not number:
        raise UnknownBankAccount(f"{statement} does not say which account it is for.")
    same = [each for each in known if each.identifier == number]
    same = same or [each for each in known if _domestic(each.identifier) == number]
    fitting = [each for each in same if not currency or each.currency == currency]
    if len(fitting) == 1:
        return fitting[0]
    if same:
        held = ", ".join(each.currency for each in same)
        said = f"in {currency}" if currency else "and does not say in which currency"
        raise UnknownBankAccount(
            f"{statement} is for the account {number} {said}; ours is in {held}."
        )
    raise UnknownBankAccount(
        f"{statement} is for the account {number}, which is not ours. Ours: "
        f"{', '.join(each.identifier for each in known) or 'none; add one first'}."
    )
