"""The till in the browser, at /vouchers/till: for people of partners, on any phone.

Each step is a form of its own, so it works without scripts; a script adds the camera where the
browser can read QR codes. A code is typed once and then never in an address: from there on the
lock stands for the voucher.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import (
    Host,
    Html,
    IdempotencyKeyReused,
    MarketplaceError,
    NavEntry,
    NotFound,
    Page,
    Pages,
    Principal,
    Role,
    Routes,
    access,
    lazy,
)
from marketplace_vouchers import redeeming
from marketplace_vouchers.domain import Use
from marketplace_vouchers.errors import LockEnded, UndoTooLate, VoucherTooLittleLeft
from marketplace_vouchers.routes import number_of
from marketplace_vouchers.schemas import LockView, NewLock, NewRedemption, NewRollback
from marketplace_vouchers.tills import WEB, Till, till_of

HERE = Path(__file__).parent
PARTNERS = access(roles=[Role.PARTNER], page=True)
TILL = "/vouchers/till"
KEPT_S = 300
"""How long a voucher is kept while somebody looks at it."""
UNDO = timedelta(minutes=10)
RECENT = 5
CAMERA = {"Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"}
MEDIA_TYPES = {"till.js": "text/javascript", "till.css": "text/css"}
FILES = {name: (HERE / "static" / name).read_bytes() for name in MEDIA_TYPES}
DIGEST = hashlib.sha256(b"".join(FILES.values())).hexdigest()[:12]
OWN_ERRORS = "vouchers_"

AnyRequest = Request[Any, Any, Any]


class CodeForm(msgspec.Struct):
    """What the first step sends."""

    code: str = ""


class AmountForm(msgspec.Struct):
    """What the second step sends: all that is left, or a part."""

    amount: str = ""
    how: str = "all"


def make_pages(host: Host) -> Pages:
    """The pages over a host."""
    return Pages(
        routes=[*_entering(host), *_taking(host), *_receipts(host), static_file],
        nav=[
            NavEntry(
                key="till",
                label=lazy("Till"),
                path=TILL,
                roles=frozenset({Role.PARTNER}),
                order=40,
            )
        ],
        templates=HERE / "templates",
        translations=HERE / "locale",
    )


def _entering(host: Host) -> Routes:
    @get("/till", opt=PARTNERS, include_in_schema=False, sync_to_thread=True)
    def show_till(
        page: NamedDependency[Page], principal: NamedDependency[Principal], request: AnyRequest
    ) -> Html:
        """Where a code is scanned or typed."""
        return _code_page(host, page, till_of(request, principal, WEB))

    @post("/till", opt=PARTNERS, include_in_schema=False, status_code=303, sync_to_thread=True)
    def enter_code(
        data: URLEncodedBody[CodeForm],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """Keep the voucher for this till; what is wrong with it is said beside the code."""
        till = till_of(request, principal, WEB)
        asked = NewLock(code=data.code, till=WEB, seconds=KEPT_S)
        try:
            kept, _ = redeeming.lock(host, till, asked, str(uuid4()))
        except MarketplaceError as error:
            if not error.code.startswith(OWN_ERRORS):
                raise
            return _code_page(host, page, till, error, data.code)
        return page.redirect(f"{TILL}/{kept.lock_id}")

    return [show_till, enter_code]


def _code_page(
    host: Host, page: Page, till: Till, error: MarketplaceError | None = None, code: str = ""
) -> Html:
    page.active = "till"
    found = redeeming.redemptions(host, till.member_id, before=None, limit=50)
    with host.transaction() as session:
        mine = {each.id: each.slug for each in host.members(session)}[till.member_id]
    recent = [
        each
        for each in found
        if each.accepted_by == mine and each.till == WEB and each.undoes is None
    ]
    return page.render(
        "vouchers/till.html",
        status_code=200 if error is None else error.status,
        headers={**CAMERA, **(error.headers if error else {})},
        error=error and lazy(error.title),
        facts=error.extra if error else {},
        code=code,
        recent=recent[:RECENT],
        files=f"/vouchers/static/{DIGEST}",
    )


def _taking(host: Host) -> Routes:
    @get("/till/{lock_id:uuid}", opt=PARTNERS, include_in_schema=False, sync_to_thread=True)
    def show_voucher(
        lock_id: FromPath[UUID],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """What it is worth, and how much to take."""
        kept = _kept(host, till_of(request, principal, WEB), lock_id)
        return _lock_is_over(page) if kept is None else _voucher_page(host, page, kept)

    @post(
        "/till/{lock_id:uuid}",
        opt=PARTNERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def take(
        lock_id: FromPath[UUID],
        data: URLEncodedBody[AmountForm],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """Redeem; a form that is sent twice redeems once."""
        till = till_of(request, principal, WEB)
        amount = None if data.how == "all" else read_amount(data.amount)
        asked = NewRedemption(lock_id=lock_id, amount_micros=amount, till=WEB)
        kept = _kept(host, till, lock_id)
        if kept is not None and data.how != "all" and amount is None:
            wrong = page._(lazy("Enter an amount above zero, like 12.50."))
            return _voucher_page(host, page, kept, wrong, data.amount)
        try:
            done, _ = redeeming.redeem(host, till, asked, f"till-{lock_id}")
        except (LockEnded, IdempotencyKeyReused):
            return _lock_is_over(page)
        except MarketplaceError as error:
            if kept is None or not error.code.startswith(OWN_ERRORS):
                raise
            wrong = page._(lazy(error.title))
            return _voucher_page(host, page, kept, wrong, data.amount, error)
        return page.redirect(f"{TILL}/receipts/{done.id}")

    @post(
        "/till/{lock_id:uuid}/release",
        opt=PARTNERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def leave(
        lock_id: FromPath[UUID],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """Let others have the voucher again."""
        redeeming.release(host, till_of(request, principal, WEB), lock_id)
        return page.redirect(TILL)

    return [show_voucher, take, leave]


def _kept(host: Host, till: Till, lock_id: UUID) -> LockView | None:
    """A lock of this till that is in force."""
    with host.transaction() as session:
        try:
            kept = redeeming.read_lock(host, session, till, lock_id)
        except LockEnded:
            return None
        in_force = redeeming.is_in_force(host, session, lock_id)
    return kept if in_force else None


def _lock_is_over(page: Page) -> Html:
    return page.redirect(TILL, notice=lazy(LockEnded.title), tone="warning")


def _voucher_page(
    host: Host,
    page: Page,
    kept: LockView,
    wrong: str | None = None,
    amount: str = "",
    error: MarketplaceError | None = None,
) -> Html:
    page.active = "till"
    status = 200 if wrong is None else 422
    return page.render(
        "vouchers/voucher.html",
        status_code=status if error is None else error.status,
        kept=kept,
        voucher=kept.voucher,
        owner=_names(host)[kept.voucher.issued_by],
        partial=kept.voucher.use is Use.STORED,
        wrong=wrong,
        too_much=isinstance(error, VoucherTooLittleLeft),
        amount=amount,
        minutes=KEPT_S // 60,
        files=f"/vouchers/static/{DIGEST}",
    )


def _receipts(host: Host) -> Routes:
    @get(
        "/till/receipts/{number:str}",
        opt=PARTNERS,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_receipt(
        number: FromPath[str],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """What was taken, and the way to undo it for some minutes."""
        return _receipt_page(host, page, till_of(request, principal, WEB), number_of(number))

    @post(
        "/till/receipts/{number:str}/undo",
        opt=PARTNERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def undo(
        number: FromPath[str],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """Put the value back; asked twice, it is put back once."""
        till, redemption_id = till_of(request, principal, WEB), number_of(number)
        with host.transaction() as session:
            found = redeeming.read_redemption(host, session, till.member_id, redemption_id)
            late = host.now(session) - found.made_at > UNDO
        try:
            if late and found.rolled_back_by is None:
                raise UndoTooLate
            redeeming.roll_back(
                host, till, redemption_id, NewRollback(till=WEB), f"undo-{redemption_id}"
            )
        except MarketplaceError as error:
            if not error.code.startswith(OWN_ERRORS):
                raise
            return page.redirect(
                f"{TILL}/receipts/{redemption_id}", notice=lazy(error.title), tone="warning"
            )
        return page.redirect(
            f"{TILL}/receipts/{redemption_id}", notice=lazy("Undone: the value is back.")
        )

    return [show_receipt, undo]


def _receipt_page(host: Host, page: Page, till: Till, redemption_id: int) -> Html:
    page.active = "till"
    with host.transaction() as session:
        found = redeeming.read_redemption(host, session, till.member_id, redemption_id)
        now = host.now(session)
    may_undo = found.undoes is None and found.rolled_back_by is None and found.till in ("", WEB)
    names = _names(host)
    return page.render(
        "vouchers/receipt.html",
        receipt=found,
        owner=names[found.issued_by],
        acceptor=names[found.accepted_by],
        undo_until=found.made_at + UNDO,
        may_undo=may_undo and now - found.made_at <= UNDO,
        files=f"/vouchers/static/{DIGEST}",
    )


def _names(host: Host) -> dict[str, str]:
    with host.transaction() as session:
        return {each.slug: each.name for each in host.members(session)}


def read_amount(text: str) -> int | None:
    """An amount as people type it, "12,50" or "12.50", in micros; None where it is none."""
    plain = text.strip().replace(",", ".")
    try:
        exact = Decimal(plain)
    except InvalidOperation:
        return None
    if not exact.is_finite() or not 0 < exact < 10**9 or exact != round(exact, 2):
        return None
    return int(exact * 1_000_000)


@get(
    "/static/{digest:str}/{name:str}",
    opt=access(public=True),
    include_in_schema=False,
    sync_to_thread=False,
)
def static_file(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """The script or the style of the till; under the address of this version for a year."""
    if name not in FILES:
        raise NotFound
    cached = "public, max-age=31536000, immutable" if digest == DIGEST else "no-cache"
    headers = {"Cache-Control": cached, "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(FILES[name], media_type=MEDIA_TYPES[name], headers=headers)
