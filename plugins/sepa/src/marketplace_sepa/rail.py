"""The rail: legs become files for a bank, and what the bank sends becomes records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import msgspec

from marketplace.api import (
    BankRecord,
    Batch,
    Direction,
    Health,
    Host,
    InvalidRequest,
    Leg,
    NotConfigured,
    RailFile,
)
from marketplace_sepa import checks, debits, ids, payments, reading, transfers, xsd
from marketplace_sepa.payments import CURRENCY, Message
from marketplace_sepa.sides import NOW, Account, House, Kept

SLUG: Final = "sepa"
XML: Final = "application/xml"
MOST_IN_A_FILE: Final = 10_000
"""Payments in one file; more go into several."""
NAMES: Final = {Direction.PAY: "T", Direction.COLLECT: "D"}
"""What a message's id ends with: transfers, debits."""
CORE: Final = "DC"
"""The same of debits of the scheme CORE, which banks take in files of their own (EBICS: CDD; those
of B2B are CDB)."""


class Sepa:
    """SEPA credit transfers and direct debits, by files. Implements `FileRail`, `BankReader`."""

    slug = SLUG
    directions = frozenset(Direction)
    currencies = frozenset({CURRENCY})
    account: type[msgspec.Struct] = Account
    house: type[msgspec.Struct] = Kept

    def __init__(self, host: Host) -> None:
        self._host = host

    def check_account(self, account: Account) -> None:
        """See `FileRail`."""
        checks.check_account(account)

    def house_now(self) -> Kept:
        """See `FileRail`."""
        house: House = self._host.settings()
        try:
            checks.check_house(house)
        except InvalidRequest as error:
            raise NotConfigured(f"The settings of sepa: {error.detail}") from None
        return Kept(**msgspec.structs.asdict(house), edition=NOW)

    def files(self, batch: Batch, legs: Sequence[Leg]) -> Sequence[RailFile]:
        """See `FileRail`."""
        ids.checked(batch.reference, "The batch's reference")
        if batch.made_at.tzinfo is None:
            raise InvalidRequest("The time at which the batch was made has no time zone.")
        found = payments.checked(legs, batch.house)
        apart = payments.edition(batch.house) > 1
        sorts: dict[tuple[Direction, str], list[Leg]] = {}
        for leg in found:
            sorts.setdefault((leg.direction, _name(leg, apart)), []).append(leg)
        made: list[RailFile] = []
        for (direction, name), own in sorted(sorts.items()):
            for start in range(0, len(own), MOST_IN_A_FILE):
                number = start // MOST_IN_A_FILE + 1
                suffix = name + (str(number) if number > 1 else "")
                part = own[start : start + MOST_IN_A_FILE]
                made.append(self._file(batch, suffix, direction, part))
        return made

    def _file(
        self, batch: Batch, suffix: str, direction: Direction, legs: Sequence[Leg]
    ) -> RailFile:
        house: House = batch.house
        paying = direction is Direction.PAY
        message_id = ids.derived(batch.reference, suffix)
        message = Message(
            id=message_id,
            version=house.transfer_version if paying else house.debit_version,
            made_at=batch.made_at,
            house=house,
            blocks=payments.blocks(message_id, legs),
        )
        content = (transfers if paying else debits).write(message)
        try:
            xsd.check(message.version, content)
        except xsd.NotValid as error:
            raise InvalidRequest(
                f"The file {message_id} would break its schema {message.version}: {error}"
            ) from None
        return RailFile(
            name=f"{message_id}.{message.version}.xml",
            media_type=XML,
            content=content,
            references=tuple(leg.reference for leg in message.legs),
            message_id=message_id,
            blocks={each.id: tuple(leg.reference for leg in each.legs) for each in message.blocks},
        )

    def read(self, source: BinaryIO) -> Iterator[BankRecord]:
        """See `BankReader`."""
        return reading.records(source)

    def health(self) -> Health:
        """Whether its settings would do."""
        try:
            self.house_now()
        except NotConfigured as error:
            return Health(ok=False, message=error.detail)
        return Health(ok=True)


def _name(leg: Leg, schemes_apart: bool) -> str:
    """What the id of the message ends with that the leg is in."""
    core = leg.direction is Direction.COLLECT and leg.account.mandate_scheme == "CORE"
    return CORE if core and schemes_apart else NAMES[leg.direction]
