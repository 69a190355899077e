"""Windows: what is in each, down to the line, closing one, and netting those that are closed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Flows, Html, Page
from marketplace.api import lazy as _l
from marketplace.coalition.models import Member
from marketplace.coalition.service import get_member
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from marketplace.ledger.domain import ObligationKind, WindowStatus
from marketplace.runtime import Runtime
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, cut_page, decode_cursor
from settlement.clearing import repository as clearing
from settlement.clearing import service
from settlement.clearing.domain import FlowKind, Mode
from settlement.clearing.drafting import Netted, netted
from settlement.errors import StatusChanged
from settlement.history import Subject, history
from settlement.pages.frame import (
    FINANCE,
    SETTLEMENTS,
    WINDOWS,
    in_order,
    lines_query,
    member_names,
    names_by_slug,
    party_name,
    people,
    picture,
    slugs_and_names,
)
from settlement.pages.words import MODES, TOTALS
from settlement.pages.words import WINDOWS as STATUSES
from settlement.windows import repository
from settlement.windows.closing import close_window
from settlement.windows.lines import Asked, Position, lines
from settlement.windows.repository import Place
from settlement.windows.tasks import teller
from settlement.windows.views import line_views, window_detail

Slug = Annotated[str | None, QueryParameter(max_length=100)]
Kind = Annotated[ObligationKind | None, QueryParameter()]
AT = "/windows/{window_id:uuid}"
LONGEST_NOTE = 500


class CloseForm(msgspec.Struct):
    """Closing, once the question was answered."""

    note: str = ""


class NetForm(msgspec.Struct):
    """Netting every closed window."""

    mode: str = Mode.MULTILATERAL.value


@get("/windows", opt=FINANCE, include_in_schema=False)
async def show_windows(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession], cursor: Cursor = None
) -> Html:
    """Windows, newest first; those that are closed can be netted from here."""
    page.active = "windows"
    rows = await repository.page(
        session, before=decode_cursor(cursor, Place), most=DEFAULT_LIMIT + 1
    )
    shown, following = cut_page(rows, DEFAULT_LIMIT, lambda row: Place(row.opened_at, row.id))
    return page.render(
        "settlement/windows.html",
        windows=shown,
        statuses=STATUSES,
        closed=await clearing.closed_windows(session),
        modes=MODES,
        next=following,
    )


@post("/windows/net", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def net_closed(
    data: URLEncodedBody[NetForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Net all closed windows into a settlement, to be checked."""
    try:
        mode = Mode(data.mode)
    except ValueError as error:
        raise InvalidRequest("The form is not as we gave it; open the page again.") from error
    made = await service.draft(session, mode=mode, actor=principal.actor)
    return page.redirect(f"{SETTLEMENTS}/{made.reference}", notice=_l("Netted. Check it now."))


@get(AT, opt=FINANCE, include_in_schema=False)
async def show_window(
    window_id: FromPath[UUID],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What a window holds: totals, positions, and who owes whom."""
    page.active = "windows"
    row = await repository.window(session, window_id)
    found = await netted(session, [window_id])
    ids = {each.party.member_id for each in found.positions}
    names = await member_names(session, ids)
    events = await history(session, Subject.WINDOW, window_id)
    return page.render(
        "settlement/window.html",
        window=await window_detail(session, row),
        statuses=STATUSES,
        kinds=TOTALS,
        positions=in_order(
            (party_name(page, each.party.kind, names[each.party.member_id]), each, each.party.kind)
            for each in found.positions
        ),
        pictures=await _pictures(page, session, window_id, found),
        events=events,
        members=await slugs_and_names(session, ids),
        people=await people(session, [each.actor for each in events]),
    )


async def _pictures(
    page: Page, session: AsyncSession, window_id: UUID, found: Netted
) -> list[Flows]:
    """Who owes whom, a picture for each currency; each amount leads to its lines."""
    sides = {side for each in found.flows for side in (each.payer, each.payee)}
    names = await member_names(session, {each.member_id for each in sides})
    slugs = await repository.slugs(session, names)
    sums: dict[str, dict[tuple[str, str], tuple[int, str]]] = {}
    # Where there is more than a fee between two, that says which lines they are.
    for each in sorted(found.flows, key=lambda flow: flow.what is not FlowKind.FEE):
        pair = (
            party_name(page, each.payer.kind, names[each.payer.member_id]),
            party_name(page, each.payee.kind, names[each.payee.member_id]),
        )
        payer, payee = ((side.kind, slugs[side.member_id]) for side in (each.payer, each.payee))
        query = lines_query(each.what, payer, payee)
        of_currency = sums.setdefault(each.currency, {})
        before, _ = of_currency.get(pair, (0, ""))
        of_currency[pair] = (
            before + each.amount_micros,
            f"{WINDOWS}/{window_id}/lines?{query}",
        )
    return [picture(page, currency, sums[currency]) for currency in sorted(sums)]


@get(f"{AT}/lines", opt=FINANCE, include_in_schema=False)
async def show_lines(
    window_id: FromPath[UUID],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    debtor: Slug = None,
    creditor: Slug = None,
    member: Slug = None,
    kind: Kind = None,
    cursor: Cursor = None,
) -> Html:
    """The lines behind a figure: each reward, lot and voucher."""
    page.active = "windows"
    row = await repository.window(session, window_id)
    payer, payee, either = [await _named(session, each) for each in (debtor, creditor, member)]
    asked = Asked(
        window_id=window_id,
        debtor_id=None if payer is None else payer.id,
        creditor_id=None if payee is None else payee.id,
        member_id=None if either is None else either.id,
        kind=kind,
    )
    given = (("debtor", debtor), ("creditor", creditor), ("member", member), ("kind", kind))
    after = decode_cursor(cursor, Position)
    found = await lines(session, asked, after=after, most=DEFAULT_LIMIT + 1)
    shown, following = cut_page(found, DEFAULT_LIMIT, lambda line: line.position)
    return page.render(
        "settlement/lines.html",
        window=row,
        payer=payer,
        payee=payee,
        member=either,
        lines=await line_views(session, shown),
        names=await names_by_slug(session),
        kinds=TOTALS,
        next=following,
        query=urlencode([(name, value) for name, value in given if value]),
        kind=kind,
    )


async def _named(session: AsyncSession, slug: str | None) -> Member | None:
    return None if slug is None else await get_member(session, slug)


@get(f"{AT}/close", opt=FINANCE, include_in_schema=False)
async def ask_close(
    window_id: FromPath[UUID],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What closing does, before it is done."""
    page.active = "windows"
    row = await repository.window(session, window_id)
    if row.status is not WindowStatus.OPEN:
        raise StatusChanged("The window is not open any more: somebody else closed it.")
    return page.render("settlement/close.html", window=row, longest=LONGEST_NOTE)


@post(
    f"{AT}/close",
    opt=FINANCE,
    include_in_schema=False,
    status_code=HTTPStatus.OK,
)
async def close(
    window_id: FromPath[UUID],
    data: URLEncodedBody[CloseForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Close the window; the next one is open at once."""
    closed = await close_window(
        runtime.database.begin,
        teller(runtime.tell),
        actor=principal.actor,
        note=data.note[:LONGEST_NOTE],
        window_id=window_id,
    )
    empty = _l("Closed. Nothing was in it, so there is nothing to settle.")
    notice = empty if closed.settled else _l("Closed. Its figures are final.")
    return page.redirect(f"{WINDOWS}/{window_id}", notice=notice)


ROUTES = [show_windows, net_closed, show_window, show_lines, ask_close, close]
