"""Base of the clearing house's tables: a history of its own, beside the core's."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase

from marketplace.api import plugin_metadata


class SettlementBase(DeclarativeBase):
    """Names of the tables begin with `settlement_`; members and windows are named by their ids."""

    metadata = plugin_metadata()
