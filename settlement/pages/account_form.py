"""The form of an account, as its rail asks for it: of finance and of the member itself."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from marketplace.errors import InvalidRequest, MarketplaceError
from marketplace.registry import forms
from marketplace.registry.errors import InvalidSettings
from marketplace.web.filled import Filled
from marketplace.web.i18n import Lazy
from settlement.clearing import accounts
from settlement.clearing.rails import Rails, rail_of

PREFIX: Final = "set:"
"""Before the name of a field of the rail's."""


class AskedAccount(msgspec.Struct, frozen=True):
    """An account as it was typed; the rail has been asked whether money could reach it."""

    rail: str
    currency: str
    account: dict[str, Any]


def fields_of(rails: Rails, rail: str) -> tuple[forms.FormField, ...]:
    """What a form can ask of an account of this rail; nothing where none can. RailMissing."""
    try:
        return forms.fields(rail_of(rails, rail).account)
    except forms.Unsupported:
        return ()


def parts(rails: Rails, rail: str, filled: Filled, problems: dict[str, Any]) -> dict[str, Any]:
    """What the template of the form is rendered with."""
    return {
        "rail": rail,
        "currencies": sorted(rail_of(rails, rail).currencies),
        "fields": fields_of(rails, rail),
        "filled": filled,
        "problems": problems,
        "prefix": PREFIX,
    }


async def ask(rails: Rails, filled: Filled) -> AskedAccount:
    """The account of a form that was sent, checked by its rail, outside any transaction.

    Whatever is wrong with it is raised, and `problems_of` says where it is shown.
    """
    rail, currency = filled["rail"], filled["currency"].strip().upper()
    struct = rail_of(rails, rail).account
    if not fields_of(rails, rail):
        raise InvalidRequest(f"No form can ask for accounts of the rail {rail}: use the API.")
    given = {
        name.removeprefix(PREFIX): value
        for name, value in filled.typed.items()
        if name.startswith(PREFIX)
    }
    account = msgspec.to_builtins(forms.read(struct, given, form=True))
    await accounts.check(rails, rail=rail, currency=currency, account=account)
    return AskedAccount(rail, currency, account)


def problems_of(error: MarketplaceError) -> dict[str, Any]:
    """What was raised, by field; under no name what concerns the whole form, as (title, words)."""
    if isinstance(error, InvalidSettings):
        return {PREFIX + name: words for name, words in error.errors.items()}
    return {"": (Lazy(error.title), str(error))}
