"""What the core lends a plugin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A held burn of a plugin's offer: it may be ordered still, or be answered already."""

    reference: str
    """As in `Order.reference`."""
    quantity: int


class Host(Protocol):
    """The core as one plugin sees it; given to the registering hooks."""

    slug: str

    def settings(self) -> Any:
        """The plugin's house settings: a struct of `PluginSettings.house`, None where it has none.

        Kept for a few seconds, so ask whenever you need them, also within a supplier's call. Never
        ask while registering: settings change while the process runs. NotConfigured where the
        operator has not given what is required.
        """
        ...

    def member_settings(self, member_id: UUID, *, sandbox: bool = False) -> Any:
        """A member's settings: a struct of `PluginSettings.member`; None where it has none, or
        where the plugin is not enabled for this member.

        With `sandbox` the second set, for trial orders (`Order.sandbox`), enabled or not; the two
        sets share nothing. NotConfigured where something required was not given.
        """
        ...

    def transaction(self) -> AbstractContextManager[Session]:
        """A transaction on the plugin's own tables: commits at the end, rolls back on raise."""
        ...

    def align_stock(
        self, session: Session, sku: str, free_units: Callable[[Sequence[OpenOrder]], int]
    ) -> int:
        """Make the stock of this plugin's offers of `sku` what it can deliver; returns how many.

        Locks the stock until the session ends, so that nothing more is held meanwhile, then asks
        `free_units` for the units left, given the orders that are held and not resolved: units
        promised to them must be taken off, and units of orders you refused too, for the void gives
        them back. Below zero counts as zero. An offer without limited stock has it from then on.
        """
        ...

    def member_id(self, session: Session, slug: str) -> UUID:
        """The id of the member with this slug; NotFound where there is none."""
        ...

    def offer_owner(self, session: Session, sku: str) -> UUID | None:
        """The member paid for this plugin's offers of `sku`; None where no offer names it."""
        ...

    def encrypt(self, text: str) -> bytes:
        """Encrypt a secret for the plugin's own tables."""
        ...

    def decrypt(self, token: bytes) -> str:
        """Decrypt what `encrypt` made, also after a key rotation."""
        ...

    def fingerprint(self, text: str) -> bytes:
        """A keyed digest, equal for equal text, to find duplicates without decrypting."""
        ...

    def audit(
        self, session: Session, *, actor: str, action: str, subject: str, **details: Any
    ) -> None:
        """Write an audit entry in `session`; `action` is prefixed with the slug."""
        ...

    def now(self, session: Session) -> datetime:
        """Business time."""
        ...
