"""Pages: what a handler gets as `page`, and how HTML leaves the house.

@get("/wallet", opt=access(roles=[Role.PARTICIPANT], page=True), include_in_schema=False)
async def wallet(page: NamedDependency[Page], session: NamedDependency[AsyncSession]) -> Html:
    page.active = "wallet"
    return page.render("ledger/wallet.html", balance=await read_balance(session, ...))
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import urlsplit

import msgspec
from jinja2 import Environment
from litestar import Request, Response

from marketplace.identity.domain import Principal
from marketplace.secrets import Vault
from marketplace.web import flash, formats
from marketplace.web.i18n import Language, Languages, Lazy, choose_language, speak
from marketplace.web.middleware import PRINCIPAL
from marketplace.web.nav import NavEntry, visible

if TYPE_CHECKING:
    from marketplace.exchange.beforehand import Beforehand
    from marketplace.exchange.reward_notes import RewardNotes
    from marketplace.web.console import Console

THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE = "lang"
THEME_COOKIE = "theme"
MEMBER_COOKIE = "console_member"
"""The member an operator last looked after in the partner console, by slug."""
WORTH_COMPRESSING = 1_400
"""Bytes that fit one packet anyhow."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "Cookie, Accept-Language, Accept-Encoding, HX-Request",
}
MEDIA_TYPE = "text/html"
# One slash, then neither a second one nor a backslash, which browsers take for one.
LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")

AnyRequest = Request[Any, Any, Any]
Html: TypeAlias = Response[bytes]
"""What page handlers return."""


class Site(msgspec.Struct, frozen=True):
    """What all pages of a process share; kept in `app.state.site`."""

    environment: Environment
    languages: Languages
    nav: Sequence[NavEntry]
    vault: Vault
    secure_cookies: bool
    before_burn: Beforehand
    """See `Pages.before_burn`."""
    reward_notes: RewardNotes
    """See `Pages.reward_note`."""


def local_path(path: str | None, default: str = "/") -> str:
    """`path` where it is an address of ours, else `default`: never redirect to another host."""
    return path if path and LOCAL.fullmatch(path) else default


