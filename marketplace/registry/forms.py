"""A Struct of settings as a form: what to ask for, and the Struct made of what was answered.

Pure. The command line, the HTTP API and the console's pages all ask and read by these functions.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
import textwrap
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import inspect as shapes

from marketplace.registry.errors import InvalidSettings

S = TypeVar("S", bound=msgspec.Struct)

MOST_FIELDS = 40
LONGEST_VALUE = 10_000
WHOLE = re.compile(r"[+-]?\d{1,18}")
YES = frozenset({"yes", "true", "on", "1", "y"})
NO = frozenset({"no", "false", "off", "0", "n"})


class Unsupported(TypeError):
    """A field, or a whole Struct, that no form can ask for."""


class FieldType(StrEnum):
    """How a field is asked for."""

    TEXT = "text"
    URL = "url"
    WHOLE = "whole"
    """A whole number."""
    YES_NO = "yes_no"
    CHOICE = "choice"


class FormField(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, as it is asked for."""

    name: str
    label: str
    type: FieldType
    required: bool
    """Whether it must be filled; one with a default, or that may be None, need not be."""
    default: str | int | bool | None
    secret: bool
    choices: tuple[str, ...] = ()
    """What may be chosen, where `type` is `choice`."""
    help: str = ""
    """What it is for; with an example where there is one."""
    least: int | None = None
    """Of a whole number; of a text, its fewest characters."""
    most: int | None = None


class _Shape(msgspec.Struct):
    """What a field's annotation comes to."""

    kind: shapes.Type
    schema: dict[str, Any]
    secret: bool
    optional: bool


@lru_cache(maxsize=256)
def fields(struct: type[msgspec.Struct]) -> tuple[FormField, ...]:
    """The form of a Struct, a field each, in their order; Unsupported names what cannot be asked.

    Labels and help come from `msgspec.Meta(title=..., description=..., examples=...)`, else from
    the field's name and the docstring below it.
    """
    if not (isinstance(struct, type) and issubclass(struct, msgspec.Struct)):
        raise Unsupported(f"{struct!r} is no msgspec.Struct")
    info = shapes.type_info(struct)
    if not isinstance(info, shapes.StructType) or info.array_like or info.tag is not None:
        raise Unsupported(f"{struct.__name__} must be a plain Struct: not array-like, not tagged")
    if len(info.fields) > MOST_FIELDS:
        raise Unsupported(f"{struct.__name__} has more than {MOST_FIELDS} fields")
    docs = _docstrings(struct)
    return tuple(_form_field(struct.__name__, each, docs) for each in info.fields)


def _form_field(owner: str, each: shapes.Field, docs: Mapping[str, str]) -> FormField:
    shape = _shape(each.type)
    if each.encode_name != each.name:
        raise Unsupported(f"{owner}.{each.name} is renamed, which settings cannot be")
    described = _described(shape)
    if described is None:
        raise Unsupported(
            f"{owner}.{each.name} has a type that no form can ask for; use str, int, bool, an enum "
            "or Literal of strings, or one of these or None"
        )
    if shape.secret and described["type"] is not FieldType.TEXT:
        raise Unsupported(f"{owner}.{each.name} is secret, so it must be a str")
    default = _default(each)
    help_text = shape.schema.get("description") or docs.get(each.name, "")
    examples = shape.schema.get("examples") or ()
    if examples:
        help_text = f"{help_text} Example: {examples[0]}".strip()
    return FormField(
        name=each.name,
        label=shape.schema.get("title") or each.name.replace("_", " ").capitalize(),
        required=each.required and not shape.optional,
        # A secret's default would be no secret; it is never shown all the same.
        default=None if shape.secret else default,
        secret=shape.secret,
        help=" ".join(help_text.split()),
        **described,
    )


def _shape(kind: shapes.Type) -> _Shape:
    """Strip metadata and `| None` off a type."""
    if isinstance(kind, shapes.Metadata):
        inner = _shape(kind.type)
        inner.schema = {**inner.schema, **(kind.extra_json_schema or {})}
        inner.secret = inner.secret or bool((kind.extra or {}).get("secret"))
        return inner
    if isinstance(kind, shapes.UnionType):
        rest = [each for each in kind.types if not isinstance(each, shapes.NoneType)]
        if len(rest) == 1:
            inner = _shape(rest[0])
            inner.optional = True
            return inner
    return _Shape(kind, {}, False, False)


