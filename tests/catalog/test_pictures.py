"""Pictures: taken in, made small, shown for ever; hostile files are refused."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import httpx
import pytest
from PIL import Image

from catalog import publishing
from marketplace.web import pictures
from marketplace.web.pictures import BadPicture
from tests.catalog.conftest import AddListing
from tests.factories import Coalition


def picture(width: int, height: int, format_: str = "PNG", **more: Any) -> bytes:
    """A picture with some colours in it."""
    made = Image.new("RGB", (width, height), (200, 120, 60))
    made.paste((20, 60, 90), (0, 0, width // 2, height // 2))
    target = io.BytesIO()
    made.save(target, format_, **more)
    return target.getvalue()


@pytest.mark.parametrize(
    ("width", "widths"),
    [(200, [200]), (320, [320]), (700, [320, 640, 700]), (2_000, [320, 640, 1_280])],
)
def test_a_picture_is_served_in_a_few_widths_and_never_enlarged(
    width: int, widths: list[int]
) -> None:
    made = pictures.encode(picture(width, width * 3 // 4))
    assert sorted(made.files) == widths
    for each, body in made.files.items():
        opened = Image.open(io.BytesIO(body))
        assert (opened.format, opened.width) == ("WEBP", each)
        assert abs(opened.height - each * 3 / 4) <= 1


def test_what_a_camera_wrote_is_gone_and_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "A camera"
    made = pictures.encode(picture(400, 300, "JPEG", exif=exif))
    opened = Image.open(io.BytesIO(made.files[made.width]))
    assert opened.size == (300, 400)
    assert not opened.getexif()
    assert "exif" not in opened.info


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; its data is short."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1_000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize(
    ("upload", "reason"),
    [
        (b"", "cannot be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "cannot be"),
        (b"%PDF-1.4", "cannot be read"),
        (picture(400, 300)[:300], "cannot be read"),
        (picture(400, 300, "BMP"), "cannot be read"),
        (picture(400, 300, "TIFF"), "cannot be read"),
        (png_of_size(50_000, 50_000), "pixels"),
        (png_of_size(7_000, 6_000), "pixels"),
        (png_of_size(400, 300), "cannot be read"),
        (picture(40, 40), "less than 64"),
        (picture(1_000, 100), "times the other"),
        (b"\0" * (pictures.MOST_BYTES + 1), "bytes"),
    ],
)
def test_a_hostile_file_is_refused(upload: bytes, reason: str) -> None:
    with pytest.raises(BadPicture, match=reason):
        pictures.encode(upload)


def test_of_a_moving_picture_the_first_frame_is_taken() -> None:
    target = io.BytesIO()
    frames = [Image.new("RGB", (100, 100), colour) for colour in ("red", "green")]
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:])
    opened = Image.open(io.BytesIO(pictures.encode(target.getvalue()).files[100]))
    assert getattr(opened, "n_frames", 1) == 1


async def test_a_listings_pictures_are_shown_and_never_change(
    client: httpx.AsyncClient, add_listing: AddListing, catalog: Coalition
) -> None:
    await add_listing("mug", {"en": "Mug"})
    encoded = pictures.encode(picture(700, 500))
    for _ in range(2):  # the same file again is the same picture
        async with catalog.runtime.database.begin() as session:
            await publishing.add_picture(session, "mug", encoded, actor="test")
    shown: Any = (await client.get("/v1/catalog/mug")).json()["detail"]
    assert len(shown["pictures"]) == 1
    assert shown["card"]["picture"] == shown["pictures"][0]
    for width in shown["pictures"][0]["widths"]:
        answer = await client.get(f"/v1/catalog/pictures/{encoded.hash}-{width}.webp")
        assert answer.headers["content-type"] == "image/webp"
        assert "immutable" in answer.headers["cache-control"]
        assert answer.content == encoded.files[width]
    for name in (f"{encoded.hash}-321.webp", "x.webp", f"{encoded.hash}.webp", "a%00b"):
        answer = await client.get(f"/v1/catalog/pictures/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_picture")
