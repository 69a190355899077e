"""Joins the clearing house to the core through the same hooks a partner uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import settlement.bank.models
import settlement.clearing.models
import settlement.history  # noqa: F401
from marketplace import api
from settlement.base import SettlementBase
from settlement.commands import positions
from settlement.pages import PAGES


@api.hookimpl
def marketplace_register_tables() -> api.PluginTables:
    """Settlements, legs, the clearing house's own books, and the history of every status."""
    return api.PluginTables(
        metadata=SettlementBase.metadata, migrations=Path(__file__).parent / "migrations"
    )


@api.hookimpl
def marketplace_register_commands() -> Sequence[api.Command]:
    """`marketplace ledger positions`."""
    return [api.Command(group="ledger", command=positions)]


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Positions under /settlement."""
    return PAGES
