"""Issuing points: a lot and its transfers per issuance, set-wise, for requests and for files.

All or nothing, and idempotent by (issuer, reference). Rules: DESIGN section 5,
docs/concepts/ledger.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.ids import take_keys
from marketplace.ledger.domain import Issuance, Issued
from marketplace.ledger.errors import MAX_REFERENCE, IssuancesRefused, IssueError, IssueFault
from marketplace.ledger.issuing_repository import (
    SMALL,
    Row,
    Stage,
    Taken,
    business_time,
    lock_issuers,
)
from marketplace.money import MAX_POINTS

REFERENCE = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_REFERENCE}}}")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


async def issue(
    session: AsyncSession,
    issuer_id: UUID,
    issuances: Sequence[Issuance],
    *,
    dry_run: bool = False,
) -> Issued:
    """Issue points of one member; a lot and a transfer each, and money where so funded.

    An issuance made before with the same content (wallet, points, and the times where given) is
    counted in `already`; so is one repeated within the call. Raises IssuancesRefused, before
    anything is written, naming every item that is wrong. A dry run says what would be issued.
    """
    await session.flush()
    connection = await raw_connection(session)
    faults = [(at, fault(item)) for at, item in enumerate(issuances)]
    errors = [
        IssueError(at, code, code.detail(issuances[at].reference)) for at, code in faults if code
    ]
    sound = [at for at, code in faults if code is None]
    stage = Stage(connection, SMALL)
    await stage.open()
    await lock_issuers(connection, [issuer_id])
    await stage.add(_rows(issuer_id, issuances, sound))
    made, already = await write_staged(stage, errors, dry_run=dry_run)
    return Issued(
        issued=sum(lots for _, lots, _ in made),
        points=sum(points for _, _, points in made),
        already=already,
    )


def fault(item: Issuance) -> IssueFault | None:
    """What is wrong with an issuance on its face."""
    if not REFERENCE.fullmatch(item.reference):
        return IssueFault.INVALID_REFERENCE
    if not isinstance(item.points, int) or not 1 <= item.points <= MAX_POINTS:
        return IssueFault.INVALID_POINTS
    if not (_bearable(item.effective_at) and _bearable(item.expires_at)):
        return IssueFault.INVALID_TIME
    return None


def _bearable(moment: datetime | None) -> bool:
    return moment is None or (moment.tzinfo is not None and EARLIEST <= moment <= LATEST)


def _rows(issuer_id: UUID, issuances: Sequence[Issuance], sound: Sequence[int]) -> list[Row]:
    # Keys ascend in the given order, so lots of one moment are drawn in that order.
    return [
        (
            at,
            key,
            issuer_id,
            issuances[at].reference,
            issuances[at].wallet_id,
            issuances[at].points,
            issuances[at].effective_at,
            issuances[at].expires_at,
        )
        for at, key in zip(sound, take_keys(len(sound)), strict=True)
    ]


async def write_staged(
    stage: Stage,
    errors: Sequence[IssueError] = (),
    *,
    each_once: bool = False,
    dry_run: bool = False,
) -> tuple[list[tuple[UUID, int, int]], int]:
    """Check what is staged and write it; the issuers must be locked.

    Returns (issuer, lots, points) of each issuer and how many items had been issued before.
    `errors` are those found while staging; a dry run returns what would be written. With
    `each_once` a reference repeated in the stage is refused, whatever it says. Raises
    IssuancesRefused with all errors in order of position; nothing is written then.
    """
    now = await business_time(stage.connection)
    repeated = await stage.take_repeated(now, refuse_all=True) if each_once else Taken(0, 0, [])
    already = await stage.take_already()
    if not each_once:
        repeated = await stage.take_repeated(now, refuse_all=False)
    wrong_total, wrong = await stage.wrong(now)
    code = IssueFault.REFERENCE_REPEATED if each_once else IssueFault.REFERENCE_REUSED
    found = [*errors, *_met_before(already, IssueFault.REFERENCE_REUSED)]
    found += _met_before(repeated, code)
    found += [IssueError(at, IssueFault(code), IssueFault(code).detail()) for at, code in wrong]
    if found:
        total = len(errors) + already.other + repeated.other + wrong_total
        raise IssuancesRefused(sorted(found, key=lambda each: each.index), total)
    made = await stage.totals() if dry_run else await stage.write(now)
    return made, already.same + repeated.same


def _met_before(taken: Taken, code: IssueFault) -> list[IssueError]:
    return [IssueError(at, code, code.detail(reference)) for at, reference in taken.listed]
