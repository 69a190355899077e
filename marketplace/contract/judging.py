"""What a plugin's answers are worth: one well-formed answer for each thing that was asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec


def well_formed(
    asked: Collection[str],
    answers: Iterable[Any],
    kinds: Collection[type],
    check: Callable[[Any], None] = lambda _: None,
) -> tuple[dict[str, Any], list[str]]:
    """Answers of these kinds by reference, and in words what was wrong with all others.

    `check` raises ValueError for an answer that does not fit. Two answers for one reference are
    none, for nobody knows which of them is true.
    """
    found: dict[str, Any] = {}
    wrong: list[str] = []
    twice: set[str] = set()
    for answer in answers:
        kind = type(answer)
        try:
            if kind not in kinds:
                raise TypeError(f"{kind.__name__} is no answer to this")
            # Structs do not check their fields when made; a round trip does.
            outcome = msgspec.convert(msgspec.to_builtins(answer), kind)
            if outcome.reference not in asked:
                raise ValueError(f"an answer for {outcome.reference[:60]!r}, which was not asked")
            check(outcome)
        except (ValueError, TypeError) as error:
            wrong.append(str(error))
            continue
        if outcome.reference in found:
            twice.add(outcome.reference)
        found[outcome.reference] = outcome
    for reference in sorted(twice):
        wrong.append(f"two answers for {reference[:60]!r}")
        del found[reference]
    missing = len(asked) - len(found)
    if missing and not wrong:
        wrong.append(f"{missing} of {len(asked)} have no answer")
    return found, wrong
