"""Documents as PDF, made by Typst.

What people wrote (names, references) reaches a template as JSON data and is shown as text, never
read as markup. The same content gives the same bytes: fonts are those of the typst package, and a
document carries no date of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_press: Final = ThreadPoolExecutor(1, "press")
"""Typesetting takes a processor for a moment; requests for pages must not wait for many."""


async def typeset(template: Path, told: Mapping[str, object]) -> bytes:
    """The PDF of a template, which finds what it tells as JSON in `sys.inputs.told`."""
    text = msgspec.json.encode(told).decode()
    return await asyncio.get_running_loop().run_in_executor(_press, _compile, template, text)


def _compile(template: Path, told: str) -> bytes:
    import typst  # 8 MB that the processes of most plugins, which can call this, never need

    made = typst.compile(
        template,
        root=template.parent,
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"told": told},
        timestamp=EPOCH,
    )
    if not isinstance(made, bytes):
        raise TypeError("typst gave no document")
    return made
