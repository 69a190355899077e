"""Pages: `/me`, where people see and choose what concerns themselves."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest
from marketplace.identity import own_password, preferences
from marketplace.identity.cookies import no_session_cookie
from marketplace.identity.domain import Principal, Role
from marketplace.identity.errors import TooManyAttempts, WrongPresentPassword
from marketplace.identity.passwords import LONGEST, SHORTEST
from marketplace.notices import channels
from marketplace.notices.domain import CATEGORIES, CHOOSABLE
from marketplace.notices.forms import preference_fields, read_preference_form
from marketplace.notices.service import preferences as notice_preferences
from marketplace.notices.service import set_preferences
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import NAMES, Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import (
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    Html,
    Page,
    local_path,
)

EVERYBODY = access(roles=Role, page=True)
BY_BROWSER = "auto"
ME = "/me"


class LookForm(msgspec.Struct):
    """Language and theme; `auto` follows the browser and the device."""

    language: str = BY_BROWSER
    theme: str = THEMES[0]


class PasswordForm(msgspec.Struct):
    """The present password, and the new one twice."""

    present: str = ""
    new: str = ""
    again: str = ""

    def problems(self) -> dict[str, Lazy]:
        """What is wrong before anything is looked up, by field."""
        if not SHORTEST <= len(self.new) <= LONGEST:
            allowed = {"shortest": SHORTEST, "longest": LONGEST}
            words = _l("A password has %(shortest)s to %(longest)s characters.", **allowed)
            return {"new": words}
        if self.new != self.again:
            return {"again": _l("The two are not the same.")}
        return {}


class GuideForm(msgspec.Struct):
    """Where to go once the guide is put away."""

    next: str = "/"


@get(ME, opt=EVERYBODY, include_in_schema=False)
async def show_me(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Who one is, how pages look, what one hears, where one is signed in."""
    return await _me(page, principal, session, runtime)


async def _me(
    page: Page,
    principal: Principal,
    session: AsyncSession,
    runtime: Runtime,
    problems: Mapping[str, Lazy] | None = None,
    status: int = HTTPStatus.OK,
) -> Html:
    """The page; with what is wrong with a new password beside its fields."""
    page.active = "me"
    wanted = await notice_preferences(session, principal.caller_id)
    return page.render(
        "identity/me.html",
        status_code=status,
        me=await preferences.me(session, principal),
        fields=preference_fields(wanted),
        channels=await channels.choices(session, principal.caller_id, runtime.notifiers),
        categories=CATEGORIES,
        choosable=CHOOSABLE,
        themes=THEMES,
        problems=problems or {},
        needs_present=await own_password.needs_present(session, principal),
        fresh_minutes=int(own_password.FRESH.total_seconds()) // 60,
        shortest=SHORTEST,
        longest=LONGEST,
    )


@post("/me/look", opt=EVERYBODY, include_in_schema=False, status_code=303)
async def set_look(
    data: URLEncodedBody[LookForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Keep language and theme, on every device the person signs in on."""
    if data.language not in (BY_BROWSER, *NAMES) or data.theme not in THEMES:
        raise InvalidRequest("There is no such language or theme.")
    language = None if data.language == BY_BROWSER else data.language
    await preferences.set_look(session, principal, language=language, theme=data.theme)
    answer = page.redirect(ME, notice=_l("Saved."))
    # What this browser was told before would win over "follow the browser".
    answer.delete_cookie(LANGUAGE_COOKIE)
    answer.delete_cookie(THEME_COOKIE)
    return answer


@post("/me/notifications", opt=EVERYBODY, include_in_schema=False, status_code=303)
async def set_notifications(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    request: Request[Any, Any, Any],
) -> Html:
    """Keep what the person wants to hear, and how."""
    wanted = read_preference_form(await request.form())
    await set_preferences(session, principal.caller_id, wanted)
    return page.redirect(ME, notice=_l("Saved."))


@post("/me/password", opt=EVERYBODY, include_in_schema=False, status_code=303)
async def set_password(
    data: URLEncodedBody[PasswordForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Change the password; whatever is wrong is said beside the form."""
    problems, status = data.problems(), int(HTTPStatus.UNPROCESSABLE_ENTITY)
    if not problems:
        try:
            await own_password.change_own(
                runtime.database, principal, present=data.present, new=data.new
            )
        except WrongPresentPassword:
            problems = {"present": _l("That is not your present password.")}
        except TooManyAttempts as error:
            status = error.status
            problems = {"present": _l("Too many tries. Wait a quarter of an hour, or take a link.")}
        else:
            notice = _l("Your password is changed. Your other devices are signed out.")
            return page.redirect(ME, notice=notice)
    async with runtime.database.begin() as session:
        return await _me(page, principal, session, runtime, problems, status)


@post("/me/sessions/{sign_in_id:uuid}/end", opt=EVERYBODY, include_in_schema=False, status_code=303)
async def end_session(
    sign_in_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Sign out on another device."""
    await preferences.end_session(session, principal, sign_in_id)
    return page.redirect(ME, notice=_l("That device is signed out."))


@post("/me/sign-out-everywhere", opt=EVERYBODY, include_in_schema=False, status_code=303)
async def sign_out_everywhere(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """End every session, this one too."""
    await preferences.sign_out_everywhere(session, principal)
    answer = page.redirect("/sign-in", notice=_l("You are signed out on every device."))
    answer.set_cookie(no_session_cookie(runtime.settings))
    return answer


@get("/me/guide", opt=EVERYBODY, include_in_schema=False, sync_to_thread=False)
def show_guide(page: NamedDependency[Page]) -> Html:
    """The first-visit guide, for whoever wants to read it again."""
    page.active = "me"
    return page.render("identity/guide.html", status_code=HTTPStatus.OK)


@post("/me/guide", opt=EVERYBODY, include_in_schema=False, status_code=303)
async def put_guide_away(
    data: URLEncodedBody[GuideForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The guide is not shown by itself again."""
    await preferences.put_guide_away(session, principal)
    return page.redirect(local_path(data.next))


routes = [
    show_me,
    set_look,
    set_notifications,
    set_password,
    end_session,
    sign_out_everywhere,
    show_guide,
    put_guide_away,
]
nav = [NavEntry(key="me", label=_l("Preferences"), path=ME, in_menu=True, order=90)]