class Page:
    """One request as its page sees it: who reads, in which language and theme."""

    def __init__(self, request: AnyRequest, site: Site) -> None:
        self._request = request
        self._site = site
        self.active = ""
        """Key of the entry of the navigation that this page belongs to."""
        self.console: Console | None = None
        """The member in question, on pages of the partner console (`marketplace.web.console`)."""
        principal = request.scope.get(PRINCIPAL)
        self.principal: Principal | None = principal if isinstance(principal, Principal) else None
        self.knows_reader = PRINCIPAL in request.scope
        """False on an address that does not exist, where nobody asked who is reading."""
        self.language: Language = site.languages[self._choose_language()]
        self.locale: str = self.language.code
        self.before_burn: Beforehand = site.before_burn
        """What may lead to a page of a plugin before points are burnt."""
        self.reward_notes: RewardNotes = site.reward_notes
        """What plugins say of rewards that they delivered."""
        self.theme: str = self._choose_theme()
        seen_at = self.principal.seen_at if self.principal else None
        self.now: datetime = seen_at or datetime.now(UTC)
        """Business time; for strangers this machine's clock."""

    def _choose_language(self) -> str:
        preferred = self.principal.language if self.principal else None
        return choose_language(
            preferred,
            self._request.cookies.get(LANGUAGE_COOKIE),
            accept=self._request.headers.get("accept-language", ""),
        )

    def _choose_theme(self) -> str:
        preferred = self.principal.theme if self.principal else None
        wishes = (preferred, self._request.cookies.get(THEME_COOKIE))
        return next((wish for wish in wishes if wish in THEMES), THEMES[0])

    # -- what handlers ask ---------------------------------------------------------------------

    @property
    def is_htmx(self) -> bool:
        """Whether a fragment is wanted: htmx asks, and not for a whole page."""
        headers = self._request.headers
        whole = "hx-boosted" in headers or "hx-history-restore-request" in headers
        return "hx-request" in headers and not whole

    @property
    def path(self) -> str:
        """Path and query of this page, for forms that come back to it."""
        url = self._request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    @property
    def came_from(self) -> str:
        """Path and query of the page that holds the form or the htmx element; `/` if unknown."""
        headers = self._request.headers
        parts = urlsplit(headers.get("hx-current-url") or headers.get("referer") or "/")
        return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)

    @property
    def nav(self) -> Sequence[NavEntry]:
        """Entries of the main navigation for this reader."""
        return [each for each in self._entries() if not (each.in_menu or each.symbol)]

    @property
    def tools(self) -> Sequence[NavEntry]:
        """Entries shown as symbols beside the person's menu."""
        return [each for each in self._entries() if each.symbol]

    @property
    def menu(self) -> Sequence[NavEntry]:
        """Entries of the person's own menu."""
        return [each for each in self._entries() if each.in_menu]

    @property
    def sections(self) -> Sequence[NavEntry]:
        """Sections of the partner console for this reader."""
        return self._entries(console=True)

    @property
    def section(self) -> NavEntry | None:
        """The section this page belongs to: the one whose path it is below, the longest of them."""
        here = f"{self._request.url.path}/"
        found = [each for each in self.sections if here.startswith(f"{each.path}/")]
        return max(found, key=lambda each: len(each.path), default=None)

    def _entries(self, *, console: bool = False) -> Sequence[NavEntry]:
        found = visible(self._site.nav, self.principal)
        return [each for each in found if each.console is console]

    @property
    def languages(self) -> Languages:
        """Every language there is, by code."""
        return self._site.languages

    def _(self, message: str | Lazy) -> str:
        """The message in the reader's language."""
        with speak(self.language, self.now):
            return str(message) if isinstance(message, Lazy) else self.language.gettext(message)

    def ngettext(self, singular: str, plural: str, count: int, **values: object) -> str:
        """The form for `count`, its `%(count)s` and other placeholders filled."""
        return self.language.ngettext(singular, plural, count) % {"count": count, **values}

    def day(self, moment: datetime | date) -> str:
        """A day as the reader writes it: "3 Mar 2026"."""
        with speak(self.language, self.now):
            return formats.day(moment)

    # -- what handlers answer ------------------------------------------------------------------

    def render(
        self,
        template: str,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Html:
        """A whole page; its template extends `web/base.html`. Shows the notice that waits."""
        waiting = self._request.cookies.get(flash.COOKIE)
        notice = flash.unseal(self._site.vault, waiting)
        answer = self._answer(template, status_code, headers, {"notice": notice, **context})
        if waiting is not None:
            answer.delete_cookie(flash.COOKIE)
        if self.console is not None and self.console.is_chosen:
            self._set_cookie(answer, MEMBER_COOKIE, self.console.slug)
        return answer

    def fragment(
        self,
        template: str,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Html:
        """A part of a page, for htmx."""
        return self._answer(template, status_code, headers, context)

    def text(self, template: str, **context: Any) -> str:
        """The rendered template itself: for e-mail, documents and events of a stream."""
        found = self._site.environment.get_template(template)
        with speak(self.language, self.now):
            return found.render(page=self, now=self.now, **context)

    def redirect(
        self, path: str, *, notice: str | Lazy | None = None, tone: flash.Tone = "success"
    ) -> Html:
        """Go to one of our addresses, with a notice for the page there; for htmx too."""
        by_htmx = "hx-request" in self._request.headers
        target = {"HX-Redirect": path} if by_htmx else {"Location": path}
        answer = Response(b"", status_code=200 if by_htmx else 303, headers=target)
        if notice is not None:
            sealed = flash.seal(self._site.vault, self._(notice), tone)
            self._set_cookie(answer, flash.COOKIE, sealed, max_age=flash.LIFE_S)
        return answer

    def _set_cookie(
        self, answer: Html, name: str, value: str, *, max_age: int | None = None
    ) -> None:
        answer.set_cookie(
            key=name,
            value=value,
            max_age=max_age,
            httponly=True,
            secure=self._site.secure_cookies,
            samesite="lax",
        )

    def _answer(
        self,
        template: str,
        status_code: int,
        headers: Mapping[str, str] | None,
        context: Mapping[str, Any],
    ) -> Html:
        body = self.text(template, **context).encode()
        sent = {**HEADERS, "Content-Language": self.locale, **(headers or {})}
        takes_gzip = "gzip" in self._request.headers.get("accept-encoding", "")
        if takes_gzip and len(body) > WORTH_COMPRESSING:
            body = gzip.compress(body, 4)
            sent["Content-Encoding"] = "gzip"
        return Response(body, status_code=status_code, headers=sent, media_type=MEDIA_TYPE)


def page_of(request: AnyRequest) -> Page:
    """The page of a request; outside handlers too, e.g. for an error."""
    return Page(request, cast("Site", request.app.state.site))


def provide_page(request: AnyRequest) -> Page:
    """The dependency `page`."""
    return page_of(request)
