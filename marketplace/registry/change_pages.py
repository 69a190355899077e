"""Pages: what is done to a plugin in the console. The operator's own things need the operator."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import Conflict, InvalidRequest, MarketplaceError
from marketplace.identity.domain import Principal, Role
from marketplace.registry import activation, installing, service
from marketplace.registry.errors import ConnectionFailed, InvalidSettings, NotCertified
from marketplace.registry.installer import install
from marketplace.registry.page_words import said
from marketplace.registry.pages import HERE, IN_CONSOLE, Happened, plugin_page
from marketplace.registry.trying import try_order, try_settings
from marketplace.registry.views import show
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.console import Console, provide_console
from marketplace.web.filled import Filled
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page
from marketplace.web.uploads import sent_file

OPERATORS = access(roles=[Role.OPERATOR], page=True)
MOST_WHEEL_BYTES: Final = 50_000_000
MOST_QUANTITY: Final = 100
SETTING: Final = "set:"
"""Before the name of a setting: the name of its field."""

AnyRequest = Request[Any, Any, Any]


@post(f"{HERE}/{{slug:str}}/settings", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def save_settings(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Keep settings: the member's, its second set for trial orders, or (operator) the house's."""
    form = Filled(await request.form())
    which = form["which"] if form["which"] in ("member", "trial", "house") else "member"
    if which == "house" and not principal.is_operator:
        raise InvalidRequest("The settings of the house are the operator's.")
    given = {
        name.removeprefix(SETTING): value
        for name, value in form.typed.items()
        if name.startswith(SETTING)
    }
    try:
        async with session.begin_nested():
            await service.configure(
                session,
                runtime,
                slug,
                given,
                actor=principal.actor,
                member_id=None if which == "house" else console.member_id,
                sandbox=which == "trial",
                form=True,
            )
    except InvalidSettings as error:
        problems = {name: said(words) for name, words in error.errors.items()}
        happened = Happened(form=which, typed=given, problems=problems)
        return await plugin_page(page, console, principal, runtime, session, slug, happened)
    notice = _l("Saved. Test the connection next.")
    return page.redirect(console.path(f"{HERE}/{slug}"), notice=notice)


