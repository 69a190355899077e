"""What docs/partners says of hooks and types, made from the code: facts, never prose of its own."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from marketplace import hookspecs
from marketplace.contract import (
    bank_records,
    file_rails,
    host,
    notices,
    orders,
    proving,
    rails,
    registering,
    tracing,
)
from marketplace.contract import facts as told
from tests.conftest import ROOT

PARTNERS = ROOT / "docs" / "partners"
FOLDER = PARTNERS / "hooks"
TYPES = PARTNERS / "types.md"
INDEX = PARTNERS / "hooks.md"
BEGIN, END = "<!-- from the code -->", "<!-- until here -->"
LABELS = ("Fires", "Transaction", "Errors", "Idempotency")
LABEL = re.compile(rf"\b({'|'.join(LABELS)}): ")
SINCE = re.compile(r"Since (\d+\.\d+)\.")
PARTS = (
    orders,
    registering,
    notices,
    rails,
    file_rails,
    bank_records,
    told,
    proving,
    tracing,
    host,
)
"""Modules of the plugin API, in the order of the page."""
HOOKS: dict[str, Callable[..., Any]] = {
    name: function
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if name.startswith("marketplace_")
}


def signature(function: Callable[..., Any]) -> str:
    """`name(argument: type) -> type`, as it is written."""
    return f"{function.__name__}{inspect.signature(function)}".replace("'", "")


def summary(function: Callable[..., Any]) -> str:
    """The first sentence of a docstring."""
    return (inspect.getdoc(function) or "").split("\n", 1)[0]


def facts(function: Callable[..., Any]) -> dict[str, str]:
    """What a hook's docstring states: when it fires, transaction, errors, idempotency, since."""
    text = " ".join((inspect.getdoc(function) or "").split())
    parts = LABEL.split(text)
    found = {label: words.strip() for label, words in zip(parts[1::2], parts[2::2], strict=True)}
    since = SINCE.search(text)
    found = {label: SINCE.sub("", words).strip() for label, words in found.items()}
    return {**found, "Since": since.group(1) if since else ""}


def linked(annotation: str, folder: str) -> str:
    """A type with links to what the plugin API says of it."""

    def link(match: re.Match[str]) -> str:
        return f"[{match.group(1)}]({folder}types.md#{match.group(1).lower()})"

    return re.sub(r"api\.(\w+)", link, annotation.replace("'", "")).replace("|", "\\|")


def hook_facts(name: str) -> str:
    """The part of a hook's page that is made from the code."""
    function = HOOKS[name]
    arguments = [
        f"`{each.name}`: {linked(str(each.annotation), '../')}"
        for each in inspect.signature(function).parameters.values()
    ]
    returns = str(inspect.signature(function).return_annotation)
    rows = {
        **{label: words for label, words in facts(function).items() if label != "Since"},
        "Arguments": "; ".join(arguments) or "none",
        "Returns": linked(returns, "../"),
        "Since": f"version {facts(function)['Since']} of the plugin API",
    }
    order = ("Fires", "Transaction", "Arguments", "Returns", "Errors", "Idempotency", "Since")
    table = "\n".join(f"| {label} | {rows[label]} |" for label in order)
    return (
        f"# {name}\n\n{summary(function)}\n\n```python\n{signature(function)}\n```\n\n"
        f"| | |\n|---|---|\n{table}\n"
    )


def documented(tree: list[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """(name, type or signature, docstring) of the members of a class."""
    for each, after in zip(tree, [*tree[1:], None], strict=True):
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            words = ""
            if (
                isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                words = after.value.value
            default = f" = {ast.unparse(each.value)}" if each.value else ""
            yield each.target.id, ast.unparse(each.annotation) + default, words
        elif isinstance(each, ast.FunctionDef):
            returns = f" -> {ast.unparse(each.returns)}" if each.returns else ""
            arguments = ast.unparse(each.args).removeprefix("self, ").removeprefix("self")
            yield each.name, f"({arguments}){returns}", ast.get_docstring(each) or ""


def type_sections() -> Iterator[str]:
    """A section for each Struct and Protocol of the plugin API."""
    nodes = [node for part in PARTS for node in ast.parse(inspect.getsource(part)).body]
    for node in nodes:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = " ".join(ast.unparse(base) for base in node.bases)
        kind = "Protocol: you write it" if "Protocol" in bases else "Struct, frozen"
        if node.name == "Host":
            kind = "Protocol: the core gives it to you"
        rows = []
        for name, shape, words in documented(node.body):
            # A fence of backticks may hold a bar only where it is escaped, in a table.
            cell = shape.replace("|", "\\|")
            rows.append(f"| `{name}` | `{cell}` | {' '.join(words.split())} |")
        table = "| | | |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
        yield f"## {node.name}\n\n{kind}. {ast.get_docstring(node) or ''}\n\n{table}"
    for node in nodes:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and ast.unparse(node.annotation) == "TypeAlias"
            and node.value is not None
        ):
            yield f"## {node.target.id}\n\n```python\n{ast.unparse(node.value)}\n```\n"


def types_page() -> str:
    """The whole page of types."""
    head = (
        "# Types of the plugin API\n\n"
        "Everything here is in `marketplace.api`. Points are integers; `_micros` is money in\n"
        "millionths of the currency unit; `_s` is seconds; times are aware UTC. This page is made\n"
        "from the code.\n\n"
    )
    return head + "\n".join(type_sections())


def index_rows() -> str:
    """The table of all hooks."""
    rows = [
        f"| [`{name}`](hooks/{name}.md) | {summary(function)} | {facts(function)['Since']} |"
        for name, function in HOOKS.items()
    ]
    return "| hook | what it is | since |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def between(path: Path) -> str:
    """The part of a page that is made from the code."""
    return path.read_text().split(BEGIN + "\n")[1].split(END)[0]


def put_between(path: Path, made: str) -> None:
    """Write that part anew; the rest of the page is kept."""
    text = path.read_text() if path.exists() else f"{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN + "\n")
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{made}{END}{after}")
