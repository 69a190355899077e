"""Words and rules of disputes: lines, statuses, and what undoes a line. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from marketplace.coalition.domain import BPS, Funding
from marketplace.errors import InvalidRequest
from marketplace.ledger.domain import ObligationKind

NO_WALLET = UUID(int=0)
"""Stands for the wallet of a debt, which has none."""


class DisputeStatus(StrEnum):
    """Life of a dispute."""

    OPEN = "open"
    UPHELD = "upheld"
    """The member was right: each line is undone by an adjustment in the window open then."""
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class LineAction(StrEnum):
    """What a settlement did with a disputed line."""

    FROZEN = "frozen"
    """Left out, though its window is settled."""
    RELEASED = "released"
    """Settled with other windows, after it was left out before."""


class LineId(msgspec.Struct, frozen=True, order=True):
    """One obligation or debt."""

    wallet_id: UUID
    """NO_WALLET for a debt."""
    id: int

    @property
    def is_debt(self) -> bool:
        return self.wallet_id == NO_WALLET

    def __str__(self) -> str:
        return f"debt:{self.id}" if self.is_debt else f"{self.wallet_id}:{self.id}"


def line_id(text: str) -> LineId:
    """A line as it is written in statements: `<wallet>:<id>` or `debt:<id>`; else InvalidRequest.

    The ids are of the ledger: 63 bits at most.
    """
    where, _, number = text.rpartition(":")
    try:
        found = LineId(NO_WALLET if where == "debt" else UUID(where), int(number))
    except ValueError:
        raise InvalidRequest(f"{text!r} is no line: write <wallet>:<id> or debt:<id>.") from None
    if not number.isdecimal() or not 0 <= found.id < 2**63 or (found.is_debt != (where == "debt")):
        raise InvalidRequest(f"{text!r} is no line: write <wallet>:<id> or debt:<id>.")
    return found


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An obligation or a debt, with what its settlement needs. Micros of `currency`."""

    line: LineId
    window_id: UUID
    kind: ObligationKind | None
    """None: a debt."""
    funding: Funding | None
    issuer_id: UUID
    """The debtor of a debt."""
    acceptor_id: UUID | None
    """The creditor of a debt."""
    contract_id: UUID | None
    acceptor_contract_id: UUID | None
    points: int
    currency: str
    funded_micros: int
    cost_micros: int
    effective_at: datetime
    txid: int
    """Of the transaction that wrote it."""

    def concerns(self, member_id: UUID) -> bool:
        """Whether this member pays or is paid by the line."""
        return member_id in (self.issuer_id, self.acceptor_id)


class Undoing(msgspec.Struct, frozen=True):
    """A debt that undoes one part of a line."""

    part: str
    """Which: of the amount of a debt; of the cost, of the worth, or of a fee."""
    debtor_id: UUID
    creditor_id: UUID
    amount_micros: int
    """Above zero."""


def undo(line: Line, operator_id: UUID, issuer_bps: int, acceptor_bps: int) -> list[Undoing]:
    """The debts that put all members where they were before the line, fees too.

    What an acceptor is paid is told to nobody else (decision 13): it goes back to the operator, and
    the issuer has the worth of its points back from the operator. The money of a line funded at
    issuance came out of the issuer's pool, for points that are gone: it comes back to the issuer
    itself. Fees are reckoned on the line by itself, towards zero.
    """
    if line.kind is None:
        paid = [("amount", line.acceptor_id, line.issuer_id, line.cost_micros)]
    else:
        cost = line.cost_micros if line.acceptor_id is not None else 0
        worth = line.funded_micros - line.cost_micros + cost
        paid = [
            ("cost", line.acceptor_id, operator_id, cost),
            ("worth", operator_id, line.issuer_id, worth),
        ]
    if line.kind in (ObligationKind.CAPTURE, ObligationKind.REFUND):
        funded, cost = line.funded_micros, line.cost_micros
        paid.append(("fee of the issuer", operator_id, line.issuer_id, fee(funded, issuer_bps)))
        back = fee(cost, acceptor_bps)
        if line.acceptor_id is not None:
            paid.append(("fee of the acceptor", operator_id, line.acceptor_id, back))
    return [
        Undoing(part, debtor, creditor, amount)
        if amount > 0
        else Undoing(part, creditor, debtor, -amount)
        for part, debtor, creditor, amount in paid
        if amount and debtor is not None and debtor != creditor
    ]


def fee(base_micros: int, bps: int) -> int:
    """So many basis points of an amount, towards zero."""
    micros = abs(base_micros) * bps // BPS
    return micros if base_micros >= 0 else -micros
