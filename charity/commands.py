"""`marketplace charity ...`: the registry, campaigns and matches."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import click
import msgspec

from charity import campaigns, causes, closing, matching, registry, rescuing
from charity.domain import MatchMode
from charity.models import Charity
from marketplace import progress
from marketplace.commands import actor, run
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal, Role
from marketplace.ids import uuid7
from marketplace.runtime import Runtime

DAY = click.DateTime(["%Y-%m-%d"])


def _operator() -> Principal:
    """Whoever is at the command line acts for the operator."""
    whoever = uuid7()
    return Principal(
        credential_id=whoever,
        caller_id=whoever,
        actor=actor(),
        is_operator=True,
        roles=frozenset({Role.OPERATOR}),
    )


def _say(charity: Charity, today: date) -> None:
    checked = "" if charity.number_checked else " (not checked)"
    click.echo(
        f"{charity.slug}: {charity.legal_name}, {charity.country} {charity.number}{checked}, "
        f"{charity.state.value}"
    )
    why = registry.why_not(charity, today)
    click.echo(f"  {why}" if why else f"  review due {charity.review_due_on}")


@click.command("register")
@click.argument("slug")
@click.option("--member", required=True, help="The member of the coalition that it is.")
@click.option("--name", required=True, help="Legal name.")
@click.option("--country", required=True, help="ISO 3166 code, e.g. IT.")
@click.option("--number", required=True, help="Registration number.")
@click.option("--iban", required=True, help="The account that its documents name.")
def register(slug: str, member: str, name: str, country: str, number: str, iban: str) -> None:
    """Register the charity SLUG; until it is verified it cannot receive."""
    new = registry.NewCharity(
        slug=slug, member=member, legal_name=name, country=country, number=number, iban=iban
    )

    async def work(runtime: Runtime) -> Charity:
        async with runtime.database.begin() as session:
            return await registry.register(session, new, actor=actor())

    _say(run(work), date.today())  # noqa: DTZ011 - it is pending on any day


@click.command("verify")
@click.argument("slug")
@click.option("--document", required=True, help="What was looked at.")
@click.option("--on", "verified_on", required=True, type=DAY, help="The day it was looked at.")
@click.option("--review-due", required=True, type=DAY, help="From this day on it has lapsed.")
def verify(slug: str, document: str, verified_on: datetime, review_due: datetime) -> None:
    """Say that the documents of the charity SLUG were looked at."""

    async def work(runtime: Runtime) -> Charity:
        async with runtime.database.begin() as session:
            return await registry.verify(
                session,
                slug,
                document=document,
                verified_on=verified_on.date(),
                review_due_on=review_due.date(),
                actor=actor(),
            )

    _say(run(work), verified_on.date())


@click.command("suspend")
@click.argument("slug")
@click.option("--reason", required=True, help="Why; people who want to give read it.")
def suspend(slug: str, reason: str) -> None:
    """Let the charity SLUG receive nothing until it is verified again."""

    async def work(runtime: Runtime) -> Charity:
        async with runtime.database.begin() as session:
            return await registry.suspend(session, slug, reason=reason, actor=actor())

    _say(run(work), date.today())  # noqa: DTZ011 - it is suspended on any day


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def list_campaigns(as_json: bool) -> None:
    """Print campaigns with what they have raised."""

    async def work(runtime: Runtime) -> list[causes.CauseView]:
        async with runtime.database.begin() as session:
            return await causes.shown(session, "en")

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for each in found:
        raised = each.raised
        click.echo(
            f"{each.slug}: {each.charity.slug}, {raised.points} points and {raised.matched_points} "
            f"matched, {each.raised_micros} of {each.goal_micros} micros {each.currency}"
        )
        for match in each.matches:
            click.echo(
                f"  match {match.id}: {match.member}, {match.used_points} of {match.cap_points}"
            )


@click.command("start")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def start(file: Path) -> None:
    """Start the campaign that FILE (JSON) describes; its promises never change."""
    try:
        new = msgspec.json.decode(file.read_bytes(), type=campaigns.NewCampaign)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{file} is no campaign: {error}.") from None

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            await campaigns.start(session, _operator(), new)

    run(work)
    click.echo(f"{new.slug}: started")


@click.command("close")
@click.argument("campaign")
@click.option("--reason", required=True, help="Why; givers read it.")
def close(campaign: str, reason: str) -> None:
    """Close CAMPAIGN early; gifts that were made stay."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            await closing.close(session, _operator(), campaign, reason=reason)

    run(work)
    click.echo(f"{campaign}: closed")


@click.command("match")
@click.argument("campaign")
@click.argument("member")
@click.option("--ratio", "ratio_bps", default=10_000, help="In basis points; 10000: 1 for 1.")
@click.option("--cap", "cap_points", required=True, type=int, help="Points at most.")
@click.option(
    "--mode",
    type=click.Choice([each.value for each in MatchMode]),
    default=MatchMode.BILLED.value,
    help="Billed gift by gift, or paid ahead.",
)
def match(campaign: str, member: str, ratio_bps: int, cap_points: int, mode: str) -> None:
    """Let MEMBER add to each gift of CAMPAIGN, up to a cap."""
    new = matching.NewMatch(
        campaign=campaign,
        member=member,
        ratio_bps=ratio_bps,
        cap_points=cap_points,
        mode=MatchMode(mode),
    )

    async def work(runtime: Runtime) -> str:
        async with runtime.database.begin() as session:
            return str((await session.run_sync(matching.start, new, actor())).id)

    click.echo(run(work))


@click.command("end-match")
@click.argument("match_id", type=click.UUID)
def end_match(match_id: UUID) -> None:
    """End a match; what a prefunded one did not give comes back."""

    async def work(runtime: Runtime) -> int:
        async with runtime.database.begin() as session:
            return (await session.run_sync(matching.end, match_id, actor())).used_points

    click.echo(f"ended, {run(work)} points matched")


@click.command("expiring")
def expiring() -> None:
    """Announce and give points that would expire, as the clock does; shows how far it is."""

    async def work(runtime: Runtime) -> rescuing.Done:
        whole = await rescuing.waiting(runtime.database)
        with progress.shown("expiring", whole) as told:
            return await rescuing.run(runtime.database, runtime.eligibility_rules, told)

    done = run(work)
    click.echo(f"{done.announced} announced, {done.made} of {done.looked_at} due given")


COMMANDS = (register, verify, suspend, list_campaigns, start, close, match, end_match, expiring)
