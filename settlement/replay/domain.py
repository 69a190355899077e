"""Obligations of windows reckoned again from points and prices, under any terms. Pure.

A path of its own: it takes points from lots and burns, not the money that was booked, so under the
terms that were in force it must come to what was booked, to the micro.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from marketplace.coalition.domain import BPS, Breakage, Funding
from marketplace.ledger.domain import ObligationKind
from settlement.domain import MARGIN, DebtFlow, Flow, Party, PartyKind, Positions, legs


class Terms(msgspec.Struct, frozen=True):
    """What a contract says of the money behind an issuer's points."""

    price_micros: int
    pooled_price_micros: int
    """The part of the price that is paid at issuance."""
    breakage: Breakage


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one issuer that moved in one window, all in the same way."""

    window_id: UUID
    currency: str
    kind: ObligationKind
    issuer: str
    acceptor: str | None
    """Of burns: who is paid."""
    contract_id: UUID
    """Under which the points were issued."""
    acceptor_contract_id: UUID | None
    terms: Terms
    """As they were issued under."""
    points: int
    """Below zero for refunds. Of an expiry: of each lot."""
    lots: int = 1
    """Of an expiry: how many lots of so many points expired."""
    cost_micros: int = 0


class Proposal(msgspec.Struct, frozen=True):
    """Terms that one member might have had."""

    currency: str
    terms: Terms
    fee_bps: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One party in one currency, over all the windows. Above zero is owed to it."""

    currency: str
    party: str
    """Slug of a member, `operator` (the margin, with fees) or `pool:<issuer>`."""
    actual_micros: int
    proposed_micros: int
    difference_micros: int


def flows(moved: Moved, terms: Terms) -> list[Flow]:
    """What points that moved make members owe each other under these terms."""
    period = str(moved.window_id)

    def flow(funding: Funding, acceptor: str | None, funded: int, cost: int) -> Flow:
        return Flow(
            period, moved.currency, moved.kind, funding, moved.issuer, acceptor, funded, cost
        )

    pooled = moved.points * terms.pooled_price_micros
    if moved.kind is ObligationKind.ISSUANCE:
        return [flow(Funding.ISSUANCE, None, pooled, 0)]
    if moved.kind is ObligationKind.EXPIRY:
        share = moved.lots * terms.breakage.issuer_share_micros(pooled)
        return [flow(Funding.ISSUANCE, moved.issuer, moved.lots * pooled, share)]
    # Which payer carries how much of the cost changes no net: the margin gets what is left of both.
    rest = moved.points * terms.price_micros - pooled
    return [
        flow(Funding.ISSUANCE, None, pooled, 0),
        flow(Funding.REDEMPTION, moved.acceptor, rest, moved.cost_micros),
    ]


FeeKey = tuple[UUID, str, str, UUID, str]
"""Window, currency, member, contract, side."""


def fee_bases(moved: Iterable[tuple[Moved, Terms]]) -> dict[FeeKey, int]:
    """What fees are charged on: what is funded for burns, and what is paid for them."""
    bases: dict[FeeKey, int] = {}
    for each, terms in moved:
        if each.kind not in (ObligationKind.CAPTURE, ObligationKind.REFUND):
            continue
        sides = [("issuer", each.issuer, each.contract_id, each.points * terms.price_micros)]
        if each.acceptor is not None and each.acceptor_contract_id is not None:
            sides.append(("acceptor", each.acceptor, each.acceptor_contract_id, each.cost_micros))
        for side, member, contract_id, micros in sides:
            key = (each.window_id, each.currency, member, contract_id, side)
            bases[key] = bases.get(key, 0) + micros
    return bases


def reckon(
    moved: Iterable[Moved],
    debts: Iterable[DebtFlow],
    fee_bps: Mapping[UUID, int],
    proposals: Mapping[str, Proposal],
) -> dict[str, Positions]:
    """Positions by currency: with no proposals, as it was."""
    found: dict[str, Positions] = {}

    def add(currency: str, party: Party, micros: int) -> None:
        positions = found.setdefault(currency, {})
        positions[party] = positions.get(party, 0) + micros

    under = [
        (each, proposals[each.issuer].terms if each.issuer in proposals else each.terms)
        for each in moved
    ]
    all_flows: list[Flow | DebtFlow] = [one for each in under for one in flows(*each)]
    for flow in [*all_flows, *debts]:
        for party, micros in legs(flow):
            add(flow.currency, party, micros)
    for (_, currency, member, contract_id, _), base in fee_bases(under).items():
        proposal = proposals.get(member)
        bps = fee_bps.get(contract_id, 0) if proposal is None else proposal.fee_bps
        fee = abs(base) * bps // BPS * (1 if base >= 0 else -1)
        add(currency, Party(PartyKind.MEMBER, member), -fee)
        add(currency, MARGIN, fee)
    return found


def compare(
    actual: Mapping[str, Mapping[Party, int]], proposed: Mapping[str, Mapping[Party, int]]
) -> list[Outcome]:
    """Every party of either, by currency and name."""
    found = []
    for currency in sorted({*actual, *proposed}):
        before, after = actual.get(currency, {}), proposed.get(currency, {})
        for party in sorted({*before, *after}):
            was, would = before.get(party, 0), after.get(party, 0)
            if was or would:
                found.append(
                    Outcome(
                        currency=currency,
                        party=party.name,
                        actual_micros=was,
                        proposed_micros=would,
                        difference_micros=would - was,
                    )
                )
    return found
