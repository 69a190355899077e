"""The clearing house's own accounts and what its banks say of them: files come in here."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.errors import MarketplaceError
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.i18n import Lazy
from marketplace.web.page import AnyRequest
from marketplace.web.paging import Cursor, cut_page, decode_cursor
from settlement.bank import accounts, reading
from settlement.bank.importing import ImportReport, Outcome
from settlement.bank.reading import Place
from settlement.bank.routes import MOST_BYTES, take
from settlement.pages.frame import BANK, FINANCE, bank_tabs, people

ON_A_PAGE: Final = 20


class AccountForm(msgspec.Struct):
    """An account of the clearing house, as it is typed."""

    identifier: str = ""
    currency: str = ""
    name: str = ""
    rail: str = ""


class Refused(msgspec.Struct, frozen=True):
    """Why something was not taken: a title for people, and what exactly."""

    title: str | Lazy
    reason: str = ""
    typed: AccountForm | None = None
    """The account that was refused; None: a file was."""


@get("/bank", opt=FINANCE, include_in_schema=False)
async def show_bank(
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    cursor: Cursor = None,
) -> Html:
    """Accounts, statements that were imported, and the form for the next file."""
    return await _bank(page, session, runtime, cursor=cursor)


async def _bank(
    page: Page,
    session: AsyncSession,
    runtime: Runtime,
    *,
    cursor: str | None = None,
    refused: Refused | None = None,
) -> Html:
    page.active = "bank"
    rows = await reading.statements(
        session, before=decode_cursor(cursor, Place), most=ON_A_PAGE + 1
    )
    shown, following = cut_page(rows, ON_A_PAGE, lambda row: Place(row[0].id))
    return page.render(
        "settlement/bank.html",
        status_code=HTTPStatus.OK if refused is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        tabs=bank_tabs(page, BANK),
        accounts=await accounts.accounts(session),
        statements=shown,
        people=await people(session, [row.imported_by for row, _ in shown]),
        rails=sorted(slug for slug, rail in runtime.rails.items() if hasattr(rail, "read")),
        next=following,
        refused=refused,
        typed=(refused.typed if refused else None) or AccountForm(currency="EUR"),
    )


@post(
    "/bank/import",
    opt=FINANCE,
    include_in_schema=False,
    status_code=HTTPStatus.OK,
    request_max_body_size=MOST_BYTES,
)
async def take_file(
    request: AnyRequest,
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Import a file of a bank: all that is new in it, or nothing with the reason."""
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        return await _refused(page, runtime, Refused(_l("Choose a file first.")))
    try:
        report = await take(runtime, sent, actor=principal.actor)
    except MarketplaceError as error:
        return await _refused(page, runtime, Refused(Lazy(error.title), str(error)))
    return page.redirect(BANK, notice=_told(report))


async def _refused(page: Page, runtime: Runtime, refused: Refused) -> Html:
    async with runtime.database.begin() as session:
        return await _bank(page, session, runtime, refused=refused)


def _told(report: ImportReport) -> Lazy:
    fresh = sum(each.outcome is Outcome.IMPORTED for each in report.statements)
    if not fresh and report.statements:
        return _l("This file was imported before: nothing changed.")
    found = report.matched
    return _l(
        "Imported. Statements: %(new)s. Lines matched: %(matched)s, left for people: %(open)s. "
        "Payments that the bank rejected: %(rejected)s. Answers to look at: %(answers)s.",
        new=fresh,
        matched=found.matched if found else 0,
        open=found.opened if found else 0,
        rejected=len(report.answers.rejected),
        answers=len(report.answers.unknown) + len(report.answers.strange),
    )


@post("/bank/accounts", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def add_account(
    data: URLEncodedBody[AccountForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Make an account of the clearing house known, so that its statements are taken."""
    try:
        async with runtime.database.begin() as session:
            await accounts.add(
                session,
                identifier=data.identifier,
                currency=data.currency.strip().upper(),
                rail=data.rail,
                name=data.name,
                actor=principal.actor,
            )
    except MarketplaceError as error:
        refused = Refused(_l("The account was not added"), str(error), data)
        return await _refused(page, runtime, refused)
    return page.redirect(BANK, notice=_l("Added. Its statements are taken from now on."))


ROUTES = [show_bank, take_file, add_account]
