"""What the rail knows of a member: where it is charged, and where it is paid."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from marketplace.api import Direction, InvalidRequest

CUSTOMER: Final = re.compile(r"cus_[A-Za-z0-9]{8,60}")
METHOD: Final = re.compile(r"(pm|card|src)_[A-Za-z0-9]{8,60}")
CONNECTED: Final = re.compile(r"acct_[A-Za-z0-9]{8,60}")
TRANSFER_COUNTRIES: Final = frozenset({"BE", "DE", "ES", "FR", "IE", "NL"})
"""Countries in which Stripe keeps bank accounts for transfers in EUR."""


class Charge(StrEnum):
    """How a member pays what it owes."""

    SEPA_DEBIT = "sepa_debit"
    CARD = "card"
    BANK_TRANSFER = "bank_transfer"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A member at Stripe. One that only pays needs no connected account, one that is only paid no
    customer."""

    customer: Annotated[
        str,
        msgspec.Meta(title="Customer", description="Pays what it owes: cus_ ...", max_length=70),
    ] = ""
    charge: Annotated[Charge, msgspec.Meta(title="Pays by")] = Charge.SEPA_DEBIT
    payment_method: Annotated[
        str,
        msgspec.Meta(
            title="Payment method",
            description="Saved for use without the customer: pm_ ...; none for bank transfers.",
            max_length=70,
        ),
    ] = ""
    bank_country: Annotated[
        str,
        msgspec.Meta(
            title="Country of the bank account",
            description="For bank transfers in EUR: BE, DE, ES, FR, IE or NL.",
            max_length=2,
        ),
    ] = ""
    connected: Annotated[
        str,
        msgspec.Meta(
            title="Connected account",
            description="Is paid what it is owed: acct_ ...",
            max_length=70,
        ),
    ] = ""


def check_account(account: Account) -> None:
    """Raises InvalidRequest with what is wrong with the form."""
    if not account.customer and not account.connected:
        raise InvalidRequest(
            "Name a customer (cus_) to charge, a connected account (acct_), or both."
        )
    if account.connected and not CONNECTED.fullmatch(account.connected):
        raise InvalidRequest(f"{account.connected!r} is no connected account: acct_ and its id.")
    if account.payment_method and not METHOD.fullmatch(account.payment_method):
        raise InvalidRequest(f"{account.payment_method!r} is no payment method: pm_ and its id.")
    if account.customer:
        _check_customer(account)


def _check_customer(account: Account) -> None:
    if not CUSTOMER.fullmatch(account.customer):
        raise InvalidRequest(f"{account.customer!r} is no customer: cus_ and its id.")
    if account.charge is Charge.BANK_TRANSFER:
        if account.payment_method:
            raise InvalidRequest("A bank transfer has no payment method: leave it empty.")
        if account.bank_country and account.bank_country not in TRANSFER_COUNTRIES:
            known = ", ".join(sorted(TRANSFER_COUNTRIES))
            raise InvalidRequest(f"The country of the bank account is one of {known}.")
    elif not account.payment_method:
        raise InvalidRequest(f"To be charged by {account.charge} it needs a payment method (pm_).")


def reaches(account: Account, direction: Direction) -> str:
    """Why money of a direction cannot reach the account; empty where it can."""
    if direction is Direction.COLLECT and not account.customer:
        return "the member has no customer (cus_) to charge"
    if direction is Direction.PAY and not account.connected:
        return "the member has no connected account (acct_) to pay to"
    return ""
