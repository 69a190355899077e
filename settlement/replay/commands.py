"""`marketplace settlement replay`."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click
import msgspec

from marketplace.commands import run
from marketplace.errors import UsageError
from marketplace.money import decimal_from_micros
from marketplace.runtime import Runtime
from settlement.replay import service


@click.command("replay")
@click.option(
    "--contract",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV file of contracts, as for `marketplace import contracts`; dates are not looked at.",
)
@click.option(
    "--window", "windows", type=click.UUID, multiple=True, help="Only this window; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def replay(file: Path, windows: tuple[UUID, ...], as_json: bool) -> None:
    """Print what closed windows would have come to under proposed contracts. Writes nothing."""

    async def work(runtime: Runtime) -> service.Replay:
        try:
            with file.open("rb") as opened:
                async with runtime.database.begin() as session:
                    return await service.replay(session, opened, windows or None)
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}.") from None

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    click.echo(f"{len(found.windows)} windows, with other terms for {', '.join(found.members)}")
    click.echo(f"{'(+ is owed, - owes)':<34}{'actual':>18}{'proposed':>18}{'difference':>18}")
    for each in found.outcomes:
        figures = (each.actual_micros, each.proposed_micros, each.difference_micros)
        told = "".join(f"{decimal_from_micros(micros):>18}" for micros in figures)
        click.echo(f"{each.currency} {each.party:<30}{told}")
