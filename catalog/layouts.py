"""Words typed on the wrong keyboard: Cyrillic letters where Latin ones were meant, and back."""

from __future__ import annotations

from typing import Final

LATIN: Final = "qwertyuiopasdfghjklzxcvbnm"
CYRILLIC: Final = "йцукенгшщзфывапролдячсмить"
"""The same keys on a Russian keyboard; six more letters of it lie where Latin has none."""
TO_CYRILLIC: Final = str.maketrans(LATIN, CYRILLIC)
TO_LATIN: Final = str.maketrans(CYRILLIC, LATIN)


def other_layout(word: str) -> str | None:
    """What the keys of a word say on the other keyboard; None where they are no letters there."""
    lowered = word.lower()
    if all(letter in LATIN for letter in lowered):
        return lowered.translate(TO_CYRILLIC)
    if all(letter in CYRILLIC for letter in lowered):
        return lowered.translate(TO_LATIN)
    return None
