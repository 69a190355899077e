"""What a plugin's answers are worth: one well-formed answer for each thing that was asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Any, Final

import msgspec

from marketplace.letters import hidden_in

MOST_FAULTS: Final = 20
"""Faults that are kept of one batch of answers."""
LONGEST_WORDS: Final = 2_000
LONGEST_RAIL_REFERENCE: Final = 200


class Malformed(msgspec.Struct, frozen=True):
    """Stands for an answer that is no outcome."""

    words: str


def well_formed(
    asked: Collection[str],
    answers: Iterable[Any],
    kinds: Collection[type],
    check: Callable[[Any], None] = lambda _: None,
) -> tuple[dict[str, Any], list[str]]:
    """Answers of these kinds by reference, and in words what was wrong with all others.

    `check` raises ValueError for an answer that does not fit. Two answers for one reference are
    none, for nobody knows which of them is true. Of endless answers only the first are looked at.
    """
    found: dict[str, Any] = {}
    wrong: list[str] = []
    twice: set[str] = set()
    for answer in islice(answers, 2 * len(asked) + 1):
        try:
            outcome = _typed(answer, kinds)
            if outcome.reference not in asked:
                raise ValueError(f"an answer for {outcome.reference!r}, which was not asked")
            check(outcome)
        except (ValueError, TypeError) as error:
            if len(wrong) < MOST_FAULTS:
                wrong.append(str(error)[:LONGEST_WORDS])
            continue
        if outcome.reference in found:
            twice.add(outcome.reference)
        found[outcome.reference] = outcome
    for reference in sorted(twice):
        wrong.append(f"two answers for {reference}")
        del found[reference]
    missing = len(asked) - len(found)
    if missing and not wrong:
        wrong.append(f"{missing} of {len(asked)} have no answer")
    return found, wrong


def _typed(answer: Any, kinds: Collection[type]) -> Any:
    """The answer with every field checked; ValueError or TypeError says what is wrong."""
    if isinstance(answer, Malformed):
        raise ValueError(answer.words)
    kind = type(answer)
    if kind not in kinds:
        raise TypeError(f"{kind.__name__} is no outcome")
    # Structs do not check their fields when made; a round trip does.
    return msgspec.convert(msgspec.to_builtins(answer), kind)


def check_rail_reference(outcome: Any) -> None:
    """ValueError where a rail names what it has taken by nothing that can be kept and shown."""
    reference: str = getattr(outcome, "rail_reference", "-")
    kind = type(outcome).__name__
    if not reference:
        raise ValueError(f"{kind} without a rail_reference")
    if len(reference) > LONGEST_RAIL_REFERENCE or hidden_in(reference) is not None:
        raise ValueError(
            f"{kind} with a rail_reference of more than {LONGEST_RAIL_REFERENCE} characters, or "
            "with some that are not seen"
        )
