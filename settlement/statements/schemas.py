"""What is told of statements over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from settlement.statements.models import MemberStatement


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was issued."""

    number: int
    window_id: UUID | None
    settlement_id: UUID | None
    lines: int
    sums: list[dict[str, Any]]
    """By currency: `owes_micros`, `owed_micros`, `fee_micros`, `net_micros` and so on."""
    sha256: str
    prior_sha256: str | None
    public_key: str
    issued_at: datetime


class Statements(msgspec.Struct, frozen=True):
    """Statements of one member, newest first."""

    statements: list[StatementView]


class HouseKeyView(msgspec.Struct, frozen=True):
    """The key that signs statements."""

    algorithm: str
    public_key: str
    """Base64 of the 32 bytes."""


def view(row: MemberStatement) -> StatementView:
    """A row as it is told."""
    return StatementView(
        number=row.number,
        window_id=row.window_id,
        settlement_id=row.settlement_id,
        lines=row.lines,
        sums=row.sums,
        sha256=row.sha256,
        prior_sha256=row.prior_sha256,
        public_key=row.public_key,
        issued_at=row.issued_at,
    )
