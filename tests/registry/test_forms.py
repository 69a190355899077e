"""A Struct of settings as a form: what is asked for, and what is made of the answers."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from marketplace.api import SECRET
from marketplace.registry.errors import InvalidSettings
from marketplace.registry.forms import FieldType, FormField, Unsupported, fields, read


class Region(StrEnum):
    EU = "eu"
    US = "us"


class Level(IntEnum):
    LOW = 1


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a shop."""

    address: Annotated[
        str,
        msgspec.Meta(
            title="Address of the shop",
            description="Where orders go.",
            examples=["https://shop.example/api"],
            extra_json_schema={"format": "uri"},
        ),
    ]
    token: Annotated[str, msgspec.Meta(min_length=8), SECRET]
    """From the shop's own
    settings page."""
    old_token: Annotated[str, SECRET] | None = None
    region: Region = Region.EU
    mode: Literal["fast", "cheap"] = "fast"
    most_units: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    retries: Annotated[int, msgspec.Meta(gt=0, lt=5)] | None = None
    gift_wrap: bool = False
    note: str = ""
    code: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] = "ABC"


ASKED = {each.name: each for each in fields(Shop)}
GIVEN = {"address": "https://shop.example", "token": "12345678"}


def test_every_kind_of_field_is_described() -> None:
    assert list(ASKED) == list(Shop.__struct_fields__)
    assert ASKED["address"] == FormField(
        name="address",
        label="Address of the shop",
        type=FieldType.URL,
        required=True,
        default=None,
        secret=False,
        help="Where orders go. Example: https://shop.example/api",
    )
    token = ASKED["token"]
    assert (token.secret, token.required, token.least) == (True, True, 8)
    assert token.help == "From the shop's own settings page."
    assert (ASKED["old_token"].secret, ASKED["old_token"].required) == (True, False)
    region = ASKED["region"]
    assert (region.type, region.choices, region.default) == ("choice", ("eu", "us"), "eu")
    assert ASKED["mode"].choices == ("cheap", "fast")
    units = ASKED["most_units"]
    assert (units.type, units.default, units.least, units.most) == ("whole", 10, 1, 100)
    retries = ASKED["retries"]
    assert (retries.required, retries.least, retries.most) == (False, 1, 4)
    assert (ASKED["gift_wrap"].type, ASKED["gift_wrap"].default) == ("yes_no", False)
    assert (ASKED["note"].label, ASKED["note"].default) == ("Note", "")


def test_texts_as_people_type_them_become_the_struct() -> None:
    typed = {"region": " us ", "most_units": "12", "gift_wrap": "Yes", "retries": ""}
    assert read(Shop, {**GIVEN, **typed}) == Shop(
        address="https://shop.example",
        token="12345678",
        region=Region.US,
        most_units=12,
        gift_wrap=True,
    )


def test_every_wrong_field_is_named_at_once_and_no_secret_is_repeated() -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(
            Shop,
            {
                "address": "shop.example",
                "token": "hunter2",
                "region": "mars",
                "most_units": "1.5",
                "retries": 9,
                "gift_wrap": "perhaps",
                "note": 3,
                "code": "abc",
                "colour": "red",
            },
        )
    errors = caught.value.errors
    assert set(errors) == {
        "address",
        "token",
        "region",
        "most_units",
        "retries",
        "gift_wrap",
        "note",
        "code",
        "colour",
    }
    assert errors["region"] == "Choose one of: eu, us."
    assert errors["most_units"] == "It must be a whole number."
    assert "hunter2" not in caught.value.detail
    assert {"field": "colour", "message": "There is no such setting."} in caught.value.extra[
        "errors"
    ]


def test_what_is_needed_is_asked_for() -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(Shop, {"address": "  "})
    assert caught.value.errors == {"address": "It is needed.", "token": "It is needed."}


def test_what_is_not_given_keeps_what_is_stored_and_empty_means_the_default() -> None:
    kept = {**GIVEN, "most_units": 50, "note": "By hand.", "old_token": "before"}
    changed = read(Shop, {"note": "", "old_token": None, "mode": "cheap"}, kept=kept)
    assert (changed.most_units, changed.note, changed.mode) == (50, "", "cheap")
    assert (changed.token, changed.old_token) == ("12345678", None)


def test_what_was_left_empty_is_read_again_as_it_was_stored() -> None:
    class Two(msgspec.Struct, frozen=True, kw_only=True):
        one: str | None = None
        other: str | None = None

    stored = msgspec.to_builtins(read(Two, {"one": "given"}))
    assert read(Two, {}, kept=stored) == Two(one="given")
    assert read(Two, {"other": "too"}, kept=stored) == Two(one="given", other="too")


def test_a_form_of_the_browser_sends_no_empty_box_and_keeps_a_secret() -> None:
    kept = {**GIVEN, "gift_wrap": True}
    posted = {"address": "https://new.example", "token": "", "note": ""}
    changed = read(Shop, posted, kept=kept, form=True)
    assert (changed.address, changed.token) == ("https://new.example", "12345678")
    assert changed.gift_wrap is False


def test_what_a_struct_says_of_its_fields_together_is_told() -> None:
    class Range(msgspec.Struct):
        low: int = 1
        high: int = 2

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")

    with pytest.raises(InvalidSettings, match="low is above high"):
        read(Range, {"low": "3"})


@pytest.mark.parametrize(
    "kind",
    [
        float,
        bytes,
        UUID,
        list[str],
        dict[str, str],
        str | int,
        Level,
        Literal[1, 2],
        Shop,
        Any,
        Annotated[int, SECRET],
        Literal["a", None, 1],
    ],
)
def test_what_no_form_can_ask_for_is_refused_by_name(kind: Any) -> None:
    odd = msgspec.defstruct("Odd", [("fine", str), ("strange", kind)])
    with pytest.raises(Unsupported, match=r"Odd\.strange"):
        fields(odd)


def test_only_plain_structs_are_settings() -> None:
    for strange in (dict, msgspec.defstruct("A", [("x", int)], array_like=True)):
        with pytest.raises(Unsupported):
            fields(strange)
    renamed = msgspec.defstruct("B", [("some_name", str)], rename="camel")
    with pytest.raises(Unsupported, match="renamed"):
        fields(renamed)
