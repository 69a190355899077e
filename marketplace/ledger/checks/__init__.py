"""The invariants of the ledger, each a small named check in SQL. `ALL` is what verify proves."""

from __future__ import annotations

from marketplace.contract.proving import Check
from marketplace.ledger.checks import burns, money, points, references, windows

ALL: tuple[Check, ...] = (
    *references.CHECKS,
    *points.CHECKS,
    *burns.CHECKS,
    *money.CHECKS,
    *windows.CHECKS,
)
"""Every check, in the order they run: first that rows point at rows, then points, then money and
windows."""
