"""Pages: `/partner/issue`, points for one person: find, fill in, see what it costs, confirm."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.coalition.errors import NoContract
from marketplace.errors import NotFound
from marketplace.identity.domain import Principal
from marketplace.issuing import repository, service
from marketplace.issuing.words import ISSUE_FAULTS, Fault
from marketplace.ledger.domain import Issuance
from marketplace.ledger.errors import IssuancesRefused, IssueFault
from marketplace.ledger.issuing import fault
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.formats import number
from marketplace.web.i18n import lazy as _l
from marketplace.web.i18n import speak
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page
from marketplace.web.paging import Cursor, cut_page, decode_cursor

PEOPLE = access(roles=CONSOLE_ROLES, page=True)
ISSUE = "/partner/issue"
HISTORY = "/partner/issue/history"
MOST_FOUND = 12
ON_A_PAGE = 50
FIELD_OF = {
    IssueFault.INVALID_REFERENCE: "reference",
    IssueFault.REFERENCE_REUSED: "reference",
    IssueFault.INVALID_POINTS: "points",
    IssueFault.VALUE_TOO_LARGE: "points",
}
"""Which field of the form a fault belongs to; others belong to the form."""

Words = Annotated[str, QueryParameter(max_length=200)]


class IssueForm(msgspec.Struct):
    """What the form sends, as typed."""

    wallet: str = ""
    points: str = ""
    reference: str = ""

    @property
    def wallet_id(self) -> UUID:
        """Whose wallet; NotFound where that is no id."""
        try:
            return UUID(self.wallet)
        except ValueError:
            raise NotFound("There is nobody with this wallet.") from None

    def issuance(self) -> Issuance:
        """What is asked for; points that are no number are 0, which is refused."""
        digits = "".join(self.points.split())
        plain = digits.isascii() and digits.isdigit() and len(digits) <= 18
        return Issuance(
            reference=self.reference.strip(),
            wallet_id=self.wallet_id,
            points=int(digits) if plain else 0,
        )


@get(ISSUE, opt=PEOPLE, include_in_schema=False)
async def show_issue(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    who: Words = "",
    wallet: FromQuery[UUID | None] = None,
) -> Html:
    """Find a person; with `wallet`, the form for this one."""
    if not console.issues:
        return page.render("issuing/not_yours.html")
    if wallet is not None:
        return await _form(page, console, session, IssueForm(wallet=str(wallet)))
    words = "".join(char for char in who if char.isprintable()).strip()
    found = (
        await repository.recipients(session, console.member_id, words, MOST_FOUND + 1)
        if words
        else []
    )
    lately = await repository.history(session, console.member_id, before=None, limit=5)
    return page.render(
        "issuing/issue.html",
        who=words,
        found=found[:MOST_FOUND],
        has_more=len(found) > MOST_FOUND,
        lately=lately,
    )


async def _form(
    page: Page,
    console: Console,
    session: AsyncSession,
    form: IssueForm,
    problems: Mapping[str, Fault] | None = None,
) -> Html:
    person = await service.find_recipient(session, console.member_id, form.wallet_id)
    return page.render(
        "issuing/form.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        person=person,
        form=form,
        terms=await service.terms(session, console.member_id),
        problems=problems or {},
    )


def _problem(code: IssueFault) -> dict[str, Fault]:
    return {FIELD_OF.get(code, "form"): Fault(*ISSUE_FAULTS[code])}


@post("/partner/issue/check", opt=PEOPLE, include_in_schema=False, status_code=HTTPStatus.OK)
async def check_issue(
    data: URLEncodedBody[IssueForm],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What issuing would do and cost; nothing is written."""
    issuance = data.issuance()
    if wrong := fault(issuance):
        return await _form(page, console, session, data, _problem(wrong))
    try:
        foreseen = await service.foresee(session, console.member_id, issuance)
        terms = await service.terms(session, console.member_id)
    except IssuancesRefused as refused:
        return await _form(page, console, session, data, _problem(refused.errors[0].code))
    except NoContract:
        return page.render("issuing/not_yours.html")
    return page.render(
        "issuing/confirm.html",
        person=await service.find_recipient(session, console.member_id, issuance.wallet_id),
        issuance=issuance,
        terms=terms,
        was_issued=foreseen.already > 0,
        cost_micros=issuance.points * terms.price_micros,
    )


@post(ISSUE, opt=PEOPLE, include_in_schema=False, status_code=HTTPStatus.SEE_OTHER)
async def issue(
    data: URLEncodedBody[IssueForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Issue, once for each reference; then back to where one finds the next person."""
    issuance = data.issuance()
    person = await service.find_recipient(session, console.member_id, issuance.wallet_id)
    try:
        done = await service.issue_one(session, principal, console.member_id, issuance)
    except IssuancesRefused as refused:
        return await _form(page, console, session, data, _problem(refused.errors[0].code))
    back = console.path(ISSUE)
    if not done.issued:
        return page.redirect(back, notice=_l("It was issued before: nothing was changed."))
    with speak(page.language, page.now):
        points = number(done.points)
    notice = page.ngettext(
        "%(points)s point for %(name)s.",
        "%(points)s points for %(name)s.",
        done.points,
        points=points,
        name=person.name or person.reference,
    )
    answer = page.redirect(back, notice=notice)
    fact = api.IssueFact(issuer_id=console.member_id, issuances=1, points=done.points)
    answer.background = BackgroundTask(
        runtime.plugins.tell, "marketplace_after_points_issued", fact
    )
    return answer


@get(HISTORY, opt=PEOPLE, include_in_schema=False)
async def show_history(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    cursor: Cursor = None,
) -> Html:
    """What people and keys of this member issued: when, who, how much."""
    before = decode_cursor(cursor, int)
    found = await repository.history(session, console.member_id, before=before, limit=ON_A_PAGE + 1)
    listed, following = cut_page(found, ON_A_PAGE, lambda each: each.id)
    return page.render(
        "issuing/history.html", listed=listed, next=following, is_first=cursor is None
    )


routes = [show_issue, check_issue, issue, show_history]
nav = [
    NavEntry(
        key="console-issue",
        label=_l("Issue points"),
        path=ISSUE,
        roles=CONSOLE_ROLES,
        order=50,
        symbol="gift",
        console=True,
    )
]
