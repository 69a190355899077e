"""What finance reads for statuses, kinds and parties."""

from __future__ import annotations

from typing import Final

from marketplace.api import lazy as _l
from marketplace.ledger.domain import WindowStatus
from marketplace.web.i18n import lazy_in as _lp
from settlement.bank.daily import Measure
from settlement.bank.domain import Action, BreakKind, BreakStatus, Close, Rule
from settlement.clearing.domain import (
    FlowKind,
    LegStatus,
    Mode,
    PayAccountStatus,
    SettlementKind,
    SettlementStatus,
)
from settlement.disputes.domain import DisputeStatus
from settlement.domain import PartyKind
from settlement.runoff.domain import AGE_NAMES

WINDOWS: Final = {
    WindowStatus.OPEN: (_l("Open"), "told"),
    WindowStatus.CLOSING: (_l("Closing"), "care"),
    WindowStatus.CLOSED: (_l("Closed"), "care"),
    WindowStatus.IN_SETTLEMENT: (_l("In settlement"), "told"),
    WindowStatus.SETTLED: (_l("Settled"), "good"),
}
"""Words and tone."""

SETTLEMENTS: Final = {
    SettlementStatus.PENDING: (_l("To be checked"), "care"),
    SettlementStatus.RECORDED: (_l("Waits for a second person"), "care"),
    SettlementStatus.APPROVED: (_l("Approved, not sent off"), "care"),
    SettlementStatus.SUBMITTED: (_l("Sent off"), "told"),
    SettlementStatus.SETTLING: (_l("Being paid"), "told"),
    SettlementStatus.SETTLED: (_l("Settled"), "good"),
    SettlementStatus.ABORTED: (_l("Aborted"), "bad"),
}

LEGS: Final = {
    LegStatus.PLANNED: (_l("Planned"), "care"),
    LegStatus.SUBMITTED: (_l("Sent off"), "told"),
    LegStatus.ACCEPTED: (_l("Accepted by the bank"), "told"),
    LegStatus.BOOKED: (_l("Paid"), "good"),
    LegStatus.REJECTED: (_l("Rejected"), "bad"),
    LegStatus.RETURNED: (_l("Came back"), "bad"),
    LegStatus.UNKNOWN: (_l("Not known yet"), "care"),
    LegStatus.CANCELLED: (_l("Cancelled"), "bad"),
}

MODES: Final = {
    Mode.MULTILATERAL: _l("Through the clearing house: one payment for each member"),
    Mode.BILATERAL: _l("Between members: one payment for each pair"),
}
KINDS: Final = {
    SettlementKind.ORDINARY: _l("Of closed windows"),
    SettlementKind.EXCEPTIONAL: _l("Of what a member failed to pay"),
}
PARTIES: Final = {
    PartyKind.OPERATOR: _l("Margin of the operator"),
    PartyKind.POOL: _l("Pool of %(name)s"),
}
TOTALS: Final = {
    "capture": _l("Rewards delivered"),
    "refund": _l("Rewards given back"),
    "issuance": _l("Points paid for when issued"),
    "expiry": _l("Points that expired"),
    "debt": _l("Between members, outside rewards"),
    "adjustment": _l("Adjustment after a dispute"),
}
FLOWS: Final = {
    FlowKind.COST: _l("Rewards"),
    FlowKind.MARGIN: _l("Margin"),
    FlowKind.POOL: _l("Points paid for when issued"),
    FlowKind.BREAKAGE: _l("Points that expired"),
    FlowKind.FEE: _l("Fees"),
    FlowKind.DEBT: _l("Outside rewards"),
    FlowKind.DEFAULT: _l("Covered for another member"),
}
STEPS: Final = {
    SettlementStatus.PENDING: _l("Netted"),
    SettlementStatus.RECORDED: _l("Checked"),
    SettlementStatus.APPROVED: _l("Approved by a second person"),
    SettlementStatus.SUBMITTED: _l("Sent off"),
    SettlementStatus.SETTLED: _l("Paid"),
}
"""The way of a settlement, for its timeline."""


