"""Imports one file of the catalog: all of it, or nothing. Known by slug, safe to repeat."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from sqlalchemy.ext.asyncio import AsyncSession

from catalog import writing
from catalog.imports import reading
from catalog.imports.checks import category_faults, listing_faults
from catalog.imports.documents import Spec, read_documents
from catalog.imports.report import CatalogReport, Counted
from catalog.imports.rows import CategoryRow, ListingRow, category_of, listing_of
from catalog.owning import Owner, not_own, not_own_listings
from catalog.specs import CategorySpec, ListingSpec
from marketplace.coalition.imports.reading import Reader
from marketplace.coalition.imports.report import Faults
from marketplace.errors import UsageError
from marketplace.identity.audit import audit

CHUNK: Final = 500
FORMATS: Final = ("csv", "json")
EVERYTHING: Final = Owner(None, runs_all=True)


async def import_catalog(
    session: AsyncSession,
    file: BinaryIO,
    format_: str,
    *,
    dry_run: bool = False,
    actor: str = "system:import",
    name: str = "-",
    owner: Owner = EVERYTHING,
) -> CatalogReport:
    """Import listings and categories in the caller's transaction; a bad file leaves it as it was.

    `format_` is `csv` or `json`. What is there already with the same content is left alone, with
    another it is changed; pictures and counts stay. Bad lines are in the report, and so is what is
    not the `owner`'s to write.
    """
    if format_ not in FORMATS:
        raise UsageError(f"The catalog is imported from {' or '.join(FORMATS)}, not {format_!r}.")
    faults = Faults()
    lines = read_documents(file, faults) if format_ == "json" else _read_csv(file, faults)
    work = _Import(session, faults, owner)
    savepoint = await session.begin_nested()
    await writing.one_at_a_time(session)
    for chunk in _chunks(lines):
        await work.take(chunk)
    if faults.total or dry_run:
        await savepoint.rollback()
    else:
        await savepoint.commit()
        if work.wrote:
            await writing.touch(session)
            counts = {"listings": work.listings.words, "categories": work.categories.words}
            await audit(session, actor, "catalog.import", "catalog", name, **counts)
    nothing = Counted()
    return CatalogReport(
        listings=nothing if faults.total else work.listings,
        categories=nothing if faults.total else work.categories,
        bad=faults.total,
        bad_lines=sorted(faults.kept),
        dry_run=dry_run,
    )


def _read_csv(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, Spec]]:
    """Lines of either kind of CSV file; its header tells which it is."""
    first = file.readline()
    rest = _Joined(first, file)
    header = next(csv.reader(io.StringIO(first.decode("utf-8-sig", errors="replace"))), [])
    if any(name.startswith("name_") for name in header):
        reader: Reader[Any] = Reader(rest, CategoryRow, faults)  # type: ignore[arg-type]
        make: Any = category_of
    else:
        reader, make = Reader(rest, ListingRow, faults), listing_of  # type: ignore[arg-type]
    for rows in reader.chunks():
        for line, row in rows:
            try:
                yield line, make(row)
            except ValueError as error:
                faults.add(line, str(error))


class _Joined:
    """A file whose first line was looked at already."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = first
        self._rest = rest

    def readlines(self, hint: int) -> list[bytes]:
        """As of the whole file."""
        if self._first:
            first, self._first = self._first, b""
            return [first, *self._rest.readlines(hint)]
        return self._rest.readlines(hint)


def _chunks(lines: Iterable[tuple[int, Spec]]) -> Iterator[list[tuple[int, Spec]]]:
    source = iter(lines)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


