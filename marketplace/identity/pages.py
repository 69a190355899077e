"""Pages: signing in by password or mailed link, signing out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity import links, sessions
from marketplace.identity.cookies import no_session_cookie, session_cookie
from marketplace.identity.devices import device_of
from marketplace.identity.domain import Principal, Role
from marketplace.identity.errors import LinkNotUsable, TooManyAttempts, WrongPassword
from marketplace.identity.schemas import SignedIn
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page, local_path

ANYBODY = access(public=True, page=True)
WITH_PASSWORD, WITH_LINK = "password", "link"
LONGEST_EMAIL = 254
LONGEST_PASSWORD = 200

AnyRequest = Request[Any, Any, Any]
Next = Annotated[str, QueryParameter(max_length=2_000)]
How = Annotated[str, QueryParameter(max_length=20)]


class SignInForm(msgspec.Struct):
    """What the form of `/sign-in` sends; without a password it asks for a link."""

    email: str = ""
    password: str = ""
    next: str = "/"


@get("/sign-in", opt=ANYBODY, include_in_schema=False, sync_to_thread=False)
def show_sign_in(page: NamedDependency[Page], next: Next = "/", how: How = WITH_PASSWORD) -> Html:
    """Two ways in: a password, or a link by e-mail."""
    if page.principal is not None:
        return page.redirect(local_path(next))
    return _form(page, SignInForm(next=next), how)


@post("/sign-in", opt=ANYBODY, include_in_schema=False, status_code=303)
async def sign_in(
    data: URLEncodedBody[SignInForm],
    page: NamedDependency[Page],
    runtime: NamedDependency[Runtime],
    request: AnyRequest,
) -> Html:
    """Sign in with a password; whatever is wrong is said beside the form."""
    email = data.email.strip()
    problems = _check(email, data.password)
    if problems:
        return _form(page, data, WITH_PASSWORD, problems)
    try:
        signed_in = await sessions.sign_in(
            runtime.database,
            email,
            data.password,
            days=runtime.settings.session_days,
            device=_device(request),
        )
    except WrongPassword:
        problems = {"password": _l("E-mail and password do not match.")}
        return _form(page, data, WITH_PASSWORD, problems)
    except TooManyAttempts as error:
        wait = error.headers["Retry-After"]
        problems = {"email": _l("Too many tries. Wait a quarter of an hour, or take a link.")}
        return _form(page, data, WITH_PASSWORD, problems, error.status, {"Retry-After": wait})
    return _enter(page, runtime, signed_in, data.next)


@post("/sign-in/link", opt=ANYBODY, include_in_schema=False, status_code=200)
async def ask_for_link(
    data: URLEncodedBody[SignInForm],
    page: NamedDependency[Page],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Mail a link; the page is the same whether anybody has this e-mail."""
    email = data.email.strip()
    problems = _check_email(email)
    if problems:
        return _form(page, data, WITH_LINK, problems)
    minutes = int(links.LIFE.total_seconds()) // 60
    answer = page.render("identity/link_sent.html", email=email, minutes=minutes)
    answer.background = BackgroundTask(
        links.send_link, runtime, email, local_path(data.next), page.locale
    )
    return answer


@get("/sign-in/link/{token:str}", opt=ANYBODY, include_in_schema=False)
async def show_link(
    token: FromPath[str], page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """A button to press: programs that look into mails look at links, and must not use them up."""
    usable = await links.is_usable(session, token)
    status = HTTPStatus.OK if usable else HTTPStatus.GONE
    return page.render("identity/link.html", status_code=status, usable=usable)


@post("/sign-in/link/{token:str}", opt=ANYBODY, include_in_schema=False, status_code=303)
async def use_link(
    token: FromPath[str],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    request: AnyRequest,
) -> Html:
    """Sign in with the link, once."""
    try:
        signed_in, wanted = await links.sign_in_by_link(
            session, token, days=runtime.settings.session_days, device=_device(request)
        )
    except LinkNotUsable:
        return page.render("identity/link.html", status_code=HTTPStatus.GONE, usable=False)
    return _enter(page, runtime, signed_in, wanted)


@post(
    "/sign-out",
    opt=access(roles=Role, page=True),
    include_in_schema=False,
    status_code=303,
)
async def sign_out(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """End this session."""
    await sessions.sign_out(session, principal)
    answer = page.redirect("/sign-in", notice=_l("You are signed out."))
    answer.set_cookie(no_session_cookie(runtime.settings))
    return answer


def _enter(page: Page, runtime: Runtime, signed_in: SignedIn, wanted: str) -> Html:
    answer = page.redirect(local_path(wanted))
    answer.set_cookie(session_cookie(runtime.settings, signed_in.token))
    return answer


def _form(
    page: Page,
    form: SignInForm,
    how: str,
    problems: dict[str, Lazy] | None = None,
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
    headers: dict[str, str] | None = None,
) -> Html:
    return page.render(
        "identity/sign_in.html",
        status_code=status if problems else HTTPStatus.OK,
        headers=headers,
        email=form.email,
        next=local_path(form.next),
        how=WITH_LINK if how == WITH_LINK else WITH_PASSWORD,
        problems=problems or {},
    )


def _check(email: str, password: str) -> dict[str, Lazy]:
    problems = _check_email(email)
    if not password:
        problems["password"] = _l("Type your password.")
    elif len(password) > LONGEST_PASSWORD:
        problems["password"] = _l("No password is as long as that.")
    return problems


def _check_email(email: str) -> dict[str, Lazy]:
    if not email:
        return {"email": _l("Type your e-mail.")}
    if "@" not in email or len(email) > LONGEST_EMAIL:
        return {"email": _l("That is no e-mail address.")}
    return {}


def _device(request: AnyRequest) -> str | None:
    return device_of(request.headers.get("user-agent", ""))


routes = [show_sign_in, sign_in, ask_for_link, show_link, use_link, sign_out]
