"""All SQL of the burn engine: one read and one write per batch, on raw asyncpg.

The read takes no locks. The write checks the version of every wallet and the room left in every
stock and exposure row; where one has changed it raises `serialization_failure` and nothing of the
batch stays. Locks are taken in one order everywhere: wallets, lots, exposures, stock, each by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from marketplace.api import Who
from marketplace.exchange.decide import (
    Accepted,
    BurnRequest,
    Earlier,
    ExposureState,
    LotState,
    Refused,
    State,
    WalletState,
)
from marketplace.exchange.domain import Closed, Eligibility, OfferStatus, OfferTerms
from marketplace.ids import take_keys
from marketplace.ledger.domain import DRAW_ORDER

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_LOTS = 64
"""Lots read per wallet at first; a burn that needs more has them read in a second round."""

# Columns of every part: tag, a, b, c uuid; i, j, k bigint; s text; h bytea. Tables that grow are
# read `lateral`: a plan made while they were small must look up what was asked, not walk them.
# {} is the number of the part's own parameter.
READ_ALWAYS = f"""
select 0 as tag, null::uuid as a, null::uuid as b, null::uuid as c,
       (extract(epoch from marketplace_now()) * 1000000)::bigint as i,
       null::bigint as j, null::bigint as k, null::text as s, null::bytea as h
union all
select 3, w.id, w.participant_id, w.sponsor_id, w.version, null, null, null, null
from wallet w where w.id = any($1::uuid[])
union all
select 4, asked.wallet_id, l.issuer_id, null, l.id, l.remaining, l.price_micros, l.currency, null
from unnest($1::uuid[]) as asked(wallet_id)
cross join lateral (
    select id, issuer_id, remaining, price_micros, currency
    from lot
    where lot.wallet_id = asked.wallet_id and open and expires_at > (select marketplace_now())
    order by {DRAW_ORDER}
    limit $2::int
) l
union all
select 5, o.id, null, null, o.version, s.remaining, null, null, null
from offer o left join offer_stock s on s.offer_id = o.id
where o.id = any($3::uuid[])
"""
READ_API_KEYS = """union all
select 1, id, null, null, null, null, null, null, null
from api_key where id = any({}::uuid[]) and revoked_at is null
"""
READ_SIGN_INS = """union all
select 1, sign_in.id, null, null, null, null, null, null, null
from sign_in join person on person.id = sign_in.person_id
where sign_in.id = any({}::uuid[]) and sign_in.revoked_at is null
  and sign_in.expires_at > statement_timestamp() and person.disabled_at is null
"""
READ_EARLIER = """union all
select 2, e.caller_id, e.subject_id, e.wallet_id, null, null, null, e.key, e.request_hash
from unnest({}::engine_key[]) as asked
cross join lateral (
    select caller_id, subject_id, wallet_id, key, request_hash
    from idempotency_key
    where caller_id = asked.caller_id and key = asked.key
    limit 1
) e
"""
READ_USED = """union all
select 6, u.wallet_id, u.offer_id, null, b.quantity, null, null, null, null
from unnest({}::engine_use[]) as u
cross join lateral (
    select sum(quantity) as quantity
    from burn
    where burn.wallet_id = u.wallet_id and burn.offer_id = u.offer_id and limited
      and status in ('held', 'captured') and refunded_points < points
) b
where b.quantity is not null
"""
READ_EXPOSURES = """union all
select 7, e.member_id, null, null, e.used_micros, c.exposure_cap_micros + e.prefunded_micros,
       null, null, null
from exposure e left join contract c on c.member_id = e.member_id
 and c.valid_from <= marketplace_now() and (c.valid_to is null or c.valid_to > marketplace_now())
"""

LOCK_WALLETS = "select 1 from wallet where id = any($1::uuid[]) order by id for update"

OFFERS = """
select id, version, reference, kind, acceptor_id, plugin, points, cost_micros, currency,
       limit_per_wallet, status::text as status, starts_at, ends_at, eligibility::text,
       closed::text
