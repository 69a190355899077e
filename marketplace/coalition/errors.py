"""Errors of the coalition."""

from __future__ import annotations

from marketplace.errors import MarketplaceError


class NoContract(MarketplaceError):
    code = "no_contract"
    title = "The member has no contract in force at that moment"
    status = 409
