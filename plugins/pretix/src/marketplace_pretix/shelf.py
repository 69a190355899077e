"""What one event of a pretix sells, and on what terms: read whole, judged without another call."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from marketplace_pretix import asking
from marketplace_pretix.asking import Asks, Bundled, Question, Text
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import Sku
from marketplace_pretix.settings import PretixSettings

UNLIMITED: Final = 1_000_000
"""What the stock says of a product without an end."""
HIDDEN: Final = frozenset((401, 403, 404))


class OutOfSight(Exception):
    """Pretix does not show the event: `trouble` says why."""

    def __init__(self, trouble: str) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class Quota(msgspec.Struct, frozen=True):
    """A quota, with what is left of it."""

    id: int
    items: list[int]
    variations: list[int]
    subevent: int | None
    available: bool
    available_number: int | None

    def covers(self, sku: Sku) -> bool:
        """Whether a sale of the sku takes from it."""
        has_variation = sku.variation is None or sku.variation in self.variations
        return sku.item in self.items and has_variation and self.subevent == sku.subevent

    @property
    def left(self) -> int:
        """Units that it still has."""
        if not self.available:
            return 0
        return UNLIMITED if self.available_number is None else self.available_number


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """On what terms a product, or a variation of it, is sold."""

    id: int
    active: bool = True
    default_price: str | None = None
    available_from: datetime | None = None
    available_until: datetime | None = None
    all_sales_channels: bool = True
    limit_sales_channels: list[str] = []
    hide_without_voucher: bool = False
    require_approval: bool = False
    require_membership: bool = False

    def trouble(self, channel: str, now: datetime) -> str | None:
        """What keeps it from being sold, as a code of `words.TROUBLES`."""
        if not self.active:
            return "inactive"
        if self.hide_without_voucher:
            return "voucher"
        if self.require_approval:
            return "approval"
        if self.require_membership:
            return "membership"
        if not self.all_sales_channels and channel not in self.limit_sales_channels:
            return "channel"
        if self.available_from is not None and now < self.available_from:
            return "not_yet"
        if self.available_until is not None and now > self.available_until:
            return "no_longer"
        return None


class Variation(Terms, frozen=True, kw_only=True):
    """A variation of a product."""

    value: Text = ""


class _AddOns(msgspec.Struct, frozen=True):
    min_count: int = 0


class _Bundle(msgspec.Struct, frozen=True):
    bundled_item: int = 0
    bundled_variation: int | None = None
    count: int = 1


class Product(Terms, frozen=True, kw_only=True):
    """A product of the event."""

    name: Text = ""
    variations: list[Variation] = []
    addons: list[_AddOns] = []
    bundles: list[_Bundle] = []
    require_voucher: bool = False
    require_bundling: bool = False
    issue_giftcard: bool = False
    personalized: bool = False
    min_per_order: int | None = None
    max_per_order: int | None = None
    hidden_if_available: int | None = None
    hidden_if_item_available: int | None = None
    grant_membership_type: int | None = None
    media_policy: str | None = None

    def trouble(self, channel: str, now: datetime) -> str | None:
        """As of the terms, and what only products have."""
        found = Terms.trouble(self, channel, now)
        kept = (
            (self.require_voucher, "voucher"),
            (self.require_bundling, "bundled"),
            (any(each.min_count > 0 for each in self.addons), "addons"),
            (self.issue_giftcard, "giftcard"),
            (self.grant_membership_type is not None, "account"),
            (bool(self.media_policy), "medium"),
        )
        return found or next((code for applies, code in kept if applies), None)

    def variation(self, number: int | None) -> Variation | None:
        """One of its variations."""
        return next((each for each in self.variations if each.id == number), None)


class _Override(msgspec.Struct, frozen=True, kw_only=True):
    item: int | None = None
    variation: int | None = None
    disabled: bool = False
    price: str | None = None
    available_from: datetime | None = None
    available_until: datetime | None = None


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """When something is, and when it is sold: an event, or one date of a series."""

    name: Text = ""
    date_from: datetime | None = None
    date_to: datetime | None = None
    presale_start: datetime | None = None
    presale_end: datetime | None = None
    seat_category_mapping: dict[str, int] = {}
    location: Text | None = None

    def trouble(self, now: datetime, time_zone: str) -> str | None:
        """Whether its sale has not begun, or is over, as pretix reckons it."""
        if self.presale_start is not None and now < self.presale_start:
            return "not_begun"
        end = self.presale_end or self.date_to
        if end is not None:
            return "over" if now > end else None
        zone = asking.zone(time_zone)
        begun = self.date_from is not None and (
            now.astimezone(zone).date() > self.date_from.astimezone(zone).date()
        )
        return "over" if begun else None


class Date(Occasion, frozen=True, kw_only=True):
    """One date of a series."""

    id: int
    active: bool = True
    item_price_overrides: list[_Override] = []
    variation_price_overrides: list[_Override] = []

    def _named(self, sku: Sku) -> list[_Override]:
        if sku.variation is not None:
            own = [v for v in self.variation_price_overrides if v.variation == sku.variation]
        else:
            own = []
        return [*own, *(each for each in self.item_price_overrides if each.item == sku.item)]

    def price(self, sku: Sku) -> str | None:
        """What the product costs on this date, where that is another price."""
        named = self._named(sku)
        return next((each.price for each in named if each.price is not None), None)

    def sells(self, sku: Sku, now: datetime) -> bool:
        """Whether the product is not taken off, or not now, on this date alone."""
        return not any(
            each.disabled
            or (each.available_from is not None and now < each.available_from)
            or (each.available_until is not None and now > each.available_until)
            for each in self._named(sku)
        )


class Event(Occasion, frozen=True, kw_only=True):
    """An event, or a series of them."""

    slug: str
    currency: str = "EUR"
    live: bool = True
    has_subevents: bool = False
    timezone: str = "UTC"
    all_sales_channels: bool = True
    limit_sales_channels: list[str] = []


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """Which of an event's settings say what is asked of who comes."""

    attendee_names_asked: bool | None = None
    attendee_names_required: bool | None = None
    attendee_emails_asked: bool | None = None
    attendee_emails_required: bool | None = None
    attendee_company_asked: bool | None = None
    attendee_company_required: bool | None = None
    attendee_addresses_asked: bool | None = None
    attendee_addresses_required: bool | None = None
    name_scheme: str | None = None
    max_items_per_order: int | None = None


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """What one event has, as pretix said at one moment."""

    event: Event
    wishes: Wishes
    products: list[Product]
    quotas: list[Quota]
    questions: list[Question] = []
    dates: list[Date] = []

    def product(self, sku: Sku) -> Product | None:
        """The product of a sku."""
        return next((each for each in self.products if each.id == sku.item), None)

    def free(self, sku: Sku) -> int:
        """Units left: the least that any quota of the product has, or of what comes with it,
        trouble or not.
        """
        product = self.product(sku)
        parts = [(sku, 1), *([] if product is None else self._bundled(product, sku))]
        left = [UNLIMITED]
        for each in self.quotas:
            taken = sum(count for part, count in parts if each.covers(part))
            left += [each.left // taken] if taken else []
        is_covered = all(any(q.covers(part) for q in self.quotas) for part, _ in parts)
        return min(left) if is_covered else 0

    def _bundled(self, product: Product, sku: Sku) -> list[tuple[Sku, int]]:
        """What comes with each unit of a product, and how much of it."""
        return [
            (
                msgspec.structs.replace(
                    sku, item=each.bundled_item, variation=each.bundled_variation
                ),
                max(each.count, 1),
            )
            for each in product.bundles
        ]

    def trouble(self, sku: Sku, settings: PretixSettings, now: datetime) -> str | None:
        """What keeps a product from being sold here, as a code of `words.TROUBLES`; or None.

        Pretix itself would take most of such orders: it trusts who orders over REST to know.
        """
        product = self.product(sku)
        if product is None:
            return "product"
        event, channel = self.event, settings.sales_channel
        if not event.live and settings.hand_out == "page":
            return "not_live"
        if not event.all_sales_channels and channel not in event.limit_sales_channels:
            return "channel"
        return (
            self._trouble_of_choice(product, sku, channel, now)
            or product.trouble(channel, now)
            or self._trouble_of_date(sku, now)
            or self._trouble_of_questions(product)
            or self._trouble_of_quotas(product, sku)
            or self._trouble_of_bundles(product, sku, channel, now)
        )

    def _trouble_of_choice(
        self, product: Product, sku: Sku, channel: str, now: datetime
    ) -> str | None:
        if sku.variation is None:
            return "no_variation" if product.variations else None
        variation = product.variation(sku.variation)
        return "variation" if variation is None else variation.trouble(channel, now)

    def _trouble_of_date(self, sku: Sku, now: datetime) -> str | None:
        if not self.event.has_subevents:
            return self.event.trouble(now, self.event.timezone) if sku.subevent is None else "date"
        if sku.subevent is None:
            return "no_date"
        date = self._date(sku)
        if date is None or not date.active:
            return "date"
        if not date.sells(sku, now):
            return "not_on_date"
        return date.trouble(now, self.event.timezone)

    def _trouble_of_questions(self, product: Product) -> str | None:
        asked = self._asked_of(product)
        unknown = any(each.required and each.type not in asking.ANSWERABLE for each in asked)
        return "question" if unknown else None

    def _trouble_of_quotas(self, product: Product, sku: Sku) -> str | None:
        hider, other = product.hidden_if_available, product.hidden_if_item_available
        if any(each.left and (each.id == hider or other in each.items) for each in self.quotas):
            return "hidden"
        return None if any(each.covers(sku) for each in self.quotas) else "quota"

    def _trouble_of_bundles(
        self, product: Product, sku: Sku, channel: str, now: datetime
    ) -> str | None:
        """What comes with a product is sold with it, but who comes is asked for tickets alone."""
        for each, _ in self._bundled(product, sku):
            part = self.product(each)
            if (
                part is None
                or not part.active
                or part.bundles
                or self._trouble_of_choice(part, each, channel, now)
                or self._trouble_of_quotas(part, each)
                or self._asks_of(part, each).must_be_told
            ):
                return "bundles"
        return None

    def asks(self, sku: Sku) -> Asks:
        """What is asked of who comes with a product that is on the shelf."""
        product = self.product(sku)
        return Asks() if product is None else self._asks_of(product, sku)

    def _asks_of(self, product: Product, sku: Sku) -> Asks:
        said, is_named = self.wishes, product.personalized
        occasion = self._date(sku) or self.event
        most = [each for each in (product.max_per_order, said.max_items_per_order) if each]
        return Asks(
            names=_wanted(is_named, said.attendee_names_asked, said.attendee_names_required),
            name_scheme=said.name_scheme or "full",
            emails=_wanted(is_named, said.attendee_emails_asked, said.attendee_emails_required),
            companies=_wanted(
                is_named, said.attendee_company_asked, said.attendee_company_required
            ),
            addresses=_wanted(
                is_named, said.attendee_addresses_asked, said.attendee_addresses_required
            ),
            bundled=[
                Bundled(each.item, each.variation, count)
                for each, count in self._bundled(product, sku)
            ],
            questions=[
                msgspec.structs.replace(each, items=[])
                for each in self._asked_of(product)
                if each.type in asking.ANSWERABLE
            ],
            is_seated=sku.item in occasion.seat_category_mapping.values(),
            least=max(product.min_per_order or 1, 1),
            most=min(most, default=None),
            time_zone=self.event.timezone,
        )

    def name(self, sku: Sku, language: str = "en") -> str:
        """Event, product, variation and date, for people to read."""
        product = self.product(sku)
        variation = None if product is None else product.variation(sku.variation)
        date = self._date(sku)
        words = [asking.said(self.event.name, language) or self.event.slug]
        if product is not None:
            words.append(asking.said(product.name, language))
        if variation is not None:
            words.append(asking.said(variation.value, language))
        if date is not None and date.date_from is not None:
            there = date.date_from.astimezone(asking.zone(self.event.timezone))
            words.append(f"{there:%Y-%m-%d %H:%M}")
        return ": ".join(each for each in words if each)[:200]

    def _date(self, sku: Sku) -> Date | None:
        return next((each for each in self.dates if each.id == sku.subevent), None)

    def _asked_of(self, product: Product) -> list[Question]:
        own = [
            each
            for each in self.questions
            if product.id in each.items and not each.ask_during_checkin and not each.hidden
        ]
        return sorted(own, key=lambda each: (each.position, each.id))


def _wanted(is_named: bool, asked: bool | None, required: bool | None) -> asking.Wanted:
    if not is_named:
        return "no"
    return "required" if required else ("optional" if asked else "no")


def read(client: Pretix, event: str) -> Shelf:
    """All that an event sells. Refused; OutOfSight where pretix does not show the event."""
    below = f"/events/{quote(event, safe='')}/"
    try:
        found = msgspec.convert(_one(client, below), Event)
        dates = list(client.list(f"{below}subevents/")) if found.has_subevents else []
        return Shelf(
            event=found,
            wishes=msgspec.convert(_one(client, f"{below}settings/"), Wishes),
            products=msgspec.convert(list(client.list(f"{below}items/")), list[Product]),
            quotas=msgspec.convert(
                list(client.list(f"{below}quotas/", with_availability="true")), list[Quota]
            ),
            questions=msgspec.convert(list(client.list(f"{below}questions/")), list[Question]),
            dates=msgspec.convert(dates, list[Date]),
        )
    except msgspec.ValidationError as error:
        raise Refused(f"event {event} cannot be read: {error}") from None


def occasion(client: Pretix, sku: Sku) -> tuple[Event, Occasion]:
    """The event of a sku, and when it is: the date of it in a series. Refused."""
    below = f"/events/{quote(sku.event, safe='')}/"
    try:
        event = msgspec.convert(_one(client, below), Event)
        if sku.subevent is None:
            return event, event
        return event, msgspec.convert(_one(client, f"{below}subevents/{sku.subevent}/"), Date)
    except (msgspec.ValidationError, OutOfSight) as error:
        raise Refused(f"event {sku.event} cannot be read: {error}") from None


def _one(client: Pretix, path: str) -> dict[str, Any]:
    answer = client.call("GET", path)
    try:
        found = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused(f"{path}: status {answer.status}, and not pretix's answer") from None
    if answer.status in HIDDEN and "detail" in found:
        raise OutOfSight("token" if answer.status == 401 else "event")
    if answer.status != 200 or answer.truncated:
        raise Refused(f"{path}: pretix answered with status {answer.status}")
    return found
