"""Collects what is to be translated, and keeps the .po files of each distribution up to date.

`make messages` runs this over the working tree. Words come from `_`, `_l`, `lazy`, `ngettext` and
their kin in Python and templates, and from the titles of errors. What is gone is dropped, what is
new comes in empty; nothing is guessed.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from marketplace.web.i18n import NAMES, SOURCE
from marketplace.web.templates import EXTENSIONS

ROOT = Path(__file__).parents[2]
KEYWORDS: dict[str, Any] = {
    "_": None,
    "_l": None,
    "lazy": None,
    "_lp": ((1, "c"), 2),
    "lazy_in": ((1, "c"), 2),
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "N_": None,
    "NN_": (1, 2),
}
METHODS = [
    ("**/templates/**.html", "jinja2"),
    ("**/templates/**.txt", "jinja2"),
    ("**.py", "python"),
    ("**.py", "marketplace.web.messages:error_titles"),
]
TEMPLATE_OPTIONS = {"trimmed": "true", "silent": "false", "extensions": ",".join(EXTENSIONS)}
OPTIONS = {f"**/templates/**.{kind}": TEMPLATE_OPTIONS for kind in ("html", "txt")}
NOT_KEPT = ("POT-Creation", "PO-Revision", "Last-Tr", "Language-Team", "Generated", "Report-Msgid")
"""Headers that would change with every run and tell nothing."""


def distributions(root: Path = ROOT) -> dict[str, Path]:
    """Folder of each package that has words of its own, by name."""
    folders = [root / name for name in ("marketplace", "catalog", "charity", "settlement")]
    folders += sorted((root / "plugins").glob("*/src/*"))
    return {folder.name: folder for folder in folders if any(folder.rglob("templates/*/*"))}


def error_titles(
    file: IO[bytes], keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Babel's extraction method for classes that state a `code` and a `title`: our errors."""
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.ClassDef):
            stated = dict(_constants(node))
            if "code" in stated and "title" in stated:
                line, title = stated["title"]
                yield line, "_", title, []


def _constants(node: ast.ClassDef) -> Iterator[tuple[str, tuple[int, str]]]:
    """Name -> (line, text) of each text that a class states."""
    for each in node.body:
        targets: list[ast.expr] = []
        if isinstance(each, ast.Assign):
            targets = each.targets
        elif isinstance(each, ast.AnnAssign):
            targets = [each.target]
        value = getattr(each, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, (each.lineno, value.value)


def extract(folder: Path) -> Catalog:
    """Every message of a distribution, with the files it is in."""
    found = Catalog(project=folder.name, charset="utf-8", fuzzy=False)
    for method in METHODS:
        # One at a time: Babel stops at the first pattern that fits a file.
        messages = extract_from_dir(
            folder, [method], OPTIONS, keywords=KEYWORDS, comment_tags=(), strip_comment_tags=True
        )
        for file, _, message, _, context in messages:
            name = Path(folder.name) / file
            found.add(message, locations=[(name.as_posix(), 0)], context=context)
    return found


def read(path: Path, language: str) -> Catalog:
    """A .po file, empty where there is none yet."""
    if not path.exists():
        return Catalog(locale=language, charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language, charset="utf-8", abort_invalid=True)


def update(path: Path, language: str, found: Catalog) -> bytes:
    """What the .po file should hold: its translations of the messages that there are."""
    known = read(path, language)
    known.update(found, no_fuzzy_matching=True, update_header_comment=True)
    known.obsolete.clear()
    known.project = found.project
    known.header_comment = f"# {NAMES[language]}: words of {found.project}."
    written = io.BytesIO()
    write_po(written, known, width=96, include_lineno=False, sort_by_file=True)
    return b"".join(_without_noise(written.getvalue().splitlines(keepends=True)))


def _without_noise(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        if not line.startswith(tuple(f'"{name}'.encode() for name in NOT_KEPT)):
            yield line


def main() -> int:
    """Update every .po file; says how many messages still lack a translation."""
    for name, folder in distributions().items():
        found = extract(folder)
        for language in NAMES:
            if language == SOURCE:
                continue
            path = folder / "locale" / f"{language}.po"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(update(path, language, found))
            lacking = [each for each in read(path, language) if each.id and not translated(each)]
            print(f"{name} {language}: {len(found)} messages, {len(lacking)} not translated")
    return 0


def translated(message: Any) -> bool:
    """Whether every form of a message is there."""
    forms = message.string if isinstance(message.string, tuple) else (message.string,)
    return all(forms)


if __name__ == "__main__":
    sys.exit(main())
