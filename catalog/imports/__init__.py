"""Listings and categories in and out of files: CSV and JSON, all of a file or nothing."""

from catalog.imports.exporting import export_categories, export_listings
from catalog.imports.report import CatalogReport
from catalog.imports.service import import_catalog

__all__ = ["CatalogReport", "export_categories", "export_listings", "import_catalog"]
