"""The docs say what is: settings with their defaults, links that resolve, commands that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import msgspec
import pytest

from marketplace.cli import main
from marketplace.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
SKIPPED = {".venv", "var", "node_modules", ".git", ".pytest_cache", ".hypothesis"}
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if not SKIPPED & set(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The fragments a forge gives to the headings of a page."""
    text = FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def in_words(value: object) -> str:
    """A default as docs/settings.md writes it."""
    if value in (None, ""):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize("field", msgspec.structs.fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_documented_with_its_default(field: msgspec.structs.FieldInfo) -> None:
    row = f"| `{PREFIX}{field.name.upper()}` | {in_words(field.default)} | "
    assert row in (ROOT / "docs/settings.md").read_text()


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__}
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    assert set(rows) == known
    assert len(rows) == len(known)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_between_pages_resolves(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        address, _, fragment = unquote(target).partition("#")
        other = (page.parent / address).resolve() if address else page
        if not other.exists() or (fragment and fragment not in anchors(other)):
            broken.append(target)
    assert broken == []


def test_every_page_of_docs_is_reached_from_the_index() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "docs/index.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        links = LINK.findall(FENCE.sub("", page.read_text()))
        todo += [(page.parent / link.split("#")[0]).resolve() for link in links if ":" not in link]
    assert {name_of(page) for page in (ROOT / "docs").rglob("*.md")} <= set(map(name_of, seen))


def commands(group: click.Group, prefix: str = "marketplace") -> Iterator[str]:
    """The row of every command in the reference."""
    group.list_commands(click.Context(group))  # plugins add theirs when somebody looks
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        elif not command.hidden:
            yield f"| `{prefix} {name}` | {command.get_short_help_str(200)} |"


def test_the_command_reference_holds_every_command_and_what_its_help_says() -> None:
    rows = re.findall(r"^\| `.*$", (ROOT / "docs/cli.md").read_text(), re.MULTILINE)
    assert rows == list(commands(main))


def shown_commands() -> list[tuple[str, str]]:
    """Commands of our program in the `console` blocks of every page."""
    return [
        (name_of(page), line[2:])
        for page in PAGES
        for language, block in FENCE.findall(page.read_text())
        if language == "console"
        for line in block.splitlines()
        if line.startswith("$ marketplace ")
    ]


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_command_shown_in_a_page_exists_with_its_options(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    main.list_commands(click.Context(main))
    command: click.Command = main
    while words and isinstance(command, click.Group) and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert not isinstance(command, click.Group), f"{page}: {line}"
    options = {option for each in command.params for option in each.opts + each.secondary_opts}
    given = {word.split("=")[0] for word in words if word.startswith("--")}
    assert given <= options | {"--help"}, f"{page}: {line}"
