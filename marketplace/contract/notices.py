"""What a notifier is asked and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from marketplace.contract.orders import Rejected, Retry
from marketplace.web.i18n import Lazy


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell one person over a channel, in their language. All of it is plain text."""

    reference: str
    """Ours, the same for every try: your idempotency key."""
    address: str
    """Where to, as `Notifier.accept` returned it."""
    language: str
    """Of the words: `en`, `ru`, `pl` or `it`."""
    subject: str
    """One line."""
    text: str
    link: str
    """The page it leads to, a whole URL."""
    action: str
    """Words of the link."""


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag="sent"):
    """The notice is on its way; we do not send it again."""

    reference: str


NoticeOutcome: TypeAlias = Sent | Rejected | Retry
"""`Rejected`: never to be sent, e.g. the address is no more; its reason is for the operator."""


@runtime_checkable
class Notifier(Protocol):
    """Carries notices to people who chose its channel. Called in a worker, under a time limit."""

    channel: str
    """Unique; begins with the plugin's slug, e.g. `acme.sms`. Never changes."""
    label: Lazy | str
    """What people call it, e.g. `lazy("Text message")`."""
    address_label: Lazy | str
    """What they are asked for, e.g. `lazy("Mobile number")`."""

    def accept(self, address: str) -> str:
        """An address a person typed, as it is to be kept; the same again for its own answer.

        Raises InvalidRequest with words for the person where it is none. Pure, no I/O.
        """
        ...

    def send(self, notices: Sequence[Notice]) -> Sequence[NoticeOutcome]:
        """Send up to 50 notices, one outcome each, in any order.

        One without an answer, and all of them after a raise or a time-out, come again later: a
        notice may come twice, under the same reference.
        """
        ...
