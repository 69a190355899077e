"""What people are told when an organizer changes their order at its pretix."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from marketplace.api import Host, Lazy, News, NewsField, NoticeKind, lazy
from marketplace_pretix import telling
from marketplace_pretix.repository import Sent

LOCALE: Final = Path(__file__).parent / "locale"


def _kind(slug: str, subject: Lazy, text: Lazy, **fields: NewsField) -> NoticeKind:
    return NoticeKind(
        slug=slug,
        subject=subject,
        text=text,
        action=lazy("See your tickets"),
        path="/tickets/%(order)s",
        fields={"event": "text", "order": "id", **fields},
        translations=LOCALE,
    )


CANCELLED: Final = _kind(
    "cancelled_there",
    lazy("Cancelled by the organizer: %(event)s"),
    lazy(
        "The organizer has cancelled your order of tickets, and they are not valid any more: "
        "%(event)s. If it stays with that, all your points come back by themselves, after "
        "hours: %(hours)s."
    ),
    hours="number",
)
TAKEN_OUT: Final = _kind(
    "taken_out_there",
    lazy("Some tickets were cancelled by the organizer: %(event)s"),
    lazy(
        "The organizer has cancelled a part of your tickets: %(event)s. Not valid any more: "
        "%(gone)s of %(all)s. If it stays with that, their points come back by themselves, after "
        "hours: %(hours)s."
    ),
    gone="number",
    all="number",
    hours="number",
)
MOVED: Final = _kind(
    "moved_there",
    lazy("Changed by the organizer: %(event)s"),
    lazy(
        "The organizer has changed your tickets to another product or another date: %(event)s. "
        "They are valid; look at them before you go, for their codes may be new."
    ),
)
AGAIN: Final = _kind(
    "valid_again_there",
    lazy("Valid again: %(event)s"),
    lazy(
        "The organizer has made your order of tickets valid again: %(event)s. No points come back."
    ),
)


def tell(
    host: Host, session: Session, kind: NoticeKind, sent: Sent, when: datetime, **values: int
) -> None:
    """Tell who has an order what became of it; `when` keeps one change from being told twice."""
    states = telling.states(session, [(sent.member_id, sent.sku)])
    state = states.get((sent.member_id, sent.sku))
    event = sent.event if state is None else state.name
    said: dict[str, str | int | datetime] = {
        "event": event,
        "order": sent.reference,
        **values,
    }
    occasion = f"{when:%Y%m%dT%H%M%S%f}"
    host.notify(session, kind, [News(about=sent.reference, occasion=occasion, values=said)])
