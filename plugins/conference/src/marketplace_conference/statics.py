"""Styles and scripts of the plugin's pages, under addresses that change with what they hold."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.params import FromPath

from marketplace.api import NotFound, access

FOLDER: Final = Path(__file__).parent / "static"
MEDIA_TYPES: Final = {
    "conference.css": "text/css",
    "door.css": "text/css",
    "door.js": "text/javascript",
}
FILES: Final = {name: (FOLDER / name).read_bytes() for name in MEDIA_TYPES}
DIGEST: Final = hashlib.sha256(b"".join(FILES.values())).hexdigest()[:12]
AT: Final = f"/conference/static/{DIGEST}"
"""Where they are, as pages link to them."""


@get(
    "/static/{digest:str}/{name:str}",
    opt=access(public=True),
    include_in_schema=False,
    sync_to_thread=False,
)
def static_file(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A style or a script; under the address of this version for a year."""
    if name not in FILES:
        raise NotFound
    cached = "public, max-age=31536000, immutable" if digest == DIGEST else "no-cache"
    headers = {"Cache-Control": cached, "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(FILES[name], media_type=MEDIA_TYPES[name], headers=headers)
