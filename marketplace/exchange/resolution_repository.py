"""All SQL of captures, voids and refunds: set-wise, on the asyncpg connection of the transaction.

Locks are taken in one order: burns, wallets, lots, exposures, stock, each by id. An update locks in
the order of the array it is sent where `db.look_up_in_order` was called before, as all callers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from marketplace.errors import UsageError
from marketplace.ids import ids_as_text, take_keys
from marketplace.ledger.postings import BurnTerms, ObligationRow, Part, TransferRow
from marketplace.ledger.windows import insist


class LockedBurn(msgspec.Struct, frozen=True):
    """A burn whose row this transaction has locked."""

    terms: BurnTerms
    offer_id: UUID
    plugin: str
    quantity: int
    currency: str
    status: str
    fulfilment: str
    attempts: int
    refunded_points: int


class Books(msgspec.Struct, frozen=True):
    """What a posting needs besides the burn: the open window, the operator, business time."""

    window_id: UUID
    operator_id: UUID
    now: datetime


LOCK_BURNS = """
select b.id, b.wallet_id, b.acceptor_id, b.points, b.cost_micros, b.offer_id, b.plugin, b.quantity,
       b.currency, b.status::text, b.fulfilment::text, b.attempts, b.refunded_points
from unnest($1::uuid[], $2::uuid[]) as u(id, wallet_id)
join burn b on b.id = u.id and b.wallet_id = u.wallet_id
where b.status <> 'rejected'
order by b.id
for update of b
"""

# What is still held is taken and what was drawn is read, in one go. Another that ended a burn first
# is waited for, and its burn is no longer held.
TAKE = """
with taken as (
    update burn set status = 'captured', fulfilment = 'done', due_at = null
    from unnest($1::text::uuid[], $2::text::uuid[]) as u(id, wallet_id)
    where burn.id = u.id and burn.wallet_id = u.wallet_id and burn.status = 'held'
    returning burn.id, burn.wallet_id, acceptor_id, points, cost_micros, offer_id, plugin,
              quantity, currency, status, fulfilment, attempts, refunded_points
), resolutions as (
    insert into burn_resolution (burn_id, wallet_id, outcome, reason, effective_at)
    select id, wallet_id, 'captured', '', $3 from taken
)
select b.id, b.wallet_id, b.acceptor_id, b.points, b.cost_micros, b.offer_id, b.plugin, b.quantity,
       b.currency, b.status::text, b.fulfilment::text, b.attempts, b.refunded_points,
       d.lot_id, d.issuer_id, l.contract_id, l.pooled_price_micros, l.currency, l.price_micros,
       d.position, d.points
from taken b
join draw d on d.wallet_id = b.wallet_id and d.burn_id = b.id and d.kind = 'draw'
join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
order by b.id, d.position
"""

PARTS = """
select d.burn_id, d.lot_id, d.issuer_id, l.contract_id, l.pooled_price_micros,
       l.currency, l.price_micros, d.position, d.points
from unnest($1::uuid[], $2::uuid[]) as u(burn_id, wallet_id)
join draw d on d.wallet_id = u.wallet_id and d.burn_id = u.burn_id and d.kind = 'draw'
join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
order by d.burn_id, d.position
"""

BOOKS = """
select w.id, (select id from member where is_operator), marketplace_now()
from settlement_window w where w.status = 'open' for share
"""

# Whose terms hold for what a member accepts now.
ACCEPTED_UNDER = """
select member_id, id from contract
where member_id = any($1::uuid[]) and role <> 'issuer' and valid_from <= $2
  and (valid_to is null or valid_to > $2)
