"""Joins the catalog to the core through the same hooks a partner uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from catalog.commands import make_commands
from catalog.describing import ListingDescriber
from catalog.models import CatalogBase
from catalog.pages import PAGES
from catalog.routes import ROUTES
from catalog.tasks import make_tasks
from marketplace import api
from marketplace.host import PluginHost


@api.hookimpl
def marketplace_register_tables() -> api.PluginTables:
    """Listings, words, pictures, prices to come, wishes."""
    return api.PluginTables(
        metadata=CatalogBase.metadata, migrations=Path(__file__).parent / "migrations"
    )


@api.hookimpl
def marketplace_register_routes() -> api.Routes:
    """Search, listings, categories, pictures, suggestions and wishes under /v1/catalog."""
    return ROUTES


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Search, listings, wishes and previews under /catalog."""
    return PAGES


@api.hookimpl
def marketplace_register_offer_describers(host: api.Host) -> Sequence[api.OfferDescriber]:
    """Offers as their listings show them."""
    return [ListingDescriber(host)]


@api.hookimpl
def marketplace_register_commands(host: api.Host) -> Sequence[api.Command]:
    """`marketplace catalog ...`."""
    return make_commands(cast(PluginHost, host))


@api.hookimpl
def marketplace_register_tasks(host: api.Host) -> Sequence[api.PeriodicTask]:
    """Prices whose moment has come, counts, alerts of wishes."""
    return make_tasks(cast(PluginHost, host))
