"""Command line: webhook endpoints, their messages, and delivering them again."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.service import get_member
from marketplace.commands import Group, actor, run
from marketplace.errors import NotFound
from marketplace.runtime import Runtime
from marketplace.webhooks import repository, service, views
from marketplace.webhooks.domain import SUBSCRIBABLE, MessageStatus, public_id
from marketplace.webhooks.models import WebhookEndpoint

EVENTS = click.Choice([each.value for each in SUBSCRIBABLE])
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group("webhooks", cls=Group)
def webhooks_group() -> None:
    """Addresses of members that are told of events."""


@webhooks_group.command("create")
@click.option("--member", required=True, help="Slug of the member.")
@click.option("--url", required=True, help="The address, https://...")
@click.option("--event", "events", multiple=True, required=True, type=EVENTS, help="Repeatable.")
@click.option("--description", default="", help="What it is for.")
def create(member: str, url: str, events: tuple[str, ...], description: str) -> None:
    """Subscribe an address to events; prints its id and its secret, which is shown this once."""

    async def work(runtime: Runtime) -> tuple[UUID, str]:
        async with runtime.database.begin() as session:
            row, secret = await service.create(
                session,
                actor(),
                (await get_member(session, member)).id,
                url=url,
                events=events,
                description=description,
                outbound=runtime.outbound,
                vault=runtime.vault,
            )
            return row.id, secret

    endpoint_id, secret = run(work)
    click.echo(f"endpoint {endpoint_id}\nsecret   {secret}")


@webhooks_group.command("list")
@click.option("--member", help="Slug of a member; absent: all.")
def list_endpoints(member: str | None) -> None:
    """Show endpoints and how their messages fare."""

    async def work(runtime: Runtime) -> list[str]:
        async with runtime.database.begin() as session:
            of = (await get_member(session, member)).id if member else None
            rows = await repository.endpoints(session, of)
            counts = await repository.counts(session, [row.id for row in rows])
        return [_line(row, counts[row.id]) for row in rows]

    for line in run(work) or ["There are no webhook endpoints."]:
        click.echo(line)


def _line(row: WebhookEndpoint, counts: dict[str, int]) -> str:
    told = ", ".join(f"{number} {status}" for status, number in counts.items())
    return f"{row.id}  {row.status:<8} {row.url}  {','.join(row.events)}  ({told})"


@webhooks_group.command("log")
@click.argument("endpoint", type=click.UUID)
@click.option(
    "--status", type=click.Choice([each.value for each in MessageStatus]), help="Only these."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
def log(endpoint: UUID, status: str | None, limit: int) -> None:
    """Show the newest messages of ENDPOINT and how the last call with each went."""

    async def work(runtime: Runtime) -> list[str]:
        async with runtime.database.begin() as session:
            await _find(session, endpoint)
            wanted = MessageStatus(status) if status else None
            rows = await repository.messages(
                session, endpoint, status=wanted, before=None, limit=limit
            )
            calls = await repository.last_attempts(session, endpoint, [row.id for row in rows])
        lines = []
        for row in rows:
            call = calls.get(row.id)
            went = "" if call is None else f"{call.status or call.error} in {call.duration_ms} ms"
            lines.append(
                f"{public_id(row.id):<14}{row.created_at:%Y-%m-%d %H:%M}  {row.type:<16}"
                f"{row.status:<11}{row.attempts} tries  {went}"
            )
        return lines

    for line in run(work) or ["There are no such messages."]:
        click.echo(line)


@webhooks_group.command("replay")
@click.argument("endpoint", type=click.UUID)
@click.argument("messages", nargs=-1)
@click.option("--since", type=MOMENT, help="UTC; from this moment on.")
@click.option("--until", type=MOMENT, help="UTC; before this moment.")
@click.option("--all", "delivered_too", is_flag=True, help="Delivered ones too, not failed only.")
def replay(
    endpoint: UUID,
    messages: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    delivered_too: bool,
) -> None:
    """Deliver MESSAGES of ENDPOINT again; without any, those that failed."""
    which = service.Which(
        ids=[views.message_id(each) for each in messages] or None,
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
        failed_only=not delivered_too,
    )

    async def work(runtime: Runtime) -> int:
        async with runtime.database.begin() as session:
            return await service.replay(session, actor(), await _find(session, endpoint), which)

    click.echo(f"{run(work)} messages are due again.")


@webhooks_group.command("test")
@click.argument("endpoint", type=click.UUID)
def send_test(endpoint: UUID) -> None:
    """Send ENDPOINT a test message."""

    async def work(runtime: Runtime) -> int:
        async with runtime.database.begin() as session:
            return await service.send_test(session, actor(), await _find(session, endpoint))

    click.echo(f"{public_id(run(work))} is due.")


async def _find(session: AsyncSession, endpoint_id: UUID) -> WebhookEndpoint:
    row = await session.get(WebhookEndpoint, endpoint_id)
    if row is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}.")
    return row
