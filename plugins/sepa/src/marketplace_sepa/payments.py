"""Legs as blocks of payments, and the elements that credit transfers and debits share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Final

import msgspec

from marketplace.api import Direction, InvalidRequest, Leg, decimal_from_minor
from marketplace_sepa import checks, ids
from marketplace_sepa.latin import latin
from marketplace_sepa.sides import Account, Address, House, Kept
from marketplace_sepa.xml import Xml

CURRENCY: Final = "EUR"
MOST_MINOR: Final = 99_999_999_999
"""The most that one SEPA payment can carry: 999,999,999.99."""
SINGLE_IDS: Final = {"pain.001.001.03": "BIC", "pain.008.001.02": "BIC"}
"""The element that holds a BIC, where it is not BICFI."""
IN_LINES: Final = frozenset(SINGLE_IDS)
"""Versions of whose addresses SEPA uses the country and two lines, not the parts."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Payments that share everything but amount and account."""

    id: str
    due_on: date
    scheme: str
    sequence: str
    legs: tuple[Leg, ...]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One file to be."""

    id: str
    version: str
    made_at: datetime
    house: House
    blocks: tuple[Block, ...]

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Every leg in it."""
        return tuple(leg for block in self.blocks for leg in block.legs)


def checked(legs: Sequence[Leg], house: House) -> list[Leg]:
    """The legs in the order of their references; InvalidRequest names one that cannot be paid."""
    checks.check_house(house)
    seen: set[str] = set()
    for leg in legs:
        ids.checked(leg.reference, "The reference of a leg")
        if leg.reference in seen:
            raise InvalidRequest(f"Leg {leg.reference} comes twice.")
        seen.add(leg.reference)
        try:
            _check(leg, house)
        except InvalidRequest as error:
            raise InvalidRequest(f"Leg {leg.reference}: {error.detail}") from None
    return sorted(legs, key=lambda leg: leg.reference)


def _check(leg: Leg, house: House) -> None:
    if leg.currency != CURRENCY:
        raise InvalidRequest(f"SEPA moves {CURRENCY} only, not {leg.currency}.")
    if not 0 < leg.amount_minor <= MOST_MINOR:
        amount = decimal_from_minor(leg.amount_minor, leg.currency)
        raise InvalidRequest(f"{amount} cannot be paid: 0.01 to 999999999.99 can.")
    checks.check_account(leg.account)
    if leg.direction is Direction.COLLECT:
        checks.check_mandate(leg.account)
        if checks.signed_on(leg.account) > leg.due_on.isoformat():
            raise InvalidRequest(
                f"The mandate was signed on {leg.account.mandate_signed_on}, after the debit."
            )
        checks.creditor_id(house)


def blocks(message_id: str, legs: Sequence[Leg]) -> tuple[Block, ...]:
    """The legs of one file by due date and, for debits, by scheme and sequence."""

    def key(leg: Leg) -> tuple[date, str, str]:
        if leg.direction is Direction.PAY:
            return leg.due_on, "", ""
        return leg.due_on, leg.account.mandate_scheme, leg.account.mandate_sequence

    found = groupby(sorted(legs, key=lambda leg: (key(leg), leg.reference)), key)
    return tuple(
        Block(
            id=ids.derived(message_id, str(number)),
            due_on=due_on,
            scheme=scheme,
            sequence=sequence,
            legs=tuple(members),
        )
        for number, ((due_on, scheme, sequence), members) in enumerate(found, 1)
    )


@contextmanager
def document(xml: Xml, message: Message, root: str) -> Iterator[None]:
    """The document with its group header; blocks are written in the block."""
    namespace = f"urn:iso:std:iso:20022:tech:xsd:{message.version}"
    with xml.inside("Document", xmlns=namespace), xml.inside(root):
        with xml.inside("GrpHdr"):
            xml.leaf("MsgId", message.id)
            made_at = message.made_at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
            xml.leaf("CreDtTm", f"{made_at.isoformat()}Z")
            totals(xml, message.legs)
            with xml.inside("InitgPty"):
                xml.leaf("Nm", latin(message.house.name, 70))
        yield


def totals(xml: Xml, legs: Sequence[Leg]) -> None:
    """How many, and their sum."""
    xml.leaf("NbOfTxs", str(len(legs)))
    total = sum(leg.amount_minor for leg in legs)
    xml.leaf("CtrlSum", decimal_from_minor(total, CURRENCY))


def block_head(xml: Xml, block: Block, method: str, house: House) -> None:
    """What every block begins with."""
    xml.leaf("PmtInfId", block.id)
    xml.leaf("PmtMtd", method)
    xml.leaf("BtchBookg", "true" if house.batch_booking else "false")
    totals(xml, block.legs)


def edition(house: House) -> int:
    """How files of a batch are written."""
    return house.edition if isinstance(house, Kept) else 1


def party(xml: Xml, tag: str, name: str, address: Address, message: Message) -> None:
    """A name with its address, where there is one."""
    with xml.inside(tag):
        xml.leaf("Nm", latin(name, 70))
        if address.town.strip():
            with xml.inside("PstlAdr"):
                lines = message.version in IN_LINES and edition(message.house) > 1
                (_lines if lines else _parts)(xml, address)


def _parts(xml: Xml, address: Address) -> None:
    xml.leaf("StrtNm", latin(address.street, 70))
    xml.leaf("BldgNb", latin(address.building, 16))
    xml.leaf("PstCd", latin(address.postcode, 16))
    xml.leaf("TwnNm", latin(address.town, 35))
    xml.leaf("Ctry", address.country.strip().upper())


def _lines(xml: Xml, address: Address) -> None:
    xml.leaf("Ctry", address.country.strip().upper())
    xml.leaf("AdrLine", latin(f"{address.street} {address.building}", 70))
    xml.leaf("AdrLine", latin(f"{address.postcode} {address.town}", 70))


def account(xml: Xml, tag: str, iban: str) -> None:
    """An account."""
    with xml.inside(tag):
        xml.deep("Id/IBAN", checks.iban(iban))


def agent(xml: Xml, tag: str, bic: str, version: str, *, needed: bool) -> None:
    """A bank, by its BIC; without one it is said that there is none, where that is `needed`."""
    found = checks.bic(bic)
    if found:
        with xml.inside(tag):
            xml.deep(f"FinInstnId/{SINGLE_IDS.get(version, 'BICFI')}", found)
    elif needed:
        with xml.inside(tag):
            xml.deep("FinInstnId/Othr/Id", "NOTPROVIDED")


def amount(leg: Leg) -> str:
    """The amount as text."""
    return decimal_from_minor(leg.amount_minor, leg.currency)


def remittance(xml: Xml, leg: Leg) -> None:
    """What the other side reads on its statement."""
    xml.deep("RmtInf/Ustrd", latin(leg.text, 140))


def account_of(leg: Leg) -> Account:
    """The member's account."""
    found = leg.account
    assert isinstance(found, Account)  # noqa: S101 - the house converts to Rail.account
    return found
