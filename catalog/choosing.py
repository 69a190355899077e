"""What one chooses on a listing's page: an offer and how many of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from catalog.schemas import ChoiceMine, DenominationView, DetailFor

FEW: Final = 8
"""Quantities that are each shown as a choice; more of them become a number to type."""


def value_of_units(denomination: DenominationView, units: int) -> int | None:
    """What so many are worth; None where nobody has stated it."""
    return None if denomination.value_micros is None else denomination.value_micros * units


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to choose: `quantity` of an offer, or as many as are typed (None)."""

    value: str
    """What the form sends as `choice`: the quantity, `*`, the offer's reference."""
    denomination: DenominationView
    quantity: int | None
    mine: ChoiceMine | None
    """How the offer stands to the reader; None where that is nobody's business."""

    @property
    def least(self) -> int:
        """The fewest units it means."""
        return self.denomination.least if self.quantity is None else self.quantity

    @property
    def points(self) -> int:
        return self.denomination.points * self.least

    @property
    def value_micros(self) -> int | None:
        return value_of_units(self.denomination, self.least)

    @property
    def short(self) -> int:
        """Points missing for this quantity."""
        return 0 if self.mine is None else max(self.points - self.mine.have, 0)

    @property
    def open(self) -> bool:
        """Whether a burn of it would be accepted now; for strangers, whether it is on sale."""
        if self.mine is None:
            return not any(each.blocks for each in self.denomination.obstacles)
        return self.mine.can_burn and self.least <= self.mine.most


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """An option with its quantity, as a form sent it."""

    option: Option
    quantity: int
    fits: bool
    """Whether the listing offers this quantity."""

    @property
    def points(self) -> int:
        return self.option.denomination.points * self.quantity

    @property
    def value_micros(self) -> int | None:
        return value_of_units(self.option.denomination, self.quantity)


def options_of(shown: DetailFor) -> list[Option]:
    """Everything there is to choose, in the listing's order."""
    by_offer = {each.offer: each for each in shown.choices}
    made: list[Option] = []
    for denomination in shown.detail.denominations:
        mine = by_offer.get(denomination.offer)
        counts: Sequence[int | None] = denomination.quantities
        if len(counts) > FEW:
            counts = [None]
        made += [
            Option(
                value=f"{'' if count is None else count}*{denomination.offer}",
                denomination=denomination,
                quantity=count,
                mine=mine,
            )
            for count in counts
        ]
    return made


def first_open(options: Sequence[Option]) -> Option | None:
    """What is chosen before the reader chooses: the first that can be had."""
    return next((each for each in options if each.open), None)


def chosen_of(options: Sequence[Option], choice: str, typed: str) -> Chosen | None:
    """What a form sent; None where it names nothing that the listing has."""
    option = next((each for each in options if each.value == choice), None)
    if option is None and not choice:
        option = first_open(options)
    if option is None:
        return None
    if option.quantity is not None:
        return Chosen(option=option, quantity=option.quantity, fits=True)
    text = typed.strip()
    if not text:
        return Chosen(option=option, quantity=option.least, fits=True)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return Chosen(option=option, quantity=option.least, fits=False)
    quantity = int(text)
    return Chosen(option=option, quantity=quantity, fits=quantity in option.denomination.quantities)
