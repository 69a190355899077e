"""Tables of what processes counted and what trouble plugins made."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import Base, utc_timestamp


class TallySum(Base):
    """A sum over all processes since the beginning, or (a gauge) one process's present value."""

    __tablename__ = "tally"

    name: Mapped[str] = mapped_column(primary_key=True)
    plugin: Mapped[str] = mapped_column(primary_key=True)
    """Empty where it is about no plugin."""
    label: Mapped[str] = mapped_column(primary_key=True)
    """What else tells it apart: a reason, an outcome, a process. May be empty."""
    value: Mapped[float] = mapped_column(sa.Double)
    counted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class PluginTrouble(Base):
    """The last trouble of one kind that a plugin made, in words."""

    __tablename__ = "plugin_trouble"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    """`rule`, `route`, `not_started`, or why its process was killed."""
    words: Mapped[str]
    times: Mapped[int] = mapped_column(sa.BigInteger)
    last_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
