"""What the burn engine reads: once per batch, on raw asyncpg, without locks.

What it writes is in `holding_repository.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from marketplace.api import Who
from marketplace.exchange.decide import (
    BurnRequest,
    Earlier,
    ExposureState,
    LotState,
    Promised,
    State,
    WalletState,
)
from marketplace.exchange.domain import Closed, Eligibility, OfferStatus, OfferTerms
from marketplace.ledger.domain import DRAW_ORDER

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_LOTS = 64
"""Lots read per wallet at first by who looks at one; what is missing is read in a second round."""
FEWEST_LOTS = 1
"""The same of the burn engine while burns take points of one lot each, as most do."""

# Columns of every part: tag, a, b, c uuid; i, j, k bigint; s text; h bytea; then those that only
# wallets have (NO_WALLET where a part has none): issuer, price, last hold, and where both rows lie.
# Tables that grow are read `lateral`: a plan made while they were small must look up what was
# asked, not walk them. Each row has to be decoded value by value, so a wallet comes with its first
# lot, and of offers only those that changed or have stock. {} is the number of a part's parameter.
NO_WALLET = "null, null, null, null, null"
OPEN_LOTS = f"""
    select ctid, id, issuer_id, remaining, price_micros, currency
    from lot
    where lot.wallet_id = w.id and open and expires_at > (select marketplace_now())
    order by {DRAW_ORDER}"""
"""Of the wallet `w`, in the order in which they are drawn from."""
LIVE_API_KEYS = "from api_key where id = any({0}::uuid[]) and revoked_at is null"
LIVE_SIGN_INS = """from sign_in join person on person.id = sign_in.person_id
where sign_in.id = any({0}::uuid[]) and sign_in.revoked_at is null
  and sign_in.expires_at > statement_timestamp() and person.disabled_at is null"""
USED = """from burn
    where burn.wallet_id = asked.wallet_id and burn.offer_id = asked.offer_id and limited
      and status in ('held', 'captured') and refunded_points < points"""
"""Burns of the wallet and offer `asked` that count towards the offer's limit."""
CAP_IN_FORCE = """left join contract c on c.member_id = e.member_id
 and c.valid_from <= marketplace_now() and (c.valid_to is null or c.valid_to > marketplace_now())"""
"""The contract `c` that caps the exposure `e`."""
READ_ALWAYS = f"""
select 0 as tag, null::uuid as a, null::uuid as b, null::uuid as c,
       (extract(epoch from marketplace_now()) * 1000000)::bigint as i,
       null::bigint as j, null::bigint as k, null::text as s, null::bytea as h,
       null::uuid, null::bigint, null::bigint, null::tid, null::tid
union all
select 3, w.id, w.participant_id, w.sponsor_id, w.version, l.id, l.remaining, l.currency, null,
       l.issuer_id, l.price_micros, w.last_hold_id, w.ctid, l.ctid
from wallet w
left join lateral ({OPEN_LOTS}
    limit $2::int
) l on true
where w.id = any($1::uuid[])
union all
select 5, o.id, null, null, o.version, s.remaining, null, null, null, {NO_WALLET}
from unnest($3::engine_offer[]) as asked
join offer o on o.id = asked.id
left join offer_stock s on s.offer_id = o.id
where o.version <> asked.version or s.offer_id is not null
"""
READ_API_KEYS = f"""union all
select 1, id, null, null, null, null, null, null, null, {NO_WALLET}
{LIVE_API_KEYS}
"""
READ_SIGN_INS = f"""union all
select 1, sign_in.id, null, null, null, null, null, null, null, {NO_WALLET}
{LIVE_SIGN_INS}
"""
READ_EARLIER = f"""union all
select 2, e.caller_id, e.subject_id, e.wallet_id, null, null, null, e.key, e.request_hash,
       {NO_WALLET}
from unnest({{}}::engine_key[]) as asked
cross join lateral (
    select caller_id, subject_id, wallet_id, key, request_hash
    from idempotency_key
    where caller_id = asked.caller_id and key = asked.key
    limit 1
) e
"""
READ_USED = f"""union all
select 6, asked.wallet_id, asked.offer_id, null, b.quantity, null, null, null, null, {NO_WALLET}
from unnest({{}}::engine_use[]) as asked
cross join lateral (select sum(quantity) as quantity {USED}) b
where b.quantity is not null
"""
READ_EXPOSURES = f"""union all
select 7, e.member_id, null, null, e.used_micros, c.exposure_cap_micros + e.prefunded_micros,
       null, null, null, {NO_WALLET}
from exposure e {CAP_IN_FORCE}
"""
READ_PROMISES = f"""union all
select 8, p.offer_id, null, null, p.points, p.cost_micros, null, p.selection, null, {NO_WALLET}
from price_promise p where p.selection = any({{}}::text[]) and p.until > marketplace_now()
"""

