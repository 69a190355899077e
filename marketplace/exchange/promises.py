"""Prices that a plugin promised for what somebody has chosen: kept while they make up their mind.

The burn engine reads them for burns that name a selection, with everything else it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import PluginOffer

FORGET_AT_ONCE = 10
"""Promises of more than a day ago that one new promise clears away."""

PROMISE = sa.text("""
with named as (
    select unnest(string_to_array(:selections, ',')) as selection
),
old as (
    delete from price_promise where ctid = any(array(
        select ctid from price_promise where until < marketplace_now() - interval '1 day'
          and selection <> all(string_to_array(:selections, ','))
        limit :most for update skip locked))
),
asked as (
    select id, reference, name, acceptor_id, points, cost_micros from offer
    where plugin = :plugin and sku = :sku and status <> 'retired'
),
kept as (
    insert into price_promise (selection, offer_id, points, cost_micros, until)
    select selection, id, points, cost_micros, :until from asked cross join named
    order by selection, id
    on conflict (selection, offer_id) do update
    set until = greatest(price_promise.until, excluded.until)
    returning selection, offer_id, points
)
select selection, reference, name, acceptor_id, kept.points
from kept join asked on asked.id = offer_id
order by reference
""")


def promise(
    session: Session, plugin: str, sku: str, selections: Sequence[str], until: datetime
) -> Mapping[str, Sequence[PluginOffer]]:
    """Keep the price of a plugin's offers of `sku` for each of these selections.

    Returns the offers at that price, by selection; of one that nothing is offered for, nothing.
    """
    most = FORGET_AT_ONCE * len(selections)
    rows = session.execute(
        PROMISE,
        {
            "plugin": plugin,
            "sku": sku,
            "selections": ",".join(selections),  # which have none in them
            "until": until,
            "most": most,
        },
    )
    found: dict[str, list[PluginOffer]] = {}
    for row in rows:
        found.setdefault(row.selection, []).append(
            PluginOffer(
                reference=row.reference,
                name=row.name,
                sku=sku,
                member_id=row.acceptor_id,
                points=row.points,
            )
        )
    return found
