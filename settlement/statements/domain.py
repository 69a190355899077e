"""Lines of a statement as one member sees them, and what they come to. Pure."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind
from settlement.domain import MARGIN, DebtFlow, Flow, Party, PartyKind, legs

ADJUSTMENTS: Final = "settlement"
"""Name by which the clearing house itself books debts: adjustments of settled lines."""


class LineKind(StrEnum):
    """Why there is a line."""

    ISSUANCE = "issuance"
    CAPTURE = "capture"
    REFUND = "refund"
    EXPIRY = "expiry"
    DEBT = "debt"
    """Between members outside burns, as a plugin booked it."""
    ADJUSTMENT = "adjustment"
    """A debt that the clearing house booked; its reference names the origin."""


FEE_KINDS: Final = (LineKind.CAPTURE, LineKind.REFUND)


class Side(StrEnum):
    """What the member is on a line."""

    ISSUER = "issuer"
    ACCEPTOR = "acceptor"
    BOTH = "both"
    """Its own points were burnt on its own reward, or its own breakage came back to it."""
    DEBTOR = "debtor"
    CREDITOR = "creditor"
    OPERATOR = "operator"
    """Neither issuer nor acceptor: the margin alone is its."""


class Reader(NamedTuple):
    """Whose statement it is."""

    id: UUID
    slug: str
    is_operator: bool


class Obligated(msgspec.Struct, frozen=True, kw_only=True):
    """An obligation as the ledger has it, with names instead of ids."""

    wallet_id: UUID
    id: int
    window_id: UUID
    kind: ObligationKind
    funding: Funding
    issuer: str
    acceptor: str | None
    contract: str
    """`<reference>:<version>` of the issuer's contract: that of the lot."""
    acceptor_contract: str | None
    burn_id: UUID | None
    lot_id: int
    issuance: str
    """The issuer's reference of the issuance."""
    points: int
    price_micros: int
    """Of one point of the lot: the part of it that this obligation's payer pays."""
    currency: str
    funded_micros: int
    cost_micros: int
    at: datetime
    shared: bool
    """The same points are in another obligation: a mixed contract pays for them in two parts."""


