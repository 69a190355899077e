"""`marketplace settlement open | close | status`."""

from __future__ import annotations

from uuid import UUID

import click
import msgspec

from marketplace.commands import actor, run
from marketplace.ledger.totals import totals
from marketplace.money import decimal_from_micros
from marketplace.runtime import Runtime
from settlement.windows import repository, service
from settlement.windows.closing import close_window
from settlement.windows.schemas import ClosedView, CurrencyTotal, LagView, WindowView
from settlement.windows.tasks import teller
from settlement.windows.views import by_currency, closed_view, lag_view, window_view

SHOWN = 20
JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")


class Opened(msgspec.Struct, frozen=True):
    """Which window is open."""

    window_id: UUID
    opened_now: bool


class WindowStatusView(WindowView, frozen=True, kw_only=True):
    """A window and what is in it."""

    totals: list[CurrencyTotal]


class Status(msgspec.Struct, frozen=True):
    """Windows, newest first, and how far their totals are behind."""

    windows: list[WindowStatusView]
    lag: LagView


@click.command("open")
@JSON
def open_(as_json: bool) -> None:
    """Say which window is open; where none is, open one."""

    async def work(runtime: Runtime) -> Opened:
        async with runtime.database.begin() as session:
            return Opened(*await service.ensure_open(session, actor=actor()))

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo(f"{found.window_id} {'was opened now' if found.opened_now else 'is open'}")


@click.command("close")
@click.option("--window", "window_id", type=click.UUID, help="Only if this window is the open one.")
@click.option("--note", default="", help="Why, for the history.")
@JSON
def close(window_id: UUID | None, note: str, as_json: bool) -> None:
    """Close the open window; the next one opens at the same moment."""

    async def work(runtime: Runtime) -> ClosedView:
        closed = await close_window(
            runtime.database.begin,
            teller(runtime.tell),
            actor=actor(),
            note=note,
            window_id=window_id,
        )
        return closed_view(closed)

    closed = run(work)
    if as_json:
        click.echo(msgspec.json.encode(closed).decode())
        return
    state = "settled, for nothing is in it" if closed.settled else "closed"
    click.echo(f"{closed.window_id} is {state}: {closed.obligations} obligations and debts")
    click.echo(f"{closed.opened_id} is open")


@click.command("status")
@click.option("--limit", default=SHOWN, show_default=True, help="Windows to show.")
@JSON
def status(limit: int, as_json: bool) -> None:
    """Show the newest windows with their totals, and how far these are behind."""

    async def work(runtime: Runtime) -> Status:
        async with runtime.database.begin() as session:
            rows = await repository.page(session, before=None, most=limit)
            found = await totals(session, [row.id for row in rows])
            views = [
                WindowStatusView(
                    **msgspec.structs.asdict(window_view(row)),
                    totals=by_currency(each for each in found if each.window_id == row.id),
                )
                for row in rows
            ]
            return Status(views, await lag_view(session))

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        _print(found)


def _print(found: Status) -> None:
    for window in found.windows:
        until = "" if window.closed_at is None else f" to {window.closed_at:%Y-%m-%d %H:%M:%S}"
        click.echo(
            f"{window.id}  {window.status.value}  from {window.opened_at:%Y-%m-%d %H:%M:%S}{until}"
        )
        for each in window.totals:
            click.echo(
                f"  {each.kind:<9}{each.count:>12,}  {each.currency} "
                f"funded {decimal_from_micros(each.funded_micros):>18} "
                f"cost {decimal_from_micros(each.cost_micros):>18}"
            )
    click.echo(
        f"In no total yet: {found.lag.rows:,}; counted last at "
        f"{found.lag.rolled_at:%Y-%m-%d %H:%M:%S} UTC"
    )
