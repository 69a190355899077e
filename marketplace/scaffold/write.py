"""Writes a new plugin from the templates beside this file. Deterministic: no date, no random."""

from __future__ import annotations

import keyword
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined

from marketplace import __version__, api
from marketplace.errors import UsageError
from marketplace.installed import slugs_installed
from marketplace.plugins import BESIDE_THE_CORE, SLUG

TEMPLATES: Final = Path(__file__).parent / "templates"
KINDS: Final = ("supplier", "eligibility", "notifier", "rail")
SUFFIX: Final = ".in"
"""Templates are named `x.py.in`, so that no tool takes them for code of ours."""


def scaffold(slug: str, kind: str, into: Path) -> Path:
    """Write the plugin `slug` into the new folder `into/marketplace-<slug>`; returns the folder.

    All or nothing. UsageError for a kind that is none, a slug that is none or is taken, and a
    folder that exists.
    """
    _check_kind(kind)
    _check_slug(slug)
    folder = into / f"marketplace-{slug}"
    if folder.exists():
        raise UsageError(f"{folder} exists already; nothing was written.")
    if not into.is_dir():
        raise UsageError(f"There is no folder {into}.")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        for name, content in sorted(render(slug, kind)):
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        draft.rename(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UsageError(f"Cannot write {folder}: {error.strerror}.") from None
    return folder


def render(slug: str, kind: str) -> Iterator[tuple[str, str]]:
    """(path below the folder, content) of every file of a plugin."""
    environment = Environment(  # noqa: S701 - writes Python and TOML, not HTML
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    words = {
        "slug": slug,
        "kind": kind,
        "Name": slug.capitalize(),
        "PREFIX": slug.upper(),
        "package": f"marketplace_{slug}",
        "api_version": api.API_VERSION,
        "house_version": ".".join(__version__.split(".")[:2]),
    }
    for part in ("common", kind):
        for path in sorted((TEMPLATES / part).rglob(f"*{SUFFIX}")):
            name = path.relative_to(TEMPLATES / part).as_posix().removesuffix(SUFFIX)
            name = name.replace("PACKAGE", words["package"]).replace("SLUG", slug)
            yield name, environment.from_string(path.read_text(encoding="utf-8")).render(words)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"{kind!r} is no kind of plugin: {', '.join(KINDS)}.")


def _check_slug(slug: str) -> None:
    if not SLUG.fullmatch(slug):
        raise UsageError(
            f"{slug!r} is no slug: 2 to 31 lower case letters and digits, a letter first."
        )
    ours = {"marketplace", "plugins", "core", "web", "v1", *BESIDE_THE_CORE}
    taken = slugs_installed() | ours
    if slug in taken or keyword.iskeyword(slug) or slug in sys.stdlib_module_names:
        raise UsageError(f"The slug {slug!r} is taken; choose another.")
