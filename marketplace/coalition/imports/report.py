"""What an import did, and what was wrong with the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from marketplace.coalition.domain import Funding
from marketplace.errors import InvalidRequest

MOST_KEPT = 1_000
"""Bad lines kept with their reason; all are counted."""
MOST_PRINTED = 100


class BadLine(msgspec.Struct, frozen=True, order=True):
    """A line that cannot be imported. The header is line 1."""

    line: int
    reason: str


class BadLines(InvalidRequest):
    """Nothing of a file was taken; `errors` names its bad lines, `error_count` all of them."""

    code = "bad_lines"
    title = "The file has lines that cannot be taken"

    def __init__(self, bad: int, lines: Sequence[BadLine]) -> None:
        told = "; ".join(f"line {each.line}: {each.reason}" for each in lines[:5])
        more = f"; and {bad - 5:,} more" if bad > 5 else ""
        super().__init__(
            f"Nothing was taken. {told}{more}.",
            errors=[{"line": each.line, "reason": each.reason} for each in lines[:MOST_PRINTED]],
            error_count=bad,
        )


class Faults:
    """Collects bad lines, within bounds."""

    def __init__(self) -> None:
        self.total = 0
        self.kept: list[BadLine] = []

    def add(self, line: int, reason: str) -> None:
        """Note that a line is bad."""
        self.total += 1
        if len(self.kept) < MOST_KEPT:
            self.kept.append(BadLine(line, reason))

    def extend(self, lines: Iterable[BadLine], total: int) -> None:
        """Note bad lines found elsewhere, `total` of them."""
        self.total += total
        self.kept = sorted([*self.kept, *lines])[:MOST_KEPT]


class Worth(msgspec.Struct, frozen=True):
    """What points cost their issuer, by its contract."""

    currency: str
    funding: Funding
    micros: int


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one file: all of it, or nothing."""

    kind: str
    new: int
    """Rows written (that would be written, in a dry run); 0 where a line is bad."""
    unchanged: int
    """Rows that were there already, with the same content."""
    changed: int = 0
    """Rows that were there and are amended; only imports that may do so have any."""
    bad: int
    """Faults found; a line may have several."""
    bad_lines: list[BadLine]
    """The first MOST_KEPT of them, by line."""
    dry_run: bool
    warnings: list[str] = []
    """What was imported all the same and should be known."""
    points: int = 0
    """Of the new rows, for issuances."""
    worth: list[Worth] = []
    """Of the new rows, for issuances of one issuer."""

    @property
    def ok(self) -> bool:
        """Whether the whole file is good."""
        return self.bad == 0

    def lines(self) -> list[str]:
        """The report in words."""
        if self.ok:
            note = " (dry run: nothing was written)" if self.dry_run else ""
            told = [f"warning: {each}" for each in self.warnings]
            changed = f", {self.changed:,} changed" if self.changed else ""
            counted = f"{self.new:,} new{changed}, {self.unchanged:,} unchanged"
            return [*told, f"{self.kind}: {counted}{note}"]
        shown = [f"line {bad.line}: {bad.reason}" for bad in self.bad_lines[:MOST_PRINTED]]
        if self.bad > len(shown):
            shown.append(f"and {self.bad - len(shown):,} more")
        return [*shown, f"{self.kind}: nothing was imported; {self.bad:,} faults"]
