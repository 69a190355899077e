"""Legs of more than Stripe moves at once: in parts, each a payment of its own.

Parts are sent one after the other, so that what is refused is refused before more has moved. A leg
is booked once all of its parts are. Where one fails before that, the others are taken back: nothing
has moved in the end, and finance pays the leg again as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from marketplace.api import (
    Booked,
    Leg,
    LegOutcome,
    NeverOrdered,
    Rejected,
    Retry,
    Returned,
    Submitted,
    Unknown,
)
from marketplace_stripe import amounts

SOON_S: Final = 30
BACK_S: Final = 3_600
"""When it is worth asking whether what goes back is back."""
Told: TypeAlias = Mapping[int, LegOutcome]
"""What parts come to, by number; parts that were never sent are left out."""
T = TypeVar("T")
Ask: TypeAlias = Callable[["Part"], LegOutcome]


class Part(Leg, frozen=True, kw_only=True):
    """A leg that Stripe moves at once, or one of the parts of a larger one."""

    number: int = 1
    of: int = 1

    @property
    def label(self) -> str:
        """Which part it is, as metadata at Stripe says it: `2/3`; empty: all of the leg."""
        return f"{self.number}/{self.of}" if self.of > 1 else ""


def split(leg: Leg) -> list[Part]:
    """A leg in parts of nearly the same amount: none is below what Stripe charges at least."""
    count = max(1, -(-leg.amount_minor // amounts.LARGEST))
    least, more = divmod(leg.amount_minor, count)
    fields = {name: getattr(leg, name) for name in leg.__struct_fields__}
    return [
        Part(**{**fields, "amount_minor": least + (number <= more), "number": number, "of": count})
        for number in range(1, count + 1)
    ]


def advance(parts: Sequence[Part], looked: Told, send: Ask) -> Told:
    """Send the parts that are missing, one by one, as long as nothing is wrong with those before.

    `looked`: what those come to that were sent. The first one is not sent here.
    """
    told = dict(looked)
    for part in parts[1:]:
        if not all(isinstance(told.get(n), Booked | Submitted) for n in range(1, part.number)):
            break
        if part.number not in told or isinstance(told[part.number], NeverOrdered):
            told[part.number] = send(part)
    return told


def is_whole(told: Told, count: int) -> bool:
    """Whether all parts have moved, whatever went back since."""
    return len(told) == count and all(isinstance(each, Booked | Returned) for each in told.values())


def to_take_back(parts: Sequence[Part], told: Told) -> list[Part]:
    """Parts that go back, because another failed before all had moved."""
    failed = any(isinstance(each, Rejected | Returned) for each in told.values())
    if not failed or is_whole(told, len(parts)):
        return []
    there = Booked | Submitted
    return [each for each in parts if isinstance(told.get(each.number), there)]


def outcome(leg: Leg, parts: Sequence[Part], told: Told) -> LegOutcome:
    """What the parts of a leg come to together, once what had to go back was asked back."""
    if is_whole(told, len(parts)):
        return _whole(leg, told)
    unknown = _first(told, Unknown)
    if unknown is not None:
        number, found = unknown
        words = f"part {number} of {len(parts)}: {found.reason}"
        return Unknown(reference=leg.reference, reason=words, after_s=found.after_s)
    if any(isinstance(each, Rejected | Returned) for each in told.values()):
        return _failed(leg, parts, told)
    return _under_way(leg, parts, told)


def _whole(leg: Leg, told: Told) -> LegOutcome:
    booked = [each for each in told.values() if isinstance(each, Booked)]
    if not booked:
        return _returned(leg, told)
    first = told[1].rail_reference  # type: ignore[union-attr]
    day = max(each.booked_on for each in booked)
    return Booked(reference=leg.reference, rail_reference=first, booked_on=day)


def _failed(leg: Leg, parts: Sequence[Part], told: Told) -> LegOutcome:
    # What was refused is why the others went back, not the other way round.
    refused = [(n, each) for n, each in told.items() if isinstance(each, Rejected)]
    back = [(n, each) for n, each in told.items() if isinstance(each, Returned)]
    number, found = (refused or back)[0]
    words = f"part {number} of {len(parts)}: {found.reason}"
    still = [number for number, each in told.items() if isinstance(each, Booked | Submitted)]
    if still:
        words = f"{words}; taken back, and not there yet: {', '.join(map(str, still))}"
        return Unknown(reference=leg.reference, reason=words, after_s=BACK_S)
    if back:
        return _returned(leg, told, words)
    return Rejected(reference=leg.reference, reason=words)


def _returned(leg: Leg, told: Told, words: str = "") -> Returned:
    back = [each for each in told.values() if isinstance(each, Returned)]
    words = words or ", ".join(dict.fromkeys(each.reason for each in back))
    first = back[0].rail_reference
    return Returned(reference=leg.reference, rail_reference=first, reason=words)


def _under_way(leg: Leg, parts: Sequence[Part], told: Told) -> LegOutcome:
    """Nothing is wrong, and not all has moved."""
    there = [each for each in told.values() if isinstance(each, Booked | Submitted)]
    if not there:
        # The first part was certainly not taken, and no other was sent.
        return told[1]
    if len(there) == len(parts):
        waits = [each.after_s for each in there if isinstance(each, Submitted)]
        first = there[0].rail_reference
        return Submitted(reference=leg.reference, rail_reference=first, after_s=min(waits))
    refused = _first(told, Retry)
    words = f"{len(there)} of {len(parts)} parts are at Stripe; the next one is sent by itself"
    if refused is None:
        return Unknown(reference=leg.reference, reason=words, after_s=SOON_S)
    number, found = refused
    words = f"{words}, part {number} was not taken: {found.reason}"
    return Unknown(reference=leg.reference, reason=words, after_s=found.after_s)


def _first(told: Told, kind: type[T]) -> tuple[int, T] | None:
    return next(((n, each) for n, each in told.items() if isinstance(each, kind)), None)
