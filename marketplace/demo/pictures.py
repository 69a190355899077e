"""Pictures of the demonstration, drawn from shapes and colours: nobody's art, no text, no faces.

Each listing gets its own, the same every time: a ground of two colours, a large form for its kind,
and a pattern that its name decides.
"""

from __future__ import annotations

import hashlib
import io
import math
import random
from typing import Final

from PIL import Image, ImageDraw

WIDTH: Final = 800
HEIGHT: Final = 600
SCALE: Final = 2
"""Drawn larger and made smaller, so that edges are smooth."""

Colour = tuple[int, int, int]

PALETTES: Final[tuple[tuple[Colour, Colour, Colour, Colour], ...]] = (
    ((244, 226, 204), (233, 196, 160), (196, 98, 62), (92, 58, 46)),
    ((214, 230, 224), (164, 203, 190), (47, 118, 107), (24, 62, 60)),
    ((226, 224, 242), (186, 182, 222), (96, 84, 160), (48, 42, 92)),
    ((250, 232, 196), (244, 204, 122), (206, 138, 36), (108, 70, 22)),
    ((216, 232, 244), (158, 198, 226), (44, 104, 158), (22, 52, 86)),
    ((246, 220, 222), (232, 172, 178), (178, 66, 86), (92, 32, 48)),
    ((228, 236, 208), (194, 212, 150), (104, 134, 52), (52, 70, 26)),
)
"""Two of the ground, one of the form, one of its shade."""


def draw(name: str, kind: str) -> bytes:
    """The picture of a listing, as PNG."""
    seed = hashlib.blake2b(name.encode(), digest_size=8).digest()
    chance = random.Random(seed)  # noqa: S311 - a picture, not a secret
    palette = PALETTES[chance.randrange(len(PALETTES))]
    image = _ground(palette)
    pen = ImageDraw.Draw(image, "RGBA")
    _pattern(pen, chance, palette)
    FORMS.get(kind, _gift)(pen, chance, palette)
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    small.save(target, "PNG", compress_level=1)
    return target.getvalue()


def _ground(palette: tuple[Colour, Colour, Colour, Colour]) -> Image.Image:
    """From one colour at the top to the other at the bottom."""
    column = Image.new("RGB", (1, 256))
    for at in range(256):
        share = at / 255
        column.putpixel(
            (0, at),
            tuple(round(a + (b - a) * share) for a, b in zip(palette[0], palette[1], strict=True)),
        )
    return column.resize((WIDTH * SCALE, HEIGHT * SCALE), Image.Resampling.BICUBIC)


def _pattern(
    pen: ImageDraw.ImageDraw,
    chance: random.Random,
    palette: tuple[Colour, Colour, Colour, Colour],
) -> None:
    """Soft rings or hills behind the form."""
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    tint = (*palette[2], 26)
    if chance.random() < 0.5:
        x, y = chance.uniform(0.1, 0.9) * width, chance.uniform(0.1, 0.5) * height
        for ring in range(1, 9):
            reach = ring * width / 9
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=tint, width=40)
        return
    for row in range(4):
        base, swing = height * (0.5 + row * 0.14), chance.uniform(40, 130)
        phase, waves = chance.uniform(0, math.tau), chance.uniform(1.0, 2.4)
        top = [
            (x, base + swing * math.sin(phase + waves * math.tau * x / width))
            for x in range(0, width + 1, 20)
        ]
        pen.polygon([*top, (width, height), (0, height)], fill=tint)


def _box(x: float, y: float, wide: float, high: float) -> tuple[float, float, float, float]:
    """A box by its middle and size, in shares of the picture."""
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    return (
        (x - wide / 2) * width,
        (y - high / 2) * height,
        (x + wide / 2) * width,
        (y + high / 2) * height,
    )


def _gift(
    pen: ImageDraw.ImageDraw,
    chance: random.Random,
    palette: tuple[Colour, Colour, Colour, Colour],
) -> None:
    """A card that leans on another."""
    lean = chance.uniform(0.02, 0.07)
    pen.rounded_rectangle(_box(0.5 + lean, 0.47, 0.5, 0.4), 60, fill=(*palette[3], 230))
    pen.rounded_rectangle(_box(0.5 - lean, 0.53, 0.5, 0.4), 60, fill=palette[2])
    pen.rectangle(_box(0.5 - lean, 0.45, 0.5, 0.055), fill=(*palette[3], 110))
    for dot in range(chance.randint(2, 4)):
        pen.ellipse(_box(0.33 - lean + dot * 0.05, 0.65, 0.032, 0.043), fill=palette[0])


def _voucher(
    pen: ImageDraw.ImageDraw,
    chance: random.Random,
    palette: tuple[Colour, Colour, Colour, Colour],
) -> None:
    """A house by the water, under a sun."""
    sun = chance.uniform(0.25, 0.75)
    pen.ellipse(_box(sun, 0.3, 0.18, 0.24), fill=(*palette[2], 150))
    roof = [(0.28, 0.5), (0.5, 0.28), (0.72, 0.5)]
    pen.polygon([(x * WIDTH * SCALE, y * HEIGHT * SCALE) for x, y in roof], fill=palette[3])
    pen.rectangle(_box(0.5, 0.62, 0.36, 0.24), fill=palette[2])
    for window in (0.4, 0.5, 0.6):
        pen.rounded_rectangle(_box(window, 0.6, 0.05, 0.09), 16, fill=palette[0])
    pen.rectangle(_box(0.5, 0.87, 1.0, 0.26), fill=(*palette[3], 70))


def _seat(
    pen: ImageDraw.ImageDraw,
    chance: random.Random,
    palette: tuple[Colour, Colour, Colour, Colour],
) -> None:
    """Rows of seats before a stage."""
    pen.rounded_rectangle(_box(0.5, 0.3, 0.56, 0.26), 30, fill=(*palette[3], 220))
    taken = chance.randrange(3)
    for row in range(3):
        count = 5 + row
        for seat in range(count):
            x = 0.5 + (seat - (count - 1) / 2) * 0.1
            fill = palette[3] if (seat + row) % 4 == taken else palette[2]
            pen.rounded_rectangle(_box(x, 0.57 + row * 0.14, 0.07, 0.09), 30, fill=fill)


def _donation(
    pen: ImageDraw.ImageDraw,
    chance: random.Random,
    palette: tuple[Colour, Colour, Colour, Colour],
) -> None:
    """A drop over rings on water."""
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    for ring in range(3, 0, -1):
        box = _box(0.5, 0.78, 0.16 * ring, 0.06 * ring)
        pen.ellipse(box, outline=(*palette[2], 140), width=18)
    size = chance.uniform(0.19, 0.23)
    edge = []
    for step in range(0, 361, 6):
        turn = math.radians(step)
        narrow = math.sin(turn / 2) ** 1.3
        edge.append(
            (
                (0.5 + size * 0.8 * math.sin(turn) * narrow) * width,
                (0.44 - size * 1.5 * math.cos(turn)) * height,
            )
        )
    pen.polygon(edge, fill=palette[2])
    pen.ellipse(_box(0.46, 0.55, 0.05, 0.09), fill=(*palette[0], 170))


FORMS: Final = {"gift": _gift, "voucher": _voucher, "seat": _seat, "donation": _donation}
