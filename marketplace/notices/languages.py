"""The languages of mails and notices: with the words of plugins, by workers that load none.

What a supplier gives as a reason is said in the reader's language where its package has a folder
`locale` with `<language>.po`. Such a folder is found and read without importing the package.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from marketplace.installed import entries
from marketplace.plugins import BESIDE_THE_CORE
from marketplace.web.i18n import Languages, load_languages

log = logging.getLogger(__name__)

FOLDER: Final = "locale"


@lru_cache(maxsize=1)
def languages() -> Languages:
    """Every language, with the words of the core, of our rooms and of installed plugins."""
    return load_languages([each for each in _folders() if _can_be_read(each)])


def _folders() -> Iterator[Path]:
    points = sorted(entries(), key=lambda each: each.name)
    modules = [*BESIDE_THE_CORE.values(), *(each.module for each in points)]
    for package in dict.fromkeys(each.split(".")[0] for each in modules):
        try:
            # Of a package that is in no other: nothing of it is run.
            found = importlib.util.find_spec(package)
        except (ImportError, ValueError) as error:
            log.warning("words of %s are not found: %s", package, error)
            continue
        for place in (found and found.submodule_search_locations) or ():
            if (folder := Path(place) / FOLDER).is_dir():
                yield folder


def _can_be_read(folder: Path) -> bool:
    """Whether its catalogs are catalogs: one that is none keeps nobody from a mail."""
    try:
        load_languages([folder])
    except Exception as error:
        log.warning("words in %s cannot be read: %s", folder, error)
        return False
    return True