LOCK_WALLETS = "select 1 from wallet where id = any($1::uuid[]) order by id for update"
UNLOCKED_WALLETS = "select id from wallet where id = any($1::uuid[]) for update skip locked"

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

OUTCOMES = """
select b.id, b.wallet_id, b.offer_id, b.quantity, b.points, b.effective_at, b.hold_until,
       b.rejection, b.detail
from unnest($1::uuid[], $2::uuid[]) as u(id, wallet_id)
join burn b on b.id = u.id and b.wallet_id = u.wallet_id
"""

NO_VERSION = -1


async def read(
    connection: Any,
    requests: Sequence[BurnRequest],
    lots: int,
    limited: Sequence[tuple[UUID, UUID]],
    *,
    keys: bool,
    exposures: bool = True,
    known: Mapping[UUID, OfferTerms] | None = None,
) -> tuple[State, dict[UUID, int]]:
    """Read what `requests` need, at most `lots` lots a wallet; earlier outcomes only with `keys`.

    Returns the state and the version of each offer found; `state.offers`, `who` and `rules` are
    left to the caller, who caches them (`known` are the offers it has). Parts that nothing needs
    are left out of the statement: each costs its start even where it finds nothing.
    """
    known = known or {}
    offer_ids = {request.offer_id for request in requests}
    versions = {offer_id: known[offer_id].version for offer_id in offer_ids if offer_id in known}
    api_keys, sign_ins = credentials(requests)
    parts = [
        (READ_API_KEYS, api_keys),
        (READ_SIGN_INS, sign_ins),
        (READ_USED, limited),
        (READ_PROMISES, [each.selection for each in requests if each.selection is not None]),
        (READ_EARLIER, [(each.principal.caller_id, each.key) for each in requests] if keys else ()),
    ]
    asked = [(part, values) for part, values in parts if values]
    rows = await connection.fetch(
        statement(READ_ALWAYS, 4, *(part for part, _ in asked))
        + (READ_EXPOSURES if exposures else ""),
        sorted({request.wallet_id for request in requests}),
        lots,
        [(offer_id, versions.get(offer_id, NO_VERSION)) for offer_id in offer_ids],
        *(values for _, values in asked),
    )
    standing = {r.principal.credential_id for r in requests if r.principal.standing}
    state = State(EPOCH, standing, {}, {}, {}, {}, {}, {}, {}, {})
    wallets = state.wallets
    for tag, a, b, c, i, j, k, s, h, issuer_id, price, last_hold, wallet_at, lot_at in rows:
        if tag == 3:
            wallet = wallets.get(a)
            if wallet is None:
                wallet = wallets[a] = WalletState(a, b, c, i, [], True, wallet_at, last_hold or 0)
            if j is not None:
                wallet.lots.append(LotState(j, issuer_id, k, price, s, lot_at))
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
        elif tag == 8:
            state.promises[a, s] = Promised(i, j)
        else:
            state.now = EPOCH + timedelta(microseconds=i)
    for wallet in wallets.values():
        wallet.all_lots = len(wallet.lots) < lots
    return state, versions


@cache
def statement(first: str, parameter: int, *parts: str) -> str:
    """The statement of these parts; theirs are the parameters from number `parameter`."""
    return first + "".join(
        part.format(f"${number}") for number, part in enumerate(parts, start=parameter)
    )


def credentials(requests: Sequence[BurnRequest]) -> tuple[list[UUID], list[UUID]]:
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


async def unlocked_wallets(connection: Any, wallet_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these wallets that nobody has locked just now."""
    return {row["id"] for row in await connection.fetch(UNLOCKED_WALLETS, list(wallet_ids))}
