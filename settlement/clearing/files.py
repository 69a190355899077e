"""Files for banks: made once, kept, and made again to show that they are the same to the byte."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW, now
from marketplace.contract.file_rails import Batch, RailFile
from marketplace.db import Database
from marketplace.errors import NotFound
from marketplace.ids import uuid7
from settlement.clearing import legs, repository
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SentBatch, SentFile, SettlementLeg
from settlement.clearing.rails import Rails, ask, contract_leg, rail_of
from settlement.errors import StatusChanged


class Remade(msgspec.Struct, frozen=True):
    """A file that was sent, made again."""

    name: str
    batch: str
    sha256: str
    """Of the file that is kept."""
    same: bool
    """Whether what is kept has this digest, and what is made again is equal to the byte."""


async def make(
    database: Database,
    rail: Any,
    settlement_id: UUID,
    ready: Sequence[SettlementLeg],
    *,
    actor: str,
) -> list[SentFile]:
    """Make the files that pay these planned legs, keep them, and mark the legs as submitted.

    All in one transaction, after the rail was asked outside of any; StatusChanged where somebody
    else was faster.
    """
    house = msgspec.to_builtins(await ask(rail.house_now))
    async with database.begin() as session:
        settlement = await repository.find(session, settlement_id)
        number = len(await repository.batches(session, settlement_id)) + 1
        made_at = await now(session)
    batch = Batch(
        reference=f"{settlement.reference}-B{number:02d}",
        made_at=made_at.replace(microsecond=0),
        house=house,
    )
    made = await ask(rail.files, batch, [contract_leg(leg) for leg in ready])
    try:
        async with database.begin() as session:
            return await _keep(session, rail.slug, settlement_id, batch, ready, made, actor)
    except IntegrityError as error:
        raise StatusChanged("Somebody else has just made these files. Look again.") from error


async def _keep(
    session: AsyncSession,
    slug: str,
    settlement_id: UUID,
    batch: Batch,
    ready: Sequence[SettlementLeg],
    made: Sequence[RailFile],
    actor: str,
) -> list[SentFile]:
    await repository.find(session, settlement_id, lock=True)
    row = SentBatch(
        id=uuid7(),
        settlement_id=settlement_id,
        reference=batch.reference,
        rail=slug,
        house=batch.house,
        made_at=batch.made_at,
        made_by=actor,
    )
    session.add(row)
    await session.flush()
    for leg in ready:
        current = await repository.leg(session, leg.id, lock=True)
        if (current.rail, current.account) != (leg.rail, leg.account):
            raise StatusChanged(f"Leg {leg.reference} was changed meanwhile. Look again.")
        await legs.send(
            session,
            current,
            LegStatus.SUBMITTED,
            actor=actor,
            note=f"in {batch.reference}",
            batch_id=row.id,
        )
    found = [
        SentFile(
            id=uuid7(),
            settlement_id=settlement_id,
            batch_id=row.id,
            rail=slug,
            name=each.name,
            media_type=each.media_type,
            sha256=hashlib.sha256(each.content).hexdigest(),
            content=each.content,
            references=list(each.references),
            message_id=each.message_id,
            blocks={name: list(legs) for name, legs in each.blocks.items()},
            made_at=NOW,
        )
        for each in made
    ]
    session.add_all(found)
    await session.flush()
    return found


async def get(session: AsyncSession, file_id: UUID) -> SentFile:
    """A file that was sent."""
    found = await session.get(SentFile, file_id)
    if found is None:
        raise NotFound(f"There is no file {file_id}.")
    return found


async def make_again(database: Database, rails: Rails, settlement_id: UUID) -> list[Remade]:
    """Make every file of a settlement again from what was kept, and compare."""
    async with database.begin() as session:
        batches = await repository.batches(session, settlement_id)
        sent = await repository.files(session, settlement_id)
        in_batch = {
            batch.id: list(
                await session.scalars(
                    sa.select(SettlementLeg)
                    .where(SettlementLeg.batch_id == batch.id)
                    .order_by(SettlementLeg.reference)
                )
            )
            for batch in batches
        }
    found = []
    for batch in batches:
        again = await ask(
            rail_of(rails, batch.rail).files,
            Batch(reference=batch.reference, made_at=batch.made_at, house=batch.house),
            [contract_leg(leg) for leg in in_batch[batch.id]],
        )
        contents = {each.name: each.content for each in again}
        mine = [each for each in sent if each.batch_id == batch.id]
        complete = set(contents) == {each.name for each in mine}
        for each in mine:
            whole = hashlib.sha256(each.content).hexdigest() == each.sha256
            same = complete and whole and contents.get(each.name) == each.content
            found.append(Remade(each.name, batch.reference, each.sha256, same))
    return found
