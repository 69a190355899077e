"""Words and rules of the coalition, without I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

BPS: Final = 10_000
"""Basis points of a whole."""


class ContractRole(StrEnum):
    """What a contract lets its member do."""

    ISSUER = "issuer"
    ACCEPTOR = "acceptor"
    BOTH = "both"

    @property
    def issues(self) -> bool:
        return self is not ContractRole.ACCEPTOR

    @property
    def accepts(self) -> bool:
        return self is not ContractRole.ISSUER


class Funding(StrEnum):
    """When an issuer's points are backed by money."""

    REDEMPTION = "redemption"
    ISSUANCE = "issuance"
    MIXED = "mixed"
    """A share of the price at issuance, the rest at redemption. Contracts and lots are mixed;
    an obligation is always of one part or the other."""

    def pooled_price_micros(self, price_micros: int, pooled_bps: int | None) -> int:
        """The part of a point's price that is paid when it is issued, in whole micros.

        Linear in points, so that what goes into the pool and what leaves it agree exactly.
        """
        if self is Funding.REDEMPTION:
            return 0
        if self is Funding.ISSUANCE:
            return price_micros
        return price_micros * (pooled_bps or 0) // BPS


class Breakage(StrEnum):
    """Who keeps the pool money of points that expire (funding at issuance)."""

    OPERATOR = "operator"
    ISSUER = "issuer"
    SHARED = "shared"

    def issuer_share_micros(self, funded_micros: int) -> int:
        """The issuer's part of `funded_micros`; the operator keeps the rest."""
        if self is Breakage.OPERATOR:
            return 0
        return funded_micros if self is Breakage.ISSUER else funded_micros // 2


class DisputeDefault(StrEnum):
    """What becomes of a dispute that nobody decides before its deadline."""

    REJECTED = "rejected"
    UPHELD = "upheld"


class Netting(StrEnum):
    """How a member asks to be settled: one leg with the clearing house, or a leg per partner."""

    MULTILATERAL = "multilateral"
    BILATERAL = "bilateral"
