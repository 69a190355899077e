"""Styles, scripts and fonts: read once, served under an address that changes with their content.

`/static/<digest>/js/app.js` is kept by browsers for a year. The digest is of all files together,
so that style sheets name fonts by relative address. What our own rooms wrote is in `static/css`
and `static/js`; `static/vendor` is copied from npm packages by `make venv` and is in the wheel.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

import msgspec

from marketplace.errors import UsageError

FOLDER = Path(__file__).parent / "static"
VENDOR = (
    "htmx.min.js",
    "sse.min.js",
    "onest-latin.woff2",
    "onest-latin-ext.woff2",
    "onest-cyrillic.woff2",
)
SHEET = "css/all.css"
"""All style sheets as one: `css/*.css` in the order of FIRST_SHEETS, then by name."""
FIRST_SHEETS = ("fonts.css", "tokens.css", "base.css", "layout.css")
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
ALREADY_SMALL = frozenset({".woff2", ".png"})


class Asset(msgspec.Struct, frozen=True):
    """One file as it is sent."""

    media_type: str
    body: bytes
    gzipped: bytes | None
    """None where it would gain nothing."""


class Assets:
    """Every static file of the process."""

    def __init__(self, files: dict[str, Asset]) -> None:
        self.files = files
        together = hashlib.sha256()
        for path in sorted(files):
            together.update(path.encode() + b"\0" + files[path].body)
        self.digest = together.hexdigest()[:16]

    def get(self, path: str) -> Asset | None:
        """The file at a path below `/static/<digest>/`."""
        return self.files.get(path)

    def address(self, path: str) -> str:
        """Where a page finds the file; KeyError where there is none, so that tests meet it."""
        if path not in self.files:
            raise KeyError(f"there is no static file {path!r}")
        return f"/static/{self.digest}/{path}"


def _asset(suffix: str, body: bytes) -> Asset:
    # No time in the gzip header: equal files must stay equal bytes.
    small = None if suffix in ALREADY_SMALL else gzip.compress(body, 9, mtime=0)
    useful = small is not None and len(small) < len(body)
    return Asset(MEDIA_TYPES[suffix], body, small if useful else None)


def _sheet_order(path: Path) -> tuple[int, str]:
    known = path.name in FIRST_SHEETS
    return (FIRST_SHEETS.index(path.name) if known else len(FIRST_SHEETS), path.name)


@lru_cache(maxsize=4)
def load_assets(folder: Path = FOLDER) -> Assets:
    """Read and compress everything in `folder`; UsageError where a vendored file is missing."""
    missing = [name for name in VENDOR if not (folder / "vendor" / name).exists()]
    if missing:
        raise UsageError(
            f"The pages need {', '.join(missing)} in {folder / 'vendor'}: run `make venv`, which "
            "gets them from npm packages by package-lock.json."
        )
    files = {
        path.relative_to(folder).as_posix(): _asset(path.suffix, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.suffix in MEDIA_TYPES and path.suffix != ".css"
    }
    sheets = sorted((folder / "css").glob("*.css"), key=_sheet_order)
    files[SHEET] = _asset(".css", b"\n".join(sheet.read_bytes() for sheet in sheets))
    return Assets(files)
