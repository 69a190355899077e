"""Plugins that harm whoever lets them, as distributions in a folder: modules and metadata.

They are installed by naming the folder in PYTHONPATH, as `pip install --target` would.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

HEAD = """
import ctypes
import itertools
import os
import sys
import time

from marketplace import api

api_version = "1.0"


def done(order, **changes):
    values = {{
        "reference": order.reference,
        "supplier_reference": "S-" + order.reference,
        "artefacts": (api.Artefact(kind="code", label="A code", secret="C-" + order.reference),),
    }}
    return api.Fulfilled(**(values | changes))


class Supplier:
    slug = "{slug}"

    def fulfil(self, orders):
{fulfil}

    def lookup(self, orders):
        return [api.Unknown(reference=each.reference, reason="who knows") for each in orders]

    def health(self):
        return api.Health(ok=True)


@api.hookimpl
def marketplace_register_suppliers(host):
    return [Supplier()]
"""

GOOD = "return [done(each) for each in orders]"

FULFIL = {
    "good": GOOD,
    "exits": "os._exit(3)",
    "leaves": "sys.exit('and everybody comes along')",
    "crashes": "ctypes.string_at(0)",
    "spins": "while True: pass",
    "sleeps": "time.sleep(600)",
    # Holds the interpreter's lock, so no thread and no signal handler of Python's can run.
    "locks": "ctypes.PyDLL(None).sleep(600)",
    "hoards": "kept = [b'x' * 1_000_000 for _ in itertools.count()]",
    "forks": "while True: os.fork()",
    "shouts": "while True: print('x' * 10_000)",
    "closes": "os.closerange(0, 200)",
    "giant": "return [done(orders[0], supplier_reference='x' * 20_000_000)]",
    "floods": "return (done(orders[0]) for _ in itertools.count())",
    "foreign": "return [api.Rejected(reference='nobody', reason='no')] * len(orders)",
    "unwell": "return [done(each, artefacts=(api.Artefact(kind='code', label='a\\x1b[2Jb', "
    "secret='x'),)) for each in orders]",
}
"""Slug -> the body of its `fulfil`."""

CULPRITS = {
    "exits": "status 3",
    "leaves": "SystemExit",
    "crashes": "SIGSEGV",
    "spins": "SIGXCPU|in time",
    "sleeps": "did not answer in time",
    "locks": "did not answer in time",
    "hoards": "MemoryError|of memory",
    "forks": "processes|of memory",
    "shouts": "",
    # Its answer cannot be sent then, so it may have ended before anybody looks.
    "closes": "closed our connection|ended by itself with status 1",
    "giant": "bytes",
    "floods": "two answers",
    "foreign": "not asked",
    "unwell": "control characters",
}
"""Slug -> pattern of what the operator reads about it."""


def install(folder: Path, slug: str, *, fulfil: str = GOOD, more: str = "") -> None:
    """Put a plugin into `folder`; `more` is added to its module."""
    text = HEAD.format(slug=slug, fulfil=indent(fulfil, " " * 8)) + more
    (folder / f"hostile_{slug}.py").write_text(text)
    info = folder / f"hostile_{slug}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hostile_{slug}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[marketplace]\n{slug} = hostile_{slug}\n")
