"""Imports firms and their participants, with their wallets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from marketplace.coalition.imports.fields import YesNo
from marketplace.coalition.imports.rows import FirmRow, ParticipantRow
from marketplace.coalition.imports.tables import (
    BadRow,
    TableImport,
    Values,
    firms_by_reference,
    known,
    member_ids,
)
from marketplace.coalition.models import Firm, Participant
from marketplace.ids import uuid7
from marketplace.ledger.models import Wallet


class ImportFirms(TableImport[FirmRow]):
    """Customer companies; `pool` gives one a wallet of its own."""

    model = Firm
    shown: ClassVar[dict[str, str]] = {"sponsor_id": "sponsor"}

    async def prepare(self) -> None:
        self._members = await member_ids(self.session)

    def values(self, row: FirmRow) -> Values:
        return {
            "reference": row.reference,
            "name": row.name,
            "country": row.country,
            "sponsor_id": row.sponsor and known(self._members, row.sponsor),
            "pool": row.pool is YesNo.YES,
        }

    def compared(self) -> list[sa.ColumnElement[Any]]:
        pool = sa.exists().where(Wallet.firm_id == Firm.id).label("pool")
        return [*super().compared(), pool]

    async def write(self, new: Sequence[Values]) -> None:
        await super().write(new)
        pools = [
            {"id": uuid7(), "firm_id": firm["id"], "sponsor_id": firm["sponsor_id"]}
            for firm in new
            if firm["pool"]
        ]
        if pools:
            await self.session.execute(sa.insert(Wallet), pools)


class ImportParticipants(TableImport[ParticipantRow]):
    """People of firms; each gets a wallet."""

    model = Participant
    shown: ClassVar[dict[str, str]] = {"firm_id": "firm"}

    async def look_up(self, rows: Sequence[ParticipantRow]) -> None:
        self._firms = await firms_by_reference(self.session, (row.firm for row in rows))

    def values(self, row: ParticipantRow) -> Values:
        if row.firm not in self._firms:
            raise BadRow(f"there is no firm {row.firm!r}; import firms first")
        return {
            "reference": row.reference,
            "firm_id": self._firms[row.firm][0],
            "name": row.name,
            "email": row.email,
            "role": row.role,
            "locale": row.locale,
        }

    async def write(self, new: Sequence[Values]) -> None:
        await super().write(new)
        sponsors = dict(self._firms.values())
        wallets = [
            {"id": uuid7(), "participant_id": each["id"], "sponsor_id": sponsors[each["firm_id"]]}
            for each in new
        ]
        await self.session.execute(sa.insert(Wallet), wallets)