class Indebted(msgspec.Struct, frozen=True, kw_only=True):
    """A debt as the ledger has it, with names instead of ids."""

    id: int
    window_id: UUID
    plugin: str
    reference: str
    undoes: str | None
    """Reference of the debt that this one undoes."""
    debtor: str
    creditor: str
    currency: str
    amount_micros: int
    reason: str
    at: datetime


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line, exact, as its reader may see it: what others are paid is left out (decision 13)."""

    line: str
    """`<wallet_id>:<id>` of an obligation, `debt:<id>` of a debt."""
    kind: LineKind
    window: UUID
    at: datetime
    """Business time."""
    side: Side
    counterparty: str | None
    """Slug of the other member; None where there is none (an issuance into the member's pool)."""
    currency: str
    points: int
    shared: bool = False
    """The points are on another line too, and counted there: a mixed contract pays for them in
    two parts."""
    burn: UUID | None = None
    lot: str | None = None
    issuance: str | None = None
    funding: Funding | None = None
    contract: str | None = None
    """`<reference>:<version>` of the issuer's; where the reader is the issuer or the operator."""
    acceptor_contract: str | None = None
    price_micros: int | None = None
    """Of one point; where the reader is the issuer or the operator."""
    funded_micros: int | None = None
    """What the points are worth; where the reader is the issuer or the operator."""
    cost_micros: int | None = None
    """What the acceptor gets; where the reader is the acceptor or the operator."""
    amount_micros: int | None = None
    """Of a debt, from debtor to creditor; below zero where it undoes another."""
    plugin: str | None = None
    reference: str | None = None
    undoes: str | None = None
    reason: str | None = None
    member_micros: int
    """What the line changes in the member's net: below zero it owes."""
    pool_micros: int = 0
    """What it changes in the pool that the clearing house keeps for the member's points."""
    margin_micros: int = 0
    """What it changes in the operator's margin; zero unless the operator reads."""
    frozen: bool = False
    """Under dispute, so left out of the settlement."""


class ContractTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a contract: what amounts and fees of lines follow from."""

    contract: str
    """`<reference>:<version>`."""
    member: str
    role: str
    funding: str
    currency: str
    price_micros: int
    pooled_bps: int | None
    """Of mixed funding: the share of the price that is paid at issuance."""
    fee_bps: int
    breakage: str
    valid_from: datetime


class Fee(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's fee in one window under one version of a contract, for one of its sides."""

    window: UUID
    contract: str
    side: Side
    """Issuer or acceptor."""
    member: str
    """Who pays it."""
    currency: str
    base_micros: int
    fee_bps: int
    fee_micros: int


class Sum(msgspec.Struct, kw_only=True):
    """What the lines of one currency come to. `net = owed - owes - fee`."""

    currency: str
    lines: int = 0
    frozen: int = 0
    """Lines that are not in the sums."""
    points: int = 0
    owes_micros: int = 0
    owed_micros: int = 0
    fee_micros: int = 0
    """Of the member's own contracts."""
    net_micros: int = 0
    pool_micros: int = 0
    margin_micros: int = 0
    """With the fees of all members; zero unless the operator reads."""


class Dealing(msgspec.Struct, kw_only=True):
    """Lines of one currency, counterparty, side and kind, summed."""

    count: int = 0
    points: int = 0
    owes_micros: int = 0
    owed_micros: int = 0


class LegTold(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a settlement as the member sees it; what was fixed when it was recorded."""

    reference: str
    currency: str
    counterparty: str | None
    """The other member of a bilateral leg; None: the clearing house."""
    direction: str
    net_micros: int
    """Below zero the member pays."""
    amount_minor: int
    digits: int
    """Decimals of the currency: `amount_minor` is in units of 10^-digits."""
    remainder_micros: int
    due_on: date


def seen(found: Obligated, reader: Reader, *, frozen: bool = False) -> Line:
    """An obligation as `reader` sees it, who is on it or operates the coalition."""
    issuer, acceptor = reader.slug == found.issuer, reader.slug == found.acceptor
    flow = Flow(
        "",
        found.currency,
        found.kind,
        found.funding,
        found.issuer,
        found.acceptor,
        found.funded_micros,
        found.cost_micros,
    )
    effects = _effects(flow)
    sees_issuer, sees_acceptor = issuer or reader.is_operator, acceptor or reader.is_operator
    return Line(
        line=f"{found.wallet_id}:{found.id}",
        kind=LineKind(found.kind.value),
        window=found.window_id,
        at=found.at,
        side=_side(issuer, acceptor),
        counterparty=found.acceptor if issuer else found.issuer,
        currency=found.currency,
        points=found.points,
        shared=found.shared,
        burn=found.burn_id,
        lot=str(found.lot_id),
        issuance=found.issuance if sees_issuer else None,
        funding=found.funding,
        contract=found.contract if sees_issuer else None,
        acceptor_contract=found.acceptor_contract if sees_acceptor else None,
        price_micros=found.price_micros if sees_issuer else None,
        funded_micros=found.funded_micros if sees_issuer else None,
        cost_micros=found.cost_micros if sees_acceptor else None,
        member_micros=effects.get(Party(PartyKind.MEMBER, reader.slug), 0),
        pool_micros=effects.get(Party(PartyKind.POOL, reader.slug), 0),
        margin_micros=effects.get(MARGIN, 0) if reader.is_operator else 0,
        frozen=frozen,
    )


def seen_debt(found: Indebted, reader: Reader, *, frozen: bool = False) -> Line:
    """A debt as `reader` sees it, who is one of its two members."""
    flow = DebtFlow("", found.currency, found.debtor, found.creditor, found.amount_micros)
    debtor = reader.slug == found.debtor
    return Line(
        line=f"debt:{found.id}",
        kind=LineKind.ADJUSTMENT if found.plugin == ADJUSTMENTS else LineKind.DEBT,
        window=found.window_id,
        at=found.at,
        side=Side.DEBTOR if debtor else Side.CREDITOR,
        counterparty=found.creditor if debtor else found.debtor,
        currency=found.currency,
        points=0,
        amount_micros=found.amount_micros,
        plugin=found.plugin,
        reference=found.reference,
        undoes=found.undoes,
        reason=found.reason,
        member_micros=_effects(flow).get(Party(PartyKind.MEMBER, reader.slug), 0),
        frozen=frozen,
    )


def _side(issuer: bool, acceptor: bool) -> Side:
    if issuer and acceptor:
        return Side.BOTH
    if issuer:
        return Side.ISSUER
    return Side.ACCEPTOR if acceptor else Side.OPERATOR


def _effects(flow: Flow | DebtFlow) -> dict[Party, int]:
    found: dict[Party, int] = {}
    for party, micros in legs(flow):
        found[party] = found.get(party, 0) + micros
    return found


def parts(line: Line) -> tuple[int, int]:
    """(owes, owed) of a line, neither below zero: a refund turns the sides."""
    if line.side is Side.BOTH and line.funded_micros is not None and line.cost_micros is not None:
        cost = line.cost_micros
        pieces = [line.member_micros - cost, cost]
    else:
        pieces = [line.member_micros]
    return (
        -sum(each for each in pieces if each < 0),
        sum(each for each in pieces if each > 0),
    )


def bases(line: Line) -> list[tuple[str, Side, int]]:
    """What fees are charged on: (contract, side, micros), of each contract the reader may see.

    Of captures and refunds: an issuer's on what its points are worth, an acceptor's on what it is
    paid. Money that only goes into a pool and what expires bear none.
    """
    found: list[tuple[str, Side, int]] = []
    if line.kind not in FEE_KINDS:
        return found
    if line.contract is not None and line.funded_micros is not None:
        found.append((line.contract, Side.ISSUER, line.funded_micros))
    if line.acceptor_contract is not None and line.cost_micros is not None:
        found.append((line.acceptor_contract, Side.ACCEPTOR, line.cost_micros))
    return found
