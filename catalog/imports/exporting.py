"""Writes the catalog to a file that import reads back to the same."""

from __future__ import annotations

import csv
from typing import TextIO

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.imports import reading
from catalog.imports.documents import document_of
from catalog.imports.rows import ListingRow, cells_of_category, cells_of_listing
from catalog.owning import Owner, owned_slugs
from catalog.specs import CategorySpec, ListingSpec
from marketplace.errors import UsageError

CHUNK = 500


async def export_listings(
    session: AsyncSession, file: TextIO, format_: str, owner: Owner | None = None
) -> int:
    """Write every listing (of an owner) by slug, some hundred at a time; returns how many.

    JSON of all begins with the categories, so that one file holds everything. UsageError where a
    listing does not fit CSV.
    """
    if format_ == "json" and owner is None:
        for category in (await reading.category_specs(session)).values():
            _write_object(file, category)
    slugs = await owned_slugs(session, owner or Owner(None, runs_all=True))
    writer: csv.DictWriter[str] | None = None
    if format_ == "csv" and not slugs:
        csv.writer(file, lineterminator="\n").writerow(ListingRow.__struct_fields__)
    for start in range(0, len(slugs), CHUNK):
        _, specs = await reading.listing_specs(session, slugs[start : start + CHUNK])
        for spec in specs.values():
            if format_ == "json":
                _write_object(file, spec)
            else:
                writer = _write_cells(file, writer, _cells(spec))
        session.expunge_all()
    return len(slugs)


def _cells(spec: ListingSpec) -> dict[str, str]:
    try:
        return cells_of_listing(spec)
    except ValueError as error:
        raise UsageError(f"{error}.") from None


async def export_categories(session: AsyncSession, file: TextIO) -> int:
    """Write every category as CSV, parents first; returns how many."""
    specs = await reading.category_specs(session)
    writer: csv.DictWriter[str] | None = None
    for spec in specs.values():
        writer = _write_cells(file, writer, cells_of_category(spec))
    return len(specs)


def _write_object(file: TextIO, spec: ListingSpec | CategorySpec) -> None:
    file.write(msgspec.json.encode(document_of(spec)).decode() + "\n")


def _write_cells(
    file: TextIO, writer: csv.DictWriter[str] | None, cells: dict[str, str]
) -> csv.DictWriter[str]:
    if writer is None:
        writer = csv.DictWriter(file, fieldnames=list(cells), lineterminator="\n")
        writer.writeheader()
    writer.writerow(cells)
    return writer
