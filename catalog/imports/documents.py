"""Objects of the JSON files, read as a stream: an array of them, or one after the other.

An object with `names` is a category, one with `texts` a listing. Memory holds one object.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from catalog.domain import Delivery, ListingStatus
from catalog.imports.rows import Prose, Summary, Title
from catalog.specs import CategorySpec, DenominationSpec, ListingSpec, TextSpec
from marketplace.coalition.imports.fields import (
    Country,
    Currency,
    Label,
    Locale,
    Micros,
    Moment,
    Reference,
    Slug,
    Text,
    WrongCell,
)
from marketplace.coalition.imports.report import Faults
from marketplace.money import decimal_from_micros

BLOCK_CHARACTERS = 262_144
LARGEST_OBJECT = 4_000_000
"""Characters of one object."""
BETWEEN = re.compile(r"[\s,\[\]]*")
_decoder = json.JSONDecoder()


class TextDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: Title
    summary: Summary | None = None
    body: Prose | None = None
    terms: Prose | None = None


class DenominationDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    offer: Reference
    least: int = 1
    most: int = 1
    step: int = 1
    face: Micros | None = None
    face_currency: Currency | None = None


class ListingDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    slug: Slug
    status: ListingStatus = ListingStatus.DRAFT
    category: Slug | None = None
    tags: tuple[Label, ...] = ()
    countries: tuple[Country, ...] = ()
    place: Text | None = None
    delivery: Delivery = Delivery.INSTANT
    delivery_days: int | None = None
    languages: tuple[Locale, ...] = ()
    default_locale: Locale = Locale("en")
    visible_from: Moment | None = None
    visible_to: Moment | None = None
    featured: int = 0
    denominations: tuple[DenominationDocument, ...]
    texts: dict[str, TextDocument]


class CategoryDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    slug: Slug
    parent: Slug | None = None
    position: int = 0
    names: dict[str, Title]


Spec = ListingSpec | CategorySpec


def read_documents(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, Spec]]:
    """Each object with the line it begins on; what is bad goes to the faults."""
    for line, found in _objects(file, faults):
        try:
            yield line, _spec(found)
        except (msgspec.ValidationError, WrongCell, ValueError) as error:
            faults.add(line, str(error))


def _objects(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, Any]]:
    """Objects as they come; reading ends at the first text that is no JSON."""
    reader = codecs.getreader("utf-8-sig")(file)
    text, line, ended = "", 1, False
    while True:
        between = BETWEEN.match(text)
        skipped = between.end() if between else 0
        line += text.count("\n", 0, skipped)
        text = text[skipped:]
        try:
            found, end = _decoder.raw_decode(text) if text else (None, 0)
        except (ValueError, RecursionError) as error:
            if ended or isinstance(error, RecursionError) or len(text) > LARGEST_OBJECT:
                faults.add(line, f"this is no JSON: {getattr(error, 'msg', error)}")
                return
            end = 0
        if end:
            yield line, found
            line += text.count("\n", 0, end)
            text = text[end:]
        elif ended:
            return
        else:
            try:
                more = reader.read(BLOCK_CHARACTERS)
            except UnicodeDecodeError:
                faults.add(line, "the file is not UTF-8 from here on")
                return
            ended, text = not more, text + more


def _spec(found: Any) -> Spec:
    if isinstance(found, dict) and "names" in found:
        category = msgspec.convert(found, CategoryDocument, dec_hook=_decode)
        return CategorySpec(
            slug=category.slug,
            parent=category.parent,
            position=category.position,
            names={locale: str(name) for locale, name in category.names.items()},
        )
    document = msgspec.convert(found, ListingDocument, dec_hook=_decode)
    plain = {
        name: getattr(document, name)
        for name in ListingDocument.__struct_fields__
        if name not in ("denominations", "texts")
    }
    return ListingSpec(
        **plain,
        denominations=tuple(_denomination(each) for each in document.denominations),
        texts={locale: _text(each) for locale, each in document.texts.items()},
    )


def _decode(kind: Any, value: Any) -> Any:
    """The `dec_hook` of msgspec for cells; what is wrong is told with what is right."""
    try:
        if isinstance(value, str):
            return kind.parse(value)
    except WrongCell:
        pass
    raise WrongCell(f"{str(value)[:80]!r} is not {kind.words}")


def _denomination(each: DenominationDocument) -> DenominationSpec:
    return DenominationSpec(
        offer=each.offer,
        least=each.least,
        most=each.most,
        step=each.step,
        face_micros=each.face,
        face_currency=each.face_currency,
    )


def _text(each: TextDocument) -> TextSpec:
    given = msgspec.structs.asdict(each)
    return TextSpec(**{name: str(text) for name, text in given.items() if text is not None})


def document_of(spec: Spec) -> dict[str, Any]:
    """The object of a listing or category, without what is as usual."""
    made: dict[str, Any] = {}
    for field in msgspec.structs.fields(spec):
        value = getattr(spec, field.name)
        if field.required or value != field.default:
            made[field.name] = value
    if isinstance(spec, ListingSpec):
        made["denominations"] = [_denomination_object(each) for each in spec.denominations]
        made["texts"] = {
            locale: {name: text for name, text in msgspec.structs.asdict(each).items() if text}
            for locale, each in spec.texts.items()
        }
    return made


def _denomination_object(each: DenominationSpec) -> dict[str, Any]:
    made: dict[str, Any] = {"offer": each.offer}
    if each.most != 1:
        made |= {"least": each.least, "most": each.most, "step": each.step}
    if each.face_micros is not None:
        face = {"face": decimal_from_micros(each.face_micros), "face_currency": each.face_currency}
        made |= face
    return made
