"""Pages: pools of codes in the partner console, under /giftfund/partner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from litestar import Request, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from marketplace.api import (
    Chart,
    Console,
    Host,
    Html,
    NavEntry,
    NotFound,
    Page,
    Pages,
    Principal,
    Role,
    Series,
    Shape,
    access,
    lazy,
)
from marketplace_giftfund import service
from marketplace_giftfund.errors import BadUpload
from marketplace_giftfund.routes import MOST_BYTES
from marketplace_giftfund.schemas import OwnPool, StockDay, Uploaded

HERE: Final = "/giftfund/partner"
MOST_LOW_AT: Final = 1_000_000
ROLES = frozenset({Role.PARTNER, Role.OPERATOR})
IN_CONSOLE = access(roles=ROLES, page=True)

Sku = Annotated[str, QueryParameter(max_length=200)]
AnyRequest = Request[Any, Any, Any]


def stock_chart(page: Page, days: Sequence[StockDay]) -> Chart:
    """Codes left at the end of each day."""
    return Chart(
        title=page._("Codes left"),
        label=page._("Day"),
        labels=[page.day(each.day) for each in days],
        series=[Series(page._("Left"), [each.free for each in days])],
        shape=Shape.LINE,
    )


def change_chart(page: Page, days: Sequence[StockDay]) -> Chart:
    """Codes that came and went on each day."""
    return Chart(
        title=page._("Uploaded, given and run out"),
        label=page._("Day"),
        labels=[page.day(each.day) for each in days],
        series=[
            Series(page._("Given"), [each.given for each in days]),
            Series(page._("Uploaded"), [each.uploaded for each in days], "warm"),
            Series(page._("Run out"), [each.expired for each in days], "bad"),
        ],
        shape=Shape.BESIDE,
    )


class Shown:
    """The page of one pool, with what became of a form."""

    def __init__(self, host: Host, page: Page, console: Console) -> None:
        self._host = host
        self._page = page
        self._console = console

    async def own(self, sku: str) -> OwnPool:
        """A pool of the member in question; NotFound for any other sku."""
        found = await asyncio.to_thread(service.own_pools, self._host, self._console.member_id)
        mine = {each.pool.sku: each for each in found}
        if sku not in mine or not await asyncio.to_thread(self._may, sku):
            raise NotFound(f"{self._console.name} has no offer with the sku {sku!r}.")
        return mine[sku]

    def _may(self, sku: str) -> bool:
        with self._host.transaction() as session:
            return service.stocks(self._host, session, sku, self._console.member_id)

    async def render(
        self,
        own: OwnPool,
        *,
        checked: Uploaded | None = None,
        bad: BadUpload | None = None,
        problems: dict[str, object] | None = None,
        low_at: str | None = None,
    ) -> Html:
        """The page; 422 where something is wrong with a form."""
        days = await asyncio.to_thread(service.stock_by_day, self._host, own.pool.sku)
        return self._page.render(
            "giftfund/pool.html",
            status_code=422 if bad or problems else 200,
            own=own,
            charts=[stock_chart(self._page, days), change_chart(self._page, days)],
            checked=checked,
            bad=bad,
            problems=problems or {},
            low_at=low_at if low_at is not None else str(own.pool.low_at),
        )

    async def upload(self, own: OwnPool, request: AnyRequest, principal: Principal) -> Html:
        """Check or take the file of the form."""
        form = await request.form()
        sent = form.get("file")
        body = await sent.read() if isinstance(sent, UploadFile) else b""
        if not body:
            return await self.render(own, problems={"file": lazy("Choose a file.")})
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            words = lazy("The file is not UTF-8: save it as CSV in UTF-8.")
            return await self.render(own, problems={"file": words})
        dry_run = form.get("do") == "check"
        try:
            done = await asyncio.to_thread(
                service.upload,
                self._host,
                own.pool.sku,
                text,
                actor=principal.actor,
                dry_run=dry_run,
            )
        except BadUpload as error:
            return await self.render(own, bad=error)
        if dry_run:
            return await self.render(own, checked=done)
        notice = lazy(
            "Taken: %(new)s new codes, %(already)s were there already.",
            new=done.new,
            already=done.already,
        )
        return self._page.redirect(
            self._console.path(f"{HERE}/pool", sku=own.pool.sku), notice=notice
        )

    async def set_low(self, own: OwnPool, request: AnyRequest, principal: Principal) -> Html:
        """Change the number of codes at which a warning is given."""
        typed = str((await request.form()).get("low_at", "")).strip()
        if not typed.isdecimal() or len(typed) > 18 or int(typed) > MOST_LOW_AT:
            words = lazy("A whole number, 0 or more.")
            return await self.render(own, problems={"low_at": words}, low_at=typed[:20])
        await asyncio.to_thread(
            service.set_low_at, self._host, own.pool.sku, int(typed), actor=principal.actor
        )
        path = self._console.path(f"{HERE}/pool", sku=own.pool.sku)
        return self._page.redirect(path, notice=lazy("Saved."))


def make_pages(host: Host) -> Pages:
    """The pages over a host."""

    @get("/partner", opt=IN_CONSOLE, include_in_schema=False)
    async def show_pools(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
        """Every pool of the member's offers, and how full it is."""
        pools = await asyncio.to_thread(service.own_pools, host, console.member_id)
        return page.render("giftfund/pools.html", pools=pools)

    @get("/partner/pool", opt=IN_CONSOLE, include_in_schema=False)
    async def show_pool(
        page: NamedDependency[Page], console: NamedDependency[Console], sku: Sku
    ) -> Html:
        """One pool: what is left, how it went, and where codes are uploaded."""
        shown = Shown(host, page, console)
        return await shown.render(await shown.own(sku))

    @post(
        "/partner/pool",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        request_max_body_size=MOST_BYTES,
    )
    async def upload_codes(
        request: AnyRequest,
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        sku: Sku,
    ) -> Html:
        """Check a file of codes, or take it."""
        shown = Shown(host, page, console)
        return await shown.upload(await shown.own(sku), request, principal)

    @post("/partner/low", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
    async def set_low_at(
        request: AnyRequest,
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        sku: Sku,
    ) -> Html:
        """At how many codes the pool counts as low."""
        shown = Shown(host, page, console)
        return await shown.set_low(await shown.own(sku), request, principal)

    folder = Path(__file__).parent
    return Pages(
        routes=[show_pools, show_pool, upload_codes, set_low_at],
        nav=[
            NavEntry(
                key="console-pools",
                label=lazy("Codes"),
                path=HERE,
                roles=ROLES,
                order=40,
                symbol="ticket",
                console=True,
            )
        ],
        templates=folder / "templates",
        translations=folder / "locale",
    )
