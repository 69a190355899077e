"""What people are told of their places: every kind of notice, and who says it when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, Lazy, News, NewsField, NoticeKind, Words, lazy
from marketplace_conference.names import everywhere
from marketplace_conference.places import Event, Session

Values = dict[str, Words | int | datetime]
LOCALE: Final = Path(__file__).parent / "locale"


def _kind(
    slug: str, subject: Lazy, text: Lazy, action: Lazy, path: str = "", **fields: NewsField
) -> NoticeKind:
    return NoticeKind(
        slug=slug,
        subject=subject,
        text=text,
        action=action,
        path=path,
        fields={"event": "text", **fields},
        translations=LOCALE,
    )


OFFERED: Final = _kind(
    "places_offered",
    lazy("Places are reserved for you: %(event)s"),
    lazy(
        "You waited for places at %(event)s, and now they are reserved for you until %(until)s. "
        "Burn for them before then, or they go to the next."
    ),
    lazy("Take the places"),
    "/waiting/%(token)s",
    until="moment",
    token="id",  # noqa: S106 - how a field is shown
)
LAPSED: Final = _kind(
    "offer_lapsed",
    lazy("Your offer has ended: %(event)s"),
    lazy(
        "The places at %(event)s that were reserved for you went to the next, for the time to take "
        "them is over. Join the list again if you still want to come."
    ),
    lazy("See the waiting list"),
    "/waiting/%(token)s",
    token="id",  # noqa: S106
)
CALLED_OFF: Final = _kind(
    "called_off",
    lazy("Called off: %(event)s"),
    lazy(
        "%(event)s does not take place: %(reason)s "
        "Your tickets are void, and all points that you burnt for them come back."
    ),
    lazy("See your reward"),
    reason="text",
)
NO_MORE_WAITING: Final = _kind(
    "waiting_ended",
    lazy("Called off: %(event)s"),
    lazy("%(event)s, which you wait for places at, does not take place: %(reason)s"),
    lazy("See the waiting list"),
    "/waiting/%(token)s",
    reason="text",
    token="id",  # noqa: S106
)
MOVED: Final = _kind(
    "moved",
    lazy("At another time or place: %(event)s"),
    lazy(
        "%(event)s was moved: %(reason)s %(session)s now begins %(begins)s, at %(place)s. Your "
        "ticket stays good; take its calendar entry again. If you cannot come, give it up before "
        "%(until)s and all its points come back."
    ),
    lazy("See your tickets"),
    "/tickets/%(order)s",
    reason="text",
    session="text",
    begins="moment",
    place="text",
    until="moment",
    order="id",
)
SWITCHED: Final = _kind(
    "switched",
    lazy("Your ticket has changed: %(event)s"),
    lazy(
        "A ticket of yours at %(event)s is for %(session)s now, which begins %(begins)s. The code "
        "it had before admits nobody any more: open it again, and take its calendar entry again."
    ),
    lazy("See your tickets"),
    "/tickets/%(order)s",
    session="text",
    begins="moment",
    order="id",
)
CERTIFIED: Final = _kind(
    "certificate_ready",
    lazy("Certificate of attendance: %(event)s"),
    lazy(
        "You, or who came in your name, attended %(event)s. The certificate is ready, with a code "
        "by which anybody can verify it."
    ),
    lazy("Open the certificate"),
    "/certificates/%(order)s/certificates.pdf",
    order="id",
)


def offered(
    host: Host, session: Transaction, event: Words, token: str, until: datetime, zone: str
) -> None:
    """Places are offered from the waiting list; each offer is told once."""
    ends = until.astimezone(ZoneInfo(zone))
    values: Values = {"event": event, "until": ends, "token": token}
    host.notify(session, OFFERED, [News(about=token, occasion="offered", values=values)])


def lapsed(host: Host, session: Transaction, event: Words, tokens: Collection[str]) -> None:
    """The time to take an offer is over."""
    host.notify(
        session,
        LAPSED,
        [
            News(about=each, occasion="lapsed", values={"event": event, "token": each})
            for each in tokens
        ],
    )


def called_off(
    host: Host,
    session: Transaction,
    event: Words,
    reason: str,
    *,
    orders: Collection[str] = (),
    tokens: Collection[str] = (),
) -> None:
    """An event does not take place: to who has tickets, to who waits for them."""
    said = {"event": event, "reason": _sentence(reason)}
    host.notify(
        session,
        CALLED_OFF,
        [News(about=each, occasion="called-off", values=said) for each in orders],
    )
    waits = [
        News(about=each, occasion="called-off", values={**said, "token": each}) for each in tokens
    ]
    host.notify(session, NO_MORE_WAITING, waits)


def moved(
    host: Host,
    session: Transaction,
    event: Event,
    parts: Mapping[UUID, Session],
    orders: Collection[tuple[str, UUID]],
    *,
    occasion: str,
    reason: str,
    until: datetime,
) -> None:
    """To who has tickets, once for each session that they have some of."""
    zone = ZoneInfo(event.time_zone)
    news = [
        News(
            about=order,
            occasion=f"{occasion}-{session_id.hex[-12:]}",
            values={
                "event": name_of(event),
                "reason": _sentence(reason),
                "session": _part_of(event, parts[session_id]),
                "begins": parts[session_id].starts_at.astimezone(zone),
                "place": ", ".join(filter(None, (parts[session_id].room, event.venue))),
                "until": until.astimezone(zone),
                "order": order,
            },
        )
        for order, session_id in orders
    ]
    host.notify(session, MOVED, news)


def certified(host: Host, session: Transaction, orders: Mapping[str, Words]) -> None:
    """Certificates are ready, for these orders with the names of their events."""
    host.notify(
        session,
        CERTIFIED,
        [
            News(about=order, occasion="certified", values={"event": event, "order": order})
            for order, event in orders.items()
        ],
    )


def switched(
    host: Host, session: Transaction, event: Event, part: Session, order: str, occasion: str
) -> None:
    """A ticket is for another session now."""
    values: Values = {
        "event": name_of(event),
        "session": _part_of(event, part),
        "begins": part.starts_at.astimezone(ZoneInfo(event.time_zone)),
        "order": order,
    }
    host.notify(session, SWITCHED, [News(about=order, occasion=occasion, values=values)])


def name_of(event: Event) -> Words:
    """In the language of whoever reads it."""
    return everywhere(event.name, event.names, event.language)


def _part_of(event: Event, part: Session) -> Words:
    return everywhere(part.name, part.names, event.language)


def _sentence(reason: str) -> str:
    """An organiser's words as a sentence of ours can end with them."""
    words = reason.strip()
    return words if words.endswith((".", "!", "?", "…")) else f"{words}."
