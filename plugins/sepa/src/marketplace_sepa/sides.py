"""What is known of the two sides of a payment: the clearing house, and a member's account.

Flat, of texts, so that forms can ask for them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Iban = Annotated[
    str,
    msgspec.Meta(title="IBAN", max_length=42, examples=["DE89 3704 0044 0532 0130 00"]),
]
Bic = Annotated[str, msgspec.Meta(title="BIC", max_length=11, examples=["COBADEFFXXX"])]
Country = Annotated[str, msgspec.Meta(max_length=2, examples=["DE"])]


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A structured address; banks want town and country at least. All may be empty."""

    street: Annotated[str, msgspec.Meta(max_length=70)] = ""
    building: Annotated[str, msgspec.Meta(title="Building number", max_length=16)] = ""
    postcode: Annotated[str, msgspec.Meta(max_length=16)] = ""
    town: Annotated[str, msgspec.Meta(max_length=35)] = ""
    country: Country = ""
    """Two letters."""


class Account(Address, frozen=True, kw_only=True):
    """A member's account."""

    holder: Annotated[str, msgspec.Meta(title="Account holder", min_length=1, max_length=140)]
    iban: Iban
    bic: Bic = ""
    """Only where the bank asks for it: within SEPA the IBAN is enough."""
    mandate_id: Annotated[str, msgspec.Meta(title="Mandate reference", max_length=35)] = ""
    """Of the signed direct debit mandate; without one nothing can be collected."""
    mandate_signed_on: Annotated[
        str, msgspec.Meta(title="Mandate signed on", max_length=10, examples=["2026-11-25"])
    ] = ""
    mandate_scheme: Literal["CORE", "B2B"] = "B2B"
    """Which scheme the mandate is for."""
    mandate_sequence: Literal["FRST", "RCUR", "OOFF", "FNAL"] = "RCUR"
    """RCUR for a mandate that is used again and again, also for the first time."""


class House(Address, frozen=True, kw_only=True):
    """The clearing house's own account."""

    name: Annotated[str, msgspec.Meta(title="Account holder", min_length=1, max_length=140)]
    iban: Iban
    bic: Bic = ""
    """Only where the bank asks for it."""
    creditor_id: Annotated[
        str,
        msgspec.Meta(title="Creditor identifier", max_length=35, examples=["DE98ZZZ09999999999"]),
    ] = ""
    """Needed to collect by direct debit."""
    transfer_version: Literal[
        "pain.001.001.03", "pain.001.001.09", "pain.001.001.10", "pain.001.001.11"
    ] = "pain.001.001.09"
    """The format of credit transfers that the bank takes."""
    debit_version: Literal[
        "pain.008.001.02", "pain.008.001.08", "pain.008.001.09", "pain.008.001.10"
    ] = "pain.008.001.08"
    """The format of direct debits that the bank takes."""
    batch_booking: bool = True
    """The bank may book all payments of a day in one sum."""


class Kept(House, frozen=True, kw_only=True):
    """The clearing house's account as it is kept with a batch: with the way files were written.

    A batch that was made before an edition is written as it was then, so that its files stay the
    same. 1: debits of both schemes in one file, addresses always in parts. 2: a file for each
    scheme, and addresses in lines where the version is one of those that banks take them in so.
    """

    edition: Literal[1, 2] = 1


NOW: Final = 2
"""The edition of new batches."""
