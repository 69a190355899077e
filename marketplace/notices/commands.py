"""Command line: what became of mails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import sqlalchemy as sa

from marketplace.commands import Group, actor, run
from marketplace.errors import NotFound
from marketplace.identity.audit import audit
from marketplace.notices import deliveries, queue
from marketplace.notices.domain import MailStatus
from marketplace.notices.transport import transport_of
from marketplace.runtime import Runtime


@click.group("notices", cls=Group)
def notices_group() -> None:
    """What people are told, and how it is mailed."""


@notices_group.group("mail", cls=Group)
def mail_group() -> None:
    """Mails: sent, waiting, refused."""


@mail_group.command("list")
@click.option(
    "--status", type=click.Choice([each.value for each in MailStatus]), help="Only these."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
def list_mails(status: str | None, limit: int) -> None:
    """Show the newest mails and what became of them."""

    async def work(runtime: Runtime) -> list[str]:
        no_way = None if transport_of(runtime.settings) else queue.NO_SERVER
        wanted = MailStatus(status) if status else None
        async with runtime.database.begin() as session:
            rows = await queue.newest(session, status=wanted, limit=limit)
        return [_line(row, no_way) for row in rows]

    for line in run(work) or ["There are no such mails."]:
        click.echo(line)


def _line(row: sa.Row[Any], no_way: str | None) -> str:
    return (
        f"{row.id:<20}{row.created_at:%Y-%m-%d %H:%M}  {row.kind:<18}{row.address:<32}"
        f"{_fate(row, no_way)}"
    )


def _fate(row: sa.Row[Any], no_way: str | None = None) -> str:
    """What became of it; `no_way`: why nothing that waits can be sent."""
    if row.status == MailStatus.SENT:
        return f"sent {row.sent_at:%Y-%m-%d %H:%M}"
    if row.status == MailStatus.FAILED:
        return f"refused: {row.error}"
    if row.status == MailStatus.EXPIRED:
        return f"not sent: {row.error}"
    if no_way is not None:
        return f"not sent: {no_way}"
    said = f": {row.error}" if row.error else ""
    return f"waiting, {row.attempts} tries{said}"


@notices_group.command("deliveries")
@click.option(
    "--status", type=click.Choice([each.value for each in MailStatus]), help="Only these."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
def list_deliveries(status: str | None, limit: int) -> None:
    """Show the newest notices that plugins carry, and what became of them."""

    async def work(runtime: Runtime) -> list[str]:
        wanted = MailStatus(status) if status else None
        async with runtime.database.begin() as session:
            rows = await deliveries.newest(session, status=wanted, limit=limit)
        return [
            f"{row.id:<20}{row.created_at:%Y-%m-%d %H:%M}  {row.kind:<18}{row.channel:<20}"
            f"{row.email:<32}{_fate(row)}"
            for row in rows
        ]

    for line in run(work) or ["There are no such notices."]:
        click.echo(line)


@mail_group.command("retry")
@click.argument("mails", nargs=-1, required=True, type=click.IntRange(min=1))
def retry(mails: Sequence[int]) -> None:
    """Send mails MAILS again that were refused or dropped (not those with a link to sign in)."""

    async def work(runtime: Runtime) -> int:
        async with runtime.database.begin() as session:
            done = await queue.retry(session, mails)
            missing = [str(each) for each in mails if each not in done]
            if missing:
                raise NotFound(f"Neither refused nor dropped: {', '.join(missing)}")
            await audit(session, actor(), "mail.retried", "mail", ", ".join(map(str, mails)))
        return len(done)

    click.echo(f"{run(work)} mails are due again.")
