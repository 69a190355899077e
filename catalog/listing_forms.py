"""The form of a listing: its fields as a spec, and a spec put into fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import structs

from catalog.domain import LOCALES, Delivery, ListingStatus
from catalog.imports.checks import MOST_DENOMINATIONS, MOST_TAGS, RESERVED
from catalog.imports.rows import CELLS, TEXTS, Languages
from catalog.specs import DenominationSpec, ListingSpec, TextSpec
from marketplace.coalition.imports import fields
from marketplace.exchange.decide import MAX_QUANTITY
from marketplace.money import decimal_from_micros
from marketplace.web.filled import Filled, moment_field
from marketplace.web.i18n import lazy as _l

SPARE_CHOICES: Final = 2
"""Empty rows below the choices a listing has; more appear once these are saved."""
OFFER: Final = re.compile(r"offer_([0-9]{1,2})")
TOO_LONG: Final = {
    "title": _l("One line of at most 120 characters, please."),
    "summary": _l("One line of at most 300 characters, please."),
    "body": _l("At most 10,000 characters, please."),
    "terms": _l("At most 10,000 characters, please."),
}


def read_listing(form: Filled, present: ListingSpec | None, *, places: bool) -> ListingSpec | None:
    """The listing that was typed; None where something is wrong, which the form then says.

    What the form does not show (its address, status, texts in further languages) is kept from
    `present`; `places`: whether the reader says where it is placed.
    """
    slug = present.slug if present else _slug(form)
    texts = dict(_texts(form))
    if present is not None:
        others = {code: text for code, text in present.texts.items() if code not in LOCALES}
        texts = {**texts, **others}
    default = form["default_locale"] or LOCALES[0]
    if default not in texts and f"title_{default}" not in form.problems:
        form.wrong(f"title_{default}", _l("The main language needs a title."))
    plain = _plain_fields(form)
    denominations = tuple(_choices(form))
    if not denominations and not any(name.startswith("offer_") for name in form.problems):
        form.wrong("offer_0", _l("Choose an offer at least."))
    featured = present.featured if present else 0
    if places:
        featured = form.take("featured", fields.Count, 0, required=False)
    if form.problems:
        return None
    return ListingSpec(
        slug=slug,
        status=present.status if present else ListingStatus.DRAFT,
        default_locale=default,
        featured=featured,
        denominations=denominations,
        texts=texts,
        **plain,
    )


def _slug(form: Filled) -> str:
    slug: str = form.take("slug", fields.Slug, "")
    if slug in RESERVED:
        form.wrong("slug", _l("This is an address of the catalog's own."))
    return slug


def _texts(form: Filled) -> Iterator[tuple[str, TextSpec]]:
    for locale in LOCALES:
        given = {}
        for text in TEXTS:
            form.typed[f"{text}_{locale}"] = form[f"{text}_{locale}"].strip()
            value = form.take(f"{text}_{locale}", CELLS[text], required=False, words=TOO_LONG[text])
            if value is not None:
                given[text] = value
        if given and "title" not in given:
            form.wrong(f"title_{locale}", _l("This language has other texts, so it needs a title."))
        elif given:
            yield locale, TextSpec(**given)


def _plain_fields(form: Filled) -> dict[str, Any]:
    """What is neither text nor choice."""
    delivery = next((each for each in Delivery if each == form["delivery"]), Delivery.INSTANT)
    days = form.take("delivery_days", fields.Positive, required=False)
    if days is not None and delivery is Delivery.INSTANT:
        form.wrong("delivery_days", _l("What is delivered at once takes no days: leave it empty."))
    elif days is not None and days > 365:
        form.wrong("delivery_days", _l("At most 365 days."))
    tags = form.take("tags", fields.Labels, (), required=False)
    if len(tags) > MOST_TAGS:
        form.wrong("tags", _l("At most %(most)s tags.", most=MOST_TAGS))
    begins = form.take("visible_from", fields.Moment, required=False)
    ends = form.take("visible_to", fields.Moment, required=False)
    if begins and ends and ends <= begins:
        form.wrong("visible_to", _l("It ends before it begins."))
    languages = _l("Different language codes such as pl, with semicolons between them.")
    return {
        "category": form.take("category", fields.Slug, required=False),
        "tags": tuple(tags),
        "countries": tuple(form.take("countries", fields.Countries, (), required=False)),
        "place": form.take("place", fields.Text, required=False),
        "delivery": delivery,
        "delivery_days": days,
        "languages": tuple(form.take("languages", Languages, (), required=False, words=languages)),
        "visible_from": begins,
        "visible_to": ends,
    }


def choice_rows(form: Filled) -> list[int]:
    """Numbers of the rows of choices to show."""
    used = [int(found[1]) for name in form.typed if (found := OFFER.fullmatch(name)) and form[name]]
    rows = max(used, default=-1) + 1 + SPARE_CHOICES
    return list(range(min(rows, MOST_DENOMINATIONS)))


def _choices(form: Filled) -> Iterator[DenominationSpec]:
    seen: set[str] = set()
    for row in choice_rows(form):
        offer = form[f"offer_{row}"]
        if not offer:
            continue
        if offer in seen:
            form.wrong(f"offer_{row}", _l("This offer is chosen above already."))
        seen.add(offer)
        least = form.take(f"least_{row}", fields.Positive, 1, required=False)
        most = form.take(f"most_{row}", fields.Positive, least, required=False)
        step = form.take(f"step_{row}", fields.Positive, 1, required=False)
        if not least <= most <= MAX_QUANTITY:
            words = _l("Quantities rise, to %(most)s at most.", most=MAX_QUANTITY)
            form.wrong(f"most_{row}", words)
        elif (most - least) % step:
            form.wrong(f"step_{row}", _l("Steps of this size do not lead from first to last."))
        face = form.take(f"face_{row}", fields.Micros, required=False)
        currency = form.take(f"face_currency_{row}", fields.Currency, required=False)
        if (face is None) != (currency is None):
            field = f"face_{row}" if face is None else f"face_currency_{row}"
            form.wrong(field, _l("An amount and its currency belong together."))
        yield DenominationSpec(
            offer=offer,
            least=least,
            most=most,
            step=step,
            face_micros=face,
            face_currency=currency,
        )


def fields_of(spec: ListingSpec, mark: str) -> Filled:
    """A listing as its form shows it; `mark` says which state of it that is."""
    typed = {
        "seen": mark,
        "default_locale": spec.default_locale,
        "category": spec.category or "",
        "tags": "; ".join(spec.tags),
        "countries": "; ".join(spec.countries),
        "place": spec.place or "",
        "delivery": spec.delivery.value,
        "delivery_days": str(spec.delivery_days or ""),
        "languages": "; ".join(spec.languages),
        "visible_from": moment_field(spec.visible_from),
        "visible_to": moment_field(spec.visible_to),
        "featured": str(spec.featured),
    }
    for locale, text in spec.texts.items():
        typed |= {f"{name}_{locale}": value for name, value in structs.asdict(text).items()}
    for row, each in enumerate(spec.denominations):
        typed |= {
            f"offer_{row}": each.offer,
            f"least_{row}": str(each.least),
            f"most_{row}": str(each.most),
            f"step_{row}": str(each.step),
            f"face_{row}": ""
            if each.face_micros is None
            else decimal_from_micros(each.face_micros),
            f"face_currency_{row}": each.face_currency or "",
        }
    return Filled(typed)
