"""Words of settlements: what is paid to whom, and how far it has come. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

DUE_DAYS: Final = 3
"""Days from drafting, or from paying again, to when legs are executed, unless said otherwise: what
banks need for a debit."""


class Mode(StrEnum):
    """Who pays whom."""

    MULTILATERAL = "multilateral"
    """One leg per member and currency, through the clearing house."""
    BILATERAL = "bilateral"
    """One leg per pair of members and currency."""


class SettlementKind(StrEnum):
    """Why there is a settlement."""

    ORDINARY = "ordinary"
    """Of closed windows."""
    EXCEPTIONAL = "exceptional"
    """Of what a debtor of an earlier settlement failed to pay."""


class SettlementStatus(StrEnum):
    """Life of a settlement. Aborted only before a leg is submitted."""

    PENDING = "pending"
    """Netted; nobody vouches for it yet."""
    RECORDED = "recorded"
    """One person vouches for it."""
    APPROVED = "approved"
    """A second person does: legs may be submitted."""
    SUBMITTED = "submitted"
    """Finance has sent it off: its legs go to their rails, debits first."""
    SETTLING = "settling"
    """Some legs are booked."""
    SETTLED = "settled"
    """Every leg is booked, or needs no money."""
    ABORTED = "aborted"

    @property
    def live(self) -> bool:
        """Whether its windows can be in no other settlement."""
        return self is not SettlementStatus.ABORTED


class LegStatus(StrEnum):
    """Life of a leg."""

    PLANNED = "planned"
    SUBMITTED = "submitted"
    """With the rail."""
    ACCEPTED = "accepted"
    """The bank has said that it will execute it."""
    BOOKED = "booked"
    """The money has moved; a leg of nothing is booked from the start."""
    REJECTED = "rejected"
    """No money has moved and none will: it is paid by another leg."""
    RETURNED = "returned"
    """The money moved and came back, months later perhaps: it is paid by another leg."""
    UNKNOWN = "unknown"
    """Nobody knows: never submitted again without proof."""
    CANCELLED = "cancelled"
    """Of an aborted settlement."""


class FlowKind(StrEnum):
    """Why one party owes another."""

    COST = "cost"
    """What an acceptor is paid for rewards, by the issuer or its pool."""
    MARGIN = "margin"
    """What is left of the price of points after the cost."""
    POOL = "pool"
    """Points funded at issuance: from the issuer to its pool."""
    BREAKAGE = "breakage"
    """Money of expired points: from the pool to whom the contract says."""
    FEE = "fee"
    """The operator's, by contract."""
    DEBT = "debt"
    """What members owe each other outside burns."""
    DEFAULT = "default"
    """A due that another member covers."""


class AccountKind(StrEnum):
    """Accounts of the clearing house's own books, in micros of one currency each."""

    MEMBER_DUE = "member_due"
    """What settlements have made a member owe (debit) or be owed (credit), and legs have paid."""
    POOL = "pool"
    """Money kept for points that an issuer funds at issuance."""
    MARGIN = "margin"
    """The operator's margin, fees and breakage, before they are due to it."""
    PREFUND = "prefund"
    """What a member has paid ahead (credit)."""
    IN_TRANSIT = "in_transit"
    """Legs with a rail that the bank has not shown yet: by leg, back to zero when it has. Money
    between accounts of the house, or kept back for it: by move."""
    BANK = "bank"
    """What bank statements show: by bank account."""
    ROUNDING = "rounding"
    """What rounding legs to the smallest unit of money left over."""
    SUSPENSE = "suspense"
    """Bank entries that nobody has explained yet."""


class PostingCode(StrEnum):
    """Why a posting was made."""

    NET = "net"
    """A settlement was recorded: positions become dues."""
    ROUND = "round"
    SUBMIT = "submit"
    """A leg went to its rail: due <-> in transit."""
    BOOK = "book"
    """The bank shows the money of a leg: in transit <-> bank."""
    FAIL = "fail"
    """A leg was rejected: in transit <-> due."""
    RETURN = "return"
    """The money of a booked leg came back: bank <-> due."""
    PREFUND = "prefund"
    """Money paid ahead arrives, is used for a leg, or goes back."""
    SUSPEND = "suspend"
    """A bank entry that matches nothing."""
    EXPLAIN = "explain"
    """It is known what an entry is: a person said so, or a statement did."""
    REVERSE = "reverse"
    """A recorded settlement was aborted: its postings the other way round."""


class PayAccountStatus(StrEnum):
    """Life of an account that a member pays from and is paid to."""

    PROPOSED = "proposed"
    """Waits for a second person."""
    ACTIVE = "active"
    REPLACED = "replaced"
    REFUSED = "refused"
