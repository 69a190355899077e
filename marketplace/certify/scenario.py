"""What a scenario is, how it ends, and the register of them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from marketplace.certify.stage import Stage


class Failed(Exception):
    """The plugin did what it must not; `advice` says what to do about it."""

    def __init__(self, found: str, *, advice: str) -> None:
        super().__init__(found)
        self.found = found
        self.advice = advice


class Excused(Exception):
    """The plugin's rehearsal says that its world cannot have this trouble."""


class About(StrEnum):
    """What a scenario is about; a plugin that has none of it skips its scenarios."""

    FILES = "files"
    """Looks at the files, or at what importing them does; needs no database."""
    PLUGIN = "plugin"
    SUPPLIER = "supplier"
    RULES = "rules"
    NOTIFIERS = "notifiers"
    RAILS = "rails"
    FILE_RAILS = "file_rails"


class Scenario(msgspec.Struct, frozen=True):
    """One thing that can go wrong with a plugin."""

    name: str
    title: str
    about: About
    play: Callable[[Stage], None]


REGISTERED: Final[list[Scenario]] = []
"""Those whose module is imported; `marketplace.certify.scenarios` has them all in order."""


def scenario(
    name: str, title: str, about: About = About.SUPPLIER
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Register the function below as a scenario."""

    def register(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        REGISTERED.append(Scenario(name, title, about, play))
        return play

    return register
