"""What can go wrong with plugins and their settings."""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.errors import MarketplaceError


class UnknownPlugin(MarketplaceError):
    code = "unknown_plugin"
    title = "No such plugin is installed"
    status = 404


class InvalidSettings(MarketplaceError):
    """`errors` holds words by field."""

    code = "invalid_settings"
    title = "Some settings cannot be taken"
    status = 422

    def __init__(self, errors: Mapping[str, str]) -> None:
        told = "; ".join(f"{name}: {words}" for name, words in errors.items())
        super().__init__(told, errors=[{"field": k, "message": v} for k, v in errors.items()])
        self.errors = dict(errors)


class NotCertified(MarketplaceError):
    code = "not_certified"
    title = "The plugin cannot be activated without a report that it passed"
    status = 409


class ConnectionFailed(MarketplaceError):
    code = "connection_failed"
    title = "The plugin's own test of its settings failed"
    status = 409
