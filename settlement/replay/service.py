"""Replays past windows under contracts that a file proposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.imports.contracts import check_terms
from marketplace.coalition.imports.reading import Reader
from marketplace.coalition.imports.report import BadLines, Faults
from marketplace.coalition.imports.rows import ContractRow
from marketplace.coalition.imports.tables import BadRow
from marketplace.errors import InvalidRequest, NotFound
from settlement.replay import repository
from settlement.replay.domain import Outcome, Proposal, Terms, compare, reckon


class Replay(msgspec.Struct, frozen=True):
    """What would have changed."""

    windows: list[UUID]
    members: list[str]
    """Whose terms were others, by slug."""
    outcomes: list[Outcome]


async def replay(
    session: AsyncSession, file: BinaryIO, window_ids: Sequence[UUID] | None = None
) -> Replay:
    """Reckon closed windows (None: all) again under the contracts in a file like those imported.

    Each line is a member's terms for all its points and fees in these windows; its dates are not
    looked at. Raises BadLines, NotFound (no such window), InvalidRequest (an open window, a
    currency that the member's points are not in). Writes nothing.
    """
    slugs = await repository.slugs_by_id(session)
    proposals = _proposals(file, {slug: member_id for member_id, slug in slugs.items()})
    chosen = await _windows(session, window_ids)
    issuers = [member_id for member_id, slug in slugs.items() if slug in proposals]
    moved = await repository.moved(session, chosen, issuers)
    for each in moved:
        proposal = proposals.get(each.issuer)
        if proposal is not None and proposal.currency != each.currency:
            raise InvalidRequest(
                f"Points of {each.issuer} were issued in {each.currency}, not {proposal.currency}: "
                "what they would have cost cannot be said."
            )
    debts = await repository.debts(session, chosen)
    fee_bps = await repository.fee_bps(session)
    actual = reckon(moved, debts, fee_bps, {})
    proposed = reckon(moved, debts, fee_bps, proposals)
    return Replay(chosen, sorted(proposals), compare(actual, proposed))


async def _windows(session: AsyncSession, asked: Sequence[UUID] | None) -> list[UUID]:
    known = {row.id: row.status for row in await repository.windows(session)}
    if asked is None:
        return [each for each, status in known.items() if status not in repository.OPEN]
    for each in asked:
        if each not in known:
            raise NotFound(f"There is no window {each}.")
        if known[each] in repository.OPEN:
            raise InvalidRequest(f"Window {each} is {known[each]}: only what is over is replayed.")
    return [each for each in known if each in set(asked)]


def _proposals(file: BinaryIO, members: dict[str, UUID]) -> dict[str, Proposal]:
    faults = Faults()
    found: dict[str, Proposal] = {}
    for rows in Reader(file, ContractRow, faults).chunks():
        for line, row in rows:
            try:
                _add(found, row, members)
            except BadRow as reason:
                faults.add(line, str(reason))
    if faults.total:
        raise BadLines(faults.total, sorted(faults.kept))
    if not found:
        raise InvalidRequest("The file proposes nothing: it has no line besides its header.")
    return found


def _add(found: dict[str, Proposal], row: ContractRow, members: dict[str, UUID]) -> None:
    check_terms(row)
    if row.member not in members:
        raise BadRow(f"there is no member {row.member!r}")
    if row.member in found:
        raise BadRow(f"{row.member} has terms on an earlier line already")
    pooled = row.funding.pooled_price_micros(row.price_per_point, row.pooled_bps)
    terms = Terms(row.price_per_point, pooled, row.breakage)
    # The types of cells are for reading files: what is told further has plain ones.
    found[str(row.member)] = Proposal(str(row.currency), terms, int(row.fee_bps))
