"""Imports contracts and their dated changes.

A contract is known by its reference; changed terms from a later day are its next version, and the
version before ends that day. What was or is in force never changes: only the future may.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa

from marketplace.clock import now
from marketplace.coalition.domain import BPS, Funding
from marketplace.coalition.exposure import open_exposures
from marketplace.coalition.imports.rows import ContractRow
from marketplace.coalition.imports.tables import BadRow, TableImport, Values, known, member_ids
from marketplace.coalition.models import Contract
from marketplace.ids import uuid7

SHOWN = {
    "member_id": "member",
    "price_micros": "price_per_point",
    "exposure_cap_micros": "exposure_cap",
}
"""Columns of the table that the file calls by another name."""


NOT_TERMS = ("id", "version")


class Version(msgspec.Struct):
    """A contract from one day on: in the table, or of this file."""

    id: UUID
    terms: Values
    """What the file says of it, but for the two dates."""
    valid_from: datetime
    valid_to: datetime | None
    is_new: bool = False
    is_moved: bool = False
    """Whether `valid_to` is another than when it was read or written."""

    def overlaps(self, start: datetime, stop: datetime | None) -> bool:
        """Whether it is in force at some moment from `start` until before `stop`."""
        begins_before = stop is None or self.valid_from < stop
        return begins_before and (self.valid_to is None or start < self.valid_to)


class ImportContracts(TableImport[ContractRow]):
    """Dated terms; at any moment at most one contract of a member is in force."""

    model = Contract

    async def prepare(self) -> None:
        # Contracts written meanwhile could overlap those of this file.
        await self.session.execute(sa.text("lock table contract in share row exclusive mode"))
        self._now = await now(self.session)
        self._members = await member_ids(self.session)
        self._capped: set[UUID] = set()
        self._versions: dict[str, list[Version]] = {}
        """By reference, in order of time."""
        self._of_member: dict[UUID, list[Version]] = {}
        self._seen: dict[tuple[str, datetime], int] = {}
        columns = sa.inspect(Contract).columns
        rows = await self.session.execute(
            sa.select(*columns).order_by(Contract.reference, Contract.version)
        )
        for row in rows.mappings():
            terms = {each.key: row[each.key] for each in columns if each.key not in NOT_TERMS}
            dates = terms.pop("valid_from"), terms.pop("valid_to")
            self._keep(Version(row["id"], terms, *dates))

    def values(self, row: ContractRow) -> Values:
        """The terms of a row, without its dates."""
        return {
            "reference": row.reference,
            "member_id": known(self._members, row.member),
            "role": row.role,
            "funding": row.funding,
            "currency": row.currency,
            "price_micros": row.price_per_point,
            "pooled_bps": row.pooled_bps,
            "fee_bps": row.fee_bps,
            "breakage": row.breakage,
            "exposure_cap_micros": row.exposure_cap,
            "cap_alert_bps": row.cap_alert_bps,
            "dispute_days": row.dispute_days,
            "dispute_default": row.dispute_default,
            "netting": row.netting,
            "points_valid_days": row.points_valid_days,
        }

    async def _present(self, keys: Collection[str]) -> dict[str, Values]:
        return {}  # `_judge` knows them all

    def _judge(self, line: int, row: ContractRow, present: dict[str, Values]) -> Values | None:
        """A new version to be written; None where it is there already, or only its end changed."""
        first = self._seen.setdefault((row.reference, row.valid_from), line)
        if first != line:
            raise BadRow(f"reference {row.reference!r} is on line {first} already")
        check_terms(row)
        terms = self.values(row)
        versions = self._versions.get(row.reference, [])
        for at, version in enumerate(versions, start=1):
            if version.valid_from == row.valid_from:
                followed = at < len(versions)
                self._repeated(version, row, terms, followed=followed)
                return None
        if versions:
            self._amend(versions[-1], row, terms)
        self._refuse_overlap(row, terms)
        self._refuse_mixed_cap(row, terms)
        number = len(versions) + 1
        made = Version(uuid7(), terms, row.valid_from, row.valid_to, is_new=True)
        self._keep(made)
        if row.exposure_cap is not None:
            self._capped.add(terms["member_id"])
        dates = {"valid_from": row.valid_from, "valid_to": row.valid_to}
        return {"id": made.id, "version": number, **terms, **dates}

    def _keep(self, version: Version) -> None:
        self._versions.setdefault(version.terms["reference"], []).append(version)
        self._of_member.setdefault(version.terms["member_id"], []).append(version)

    def _repeated(
        self, version: Version, row: ContractRow, terms: Values, *, followed: bool
    ) -> None:
        """The row says again what is there; it may end the contract at another day to come."""
        for name, value in terms.items():
            if version.terms[name] != value:
                column = SHOWN.get(name, name)
                raise BadRow(
                    f"reference {row.reference!r} was imported before with another {column}; "
                    "changed terms need a later valid_from"
                )
        # A version that the next one ended is still what the file said when it was new.
        is_as_it_was = version.valid_to == row.valid_to or (
            followed
            and (row.valid_to is None or row.valid_to >= (version.valid_to or row.valid_to))
        )
        if is_as_it_was:
            return
        if followed:
            raise BadRow(f"reference {row.reference!r} was imported before with another valid_to")
        for moment in (version.valid_to, row.valid_to):
            if moment is not None and moment <= self._now:
                raise BadRow(f"valid_to {moment:%Y-%m-%d} is past: what was in force stays")
        self._refuse_overlap(row, terms, but=version)
        version.valid_to, version.is_moved = row.valid_to, True
        self.counts.unchanged -= 1  # counted as such by the caller, as changed at the end

    def _amend(self, before: Version, row: ContractRow, terms: Values) -> None:
        """The row is the next version: what it changes must lie ahead."""
        if terms["member_id"] != before.terms["member_id"]:
            raise BadRow(f"reference {row.reference!r} is a contract of another member")
        if row.valid_from < before.valid_from:
            raise BadRow(
                f"reference {row.reference!r} has a later version, from "
                f"{before.valid_from:%Y-%m-%d}, already"
            )
        if not before.is_new and row.valid_from <= self._now:
            raise BadRow(
                f"valid_from {row.valid_from:%Y-%m-%d} is past: terms that were in force stay; "
                "changed terms need a valid_from to come"
            )
        if before.valid_to is None or before.valid_to > row.valid_from:
            before.valid_to, before.is_moved = row.valid_from, True

    def _refuse_overlap(
        self, row: ContractRow, terms: Values, *, but: Version | None = None
    ) -> None:
        if row.valid_to is not None and row.valid_to <= row.valid_from:
            raise BadRow("valid_to is not after valid_from")
        for other in self._of_member.get(terms["member_id"], []):
            if other is not but and other.overlaps(row.valid_from, row.valid_to):
                raise BadRow(
                    f"{row.member} would have two contracts in force: this one and "
                    f"{other.terms['reference']!r}"
                )

    def _refuse_mixed_cap(self, row: ContractRow, terms: Values) -> None:
        """What counts against a cap is one sum, of points of earlier contracts too."""
        others = self._of_member.get(terms["member_id"], [])
        capped = [row.exposure_cap, *(each.terms["exposure_cap_micros"] for each in others)]
        if all(cap is None for cap in capped):
            return
        for other in others:
            if other.terms["currency"] != row.currency:
                raise BadRow(
                    f"{row.member} has a contract in {other.terms['currency']}, "
                    f"{other.terms['reference']!r}: an exposure_cap counts in one currency, so a "
                    "member that has or had one keeps its currency"
                )

    async def finish(self) -> None:
        moved = [
            version
            for versions in self._versions.values()
            for version in versions
            if version.is_moved
        ]
        for version in moved:
            await self.session.execute(
                sa.update(Contract)
                .where(Contract.id == version.id)
                .values(valid_to=version.valid_to)
            )
        changed = sum(not version.is_new for version in moved)
        self.counts.changed += changed
        await open_exposures(self.session, self._capped)


def check_terms(row: ContractRow) -> None:
    """BadRow where the terms do not fit each other."""
    if (row.funding is Funding.MIXED) != (row.pooled_bps is not None):
        raise BadRow("pooled_bps is for funding `mixed`, and that needs it")
    if row.pooled_bps is not None and row.price_per_point * row.pooled_bps < BPS:
        raise BadRow("pooled_bps of price_per_point is less than a millionth: nothing to pool")
