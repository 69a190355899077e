"""Joins the clearing house to the core through the same hooks a partner uses."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace import api
from settlement.commands import positions
from settlement.pages import PAGES


@api.hookimpl
def marketplace_register_commands() -> Sequence[api.Command]:
    """`marketplace ledger positions`."""
    return [api.Command(group="ledger", command=positions)]


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Positions under /settlement."""
    return PAGES
