"""Joins the catalog to the core through the same hooks a partner uses."""

from __future__ import annotations

from pathlib import Path

from catalog.models import CatalogBase
from catalog.routes import ROUTES
from marketplace import api


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
