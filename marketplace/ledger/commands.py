"""`marketplace ledger ...`: prove, export and sweep the ledger."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import TextIO

import click
import msgspec

from marketplace.commands import Group, actor, run
from marketplace.contract.proving import Check
from marketplace.ledger import periods
from marketplace.ledger.checks import ALL
from marketplace.ledger.domain import Finding
from marketplace.ledger.expiry import due, expire_all
from marketplace.ledger.export import export
from marketplace.ledger.journal import Format
from marketplace.ledger.schemas import PeriodsView, periods_view
from marketplace.ledger.verify import EXAMPLES, verify
from marketplace.progress import shown
from marketplace.runtime import Runtime

SWEEPS = 20
"""Tries to expire lots whose wallets others are writing, a quarter of a second apart."""


@click.group("ledger", cls=Group)
def ledger() -> None:
    """The ledger: prove it, export it, sweep what has expired."""


@ledger.command("verify")
@click.option(
    "--examples", default=EXAMPLES, show_default=True, help="Violations spelt out per check."
)
def verify_command(examples: int) -> None:
    """Prove every invariant of the ledger. Exits 1 and says what is wrong where one fails."""
    findings, count = run(lambda runtime: _verify(runtime, examples))
    if not findings:
        click.echo(f"The ledger is right: {count} invariants hold.")
        return
    click.echo(f"The ledger is wrong: {len(findings)} of {count} invariants do not hold.")
    sys.exit(1)


async def _verify(runtime: Runtime, examples: int) -> tuple[list[Finding], int]:
    """What does not hold, and how many invariants there are: the core's and those of plugins."""
    checks = [*ALL]
    for _, own in runtime.plugins.call_each("marketplace_register_checks"):
        checks += own
    async with runtime.database.begin() as session:
        return await verify(session, examples=examples, checks=checks, told=_say), len(checks)


def _say(check: Check, finding: Finding | None) -> None:
    click.echo(f"{'ok   ' if finding is None else 'WRONG'} {check.name:22}{check.explanation}")
    if finding is None:
        return
    for example in finding.examples:
        click.echo(f"        {example.subject}")
        click.echo(f"            expected: {example.expected}")
        click.echo(f"            found:    {example.found}")
    more = finding.total - len(finding.examples)
    if more:
        click.echo(f"        and {more} more")


@ledger.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in Format]),
    default=Format.BEANCOUNT.value,
    show_default=True,
)
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", atomic=True, lazy=True),
    default="-",
    help="File to write; standard output without.",
)
def export_command(form: str, output: TextIO) -> None:
    """Write every transfer as a journal with balance assertions, for an independent checker."""

    async def work(runtime: Runtime) -> None:
        notes = {
            f"{slug}.{each.name}": each.sql
            for slug, own in runtime.plugins.call_each("marketplace_register_journal_notes")
            for each in own
        }
        async with runtime.database.begin() as session:
            async for text in export(session, Format(form), notes):
                output.write(text)

    run(work)


@ledger.command("expire")
def expire_command() -> None:
    """Expire every lot that is due. Safe to run at any time, beside burns."""
    done, left = run(_expire)
    click.echo(f"{done} lots expired.")
    if left:
        click.echo(f"{left} more are being written by others; run this again.")


async def _expire(runtime: Runtime) -> tuple[int, int]:
    async with runtime.database.begin() as session:
        whole = left = await due(session)
    done = 0
    with shown("Expiring", whole) as told:
        for _ in range(SWEEPS):
            done += await expire_all(runtime.database, told)
            async with runtime.database.begin() as session:
                left = await due(session)
            if not left:
                break
            await asyncio.sleep(0.25)
    return done, left


MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"])


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@ledger.command("lock")
@click.argument("until", type=MOMENT)
@click.option("--reason", default="", help="Kept with the lock.")
def lock_command(until: datetime, reason: str) -> None:
    """Lock every period before UNTIL (UTC): nothing may be dated into it any more."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            await periods.lock(session, _utc(until), actor(), reason)

    run(work)
    click.echo(f"Locked until {_utc(until).isoformat()}.")


@ledger.command("unlock")
@click.option("--reason", required=True, help="Why; kept for ever, with who.")
@click.option("--until", type=MOMENT, help="What is before this stays locked; nothing without.")
def unlock_command(reason: str, until: datetime | None) -> None:
    """Let a locked period be dated into again."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            kept = None if until is None else _utc(until)
            await periods.unlock(session, reason, actor(), kept)

    run(work)
    click.echo("Nothing is locked." if until is None else f"Locked until {_utc(until)}.")


@ledger.command("periods")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def periods_command(as_json: bool) -> None:
    """Print what is locked, and who locked and unlocked what, newest first."""

    async def work(runtime: Runtime) -> PeriodsView:
        async with runtime.database.begin() as session:
            return periods_view(await periods.periods(session))

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    until = found.locked_until
    click.echo("Nothing is locked." if until is None else f"Locked until {until.isoformat()}.")
    for each in found.changes:
        what = "unlocked" if each.locked_until is None else f"until {each.locked_until.isoformat()}"
        click.echo(f"  {each.at:%Y-%m-%d %H:%M}  {what}  {each.actor}  {each.reason}")
