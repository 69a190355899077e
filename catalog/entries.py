"""Listings as search needs them: made from rows, and how each stands at one moment. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from catalog.domain import (
    NEW_DAYS,
    Delivery,
    ValueSource,
    Why,
    value_per_thousand,
)
from catalog.loading import Pulse, Rows
from catalog.schemas import Card, DenominationView, Obstacle, PictureView
from marketplace.coalition.names import Names, name_in
from marketplace.exchange.domain import Cause, Closed, Eligibility
from marketplace.web.i18n import told_in

Row = Mapping[str, Any]


class Entry(msgspec.Struct):
    """One listing as search needs it. `cards` are made when first asked for."""

    number: int
    id: UUID
    row: Row
    texts: dict[str, tuple[str, str]]
    """Title and summary by locale."""
    offers: list[Row]
    picture: PictureView | None
    kind: str
    points_from: int
    points_to: int
    worth: int
    """The most that a thousand points are worth in it by what it states, in micros; 0: no word."""
    denominations: tuple[DenominationView, ...] = ()
    nearly_gone: bool = False
    new: bool = False
    cards: dict[str, tuple[Card, msgspec.Raw]] = {}

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """What keeps everybody from every choice: the first choice's, where all have some."""
        blocked = [any(each.blocks for each in d.obstacles) for d in self.denominations]
        if all(blocked):
            return self.denominations[0].obstacles
        return self.denominations[blocked.index(False)].obstacles


def make_entries(rows: Rows) -> list[Entry]:
    """Listings that have a text and an offer; others cannot be shown."""
    texts: dict[UUID, dict[str, tuple[str, str]]] = defaultdict(dict)
    for row in rows.texts:
        texts[row["listing_id"]][row["locale"]] = (row["title"], row["summary"])
    offers: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows.denominations:
        offers[row["listing_id"]].append(row)
    pictures = {
        row["listing_id"]: PictureView(
            row["hash"], row["width"], row["height"], tuple(row["widths"])
        )
        for row in rows.pictures
    }
    made: list[Entry] = []
    for row in rows.listings:
        own = offers.get(row["id"])
        if not own or row["id"] not in texts:
            continue
        made.append(
            Entry(
                number=len(made),
                id=row["id"],
                row=row,
                texts=texts[row["id"]],
                offers=own,
                picture=pictures.get(row["id"]),
                kind=own[0]["kind"],
                points_from=min(each["points"] * each["least"] for each in own),
                points_to=max(each["points"] * each["most"] for each in own),
                worth=max(
                    value_per_thousand(each["face_micros"] or 0, each["points"]) for each in own
                ),
            )
        )
    return made


def value_of(row: Row) -> tuple[int | None, str, ValueSource | None]:
    """What one unit is worth, by what its listing states, else by the published price of points.

    None where neither is known. What the partner is paid is between the partner and the operator.
    """
    if row["face_micros"] is not None:
        return row["face_micros"], row["face_currency"], ValueSource.FACE
    if row["point_micros"] is not None:
        return row["points"] * row["point_micros"], row["currency"], ValueSource.POINTS
    return None, row["currency"], None


def stand_of(row: Row, pulse: Pulse, suppliers: frozenset[str]) -> DenominationView:
    value, currency, source = value_of(row)
    left = pulse.left.get(row["offer_id"])
    return DenominationView(
        offer_id=row["offer_id"],
        offer=row["offer"],
        name=row["name"],
        points=row["points"],
        value_micros=value,
        currency=currency,
        value_from=source,
        value_per_thousand_micros=None
        if value is None
        else value_per_thousand(value, row["points"]),
        least=row["least"],
        most=row["most"],
        step=row["step"],
        left=left,
        limit=row["limit_per_wallet"],
        obstacles=tuple(_obstacles(row, pulse, left, suppliers)),
    )


