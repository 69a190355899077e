"""Paper says what people wrote, in any writing; what cannot be drawn is named, never boxed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from marketplace.web import press

TEMPLATE = """
#let told = json(bytes(sys.inputs.told))
#set document(title: "Names", date: none)
#set text(font: "Libertinus Serif", size: 11pt)
#for name in told.names { block(name) }
"""
NAMES = [
    "Łukasz Żółć, Nguyễn Văn Đức",
    "Ἀθηνᾶ Ђорђе Ґанок",
    "山田太郎 习近平 김철수 𠮷野家",
    "محمد علي (123) שָׁלוֹם",
    "🎁 ❤️ 👨\u200d👩\u200d👧 👍🏽 🇩🇪",
    "हिन्दी বাংলা ไทย ქართული Հայ አማርኛ",
]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A document that says each name."""
    path = tmp_path / "names.typ"
    path.write_text(TEMPLATE)
    return path


def told(*names: str) -> str:
    return msgspec.json.encode({"names": names}).decode()


@pytest.mark.parametrize("name", NAMES)
def test_every_living_writing_has_its_letters(template: Path, name: str) -> None:
    assert press.without_glyphs(template, told(name)) == set()


async def test_what_has_no_letter_is_named_by_its_number(template: Path) -> None:
    said = {"names": ["Ann 𓀀", "1\ufe0f\u20e3 is 1", "བོད་"]}
    named = {"names": ["Ann [U+13000]", "1[U+20E3] is 1", "[U+0F56][U+0F7C][U+0F51][U+0F0B]"]}
    assert press.without_glyphs(template, told("Ann 𓀀")) == {"𓀀"}
    made = await press.typeset(template, said)
    assert made == await press.typeset(template, named)
    assert made == await press.typeset(template, said)


async def test_nothing_turns_the_writing_of_paper_around(template: Path) -> None:
    turned = await press.typeset(template, {"names": ["Paid \u202e001\u202c EUR"]})
    assert turned == await press.typeset(template, {"names": ["Paid 001 EUR"]})
