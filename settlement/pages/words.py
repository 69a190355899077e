"""What finance reads for statuses, kinds and parties."""

from __future__ import annotations

from typing import Final

from marketplace.api import lazy as _l
from marketplace.ledger.domain import WindowStatus
from settlement.clearing.domain import (
    FlowKind,
    LegStatus,
    Mode,
    SettlementKind,
    SettlementStatus,
)
from settlement.domain import PartyKind

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