def _described(shape: _Shape) -> dict[str, Any] | None:
    """Type, choices and bounds of a field; None where no form can ask for it."""
    kind = shape.kind
    match kind:
        case shapes.StrType():
            url = shape.schema.get("format") in ("uri", "url")
            return {
                "type": FieldType.URL if url else FieldType.TEXT,
                "least": kind.min_length,
                "most": kind.max_length,
            }
        case shapes.IntType():
            return {
                "type": FieldType.WHOLE,
                "least": kind.ge if kind.gt is None else kind.gt + 1,
                "most": kind.le if kind.lt is None else kind.lt - 1,
            }
        case shapes.BoolType():
            return {"type": FieldType.YES_NO}
        case shapes.EnumType() | shapes.LiteralType():
            values = _choices(kind)
            if all(isinstance(each, str) for each in values):
                return {"type": FieldType.CHOICE, "choices": values}
    return None


def _choices(kind: shapes.EnumType | shapes.LiteralType) -> tuple[Any, ...]:
    if isinstance(kind, shapes.LiteralType):
        return tuple(kind.values)
    return tuple(each.value for each in kind.cls)


def _default(each: shapes.Field) -> str | int | bool | None:
    if each.default is msgspec.NODEFAULT:
        return None
    value = each.default.value if isinstance(each.default, enum.Enum) else each.default
    return value if isinstance(value, str | int | bool) else None


def _docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Docstrings written below fields, where the source can be read."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    body = node.body if isinstance(node, ast.ClassDef) else []
    found: dict[str, str] = {}
    for each, after in pairwise(body):
        if (
            isinstance(each, ast.AnnAssign)
            and isinstance(each.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[each.target.id] = after.value.value
    return found


def read(
    struct: type[S],
    given: Mapping[str, Any],
    *,
    kept: Mapping[str, Any] | None = None,
    form: bool = False,
) -> S:
    """The Struct of what was answered; InvalidSettings names every field that is wrong.

    `given` holds texts as people type them, or JSON values; `kept` what is stored: a field not in
    `given` keeps that. An empty text or None goes back to the default. From an HTML `form` a box
    not ticked is not sent, and an empty secret keeps the one that is stored.
    """
    asked = fields(struct)
    errors = {
        name: "There is no such setting."
        for name in given
        if name not in {each.name for each in asked}
    }
    values: dict[str, Any] = {}
    for each in asked:
        try:
            values.update(_value(struct, each, given, kept or {}, form=form))
        except ValueError as error:
            errors[each.name] = str(error)
    if errors:
        raise InvalidSettings(errors)
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        # What __post_init__ of the Struct says of fields together.
        raise InvalidSettings({"settings": str(error)}) from None


def _value(
    struct: type[msgspec.Struct],
    each: FormField,
    given: Mapping[str, Any],
    kept: Mapping[str, Any],
    *,
    form: bool,
) -> dict[str, Any]:
    """{name: value} of one field, or {} for its default; ValueError says what is wrong."""
    absent = each.name not in given
    if form and each.type is FieldType.YES_NO:
        return {each.name: not absent}
    answer = None if absent else given[each.name]
    empty = answer is None or (isinstance(answer, str) and not answer.strip())
    if empty and (absent or (form and each.secret)) and each.name in kept:
        answer = kept[each.name]
        empty = answer is None  # nothing was given then either
    if empty:
        if each.required:
            raise ValueError("It is needed.")
        return {}
    value = _typed(each, answer)
    _check(struct, each, value)
    return {each.name: value}


def _typed(each: FormField, answer: Any) -> Any:
    """The answer as a value of the field's type."""
    if isinstance(answer, str) and len(answer) > LONGEST_VALUE:
        raise ValueError(f"It is longer than {LONGEST_VALUE} characters.")
    match each.type:
        case FieldType.YES_NO:
            word = str(answer).strip().lower()
            if word not in YES | NO:
                raise ValueError("Say yes or no.")
            return word in YES
        case FieldType.WHOLE:
            if isinstance(answer, bool) or not WHOLE.fullmatch(str(answer).strip()):
                raise ValueError("It must be a whole number.")
            return int(answer)
    if not isinstance(answer, str):
        raise ValueError("It must be text.")
    text = answer.strip()
    if each.type is FieldType.CHOICE and text not in each.choices:
        raise ValueError(f"Choose one of: {', '.join(each.choices)}.")
    if each.type is FieldType.URL and not re.fullmatch(r"https?://[^\s/]+\S*", text):
        raise ValueError("It must be an address that begins with https:// or http://.")
    return text


def _check(struct: type[msgspec.Struct], each: FormField, value: Any) -> None:
    """Hold one value to its constraints."""
    try:
        msgspec.convert(value, _annotations(struct)[each.name])
    except msgspec.ValidationError as error:
        if each.secret:
            raise ValueError("It does not have the form that is asked for.") from None
        raise ValueError(f"{str(error).replace('`', '')}.") from None


@lru_cache(maxsize=256)
def _annotations(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(struct, include_extras=True)
