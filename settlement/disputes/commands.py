"""`marketplace settlement dispute ...`."""

from __future__ import annotations

from uuid import UUID

import click
import msgspec

from marketplace.coalition.service import get_member
from marketplace.commands import Group, actor, run
from marketplace.runtime import Runtime
from settlement.disputes import repository, service
from settlement.disputes.domain import DisputeStatus, line_id
from settlement.disputes.schemas import DisputeView, views


@click.group("dispute", cls=Group)
def dispute_group() -> None:
    """Disputes of single lines."""


@dispute_group.command("open")
@click.argument("member")
@click.argument("lines", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why the member disputes them.")
def open_command(member: str, lines: tuple[str, ...], reason: str) -> None:
    """Dispute LINES (<wallet>:<id> or debt:<id>) of a closed window for MEMBER."""

    async def work(runtime: Runtime) -> DisputeView:
        async with runtime.database.begin() as session:
            found = await get_member(session, member)
            asked = service.NewDispute(found.id, [line_id(each) for each in lines], reason)
            dispute = await service.open_dispute(session, asked, actor=actor())
            return (await views(session, [dispute]))[0]

    _say(run(work))


@dispute_group.command("list")
@click.option("--member", help="Only those of this member (slug).")
@click.option("--status", type=click.Choice([each.value for each in DisputeStatus]))
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def list_command(member: str | None, status: str | None, as_json: bool) -> None:
    """Print disputes, newest first."""

    async def work(runtime: Runtime) -> list[DisputeView]:
        async with runtime.database.begin() as session:
            member_id = None if member is None else (await get_member(session, member)).id
            wanted = None if status is None else DisputeStatus(status)
            return await views(session, await repository.disputes(session, member_id, wanted))

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for each in found:
        _say(each)


@dispute_group.command("decide")
@click.argument("dispute_id", type=click.UUID)
@click.argument("outcome", type=click.Choice(["upheld", "rejected"]))
@click.option("--note", required=True, help="Why; the member reads it.")
def decide_command(dispute_id: UUID, outcome: str, note: str) -> None:
    """Decide a dispute: what is upheld is undone by adjustments in the open window."""

    async def work(runtime: Runtime) -> DisputeView:
        async with runtime.database.begin() as session:
            dispute = await service.decide(
                session, dispute_id, upheld=outcome == "upheld", actor=actor(), note=note
            )
            return (await views(session, [dispute]))[0]

    _say(run(work))


@dispute_group.command("withdraw")
@click.argument("dispute_id", type=click.UUID)
@click.option("--note", default="", help="Why.")
def withdraw_command(dispute_id: UUID, note: str) -> None:
    """Take a dispute back for its member."""

    async def work(runtime: Runtime) -> DisputeView:
        async with runtime.database.begin() as session:
            dispute = await service.withdraw(
                session, dispute_id, member_id=None, actor=actor(), note=note
            )
            return (await views(session, [dispute]))[0]

    _say(run(work))


def _say(dispute: DisputeView) -> None:
    click.echo(
        f"{dispute.id}  {dispute.status}  {dispute.member}  {len(dispute.lines)} lines  "
        f"decide by {dispute.decide_by:%Y-%m-%d}  {dispute.reason}"
    )
    for each in dispute.adjustments:
        click.echo(
            f"  {each.line} {each.part}: {each.debtor} owes {each.creditor} "
            f"{each.amount_micros} micros of {each.currency}"
        )
