"""Pages: giving an order back, in whole or in part, with what it costs the member."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest
from marketplace.exchange import orders
from marketplace.exchange.burn_endpoint import LONGEST_KEY
from marketplace.exchange.order_pages import ORDERS, PEOPLE
from marketplace.exchange.orders import Order
from marketplace.exchange.refunds import RefundRequest, refund, refund_fact
from marketplace.exchange.schemas import LONGEST_REASON
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.console import Console
from marketplace.web.formats import number
from marketplace.web.i18n import Lazy, speak
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

REFUND = f"{ORDERS}/{{burn_id:uuid}}/refund"


class RefundForm(msgspec.Struct):
    """What the form sends, as typed. `key` was made with the form, so that it refunds once."""

    key: str = ""
    points: str = ""
    reason: str = ""
    confirmed: str = ""

    @property
    def wanted(self) -> int:
        """Points; 0 where that is no number."""
        digits = "".join(self.points.split())
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else 0

    def problems(self, order: Order) -> dict[str, Lazy]:
        """What is wrong, by field."""
        wrong = {}
        if not 1 <= self.wanted <= order.refundable_points:
            wrong["points"] = _l(
                "A whole number from 1 to %(most)s.", most=number(order.refundable_points)
            )
        if not 1 <= len(self.reason.strip()) <= LONGEST_REASON or not self.reason.isprintable():
            wrong["reason"] = _l("Say why, in one line: the person reads it.")
        return wrong


@get(REFUND, opt=PEOPLE, include_in_schema=False)
async def show_refund(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """How many points go back, and why."""
    order = await orders.find_order(session, console.member_id, burn_id)
    if not order.refundable_points:
        notice = _l("There is nothing left to give back.")
        return page.redirect(console.path(f"{ORDERS}/{burn_id}"), notice=notice, tone="warning")
    form = RefundForm(key=secrets.token_urlsafe(18), points=str(order.refundable_points))
    return _form(page, order, form)


def _form(
    page: Page, order: Order, form: RefundForm, problems: Mapping[str, Lazy] | None = None
) -> Html:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return page.render(
        "exchange/order_refund.html",
        status_code=status,
        order=order,
        form=form,
        problems=problems or {},
        longest=LONGEST_REASON,
    )


@post(REFUND, opt=PEOPLE, include_in_schema=False, status_code=HTTPStatus.OK)
async def give_back(
    burn_id: FromPath[UUID],
    data: URLEncodedBody[RefundForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """First what it would do; once confirmed, the refund, once for each form."""
    order = await orders.find_order(session, console.member_id, burn_id)
    if not (0 < len(data.key) <= LONGEST_KEY and data.key.isprintable()):
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    with speak(page.language, page.now):
        problems = data.problems(order)
    if data.confirmed:
        # Points are judged by the refund itself: sent again, it says what it did before.
        problems.pop("points", None)
    if problems:
        return _form(page, order, data, problems)
    if not data.confirmed:
        return page.render(
            "exchange/order_refund_confirm.html",
            order=order,
            form=data,
            points=data.wanted,
            micros=order.refund_micros(data.wanted),
        )
    return await _refund(page, principal, console, session, runtime, order, data)


async def _refund(
    page: Page,
    principal: Principal,
    console: Console,
    session: AsyncSession,
    runtime: Runtime,
    order: Order,
    form: RefundForm,
) -> Html:
    content = f"{order.id} {form.wanted} {form.reason.strip()}".encode()
    asked = RefundRequest(
        order.id,
        order.wallet_id,
        form.wanted,
        form.reason.strip(),
        form.key,
        hashlib.blake2b(content, digest_size=16).digest(),
    )
    grace = timedelta(days=runtime.settings.refund_grace_days)
    view, was_made = await refund(session, principal, asked, grace=grace)
    with speak(page.language, page.now):
        points = number(view.points)
    notice = page.ngettext(
        "%(points)s point is given back.",
        "%(points)s points are given back.",
        view.points,
        points=points,
    )
    answer = page.redirect(console.path(f"{ORDERS}/{order.id}"), notice=notice)
    if not was_made:
        answer.background = BackgroundTask(
            runtime.plugins.tell, "marketplace_after_burn_refunded", refund_fact(view)
        )
    return answer


routes = [show_refund, give_back]
