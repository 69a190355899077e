"""How a plugin lets the simulator play its outside world.

A supplier talks to something the simulator does not know: a shop, a ticket office, a database of
its own. A `Rehearsal` makes that world stumble on demand. What neither it nor the plugin's own
database transactions can show is reported as not shown, never as passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from marketplace import api
from marketplace.testing.laboratory import Lab


class Trouble(StrEnum):
    """What the outside world does while a scenario asks the supplier."""

    LOST_ANSWER = "lost-answer"
    """It takes and delivers the order, then the connection breaks before it has answered."""
    SLOW = "slow"
    """It answers correctly, a second and a half late."""
    DOWN = "down"
    """It cannot be reached: nothing is taken."""
    PENDING = "pending"
    """It accepts orders and delivers them only when the trouble is over."""
    PRICE = "price"
    """It asks more for the order than the exchange pays (`Order.cost_micros`)."""
    MALFORMED = "malformed"
    """Its answer cannot be read; whether it took the order is not known."""
    PARTIAL = "partial"
    """It answers about one order of a batch only, and took no other."""


LATE_S = 1.5
"""How late a slow world answers."""


class NotShown(Exception):
    """A scenario could not be played: nothing is proved either way. The text says what it needs."""


class Goods(msgspec.Struct, frozen=True, kw_only=True):
    """What the supplier can be asked for."""

    sku: str
    """Something it can deliver so many units of."""
    empty_sku: str
    """Something it can never deliver."""


class Rehearsal:
    """Subclass it and name it in your pyproject.toml:

        [project.entry-points."marketplace.rehearsal"]
        acme = "marketplace_acme.rehearsal:AcmeRehearsal"

    It is made once per process of the simulator. `supplier` is what your plugin registered: put a
    stand-in behind it where it meets the outside world, and let that stand-in misbehave.
    """

    without: ClassVar[Mapping[Trouble, str]] = {}
    """Troubles that your world cannot have, each with the reason; the report quotes it."""

    settings: ClassVar[msgspec.Struct | None] = None
    """House settings to play with, where your plugin needs some."""
    member_settings: ClassVar[msgspec.Struct | None] = None
    """Settings of the member that is paid for what the simulator orders, likewise."""
    sandbox_settings: ClassVar[msgspec.Struct | None] = None
    """That member's settings for trial orders, likewise."""

    def __init__(self, lab: Lab, host: api.Host, supplier: api.Supplier) -> None:
        self.lab = lab
        self.host = host
        self.supplier = supplier

    def goods(self, units: int) -> Goods:
        """Make the supplier able to deliver `units` more units of the sku returned."""
        raise NotShown("the rehearsal has no goods()")

    def trouble(self, trouble: Trouble) -> AbstractContextManager[None]:
        """While the block runs, the outside world has this trouble; then it is well again."""
        raise NotShown(f"the rehearsal does not play the trouble {trouble.value!r}")

    def delivered(self, reference: str) -> int | None:
        """How many times the outside world delivered this order; None where it cannot tell."""
        return None


class NotifierRehearsal:
    """The same for a notifier. Subclass it and name it by the channel in your pyproject.toml:

    [project.entry-points."marketplace.rehearsal"]
    "acme.sms" = "marketplace_acme.rehearsal:SmsRehearsal"
    """

    without: ClassVar[Mapping[Trouble, str]] = {}
    """Troubles that your world cannot have, each with the reason; the report quotes it."""
    settings: ClassVar[msgspec.Struct | None] = None
    """House settings that it is played with."""

    def __init__(self, lab: Lab, host: api.Host, notifier: api.Notifier) -> None:
        self.lab = lab
        self.host = host
        self.notifier = notifier

    def address(self) -> str:
        """An address, as a person would type it, at which notices arrive."""
        raise NotShown("no address is known to send to: add a rehearsal with address()")

    def trouble(self, trouble: Trouble) -> AbstractContextManager[None]:
        """While the block runs, the outside world has this trouble; then it is well again."""
        raise NotShown(f"the rehearsal does not play the trouble {trouble.value!r}")

    def arrived(self, reference: str) -> int | None:
        """How many times this notice arrived; None where nobody can tell."""
        return None


class RailRehearsal:
    """The same for a rail. Subclass it and name it in your pyproject.toml:

    [project.entry-points."marketplace.rehearsal"]
    "acme.rail" = "marketplace_acme.rehearsal:AcmeRehearsal"
    """

    without: ClassVar[Mapping[Trouble, str]] = {}
    """Troubles that your world cannot have, each with the reason; the report quotes it."""
    settings: ClassVar[msgspec.Struct | None] = None
    """House settings that it is played with."""

    def __init__(self, lab: Lab, host: api.Host, rail: api.Rail) -> None:
        self.lab = lab
        self.host = host
        self.rail = rail

    def account(self) -> Any:
        """An account that money reaches: a struct of `Rail.account`."""
        raise NotShown("no account is known to pay to: add a rehearsal with account()")

    def trouble(self, trouble: Trouble) -> AbstractContextManager[None]:
        """While the block runs, the outside world has this trouble; then it is well again."""
        raise NotShown(f"the rehearsal does not play the trouble {trouble.value!r}")

    def moved(self, reference: str) -> list[int] | None:
        """Amounts the outside world was told to move for this leg; None where nobody can tell."""
        return None


class FileRailRehearsal:
    """The same for a rail that makes files; name it likewise. Its world is a bank that it never
    meets, so there is no trouble to play: only what the bank would send.
    """

    settings: ClassVar[msgspec.Struct | None] = None
    """House settings that it is played with."""

    def __init__(self, lab: Lab, host: api.Host, rail: api.FileRail) -> None:
        self.lab = lab
        self.host = host
        self.rail = rail

    def account(self) -> Any:
        """An account that money reaches: a struct of `FileRail.account`."""
        raise NotShown("no account is known to pay to: add a rehearsal with account()")

    def bank_files(self) -> Mapping[str, bytes]:
        """Files that a bank sends, by name, which the rail reads without a fault."""
        raise NotShown("nothing is known that the bank sends: add bank_files() to the rehearsal")
