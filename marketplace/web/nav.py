"""What the header of every page leads to, by role; and the sections of the partner console."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from marketplace.identity.domain import Principal, Role
from marketplace.web.i18n import Lazy


class NavEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A link in the header: the main navigation, or the menu of the person who is signed in.

    With `console` it is a section of the partner console instead.
    """

    key: str
    """What a handler sets `page.active` to, e.g. `wallet`."""
    label: Lazy | str
    """In English, marked with `lazy`."""
    path: str
    """Of a plugin: below `/<slug>`; of its section of the console: below `/<slug>/partner`."""
    roles: frozenset[Role] = frozenset(Role)
    """Who sees it; it says nothing about who may enter, which the route states."""
    strangers: bool = False
    """Whether those see it too who are not signed in."""
    order: int = 50
    """Lower comes first; the first one of a role is its home."""
    in_menu: bool = False
    """In the person's menu, not in the main navigation."""
    symbol: str | None = None
    """A drawing of `components/icon.html`: the link stands beside the person's menu as that; in the
    console, before the label."""
    count_path: str | None = None
    """A page fragment with a short count, e.g. of unread notices; asked for by htmx alone."""
    console: bool = False
    """A section of the partner console; its pages extend `web/console.html`."""


def visible(entries: Iterable[NavEntry], principal: Principal | None) -> Sequence[NavEntry]:
    """The entries for this reader, or for a stranger, in order."""
    if principal is None:
        found = [each for each in entries if each.strangers]
    else:
        found = [each for each in entries if not each.roles.isdisjoint(principal.roles)]
    return sorted(found, key=lambda each: (each.order, each.key))
