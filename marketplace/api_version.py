"""Which plugins fit this house: the version of the plugin API, negotiated when a plugin loads.

The house speaks `marketplace.api.API_VERSION`, "major.minor". A plugin states the version it was
written for as `api_version = "1.0"` in the module its entry point names; without it, FIRST. Minor
versions only add, so a plugin fits where the major is the house's and the minor is not newer.
"""

from __future__ import annotations

import re
from typing import Any

from marketplace import api

FIRST = "1.0"
"""What a plugin that states nothing was written for."""
WRITTEN = re.compile(r"(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})")


def stated(module: Any) -> str:
    """The version a plugin says it was written for, as it says it."""
    return str(getattr(module, "api_version", FIRST))


def refusal(module: Any, house: str = api.API_VERSION) -> str | None:
    """Why a plugin does not fit `house`, in words for its author; None where it does."""
    theirs = stated(module)
    found = WRITTEN.fullmatch(theirs)
    if not found:
        return f'its api_version is {theirs!r}, not "major.minor" like "{FIRST}"'
    major, minor = (int(each) for each in found.groups())
    our_major, our_minor = (int(each) for each in house.split("."))
    if major > our_major or (major == our_major and minor > our_minor):
        return (
            f"it was written for version {theirs} of the plugin API, and this marketplace speaks "
            f"{house}: upgrade the marketplace, or install an older version of the plugin"
        )
    if major < our_major:
        return (
            f"it was written for version {theirs} of the plugin API, which this marketplace "
            f"({house}) no longer speaks: install a newer version of the plugin"
        )
    return None


class HookDeprecated(DeprecationWarning):
    """A hook that a later version takes away: `hookspec(warn_on_impl=HookDeprecated(...))`.

    `hook` still works in `since` and every version before `gone_in`; use `instead`.
    """

    def __init__(self, hook: str, *, instead: str, since: str, gone_in: str) -> None:
        super().__init__(
            f"{hook} is deprecated since version {since} of the plugin API and goes away in "
            f"{gone_in}; implement {instead} instead"
        )
