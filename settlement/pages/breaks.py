"""The inbox of breaks: what does not match, how old it is, and what is done about it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from marketplace.web.page import AnyRequest
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, cut_page, decode_cursor
from settlement.bank import breaking, resolving, transit
from settlement.bank.domain import LINE_BREAKS, Action, BreakKind, BreakStatus
from settlement.bank.models import Break
from settlement.bank.reading import Place
from settlement.bank.resolving import Resolution
from settlement.history import Subject, history
from settlement.pages import bank_queries
from settlement.pages.frame import (
    BREAKS,
    FINANCE,
    all_members,
    bank_tabs,
    member_names,
    people,
)
from settlement.pages.words import ACTIONS, BREAK_KINDS, BREAK_STATUSES

AT: Final = "/breaks/{break_id:uuid}"
LONGEST_NOTE: Final = 500
Kind = Annotated[BreakKind | None, QueryParameter()]
All = Annotated[str | None, QueryParameter(max_length=10)]
OF_LINES: Final = (
    Action.MATCH,
    Action.PREFUND,
    Action.FEES,
    Action.ROUNDING,
    Action.CONTRA,
    Action.WRITE_OFF,
)


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What a break can be resolved with."""

    actions: tuple[Action, ...]
    legs: list[transit.InTransit]
    """Of `match`: legs in the same currency whose money is awaited."""
    others: list[Any]
    """Of `contra`: lines that may undo it."""

    @property
    def usual(self) -> Action:
        """What it most likely is: chosen at first. Lines that fit so exactly are no chance."""
        alike = Action.CONTRA in self.actions and not self.legs
        return Action.CONTRA if alike else self.actions[0]

    @property
    def names(self) -> dict[UUID, str]:
        """By what a person tells the others apart."""
        return {
            each.id: each.counterparty_name
            or (each.own or {}).get("name", "")
            or each.text
            or each.bank_reference
            for each in self.others
        }


def actions(
    kind: BreakKind, *, has_legs: bool = True, has_other: bool = True
) -> tuple[Action, ...]:
    """What can be done about a break of this kind, the usual first."""
    if kind is BreakKind.RETURNED:
        return (Action.REPAY,)
    if kind not in LINE_BREAKS:
        return (Action.NOTE,)
    missing = set() if has_legs else {Action.MATCH}
    missing |= set() if has_other else {Action.CONTRA}
    return tuple(each for each in OF_LINES if each not in missing)


@get("/breaks", opt=FINANCE, include_in_schema=False)
async def show_breaks(
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    kind: Kind = None,
    all: All = None,
    cursor: Cursor = None,
) -> Html:
    """Breaks that wait, newest first; those that are done too with `?all=yes`."""
    page.active = "bank"
    before = decode_cursor(cursor, Place)
    rows = await breaking.breaks(
        session,
        kind=kind,
        unresolved=not all,
        limit=DEFAULT_LIMIT + 1,
        before=before.id if before else None,
    )
    shown, following = cut_page(rows, DEFAULT_LIMIT, lambda row: Place(row.id))
    today = page.now.date()
    return page.render(
        "settlement/breaks.html",
        tabs=bank_tabs(page, BREAKS),
        breaks=[(row, max((today - row.opened_on).days, 0)) for row in shown],
        kinds=BREAK_KINDS,
        statuses=BREAK_STATUSES,
        kind=kind,
        all=bool(all),
        next=following,
    )


@get(AT, opt=FINANCE, include_in_schema=False)
async def show_break(
    break_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One break: the line and the leg it is about, what can be done, what was done."""
    page.active = "bank"
    row = await breaking.find(session, break_id)
    choices = await _choices(session, row)
    leg = await bank_queries.leg(session, row.leg_id)
    ids = {each.member_id for each in choices.legs} | ({leg.member_id} if leg else set())
    events = await history(session, Subject.BREAK, break_id)
    return page.render(
        "settlement/break.html",
        row=row,
        age_days=max((page.now.date() - row.opened_on).days, 0),
        line=await bank_queries.line(session, row.entry_id),
        leg=leg,
        settlement=await bank_queries.settlement_of(session, leg),
        choices=choices,
        names=await member_names(session, ids),
        members=await all_members(session) if Action.PREFUND in choices.actions else [],
        actions=ACTIONS,
        kinds=BREAK_KINDS,
        statuses=BREAK_STATUSES,
        is_mine=row.proposed_by == principal.actor,
        events=events,
        people=await people(session, [*(each.actor for each in events), row.proposed_by]),
        longest=LONGEST_NOTE,
    )


async def _choices(session: AsyncSession, row: Break) -> Choices:
    if row.status is not BreakStatus.OPEN:
        return Choices(actions=(), legs=[], others=[])
    if row.kind not in LINE_BREAKS:
        return Choices(actions=actions(row.kind), legs=[], others=[])
    waiting = await transit.in_transit(session)
    legs = [
        each
        for each in waiting
        if each.currency == row.currency
        and (each.amount_micros > 0) == (row.amount_micros > 0)
        and abs(each.amount_micros) <= abs(row.amount_micros)
    ][:200]
    others = list(await bank_queries.undoing(session, row))
    able = actions(row.kind, has_legs=bool(legs), has_other=bool(others))
    return Choices(actions=able, legs=legs, others=others)


@post(f"{AT}/resolve", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def resolve(
    break_id: FromPath[UUID],
    request: AnyRequest,
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Do something about a break, with a note."""
    form = await request.form()
    try:
        how = Resolution(
            action=Action(str(form.get("how", ""))),
            note=str(form.get("note", ""))[:LONGEST_NOTE].strip(),
            member=str(form.get("member") or "") or None,
            leg_ids=[UUID(str(each)) for each in form.getall("leg", [])],
            entry_id=UUID(str(form["entry"])) if form.get("entry") else None,
        )
    except ValueError as error:
        raise InvalidRequest(page._(_l("Choose what is to be done, and say why."))) from error
    if not how.note:
        raise InvalidRequest(page._(_l("Say why: a break is resolved with a note.")))
    status = await resolving.resolve(session, break_id, how, actor=principal.actor)
    proposed = status is BreakStatus.PROPOSED
    notice = _l("Proposed. A second person writes it off.") if proposed else _l("Resolved.")
    return page.redirect(f"{BREAKS}/{break_id}" if proposed else BREAKS, notice=notice)


@post(
    f"{AT}/write-off/{{answer:str}}",
    opt=FINANCE,
    include_in_schema=False,
    status_code=HTTPStatus.OK,
)
async def write_off(
    break_id: FromPath[UUID],
    answer: FromPath[str],
    request: AnyRequest,
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The second person agrees to a write-off, or it is taken back."""
    note = str((await request.form()).get("note", ""))[:LONGEST_NOTE].strip()
    if answer == "confirm":
        await resolving.confirm(session, break_id, actor=principal.actor, note=note)
        notice = _l("Written off.")
    elif answer == "withdraw":
        await resolving.withdraw(session, break_id, actor=principal.actor, note=note)
        notice = _l("Not written off. The break is open again.")
    else:
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    return page.redirect(f"{BREAKS}/{break_id}", notice=notice)


ROUTES = [show_breaks, show_break, resolve, write_off]
