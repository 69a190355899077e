"""What the burn engine writes: a batch in one statement, on raw asyncpg.

The write checks the version of every wallet and the room left in every stock and exposure row;
where one has changed it raises `serialization_failure` and nothing of the batch stays. Locks are
taken in one order everywhere: wallets, lots, exposures, stock, each by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from marketplace.exchange.decide import Accepted, Refused, State
from marketplace.exchange.repository import statement
from marketplace.ids import take_keys

NO_CAP = 2**62

# One array of rows for burns and one for draws: everything else is derived from them here, for
# what is sent has to be encoded value by value. Wallets and lots are updated where they were read,
# without a look-up: whoever has written one since has moved it, which counts as a conflict.
WRITE = """
burn_rows as materialized (select * from unnest($3::engine_burn[])),
draw_rows as materialized (select * from unnest($4::engine_draw[])),
wallets as (
    update wallet
    set available = available - u.points, held = held + u.points, version = wallet.version + 1,
        last_hold_id = u.hold_id
    from (
        select wallet_id, wallet_at, wallet_version, sum(points)::bigint as points,
               max(transfer_id) as hold_id
        from burn_rows where rejection is null
        group by wallet_id, wallet_at, wallet_version order by wallet_id
    ) as u
    where wallet.ctid = u.wallet_at and wallet.id = u.wallet_id
      and wallet.version = u.wallet_version
    returning 1
),
lots as (
    update lot set remaining = remaining - u.points, open = remaining > u.points
    from (
        select wallet_id, lot_id, lot_at, sum(points)::bigint as points
        from draw_rows group by wallet_id, lot_id, lot_at order by wallet_id, lot_id
    ) as u
    where lot.ctid = u.lot_at and lot.wallet_id = u.wallet_id and lot.id = u.lot_id
      and remaining >= u.points
    returning 1
),
burns as (
    insert into burn (id, wallet_id, offer_id, caller_id, acceptor_id, plugin, quantity, points,
                      cost_micros, currency, limited, status, rejection, detail, fulfilment,
                      effective_at, hold_until, due_at, selection)
    select id, wallet_id, offer_id, caller_id, acceptor_id, plugin, quantity, points, cost_micros,
           currency, limited,
           case when rejection is null then 'held' else 'rejected' end::burn_status,
           rejection, detail,
           case when rejection is null then 'queued' else 'done' end::fulfilment_state,
           $1::timestamptz,
           case when rejection is null then $1::timestamptz + $2::interval end,
           case when rejection is null then statement_timestamp() end, selection
    from burn_rows
),
keys as (
    insert into idempotency_key (caller_id, key, request_hash, subject_id, wallet_id)
    select caller_id, key, request_hash, id, wallet_id from burn_rows
),
draws as (
    insert into draw (wallet_id, burn_id, id, lot_id, issuer_id, kind, position, points,
                      effective_at)
    select wallet_id, burn_id, id, lot_id, issuer_id, 'draw', position, points, $1 from draw_rows
),
transfers as (
    insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                          credit_owner, unit, amount, burn_id, previous_hold_id, effective_at)
    select wallet_id, transfer_id, 'hold', 'wallet_available', wallet_id, 'wallet_held', wallet_id,
           'POINTS', points, id, previous_hold_id, $1
    from burn_rows where rejection is null
)
select case
    when (select count(*) from wallets) <> $5::bigint then marketplace_conflict('a wallet')
    when (select count(*) from lots) <> $6::bigint then marketplace_conflict('a lot')
    when exists (select 1 from exposure where member_id = any($7::uuid[]))
        then marketplace_conflict('an exposure cap')
    else true end