"""

CAPTURED_UNDER = """
select distinct on (u.burn_id) u.burn_id, o.acceptor_contract_id
from unnest($1::uuid[], $2::uuid[]) as u(burn_id, wallet_id)
join obligation o on o.wallet_id = u.wallet_id and o.burn_id = u.burn_id and o.kind = 'capture'
"""

POST = """
with t as (
    insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                          credit_owner, unit, amount, burn_id, window_id, effective_at)
    select u.wallet_id, u.id, u.code::transfer_code, u.debit_account::account, u.debit_owner,
           u.credit_account::account, u.credit_owner, u.unit, u.amount, u.burn_id,
           case when u.unit <> 'POINTS' then $1::uuid end, $2::timestamptz
    from unnest($3::posted_transfer[]) as u
)
insert into obligation (wallet_id, id, window_id, kind, funding, issuer_id, acceptor_id,
                        contract_id, acceptor_contract_id, burn_id, lot_id, points, currency,
                        funded_micros, cost_micros, effective_at)
select u.wallet_id, u.id, $1, u.kind::obligation_kind, u.funding::funding, u.issuer_id,
       u.acceptor_id, u.contract_id, u.acceptor_contract_id, u.burn_id, u.lot_id, u.points,
       u.currency, u.funded_micros, u.cost_micros, $2
from unnest($4::posted_obligation[]) as u
"""

RESOLVE = """
with resolutions as (
    insert into burn_resolution (burn_id, wallet_id, outcome, reason, effective_at)
    select u.burn_id, u.wallet_id, $1::text::burn_status, u.reason, $2
    from unnest($3::uuid[], $4::uuid[], $5::text[]) as u(burn_id, wallet_id, reason)
)
update burn set status = $1::text::burn_status, fulfilment = 'done', due_at = null
from unnest($3::uuid[], $4::uuid[]) as u(burn_id, wallet_id)
where burn.id = u.burn_id and burn.wallet_id = u.wallet_id
"""

RELEASE_HELD = """
update wallet set held = held - u.points
from unnest($1::text::uuid[], $2::bigint[]) as u(id, points) where wallet.id = u.id
"""

CONFIRM = """
insert into supplier_confirmation (burn_id, wallet_id, plugin, supplier_reference)
select * from unnest($1::posted_delivery[])
"""

ARTEFACTS = """
insert into artefact (burn_id, wallet_id, position, kind, label, secret, expires_at)
select * from unnest($1::posted_artefact[])
"""

GIVE_BACK = """
update wallet
set available = available + u.points, held = held - case when $3 then u.points else 0 end,
    version = version + 1
from unnest($1::uuid[], $2::bigint[]) as u(id, points) where wallet.id = u.id
"""

RESTORE_LOTS = """
update lot
set remaining = remaining + u.points, open = true,
    expires_at = case when expires_at <= $4 then $5 else expires_at end
from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as u(wallet_id, id, points)
where lot.wallet_id = u.wallet_id and lot.id = u.id
"""

RESTORE_DRAWS = """
insert into draw (wallet_id, burn_id, id, lot_id, issuer_id, kind, position, points, effective_at)
select u.wallet_id, u.burn_id, u.id, u.lot_id, u.issuer_id, 'restore', u.position, u.points, $8
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[], $6::bigint[],
            $7::bigint[])
  as u(wallet_id, burn_id, id, lot_id, issuer_id, position, points)
"""

LOWER_EXPOSURE = """
update exposure set used_micros = used_micros - u.micros
from unnest($1::uuid[], $2::bigint[]) as u(member_id, micros)
where exposure.member_id = u.member_id
"""

RETURN_STOCK = """
update offer_stock set remaining = remaining + u.quantity
from unnest($1::uuid[], $2::bigint[]) as u(offer_id, quantity)
where offer_stock.offer_id = u.offer_id
"""

ADD_REFUNDED = """
update burn set refunded_points = refunded_points + u.points
from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as u(id, wallet_id, points)
where burn.id = u.id and burn.wallet_id = u.wallet_id
"""

VOID_TRANSFERS = """
insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                      credit_owner, unit, amount, burn_id, effective_at)
select u.wallet_id, u.id, 'void', 'wallet_held', u.wallet_id, 'wallet_available', u.wallet_id,
       'POINTS', u.points, u.burn_id, $5
