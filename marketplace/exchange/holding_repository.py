"""What the burn engine writes: a batch in one statement, on raw asyncpg.

The write checks the version of every wallet and the room left in every stock and exposure row;
where one has changed it raises `serialization_failure` and nothing of the batch stays. Locks are
taken in one order everywhere: wallets, lots, exposures, stock, each by id.

What is written comes from one of two places: `write` is sent decisions, `hold_plain` looks for
itself what plain burns need. Everything after that is the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from marketplace.exchange.decide import Accepted, Refused, State
from marketplace.exchange.repository import (
    CAP_IN_FORCE,
    LIVE_API_KEYS,
    LIVE_SIGN_INS,
    OPEN_LOTS,
    USED,
    credentials,
    statement,
)
from marketplace.ids import take_keys

NO_CAP = 2**62


def _holding(now: str) -> str:
    """The parts that hold `burn_rows` and `draw_rows` at the business time `now`, for `$2`.

    Wallets and lots are updated where they were read, without a look-up: whoever has written one
    since has moved it, which counts as a conflict.
    """
    return f"""
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
           {now}, case when rejection is null then {now} + $2::interval end,
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
    select wallet_id, burn_id, id, lot_id, issuer_id, 'draw', position, points, {now}
    from draw_rows
),
transfers as (
    insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                          credit_owner, unit, amount, burn_id, previous_hold_id, effective_at)
    select wallet_id, transfer_id, 'hold', 'wallet_available', wallet_id, 'wallet_held', wallet_id,
           'POINTS', points, id, previous_hold_id, {now}
    from burn_rows where rejection is null
)
"""


# Everybody wants the rows of an offer's stock and of an issuer's exposure, so they are locked last.
# What the last select asks for runs first; of the rest PostgreSQL ends what stands first last. Were
# that to change, they would be locked earlier, or in an order of which a deadlock were retried.
# Neither row is ever deleted, so that there is room in it is all that must be checked.
def _stocks(units: str) -> str:
    return f"""
stocks as (
    update offer_stock
    set remaining = case when remaining >= u.quantity then remaining - u.quantity
                         when marketplace_conflict('stock') then 0 end
    from {units} as u
    where offer_stock.offer_id = u.offer_id
),
"""


def _exposures(micros: str) -> str:
    return f"""
exposures as (
    update exposure
    set used_micros = case when used_micros + u.micros <= u.cap then used_micros + u.micros
                           when marketplace_conflict('an exposure') then 0 end
    from {micros} as u
    where exposure.member_id = u.member_id
),
"""


# One array of rows for burns and one for draws: everything else is derived from them here, for
# what is sent has to be encoded value by value. {} is the number of a part's own parameter.
WRITE_STOCKS = _stocks("unnest({}::engine_stock[])")
WRITE_EXPOSURES = _exposures("unnest({}::engine_exposure[])")
WRITE = f"""
burn_rows as materialized (select * from unnest($3::engine_burn[])),
draw_rows as materialized (select * from unnest($4::engine_draw[])),
{_holding("$1::timestamptz")}
select case
    when (select count(*) from wallets) <> $5::bigint then marketplace_conflict('a wallet')
    when (select count(*) from lots) <> $6::bigint then marketplace_conflict('a lot')
    when exists (select 1 from exposure where member_id = any($7::uuid[]))
        then marketplace_conflict('an exposure cap')
    else true end
