"""Documents as PDF, made by Typst.

What people wrote (names, references) reaches a template as JSON data and is shown as text, never
read as markup. The same content gives the same bytes: fonts are those of the typst package and the
Noto fonts of our own dependencies, never the machine's, and a document carries no date of its own.

A character that none of these fonts has would be an empty box, which says nothing and looks like
an error. It is named by its number instead: `[U+13080]`.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from marketplace.letters import without_hidden

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FONTS: Final = ("manimgx_fonts", "noto_cjk_sans_jp_regular")
"""Packages of font files: Noto for most scripts and emoji; for Chinese, Japanese and Korean."""
STRICT: Final = "a-2b"
"""A profile of PDF that forbids text without glyphs; Typst names all such text when it refuses."""
NO_GLYPH: Final = re.compile(r'the text `"((?:\\.|[^"\\])+)"` could not be displayed')
ESCAPED: Final = re.compile(r"\\u\{([0-9a-f]+)\}|\\(.)")
CHOICES: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""They choose between two looks of the character before, and say nothing themselves."""
ROUNDS: Final = 4
"""Marks are named in a round of their own, for with a strange mark a letter of ours fails too."""
_press: Final = ThreadPoolExecutor(1, "press")
"""Typesetting takes a processor for a moment; requests for pages must not wait for many."""


async def typeset(template: Path, told: Mapping[str, object]) -> bytes:
    """The PDF of a template, which finds what it tells as JSON in `sys.inputs.told`."""
    text = without_hidden(msgspec.json.encode(told).decode())
    return await asyncio.get_running_loop().run_in_executor(_press, _print, template, text)


def _print(template: Path, told: str) -> bytes:
    # ASCII is in every font; for the rest layout is remembered, so asking costs little.
    for _ in range(0 if told.isascii() else ROUNDS):
        absent = without_glyphs(template, told)
        if not absent:
            break
        marks = {each for each in absent if unicodedata.category(each).startswith("M")}
        for each in marks or absent:
            told = told.replace(each, "" if each in CHOICES else f"[U+{ord(each):04X}]")
    made = _compile(template, told)
    if not isinstance(made, bytes):
        raise TypeError("typst gave no document")
    return made


def without_glyphs(template: Path, told: str) -> set[str]:
    """Characters of what a document tells that no font of ours can show where they stand."""
    import typst

    try:
        _compile(template, told, pdf_standards=STRICT, pdf_tags=False)
    except typst.TypstError as error:
        found = NO_GLYPH.findall(error.diagnostic)
        every = {char for each in found for char in ESCAPED.sub(_unescape, each)}
        return {char for char in every if not char.isascii()}
    return set()


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _compile(template: Path, told: str, **more: Any) -> Any:
    import typst  # 8 MB that the processes of most plugins, which can call this, never need

    return typst.compile(
        template,
        root=template.parent,
        format="pdf",
        ignore_system_fonts=True,
        font_paths=_fonts(),
        sys_inputs={"told": told},
        timestamp=EPOCH,
        **more,
    )


@cache
def _fonts() -> Any:
    """The fonts of every document; files are read when a document first needs them."""
    import typst

    specs = (find_spec(each) for each in FONTS)
    folders = [Path(each.origin).parent for each in specs if each is not None and each.origin]
    return typst.Fonts(include_system_fonts=False, font_paths=folders)