@post(f"{HERE}/{{slug:str}}/test", opt=IN_CONSOLE, include_in_schema=False, status_code=200)
async def test_connection(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Ask the plugin whether the member's settings work."""
    trial = Filled(await request.form())["which"] == "trial"
    console = await _console(request, page, principal, runtime)
    tested = await try_settings(runtime, slug, member_id=console.member_id, sandbox=trial)
    happened = Happened(form="trial" if trial else "member", tested=tested)
    async with runtime.database.begin() as session:
        return await plugin_page(page, console, principal, runtime, session, slug, happened)


async def _console(
    request: AnyRequest, page: Page, principal: Principal, runtime: Runtime
) -> Console:
    """The member in question, without a transaction left open while a plugin is asked."""
    async with runtime.database.begin() as session:
        return await provide_console(request, page, principal, session)


@post(f"{HERE}/{{slug:str}}/sandbox", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def switch_sandbox(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Let only trial orders through, or everything again."""
    on = Filled(await request.form())["on"] == "yes"
    await show(session, runtime, slug, only_member=console.member_id)
    await service.set_sandbox(session, slug, console.member_id, on=on, actor=principal.actor)
    notice = (
        _l("The sandbox is on: people cannot burn on these offers.")
        if on
        else _l("The sandbox is off.")
    )
    return page.redirect(console.path(f"{HERE}/{slug}"), notice=notice, tone="info")


@post(f"{HERE}/{{slug:str}}/try", opt=IN_CONSOLE, include_in_schema=False, status_code=200)
async def try_out(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Send a trial order, and show once what it delivers."""
    form = Filled(await request.form())
    console = await _console(request, page, principal, runtime)
    sku, quantity = form["sku"].strip(), form["quantity"].strip() or "1"
    problems: dict[str, Lazy | str] = {}
    if not sku or len(sku) > 200:
        problems["sku"] = _l("Fill this in.")
    plain = quantity.isdecimal() and len(quantity) <= 18
    if not plain or not 1 <= int(quantity) <= MOST_QUANTITY:
        problems["quantity"] = _l("A whole number from 1 to %(most)s.", most=MOST_QUANTITY)
    tried = None
    if not problems:
        tried = await try_order(
            runtime,
            slug,
            member_id=console.member_id,
            sku=sku,
            quantity=int(quantity),
            actor=principal.actor,
        )
    happened = Happened(form="try", typed=form.typed, problems=problems, tried=tried)
    async with runtime.database.begin() as session:
        return await plugin_page(page, console, principal, runtime, session, slug, happened)


# -- what only the operator does -------------------------------------------------------------------


@post(f"{HERE}/{{slug:str}}/enable", opt=OPERATORS, include_in_schema=False, status_code=303)
async def enable(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Enable it for the member, after its test; although that failed, for a reason."""
    form = Filled(await request.form())
    console = await _console(request, page, principal, runtime)
    tested = await try_settings(runtime, slug, member_id=console.member_id)
    try:
        async with runtime.database.begin() as session:
            await service.enable(
                session,
                runtime,
                slug,
                console.member_id,
                actor=principal.actor,
                tested=tested,
                force=form.has("force"),
                reason=form["reason"],
            )
    except (ConnectionFailed, InvalidRequest):
        words = _l("Its test failed. Mend the settings, or say why it is enabled all the same.")
        happened = Happened(
            form="enable", typed=form.typed, problems={"reason": words}, tested=tested
        )
        async with runtime.database.begin() as session:
            return await plugin_page(page, console, principal, runtime, session, slug, happened)
    return page.redirect(console.path(f"{HERE}/{slug}"), notice=_l("Enabled."))


@get(f"{HERE}/{{slug:str}}/{{act:str}}", opt=OPERATORS, include_in_schema=False)
async def ask(
    slug: FromPath[str],
    act: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Whether it is really to be disabled for the member, or stopped for everybody."""
    details = await show(session, runtime, slug, only_member=console.member_id)
    return page.render("registry/sure.html", details=details, act=_act(act))


def _act(act: str) -> str:
    if act not in ("disable", "stop"):
        raise Conflict(f"Nothing called {act!r} is asked about.")
    return act


@post(f"{HERE}/{{slug:str}}/{{act:str}}", opt=OPERATORS, include_in_schema=False, status_code=303)
async def change(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    act: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Disable for the member; stop or start for everybody; activate as it is installed."""
    form = Filled(await request.form())
    reason, actor, path = form["reason"].strip()[:500], principal.actor, f"{HERE}/{slug}"
    await show(session, runtime, slug, only_member=console.member_id)
    notice = _l("Done.")
    if act == "activate":
        try:
            async with session.begin_nested():
                await activation.activate(
                    session, runtime.settings, slug, actor=actor, reason=reason or None
                )
        except NotCertified as error:
            problems: dict[str, Lazy | str] = {"activate_reason": error.detail}
            happened = Happened(form="activate", typed=form.typed, problems=problems)
            return await plugin_page(page, console, principal, runtime, session, slug, happened)
        notice = _l("Activated.")
    elif act == "start":
        await service.start(session, slug, actor=actor)
        notice = _l("Started again.")
    elif _act(act) == "stop":
        await service.stop(session, slug, actor=actor, reason=reason)
        notice = _l("Stopped for everybody: its offers are closed, its orders wait.")
    else:
        await service.disable(session, slug, console.member_id, actor=actor, reason=reason)
        notice = _l("Disabled: its offers here are closed.")
    return page.redirect(console.path(path), notice=notice, tone="info")


@get("/partner/plugins/add-plugin", opt=OPERATORS, include_in_schema=False)
async def show_install(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    runtime: NamedDependency[Runtime],
) -> Html:
    """From a file, or by name from the allowed index."""
    return _install(page, runtime, Filled({}))


def _install(page: Page, runtime: Runtime, form: Filled, problem: str | None = None) -> Html:
    bad = problem is not None or form.problems
    return page.render(
        "registry/install.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if bad else HTTPStatus.OK,
        form=form,
        problem=problem,
        index=runtime.settings.plugin_index,
    )


@post(
    "/partner/plugins/add-plugin",
    opt=OPERATORS,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=MOST_WHEEL_BYTES,
)
async def take_install(
    *,
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Check everything, then put it in; nothing else is installed or changed."""
    sent = await request.form()
    form, wheel = Filled(sent), await sent_file(sent)
    name = form["name"].strip()
    if (wheel is None) == (not name):
        form.wrong("name", _l("Choose a file, or give a name: one of them."))
        return _install(page, runtime, form)
    if wheel is None and ("/" in name or "\\" in name or name.endswith(".whl")):
        # A path would be a folder of this machine, which no browser should name.
        form.wrong("name", _l("The name of a package, please."))
        return _install(page, runtime, form)
    try:
        with TemporaryDirectory() as folder:
            source = name
            if wheel is not None:
                path = Path(folder) / Path(wheel.name).name
                path.write_bytes(wheel.body)
                source = str(path)
            slug = await _put_in(runtime, source, wheel.name if wheel else name, principal.actor)
    except MarketplaceError as error:
        return _install(page, runtime, form, error.detail)
    notice = _l("Installed. Restart the processes, check it, then activate it here.")
    return page.redirect(console.path(f"{HERE}/{slug}"), notice=notice, tone="info")


async def _put_in(runtime: Runtime, source: str, named: str, actor: str) -> str:
    context = installing.fetched(source, runtime.settings)
    candidate = await asyncio.to_thread(context.__enter__)
    try:
        await install(runtime, candidate, source=named, actor=actor)
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
    return candidate.slug


routes = [
    save_settings,
    test_connection,
    switch_sandbox,
    try_out,
    enable,
    ask,
    change,
    show_install,
    take_install,
]
