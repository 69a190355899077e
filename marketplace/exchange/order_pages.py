"""Pages: `/partner/orders`, what was ordered of a member's offers, as a list, charts and a file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import Final
from uuid import UUID

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.exchange import order_totals, orders
from marketplace.exchange.order_words import TITLES, history
from marketplace.exchange.orders import Order, OrderQuery, OrderState, Position
from marketplace.money import decimal_from_micros
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.charts import Bars, Chart, Series
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.formats import day as written
from marketplace.web.formats import short_month
from marketplace.web.i18n import lazy as _l
from marketplace.web.i18n import speak
from marketplace.web.nav import NavEntry
from marketplace.web.page import AnyRequest, Html, Page
from marketplace.web.paging import Cursor, cut_page, decode_cursor
from marketplace.web.spreadsheets import safe

PEOPLE = access(roles=CONSOLE_ROLES, page=True)
ORDERS = "/partner/orders"
ON_A_PAGE = 25
AT_ONCE = 1_000
"""Orders read at a time for a file."""
MOST_OFFERS = 8
COLUMNS = (
    "order", "ordered_at", "offer", "offer_name", "quantity", "points", "cost", "currency",
    "state", "refunded_points", "paid", "ended_at", "supplier_reference", "reason",
)  # fmt: skip
EARLIEST: Final = date(1970, 1, 1)
LATEST: Final = date(9000, 1, 1)

LONGEST_WORDS = 200


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of filters holds, as typed; what makes no sense is left out."""

    state: str = ""
    offer: str = ""
    since: str = ""
    until: str = ""
    q: str = ""

    @classmethod
    def of(cls, request: AnyRequest) -> Filters:
        """The filters in an address."""
        given = {name: request.query_params.get(name, "") for name in cls.__struct_fields__}
        return cls(**{name: _plain(text) for name, text in given.items()})

    def query(self) -> OrderQuery:
        """What is asked for."""
        return OrderQuery(
            state=_state(self.state),
            offer_id=_uuid(self.offer),
            since=_date(self.since),
            until=_date(self.until),
            text=self.q,
        )

    @property
    def given(self) -> dict[str, str]:
        """Those that are set, for addresses."""
        return {name: text for name, text in msgspec.structs.asdict(self).items() if text}


def _plain(text: str) -> str:
    return "".join(char for char in text[:LONGEST_WORDS] if char.isprintable()).strip()


def _state(text: str) -> OrderState | None:
    return next((state for state in OrderState if state.value == text), None)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _date(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


@get(ORDERS, opt=PEOPLE, include_in_schema=False)
async def show_orders(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    request: AnyRequest,
    cursor: Cursor = None,
) -> Html:
    """Orders of this member's offers, newest first, and how many there were when and of what."""
    filters = Filters.of(request)
    query = filters.query()
    found = await orders.orders(
        session,
        console.member_id,
        query,
        before=decode_cursor(cursor, Position),
        limit=ON_A_PAGE + 1,
    )
    listed, following = cut_page(
        found, ON_A_PAGE, lambda each: Position(each.effective_at, each.id)
    )
    return page.render(
        "exchange/orders.html",
        filters=filters,
        orders=listed,
        next=following,
        is_first=cursor is None,
        titles=TITLES,
        offers=await orders.offers_of(session, console.member_id),
        pictures=await _pictures(page, console, session, query) if cursor is None else None,
    )


async def _pictures(
    page: Page, console: Console, session: AsyncSession, query: OrderQuery
) -> tuple[Chart, Bars]:
    """Orders by time and by offer; of the days and the offer that are asked for."""
    span = order_totals.span_of(query, page.now.date())
    member = console.member_id
    counts = await order_totals.by_time(session, member, query, span)
    offers = await order_totals.by_offer(session, member, query, span, MOST_OFFERS)
    by_day = span.unit == "day"
    with speak(page.language, page.now):
        labels = [written(each.day) if by_day else short_month(each.day) for each in counts]
    chart = Chart(
        title=page._("Orders a day") if by_day else page._("Orders a month"),
        label=page._("Day") if by_day else page._("Month"),
        labels=labels,
        series=[
            Series(page._("Delivered"), [each.delivered for each in counts]),
            Series(page._("Waiting"), [each.waiting for each in counts], "warm"),
            Series(page._("Not delivered"), [each.returned for each in counts], "bad"),
        ],
    )
    bars = Bars(
        title=page._("By offer"), label=page._("Offer"), value=page._("Orders"), rows=offers
    )
    return chart, bars


@get(f"{ORDERS}/{{burn_id:uuid}}", opt=PEOPLE, include_in_schema=False)
async def show_order(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One order: what happened to it, what it brings, and giving it back."""
    order = await orders.find_order(session, console.member_id, burn_id)
    refunds = await orders.refunds_given(session, order)
    labels = await orders.labels_delivered(session, order)
    with speak(page.language, page.now):
        steps = history(order, refunds, labels)
    return page.render("exchange/order.html", order=order, steps=steps, title=TITLES[order.state])


@get("/partner/orders.csv", opt=PEOPLE, include_in_schema=False)
async def download_orders(
    console: NamedDependency[Console], runtime: NamedDependency[Runtime], request: AnyRequest
) -> Stream:
    """The orders that are asked for, as CSV, however many; never what was delivered."""
    lines = _lines(runtime, console.member_id, Filters.of(request).query())
    headers = {"Content-Disposition": 'attachment; filename="orders.csv"'}
    return Stream(lines, media_type="text/csv", headers=headers)


async def _lines(runtime: Runtime, member_id: UUID, query: OrderQuery) -> AsyncIterator[bytes]:
    yield b"\xef\xbb\xbf" + _csv([COLUMNS])
    before: Position | None = None
    while True:
        # Each piece in a transaction of its own: a slow reader must not hold one open.
        async with runtime.database.begin() as session:
            found = await orders.orders(session, member_id, query, before=before, limit=AT_ONCE)
        if not found:
            return
        yield _csv([_cells(order) for order in found])
        before = Position(found[-1].effective_at, found[-1].id)


def _cells(order: Order) -> list[object]:
    return [
        *(order.id, order.effective_at.isoformat(), order.offer_reference, order.offer),
        *(order.quantity, order.points, decimal_from_micros(order.cost_micros), order.currency),
        *(order.state.value, order.refunded_points, decimal_from_micros(order.paid_micros)),
        order.resolved_at.isoformat() if order.resolved_at else "",
        *(order.supplier_reference or "", order.reason),
    ]


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text)
    for row in rows:
        table.writerow([safe(cell) for cell in row])
    return text.getvalue().encode()


routes = [show_orders, show_order, download_orders]
nav = [
    NavEntry(
        key="console-orders",
        label=_l("Orders"),
        path=ORDERS,
        roles=CONSOLE_ROLES,
        order=20,
        symbol="ticket",
        console=True,
    )
]