class _Import:
    """One file on its way in."""

    def __init__(self, session: AsyncSession, faults: Faults, owner: Owner) -> None:
        self._session = session
        self._owner = owner
        self._faults = faults
        self._seen: dict[tuple[str, str], int] = {}
        """Line by kind (`listing`, `category`, `offer`) and name."""
        self.listings = Counted()
        self.categories = Counted()

    @property
    def wrote(self) -> bool:
        return bool(
            self.listings.new
            or self.listings.changed
            or self.categories.new
            or self.categories.changed
        )

    async def take(self, chunk: Sequence[tuple[int, Spec]]) -> None:
        """Check and write some lines; after the first fault they are only checked."""
        categories = [(n, spec) for n, spec in chunk if isinstance(spec, CategorySpec)]
        listings = [(n, spec) for n, spec in chunk if isinstance(spec, ListingSpec)]
        if categories:
            await self._take_categories(categories)
        if listings:
            await self._take_listings(listings)

    async def _take_categories(self, lines: Sequence[tuple[int, CategorySpec]]) -> None:
        present = await reading.category_specs(self._session)
        good: list[CategorySpec] = []
        for line, spec in lines:
            known = set(present) | {each.slug for each in good}
            reasons = list(category_faults(spec))
            reasons += self._twice("category", spec.slug, line)
            if not self._owner.runs_all:
                reasons.append("categories are the operator's")
            if spec.parent is not None and spec.parent not in known:
                reasons.append(f"there is no category {spec.parent!r}; parents come first")
            elif _is_below(spec, {**present, **{each.slug: each for each in good}}):
                reasons.append(f"{spec.parent!r} is below {spec.slug!r} itself")
            self._note(line, reasons)
            if not reasons:
                good.append(spec)
        changed = [spec for spec in good if present.get(spec.slug) != spec]
        self._count(self.categories, good, changed, set(present))
        if changed and not self._faults.total:
            await writing.put_categories(self._session, changed)
            await writing.reindex_categories(self._session, [each.slug for each in changed])

    async def _take_listings(self, lines: Sequence[tuple[int, ListingSpec]]) -> None:
        slugs = [spec.slug for _, spec in lines]
        ids, present = await reading.listing_specs(self._session, slugs)
        offers = {each.offer for _, spec in lines for each in spec.denominations}
        owners = await reading.owners_of_offers(self._session, offers)
        # Categories of this file count even where a fault keeps them from being written.
        categories = {name for kind, name in self._seen if kind == "category"}
        categories.update(await reading.category_specs(self._session))
        foreign = await not_own_listings(self._session, self._owner, slugs)
        strange = await not_own(self._session, self._owner, offers)
        good = []
        for line, spec in lines:
            reasons = list(listing_faults(spec))
            reasons += self._twice("listing", spec.slug, line)
            if spec.category is not None and spec.category not in categories:
                reasons.append(f"there is no category {spec.category!r}; import categories first")
            if spec.slug in foreign:
                reasons.append(f"there is a listing {spec.slug!r} of somebody else already")
            before = present.get(spec.slug)
            if not self._owner.runs_all and spec.featured != (before.featured if before else 0):
                reasons.append("featured is the operator's to say")
            for each in spec.denominations:
                if each.offer in strange:
                    reasons.append(f"there is no offer {each.offer!r}; import offers first")
                    continue
                reasons += self._offer_faults(each.offer, spec.slug, line, owners, set(slugs))
            self._note(line, reasons)
            if not reasons:
                good.append(spec)
        changed = [spec for spec in good if present.get(spec.slug) != spec]
        self._count(self.listings, good, changed, set(present))
        if changed and not self._faults.total:
            await writing.put_listings(self._session, changed, ids)

    def _offer_faults(
        self, offer: str, slug: str, line: int, owners: dict[str, str | None], chunk: set[str]
    ) -> list[str]:
        first = self._seen.setdefault(("offer", offer), line)
        if first != line:
            return [f"offer {offer!r} is in the listing on line {first} already"]
        owner = owners[offer]
        if owner is None or owner == slug or owner in chunk or ("listing", owner) in self._seen:
            return []
        return [f"offer {offer!r} is in the listing {owner!r} already"]

    def _twice(self, kind: str, slug: str, line: int) -> list[str]:
        first = self._seen.setdefault((kind, slug), line)
        return [] if first == line else [f"slug {slug!r} is on line {first} already"]

    def _note(self, line: int, reasons: Iterable[str]) -> None:
        for reason in reasons:
            self._faults.add(line, reason)

    def _count(
        self, counted: Counted, good: Sequence[Spec], changed: Sequence[Spec], present: set[str]
    ) -> None:
        new = sum(spec.slug not in present for spec in changed)
        counted.new += new
        counted.changed += len(changed) - new
        counted.unchanged += len(good) - len(changed)


def _is_below(spec: CategorySpec, known: dict[str, CategorySpec]) -> bool:
    """Whether the parent of a category is somewhere below it."""
    at, steps = spec.parent, 0
    while at is not None and steps <= len(known):
        if at == spec.slug:
            return True
        at = known[at].parent if at in known else None
        steps += 1
    return False


def format_of(path: Path, given: str | None) -> str:
    """The format of a file: as told, else by its ending."""
    return given or path.suffix.removeprefix(".").lower()
