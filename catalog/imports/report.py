"""What an import of the catalog did, and what was wrong with the file."""

from __future__ import annotations

import msgspec

from marketplace.coalition.imports.report import MOST_PRINTED, BadLine


class Counted(msgspec.Struct):
    """Things of one kind in a file."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    @property
    def words(self) -> str:
        return f"{self.new:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged"


class CatalogReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one file: all of it, or nothing."""

    listings: Counted
    categories: Counted
    bad: int
    """Faults found; a line may have several."""
    bad_lines: list[BadLine]
    """The first thousand of them, by line."""
    dry_run: bool

    @property
    def ok(self) -> bool:
        """Whether the whole file is good."""
        return self.bad == 0

    def lines(self) -> list[str]:
        """The report in words."""
        if self.ok:
            note = " (dry run: nothing was written)" if self.dry_run else ""
            both = (("categories", self.categories), ("listings", self.listings))
            told = [f"{name}: {each.words}{note}" for name, each in both if each != Counted()]
            return told or [f"listings: {Counted().words}{note}"]
        shown = [f"line {bad.line}: {bad.reason}" for bad in self.bad_lines[:MOST_PRINTED]]
        if self.bad > len(shown):
            shown.append(f"and {self.bad - len(shown):,} more")
        return [*shown, f"nothing was imported; {self.bad:,} faults"]
