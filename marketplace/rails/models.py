"""Tables of what rails tell."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import Base, utc_timestamp


class RailNews(Base):
    """A rail has heard something about a leg: it is to be asked soon, then this goes away."""

    __tablename__ = "rail_news"

    plugin: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    reference: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    """Of the leg."""
    told_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.clock_timestamp()
    )
    """Real time, of the last such news."""
