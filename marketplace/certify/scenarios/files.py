"""Scenarios about the plugin's files: what they import, and what importing them does."""

from __future__ import annotations

import ast
import importlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marketplace.certify.scenario import About, Failed, scenario
from marketplace.certify.stage import NO_EXIT, Stage
from marketplace.certify.target import files_of
from marketplace.certify.watching import watched

ALLOWED = ("marketplace.api", "marketplace.testing")
OURS = ("marketplace", "catalog", "charity", "settlement")
NAMED = re.compile(r"(marketplace|catalog|charity|settlement)(\.[a-z_]+)+")
SLOW_IMPORT_S = 3.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@scenario("imports", "It imports the plugin API and nothing else of ours", About.FILES)
def imports(stage: Stage) -> None:
    """Every Python file of the distribution."""
    strange: list[str] = []
    for path in files_of(stage.target):
        if path.suffix == ".py":
            name = path.relative_to(stage.target.root)
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError) as error:
                raise Failed(f"{name} is no Python: {error}", advice="Mend the file.") from None
            strange += [f"{name}:{line} {what}" for line, what in _reaches(tree)]
    if strange:
        raise Failed(
            "It reaches inside the marketplace: " + "; ".join(strange[:10]),
            advice="Import marketplace.api (and marketplace.testing in tests) only. Anything else "
            "may change in any release. Ask for what is missing.",
        )


def _reaches(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of everything that is not part of the plugin API."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "marketplace":
                names = [f"marketplace.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if NAMED.fullmatch(node.value) else []
        elif isinstance(node, ast.Attribute):
            of = node.value.attr if isinstance(node.value, ast.Attribute) else ""
            of = node.value.id if isinstance(node.value, ast.Name) else of
            if of.lstrip("_") == "host" and node.attr.startswith("_"):
                yield node.lineno, f"host.{node.attr}"
            continue
        else:
            continue
        for name in names:
            if name.split(".")[0] in OURS and not _is_allowed(name):
                yield node.lineno, name


def _is_allowed(name: str) -> bool:
    # Names of entry point groups are no modules.
    return name in (*ALLOWED, "marketplace.rehearsal") or name.startswith(ALLOWED[1] + ".")


@scenario("import-effects", "Importing it does nothing but define things", About.FILES)
def import_effects(stage: Stage) -> None:
    """The entry point's module, in a fresh process, watched."""
    module = stage.target.module
    before = _surroundings()
    started = time.monotonic()
    with watched() as seen:
        try:
            stage.guarded(f"import {module}", lambda: importlib.import_module(module))
        except Failed:
            raise
        except Exception as error:
            raise Failed(
                f"import {module} raised {type(error).__name__}: {error}",
                advice="Name every library it needs under [project] dependencies, and try "
                f"`python -c 'import {module}'` in a fresh environment.",
            ) from error
    took_s = time.monotonic() - started
    seen += [f"changes {name}" for name, was in before.items() if _surroundings()[name] != was]
    if took_s > SLOW_IMPORT_S:
        seen.append(f"takes {took_s:.1f} s")
    if seen:
        raise Failed(
            f"While it is imported, it {', it '.join(dict.fromkeys(seen))}.",
            advice="Do that in a hook, or better when it is first needed: every process of the "
            "marketplace imports the plugin, the command line included. " + NO_EXIT,
        )


def _surroundings() -> dict[str, Any]:
    """What belongs to the whole process."""
    import logging

    root = logging.getLogger()
    return {
        "the environment": dict(os.environ),
        "signal handlers": [signal.getsignal(each) for each in SIGNALS],
        "the root logger": (list(root.handlers), root.level),
        "standard output": (sys.stdout, sys.stderr),
        "the exception hook": sys.excepthook,
        "the number of threads (it starts one)": threading.active_count(),
        "the working directory": str(Path.cwd()),
    }
