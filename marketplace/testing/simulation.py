"""The simulator as tests: everything `marketplace plugins check` does, one test per scenario."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import pytest

from marketplace.certify.check import check, names
from marketplace.certify.domain import Result, Status, Terms
from marketplace.certify.target import find


class Simulation:
    """Subclass it as `Test...` and say which plugin: its folder, or the name it is installed by.

    The plugin runs in child processes, all scenarios before the first test reports. A scenario that
    could not be shown is skipped with its reason; it never passes.
    """

    target: ClassVar[str | Path]
    terms: ClassVar[Terms] = Terms()

    @pytest.mark.parametrize("scenario", names())
    def test_scenario(self, scenario: str) -> None:
        """The plugin passes this scenario, if it is about anything the plugin has."""
        result = _results(str(self.target), self.terms).get(scenario)
        if result is None or result.status in (Status.PASSED, Status.EXCUSED):
            return
        if result.status is Status.NOT_SHOWN:
            pytest.skip(f"not shown: {result.found}")
        pytest.fail(f"{result.title}\n\n{result.found}\n\nWhat to do: {result.advice}", False)


@lru_cache(maxsize=8)
def _results(target: str, terms: Terms) -> dict[str, Result]:
    return {each.scenario: each for each in check(find(target), terms)}
