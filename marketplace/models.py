"""The declarative base all rooms share, with one naming convention for constraints."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of the core's tables. A plugin has its own (`api.plugin_metadata`)."""

    metadata = sa.MetaData(naming_convention=NAMING)


def utc_timestamp() -> sa.DateTime:
    """The one column type for moments: timestamptz."""
    return sa.DateTime(timezone=True)


def text_enum(kind: type[StrEnum], name: str) -> sa.Enum:
    """A PostgreSQL enum whose labels are the values of `kind`."""
    return sa.Enum(kind, name=name, values_callable=lambda e: [member.value for member in e])


INSERT_ONLY: Final = {"insert_only": True}
"""`Table.info` of tables whose rows never change: no UPDATE/DELETE grant, and a trigger."""


def insert_only_tables(metadata: sa.MetaData) -> list[str]:
    """Names of the tables in `metadata` that are insert-only."""
    return [table.name for table in metadata.sorted_tables if table.info.get("insert_only")]
