"""Lines of the CSV files: listings with a column per language and kind of text, and categories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from catalog.domain import LOCALES, Delivery, ListingStatus
from catalog.specs import CategorySpec, DenominationSpec, ListingSpec, TextSpec
from marketplace.coalition.imports.fields import (
    Cell,
    Count,
    Countries,
    Currency,
    Labels,
    Locale,
    Micros,
    Moment,
    Positive,
    Slug,
    Text,
    TextList,
    WrongCell,
)
from marketplace.money import decimal_from_micros

LONGEST_TITLE = 120
LONGEST_SUMMARY = 300
LONGEST_PROSE = 10_000
TEXTS = ("title", "summary", "body", "terms")
UNITS = re.compile(r"(.+?)(?:\*([1-9][0-9]{0,3})-([1-9][0-9]{0,3})(?:\+([1-9][0-9]{0,3}))?)?")


class Title(Text):
    words = f"one line of at most {LONGEST_TITLE} characters without blanks around it"
    pattern = re.compile(rf"(?!\s)[^\x00-\x1f\x7f]{{1,{LONGEST_TITLE}}}(?<!\s)")


class Summary(Text):
    words = f"one line of at most {LONGEST_SUMMARY} characters without blanks around it"
    pattern = re.compile(rf"(?!\s)[^\x00-\x1f\x7f]{{1,{LONGEST_SUMMARY}}}(?<!\s)")


class Prose(Text):
    words = f"a text of at most {LONGEST_PROSE} characters without blanks around it"
    pattern = re.compile(rf"(?!\s)[^\x00-\x09\x0b\x0c\x0e-\x1f\x7f]{{1,{LONGEST_PROSE}}}(?<!\s)")
    lines = True


class Languages(TextList):
    words = "different language tags separated by semicolons"
    item = Locale


class Amounts(Cell, tuple[int, ...]):
    """Exact amounts separated by semicolons, as micros."""

    words = "amounts such as 10;25.50 separated by semicolons"

    @classmethod
    def parse(cls: type[Amounts], text: str) -> Any:
        return cls(int(Micros.parse(part.strip())) for part in text.split(";"))


class Offers(Cell, tuple[DenominationSpec, ...]):
    """References of offers with the quantities that may be chosen."""

    words = (
        "references of offers separated by semicolons, each with the quantities that may be chosen "
        "where more than one, such as donation*1-40 or donation*5-50+5"
    )

    @classmethod
    def parse(cls: type[Offers], text: str) -> Any:
        made = []
        for part in text.split(";"):
            found = UNITS.fullmatch(part.strip())
            if found is None:
                raise WrongCell(text)
            least, most, step = (int(each) if each else 1 for each in found.groups()[1:])
            made.append(DenominationSpec(offer=found[1], least=least, most=most, step=step))
        return cls(made)


class PlainListing(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a listing besides its texts."""

    slug: Slug
    offers: Offers
    status: ListingStatus = ListingStatus.DRAFT
    category: Slug | None = None
    tags: Labels = Labels()
    countries: Countries = Countries()
    place: Text | None = None
    delivery: Delivery = Delivery.INSTANT
    delivery_days: Positive | None = None
    languages: Languages = Languages()
    default_locale: Locale = Locale("en")
    visible_from: Moment | None = None
    visible_to: Moment | None = None
    featured: Count = Count(0)
    face: Amounts = Amounts()
    face_currency: Currency | None = None


CELLS: dict[str, type[Cell]] = {"title": Title, "summary": Summary, "body": Prose, "terms": Prose}
ListingRow = msgspec.defstruct(
    "ListingRow",
    [(f"{text}_{locale}", CELLS[text] | None, None) for locale in LOCALES for text in TEXTS],
    bases=(PlainListing,),
    frozen=True,
    kw_only=True,
)
"""A line of listings.csv: `PlainListing` and `title_en`, `summary_en` ... `terms_it`."""

