"""Tells people of their wishes: when the points suffice, and when it is nearly gone. Once each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.domain import NEARLY_GONE_UNITS
from marketplace.api import EligibilityRule
from marketplace.db import raw_connection
from marketplace.exchange.foresight import Ask, foresee
from marketplace.identity.domain import Principal, Role
from marketplace.notices.kinds import WISH_AFFORDABLE, WISH_NEARLY_GONE
from marketplace.notices.service import Telling, notify_many
from marketplace.web.i18n import told_in

AT_ONCE = 500
"""Wishes looked at in one transaction."""

# Points and dates first, for all wishes in one statement; what remains is put to the engine itself.
WITHIN_REACH = sa.text("""
select w.participant_id, w.listing_id, l.slug, wallet.id as wallet_id, o.id as offer_id, d.least,
       o.points * d.least as points
from catalog_wish w
join catalog_listing l on l.id = w.listing_id and l.status = 'published'
join catalog_denomination d on d.listing_id = w.listing_id
join offer o on o.reference = d.offer_reference and o.status = 'on_sale' and o.closed is null
join wallet on wallet.participant_id = w.participant_id and wallet.available >= o.points * d.least
where w.told_affordable_at is null
  and (l.visible_from is null or l.visible_from <= marketplace_now())
  and (l.visible_to is null or l.visible_to > marketplace_now())
  and o.points * d.least <= (
      select coalesce(sum(remaining), 0) from lot
      where lot.wallet_id = wallet.id and lot.open and lot.expires_at > marketplace_now()
        and lot.currency = o.currency)
  and (w.participant_id, w.listing_id) > (:participant_id, :listing_id)
order by w.participant_id, w.listing_id, points
limit :limit
""")
NEARLY_GONE = sa.text("""
select w.participant_id, w.listing_id, l.slug, min(o.points * d.least) as points,
       min(s.remaining) as left
from catalog_wish w
join catalog_listing l on l.id = w.listing_id and l.status = 'published'
join catalog_denomination d on d.listing_id = w.listing_id
join offer o on o.reference = d.offer_reference and o.status = 'on_sale' and o.closed is null
join offer_stock s on s.offer_id = o.id and s.remaining between d.least and :units
where w.told_nearly_gone_at is null
group by w.participant_id, w.listing_id, l.slug
order by w.participant_id, w.listing_id
limit :limit
""")
TITLES = sa.text("""
select w.participant_id, w.listing_id, p.locale, l.default_locale,
       json_object_agg(t.locale, t.title) as titles
from unnest(cast(:participants as uuid[]), cast(:listings as uuid[]))
  as w(participant_id, listing_id)
join participant p on p.id = w.participant_id
join catalog_listing l on l.id = w.listing_id
join catalog_listing_text t on t.listing_id = l.id
group by w.participant_id, w.listing_id, p.locale, l.default_locale
""")
MARK = """
update catalog_wish w set {column} = marketplace_now()
from unnest(cast(:participants as uuid[]), cast(:listings as uuid[]))
  as told(participant_id, listing_id)
where w.participant_id = told.participant_id and w.listing_id = told.listing_id
"""
Place = tuple[UUID, UUID]
"""Participant and listing of a wish."""
BEGINNING: Place = (UUID(int=0), UUID(int=0))


async def tell_affordable(
    session: AsyncSession,
    rules: Mapping[str, EligibilityRule],
    after: Place = BEGINNING,
) -> tuple[int, Place | None]:
    """Tell of wishes that can be burnt on now, as the engine sees it; returns how many.

    Looks at some after a place in the order of wishes; gives the next place, None at the end.
    """
    given = {"participant_id": after[0], "listing_id": after[1], "limit": AT_ONCE}
    rows = (await session.execute(WITHIN_REACH, given)).all()
    following = (rows[-1].participant_id, rows[-1].listing_id) if len(rows) == AT_ONCE else None
    by_person: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_person[row.participant_id].append(row)
    good: dict[tuple[UUID, UUID], Any] = {}
    for participant_id, own in by_person.items():
        accepted = await _accepted(session, participant_id, own, rules)
        for row in own:
            if (row.offer_id, row.least) in accepted:
                good.setdefault((participant_id, row.listing_id), row)
    await _tell(session, WISH_AFFORDABLE.slug, "told_affordable_at", list(good.values()))
    return len(good), following


async def _accepted(
    session: AsyncSession,
    participant_id: UUID,
    rows: Sequence[Any],
    rules: Mapping[str, EligibilityRule],
) -> set[Ask]:
    """Which of these burns the engine would accept from the participant."""
    owner = Principal(
        credential_id=participant_id,
        caller_id=participant_id,
        actor="system:catalog",
        roles=frozenset({Role.PARTICIPANT}),
        participant_id=participant_id,
    )
    asks = [(row.offer_id, row.least) for row in rows]
    connection = await raw_connection(session)
    found = await foresee(connection, owner, rows[0].wallet_id, asks, rules)
    return {ask for ask, outlook in found.items() if outlook.refusal is None}


async def tell_nearly_gone(session: AsyncSession) -> int:
    """Tell of wishes of which few units are left; returns how many, AT_ONCE at most."""
    given = {"units": NEARLY_GONE_UNITS, "limit": AT_ONCE}
    rows = (await session.execute(NEARLY_GONE, given)).all()
    await _tell(session, WISH_NEARLY_GONE.slug, "told_nearly_gone_at", rows)
    return len(rows)


async def _tell(session: AsyncSession, kind: str, column: str, rows: Sequence[Any]) -> None:
    """Post the notices and note that they were posted."""
    if not rows:
        return
    keys = {
        "participants": [row.participant_id for row in rows],
        "listings": [row.listing_id for row in rows],
    }
    titles = _titles(await session.execute(TITLES, keys))
    tellings = []
    for row in rows:
        context = {
            "title": titles[row.participant_id, row.listing_id],
            "points": int(row.points),
            "path": f"/catalog/{row.slug}",
        }
        if "left" in row._fields:
            context["left"] = int(row.left)
        tellings.append(
            Telling(
                once_key=f"{kind}:{row.listing_id}",
                context=context,
                participant_id=row.participant_id,
            )
        )
    await notify_many(session, kind, tellings)
    await session.execute(sa.text(MARK.replace("{column}", column)), keys)


def _titles(rows: Iterable[Any]) -> dict[tuple[UUID, UUID], str]:
    found = {}
    for row in rows:
        locale = told_in(row.locale, row.default_locale, row.titles)
        found[row.participant_id, row.listing_id] = row.titles[locale]
    return found