"""

# What decide.py would accept without a second look, and nothing else: of what is left out here it
# is not known why. Each wallet is asked for once, in order. `lateral ... limit 1`: a plan made
# while tables are small must look up what was asked, not walk them.
PLAIN_ROWS = f"""
with moment as materialized (select marketplace_now() as now),
burn_rows as materialized (
    select asked.id, asked.wallet_id, asked.offer_id, asked.caller_id, o.acceptor_id, o.plugin,
           asked.quantity, o.points * asked.quantity as points,
           o.cost_micros * asked.quantity as cost_micros, o.currency,
           o.limit_per_wallet is not null as limited, null::text as rejection, null::text as detail,
           asked.key, asked.request_hash, w.version as wallet_version, asked.transfer_id,
           w.ctid as wallet_at, coalesce(w.last_hold_id, 0) as previous_hold_id,
           null::text as selection, asked.draw_id, l.id as lot_id, l.ctid as lot_at, l.issuer_id,
           l.price_micros, s.offer_id is not null as stocked
    from unnest($1::engine_ask[]) as asked
    cross join lateral (
        select ctid, id, sponsor_id, participant_id, version, last_hold_id from wallet
        where id = asked.wallet_id limit 1
    ) w
    cross join lateral (
        select id, version, acceptor_id, plugin, points, cost_micros, currency, limit_per_wallet
        from offer where id = asked.offer_id limit 1
    ) o
    left join lateral (
        select offer_id, remaining from offer_stock where offer_id = asked.offer_id limit 1
    ) s on true
    cross join lateral ({OPEN_LOTS} limit 1) l
    where o.version = asked.offer_version
      and (asked.from_any or w.sponsor_id = asked.sponsor_id
           or w.participant_id = asked.participant_id)
      and l.currency = o.currency and l.remaining >= o.points * asked.quantity
      and (s.remaining is null or s.remaining >= asked.quantity)
      and (w.last_hold_id is null or w.last_hold_id < asked.transfer_id)
      and (o.limit_per_wallet is null
           or coalesce((select sum(quantity) {USED}), 0) + asked.quantity <= o.limit_per_wallet)
"""
PLAIN_KEYS_LIVE = f"and (select count(*) {LIVE_API_KEYS}) = cardinality({{0}}::uuid[])\n"
PLAIN_SIGN_INS_LIVE = f"and (select count(*) {LIVE_SIGN_INS}) = cardinality({{0}}::uuid[])\n"
PLAIN_STOCKS = _stocks(
    "(select offer_id, sum(quantity) as quantity from burn_rows where stocked"
    " group by offer_id order by offer_id)"
)
PLAIN_EXPOSURES = _exposures(f"""(
        select e.member_id, drawn.micros,
               coalesce(c.exposure_cap_micros + e.prefunded_micros, {NO_CAP}) as cap
        from (select issuer_id, sum(points * price_micros)::bigint as micros
              from burn_rows group by issuer_id) as drawn
        join exposure e on e.member_id = drawn.issuer_id
        {CAP_IN_FORCE}
        order by e.member_id
    )""")
PLAIN_HOLD = f"""
draw_rows as not materialized (
    select wallet_id, id as burn_id, draw_id as id, lot_id, issuer_id, 0 as position, points, lot_at
    from burn_rows
),
{_holding("(select now from moment)")}
select (select now from moment),
    case when found.count <> $3::bigint then array(select id from burn_rows) end,
    case
    when (select count(*) from wallets) <> found.count then marketplace_conflict('a wallet')
    when (select count(*) from lots) <> found.count then marketplace_conflict('a lot')
"""
PLAIN_UNCAPPED = """
    when exists (select 1 from exposure where member_id in (select issuer_id from burn_rows))
        then marketplace_conflict('an exposure cap')
"""
PLAIN_END = """
    else true end
from (select count(*) as count from burn_rows) as found
"""


async def send(connection: Any, text: str, *arguments: Any) -> Any:
    """Send a statement that writes a batch; it commits by itself. Its row."""
    return await connection.fetchrow(text, *arguments)


async def hold_plain(
    connection: Any, plain: Sequence[Accepted], hold_for: timedelta, *, capped: bool
) -> tuple[datetime, set[UUID] | None]:
    """Hold those of `plain`, of one wallet each, that are as their terms say and one lot covers.

    Returns the business time they are held from, and the ids of those that are (None: all of them);
    nothing is known of the others. Their draws are the database's to choose. `capped`: some issuer
    may owe only so much. Raises on conflict, nothing written then.
    """
    asked = sorted(plain, key=lambda each: each.request.wallet_id)
    count = len(asked)
    keys = take_keys(2 * count)
    api_keys, sign_ins = credentials([each.request for each in asked])
    row = await send(
        connection,
        plain_statement(bool(api_keys), bool(sign_ins), capped),
        [
            _ask_row(each, transfer_id, draw_id)
            for each, transfer_id, draw_id in zip(asked, keys[:count], keys[count:], strict=True)
        ],
        hold_for,
        count,
        *(ids for ids in (api_keys, sign_ins) if ids),
    )
    held = row[1]
    return row[0], None if held is None else set(held)


@cache
def plain_statement(keys: bool, sign_ins: bool, capped: bool) -> str:
    """The statement for API keys, sign-ins or both, with or without issuers that have caps."""
    live = [
        part for part, asked in ((PLAIN_KEYS_LIVE, keys), (PLAIN_SIGN_INS_LIVE, sign_ins)) if asked
    ]
    return (
        statement(PLAIN_ROWS, 4, *live)
        + f"),{PLAIN_STOCKS}{PLAIN_EXPOSURES if capped else ''}{PLAIN_HOLD}"
        + f"{'' if capped else PLAIN_UNCAPPED}{PLAIN_END}"
    )


def _ask_row(plain: Accepted, transfer_id: int, draw_id: int) -> tuple[Any, ...]:
    """As `engine_ask`."""
    request, principal = plain.request, plain.request.principal
    return (
        request.burn_id,
        request.wallet_id,
        request.offer_id,
        principal.caller_id,
        principal.is_operator,
        principal.member_id if principal.is_key else None,
        None if principal.is_key else principal.participant_id,
        plain.offer.version,
        request.quantity,
        request.key,
        request.request_hash,
        transfer_id,
        draw_id,
    )


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
    await send(
        connection,
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
