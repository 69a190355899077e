"""Sets of any size in a query: one parameter, however many values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


def among(column: Any, values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether the column is one of these values. `in_` sends a parameter for each of them, and
    PostgreSQL takes 32,767 of them."""
    found: sa.ColumnElement[bool] = column == sa.any_(
        sa.cast(list(values), ARRAY(column.expression.type))
    )
    return found