RULES: Final = {
    Rule.END_TO_END: _l("It carries the reference of the payment"),
    Rule.BANK_REFERENCE: _l("It carries the reference of the bank"),
    Rule.TEXT: _l("The reference stands in its text"),
    Rule.BATCH: _l("One sum for a whole file of payments"),
    Rule.SPLIT: _l("Several lines come to the amount"),
    Rule.RETURN: _l("Money that came back"),
    Rule.PREFUND: _l("Paid ahead"),
    Rule.AMOUNT_AND_PARTY: _l("Amount, date and the other side agree"),
    Rule.CHARGE: _l("The bank says that it is its charge"),
    Rule.OWN: _l("Its account says where it goes"),
    Rule.OWN_REFERENCE: _l("It carries the reference of the other side"),
    Rule.OWN_AMOUNT: _l("Amount and days agree with the other side"),
    Rule.PERSON: _l("A person said so"),
}
"""How a line of the bank was matched."""

BREAK_KINDS: Final = {
    BreakKind.MISSING: _l("Missing on the statement"),
    BreakKind.DUPLICATE: _l("Paid twice"),
    BreakKind.AMOUNT_DIFFERS: _l("The amount differs"),
    BreakKind.UNKNOWN_PAYER: _l("Belongs to nothing"),
    BreakKind.RETURNED: _l("The money came back"),
    BreakKind.LATE: _l("Paid late"),
    BreakKind.STATEMENT_GAP: _l("A gap between statements"),
    BreakKind.UNKNOWN_ANSWER: _l("An answer of the bank that nobody knows"),
}
BREAK_STATUSES: Final = {
    BreakStatus.OPEN: (_l("Waits"), "care"),
    BreakStatus.PROPOSED: (_l("Write-off waits for a second person"), "care"),
    BreakStatus.RESOLVED: (_l("Resolved"), "good"),
    BreakStatus.GONE: (_l("Went away by itself"), "told"),
}
ACTIONS: Final = {
    Action.NOTE: (_l("Only note it"), _l("No money moves.")),
    Action.MATCH: (_l("It is the money of payments"), _l("Choose which: they come to its amount.")),
    Action.PREFUND: (_l("A member paid ahead"), _l("Or was paid back. Choose the member.")),
    Action.ROUNDING: (_l("A difference of rounding"), _l("It goes to the rounding account.")),
    Action.FEES: (_l("A charge or interest of the bank"), _l("It is the operator's.")),
    Action.CONTRA: (_l("Another line undoes it"), _l("Both come to nothing together.")),
    Action.REPAY: (_l("Pay it again"), _l("A new payment takes the place of this one.")),
    Action.WRITE_OFF: (
        _l("Write it off"),
        _l("The operator bears it, or keeps it. A second person has to agree."),
    ),
}
"""What it is, and what it means."""

CLOSES: Final = {
    Close.LEDGER: _l("Ledger"),
    Close.BURNS: _l("Burns"),
    Close.SUPPLIERS: _l("Suppliers"),
    Close.SETTLEMENT: _l("Settlement"),
    Close.BANK: _l("Bank"),
}
MEASURES: Final = {
    Measure.POINTS: _l("Points burnt"),
    Measure.COST: _l("Owed to who delivered"),
    Measure.PAID: _l("Moved at the bank"),
    Measure.LEGS: _l("Paid for a settlement"),
}
AGES: Final = dict(
    zip(
        AGE_NAMES,
        (
            _l("up to 30 days"),
            _l("31 to 90 days"),
            _l("91 to 180 days"),
            _l("181 to 365 days"),
            _l("over 365 days"),
        ),
        strict=True,
    )
)
DISPUTES: Final = {
    DisputeStatus.OPEN: (_l("To be decided"), "care"),
    DisputeStatus.UPHELD: (_l("Upheld"), "good"),
    DisputeStatus.REJECTED: (_l("Rejected"), "bad"),
    DisputeStatus.WITHDRAWN: (_lp("dispute", "Withdrawn"), "told"),
}
ACCOUNTS: Final = {
    PayAccountStatus.PROPOSED: (_l("Waits for a second person"), "care"),
    PayAccountStatus.ACTIVE: (_l("In use"), "good"),
    PayAccountStatus.REPLACED: (_l("Replaced"), "told"),
    PayAccountStatus.REFUSED: (_l("Refused"), "bad"),
}
