"""Imports offers, with their stock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from marketplace.clock import NOW
from marketplace.coalition.domain import ContractRole
from marketplace.coalition.imports.rows import OfferRow
from marketplace.coalition.imports.tables import (
    BadRow,
    TableImport,
    Values,
    firms_by_reference,
    known,
    member_ids,
)
from marketplace.coalition.models import Contract
from marketplace.exchange.domain import Eligibility
from marketplace.exchange.models import Offer, OfferStock
from marketplace.registry.activation import admit, warnings_of


class ImportOffers(TableImport[OfferRow]):
    """What points can be burnt on. Later imports leave the stock of an offer alone."""

    model = Offer
    shown: ClassVar[dict[str, str]] = {
        "acceptor_id": "acceptor",
        "cost_micros": "cost",
        "limited": "stock (limited or not)",
    }

    async def prepare(self) -> None:
        self._pairs: set[tuple[str, UUID]] = set()
        self._members = await member_ids(self.session)
        accepting = await self.session.scalars(
            sa.select(Contract.member_id).where(
                Contract.role != ContractRole.ISSUER,
                Contract.valid_from <= NOW,
                sa.or_(Contract.valid_to.is_(None), Contract.valid_to > NOW),
            )
        )
        self._accepting = set(accepting)

    async def look_up(self, rows: Sequence[OfferRow]) -> None:
        named = (firm for row in rows for firm in row.eligible_firms)
        self._firms = await firms_by_reference(self.session, named)

    def values(self, row: OfferRow) -> Values:
        eligibility = Eligibility(
            roles=tuple(row.eligible_roles),
            countries=tuple(row.eligible_countries),
            firms=tuple(row.eligible_firms),
        )
        return {
            "reference": row.reference,
            "kind": row.kind,
            "name": row.name,
            "acceptor_id": known(self._members, row.acceptor),
            "plugin": row.plugin,
            "sku": row.sku,
            "points": row.points,
            "cost_micros": row.cost,
            "currency": row.currency,
            "limit_per_wallet": row.limit_per_wallet,
            "status": row.status,
            "starts_at": row.starts_at,
            "ends_at": row.ends_at,
            "eligibility": msgspec.json.decode(msgspec.json.encode(eligibility)),
            "limited": row.stock is not None,
        }

    def compared(self) -> list[sa.ColumnElement[Any]]:
        # The file says how status and stock begin; the operator and the supplier change them.
        return [column for column in super().compared() if column.key != "status"]

    def check_new(self, row: OfferRow, values: Values) -> None:
        if values["acceptor_id"] not in self._accepting:
            raise BadRow(f"{row.acceptor} has no contract in force that lets it accept points")
        if row.starts_at and row.ends_at and row.ends_at <= row.starts_at:
            raise BadRow("ends_at is not after starts_at")
        for firm in row.eligible_firms:
            if firm not in self._firms:
                raise BadRow(f"there is no firm {firm!r}; import firms first")
        values["stock"] = row.stock

    async def write(self, new: Sequence[Values]) -> None:
        await super().write(new)
        stocks = [
            {"offer_id": offer["id"], "remaining": offer["stock"]}
            for offer in new
            if offer["limited"]
        ]
        if stocks:
            await self.session.execute(sa.insert(OfferStock), stocks)
        self._pairs |= {(offer["plugin"], offer["acceptor_id"]) for offer in new}

    async def finish(self) -> None:
        closed = await admit(self.session, self._pairs)
        self.counts.warnings = warnings_of(closed, self._members)
