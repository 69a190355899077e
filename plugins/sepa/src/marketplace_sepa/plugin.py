"""What the plugin registers."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.api import FileRail, Host, PluginSettings, hookimpl
from marketplace_sepa.rail import Sepa
from marketplace_sepa.sides import House

api_version = "1.3"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_settings() -> PluginSettings:
    """The clearing house's own account."""
    return PluginSettings(house=House)


@hookimpl
def marketplace_register_rails(host: Host) -> Sequence[FileRail]:
    """The rail; members choose it by the slug."""
    return [Sepa(host)]