"""

# Everybody wants the rows of an offer's stock and of an issuer's exposure, so they are locked last.
# What the last select asks for runs first; of the rest PostgreSQL ends what stands first last. Were
# that to change, they would be locked earlier, or in an order of which a deadlock were retried.
# Neither row is ever deleted, so that there is room in it is all that must be checked. {} is the
# number of the part's own parameter.
WRITE_STOCKS = """
stocks as (
    update offer_stock
    set remaining = case when remaining >= u.quantity then remaining - u.quantity
                         when marketplace_conflict('stock') then 0 end
    from unnest({}::engine_stock[]) as u
    where offer_stock.offer_id = u.offer_id
),
"""
WRITE_EXPOSURES = """
exposures as (
    update exposure
    set used_micros = case when used_micros + u.micros <= u.cap then used_micros + u.micros
                           when marketplace_conflict('an exposure') then 0 end
    from unnest({}::engine_exposure[]) as u
    where exposure.member_id = u.member_id
),
"""


async def write(
    connection: Any,
    state: State,
    decided: Sequence[Accepted | Refused],
    hold_for: timedelta,
) -> None:
    """Write a batch: one statement, one transaction. Raises on conflict, nothing written then."""
    accepted = [decision for decision in decided if isinstance(decision, Accepted)]
    draws = _draw_rows(accepted)
    shared = [
        (WRITE_STOCKS, _stock_rows(accepted, state)),
        (WRITE_EXPOSURES, _exposure_rows(accepted, state)),
    ]
    used = [(part, rows) for part, rows in shared if rows]
    await connection.fetchval(
        statement("with", 8, *(part for part, _ in used), WRITE),
        state.now,
        hold_for,
        _burn_rows(decided, state),
        draws,
        len({each.request.wallet_id for each in accepted}),
        len({(draw[0], draw[3]) for draw in draws}),
        _uncapped_issuers(accepted, state),
        *(rows for _, rows in used),
    )


def _burn_rows(decided: Sequence[Accepted | Refused], state: State) -> list[tuple[Any, ...]]:
    """As `engine_burn`: the burn, its key, its wallet as it was read and its hold transfer."""
    rows: list[tuple[Any, ...]] = []
    for each, transfer_id in zip(decided, _transfer_ids(decided, state), strict=True):
        request = each.request
        asked = (request.burn_id, request.wallet_id, request.offer_id, request.principal.caller_id)
        key = (request.key, request.request_hash)
        if isinstance(each, Accepted):
            offer, wallet = each.offer, state.wallets[request.wallet_id]
            previous, wallet.last_hold_id = wallet.last_hold_id, transfer_id
            rows.append(
                (
                    *asked,
                    offer.acceptor_id,
                    offer.plugin,
                    request.quantity,
                    each.points,
                    each.cost_micros,
                    offer.currency,
                    offer.limit_per_wallet is not None,
                    None,
                    None,
                    *key,
                    wallet.version,
                    transfer_id,
                    wallet.at,
                    previous,
                    request.selection,
                )
            )
        else:
            why = (each.error.code, each.error.detail)
            refused = (None, None, request.quantity, 0, 0, None, False, *why)
            rows.append((*asked, *refused, *key, None, None, None, None, request.selection))
    return rows


def _transfer_ids(decided: Sequence[Accepted | Refused], state: State) -> list[int]:
    """New ids, above those of earlier holds: they grow along a chain whichever clock made them."""
    after = max((wallet.last_hold_id for wallet in state.wallets.values()), default=0)
    return take_keys(len(decided), after=after)


def _draw_rows(accepted: list[Accepted]) -> list[tuple[Any, ...]]:
    """As `engine_draw`."""
    keys = iter(take_keys(sum(len(each.draws) for each in accepted)))
    return [
        (
            each.request.wallet_id,
            each.request.burn_id,
            next(keys),
            part.lot.id,
            part.lot.issuer_id,
            part.position,
            part.points,
            part.lot.at,
        )
        for each in accepted
        for part in each.draws
    ]


def _exposure_rows(accepted: list[Accepted], state: State) -> list[tuple[Any, ...]]:
    """As `engine_exposure`, by member."""
    micros: dict[UUID, int] = {}
    for each in accepted if state.exposures else ():
        for part in each.draws:
            issuer_id = part.lot.issuer_id
            if issuer_id in state.exposures:
                value = part.points * part.lot.price_micros
                micros[issuer_id] = micros.get(issuer_id, 0) + value
    rows: list[tuple[Any, ...]] = []
    for issuer_id in sorted(micros):
        cap = state.exposures[issuer_id].cap_micros
        rows.append((issuer_id, micros[issuer_id], NO_CAP if cap is None else cap))
    return rows


def _stock_rows(accepted: list[Accepted], state: State) -> list[tuple[Any, ...]]:
    """As `engine_stock`, by offer."""
    units: dict[UUID, int] = {}
    for each in accepted:
        if each.offer.id in state.stock:
            units[each.offer.id] = units.get(each.offer.id, 0) + each.request.quantity
    return [(offer_id, units[offer_id]) for offer_id in sorted(units)]


def _uncapped_issuers(accepted: list[Accepted], state: State) -> list[UUID]:
    """Issuers taken to have no exposure row; the write checks that this is still so."""
    issuers = {part.lot.issuer_id for each in accepted for part in each.draws}
    return list(issuers - state.exposures.keys())