from offer where id = any($1::uuid[])
"""

WHO = """
select w.id, p.id, p.role, f.reference, f.country
from wallet w
left join participant p on p.id = w.participant_id
join firm f on f.id = coalesce(p.firm_id, w.firm_id)
where w.id = any($1::uuid[])
"""

# One array of rows for burns and one for draws: everything else is derived from them here, for
# what is sent has to be encoded value by value. {} is the number of the part's own parameter.
WRITE = """
with
burn_rows as materialized (select * from unnest($3::engine_burn[])),
draw_rows as materialized (select * from unnest($4::engine_draw[])),
wallets as (
    update wallet
    set available = available - u.points, held = held + u.points, version = wallet.version + 1
    from (
        select wallet_id, wallet_version, sum(points)::bigint as points
        from burn_rows where rejection is null
        group by wallet_id, wallet_version order by wallet_id
    ) as u
    where wallet.id = u.wallet_id and wallet.version = u.wallet_version
    returning 1
),
lots as (
    update lot set remaining = remaining - u.points, open = remaining > u.points
    from (
        select wallet_id, lot_id, sum(points)::bigint as points
        from draw_rows group by wallet_id, lot_id order by wallet_id, lot_id
    ) as u
    where lot.wallet_id = u.wallet_id and lot.id = u.lot_id and remaining >= u.points
    returning 1
),
burns as (
    insert into burn (id, wallet_id, offer_id, caller_id, acceptor_id, plugin, quantity, points,
                      cost_micros, currency, limited, status, rejection, detail, fulfilment,
                      effective_at, hold_until, due_at)
    select id, wallet_id, offer_id, caller_id, acceptor_id, plugin, quantity, points, cost_micros,
           currency, limited,
           case when rejection is null then 'held' else 'rejected' end::burn_status,
           rejection, detail,
           case when rejection is null then 'queued' else 'done' end::fulfilment_state,
           $1::timestamptz,
           case when rejection is null then $1::timestamptz + $2::interval end,
           case when rejection is null then statement_timestamp() end
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
                          credit_owner, unit, amount, burn_id, effective_at)
    select wallet_id, transfer_id, 'hold', 'wallet_available', wallet_id, 'wallet_held', wallet_id,
           'POINTS', points, id, $1
    from burn_rows where rejection is null
)
"""
WRITE_EXPOSURES = """,
exposures as (
    update exposure set used_micros = used_micros + u.micros
    from unnest({}::engine_exposure[]) as u
    where exposure.member_id = u.member_id and used_micros + u.micros <= u.cap
    returning 1
)
"""
WRITE_STOCKS = """,
stocks as (
    update offer_stock set remaining = remaining - u.quantity
    from unnest({}::engine_stock[]) as u
    where offer_stock.offer_id = u.offer_id and remaining >= u.quantity
    returning 1
)
"""
CHECK_WRITTEN = """
select case
    when (select count(*) from wallets) <> $5::bigint then marketplace_conflict('a wallet')
    when (select count(*) from lots) <> $6::bigint then marketplace_conflict('a lot')
    when exists (select 1 from exposure where member_id = any($7::uuid[]))
        then marketplace_conflict('an exposure cap')
"""
CHECK_EXPOSURES = """
    when (select count(*) from exposures) <> cardinality({}::engine_exposure[])
        then marketplace_conflict('an exposure')
"""
CHECK_STOCKS = """
    when (select count(*) from stocks) <> cardinality({}::engine_stock[])
        then marketplace_conflict('stock')
"""

OUTCOMES = """
select b.id, b.wallet_id, b.offer_id, b.quantity, b.points, b.effective_at, b.hold_until,
       b.rejection, b.detail
