"""The whole ledger as a journal that an independent checker can add up.

Transfers are streamed from a server-side cursor in one snapshot. At the end each account's balance
is asserted: a wallet's as its balance row says, a member's as its transfers sum, so that
`bean-check` proves the balance rows without any code of ours.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.ledger.domain import POINTS, Account
from marketplace.ledger.journal import JOURNALS, Amount, Entry, Format, Journal, account_path
from marketplace.ledger.verify import snapshot

PREFETCH = 2_000
NONE: Final[Mapping[str, str]] = MappingProxyType({})

SLUGS = "select id, slug from member"

# Debits less credits of every account, and the day it is first used.
ACCOUNTS = """
select account::text, owner, unit, (min(effective_at) at time zone 'UTC')::date as opened,
       sum(amount)::bigint as balance
from (
    select debit_account as account, debit_owner as owner, unit, effective_at, amount
    from transfer
    union all
    select credit_account, credit_owner, unit, effective_at, -amount from transfer
) leg
group by account, owner, unit
order by account, owner, unit
"""

WALLETS = "select id, available, held from wallet where available <> 0 or held <> 0"

TRANSFERS = """
select t.id, (t.effective_at at time zone 'UTC')::date, t.code::text, t.debit_account::text,
       t.debit_owner, t.credit_account::text, t.credit_owner, t.unit, t.amount, t.burn_id,
       o.reference, t.lot_id, t.debt_id, d.plugin || '/' || d.reference, t.window_id
from transfer t
left join burn b on b.id = t.burn_id
left join offer o on o.id = b.offer_id
left join member_debt d on d.id = t.debt_id
order by t.effective_at, t.id
"""

TODAY = "select (marketplace_now() at time zone 'UTC')::date"

FACTS = ("burn", "offer", "lot", "debt", "reference", "window")
"""What a transfer is about, as the journal names it: `offer` is the burn's, `reference` the
debt's, with the plugin that booked it."""
STRANGE = re.compile(r"[^\w./:-]")
"""What means something in either syntax, or may: references are anybody's to choose."""

Key = tuple[str, UUID, str]
"""Account, owner and unit."""
WALLET_ACCOUNTS = (Account.WALLET_AVAILABLE.value, Account.WALLET_HELD.value)


class Held(msgspec.Struct):
    """What the ledger says of one account: first day of use, and debits less credits."""

    opened: date
    balance: int


Paths = dict[tuple[str, UUID], str]
"""Name in the journal by account and owner: made once, needed twice for every transfer."""


async def export(
    session: AsyncSession, form: Format, notes: Mapping[str, str] = NONE
) -> AsyncIterator[str]:
    """The journal, piece by piece. `session` must be a new transaction (see `verify`).

    `notes`: the SQL of `JournalNotes` by kind, `charity.share`.
    """
    await snapshot(session)
    connection = await raw_connection(session)
    today: date = await connection.fetchval(TODAY)
    accounts = await _accounts(connection, today)
    slugs = dict(await connection.fetch(SLUGS))
    paths = {key[:2]: account_path(Account(key[0]), key[1], slugs) for key in accounts}
    journal = JOURNALS[form]
    yield _head(journal, accounts, paths, today)
    last = today
    async for row in connection.cursor(TRANSFERS, prefetch=PREFETCH):
        entry = _entry(row, paths)
        last = max(last, entry.day)
        yield journal.entry(entry)
    for kind, sql in notes.items():
        async for row in connection.cursor(sql, prefetch=PREFETCH):
            day, facts = row["day"], {k: v for k, v in row.items() if k != "day" and v is not None}
            yield journal.note(day, _plain(kind), {k: _plain(v) for k, v in facts.items()})
    yield "\n"
    after = last + timedelta(days=1)
    for (account, owner, unit), held in accounts.items():
        yield journal.balance(after, paths[account, owner], unit, held.balance)


async def _accounts(connection: Any, today: date) -> dict[Key, Held]:
    found = {
        (account, owner, unit): Held(opened, balance)
        for account, owner, unit, opened, balance in await connection.fetch(ACCOUNTS)
    }
    for (account, _, _), held in found.items():
        if account in WALLET_ACCOUNTS:
            held.balance = 0
    for wallet_id, *balances in await connection.fetch(WALLETS):
        for account, points in zip(WALLET_ACCOUNTS, balances, strict=True):
            if points:
                found.setdefault((account, wallet_id, POINTS), Held(today, 0)).balance = -points
    return found


def _head(journal: Journal, accounts: dict[Key, Held], paths: Paths, today: date) -> str:
    first = min((held.opened for held in accounts.values()), default=today)
    parts = [journal.begin()]
    parts += [journal.commodity(first, unit) for unit in sorted({key[2] for key in accounts})]
    # An account with money in two currencies is opened once: the operator's margin, mostly.
    opened: dict[str, dict[str, date]] = {}
    for (account, owner, unit), held in accounts.items():
        opened.setdefault(paths[account, owner], {})[unit] = held.opened
    parts += [
        journal.account(min(units.values()), path, sorted(units)) for path, units in opened.items()
    ]
    return "".join(parts)


def _entry(row: Any, paths: Paths) -> Entry:
    id_, day, code, debit, debit_owner, credit, credit_owner, unit, amount, *facts = row
    names = zip(FACTS, facts, strict=True)
    return Entry(
        id=str(id_),
        id_of="transfer",
        day=day,
        code=code,
        amounts=(
            Amount(paths[debit, debit_owner], unit, amount),
            Amount(paths[credit, credit_owner], unit, -amount),
        ),
        facts={name: _plain(value) for name, value in names if value is not None},
    )


def _plain(value: object) -> str:
    return STRANGE.sub("_", str(value))
