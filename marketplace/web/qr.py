"""QR codes as SVG that a strict content security policy lets through."""

from __future__ import annotations

import segno
from markupsafe import Markup

MODULES_AROUND = 4
"""The quiet zone that scanners need."""


def qr_code(text: str) -> Markup | None:
    """An inline SVG without styles or a size of its own; None where the text is too long."""
    try:
        made = segno.make(text, error="m", micro=False)
    except segno.DataOverflowError:
        return None
    drawn = made.svg_inline(
        omitsize=True,
        border=MODULES_AROUND,
        svgclass="qr__drawing",
        lineclass=None,
        dark="#000",
        light="#fff",
    )
    return Markup(drawn)  # noqa: S704 - made by us: a path of squares, not the text itself
