"""What a rail is asked that moves money by files which somebody carries to a bank."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import msgspec

from marketplace.contract.orders import Health
from marketplace.contract.rails import Direction, Leg


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of one settlement have in common. Kept, so that they can be made again."""

    reference: str
    """At most 35 capital letters, digits and dashes, never used twice: make your message ids
    from it."""
    made_at: datetime
    """Aware UTC: the only clock a file may know."""
    house: Any
    """The clearing house's own side: a struct of `FileRail.house`, as it was when the batch was
    made."""


class RailFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file for a bank."""

    name: str
    """At most 100 letters, digits, dots, dashes and underscores; unique in its batch."""
    media_type: str
    content: bytes
    references: tuple[str, ...]
    """Those of the legs it pays, at least one."""
    message_id: str = ""
    """What the bank calls the file when it answers for all of it (`MsgId`), never used twice.
    Empty: such an answer is shown to people, and touches no leg. Since 1.1."""
    blocks: dict[str, tuple[str, ...]] = {}
    """What the bank calls the blocks of payments in it (`PmtInfId`) when it answers for one or
    books it in one sum, never used twice; and the references of its legs. Each leg of the file is
    in one block. Empty: as with `message_id`. Since 1.1."""


@runtime_checkable
class FileRail(Protocol):
    """Moves money by files. What became of legs is known from the bank's own files only: see
    `BankReader`. Called outside any transaction, under a time limit.
    """

    slug: str
    """The plugin's slug."""
    directions: frozenset[Direction]
    """What it can do."""
    currencies: frozenset[str]
    """ISO 4217; empty: every currency."""
    account: type[msgspec.Struct]
    """What it needs to know of a member's account; members are asked for its fields."""
    house: type[msgspec.Struct]
    """What its files say of the clearing house. It holds no secret: it is kept with each batch."""

    def check_account(self, account: Any) -> None:
        """Raises InvalidRequest, with words for who typed it, where no money could reach it.

        Pure, no I/O: form and check digits.
        """
        ...

    def house_now(self) -> Any:
        """The clearing house's side as your settings say now: a struct of `house`.

        Raises NotConfigured where something required is missing or wrong.
        """
        ...

    def files(self, batch: Batch, legs: Sequence[Leg]) -> Sequence[RailFile]:
        """The files that pay these legs, each leg in exactly one; moves nothing by itself.

        Pure: no clock, no chance, no settings, so that the same batch and legs give the same bytes
        for ever, also in a later version of yours. Raises InvalidRequest, naming the leg, where
        one cannot be paid as it is; then there is no file.
        """
        ...

    def health(self) -> Health:
        """A quick check, a second at most."""
        ...
