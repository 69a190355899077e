"""`marketplace ledger ...`: prove, export and sweep the ledger."""

from __future__ import annotations

import asyncio
import sys
from typing import TextIO

import click

from marketplace.commands import Group, run
from marketplace.ledger.checks import ALL
from marketplace.ledger.domain import Check, Finding
from marketplace.ledger.expiry import due, expire_all
from marketplace.ledger.export import export
from marketplace.ledger.journal import Format
from marketplace.ledger.verify import EXAMPLES, verify
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
    findings = run(lambda runtime: _verify(runtime, examples))
    if not findings:
        click.echo(f"The ledger is right: {len(ALL)} invariants hold.")
        return
    click.echo(f"The ledger is wrong: {len(findings)} of {len(ALL)} invariants do not hold.")
    sys.exit(1)


async def _verify(runtime: Runtime, examples: int) -> list[Finding]:
    async with runtime.database.begin() as session:
        return await verify(session, examples=examples, told=_say)


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
        async with runtime.database.begin() as session:
            async for text in export(session, Format(form)):
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
    with click.progressbar(length=whole, label="Expiring", file=sys.stderr) as bar:
        for _ in range(SWEEPS):
            done += await expire_all(runtime.database, bar.update)
            async with runtime.database.begin() as session:
                left = await due(session)
            if not left:
                break
            await asyncio.sleep(0.25)
    return done, left
