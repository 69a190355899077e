"""Notices of what happens to burns and points, made in the transaction in which it happens.

One statement for a whole chunk of burns or a whole file of points, on the transaction's asyncpg
connection; it costs an index look-up per wallet whose participant cannot sign in. Why here and not
by the hooks that observe: docs/decisions/0012-notices-in-the-transaction.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from marketplace.ids import ids_as_text, take_keys
from marketplace.notices import kinds
from marketplace.notices.giving_kinds import DONATION_MADE
from marketplace.notices.kind import Kind
from marketplace.notices.posting import TAIL, terms, two_terms

PEOPLE: Final = """
    join person p on p.participant_id = w.participant_id and 'participant' = any(p.roles)
                 and p.disabled_at is null
"""


OFFER: Final = f"'offer', o.name, '{kinds.OFFER_ID}', o.id"


DONATION: Final = "donation"
"""Kind of an offer whose burns are given away for good: their capture is told as that."""


def _of_burns(kind: Kind, more: str = "", donations: Kind | None = None) -> str:
    """Of burns of offers of every kind, donations as a kind of notice of their own if given."""
    if donations is None:
        like = terms(kind)
    else:
        like = two_terms(kind, donations, f"o.kind = '{DONATION}'")
    return f"""
with source as (
    select p.id as person_id, u.key as id, 'burn:' || u.burn_id as once_key,
           jsonb_build_object({OFFER}, 'points', b.points, 'burn', b.id{more}) as context,
           $4::timestamptz as effective_at, null::bytea as secret, {like}
    from unnest($1::text::uuid[], $2::text::uuid[], $3::text::bigint[], $5::text[])
         as u(burn_id, wallet_id, key, reason)
    join wallet w on w.id = u.wallet_id
    {PEOPLE}
    join burn b on b.id = u.burn_id and b.wallet_id = u.wallet_id
    join offer o on o.id = b.offer_id
)
{TAIL}"""


FULFILLED: Final = _of_burns(kinds.REWARD_DELIVERED, donations=DONATION_MADE)
VOIDED: Final = _of_burns(kinds.BURN_VOIDED, ", 'reason', u.reason")
CANCELLED: Final = _of_burns(kinds.BURN_CANCELLED)

# Burns that are given away: what becomes of them is told to the colleague too, and differently.
GIVEN: Final = """
select burn_id, wallet_id from burn_gift
where undone_at is null
  and (burn_id, wallet_id) in (select * from unnest($1::text::uuid[], $2::text::uuid[]))
"""


def _of_gifts(kind: Kind, whom: str, context: str) -> str:
    """For `tell`: about gifts in force, to their colleagues (`to`) or givers (`from`)."""
    return f"""
