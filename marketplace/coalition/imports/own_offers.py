"""Offers of one member in bulk: new ones are made, present ones amended in what may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.domain import ContractRole
from marketplace.coalition.imports.offers import ImportOffers
from marketplace.coalition.imports.reading import CHUNK, Line
from marketplace.coalition.imports.report import Faults
from marketplace.coalition.imports.rows import OfferRow
from marketplace.coalition.imports.tables import BadRow, Values
from marketplace.coalition.models import Contract
from marketplace.exchange.domain import Eligibility, OfferStatus
from marketplace.exchange.models import Offer
from marketplace.exchange.offering import (
    OfferChanges,
    apply_changes,
    as_json,
    note_changes,
    set_status,
)
from marketplace.identity.audit import audit

MAY_CHANGE = frozenset({*OfferChanges.__struct_fields__, "status"})


class OwnOffers(ImportOffers):
    """As `ImportOffers`, but for one member, and a present offer may change.

    Eligibility rules of plugins are no column: an offer keeps those it has.
    """

    def __init__(
        self,
        session: AsyncSession,
        faults: Faults,
        *,
        owner_id: UUID | None,
        may_subsidise: bool,
        actor: str,
    ) -> None:
        """`may_subsidise`: whether the operator may be left to pay a part of a reward."""
        super().__init__(session, faults)
        self._owner_id = owner_id
        self._may_subsidise = may_subsidise
        self._actor = actor
        self._amended: dict[str, tuple[OfferChanges, OfferStatus]] = {}
        self._skus: dict[tuple[str, str], UUID] = {}

    async def prepare(self) -> None:
        await super().prepare()
        cheapest = await self.session.execute(
            sa.select(Contract.currency, sa.func.min(Contract.price_micros))
            .where(Contract.role != ContractRole.ACCEPTOR, Contract.valid_from <= NOW)
            .group_by(Contract.currency)
        )
        self._cheapest = {currency: price for currency, price in cheapest}  # noqa: C416 - typed

    def compared(self) -> list[sa.ColumnElement[Any]]:
        return [*super().compared(), Offer.__table__.c.status]

    async def look_up(self, rows: Sequence[OfferRow]) -> None:
        await super().look_up(rows)
        found = await self.session.execute(
            sa.select(Offer.plugin, Offer.sku, Offer.acceptor_id).where(
                sa.tuple_(Offer.plugin, Offer.sku).in_([(row.plugin, row.sku) for row in rows])
            )
        )
        self._skus |= {(plugin, sku): acceptor for plugin, sku, acceptor in found}

    def check_new(self, row: OfferRow, values: Values) -> None:
        self._check_owner(row, values["acceptor_id"])
        super().check_new(row, values)
        holder = self._skus.setdefault((row.plugin, row.sku), values["acceptor_id"])
        if holder != values["acceptor_id"]:
            raise BadRow(f"sku {row.sku!r} is another member's")
        if self._may_subsidise:
            return
        cheapest = self._cheapest.get(row.currency)
        if cheapest is None:
            raise BadRow(f"no points settle in {row.currency}")
        if row.points * cheapest < row.cost:
            raise BadRow(f"{row.points:,} points may bring less than the cost; ask for more points")

    def _check_owner(self, row: OfferRow, acceptor_id: UUID) -> None:
        if self._owner_id is not None and acceptor_id != self._owner_id:
            raise BadRow(f"{row.acceptor} is not your member")

    def _judge(self, line: int, row: OfferRow, present: dict[str, Values]) -> Values | None:
        before = present.get(row.reference)
        if before is None:
            return super()._judge(line, row, present)
        if self._owner_id is not None and before["acceptor_id"] != self._owner_id:
            raise BadRow(f"there is an offer {row.reference!r} of another member already")
        first = self._lines.setdefault(row.reference, line)
        if first != line:
            raise BadRow(f"reference {row.reference!r} is on line {first} already")
        values = self.values(row)
        rules = msgspec.convert(before["eligibility"], Eligibility).rules
        wanted = msgspec.convert(values["eligibility"], Eligibility)
        wanted = msgspec.structs.replace(wanted, rules=rules)
        values["eligibility"] = as_json(wanted)
        self._check_fixed(row, before, values)
        self._check_amended(row, before)
        if any(before[name] != values[name] for name in MAY_CHANGE):
            self._amended[row.reference] = (
                OfferChanges(
                    name=row.name,
                    limit_per_wallet=row.limit_per_wallet,
                    starts_at=row.starts_at,
                    ends_at=row.ends_at,
                    eligibility=wanted,
                ),
                row.status,
            )
        return None

    def _check_fixed(self, row: OfferRow, before: Values, values: Values) -> None:
        if (row.points, row.cost) != (before["points"], before["cost_micros"]):
            raise BadRow("points and cost change from a date on, not by this file; see Prices")
        for name, value in before.items():
            if name not in MAY_CHANGE and name in values and values[name] != value:
                raise BadRow(f"{self.shown.get(name, name)} of {row.reference!r} never changes")

    def _check_amended(self, row: OfferRow, before: Values) -> None:
        if row.starts_at and row.ends_at and row.ends_at <= row.starts_at:
            raise BadRow("ends_at is not after starts_at")
        if before["status"] is OfferStatus.RETIRED and row.status is not OfferStatus.RETIRED:
            raise BadRow(f"{row.reference!r} is retired; make another offer instead")
        for firm in row.eligible_firms:
            if firm not in self._firms:
                raise BadRow(f"there is no firm {firm!r}")

    async def write(self, new: Sequence[Values]) -> None:
        await super().write(new)
        for each in new:
            details = {"reference": each["reference"], "by": "file", "status": each["status"]}
            await audit(self.session, self._actor, "offer.made", "offer", each["id"], **details)

    async def _take(self, rows: Sequence[Line[OfferRow]]) -> None:
        before = len(self._amended)
        await super()._take(rows)
        amended = len(self._amended) - before
        self.counts.unchanged -= amended
        self.counts.changed += amended

    async def finish(self) -> None:
        # Admitting takes locks of plugins: whoever closes one locks it first, then its offers.
        await super().finish()
        references = sorted(self._amended)
        for start in range(0, len(references), CHUNK):
            await self._amend(references[start : start + CHUNK])

    async def _amend(self, references: Sequence[str]) -> None:
        offers = await self.session.scalars(
            sa.select(Offer)
            .where(Offer.reference.in_(references))
            .order_by(Offer.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        for offer in offers.all():
            changes, status = self._amended[offer.reference]
            if changed := apply_changes(offer, changes):
                await note_changes(self.session, offer, changed, self._actor)
            await set_status(self.session, offer, status, self._actor)
