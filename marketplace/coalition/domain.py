"""Words and rules of the coalition, without I/O."""

from __future__ import annotations

from enum import StrEnum


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
