"""Imports members and their contracts."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from marketplace.coalition.exposure import open_exposures
from marketplace.coalition.imports.fields import YesNo
from marketplace.coalition.imports.rows import ContractRow, MemberRow
from marketplace.coalition.imports.tables import BadRow, TableImport, Values, known, member_ids
from marketplace.coalition.models import Contract, Member

Span = tuple[datetime, datetime | None, str]
"""From, to (None: open-ended) and reference of a contract."""


class ImportMembers(TableImport[MemberRow]):
    """Companies of the coalition; one of them is the operator."""

    model = Member
    key = "slug"
    shown: ClassVar[dict[str, str]] = {"is_operator": "operator"}

    async def prepare(self) -> None:
        self._operator = await self.session.scalar(sa.select(Member.slug).where(Member.is_operator))

    def values(self, row: MemberRow) -> Values:
        return {
            "slug": row.slug,
            "name": row.name,
            "country": row.country,
            "is_operator": row.operator is YesNo.YES,
        }

    def check_new(self, row: MemberRow, values: Values) -> None:
        if values["is_operator"]:
            if self._operator is not None:
                raise BadRow(f"the coalition has an operator already: {self._operator}")
            self._operator = row.slug


class ImportContracts(TableImport[ContractRow]):
    """Dated terms; at any moment at most one contract of a member is in force."""

    model = Contract
    shown: ClassVar[dict[str, str]] = {
        "member_id": "member",
        "price_micros": "price_per_point",
        "exposure_cap_micros": "exposure_cap",
    }

    async def prepare(self) -> None:
        # Contracts written meanwhile could overlap those of this file.
        await self.session.execute(sa.text("lock table contract in share row exclusive mode"))
        self._members = await member_ids(self.session)
        self._spans: dict[UUID, list[Span]] = {}
        self._capped: set[UUID] = set()
        rows = await self.session.execute(
            sa.select(
                Contract.member_id, Contract.valid_from, Contract.valid_to, Contract.reference
            )
        )
        for member_id, valid_from, valid_to, reference in rows:
            self._spans.setdefault(member_id, []).append((valid_from, valid_to, reference))

    def values(self, row: ContractRow) -> Values:
        return {
            "reference": row.reference,
            "member_id": known(self._members, row.member),
            "role": row.role,
            "funding": row.funding,
            "currency": row.currency,
            "price_micros": row.price_per_point,
            "fee_bps": row.fee_bps,
            "breakage": row.breakage,
            "exposure_cap_micros": row.exposure_cap,
            "points_valid_days": row.points_valid_days,
            "valid_from": row.valid_from,
            "valid_to": row.valid_to,
        }

    def check_new(self, row: ContractRow, values: Values) -> None:
        if row.valid_to is not None and row.valid_to <= row.valid_from:
            raise BadRow("valid_to is not after valid_from")
        spans = self._spans.setdefault(values["member_id"], [])
        span = (row.valid_from, row.valid_to, row.reference)
        for other in spans:
            if overlap(span, other):
                raise BadRow(
                    f"{row.member} would have two contracts in force: this one and {other[2]!r}"
                )
        spans.append(span)
        if row.exposure_cap is not None:
            self._capped.add(values["member_id"])

    async def finish(self) -> None:
        await open_exposures(self.session, self._capped)


def overlap(one: Span, other: Span) -> bool:
    """Whether two contracts are in force at some moment together."""
    return (one[1] is None or other[0] < one[1]) and (other[1] is None or one[0] < other[1])