def _obstacles(
    row: Row, pulse: Pulse, left: int | None, suppliers: frozenset[str]
) -> Iterable[Obstacle]:
    """What keeps everybody from an offer, in the order in which a burn is checked."""
    status, now, away = row["status"], pulse.now, pulse.away
    if status != "on_sale":
        yield Obstacle(why=Why(status))
    elif row["starts_at"] is not None and now < row["starts_at"]:
        yield Obstacle(why=Why.NOT_STARTED, at=row["starts_at"])
    elif row["ends_at"] is not None and now >= row["ends_at"]:
        yield Obstacle(why=Why.ENDED, at=row["ends_at"])
    if row["closed"] is not None:
        yield closed_in_words(msgspec.json.decode(row["closed"], type=Closed))
    if left is not None and left < row["least"]:
        yield Obstacle(why=Why.SOLD_OUT, units=left)
    orders = status == "on_sale" and row["closed"] is None
    if orders and (row["plugin"] not in suppliers or row["plugin"] in away):
        yield Obstacle(why=Why.PARTNER_AWAY, blocks=False, at=away.get(row["plugin"]))


def closed_in_words(closed: Closed) -> Obstacle:
    """What a reader is told of an offer that its plugin's closures keep shut."""
    match closed.cause:
        case Cause.OPERATOR | Cause.PLUGIN if closed.words:
            return Obstacle(why=Why.CLOSED_BECAUSE, detail=closed.words)
        case Cause.OPERATOR | Cause.PLUGIN:
            return Obstacle(why=Why.CLOSED)
        case Cause.BREAKER:
            return Obstacle(why=Why.BREAKDOWN)
    return Obstacle(why=Why.NOT_READY)


def is_visible(row: Row, now: datetime) -> bool:
    begins, ends = row["visible_from"], row["visible_to"]
    return (begins is None or begins <= now) and (ends is None or now < ends)


def is_new(published_at: datetime | None, now: datetime) -> bool:
    return published_at is not None and now - published_at < timedelta(days=NEW_DAYS)


def moments_of(entry: Entry) -> Iterable[datetime]:
    """When time alone changes how an entry stands."""
    row = entry.row
    if row["published_at"] is not None:
        yield row["published_at"] + timedelta(days=NEW_DAYS)
    for source, name in ((row, "visible_from"), (row, "visible_to")):
        if source[name] is not None:
            yield source[name]
    for offer in entry.offers:
        for name in ("starts_at", "ends_at"):
            if offer[name] is not None:
                yield offer[name]


def make_card(entry: Entry, locale: str, names: Names) -> Card:
    row = entry.row
    shown = told_in(locale, row["default_locale"], entry.texts)
    title, summary = entry.texts[shown]
    first = min(entry.denominations, key=lambda each: each.points * each.least)
    return Card(
        slug=row["slug"],
        title=title,
        summary=summary,
        locale=shown,
        kind=entry.kind,
        category=row["category"],
        partner=entry.offers[0]["partner"],
        partner_name=entry.offers[0]["partner_name"],
        picture=entry.picture,
        tags=tuple(row["tags"]),
        tag_names=tuple(name_in(names, "tag", tag, locale) for tag in row["tags"]),
        delivery=Delivery(row["delivery"]),
        delivery_days=row["delivery_days"],
        countries=tuple(row["countries"]),
        place=row["place"],
        languages=tuple(row["languages"]),
        points_from=entry.points_from,
        points_to=entry.points_to,
        value_micros=None if first.value_micros is None else first.value_micros * first.least,
        currency=first.currency,
        value_from=first.value_from,
        value_per_thousand_micros=entry.worth or first.value_per_thousand_micros,
        featured=row["featured"] > 0,
        new=entry.new,
        nearly_gone=entry.nearly_gone,
        visible_to=row["visible_to"],
        obstacles=entry.obstacles,
    )


def eligibility_of(row: Row) -> Eligibility:
    """Who may have the offer of a denomination row."""
    return msgspec.json.decode(row["eligibility"], type=Eligibility)
