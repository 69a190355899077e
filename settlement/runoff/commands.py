"""`marketplace settlement runoff` and `marketplace settlement liability`."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from marketplace.commands import run
from marketplace.money import decimal_from_micros
from marketplace.runtime import Runtime
from settlement.runoff import service
from settlement.runoff.domain import Liability, Outstanding, RunOff

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")


@click.command("runoff")
@click.argument("member")
@JSON
def runoff(member: str, as_json: bool) -> None:
    """Print what is left of MEMBER's points, what covers it, and its last figures."""

    async def work(runtime: Runtime) -> RunOff:
        async with runtime.database.begin() as session:
            return await service.run_off(session, member)

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    _say_dates(found)
    past = found.history
    click.echo(
        f"Points issued {past.issued:,}, redeemed {past.redeemed:,}, expired {past.expired:,}"
    )
    _say(found.by_age)
    _say(found.by_expiry)
    for each in found.cover:
        click.echo(
            f"{each.currency}: worth {decimal_from_micros(each.value_micros)}; "
            f"pool {decimal_from_micros(each.pool_micros)}, "
            f"paid ahead {decimal_from_micros(each.prefund_micros)}, "
            f"due {decimal_from_micros(each.due_micros)}, "
            f"not settled {decimal_from_micros(each.unsettled_micros)}; "
            f"still needed {decimal_from_micros(each.needed_micros)}"
        )


def _say_dates(found: RunOff) -> None:
    until = "no end" if found.issues_until is None else f"{found.issues_until:%Y-%m-%d}"
    word = "issues" if found.issues_now else "does not issue"
    click.echo(f"{found.member} {word}; contract until {until}")
    if found.never_expires_points:
        click.echo(f"{found.never_expires_points:,} outstanding points never expire")
    elif found.redeemable_until is not None:
        click.echo(f"its points are good until {found.redeemable_until:%Y-%m-%d}")


@click.command("liability")
@JSON
def liability(as_json: bool) -> None:
    """Print what outstanding points are worth, by issuer, by age and by month of expiry."""

    async def work(runtime: Runtime) -> Liability:
        async with runtime.database.begin() as session:
            return await service.liability(session)

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    _say(found.by_age)
    _say(found.by_expiry)


def _say(rows: Sequence[Outstanding]) -> None:
    for each in rows:
        click.echo(
            f"{each.issuer:<20}{each.group:<18}{each.points:>14,} points "
            f"{each.currency} {decimal_from_micros(each.value_micros):>16}  "
            f"pooled {decimal_from_micros(each.pooled_micros):>14}  "
            f"likely to expire {decimal_from_micros(each.expected_breakage_micros):>14}"
        )
