"""`marketplace settlement legs | book | reject | repay | default | accounts | caps | ...`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.service import get_member
from marketplace.commands import Group, run
from marketplace.errors import NotFound, UsageError
from marketplace.runtime import Runtime
from settlement.clearing import accounts, acting, defaulting, legs, printing, repository, views
from settlement.clearing.acting import AS_PERSON
from settlement.clearing.defaulting import Cover
from settlement.clearing.schemas import AccountView, Caps, LegView

JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
LEG = click.argument("leg", metavar="LEG")

Step = Callable[[AsyncSession, UUID, str], Awaitable[Any]]


def _say(found: Any, as_json: bool, words: Callable[[Any], list[str]]) -> None:
    """Print what was found."""
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(words(found)))


def _step(reference: str, who: acting.Asked, step: Step) -> LegView:
    """One step of a leg; the leg as it is then, or the one that was made."""

    async def work(runtime: Runtime) -> LegView:
        actor = await acting.actor_of(runtime.database, who)
        async with runtime.database.begin() as session:
            found = (await legs.by_reference(session, [reference])).get(reference)
            if found is None:
                raise NotFound(f"There is no leg {reference!r}.")
            made = await step(session, found.id, actor)
            row = await repository.leg(session, made or found.id)
            return (await views.leg_views(session, [row]))[0]

    return run(work)


@click.command("legs")
@click.argument("settlement", metavar="REFERENCE")
@JSON
def legs_command(settlement: str, as_json: bool) -> None:
    """Show the legs of a settlement."""

    async def work(runtime: Runtime) -> list[LegView]:
        async with runtime.database.begin() as session:
            row = await repository.find(session, settlement)
            return await views.leg_views(session, await repository.legs(session, row.id))

    _say(run(work), as_json, printing.legs)


@click.command("book")
@LEG
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Which day.")
@click.option("--rail-reference", default="", help="What the rail or bank calls it.")
@click.option("--note", default="by hand", show_default=True, help="For the history.")
@AS_PERSON
@JSON
def book(
    leg: str, on: datetime, rail_reference: str, note: str, who: acting.Asked, as_json: bool
) -> None:
    """Book LEG by hand: no bank statement will show its money."""

    async def step(session: AsyncSession, leg_id: UUID, actor: str) -> None:
        await legs.book(
            session,
            leg_id,
            booked_on=on.date(),
            rail_reference=rail_reference,
            actor=actor,
            note=note,
        )

    _say(_step(leg, who, step), as_json, lambda found: printing.legs([found]))


@click.command("reject")
@LEG
@click.option("--reason", required=True, help="Why it cannot be paid.")
@AS_PERSON
@JSON
def reject(leg: str, reason: str, who: acting.Asked, as_json: bool) -> None:
    """Say that no money of LEG has moved, and none will."""

    async def step(session: AsyncSession, leg_id: UUID, actor: str) -> None:
        await legs.reject(session, leg_id, reason=reason, actor=actor)

    _say(_step(leg, who, step), as_json, lambda found: printing.legs([found]))


@click.command("repay")
@LEG
@click.option("--note", default="", help="For the history.")
@AS_PERSON
@JSON
def repay(leg: str, note: str, who: acting.Asked, as_json: bool) -> None:
    """Pay the rejected or returned LEG by another one."""

    async def step(session: AsyncSession, leg_id: UUID, actor: str) -> UUID:
        return await legs.repay(session, leg_id, actor=actor, note=note)

    _say(_step(leg, who, step), as_json, lambda found: printing.legs([found]))


@click.command("default")
@LEG
@click.option("--cover", type=click.Choice([each.value for each in Cover]), required=True)
@click.option("--reason", required=True, help="For the history.")
@click.option("--forgive", is_flag=True, help="The debtor does not owe those who cover for it.")
@AS_PERSON
@JSON
def default(
    leg: str, cover: str, reason: str, forgive: bool, who: acting.Asked, as_json: bool
) -> None:
    """Open an exceptional settlement: others cover what the debtor of LEG did not pay."""

    async def work(runtime: Runtime) -> Any:
        actor = await acting.actor_of(runtime.database, who)
        async with runtime.database.begin() as session:
            found = (await legs.by_reference(session, [leg])).get(leg)
            if found is None:
                raise NotFound(f"There is no leg {leg!r}.")
            made = await defaulting.default(
                session,
                found.id,
                cover=Cover(cover),
                actor=actor,
                note=reason,
                recover=not forgive,
            )
            return await views.detail(session, made)

    _say(run(work), as_json, printing.detail)


@click.group("accounts", cls=Group)
def accounts_group() -> None:
    """Where members pay from and are paid to."""


@accounts_group.command("list")
@click.option("--member", help="Slug: only its accounts.")
@JSON
def list_accounts(member: str | None, as_json: bool) -> None:
    """Show accounts of members, newest first."""

    async def work(runtime: Runtime) -> list[AccountView]:
        async with runtime.database.begin() as session:
            member_id = None if member is None else (await get_member(session, member)).id
            rows = await accounts.all_accounts(session, member_id=member_id)
            return await views.account_views(session, rows)

    _say(run(work), as_json, printing.accounts)


@accounts_group.command("propose")
@click.argument("member")
@click.option("--rail", required=True, help="Slug of the plugin that moves the money.")
@click.option("--currency", required=True, help="ISO 4217.")
@click.option("--account", "given", required=True, help='JSON, as the rail asks: {"iban": "..."}.')
@AS_PERSON
@JSON
def propose(
    member: str, rail: str, currency: str, given: str, who: acting.Asked, as_json: bool
) -> None:
    """Put an account of MEMBER forward; a second person approves it."""
    try:
        account = msgspec.json.decode(given, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise UsageError(f"--account is no JSON object: {error}.") from None

    async def work(runtime: Runtime) -> list[AccountView]:
        actor = await acting.actor_of(runtime.database, who)
        await accounts.check(runtime.rails, rail=rail, currency=currency, account=account)
        async with runtime.database.begin() as session:
            made = await accounts.propose(
                session,
                member_id=(await get_member(session, member)).id,
                currency=currency,
                rail=rail,
                account=account,
                actor=actor,
            )
            return await views.account_views(session, [made])

    _say(run(work), as_json, printing.accounts)


def _decide(account_id: UUID, who: acting.Asked, decide: Any) -> list[AccountView]:
    async def work(runtime: Runtime) -> list[AccountView]:
        actor = await acting.actor_of(runtime.database, who)
        async with runtime.database.begin() as session:
            row = await decide(session, account_id, actor=actor)
            return await views.account_views(session, [row])

    return run(work)


@accounts_group.command("approve")
@click.argument("account_id", type=click.UUID)
@AS_PERSON
@JSON
def approve_account(account_id: UUID, who: acting.Asked, as_json: bool) -> None:
    """Approve a proposed account as a second person."""
    _say(_decide(account_id, who, accounts.approve), as_json, printing.accounts)


@accounts_group.command("refuse")
@click.argument("account_id", type=click.UUID)
@AS_PERSON
@JSON
def refuse_account(account_id: UUID, who: acting.Asked, as_json: bool) -> None:
    """Refuse a proposed account."""
    _say(_decide(account_id, who, accounts.refuse), as_json, printing.accounts)


@click.command("caps")
@JSON
def caps_command(as_json: bool) -> None:
    """Show how much of their caps members use, and what they have paid ahead."""

    async def work(runtime: Runtime) -> Caps:
        async with runtime.database.begin() as session:
            return await views.cap_views(session)

    _say(run(work), as_json, printing.caps)


LEG_COMMANDS = [legs_command, book, reject, repay, default, accounts_group, caps_command]
