"""What a capture or refund posts: pure arithmetic from the points of a burn to rows of the ledger.

Source of the rules: DESIGN section 5, docs/concepts/ledger.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import POINTS, Account, ObligationKind, TransferCode
from marketplace.money import cost_of_interval


class BurnTerms(msgspec.Struct, frozen=True):
    """The burn whose points move."""

    id: UUID
    wallet_id: UUID
    acceptor_id: UUID
    points: int
    cost_micros: int


class Part(msgspec.Struct, frozen=True):
    """Points number `position` to `position + points` of a burn, all from one lot."""

    lot_id: int
    issuer_id: UUID
    contract_id: UUID
    pooled_price_micros: int
    """The part of the price that is in the issuer's pool since the points were issued."""
    currency: str
    price_micros: int
    position: int
    points: int

    @property
    def funded_micros(self) -> int:
        """What these points are worth to their issuer."""
        return self.points * self.price_micros


class Share(msgspec.Struct, frozen=True):
    """What one payer, the issuer or its pool, pays of a part."""

    funding: Funding
    funded_micros: int
    cost_micros: int


def shares(burn: BurnTerms, part: Part) -> list[Share]:
    """The payers of a part: one, or for points of a mixed lot two, exact to the micro.

    The pool carries the cost up to a point by its share of the price, rounded down; what it
    carries of a part is the difference between two points, and the issuer carries the rest. So
    however a draw is cut by refunds, the parts sum to the whole for each payer.
    """
    stop = part.position + part.points
    cost = cost_of_interval(burn.cost_micros, burn.points, part.position, stop)
    pooled, price = part.pooled_price_micros, part.price_micros
    if pooled == 0:
        return [Share(Funding.REDEMPTION, part.funded_micros, cost)]
    if pooled == price:
        return [Share(Funding.ISSUANCE, part.funded_micros, cost)]
    before, after = (burn.cost_micros * at // burn.points for at in (part.position, stop))
    of_pool = after * pooled // price - before * pooled // price
    from_pool = part.points * pooled
    return [
        Share(Funding.ISSUANCE, from_pool, of_pool),
        Share(Funding.REDEMPTION, part.funded_micros - from_pool, cost - of_pool),
    ]


class TransferRow(msgspec.Struct, frozen=True):
    """A transfer to be written for a burn."""

    burn: BurnTerms
    code: TransferCode
    debit_account: Account
    debit_owner: UUID
    credit_account: Account
    credit_owner: UUID
    unit: str
    amount: int


class ObligationRow(msgspec.Struct, frozen=True):
    """An obligation to be written for what one payer pays of one part of a burn."""

    burn: BurnTerms
    part: Part
    kind: ObligationKind
    funding: Funding
    points: int
    funded_micros: int
    cost_micros: int


def obligations(
    burn: BurnTerms, parts: Sequence[Part], kind: ObligationKind
) -> list[ObligationRow]:
    """One obligation per part and payer; those of a refund are negative."""
    sign = -1 if kind is ObligationKind.REFUND else 1
    return [
        ObligationRow(
            burn,
            part,
            kind,
            share.funding,
            sign * part.points,
            sign * share.funded_micros,
            sign * share.cost_micros,
        )
        for part in parts
        for share in shares(burn, part)
    ]


def transfers(
    burn: BurnTerms, parts: Sequence[Part], code: TransferCode, operator_id: UUID
) -> list[TransferRow]:
    """Points and money of a capture, or (code REFUND) of its undoing for these parts."""
    points: dict[UUID, int] = {}
    # By whether the pool pays: hashing members of an enum would take longer than all the rest.
    money: dict[tuple[UUID, bool, str], tuple[int, int]] = {}
    for part in parts:
        points[part.issuer_id] = points.get(part.issuer_id, 0) + part.points
        for share in shares(burn, part):
            payer = (part.issuer_id, share.funding is Funding.ISSUANCE, part.currency)
            funded, cost = money.get(payer, (0, 0))
            money[payer] = (funded + share.funded_micros, cost + share.cost_micros)
    refund = code is TransferCode.REFUND
    wallet_side = Account.WALLET_AVAILABLE if refund else Account.WALLET_HELD
    rows = [
        (wallet_side, burn.wallet_id, Account.ISSUER_REDEEMED, issuer_id, POINTS, amount)
        for issuer_id, amount in points.items()
    ]
    for (issuer_id, of_pool, currency), (funded, cost) in money.items():
        paid_by = Account.ISSUER_POOL if of_pool else Account.ISSUER_RECEIVABLE
        payable = (Account.ACCEPTOR_PAYABLE, burn.acceptor_id)
        margin = (Account.OPERATOR_MARGIN, operator_id)
        rows += [
            (paid_by, issuer_id, *payable, currency, min(funded, cost)),
            (paid_by, issuer_id, *margin, currency, funded - cost),
            (*margin, *payable, currency, cost - funded),
        ]
    return [
        TransferRow(burn, code, credit, credit_owner, debit, debit_owner, unit, amount)
        if refund
        else TransferRow(burn, code, debit, debit_owner, credit, credit_owner, unit, amount)
        for debit, debit_owner, credit, credit_owner, unit, amount in rows
        if amount > 0
    ]


def last_points(parts: Sequence[Part], start: int, stop: int) -> list[Part]:
    """The parts that hold points number `start` to `stop`, last drawn first."""
    found: list[Part] = []
    for part in sorted(parts, key=lambda each: each.position, reverse=True):
        first = max(part.position, start)
        last = min(part.position + part.points, stop)
        if first < last:
            found.append(msgspec.structs.replace(part, position=first, points=last - first))
    return found
