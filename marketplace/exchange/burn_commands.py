"""`marketplace burns ...`: refunds of many burns at once."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.commands import Group, actor, run
from marketplace.errors import UsageError
from marketplace.exchange import bulk_refunds
from marketplace.exchange.bulk_refunds import Chosen, Outlook
from marketplace.exchange.schemas import LONGEST_REASON
from marketplace.ledger.repository import operator_id
from marketplace.progress import shown
from marketplace.runtime import Runtime

MOST_LINES = 1_000_000
MOST_NAMED = 20
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"])


@click.group("burns", cls=Group)
def burns_group() -> None:
    """What was burnt."""


@burns_group.command("refund")
@click.option("--offer", metavar="REFERENCE", help="Burns on this offer.")
@click.option("--since", type=MOMENT, help="Of the offer: burnt at this moment (UTC) or later.")
@click.option("--until", type=MOMENT, help="Of the offer: burnt before this moment (UTC).")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with a column `burn`: the ids of burns.",
)
@click.option("--reason", required=True, help="What participants read.")
@click.option("--dry-run", is_flag=True, help="Say what would be refunded; change nothing.")
def refund_command(
    offer: str | None,
    since: datetime | None,
    until: datetime | None,
    file: Path | None,
    reason: str,
    dry_run: bool,
) -> None:
    """Refund what is left of many captured burns, those of an offer or of a file.

    Runs beside burns in small batches. Killed or stopped, it is started again as it was: what is
    refunded already is passed over.
    """
    if (offer is None) == (file is None):
        raise UsageError("Give either --offer or --file.")
    if file is not None and (since or until):
        raise UsageError("--since and --until go with --offer.")
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise UsageError(f"The reason has 1 to {LONGEST_REASON} characters.")
    ids = None if file is None else read_ids(file)
    found, made, points = run(
        lambda runtime: _refund(runtime, offer, _utc(since), _utc(until), ids, reason, dry_run)
    )
    passed = f"; {found.others:,} others have nothing to refund" if found.others else ""
    if dry_run:
        click.echo(f"{found.burns:,} burns would be refunded, {found.points:,} points{passed}.")
    else:
        click.echo(f"{made:,} burns refunded, {points:,} points{passed}.")


async def _refund(
    runtime: Runtime,
    offer: str | None,
    since: datetime | None,
    until: datetime | None,
    ids: dict[UUID, int] | None,
    reason: str,
    dry_run: bool,
) -> tuple[Outlook, int, int]:
    async with runtime.database.begin() as session:
        if ids is not None:
            await _require_known(session, ids)
            chosen = Chosen(burn_ids=list(ids))
        else:
            offer_id = await bulk_refunds.offer_named(session, offer or "")
            chosen = Chosen(offer_id=offer_id, since=since, until=until)
        found = await bulk_refunds.outlook(session, chosen)
        caller_id = await operator_id(session)
    if dry_run:
        return found, 0, 0
    with shown("Refunding", found.burns) as told:
        made, points = await bulk_refunds.refund_all(
            runtime, chosen, caller_id=caller_id, actor=actor(), reason=reason, told=told
        )
    return found, made, points


def read_ids(file: Path) -> dict[UUID, int]:
    """The burns of a file and the first line that names each; UsageError names bad lines."""
    ids: dict[UUID, int] = {}
    bad: list[str] = []
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        try:
            if "burn" not in (reader.fieldnames or ()):
                raise UsageError(f"{file} has no column `burn` in its first line.")
            for row in reader:
                try:
                    ids.setdefault(UUID((row["burn"] or "").strip()), reader.line_num)
                except ValueError:
                    bad.append(f"line {reader.line_num}: {(row['burn'] or '')[:40]!r} is no id")
                if len(ids) > MOST_LINES:
                    raise UsageError(f"{file} has more than {MOST_LINES:,} burns; split it.")
        except (UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{file} is not CSV in UTF-8: {error}.") from None
    _refuse(bad)
    return ids


async def _require_known(session: AsyncSession, ids: dict[UUID, int]) -> None:
    unknown = await bulk_refunds.unknown_burns(session, list(ids))
    lines = sorted((ids[burn_id], burn_id) for burn_id in unknown)
    _refuse([f"line {line}: there is no burn {burn_id}" for line, burn_id in lines])


def _refuse(bad: list[str]) -> None:
    if bad:
        more = f"; and {len(bad) - MOST_NAMED:,} more" if len(bad) > MOST_NAMED else ""
        raise UsageError(f"Nothing was refunded. {'; '.join(bad[:MOST_NAMED])}{more}.")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
