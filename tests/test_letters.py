"""Names of people and causes: what is not seen is refused, what is merely foreign is not."""

from __future__ import annotations

import pytest

from marketplace.coalition.imports import fields
from marketplace.errors import InvalidRequest
from marketplace.letters import hidden_in, require_shown, shown

NAMES = (
    "Łukasz O'Neill-Żółć",
    "Ἀθηνᾶ Παπαδοπούλου",
    "山田 太郎",
    "محمد علي",
    "שָׁלוֹם",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian is spelled with it
    "श्री\u200dमान",
    "👨\u200d👩\u200d👧 of the 🏳️\u200d🌈",
    "Cafe\u0301 au\u00a0lait",
)
HIDDEN = (
    "\u202e",
    "\u2066",
    "\u200b",
    "\u200f",
    "\ufeff",
    "\u00ad",
    "\x07",
    "\u2028",
    "\ue000",
    "\u3164",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_all_the_world_are_taken_as_they_are(name: str) -> None:
    assert require_shown(f" {name}\n", "name", 200) == name
    assert str(fields.Text.parse(name)) == name
    assert shown(name, 200) == name.replace("\u00a0", " ")


@pytest.mark.parametrize("char", HIDDEN)
def test_what_is_not_seen_is_refused_with_its_number(char: str) -> None:
    with pytest.raises(InvalidRequest, match=f"U\\+{ord(char):04X}") as refused:
        require_shown(f"Aqua{char}Terra", "name", 200)
    assert refused.value.extra["field"] == "name"
    with pytest.raises(fields.WrongCell):
        fields.Text.parse(f"Aqua{char}Terra")
    assert hidden_in(shown(f"For{char} Ann", 200)) is None


def test_a_story_has_lines_and_a_title_has_one() -> None:
    assert require_shown("One.\n\nTwo.", "story", 200, lines=True) == "One.\n\nTwo."
    with pytest.raises(InvalidRequest, match=r"U\+000A"):
        require_shown("One\nTwo", "title", 200)
    with pytest.raises(InvalidRequest, match="5 characters at most"):
        require_shown("longer", "title", 5)
