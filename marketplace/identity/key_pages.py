"""Pages: `/partner/keys`, a member's API keys: made, shown once, revoked."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.identity import keys
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.identity.schemas import KeyOut
from marketplace.web.access import access
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import AnyRequest, Html, Page

PEOPLE = access(roles=CONSOLE_ROLES, page=True)
KEYS = "/partner/keys"
REVOKE = f"{KEYS}/{{key_id:uuid}}/revoke"
LONGEST_LABEL = 100
MOST_SHOWN = 200

SCOPES: Final[dict[Scope, tuple[Lazy, Lazy]]] = {
    Scope.BURNS_WRITE: (
        _l("Burn points"),
        _l("Spends points of people of firms you look after; for a shop of yours."),
    ),
    Scope.BURNS_READ: (
        _l("Read orders"),
        _l("Sees burns of those people, and orders of your offers."),
    ),
    Scope.WALLETS_READ: (
        _l("Read wallets"),
        _l("Sees points of people of firms you look after, and where they came from."),
    ),
    Scope.ISSUANCES_WRITE: (
        _l("Issue points"),
        _l("Gives points that you pay for. Keep it where only your own systems are."),
    ),
    Scope.REFUNDS_WRITE: (
        _l("Refund orders"),
        _l("Gives points of delivered orders back, and takes back what you were paid."),
    ),
    Scope.OFFERS_READ: (_l("Read offers"), _l("Sees offers, prices and what is left of them.")),
    Scope.OFFERS_WRITE: (
        _l("Change offers"),
        _l("Makes, amends and stops your offers, listings and prices."),
    ),
    Scope.STOCK_WRITE: (
        _l("Fill up stock"),
        _l("Adds what plugins give out for you, e.g. codes."),
    ),
    Scope.VOUCHERS_REDEEM: (
        _l("Redeem vouchers"),
        _l("Checks and redeems vouchers; for a till or shop of yours."),
    ),
    Scope.WEBHOOKS_READ: (
        _l("Read webhooks"),
        _l("Sees your webhooks and what became of their messages."),
    ),
    Scope.WEBHOOKS_WRITE: (
        _l("Change webhooks"),
        _l("Makes, tests and removes webhooks, and has messages delivered again."),
    ),
    Scope.SETTLEMENT_READ: (
        _l("Read settlement"),
        _l("Sees statements, lines and disputes of your company, for your accounts."),
    ),
    Scope.SETTLEMENT_WRITE: (
        _l("Dispute lines"),
        _l("Disputes lines of your statements, and takes disputes back."),
    ),
    Scope.METRICS_READ: (
        _l("Read figures for monitoring"),
        _l("Sees how the whole house is doing; the operator's keys only."),
    ),
}
"""What each scope lets a program do, in words."""


class KeyForm(msgspec.Struct):
    """A key to be made."""

    label: str = ""
    scopes: frozenset[Scope] = frozenset()

    @classmethod
    async def of(cls, request: AnyRequest) -> KeyForm:
        """What the form sent; scopes that there are not are left out."""
        sent = await request.form()
        wanted = {str(each) for each in sent.getall("scopes", [])}
        return cls(
            label=str(sent.get("label", "")).strip(),
            scopes=frozenset(scope for scope in Scope if scope.value in wanted),
        )

    def problems(self) -> dict[str, Lazy]:
        """What is wrong, by field."""
        wrong = {}
        if not 1 <= len(self.label) <= LONGEST_LABEL or not self.label.isprintable():
            wrong["label"] = _l("A name in one line, so that you know it again.")
        if not self.scopes:
            wrong["scopes"] = _l("Choose at least one thing it may do.")
        return wrong


def may_make(page: Page, console: Console) -> bool:
    """Keys of the operator member act for the whole coalition: the operator alone makes them."""
    is_operator = page.principal is not None and Role.OPERATOR in page.principal.roles
    return is_operator or not console.is_operator


@get(KEYS, opt=PEOPLE, include_in_schema=False)
async def show_keys(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The member's keys, and a form to make one."""
    return await _keys(page, console, session, KeyForm())


async def _keys(
    page: Page,
    console: Console,
    session: AsyncSession,
    form: KeyForm,
    problems: Mapping[str, Lazy] | None = None,
) -> Html:
    found = await keys.list_keys(
        session, member_id=console.member_id, before=None, limit=MOST_SHOWN
    )
    return page.render(
        "identity/keys.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        live=[key for key in found if key.revoked_at is None],
        revoked=[key for key in found if key.revoked_at is not None],
        scopes=SCOPES,
        form=form,
        problems=problems or {},
        may_make=may_make(page, console),
    )


@post(KEYS, opt=PEOPLE, include_in_schema=False, status_code=HTTPStatus.OK)
async def make_key(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    request: AnyRequest,
) -> Html:
    """Make a key and show it, this once."""
    form = await KeyForm.of(request)
    if problems := form.problems():
        return await _keys(page, console, session, form, problems)
    made = await keys.create_key_for(
        session, principal, member=console.slug, label=form.label, scopes=form.scopes
    )
    return page.render("identity/key_made.html", made=made, scopes=SCOPES)


@get(REVOKE, opt=PEOPLE, include_in_schema=False)
async def ask_to_revoke(
    key_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What revoking means, before it is done."""
    key = await _find(session, console, key_id)
    return page.render("identity/key_revoke.html", key=key, scopes=SCOPES)


async def _find(session: AsyncSession, console: Console, key_id: UUID) -> KeyOut:
    found = await keys.find_key(session, key_id, member_id=console.member_id)
    if found is None:
        raise NotFound("There is no such key.")
    return found


@post(REVOKE, opt=PEOPLE, include_in_schema=False, status_code=HTTPStatus.SEE_OTHER)
async def revoke(
    key_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Revoke a key for good."""
    key = await _find(session, console, key_id)
    await keys.revoke_key(session, principal.actor, key.id, member_id=console.member_id)
    notice = page._("The key “%(label)s” is revoked.") % {"label": key.label}
    return page.redirect(console.path(KEYS), notice=notice)


routes = [show_keys, make_key, ask_to_revoke, revoke]
nav = [
    NavEntry(
        key="console-keys",
        label=_l("API keys"),
        path=KEYS,
        roles=CONSOLE_ROLES,
        order=80,
        symbol="lock",
        console=True,
    )
]
