"""Pictures: what is uploaded is checked, decoded and encoded anew; nothing is kept as it came.

A picture is known by the SHA-256 of the upload, so the same file again is the same picture. What
decoding a hostile file could cost is bounded before it is decoded. Rooms keep their own: each has
tables for its pictures, and serves them under its own address.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from typing import ClassVar, Final

import msgspec
from litestar import Response
from PIL import Image, ImageOps

from marketplace.errors import InvalidRequest, NotFound

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
MOST_BYTES: Final = 10_000_000
MOST_PIXELS: Final = 40_000_000
SMALLEST_SIDE: Final = 64
MOST_SKEW: Final = 4
"""One side is at most so many times the other."""
WIDTHS: Final = (320, 640, 1_280)
QUALITY: Final = 82
FOR_EVER: Final = "public, max-age=31536000, immutable"
FILE: Final = re.compile(r"([0-9a-f]{64})-([0-9]{1,5})\.webp")


class UnknownPicture(NotFound):
    code = "unknown_picture"
    title = "There is no such picture in this width"


class BadPicture(InvalidRequest):
    code = "bad_picture"
    title = "The file is no picture we can take"


class PictureView(msgspec.Struct, frozen=True):
    """A picture, at `<FOLDER>/<hash>-<width>.webp` for each of `widths`."""

    FOLDER: ClassVar[str]
    """Where its room serves it."""

    hash: str
    width: int
    """Of the largest, with `height` for the proportions."""
    height: int
    widths: tuple[int, ...]

    def address(self, width: int) -> str:
        """The address of the smallest file at least `width` pixels wide (else of the largest)."""
        fits = next((each for each in self.widths if each >= width), self.widths[-1])
        return f"{self.FOLDER}/{self.hash}-{fits}.webp"

    @property
    def srcset(self) -> str:
        """The value of an `srcset` attribute."""
        return ", ".join(f"{self.address(width)} {width}w" for width in self.widths)


class Encoded(msgspec.Struct, frozen=True):
    """A picture ready to be stored: WebP by width, ascending; no metadata is left."""

    hash: str
    width: int
    height: int
    """Of the largest file."""
    files: dict[int, bytes]


def encode(upload: bytes) -> Encoded:
    """Check and encode an upload; BadPicture says what is wrong with it. Takes up to seconds."""
    if len(upload) > MOST_BYTES:
        raise BadPicture(f"The file has more than {MOST_BYTES:,} bytes.")
    try:
        with warnings.catch_warnings():
            # Pillow warns of bombs above a limit of its own; ours is checked from the header.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(upload), formats=FORMATS) as opened:
                _check_size(opened)
                picture = _plain(opened)
    except BadPicture:
        raise
    except Image.DecompressionBombError:
        raise BadPicture(f"The picture has more than {MOST_PIXELS:,} pixels.") from None
    except Exception:  # decoders raise anything for what they cannot read
        raise BadPicture(
            "The file cannot be read as JPEG, PNG, WebP or GIF; it may be broken."
        ) from None
    files = {width: _resized(picture, width) for width in _widths(picture.width)}
    largest = max(files)
    return Encoded(
        hash=hashlib.sha256(upload).hexdigest(),
        width=largest,
        height=_height(picture, largest),
        files=files,
    )


def _check_size(picture: Image.Image) -> None:
    """From the header alone, before a pixel is decoded."""
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise BadPicture(f"The picture has more than {MOST_PIXELS:,} pixels.")
    if min(width, height) < SMALLEST_SIDE:
        raise BadPicture(f"The picture has a side of less than {SMALLEST_SIDE} pixels.")
    if max(width, height) > MOST_SKEW * min(width, height):
        raise BadPicture(f"One side is more than {MOST_SKEW} times the other.")


def _plain(opened: Image.Image) -> Image.Image:
    """The first frame, turned as its camera meant, as plain RGB(A)."""
    turned = ImageOps.exif_transpose(opened)
    transparent = "A" in turned.getbands() or "transparency" in turned.info
    return turned.convert("RGBA" if transparent else "RGB")


def _widths(width: int) -> list[int]:
    """The widths we serve; a picture is never enlarged."""
    fitting = [each for each in WIDTHS if each <= width]
    # One between two of our widths, or below all of them, is served as it is too.
    return fitting if width >= WIDTHS[-1] else sorted({*fitting, width})


def _height(picture: Image.Image, width: int) -> int:
    return max(1, round(picture.height * width / picture.width))


def _resized(picture: Image.Image, width: int) -> bytes:
    size = (width, _height(picture, width))
    small = picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
    # A new image, so that nothing of the file's metadata comes along.
    clean = Image.new(small.mode, small.size)
    clean.paste(small)
    target = io.BytesIO()
    clean.save(target, "WEBP", quality=QUALITY, method=2)
    return target.getvalue()


def parts_of(name: str) -> tuple[str, int]:
    """The picture and the width that a file's name asks for; UnknownPicture where it asks none."""
    parts = FILE.fullmatch(name)
    if parts is None:
        raise UnknownPicture(f"There is no picture {name!r}.")
    return parts[1], int(parts[2])


def serve(name: str, body: bytes | None) -> Response[bytes]:
    """A file of a picture, kept for ever; UnknownPicture where there is none."""
    if body is None:
        raise UnknownPicture(f"There is no picture {name!r}.")
    headers = {"Cache-Control": FOR_EVER, "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(body, media_type="image/webp", headers=headers)