with source as (
    select p.id as person_id, u.key as id, 'burn:' || u.burn_id as once_key,
           jsonb_build_object({OFFER}, 'burn', u.burn_id, {context}) as context,
           $4::timestamptz as effective_at, null::bytea as secret, {terms(kind)}
    from unnest($1::text::uuid[], $2::text::uuid[], $3::text::bigint[], $5::text[])
         as u(burn_id, wallet_id, key, reason)
    join burn_gift g on g.burn_id = u.burn_id and g.wallet_id = u.wallet_id
        and g.undone_at is null
    join participant giver on giver.id = g.from_participant_id
    join participant colleague on colleague.id = g.to_participant_id
    join person p on p.participant_id = g.{whom}_participant_id
        and 'participant' = any(p.roles) and p.disabled_at is null
    join burn b on b.id = u.burn_id and b.wallet_id = u.wallet_id
    join offer o on o.id = b.offer_id
)
{TAIL}"""


GIFT_READY: Final = _of_gifts(kinds.GIFT_READY, "to", "'sender', giver.name")
GIFT_DELIVERED: Final = _of_gifts(
    kinds.GIFT_DELIVERED, "from", "'points', b.points, 'colleague', colleague.name"
)
GIFT_FAILED: Final = _of_gifts(kinds.GIFT_FAILED, "to", "'sender', giver.name, 'reason', u.reason")

REFUNDED: Final = f"""
with source as (
    select p.id as person_id, u.key as id, 'refund:' || r.id as once_key,
           jsonb_build_object({OFFER}, 'points', r.points, 'burn', r.burn_id,
                              'reason', r.reason) as context,
           r.effective_at, null::bytea as secret, {terms(kinds.REFUND)}
    from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as u(refund_id, wallet_id, key)
    join refund r on r.id = u.refund_id and r.wallet_id = u.wallet_id
    join wallet w on w.id = r.wallet_id
    {PEOPLE}
    join burn b on b.id = r.burn_id and b.wallet_id = r.wallet_id
    join offer o on o.id = b.offer_id
)
{TAIL}"""

# The points of one file or request from one issuer are one notice, whenever they were earned.
ISSUED: Final = f"""
with source as (
    select p.id as person_id, min(s.key) as id, 'issue:' || min(s.key) as once_key,
           jsonb_build_object('points', sum(s.points), 'issuer', m.name) as context,
           $1::timestamptz as effective_at, null::bytea as secret, {terms(kinds.POINTS_ISSUED)}
    from {{stage}} s
    join wallet w on w.id = s.wallet_id
    {PEOPLE}
    join member m on m.id = s.issuer_id
    group by p.id, m.id, m.name
)
{TAIL}"""
"""For `ledger.issuing_repository`, which knows the name of the stage."""


async def tell_fulfilled(
    connection: Any, burns: Sequence[tuple[UUID, UUID]], now: datetime
) -> None:
    """Rewards of these captured burns (id, wallet) are there, for their owners or colleagues."""
    given = await _given(connection, burns)
    own = [pair for pair in burns if pair not in given]
    await _tell(connection, FULFILLED, dict.fromkeys(own, ""), now)
    for statement in (GIFT_READY, GIFT_DELIVERED):
        await _tell(connection, statement, dict.fromkeys(given, ""), now)


async def tell_voided(
    connection: Any, reasons: Mapping[tuple[UUID, UUID], str], now: datetime
) -> None:
    """Points of these voided burns (id, wallet) are back, for these reasons.

    The colleague to whom one was given hears that it does not come.
    """
    wished = {pair: why for pair, why in reasons.items() if why == kinds.WISHED}
    others = {pair: why for pair, why in reasons.items() if why != kinds.WISHED}
    await _tell(connection, CANCELLED, wished, now)
    await _tell(connection, VOIDED, others, now)
    given = {pair: reasons[pair] for pair in await _given(connection, list(reasons))}
    await _tell(connection, GIFT_FAILED, given, now)


async def _given(
    connection: Any, burns: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], None]:
    """Those of these burns that are given to a colleague, in their order."""
    columns = (
        ids_as_text(burn_id for burn_id, _ in burns),
        ids_as_text(wallet_id for _, wallet_id in burns),
    )
    found = {(row[0], row[1]) for row in await connection.fetch(GIVEN, *columns)}
    return {pair: None for pair in burns if pair in found}


async def _tell(
    connection: Any, statement: str, reasons: Mapping[tuple[UUID, UUID], str], now: datetime
) -> None:
    if reasons:
        await connection.execute(
            statement,
            ids_as_text(burn_id for burn_id, _ in reasons),
            ids_as_text(wallet_id for _, wallet_id in reasons),
            ids_as_text(take_keys(len(reasons))),
            now,
            list(reasons.values()) if any(reasons.values()) else [],
        )


async def tell_refunded(connection: Any, refunds: Sequence[tuple[UUID, UUID]]) -> None:
    """Points of these refunds (id, wallet), whose rows are written, are back."""
    ids, wallets = [each for each, _ in refunds], [wallet_id for _, wallet_id in refunds]
    await connection.execute(REFUNDED, ids, wallets, take_keys(len(refunds)))
