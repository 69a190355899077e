"""Messages of what happens to burns and points, made in the transaction in which it happens.

One statement for a whole chunk or file, on the transaction's asyncpg connection, and none but a
look at a small table where no member subscribes. Why here and not by the hooks that observe:
docs/decisions/0018-webhooks-in-the-transaction.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from marketplace.webhooks.domain import GIVE_UP_AFTER, EventType

# Whoever may read the burn by its id: who is paid, and who looks after the wallet. What is made for
# a stopped endpoint waits, as failed, for a replay.
WANTED: Final = "e.status <> 'gone' and {type} = any(e.events)"
STATE: Final = """
case when e.status = 'active' then 'due' else 'failed' end::webhook_message_status,
case when e.status = 'active' then statement_timestamp() end
"""
SUBSCRIBED: Final = f"""
select exists (select 1 from webhook_endpoint e where {WANTED.format(type="$1::text")})
"""
INSERT: Final = """
insert into webhook_message (endpoint_id, type, subject_id, data, effective_at, give_up_at, status,
                             due_at)
"""


def _literal(kind: EventType) -> str:
    return f"'{kind.value}'"


GIVE_UP: Final = f"statement_timestamp() + interval '{int(GIVE_UP_AFTER.total_seconds())} seconds'"


BURN_DATA: Final = """
'burn_id', b.id, 'wallet_id', b.wallet_id, 'offer_id', b.offer_id, 'offer_reference', o.reference,
'quantity', b.quantity, 'points', b.points
"""


def _of_burns(kind: EventType, more: str) -> str:
    return f"""
{INSERT}
select e.id, {_literal(kind)}, b.id, jsonb_build_object({BURN_DATA}{more}), $4::timestamptz,
       {GIVE_UP}, {STATE}
from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality
     as u(burn_id, wallet_id, reason, position)
join burn b on b.id = u.burn_id and b.wallet_id = u.wallet_id
join offer o on o.id = b.offer_id
join wallet w on w.id = b.wallet_id
join webhook_endpoint e on e.member_id in (b.acceptor_id, w.sponsor_id)
                       and {WANTED.format(type=_literal(kind))}
order by u.position
"""


# What a reward costs is between the operator and who is paid.
COST: Final = """ || case when e.member_id = b.acceptor_id
    then jsonb_build_object('cost_micros', b.cost_micros, 'currency', b.currency) else '{}' end"""
FULFILLED: Final = _of_burns(EventType.BURN_FULFILLED, "").replace(
    f"jsonb_build_object({BURN_DATA})", f"jsonb_build_object({BURN_DATA}){COST}"
)
VOIDED: Final = _of_burns(EventType.BURN_VOIDED, ", 'reason', u.reason")

REFUNDED: Final = f"""
{INSERT}
select e.id, {_literal(EventType.BURN_REFUNDED)}, b.id,
       jsonb_build_object({BURN_DATA}, 'refund_id', r.id, 'refunded_points', r.points,
                          'reason', r.reason),
       r.effective_at, {GIVE_UP}, {STATE}
from unnest($1::uuid[], $2::uuid[]) with ordinality as u(refund_id, wallet_id, position)
join refund r on r.id = u.refund_id and r.wallet_id = u.wallet_id
join burn b on b.id = r.burn_id and b.wallet_id = r.wallet_id
join offer o on o.id = b.offer_id
join wallet w on w.id = b.wallet_id
join webhook_endpoint e on e.member_id in (b.acceptor_id, w.sponsor_id)
                       and {WANTED.format(type=_literal(EventType.BURN_REFUNDED))}
order by u.position
"""

# Endpoints first: where a member has none, its file is not read.
ISSUED: Final = f"""
{INSERT}
select e.id, {_literal(EventType.POINTS_ISSUED)}, null, made.data, $1::timestamptz, {GIVE_UP},
       {STATE}
from webhook_endpoint e
cross join lateral (
    select jsonb_build_object('issuances', count(*), 'wallets', count(distinct s.wallet_id),
                              'points', sum(s.points)) as data
    from {{stage}} s where s.issuer_id = e.member_id
    having count(*) > 0
) made
where {WANTED.format(type=_literal(EventType.POINTS_ISSUED))}
"""
"""For `ledger.issuing_repository`, which knows the name of the stage."""


async def tell_fulfilled(
    connection: Any, burns: Iterable[tuple[UUID, UUID]], now: datetime
) -> None:
    """These burns (id, wallet) were captured."""
    await _tell(connection, EventType.BURN_FULFILLED, FULFILLED, dict.fromkeys(burns, ""), now)


async def tell_voided(
    connection: Any, reasons: Mapping[tuple[UUID, UUID], str], now: datetime
) -> None:
    """These burns (id, wallet) were voided, for these reasons."""
    await _tell(connection, EventType.BURN_VOIDED, VOIDED, reasons, now)


async def tell_refunded(connection: Any, refunds: Iterable[tuple[UUID, UUID]]) -> None:
    """Refunds (id, wallet), whose rows are written, were made."""
    if await connection.fetchval(SUBSCRIBED, EventType.BURN_REFUNDED.value):
        asked = list(refunds)
        ids, wallets = [each for each, _ in asked], [wallet_id for _, wallet_id in asked]
        await connection.execute(REFUNDED, ids, wallets)


async def _tell(
    connection: Any,
    kind: EventType,
    statement: str,
    reasons: Mapping[tuple[UUID, UUID], str],
    now: datetime,
) -> None:
    if not await connection.fetchval(SUBSCRIBED, kind.value):
        return
    await connection.execute(
        statement,
        [burn_id for burn_id, _ in reasons],
        [wallet_id for _, wallet_id in reasons],
        list(reasons.values()),
        now,
    )
