"""SQL: the rewards of a participant, burnt for or received as gifts, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.exchange.domain import BurnStatus, FulfilmentState
from marketplace.exchange.models import Refund
from marketplace.fulfilment.domain import REVEALED
from marketplace.identity.domain import Principal


class Section(StrEnum):
    """Where a reward stands for whoever looks at it."""

    OPEN = "open"
    READY = "ready"
    PAST = "past"


class Reward(msgspec.Struct, frozen=True, kw_only=True):
    """A reward as one participant sees it."""

    id: UUID
    """Of its burn."""
    wallet_id: UUID
    received: bool
    """Given by a colleague; what it cost is none of the reader's business."""
    offer: str
    """Its name; pages put the title of its face in its place."""
    offer_id: UUID
    offer_reference: str
    kind: str
    supplier: str
    """Name of the member that is paid."""
    plugin: str
    quantity: int
    points: int
    refunded_points: int
    status: BurnStatus
    fulfilment: FulfilmentState
    attempts: int
    effective_at: datetime
    hold_until: datetime | None
    resolved_at: datetime | None
    reason: str | None
    """Why it was voided."""
    artefacts: int
    """Codes, tickets or receipts that were delivered."""
    expires_at: datetime | None
    """When the first of them expires."""
    gift_id: UUID | None
    giver: str | None
    colleague: str | None
    message: str | None
    given_at: datetime | None
    accepted_at: datetime | None
    section: Section
    revealed_at: datetime | None
    """When it was first looked at, by whomever."""

    @property
    def is_given(self) -> bool:
        """The reader gave it away."""
        return self.gift_id is not None and not self.received

    @property
    def is_delivered(self) -> bool:
        """It came, and was not refunded altogether."""
        return self.status is BurnStatus.CAPTURED and self.refunded_points < self.points

    @property
    def can_be_revealed(self) -> bool:
        """The reader may look at what was delivered."""
        return self.is_delivered and self.artefacts > 0 and not self.is_given

    @property
    def can_be_given(self) -> bool:
        """The reader may give it to a colleague."""
        on_its_way = self.status is BurnStatus.HELD or self.is_delivered
        return on_its_way and not self.received and not self.gift_id and self.revealed_at is None


# A burn that was ever held has one hold transfer, and those are found as in `ledger.by_wallet`.
OF_A_WALLET = """
(with recursive chain as (
    select t.burn_id, t.wallet_id, t.previous_hold_id
    from wallet join transfer t on t.id = wallet.last_hold_id and t.wallet_id = wallet.id
    where wallet.participant_id = :me
    union all
    select t.burn_id, t.wallet_id, t.previous_hold_id
    from chain join transfer t on t.id = chain.previous_hold_id and t.wallet_id = chain.wallet_id
)
select burn_id, wallet_id, false as received from chain
union all
select t.burn_id, t.wallet_id, false
from transfer t join wallet on wallet.id = t.wallet_id
where wallet.participant_id = :me and t.code = 'hold' and t.unit = 'POINTS'
  and t.previous_hold_id is null)
"""
ONE_OWN = """
select burn.id as burn_id, burn.wallet_id, false as received
from burn join wallet on wallet.id = burn.wallet_id
where burn.id = :burn and wallet.participant_id = :me and burn.status <> 'rejected'
"""
RECEIVED = """
select burn_id, wallet_id, true as received from burn_gift
where to_participant_id = :me and undone_at is null
"""
FOUND = """
with mine as ({mine}),
found as (
    select b.id, b.wallet_id, mine.received, o.name as offer, o.id as offer_id,
           o.reference as offer_reference, o.kind, m.name as supplier, b.plugin, b.quantity,
           b.points, b.refunded_points,
           b.status::text as status, b.fulfilment::text as fulfilment, b.attempts,
           b.effective_at, b.hold_until, r.effective_at as resolved_at,
           case when r.outcome = 'voided' then r.reason end as reason,
           a.artefacts, a.expires_at, g.id as gift_id, giver.name as giver,
           other.name as colleague, g.message, g.given_at, g.accepted_at,
           case when b.status = 'held' then 'open'
                when b.status = 'voided' or b.refunded_points = b.points
                  or (g.id is not null and not mine.received)
                  or a.last_expires_at <= marketplace_now() then 'past'
                else 'ready' end as section
    from mine
    join burn b on b.id = mine.burn_id and b.wallet_id = mine.wallet_id
    join offer o on o.id = b.offer_id
    join member m on m.id = b.acceptor_id
    left join burn_resolution r on r.burn_id = b.id and r.wallet_id = b.wallet_id
    left join burn_gift g on g.burn_id = b.id and g.wallet_id = b.wallet_id
        and g.undone_at is null
    left join participant giver on giver.id = g.from_participant_id
    left join participant other on other.id = g.to_participant_id
    cross join lateral (
        select count(*) as artefacts, min(expires_at) as expires_at,
               case when count(expires_at) = count(*) then max(expires_at) end as last_expires_at
        from artefact where artefact.burn_id = b.id and artefact.wallet_id = b.wallet_id
    ) a
)
"""
SHOWN = """,
page as (select * from found where {chosen} order by id desc limit :limit)
select page.*, (
    select min(at) from audit_entry
    where subject_kind = 'burn' and subject_id = page.id::text and action = :revealed
) as revealed_at
from page order by page.id desc
"""
ALL_MINE = FOUND.format(mine=f"{OF_A_WALLET} union all {RECEIVED}")
ONE_OF_MINE = FOUND.format(mine=f"{ONE_OWN} union all {RECEIVED} and burn_id = :burn")
OF_SECTION = "section = :section and (cast(:before as uuid) is null or id < :before)"
LISTED: Final = sa.text(ALL_MINE + SHOWN.format(chosen=OF_SECTION))
ONE: Final = sa.text(ONE_OF_MINE + SHOWN.format(chosen="true"))
COUNTED: Final = sa.text(f"{ALL_MINE} select section, count(*) from found group by section")


async def rewards(
    session: AsyncSession,
    participant_id: UUID,
    section: Section,
    *,
    before: UUID | None,
    limit: int,
) -> list[Reward]:
    """Rewards of one section, newest first, those older than burn `before`."""
    asked = {"me": participant_id, "section": section.value, "before": before, "limit": limit}
    rows = await session.execute(LISTED, {**asked, "revealed": REVEALED})
    return [_reward(row) for row in rows.mappings()]


async def count_rewards(session: AsyncSession, participant_id: UUID) -> dict[Section, int]:
    """How many rewards there are in each section."""
    rows: Sequence[Any] = (await session.execute(COUNTED, {"me": participant_id})).all()
    found = {Section(section): count for section, count in rows}
    return {section: found.get(section, 0) for section in Section}


async def find_reward(session: AsyncSession, principal: Principal, burn_id: UUID) -> Reward:
    """A reward of one's own or one that was given to the reader; NotFound for all others."""
    asked = {"me": principal.participant_id, "burn": burn_id, "limit": 1, "revealed": REVEALED}
    row = (await session.execute(ONE, asked)).mappings().first()
    if row is None:
        raise NotFound("There is no such reward, or it is not yours to see.")
    return _reward(row)


def _reward(row: Any) -> Reward:
    return msgspec.convert(dict(row), Reward)


async def refunds_of(session: AsyncSession, reward: Reward) -> Sequence[Refund]:
    """Refunds of a reward, oldest first."""
    query = sa.select(Refund).where(
        Refund.burn_id == reward.id, Refund.wallet_id == reward.wallet_id
    )
    return (await session.scalars(query.order_by(Refund.id))).all()
