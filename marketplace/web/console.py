"""The partner console: which member a page is about, and what every page of it shares.

    @get("/partner/keys", opt=access(roles=CONSOLE_ROLES, page=True), include_in_schema=False)
    async def keys(page: NamedDependency[Page], console: NamedDependency[Console], ...) -> Html:
        return page.render("identity/keys.html", keys=await keys_of(session, console.member_id))

A partner's console is about their own member and no other. The operator chooses one: `?member=` in
the address says which, and a cookie remembers the last one for addresses that do not. What changes
something must be told which member it is for, so that two windows are never mixed up: the action
of a form is `page.console.path("/partner/keys")`. Templates extend `web/console.html`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
import sqlalchemy as sa
from litestar import Request
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Contract, Member
from marketplace.errors import Conflict, NotAllowed, NotFound
from marketplace.identity.domain import Principal, Role
from marketplace.web.page import MEMBER_COOKIE, Page

HOME = "/partner"
CHOOSE = "/partner/members"
CONSOLE_ROLES = frozenset({Role.PARTNER, Role.OPERATOR})
READS = frozenset({"GET", "HEAD"})


class MemberNotChosen(Conflict):
    code = "member_not_chosen"
    title = "It is not said which member this is for"


class Choice(msgspec.Struct, frozen=True):
    """A member an operator may choose."""

    slug: str
    name: str


class Console(msgspec.Struct, frozen=True, kw_only=True):
    """The member a page of the console is about."""

    member_id: UUID
    slug: str
    name: str
    is_operator: bool
    """Whether it is the member that runs the coalition."""
    currency: str
    """Of the contract in force, ISO 4217; empty where none is."""
    issues: bool
    """Whether the contract in force lets it issue points."""
    accepts: bool
    """Whether the contract in force has it paid for rewards."""
    choices: Sequence[Choice] = ()
    """Members the reader may look after instead: for an operator all, for a partner none."""

    @property
    def is_chosen(self) -> bool:
        """Whether an operator chose this member; a partner has one."""
        return bool(self.choices)

    def path(self, path: str, **query: object) -> str:
        """An address of the console that stays with this member; empty values are left out."""
        own = {"member": self.slug} if self.is_chosen else {}
        given = {key: value for key, value in query.items() if value not in (None, "")}
        asked = urlencode({**given, **own})
        return f"{path}?{asked}" if asked else path


async def provide_console(
    request: Request[Any, Any, Any],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Console:
    """The dependency `console`. MemberNotChosen, NotAllowed or NotFound where there is none."""
    named = request.query_params.get("member")
    if Role.OPERATOR in principal.roles:
        slug = named
        if slug is None and request.method in READS:
            slug = request.cookies.get(MEMBER_COOKIE)
        if slug is None:
            raise MemberNotChosen("Choose the member first; `?member=` in the address names it.")
        console = await _look_up(session, Member.slug == slug)
        if console is None and named is None:
            raise MemberNotChosen("The member that was remembered is not there any more.")
        choices = await members(session)
    else:
        console = await _look_up(session, Member.id == principal.member_id)
        if console is not None and named not in (None, console.slug):
            raise NotAllowed("A partner looks after its own member only.")
        choices = []
    if console is None:
        raise NotFound("There is no such member.")
    page.active = "partner"
    page.console = msgspec.structs.replace(console, choices=choices)
    return page.console


async def members(session: AsyncSession) -> list[Choice]:
    """Every member, by name."""
    found = await session.execute(sa.select(Member.slug, Member.name).order_by(Member.name))
    return [Choice(slug, name) for slug, name in found]


async def _look_up(session: AsyncSession, which: sa.ColumnElement[bool]) -> Console | None:
    in_force = sa.and_(
        Contract.member_id == Member.id,
        Contract.valid_from <= NOW,
        sa.or_(Contract.valid_to.is_(None), Contract.valid_to > NOW),
    )
    query = sa.select(Member, Contract).outerjoin(Contract, in_force).where(which)
    row = (await session.execute(query)).first()
    if row is None:
        return None
    member, contract = row
    return Console(
        member_id=member.id,
        slug=member.slug,
        name=member.name,
        is_operator=member.is_operator,
        currency=contract.currency if contract else "",
        issues=contract is not None and contract.role.issues,
        accepts=contract is not None and contract.role.accepts,
    )
