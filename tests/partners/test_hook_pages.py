"""A page per hook, which says what the code says; its example is a plugin that loads.

`MARKETPLACE_UPDATE_DOCS=1 python -m pytest tests/partners/test_hook_pages.py` writes the parts that
are made from the code; the rest of a page is written by hand.
"""

from __future__ import annotations

import os
import re
from types import ModuleType

import pluggy
import pytest

from marketplace import hookspecs
from marketplace.certify.scenarios import SCENARIOS
from tests.partners import hook_pages
from tests.partners.hook_pages import FOLDER, HOOKS, INDEX, LABELS, TYPES

CHECKS = hook_pages.PARTNERS / "checks.md"
UPDATE = os.environ.get("MARKETPLACE_UPDATE_DOCS") == "1"
AGAIN = "run MARKETPLACE_UPDATE_DOCS=1 python -m pytest tests/partners/test_hook_pages.py"


@pytest.mark.parametrize("name", HOOKS)
def test_every_docstring_says_when_and_how(name: str) -> None:
    facts = hook_pages.facts(HOOKS[name])
    for label in (*LABELS, "Since"):
        assert facts.get(label), f"the docstring of {name} does not state {label}"


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_page_that_says_what_the_code_says(name: str) -> None:
    made = hook_pages.hook_facts(name)
    page = FOLDER / f"{name}.md"
    if UPDATE:
        hook_pages.put_between(page, made)
    assert page.exists(), f"{page} is missing: {AGAIN}, then add an example"
    assert hook_pages.between(page) == made, AGAIN


def test_no_page_speaks_of_a_hook_that_does_not_exist() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(HOOKS)


def test_the_list_of_hooks_and_the_types_are_those_of_the_code() -> None:
    if UPDATE:
        hook_pages.put_between(INDEX, hook_pages.index_rows())
        TYPES.write_text(hook_pages.types_page())
    assert hook_pages.between(INDEX) == hook_pages.index_rows(), AGAIN
    assert TYPES.read_text() == hook_pages.types_page(), AGAIN


def test_every_scenario_is_listed_with_what_it_demands() -> None:
    rows = re.findall(r"^\| `(.+)` \| (.+) \| (\w+) \|$", CHECKS.read_text(), re.M)
    assert rows == [(each.name, each.title, each.about.value) for each in SCENARIOS.values()]


@pytest.mark.parametrize("name", HOOKS)
def test_the_example_of_a_page_is_a_plugin_that_loads(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text.split(hook_pages.END)[1], re.M | re.S)
    assert blocks, f"the page of {name} has no example"
    plugin = ModuleType("example")
    exec(compile("\n".join(blocks), f"{name}.md", "exec"), vars(plugin))  # noqa: S102
    manager = pluggy.PluginManager("marketplace")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name="acme")
    manager.check_pending()
    assert getattr(manager.hook, name).get_hookimpls()
