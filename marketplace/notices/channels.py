"""Channels of plugins: what a person chose on each, and how an address is confirmed to be theirs.

An address is told nothing until somebody has opened the link that was sent to it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Lazy, Notifier
from marketplace.db import raw_connection
from marketplace.errors import InvalidRequest, NotFound, TooManyRequests
from marketplace.fulfilment import repository
from marketplace.fulfilment.asking import TookTooLong, within
from marketplace.ids import next_key
from marketplace.notices.addresses import ConfirmAddress
from marketplace.notices.domain import CHOOSABLE, Category
from marketplace.notices.marking import N_
from marketplace.notices.models import NoticeChannel, NoticeDelivery
from marketplace.plugins import slug_of

log = logging.getLogger(__name__)
NEVER: Final = threading.Event()

LONGEST_ADDRESS: Final = 200
ACCEPT_WITHIN_S: Final = 1.0
ASK_FOR: Final = timedelta(hours=1)
"""How long a question to confirm is of use."""
MOST_QUESTIONS: Final = 5
"""Questions to confirm an address that a person may cause within ASK_FOR."""

# What pages say where an address is refused; the notifier's own words besides.
NO_ADDRESS: Final = N_("An address has 1 to 200 characters.")
NOT_NOW: Final = N_("This channel cannot look at addresses now; try later.")
TOO_MANY: Final = N_("Too many addresses were tried; wait an hour.")


class ChannelChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A channel there is, and what a person chose on it."""

    channel: str
    label: Lazy | str
    address_label: Lazy | str
    address: str | None
    """None: not chosen."""
    confirmed: bool
    categories: tuple[Category, ...]


async def resting(session: AsyncSession) -> set[str]:
    """Plugins that are not active or were stopped: their channels carry nothing."""
    return set(await repository.resting(await raw_connection(session)))


async def in_force(session: AsyncSession, notifiers: Mapping[str, Notifier]) -> dict[str, Notifier]:
    """The notifiers of plugins that are active."""
    off = await resting(session)
    return {name: each for name, each in notifiers.items() if slug_of(name) not in off}


async def choices(
    session: AsyncSession, person_id: UUID, notifiers: Mapping[str, Notifier]
) -> list[ChannelChoice]:
    """Every channel there is of an active plugin, in order of their names."""
    found = await in_force(session, notifiers)
    rows = await session.scalars(
        sa.select(NoticeChannel).where(NoticeChannel.person_id == person_id)
    )
    chosen = {row.channel: row for row in rows}
    return [_choice(found[channel], chosen.get(channel)) for channel in sorted(found)]


def _choice(notifier: Notifier, row: NoticeChannel | None) -> ChannelChoice:
    return ChannelChoice(
        channel=notifier.channel,
        label=notifier.label,
        address_label=notifier.address_label,
        address=row.address if row else None,
        confirmed=row is not None and row.confirmed_at is not None,
        categories=tuple(c for c in CHOOSABLE if c.value in row.categories) if row else CHOOSABLE,
    )


async def choose(
    session: AsyncSession,
    person_id: UUID,
    notifier: Notifier,
    address: str,
    categories: Iterable[Category],
) -> bool:
    """Keep what a person wants on a channel; returns whether the address was asked to confirm.

    Raises InvalidRequest for an address the notifier does not accept, and TooManyRequests where the
    person had too many addresses asked within the hour.
    """
    accepted = await _accepted(notifier, address)
    wanted = [each.value for each in CHOOSABLE if each in set(categories)]
    row = {
        "person_id": person_id,
        "channel": notifier.channel,
        "address": accepted,
        "categories": wanted,
    }
    same = NoticeChannel.address == accepted
    confirmed_at = await session.scalar(
        insert(NoticeChannel)
        .values(row)
        .on_conflict_do_update(
            index_elements=["person_id", "channel"],
            set_={
                "address": accepted,
                "categories": wanted,
                "confirmed_at": sa.case((same, NoticeChannel.confirmed_at), else_=None),
            },
        )
        .returning(NoticeChannel.confirmed_at)
    )
    if confirmed_at is not None:
        return False
    await _refuse_floods(session, person_id)
    session.add(
        NoticeDelivery(
            person_id=person_id,
            id=next_key(),
            channel=notifier.channel,
            asks=True,
            give_up_at=sa.func.statement_timestamp() + ASK_FOR,
        )
    )
    await session.flush()
    return True


async def _accepted(notifier: Notifier, address: str) -> str:
    """The address as the notifier keeps it; whatever else it does is no reason to fail."""
    typed = " ".join(address.split())
    if not typed or len(typed) > LONGEST_ADDRESS:
        raise InvalidRequest(NO_ADDRESS)
    try:
        accepted = await asyncio.to_thread(
            within, lambda: notifier.accept(typed), ACCEPT_WITHIN_S, NEVER
        )
    except InvalidRequest:
        raise
    except (Exception, TookTooLong, SystemExit) as error:
        log.error("notifier %s: accept: %s: %s", notifier.channel, type(error).__name__, error)
        raise InvalidRequest(NOT_NOW) from None
    if not isinstance(accepted, str) or not 0 < len(accepted) <= LONGEST_ADDRESS:
        log.error("notifier %s: accept answered %r", notifier.channel, type(accepted).__name__)
        raise InvalidRequest(NOT_NOW)
    return accepted


async def _refuse_floods(session: AsyncSession, person_id: UUID) -> None:
    """TooManyRequests: nobody's phone is to be flooded with questions."""
    asked = await session.scalar(
        sa.select(sa.func.count()).where(
            NoticeDelivery.person_id == person_id,
            NoticeDelivery.asks,
            NoticeDelivery.created_at > sa.func.statement_timestamp() - ASK_FOR,
        )
    )
    if asked is not None and asked >= MOST_QUESTIONS:
        raise TooManyRequests(TOO_MANY)


async def leave(session: AsyncSession, person_id: UUID, channel: str) -> None:
    """Be told nothing more on a channel; what waits for it is dropped with it by the sender."""
    await session.execute(
        sa.delete(NoticeChannel).where(
            NoticeChannel.person_id == person_id, NoticeChannel.channel == channel
        )
    )


async def confirm(session: AsyncSession, said: ConfirmAddress) -> None:
    """The address is theirs. Again changes nothing; NotFound where it is another by now."""
    found = await session.scalar(
        sa.update(NoticeChannel)
        .where(
            NoticeChannel.person_id == said.person_id,
            NoticeChannel.channel == said.channel,
            NoticeChannel.address == said.address,
        )
        .values(
            confirmed_at=sa.func.coalesce(NoticeChannel.confirmed_at, sa.func.statement_timestamp())
        )
        .returning(NoticeChannel.channel)
    )
    if found is None:
        raise NotFound


def known_categories(names: Sequence[str]) -> list[Category]:
    """Categories by name; InvalidRequest for one that is no choice."""
    wanted: list[Category] = [each for each in CHOOSABLE if each.value in names]
    if len(wanted) != len(set(names)):
        raise InvalidRequest("There is no such kind of notice to choose.")
    return wanted
