"""`marketplace ledger positions`."""

from __future__ import annotations

import sys

import click
import msgspec

from marketplace.commands import run
from marketplace.money import decimal_from_micros
from marketplace.runtime import Runtime
from settlement import service
from settlement.domain import Positions, by_name
from settlement.repository import By


class Period(msgspec.Struct, frozen=True):
    """Positions of one period and currency, as `--json` prints them."""

    period: str
    currency: str
    net_micros: dict[str, int]
    """Per member slug, `operator` (the margin) and `pool:<issuer>`; positive is owed to it."""
    sum_micros: int


@click.command("positions")
@click.option(
    "--by",
    type=click.Choice([each.value for each in By]),
    default=By.MONTH.value,
    show_default=True,
    help="One account per calendar month (UTC) or per settlement window.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def positions(by: str, as_json: bool) -> None:
    """Print what each member owes (-) or is owed (+), by period and currency."""

    async def work(runtime: Runtime) -> dict[tuple[str, str], Positions]:
        async with runtime.database.begin() as session:
            return await service.positions(session, By(by))

    periods = [
        Period(period, currency, by_name(found), sum(found.values()))
        for (period, currency), found in run(work).items()
    ]
    if as_json:
        click.echo(msgspec.json.encode(periods).decode())
    else:
        _print(periods)
    if any(each.sum_micros for each in periods):
        sys.exit(1)


def _print(periods: list[Period]) -> None:
    if not periods:
        click.echo("Nobody owes anybody anything yet.")
    for each in periods:
        click.echo(f"{each.period}  {each.currency}  (+ is owed, - owes)")
        for name, micros in each.net_micros.items():
            click.echo(f"  {name:<32}{_signed(micros):>20}")
        verdict = "right" if each.sum_micros == 0 else "WRONG: run marketplace ledger verify"
        click.echo(f"  {'sum':<32}{decimal_from_micros(each.sum_micros):>20}  {verdict}\n")


def _signed(micros: int) -> str:
    return f"{'+' if micros > 0 else ''}{decimal_from_micros(micros)}"
