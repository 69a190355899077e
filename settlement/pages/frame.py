"""What the pages of finance share: who may enter, names of members and people, money of a leg."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Flows, NavEntry, Page, Payment, Role, access
from marketplace.api import lazy as _l
from marketplace.coalition.models import Member
from marketplace.contract.rails import Direction
from marketplace.identity.models import Person
from marketplace.ledger.domain import ObligationKind
from marketplace.web.i18n import Lazy
from settlement.clearing import repository
from settlement.clearing.domain import FlowKind, LegStatus
from settlement.clearing.models import SettlementLeg
from settlement.clearing.schemas import LegView
from settlement.domain import PartyKind
from settlement.pages.words import PARTIES

HOME: Final = "/settlement"
"""Where the pages are mounted; routes are given from here."""
WINDOWS: Final = f"{HOME}/windows"
SETTLEMENTS: Final = f"{HOME}/settlements"
BANK: Final = f"{HOME}/bank"
RECONCILE: Final = f"{BANK}/reconcile"
BREAKS: Final = f"{HOME}/breaks"
ACCOUNTS: Final = f"{HOME}/accounts"
DAILY: Final = f"{HOME}/daily"
LIABILITY: Final = f"{HOME}/liability"
DISPUTES: Final = f"{HOME}/disputes"
FINANCE: Final = access(roles=[Role.FINANCE, Role.OPERATOR], page=True)
ROLES: Final = frozenset({Role.FINANCE})
PERSON: Final = "person:"
SYSTEM: Final = "system"
"""Who does what happens by itself."""


def entry(key: str, label: object, path: str, order: int) -> NavEntry:
    """An entry of the navigation of finance."""
    return NavEntry(key=key, label=label, path=path, roles=ROLES, order=order)  # type: ignore[arg-type]


NAV: Final = (
    entry("settlement", _l("Settlement"), HOME, 1),
    entry("windows", _l("Windows"), WINDOWS, 2),
    entry("settlements", _l("Settlements"), SETTLEMENTS, 3),
    entry("bank", _l("Bank"), BANK, 4),
    entry("daily", _l("Daily close"), DAILY, 5),
    entry("disputes", _l("Disputes"), DISPUTES, 6),
    entry("liability", _l("Liability"), LIABILITY, 7),
)
BANK_TABS: Final = (
    (_l("Statements"), BANK),
    (_l("Reconcile"), RECONCILE),
    (_l("Breaks"), BREAKS),
    (_l("Accounts of members"), ACCOUNTS),
)


def bank_tabs(page: Page, here: str) -> list[tuple[str, str, bool]]:
    """The pages of the bank side by side; `here` is the path of this one."""
    return [(page._(label), path, path == here) for label, path in BANK_TABS]


def party_name(page: Page, kind: PartyKind, member: str) -> str:
    """How a party is called: the member's name, its pool, or the operator's margin."""
    if kind is PartyKind.MEMBER:
        return member
    return (
        page._(PARTIES[kind]) % {"name": member}
        if kind is PartyKind.POOL
        else page._(PARTIES[kind])
    )


ORDER: Final = (PartyKind.MEMBER, PartyKind.POOL, PartyKind.OPERATOR)


def in_order(found: Iterable[tuple[str, Any, PartyKind]]) -> list[tuple[str, Any]]:
    """Positions by name: members, then pools, then the margin; each (name, position, kind)."""
    ordered = sorted(found, key=lambda each: (ORDER.index(each[2]), each[0].casefold()))
    return [(name, position) for name, position, _ in ordered]


async def member_names(session: AsyncSession, ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Names of members by id."""
    found = await repository.names(session, ids)
    return {each: found[each].name if each in found else str(each) for each in ids}


async def all_members(session: AsyncSession) -> list[Member]:
    """Every member, by name."""
    return list(await session.scalars(sa.select(Member).order_by(Member.name, Member.id)))


async def slugs_and_names(session: AsyncSession, ids: Collection[UUID]) -> list[tuple[str, str]]:
    """Slug and name of each of these members, by name."""
    found = await repository.names(session, ids)
    return sorted(((row.slug, row.name) for row in found.values()), key=lambda each: each[1])


async def names_by_slug(session: AsyncSession) -> Mapping[str, str]:
    """Names of members by slug."""
    return {each.slug: each.name for each in await all_members(session)}


async def people(session: AsyncSession, actors: Iterable[str | None]) -> Mapping[str, str | Lazy]:
    """Names of the people among these actors; who is none keeps its own name, but the program."""
    wanted = {each for each in actors if each}
    who = sa.literal(PERSON) + sa.cast(Person.id, sa.Text)
    found = await session.execute(sa.select(who, Person.name).where(who.in_(wanted)))
    return {each: each for each in wanted} | {SYSTEM: _l("by itself")} | dict(found.all())


def waits_for_debtors(legs: Iterable[SettlementLeg | LegView]) -> bool:
    """Whether all that is left to be sent off are payments to creditors, whose money is coming."""
    rows = list(legs)
    left = [each for each in rows if each.status is LegStatus.PLANNED]
    coming = any(
        each.direction is Direction.COLLECT and each.status in repository.WITH_RAIL for each in rows
    )
    return coming and all(each.direction is Direction.PAY and each.rail for each in left)


def lines_query(what: FlowKind, payer: tuple[PartyKind, str], payee: tuple[PartyKind, str]) -> str:
    """The query that finds the lines of a flow; parties are kinds with slugs of their members.

    A fee is charged on all that its payer owes and is owed.
    """
    if what is FlowKind.FEE:
        return f"member={payer[1]}"
    if PartyKind.OPERATOR in (payer[0], payee[0]):
        # Rewards that cost more than their points were worth are paid by the margin.
        return f"debtor={payee[1] if payer[0] is PartyKind.OPERATOR else payer[1]}"
    if what is FlowKind.POOL:
        return f"debtor={payer[1]}&kind={ObligationKind.ISSUANCE.value}"
    return f"debtor={payer[1]}&creditor={payee[1]}"


def picture(page: Page, currency: str, sums: Mapping[tuple[str, str], tuple[int, str]]) -> Flows:
    """Who owes whom, from sums by payer and payee: micros and where they are explained.

    A sum below zero is owed the other way round.
    """
    turned: dict[tuple[str, str], tuple[int, str]] = {}
    for (payer, payee), (micros, href) in sums.items():
        pair = (payer, payee) if micros >= 0 else (payee, payer)
        before, where = turned.get(pair, (0, ""))
        turned[pair] = before + abs(micros), where or href
    return Flows(
        title=page._("Who owes whom in %(currency)s, before netting") % {"currency": currency},
        currency=currency,
        payer=page._("Owes"),
        payee=page._("Is owed"),
        amount=page._("Amount"),
        others=page._("All others"),
        rows=[
            Payment(payer, payee, micros, href)
            for (payer, payee), (micros, href) in turned.items()
            if micros
        ],
    )