from unnest($1::uuid[], $2::uuid[]) as u(id, wallet_id)
join burn b on b.id = u.id and b.wallet_id = u.wallet_id
"""

NO_CAP = 2**62


async def read(
    connection: Any,
    requests: Sequence[BurnRequest],
    lots: int,
    limited: Sequence[tuple[UUID, UUID]],
    *,
    keys: bool,
    exposures: bool = True,
) -> tuple[State, dict[UUID, int]]:
    """Read what `requests` need, at most `lots` lots a wallet; earlier outcomes only with `keys`.

    Returns the state and the version of each offer found; `state.offers`, `who` and `rules` are
    left to the caller, who caches them. Parts that nothing needs are left out of the statement:
    each costs its start even where it finds nothing.
    """
    api_keys, sign_ins = _credentials(requests)
    parts = [
        (READ_API_KEYS, api_keys),
        (READ_SIGN_INS, sign_ins),
        (READ_USED, limited),
        (READ_EARLIER, [(each.principal.caller_id, each.key) for each in requests] if keys else ()),
    ]
    asked = [(part, values) for part, values in parts if values]
    rows = await connection.fetch(
        _statement(READ_ALWAYS, 4, *(part for part, _ in asked))
        + (READ_EXPOSURES if exposures else ""),
        sorted({request.wallet_id for request in requests}),
        lots,
        list({request.offer_id for request in requests}),
        *(values for _, values in asked),
    )
    standing = {r.principal.credential_id for r in requests if r.principal.standing}
    state = State(EPOCH, standing, {}, {}, {}, {}, {}, {}, {}, {})
    versions: dict[UUID, int] = {}
    for tag, a, b, c, i, j, k, s, h in rows:
        if tag == 4:
            state.wallets[a].lots.append(LotState(i, b, j, k, s))
        elif tag == 3:
            state.wallets[a] = WalletState(a, b, c, i, [])
        elif tag == 5:
            versions[a] = i
            if j is not None:
                state.stock[a] = j
        elif tag == 1:
            state.live_credentials.add(a)
        elif tag == 2:
            state.earlier[a, s] = Earlier(b, c, h)
        elif tag == 6:
            state.used[a, b] = int(i)
        elif tag == 7:
            state.exposures[a] = ExposureState(i, j)
        else:
            state.now = EPOCH + timedelta(microseconds=i)
    for wallet in state.wallets.values():
        wallet.all_lots = len(wallet.lots) < lots
    return state, versions


@cache
def _statement(first: str, parameter: int, *parts: str) -> str:
    """The statement of these parts; theirs are the parameters from number `parameter`."""
    return first + "".join(
        part.format(f"${number}") for number, part in enumerate(parts, start=parameter)
    )


def _credentials(requests: Sequence[BurnRequest]) -> tuple[list[UUID], list[UUID]]:
    """Ids of the API keys and of the sign-ins behind these requests."""
    keys: set[UUID] = set()
    sign_ins: set[UUID] = set()
    for request in requests:
        principal = request.principal
        if principal.standing:
            continue
        (keys if principal.is_key else sign_ins).add(principal.credential_id)
    return list(keys), list(sign_ins)


async def load_offers(connection: Any, offer_ids: Iterable[UUID]) -> list[OfferTerms]:
    """The terms of these offers."""
    rows = await connection.fetch(OFFERS, list(offer_ids))
    return [
        OfferTerms(
            **{
                **row,
                "status": OfferStatus(row["status"]),
                "eligibility": msgspec.json.decode(row["eligibility"], type=Eligibility),
                "closed": msgspec.json.decode(row["closed"] or "null", type=Closed | None),
            }
        )
        for row in rows
    ]


async def load_who(connection: Any, wallet_ids: Iterable[UUID]) -> dict[UUID, Who]:
    """Who owns these wallets, for restricted offers."""
    rows = await connection.fetch(WHO, list(wallet_ids))
    return {
        row[0]: Who(
            wallet_id=row[0],
            participant_id=row[1],
            role=row[2],
            firm_reference=row[3],
            country=row[4],
        )
        for row in rows
    }


async def lock_wallets(connection: Any, wallet_ids: Iterable[UUID]) -> None:
    """Lock wallets in order, so that a batch that lost a race wins the next one."""
    await connection.fetch(LOCK_WALLETS, list(wallet_ids))


async def write(
    connection: Any,
    state: State,
    decided: Sequence[Accepted | Refused],
    hold_for: timedelta,
) -> None:
    """Write a batch: one statement, one transaction. Raises on conflict, nothing written then."""
    accepted = [decision for decision in decided if isinstance(decision, Accepted)]
    draws = _draw_rows(accepted)
    checked = [
        (WRITE_EXPOSURES, CHECK_EXPOSURES, _exposure_rows(accepted, state)),
        (WRITE_STOCKS, CHECK_STOCKS, _stock_rows(accepted, state)),
    ]
    used = [part for part in checked if part[2]]
    await connection.fetchval(
        _statement(WRITE, 8, *(part for part, _, _ in used))
        + _statement(CHECK_WRITTEN, 8, *(check for _, check, _ in used))
        + "    else true end",
        state.now,
        hold_for,
        _burn_rows(decided, state),
        draws,
        len({each.request.wallet_id for each in accepted}),
        len({(draw[0], draw[3]) for draw in draws}),
        _uncapped_issuers(accepted, state),
        *(rows for _, _, rows in used),
    )


def _burn_rows(decided: Sequence[Accepted | Refused], state: State) -> list[tuple[Any, ...]]:
    """As `engine_burn`: the burn, its key, the version of its wallet and its hold transfer."""
    rows: list[tuple[Any, ...]] = []
    for each, transfer_id in zip(decided, take_keys(len(decided)), strict=True):
        request = each.request
        asked = (request.burn_id, request.wallet_id, request.offer_id, request.principal.caller_id)
        key = (request.key, request.request_hash)
        if isinstance(each, Accepted):
            offer = each.offer
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
                    state.wallets[request.wallet_id].version,
                    transfer_id,
                )
            )
        else:
            why = (each.error.code, each.error.detail)
            rows.append(
                (*asked, None, None, request.quantity, 0, 0, None, False, *why, *key, None, None)
            )
    return rows


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