from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[]) as u(wallet_id, id, burn_id, points)
"""


async def lock_burns(connection: Any, pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, LockedBurn]:
    """Lock the burns (id, wallet) that exist and were not rejected."""
    asked = sorted(set(pairs))
    rows = await connection.fetch(
        LOCK_BURNS, [pair[0] for pair in asked], [pair[1] for pair in asked]
    )
    return {row[0]: LockedBurn(BurnTerms(*row[:5]), *row[5:]) for row in rows}


async def take(
    connection: Any, pairs: Iterable[tuple[UUID, UUID]], now: datetime
) -> tuple[list[LockedBurn], dict[UUID, list[Part]]]:
    """Capture those of the burns (id, wallet) that are held, and the parts of each, by its id."""
    asked = sorted(set(pairs))
    rows = await connection.fetch(
        TAKE, ids_as_text(pair[0] for pair in asked), ids_as_text(pair[1] for pair in asked), now
    )
    burns: list[LockedBurn] = []
    parts: dict[UUID, list[Part]] = {}
    for row in rows:
        burn_id = row[0]
        if burn_id not in parts:
            burns.append(LockedBurn(BurnTerms(*row[:5]), *row[5:13]))
            parts[burn_id] = []
        parts[burn_id].append(Part(*row[13:]))
    return burns, parts


async def parts_of(connection: Any, burns: Iterable[BurnTerms]) -> dict[UUID, list[Part]]:
    """The draws of these burns with what their lots say, by burn in draw order."""
    asked = list(burns)
    rows = await connection.fetch(
        PARTS, [burn.id for burn in asked], [burn.wallet_id for burn in asked]
    )
    found: dict[UUID, list[Part]] = {burn.id: [] for burn in asked}
    for burn_id, *part in rows:
        found[burn_id].append(Part(*part))
    return found


async def open_books(connection: Any) -> Books:
    """The open window (locked against closing until this transaction ends) and the operator."""
    row = await insist(lambda: connection.fetchrow(BOOKS))
    if row[1] is None:
        raise UsageError("No member is the operator yet; import members first.")
    return Books(*row)


async def accepted_under(
    connection: Any, burns: Iterable[BurnTerms], now: datetime
) -> dict[UUID, UUID | None]:
    """The contract, by burn, under which its acceptor accepts it now; None where it has none."""
    asked = list(burns)
    acceptors = {burn.acceptor_id for burn in asked}
    found = dict(await connection.fetch(ACCEPTED_UNDER, list(acceptors), now))
    return {burn.id: found.get(burn.acceptor_id) for burn in asked}


async def captured_under(connection: Any, burns: Iterable[BurnTerms]) -> dict[UUID, UUID | None]:
    """The same of burns that were captured."""
    asked = list(burns)
    rows = await connection.fetch(
        CAPTURED_UNDER, [burn.id for burn in asked], [burn.wallet_id for burn in asked]
    )
    return dict.fromkeys((burn.id for burn in asked), None) | dict(rows)


async def post(
    connection: Any,
    books: Books,
    transfers: Sequence[TransferRow],
    obligations: Sequence[ObligationRow],
    contracts: Mapping[UUID, UUID | None],
) -> None:
    """Write transfers and obligations into the open window.

    `contracts` are those of the acceptors, by burn.
    """
    await connection.execute(
        POST,
        books.window_id,
        books.now,
        _transfer_rows(transfers),
        _obligation_rows(obligations, contracts),
    )


def _transfer_rows(transfers: Sequence[TransferRow]) -> list[tuple[Any, ...]]:
    """As `posted_transfer`."""
    return [
        (
            row.burn.wallet_id,
            key,
            row.code,
            row.debit_account,
            row.debit_owner,
            row.credit_account,
            row.credit_owner,
            row.unit,
            row.amount,
            row.burn.id,
        )
        for row, key in zip(transfers, take_keys(len(transfers)), strict=True)
    ]


def _obligation_rows(
    obligations: Sequence[ObligationRow], contracts: Mapping[UUID, UUID | None]
) -> list[tuple[Any, ...]]:
    """As `posted_obligation`."""
    return [
        (
            row.burn.wallet_id,
            key,
            row.kind,
            row.funding,
            row.part.issuer_id,
            row.burn.acceptor_id,
            row.part.contract_id,
            contracts[row.burn.id],
            row.burn.id,
            row.part.lot_id,
            row.points,
            row.part.currency,
            row.funded_micros,
            row.cost_micros,
        )
        for row, key in zip(obligations, take_keys(len(obligations)), strict=True)
    ]


async def resolve(
    connection: Any,
    outcome: str,
    reasons: dict[UUID, str],
    burns: Sequence[BurnTerms],
    now: datetime,
) -> None:
    """Write the resolutions and the new status of these burns."""
    await connection.execute(
        RESOLVE,
        outcome,
        now,
        [burn.id for burn in burns],
        [burn.wallet_id for burn in burns],
        [reasons.get(burn.id, "") for burn in burns],
    )


async def release_held(connection: Any, burns: Sequence[BurnTerms]) -> None:
    """Captured points leave the wallets."""
    wallets, points = _sums((burn.wallet_id, burn.points) for burn in burns)
    await connection.execute(RELEASE_HELD, ids_as_text(wallets), points)


async def give_back(
    connection: Any,
    restored: Sequence[tuple[BurnTerms, Sequence[Part]]],
    *,
    from_held: bool,
    now: datetime,
    new_expiry: datetime,
) -> None:
    """Return points to wallets and their lots; lots that have expired get `new_expiry`."""
    pairs = [(burn, part) for burn, parts in restored for part in parts]
    points = _sums((burn.wallet_id, part.points) for burn, part in pairs)
    await connection.execute(GIVE_BACK, *points, from_held)
    lots = _sums(((burn.wallet_id, part.lot_id), part.points) for burn, part in pairs)
    await connection.execute(
        RESTORE_LOTS,
        [wallet_id for wallet_id, _ in lots[0]],
        [lot_id for _, lot_id in lots[0]],
        lots[1],
        now,
        new_expiry,
    )
    await connection.execute(
        RESTORE_DRAWS,
        [burn.wallet_id for burn, _ in pairs],
        [burn.id for burn, _ in pairs],
        take_keys(len(pairs)),
        [part.lot_id for _, part in pairs],
        [part.issuer_id for _, part in pairs],
        [part.position for _, part in pairs],
        [part.points for _, part in pairs],
        now,
    )
    owed = _sums((part.issuer_id, part.funded_micros) for _, part in pairs)
    await connection.execute(LOWER_EXPOSURE, *owed)


async def add_refunded(
    connection: Any, burns: Iterable[BurnTerms], points: Mapping[UUID, int]
) -> None:
    """Count points of burns, by their ids, as refunded."""
    asked = list(burns)
    await connection.execute(
        ADD_REFUNDED,
        [burn.id for burn in asked],
        [burn.wallet_id for burn in asked],
        [points[burn.id] for burn in asked],
    )


async def return_stock(connection: Any, burns: Iterable[LockedBurn]) -> None:
    """Units of voided burns can be had again."""
    await connection.execute(RETURN_STOCK, *_sums((each.offer_id, each.quantity) for each in burns))


async def post_voids(connection: Any, burns: Sequence[BurnTerms], now: datetime) -> None:
    """The points transfers of voided burns."""
    await connection.execute(
        VOID_TRANSFERS,
        [burn.wallet_id for burn in burns],
        take_keys(len(burns)),
        [burn.id for burn in burns],
        [burn.points for burn in burns],
        now,
    )


def _sums(pairs: Iterable[tuple[Any, int]]) -> tuple[list[Any], list[int]]:
    """Totals by key, sorted by key (the order in which rows are locked)."""
    totals: dict[Any, int] = {}
    for key, value in pairs:
        totals[key] = totals.get(key, 0) + value
    keys = sorted(totals)
    return keys, [totals[key] for key in keys]