CategoryRow = msgspec.defstruct(
    "CategoryRow",
    [
        ("slug", Slug),
        ("parent", Slug | None, None),
        ("position", Count, Count(0)),
        *((f"name_{locale}", Title | None, None) for locale in LOCALES),
    ],
    frozen=True,
    kw_only=True,
)
"""A line of categories.csv."""


def listing_of(row: Any) -> ListingSpec:
    """The listing a line describes; ValueError says what does not fit together."""
    plain = {
        name: getattr(row, name)
        for name in PlainListing.__struct_fields__
        if name not in ("offers", "face", "face_currency")
    }
    return ListingSpec(
        **plain,
        denominations=tuple(_denominations(row)),
        texts=dict(_texts(row)),
    )


def _denominations(row: Any) -> Iterator[DenominationSpec]:
    faces: tuple[int, ...] = row.face
    if faces and len(faces) != len(row.offers):
        raise ValueError(f"face has {len(faces)} amounts for {len(row.offers)} offers")
    if bool(faces) != (row.face_currency is not None):
        raise ValueError("face and face_currency belong together")
    for at, each in enumerate(row.offers):
        face = {"face_micros": faces[at], "face_currency": row.face_currency} if faces else {}
        yield msgspec.structs.replace(each, **face)


def _texts(row: Any) -> Iterator[tuple[str, TextSpec]]:
    for locale in LOCALES:
        given = {text: getattr(row, f"{text}_{locale}") for text in TEXTS}
        given = {text: str(value) for text, value in given.items() if value is not None}
        if given and "title" not in given:
            raise ValueError(f"title_{locale} is empty and other texts in that language are not")
        if given:
            yield locale, TextSpec(**given)


def category_of(row: Any) -> CategorySpec:
    """The category a line describes."""
    names = {locale: getattr(row, f"name_{locale}") for locale in LOCALES}
    return CategorySpec(
        slug=row.slug,
        parent=row.parent,
        position=row.position,
        names={locale: str(name) for locale, name in names.items() if name is not None},
    )


def cells_of_listing(spec: ListingSpec) -> dict[str, str]:
    """The line of a listing; ValueError where CSV has no column for something of it."""
    strange = sorted(set(spec.texts) - set(LOCALES))
    if strange:
        raise ValueError(f"{spec.slug} has texts in {', '.join(strange)}: export it as JSON")
    faces = [each.face_micros for each in spec.denominations]
    currencies = {each.face_currency for each in spec.denominations}
    if len(currencies) > 1:
        raise ValueError(f"{spec.slug} has face values of different currencies: export it as JSON")
    cells = {
        "slug": spec.slug,
        "offers": ";".join(map(_units, spec.denominations)),
        "status": spec.status.value,
        "category": spec.category or "",
        "tags": ";".join(spec.tags),
        "countries": ";".join(spec.countries),
        "place": spec.place or "",
        "delivery": spec.delivery.value,
        "delivery_days": str(spec.delivery_days or ""),
        "languages": ";".join(spec.languages),
        "default_locale": spec.default_locale,
        "visible_from": spec.visible_from.isoformat() if spec.visible_from else "",
        "visible_to": spec.visible_to.isoformat() if spec.visible_to else "",
        "featured": str(spec.featured),
        "face": ";".join(decimal_from_micros(face) for face in faces if face is not None),
        "face_currency": currencies.pop() or "",
    }
    for locale in LOCALES:
        text = spec.texts.get(locale)
        for name in TEXTS:
            cells[f"{name}_{locale}"] = getattr(text, name) if text else ""
    return cells


def _units(each: DenominationSpec) -> str:
    if each.most == 1:
        return each.offer
    step = "" if each.step == 1 else f"+{each.step}"
    return f"{each.offer}*{each.least}-{each.most}{step}"


def cells_of_category(spec: CategorySpec) -> dict[str, str]:
    """The line of a category."""
    names = {f"name_{locale}": spec.names.get(locale, "") for locale in LOCALES}
    return {
        "slug": spec.slug,
        "parent": spec.parent or "",
        "position": str(spec.position),
        **names,
    }
