"""Pages: plugins of a member in the partner console, under `/partner/plugins`: looking."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.exchange import closures
from marketplace.identity.domain import Principal
from marketplace.registry import page_queries
from marketplace.registry.domain import State
from marketplace.registry.page_words import (
    CAUSES,
    OUTCOMES,
    RESULTS,
    STATES,
    VERDICTS,
    Done,
    done_words,
)
from marketplace.registry.schemas import Checkup, MemberView, PluginDetails, TryResult
from marketplace.registry.views import list_plugins, show
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.i18n import Lazy, speak
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page

HERE: Final = "/partner/plugins"
IN_CONSOLE = access(roles=CONSOLE_ROLES, page=True)


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a form, shown on the page it came from."""

    form: str = ""
    """Which of the page's forms: `member`, `trial`, `house`, `enable`, `activate`, `try`."""
    typed: Mapping[str, str] = {}
    problems: Mapping[str, Lazy | str] = {}
    tested: Checkup | None = None
    tried: TryResult | None = None


NOTHING: Final = Happened()


@get(HERE, opt=IN_CONSOLE, include_in_schema=False)
async def show_plugins(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Every plugin that delivers or may, and how it stands for the member."""
    found = await list_plugins(session, runtime, only_member=console.member_id)
    closed: dict[str, list[Lazy]] = {}
    for each in await closures.closures_of(session):
        if each.member_id in (None, console.member_id):
            closed.setdefault(each.plugin, []).append(CAUSES[each.cause])
    return page.render(
        "registry/plugins.html",
        plugins=[each for each in found if each.state is not State.HOUSE or each.supplies],
        states=STATES,
        closed=closed,
        queues=await page_queries.queues(session, console.member_id),
        runs_all=principal.is_operator,
    )


@get(f"{HERE}/{{slug:str}}", opt=IN_CONSOLE, include_in_schema=False)
async def show_plugin(
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One plugin: whether it delivers for the member, its settings, trial orders, its queue."""
    return await plugin_page(page, console, principal, runtime, session, slug)


async def plugin_page(
    page: Page,
    console: Console,
    principal: Principal,
    runtime: Runtime,
    session: AsyncSession,
    slug: str,
    happened: Happened = NOTHING,
) -> Html:
    """The page; 422 where a form has problems."""
    details = await show(session, runtime, slug, only_member=console.member_id)
    whole = await show(session, runtime, slug) if principal.is_operator else None
    steps = await page_queries.entries(session, slug, console.member_id)
    with speak(page.language, page.now):
        history = [
            Done(done_words(entry.action, entry.details), who, entry.at) for entry, who in steps
        ]
    status = HTTPStatus.UNPROCESSABLE_ENTITY if happened.problems else HTTPStatus.OK
    return page.render(
        "registry/plugin.html",
        status_code=status,
        details=details,
        whole=whole,
        own=own_of(details),
        states=STATES,
        causes=CAUSES,
        queue=(await page_queries.queues(session, console.member_id)).get(
            slug, page_queries.Queue()
        ),
        troubles=await page_queries.troubles(session, slug) if principal.is_operator else [],
        report=await page_queries.certificate(session, slug),
        history=history,
        happened=happened,
        outcomes=OUTCOMES,
    )


def own_of(details: PluginDetails) -> MemberView:
    """What the plugin is to the member in question."""
    (own,) = details.members
    return own


@get(f"{HERE}/{{slug:str}}/certificate", opt=IN_CONSOLE, include_in_schema=False)
async def show_certificate(
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The signed report that the plugin was activated on, in words."""
    details = await show(session, runtime, slug, only_member=console.member_id)
    return page.render(
        "registry/certificate.html",
        details=details,
        report=await page_queries.certificate(session, slug),
        verdicts=VERDICTS,
        results=RESULTS,
    )


routes = [show_plugins, show_plugin, show_certificate]
nav = [
    NavEntry(
        key="console-plugins",
        label=_l("Plugins"),
        path=HERE,
        roles=CONSOLE_ROLES,
        order=60,
        symbol="filter",
        console=True,
    )
]
