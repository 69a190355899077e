"""Net positions: what each party owes or is owed, from obligations. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

import msgspec

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind

OPERATOR = "operator"
"""Name of the operator's margin among the positions."""


class PartyKind(StrEnum):
    """Who can have a position."""

    MEMBER = "member"
    OPERATOR = "operator"
    POOL = "pool"


class Party(msgspec.Struct, frozen=True, order=True):
    """A member, the operator's margin, or the pool of an issuer that funds at issuance."""

    kind: PartyKind
    slug: str = ""
    """Of the member or of the pool's issuer; empty for the operator's margin."""

    @property
    def name(self) -> str:
        """As printed: the member's slug, `operator`, or `pool:<issuer>`."""
        if self.kind is PartyKind.OPERATOR:
            return OPERATOR
        return self.slug if self.kind is PartyKind.MEMBER else f"pool:{self.slug}"


MARGIN = Party(PartyKind.OPERATOR)


class Flow(msgspec.Struct, frozen=True):
    """Obligations of one sort, summed. Micros of `currency`; refunds are negative."""

    period: str
    """A month (`2017-01`) or the id of a window."""
    currency: str
    kind: ObligationKind
    funding: Funding
    issuer: str
    acceptor: str | None
    """Who the cost goes to; None where nobody gets any."""
    funded_micros: int
    cost_micros: int


class DebtFlow(msgspec.Struct, frozen=True):
    """Debts of one member to another outside burns, summed. Contras are negative."""

    period: str
    currency: str
    debtor: str
    creditor: str
    amount_micros: int


Positions: TypeAlias = dict[Party, int]
"""Net per party in micros: positive is owed to it, negative it owes."""


def legs(flow: Flow | DebtFlow) -> list[tuple[Party, int]]:
    """Who pays and who gets what of one flow; sums to zero."""
    if isinstance(flow, DebtFlow):
        return [
            (Party(PartyKind.MEMBER, flow.debtor), -flow.amount_micros),
            (Party(PartyKind.MEMBER, flow.creditor), flow.amount_micros),
        ]
    issuer = Party(PartyKind.MEMBER, flow.issuer)
    pool = Party(PartyKind.POOL, flow.issuer)
    from_issuer = flow.kind is ObligationKind.ISSUANCE or (
        flow.funding is Funding.REDEMPTION and flow.kind is not ObligationKind.EXPIRY
    )
    rest_to = pool if flow.kind is ObligationKind.ISSUANCE else MARGIN
    found = [
        (issuer if from_issuer else pool, -flow.funded_micros),
        (rest_to, flow.funded_micros - flow.cost_micros),
    ]
    if flow.acceptor is not None:
        found.append((Party(PartyKind.MEMBER, flow.acceptor), flow.cost_micros))
    return found


def net(flows: Iterable[Flow | DebtFlow]) -> dict[tuple[str, str], Positions]:
    """Positions by (period, currency), both in order; parties that net to zero stay, as zero."""
    found: dict[tuple[str, str], Positions] = {}
    for flow in flows:
        positions = found.setdefault((flow.period, flow.currency), {})
        for party, micros in legs(flow):
            positions[party] = positions.get(party, 0) + micros
    return {
        key: {party: found[key][party] for party in sorted(found[key])} for key in sorted(found)
    }


def by_name(positions: Positions) -> dict[str, int]:
    """Positions by printed name, without zeros.

    Where the member that operates the coalition has the slug `operator`, its own trade and its
    margin are one company's and come out as one line.
    """
    found: dict[str, int] = {}
    for party, micros in positions.items():
        found[party.name] = found.get(party.name, 0) + micros
    return {name: micros for name, micros in found.items() if micros}
