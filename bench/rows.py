"""Rows of a measurement: a figure, what it is measured against, and whether the goal is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

import click
import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `ratio` is value over reference; without a goal there is no verdict."""

    row: str
    value: float
    unit: str
    reference: str = ""
    """Name and value of what it is measured against."""
    ratio: float | None = None
    goal: str = ""
    verdict: Literal["met", "missed", ""] = ""


def ratio_row(
    row: str,
    value: float,
    unit: str,
    *,
    against: str,
    reference: float,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """A figure against a reference, judged by the ratio where a bound is given."""
    ratio = value / reference
    goal, met = "", True
    if at_least is not None:
        goal, met = f">= {at_least}", ratio >= at_least
    elif at_most is not None:
        goal, met = f"<= {at_most}", ratio <= at_most
    return Row(
        row=row,
        value=round(value, 2),
        unit=unit,
        reference=f"{against} {reference:,.2f}",
        ratio=round(ratio, 3),
        goal=goal,
        verdict=("met" if met else "missed") if goal else "",
    )


def turns_row(
    row: str,
    values: Sequence[float],
    unit: str,
    *,
    against: str,
    references: Sequence[float],
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """A figure taken in turns with its reference, a value and a reference for each round.

    Judged by the median of the rounds' ratios, which a machine that changes its speed between them
    does not move; the value shown is that ratio of the median reference.
    """
    ratio = statistics.median(
        value / reference for value, reference in zip(values, references, strict=True)
    )
    reference = statistics.median(references)
    return ratio_row(
        row,
        ratio * reference,
        unit,
        against=against,
        reference=reference,
        at_least=at_least,
        at_most=at_most,
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as a table with aligned columns."""
    head = ("row", "value", "unit", "reference", "ratio", "goal", "verdict")
    lines = [head] + [
        (
            each.row,
            f"{each.value:,.2f}",
            each.unit,
            each.reference,
            "" if each.ratio is None else f"{each.ratio:.2f}",
            each.goal,
            each.verdict,
        )
        for each in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    numeric = {1, 4}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def json_lines(rows: Sequence[Row]) -> str:
    """One JSON object per row and line."""
    return "\n".join(msgspec.json.encode(row).decode() for row in rows)


def tell(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows, on stdout."""
    click.echo(json_lines(rows) if as_json else table(rows))
