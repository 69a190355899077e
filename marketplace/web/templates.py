"""The Jinja environment: templates of every room and plugin, escaped, strict, multilingual.

A room's templates are in `<room>/templates/<room>/` and named `<room>/page.html`. Those named
`.txt` are not escaped: they are the plain part of an e-mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from jinja2 import (
    BaseLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    select_autoescape,
)

from marketplace.web.assets import load_assets
from marketplace.web.formats import FILTERS
from marketplace.web.i18n import spoken

EXTENSIONS = ["jinja2.ext.i18n", "jinja2.ext.do"]
CORE = Path(__file__).parents[1]


def core_folders() -> dict[str, Path]:
    """Folder of templates by room of the core."""
    return {path.name: path for path in sorted(CORE.glob("*/templates/*")) if path.is_dir()}


def make_environment(more: Mapping[str, Path] | None = None) -> Environment:
    """Templates of the core and of `more` (folder by prefix), in whichever language is spoken."""
    loaders: dict[str, BaseLoader] = {
        prefix: FileSystemLoader(folder)
        for prefix, folder in {**core_folders(), **(more or {})}.items()
    }
    environment = Environment(
        loader=PrefixLoader(loaders),
        autoescape=select_autoescape(disabled_extensions=("txt",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        extensions=EXTENSIONS,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        lambda message: spoken().gettext(message),
        lambda singular, plural, count: spoken().ngettext(singular, plural, count),
        newstyle=True,
        pgettext=lambda context, message: spoken().pgettext(context, message),
        npgettext=lambda context, singular, plural, count: spoken().npgettext(
            context, singular, plural, count
        ),
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters.update(FILTERS)
    environment.globals["asset"] = lambda path: load_assets().address(path)
    return environment


@lru_cache(maxsize=1)
def core_environment() -> Environment:
    """Templates of the core alone: for e-mail and documents made outside a request."""
    return make_environment()
